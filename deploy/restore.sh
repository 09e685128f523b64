#!/bin/sh
# Fill a new full stack, of which nothing runs yet, from a folder that backup.sh has made: deploy/restore.sh FOLDER
# What its database held is replaced. Afterwards: make up
set -eu
folder=$1
compose=${COMPOSE:-docker compose}
test -s "$folder/database.dump" && test -s "$folder/objects.tar"
if [ -n "$($compose ps --quiet gateway)" ]; then
    echo "the gateway runs: this would pull the data from under it; first: make down" >&2
    exit 1
fi
$compose up --detach --wait postgres
$compose exec -T postgres pg_restore --username asl --dbname asl --clean --if-exists --single-transaction <"$folder/database.dump"
$compose run --rm -T bucket
$compose run --rm -T --no-deps bucket python /minio/objects.py load <"$folder/objects.tar"
