"""How a hand spells over time: holds, passages from letter to letter, the strokes of J and Z, letters that repeat."""

from typing import Final

import numpy as np

from asl.core.hand import MOTION_LETTERS
from asl.core.synthetic.poses import POSES, LetterPose
from asl.core.synthetic.signers import FOREARM_SPREAD_DEG, VIEW_SPREAD_DEG, vary_angles
from asl.core.synthetic.skeleton import FloatArray
from asl.core.synthetic.timeline import (
    ANGLES,
    FOREARM,
    N_STATE,
    PITCH,
    PLACE,
    ROLL,
    VIEW,
    YAW,
    Doing,
    Spelling,
    Track,
    X,
    Y,
    tremor,
)

RATE_RANGE: Final = (1.6, 4.2)
"""Letters a second, from careful to fluent."""
_HOLD_SHARE_RANGE: Final = (0.38, 0.65)
"""Of a letter's time, that in which the hand stays."""
_TIME_SPREAD: Final = 0.18
_STROKE_S: Final = {"J": (0.45, 1.1), "Z": (0.6, 1.3)}
_POISE_RANGE_S: Final = (0.0, 0.14)
"""For how long the hand stays before a stroke."""
_INSTANCE_SPREAD_DEG: Final = 1.5
"""How much a signer's letter differs from the same signer's last one."""
_VIEW_INSTANCE_SPREAD_DEG: Final = 2.5
_RELAXED: Final = LetterPose(
    (22, 3, 35, 18), (26, 0, 38, 20), (30, -4, 40, 22), (32, -9, 38, 20), (35, 28, 75, 12, 14), view=(-15, 12, 4)
)


class Speller:
    """One signer's way to form letters, and to go from one to the next."""

    def __init__(self, rng: np.random.Generator, looseness_deg: float = 0.0) -> None:
        """Draw the habits.

        Args:
            rng: draws all that this signer does.
            looseness_deg: how much more than usual the joints differ from the letters' poses.
        """
        self._rng, self._looseness_deg = rng, looseness_deg
        self._lean = rng.normal(0.0, VIEW_SPREAD_DEG)
        self._wrist = rng.normal(0.0, FOREARM_SPREAD_DEG)
        self._states = {letter: self._habit(pose) for letter, pose in POSES.items()}
        self._relaxed = self._habit(_RELAXED)
        self._draws_backwards = rng.random() < 0.12  # some left hands draw Z as it is written
        self._slides = rng.random() < 0.6
        self._is_turning = float(rng.uniform(0.6, 1.0))

    def spell(self, text: str, fps: float, rate: float | None = None) -> Spelling:
        """Spell a text once.

        Args:
            text: letters from "A" to "Z".
            fps: frames a second.
            rate: letters a second; drawn if None.
        """
        rng = self._rng
        rate = float(rng.uniform(*RATE_RANGE)) if rate is None else rate
        track = self._begin(text)
        for index, letter in enumerate(text):
            seconds = float(np.exp(rng.normal(0.0, _TIME_SPREAD))) / rate
            hold_s = seconds * float(rng.uniform(*_HOLD_SHARE_RANGE))
            if letter in MOTION_LETTERS:
                track.pass_to(self._near(letter_start(letter), track), seconds - hold_s, rng)
                self._stroke(letter, track, rate)
            elif index and text[index - 1] == letter:
                self._repeat(track, seconds - hold_s)
                track.stay(hold_s)
            else:
                track.pass_to(self._near(letter, track), seconds - hold_s, rng)
                track.stay(hold_s)
        self._end(track)
        return self._film(text, track, fps)

    def wander(self, letter: str, seconds: float, fps: float) -> Spelling:
        """Move one hand shape about in ways that are no stroke: waves, circles, shakes, a way from here to there."""
        rng = self._rng
        track = Track(self._near(letter, None))
        track.stay(seconds, Doing.MOVING)
        times_s = np.arange(0.0, seconds, 1.0 / fps)
        states = track.at(times_s)
        phase = 2.0 * np.pi * (rng.uniform(0.5, 2.5) * times_s + rng.random())
        kind = int(rng.integers(4))
        size_m, turn_deg = rng.uniform(0.02, 0.07), rng.uniform(0.0, 20.0)
        if kind < 3:
            states[:, X] += size_m * np.sin(phase) * (kind != 2)
            states[:, Y] += size_m * np.cos(phase) * (kind != 0)
            states[:, ROLL] += turn_deg * np.sin(phase)
        else:
            way = (times_s / seconds)[:, None] * rng.normal(0.0, 0.08, 3)
            states[:, PLACE] += way
            states[:, VIEW] += (times_s / seconds)[:, None] * rng.normal(0.0, 25.0, 3)
        return Spelling("", times_s, states + tremor(times_s, rng), *track.settled())

    def hold(self, letter: str, seconds: float, fps: float) -> Spelling:
        """Show one hand shape, and nothing else."""
        track = Track(self._near(letter, None))
        track.stay(seconds)
        return self._film(letter, track, fps)

    def _habit(self, pose: LetterPose) -> FloatArray:
        angles = vary_angles(pose, self._rng).limited()
        state = np.zeros(N_STATE)
        state[ANGLES] = np.concatenate([angles.fingers.ravel(), angles.thumb])
        if self._looseness_deg:
            state[ANGLES] += self._rng.normal(0.0, self._looseness_deg, 21)
        state[VIEW] = np.array(pose.view) + self._lean
        state[FOREARM] = np.array(pose.forearm) + self._wrist
        return state

    def _near(self, letter: str, track: Track | None) -> FloatArray:
        """The letter as it comes out this time, about where the hand is."""
        state = self._states[letter].copy()
        state[ANGLES] += self._rng.normal(0.0, _INSTANCE_SPREAD_DEG, 21)
        state[VIEW] += self._rng.normal(0.0, _VIEW_INSTANCE_SPREAD_DEG, 3)
        state[PLACE] = self._rng.normal(0.0, 0.006, 3)
        if track is not None:
            state[PLACE] += 0.7 * track.end[PLACE]
        return state

    def _begin(self, text: str) -> Track:
        rng = self._rng
        kind = rng.random()
        if kind < 0.4 and text:  # the hand is there already
            return Track(self._near(letter_start(text[0]), None))
        state = self._relaxed.copy()
        state[Y] += float(rng.uniform(0.0, 0.08))
        track = Track(state)
        track.stay(float(rng.uniform(0.05, 0.3)), Doing.MOVING)
        return track

    def _end(self, track: Track) -> None:
        rng = self._rng
        if rng.random() < 0.5:
            track.stay(float(rng.uniform(0.0, 0.1)), track.spans[-1][1])
            return
        rest = self._relaxed.copy()
        rest[PLACE] = track.end[PLACE] + (0.0, 0.06, 0.0)
        track.pass_to(rest, float(rng.uniform(0.2, 0.4)), rng)

    def _stroke(self, letter: str, track: Track, rate: float) -> None:
        rng, doing = self._rng, Doing[letter]
        track.stay(float(rng.uniform(*_POISE_RANGE_S)), doing)
        low, high = _STROKE_S[letter]
        quickness = (rate - RATE_RANGE[0]) / (RATE_RANGE[1] - RATE_RANGE[0])
        seconds = float(np.clip(high - quickness * (high - low) * 0.8, low, high) * np.exp(rng.normal(0.0, 0.12)))
        if letter == "J":
            self._draw_j(track, seconds)
        else:
            self._draw_z(track, seconds)
        track.stay(seconds, doing)

    def _draw_j(self, track: Track, seconds: float) -> None:
        """The little finger goes down, hooks to the signer's other side, and up, as the forearm turns."""
        rng = self._rng
        down, hook, up = rng.uniform(0.02, 0.07), rng.uniform(0.015, 0.06), rng.uniform(0.0, 0.035)
        turn, dip = rng.uniform(50.0, 140.0) * self._is_turning, rng.uniform(5.0, 40.0)
        lean = rng.uniform(0.0, 45.0)
        track.add(0.0, 0.55 * seconds, {Y: down, PITCH: dip})
        track.add(0.3 * seconds, 0.85 * seconds, {X: hook, ROLL: lean})
        track.add(0.2 * seconds, seconds, {YAW: -turn})
        track.add(0.6 * seconds, seconds, {Y: -up, PITCH: -dip * rng.uniform(0.3, 1.0)})

    def _draw_z(self, track: Track, seconds: float) -> None:
        """The index finger goes across, back and down, across again: by the arm, or out of the wrist."""
        rng = self._rng
        width, height = rng.uniform(0.05, 0.13), rng.uniform(0.05, 0.12)
        by_arm, side = rng.uniform(0.25, 1.0), 1.0 if self._draws_backwards else -1.0
        reach_m = 0.16
        sway = np.degrees(np.arctan2(width * (1.0 - by_arm), reach_m))
        nod = np.degrees(np.arctan2(height * (1.0 - by_arm), reach_m))
        across = {X: side * width * by_arm, ROLL: side * sway}
        back = {X: -side * width * by_arm, ROLL: -side * sway, Y: height * by_arm, PITCH: nod}
        ends = np.cumsum([0.3, 0.4, 0.3]) * seconds
        overlap = rng.uniform(0.0, 0.06) * seconds
        track.add(0.0, ends[0] + overlap, across)
        track.add(ends[0] - overlap, ends[1] + overlap, back)
        track.add(
            ends[1] - overlap, ends[2], {index: amount * rng.uniform(0.7, 1.1) for index, amount in across.items()}
        )

    def _repeat(self, track: Track, seconds: float) -> None:
        """Say the letter again: slid to the side, or opened and closed, or bounced."""
        rng = self._rng
        start = track.end.copy()
        if self._slides:
            target = start.copy()
            target[X] += rng.choice((-1.0, 1.0), p=(0.7, 0.3)) * rng.uniform(0.025, 0.06)
            track.pass_to(target, max(seconds, 0.1), rng)
            return
        opened = start.copy()
        if rng.random() < 0.5:
            opened[ANGLES] += rng.uniform(0.25, 0.5) * (self._relaxed[ANGLES] - start[ANGLES])
        opened[PLACE] += (0.0, rng.uniform(0.01, 0.03), rng.uniform(-0.04, 0.01))
        opened[PITCH] += rng.uniform(0.0, 15.0)
        half_s = max(seconds, 0.16) / 2.0
        track.pass_to(opened, half_s, rng)
        track.pass_to(start, half_s, rng)

    def _film(self, text: str, track: Track, fps: float) -> Spelling:
        times_s = np.arange(0.0, track.now_s, 1.0 / fps)
        states = track.at(times_s) + tremor(times_s, self._rng)
        return Spelling(text, times_s, states, *track.settled())


def letter_start(letter: str) -> str:
    """The hand shape with which a letter begins: J as I."""
    return "I" if letter == "J" else letter
