#!/bin/sh
# End with what is missing, where Docker, its Compose plugin or a running engine are: need-docker.sh
missing() {
    echo "$1" >&2
    exit 1
}
command -v docker >/dev/null || missing "docker is not on this machine: the full stack needs Docker with Compose 2.20 or later; without it: make run"
docker compose version >/dev/null 2>&1 || missing "docker has no Compose: its plugin docker-compose, 2.20 or later, is needed (docker compose version)"
said=$(docker info 2>&1 >/dev/null) || missing "no Docker engine answers: is it started, and may you use it? docker info says: $(echo "$said" | tail -n 1)"
