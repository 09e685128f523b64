#!/bin/sh
# Write the secrets of docker-compose.yml into a file, random, for its owner alone: make-env.sh FILE
# A secret that the file has already is left as it is.
set -eu
file=$1
umask 077
touch "$file"
chmod go-rwx "$file"
# A line that was not ended must not swallow the first secret.
[ ! -s "$file" ] || [ -z "$(tail -c 1 "$file")" ] || echo >>"$file"
for name in POSTGRES_PASSWORD REDIS_PASSWORD MINIO_ROOT_PASSWORD STORAGE_SECRET_KEY; do
    if ! grep -q "^$name=." "$file"; then
        echo "$name=$(od -An -N 20 -tx1 /dev/urandom | tr -d ' \n')" >>"$file"
        echo "made $name in $file" >&2
    fi
done
