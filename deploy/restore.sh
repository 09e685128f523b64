#!/bin/sh
# Fill a new full stack, of which nothing runs yet, from a folder that backup.sh has made: deploy/restore.sh FOLDER
# What its database held is replaced. Afterwards: make up
set -eu
folder=$1
compose=${COMPOSE:-docker compose}
test -s "$folder/database.dump" && test -s "$folder/objects.tar"
# Without secrets nothing starts; those of an .env that is there stay.
[ -n "${COMPOSE:-}" ] || "$(dirname "$0")/make-env.sh" .env
if [ -n "$($compose ps --quiet gateway worker-cpu worker-gpu dispatcher)" ]; then
    echo "the platform runs: this would pull the data from under it; first: make down" >&2
    exit 1
fi
# On a new machine our image is not there yet, and nobody has it but us.
image=asl-platform/gateway
if $compose config --images migrate | grep -qx "$image" && ! docker image inspect "$image" >/dev/null 2>&1; then
    CODE_VERSION=$(git rev-parse HEAD 2>/dev/null || echo unknown) $compose build gateway
fi
$compose up --detach --wait postgres
$compose exec -T postgres pg_restore --username asl --dbname asl --clean --if-exists --single-transaction <"$folder/database.dump"
$compose run --rm -T bucket
$compose run --rm -T --no-deps bucket python /minio/objects.py load <"$folder/objects.tar"
