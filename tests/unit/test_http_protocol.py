import asyncio

import pytest

from services.gateway.http_protocol import JoinedWrites


class Wire:
    """What the system would be called with."""

    def __init__(self):
        self.calls = []
        self.is_closed = False

    def write(self, data):
        self.calls.append(data)

    def writelines(self, parts):
        self.calls.append(b"".join(parts))

    def is_closing(self):
        return self.is_closed

    def close(self):
        self.is_closed = True


def written(answer):
    wire = Wire()

    async def run():
        await answer(JoinedWrites(wire, asyncio.get_running_loop()), wire)
        await asyncio.sleep(0)

    asyncio.run(run())
    return wire.calls


def test_headers_leave_with_the_body_that_follows_at_once():
    async def answer(joined, _):
        joined.write(b"head")
        joined.write(b"body")
        joined.write(b"rest")

    assert written(answer) == [b"headbody", b"rest"]


def test_headers_do_not_wait_for_a_body_that_takes_time():
    async def answer(joined, wire):
        joined.write(b"head")
        await asyncio.sleep(0)
        assert wire.calls == [b"head"]
        joined.write(b"event")

    assert written(answer) == [b"head", b"event"]


@pytest.mark.parametrize("gone", [False, True])
def test_headers_leave_before_the_end_unless_nobody_is_there(gone):
    async def answer(joined, wire):
        joined.write(b"head")
        wire.is_closed = gone
        joined.close()
        assert joined.is_closing()

    assert written(answer) == ([] if gone else [b"head"])
