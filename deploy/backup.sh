#!/bin/sh
# Copy everything that the running full stack keeps into a folder: deploy/backup.sh FOLDER
# Nothing has to stop. The database comes first: an object never changes and is there before a row names it, so the
# objects copied afterwards are all that the rows need. Do not delete data sets meanwhile. Keep .env with the copy.
set -eu
folder=$1
compose=${COMPOSE:-docker compose}
umask 077
mkdir -p "$folder"
$compose exec -T postgres pg_dump --username asl --format custom asl >"$folder/database.dump.part"
$compose run --rm -T --no-deps bucket python /minio/objects.py save >"$folder/objects.tar.part"
mv "$folder/database.dump.part" "$folder/database.dump"
mv "$folder/objects.tar.part" "$folder/objects.tar"
echo "made $folder/database.dump and $folder/objects.tar; bring them back with: deploy/restore.sh $folder" >&2
