"""What runs: every container held as tight as its file says, and without a way out."""

import errno
import json
import os
import socket

import pytest

OPEN = "import socket; socket.create_connection({address!r}, timeout=3).close(); print('open')"
TRY = """import socket
try:
    socket.create_connection({address!r}, timeout=3)
    print('open')
except OSError:
    print('shut')
"""
CHANGE_CODE = """import asl, pathlib
try:
    pathlib.Path(asl.__file__).write_text('')
except OSError as error:
    print(error.errno)
"""
ASK_STORES = """import psycopg, redis
try:
    redis.Redis('redis').ping()
except redis.AuthenticationError:
    print('refused')
try:
    psycopg.connect('postgresql://asl:wrong@postgres/asl')
except psycopg.OperationalError:
    print('refused')
"""
ASK_BUCKETS = """import os
from minio import Minio
from minio.error import S3Error
access, secret = (os.environ[f'ASL_STORAGE_{name}_KEY'] for name in ('ACCESS', 'SECRET'))
client = Minio(endpoint='minio:9000', access_key=access, secret_key=secret, secure=False)
print(client.bucket_exists(bucket_name='asl'))
try:
    client.make_bucket(bucket_name='other')
except S3Error as error:
    print(error.code)
"""
WORKING = ("worker-cpu", "worker-gpu", "dispatcher", "gateway")


def test_status_tells_every_part(asl):
    ended = asl("status")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    for part in ("classifier", "landmarker", "database", "dispatcher", "broker", "worker-cpu", "worker-gpu", "storage"):
        assert part in ended.stdout
    checks = json.loads(asl("status", "--json").stdout)["checks"]
    assert (checks["worker-cpu"]["detail"], checks["dispatcher"]["detail"]) == ("2 at work", "2 at work")


def test_no_key_no_answer(asl):
    refused = asl("model", "list")
    assert refused.returncode == 1
    assert "expected an API key" in refused.stderr


def test_the_engine_holds_containers_as_their_file_says(stack):
    found = json.loads(stack.docker("inspect", *stack.compose("ps", "--quiet").split()))
    assert len(found) == 10
    for container in found:
        name, host = container["Name"], container["HostConfig"]
        assert container["Config"]["User"] not in ("", "0", "root"), name
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["CapAdd"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert host["Memory"] > 0, name
        assert host["PidsLimit"] > 0, name
        assert bool(host["PortBindings"]) == ("nginx" in name), name


@pytest.mark.parametrize("service", WORKING)
def test_processes_are_nobody_and_cannot_change_their_code(stack, service):
    container = stack.containers(service)[0]
    told = stack.run_in(container, "import os; print(os.getuid(), open('/proc/self/status').read())")
    assert told.startswith("10001 ")
    fields = dict(line.split(":\t", 1) for line in told.splitlines() if ":\t" in line)
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    assert fields["NoNewPrivs"] == "1"
    assert stack.run_in(container, CHANGE_CODE).strip() in {str(errno.EACCES), str(errno.EROFS)}
    assert stack.run_in(container, "import importlib.util; print(importlib.util.find_spec('pip'))") == "None\n"


@pytest.mark.parametrize("service", WORKING)
def test_images_tell_their_commit(stack, service):
    (image,) = {json.loads(stack.docker("inspect", one))[0]["Config"]["Image"] for one in stack.containers(service)}
    labels = json.loads(stack.docker("inspect", image))[0]["Config"]["Labels"]
    assert labels["org.opencontainers.image.revision"] == stack.revision


@pytest.fixture(scope="module")
def outside(stack):
    """An address that a network with a way out reaches; `ASL_TEST_OUTSIDE` names another host."""
    try:
        host = os.environ.get("ASL_TEST_OUTSIDE", "example.org")
        address = socket.getaddrinfo(host, 443, socket.AF_INET, socket.SOCK_STREAM)[0][4]
    except OSError as error:
        pytest.skip(f"this machine knows no outside address: {error}")
    control = ["run", "--rm", "--network", f"{stack.name}_front", "asl-platform/gateway", "python", "-c"]
    if stack.docker(*control, TRY.format(address=address)).strip() != "open":
        pytest.skip(f"this machine reaches nothing outside: not {address}")
    return address


@pytest.mark.parametrize("service", WORKING)
def test_a_worker_cannot_open_an_outside_address(stack, service, outside):
    container = stack.containers(service)[0]
    assert stack.run_in(container, TRY.format(address=outside)).strip() == "shut"
    assert stack.run_in(container, OPEN.format(address=("postgres", 5432))).strip() == "open"


def test_stores_ask_who_is_there(stack):
    assert stack.run_in(stack.containers("worker-cpu")[0], ASK_STORES).split() == ["refused", "refused"]
    told = stack.compose(
        "exec", "-T", "redis", "sh", "-c",
        'export REDISCLI_AUTH="$REDIS_PASSWORD"; redis-cli config get maxmemory-policy appendonly',
    )  # fmt: skip
    words = told.split()
    assert dict(zip(words[::2], words[1::2], strict=True)) == {"maxmemory-policy": "noeviction", "appendonly": "yes"}


def test_the_key_of_the_store_opens_one_bucket(stack):
    assert stack.run_in(stack.containers("worker-cpu")[0], ASK_BUCKETS).split() == ["True", "AccessDenied"]
