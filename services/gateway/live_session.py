"""One live stream, from its hello to its end.

Four tasks share it. One takes in what comes; one answers the hands that the client itself has found, many at once where
many have come; one has images read in the recognizers' threads; one looks at the clock. The first that ends, ends all.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from asl.contracts import LiveHello
from asl.errors import Busy, InvalidInput, LandmarkerUnavailable
from services.gateway.live_counts import FrameKind, LiveCounts
from services.gateway.live_end import CloseCode, LiveEnd
from services.gateway.live_frames import Asked, BadFrame, HandFrame, ImageFrame, parse
from services.gateway.live_images import ImageLane
from services.gateway.live_readings import StreamReadings
from services.gateway.live_streams import LiveStreams
from services.gateway.live_words import StreamWords
from services.gateway.startup import Gateway

_BATCH: Final = 64
"""Messages that are taken in before they are answered, and before others have their turn: some 2 ms of work."""
_NO_STATUS: Final = 1005


class LiveSession:
    """A stream that was accepted; call `run` once."""

    def __init__(
        self,
        socket: WebSocket,
        gateway: Gateway,
        streams: LiveStreams,
        counts: LiveCounts,
        check_key: Callable[[], Awaitable[object]],
    ) -> None:
        """Prepare.

        Args:
            socket: Accepted.
            gateway: Has the classifier and the recognizers.
            streams: Has the limits.
            counts: Of this stream.
            check_key: Raises LiveEnd where the client may no longer go on.

        Raises:
            ModelNotLoaded: There is no classifier.
        """
        self._socket, self._gateway, self._streams = socket, gateway, streams
        self._counts, self._check_key = counts, check_key
        self._time_s = time.perf_counter  # uvloop's own clock ticks in milliseconds
        words = StreamWords(gateway.sequences)
        self._readings = StreamReadings(gateway.serving, words, counts, self._send, self._time_s)
        self._images = ImageLane(gateway, streams)
        self._waiting: list[Asked | LiveEnd] = []
        self._has_come, self._has_room = asyncio.Event(), asyncio.Event()
        self._came_s = self._time_s()

    async def run(self) -> LiveEnd:
        """Serve the stream; returns why it ended."""
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._send(self._hello())
                for work in (self._take_in(), self._answer_hands(), self._answer_images(), self._watch()):
                    tasks.create_task(work)
        except* LiveEnd as ends:
            end = _first(ends)
        finally:
            await self._images.close()
        return end

    def _hello(self) -> str:
        classifier = self._readings.classifier
        return LiveHello(
            model_version=classifier.version,
            label_names=tuple(classifier.label_names),
            idle_limit_s=self._streams.idle_limit_s,
            max_frame_bytes=self._gateway.settings.max_image_bytes,
        ).model_dump_json()

    async def _take_in(self) -> None:
        while True:
            for _ in range(_BATCH):
                # Others have their turn only where nothing has come, hence the batches.
                message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    raise LiveEnd(message.get("code") or _NO_STATUS, message.get("reason") or "", is_told=True)
                self._came_s = self._time_s()
                try:
                    self._sort(parse(message, self._came_s))
                except LiveEnd as end:
                    self._sort(end)  # after the answers to what came before
                    return
            await asyncio.sleep(0)
            while len(self._waiting) >= _BATCH:
                self._has_room.clear()
                await self._has_room.wait()

    def _sort(self, asked: Asked | LiveEnd) -> None:
        if isinstance(asked, ImageFrame):
            if self._images.offer(asked):
                self._counts.note_dropped()
            return
        self._waiting.append(asked)
        self._has_come.set()

    async def _answer_hands(self) -> None:
        while True:
            await self._has_come.wait()
            self._has_come.clear()
            batch, self._waiting = self._waiting, []
            self._has_room.set()
            hands: list[HandFrame] = []
            for asked in batch:
                if isinstance(asked, HandFrame):
                    hands.append(asked)
                    continue
                await self._readings.answer_hands(hands)
                hands = []
                await self._answer_other(asked)
            await self._readings.answer_hands(hands)
            await asyncio.sleep(0)

    async def _answer_other(self, asked: Asked | LiveEnd) -> None:
        if isinstance(asked, LiveEnd):
            raise asked
        if isinstance(asked, BadFrame):
            await self._readings.refuse(FrameKind.LANDMARKS, asked.seq, asked.error)
        elif not isinstance(asked, HandFrame | ImageFrame):
            await self._readings.change(asked)

    async def _answer_images(self) -> None:
        while True:
            frame = await self._images.next()
            try:
                seen = await self._images.read(frame)
            except (InvalidInput, Busy) as error:
                await self._readings.refuse(FrameKind.IMAGE, frame.seq, error)
            except LandmarkerUnavailable as error:
                raise LiveEnd(CloseCode.NOT_READY, error.message) from error
            else:
                await self._readings.answer_image(frame, seen)

    async def _watch(self) -> None:
        check_s = self._time_s() + self._streams.recheck_s
        while True:
            idle_s = self._came_s + self._streams.idle_limit_s
            await asyncio.sleep(max(0.0, min(idle_s, check_s) - self._time_s()))
            now_s = self._time_s()
            if now_s >= self._came_s + self._streams.idle_limit_s:
                raise LiveEnd(CloseCode.IDLE, f"nothing came for {self._streams.idle_limit_s:g} s")
            if now_s >= check_s:
                await self._check_key()
                check_s = self._time_s() + self._streams.recheck_s

    async def _send(self, text: str) -> None:
        try:
            await self._socket.send_text(text)
        # RuntimeError: the server has closed a connection that broke the rules, and has not told it yet.
        except (WebSocketDisconnect, RuntimeError) as error:
            raise LiveEnd(_NO_STATUS, is_told=True) from error


def _first(ends: BaseExceptionGroup[LiveEnd]) -> LiveEnd:
    """Return the end that counts: the client's own, where it says one."""
    found = [end for end in ends.exceptions if isinstance(end, LiveEnd)]
    return next((end for end in found if end.code != _NO_STATUS), found[0])
