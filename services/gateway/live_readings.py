"""What a live stream is answered, frame by frame."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from asl.contracts import LiveOptions, NoLetter
from asl.core.classifier import Classifier
from asl.core.coaching import explain
from asl.core.hand import Hand
from asl.core.smoothing import Change
from asl.errors import AslError, LandmarksInvalid
from services.gateway.live_answers import Answer, ReadingWriter, likeliest, write_change, write_error
from services.gateway.live_counts import FrameKind, LiveCounts
from services.gateway.live_frames import HandFrame, ImageFrame
from services.gateway.live_images import Sighting
from services.gateway.live_letters import StreamLetters
from services.gateway.live_words import StreamWords
from services.gateway.served_model import Serving

_LETTER: Final = "letter"


class StreamReadings:
    """Answers the frames of one stream."""

    def __init__(
        self,
        serving: Serving,
        words: StreamWords,
        counts: LiveCounts,
        send: Callable[[str], Awaitable[None]],
        time_s: Callable[[], float],
    ) -> None:
        """Begin with the default options.

        Args:
            serving: Which classifier answers.
            words: Reads the stream's text.
            counts: Of the stream.
            send: Sends a message.
            time_s: The clock by which frames came.

        Raises:
            ModelNotLoaded: There is no classifier.
        """
        self._serving, self._counts, self._send, self._time_s = serving, counts, send, time_s
        self._words = words
        self._writer = ReadingWriter(serving.current.classifier)
        self._letters = StreamLetters()
        self._options = LiveOptions(type="options")
        self._last_seq = 0

    @property
    def classifier(self) -> Classifier:
        """What answered last."""
        return self._writer.classifier

    async def change(self, options: LiveOptions) -> None:
        """Answer in another way from here on; what the options leave out stays."""
        given = {name: getattr(options, name) for name in options.model_fields_set}
        self._options = self._options.model_copy(update=given)
        if options.spelling or not self._options.spelling:
            self._words.switch(is_on=self._options.spelling)
        await self._tell(self._letters.switch(is_on=self._options.smoothing), self._last_seq)

    async def answer_hands(self, frames: Sequence[HandFrame]) -> None:
        """Answer frames in order; all hands go through the classifier in one pass."""
        classifier = self._serving.current.classifier
        hands = [frame.hand for frame in frames if frame.hand is not None]
        try:
            probabilities = classifier.classify(hands) if hands else np.empty((0, 0), np.float32)
        except LandmarksInvalid as error:
            if len(frames) == 1:
                await self.refuse(FrameKind.LANDMARKS, frames[0].seq, error)
                return
            for frame in frames:  # one of them is bad
                await self.answer_hands((frame,))
            return
        values, best = likeliest(probabilities, self._options.top_k)
        rows, outcomes = zip(values, best, probabilities, strict=True), Counter[str]()
        for frame in frames:
            if frame.hand is None:
                await self._answer_nothing(FrameKind.LANDMARKS, frame, classifier, frame.t_ms)
                continue
            row_values, row_best, row = next(rows)
            reason = classifier.verdict(row_values[0])
            seen = None if reason else row  # a hand that is refused shows no letter, over time neither
            changes = self._letters.see(classifier, seen, frame.t_ms, frame.came_s)
            await self._answer(frame, classifier, frame.hand, (row_values, row_best, row), reason)
            await self._tell(changes, frame.seq)
            await self._spell(frame, classifier, frame.hand, row)
            outcomes[reason or _LETTER] += 1
        for outcome, n in outcomes.items():
            self._counts.note(FrameKind.LANDMARKS, outcome, n)

    async def answer_image(self, frame: ImageFrame, seen: Sighting) -> None:
        """Answer an image."""
        if seen.hand is None or seen.probabilities is None:
            await self._answer_nothing(FrameKind.IMAGE, frame, seen.classifier, None)
            return
        values, best = likeliest(seen.probabilities, self._options.top_k)
        reason = seen.classifier.verdict(values[0][0])
        changes = self._letters.see(seen.classifier, None if reason else seen.probabilities[0], None, frame.came_s)
        await self._answer(frame, seen.classifier, seen.hand, (values[0], best[0], seen.probabilities[0]), reason)
        await self._tell(changes, frame.seq)
        await self._spell(frame, seen.classifier, seen.hand, seen.probabilities[0])
        self._counts.note(FrameKind.IMAGE, reason or _LETTER)

    async def refuse(self, kind: FrameKind, seq: int, error: AslError) -> None:
        """Answer a frame that cannot be read."""
        self._counts.note_error(kind, error.code)
        await self._send(write_error(error, seq))

    async def _answer(
        self,
        frame: HandFrame | ImageFrame,
        classifier: Classifier,
        hand: Hand,
        likely: tuple[list[float], list[int], NDArray[np.float32]],
        reason: NoLetter | None,
    ) -> None:
        points = hand.landmarks if isinstance(frame, ImageFrame) else None  # the client does not know those
        options, (values, best, row) = self._options, likely
        told = explain(hand, row, classifier.label_names, options.expected) if options.explain else None
        text = self._writer_of(classifier).write(
            self._beside(frame, points),
            values,
            best,
            hand.handedness,
            reason=reason,
            mirrored=options.mirrored,
            explanation=told,
        )
        await self._send(text)

    async def _answer_nothing(
        self, kind: FrameKind, frame: HandFrame | ImageFrame, classifier: Classifier, told_ms: float | None
    ) -> None:
        changes = self._letters.see(classifier, None, told_ms, frame.came_s)
        await self._send(self._writer_of(classifier).write_no_hand(self._beside(frame)))
        await self._tell(changes, frame.seq)
        await self._spell(frame, classifier, None, None)
        self._counts.note(kind, "no_hand")

    async def _tell(self, changes: Sequence[Change], seq: int) -> None:
        self._last_seq = seq
        for change in changes:
            await self._send(write_change(change, seq))

    async def _spell(
        self,
        frame: HandFrame | ImageFrame,
        classifier: Classifier,
        hand: Hand | None,
        probabilities: NDArray[np.float32] | None,
    ) -> None:
        for text in self._words.see(classifier, hand, probabilities, frame.seq, self._letters.now_ms):
            await self._send(text)

    def _beside(self, frame: HandFrame | ImageFrame, points: NDArray[np.float32] | None = None) -> Answer:
        taken_s = self._time_s() - frame.came_s
        return Answer(frame.seq, self._letters.letter, self._counts.n_dropped, taken_s, points)

    def _writer_of(self, classifier: Classifier) -> ReadingWriter:
        if self._writer.classifier is not classifier:
            self._writer = ReadingWriter(classifier)
        return self._writer
