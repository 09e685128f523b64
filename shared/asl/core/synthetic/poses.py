"""The hand shape and the view of each letter of the ASL manual alphabet."""

from dataclasses import dataclass
from typing import Final

# A row of angles, degrees: flexion at the knuckle, spread to the thumb, middle joint, end joint.
Finger = tuple[float, float, float, float]
# Swing to the side, lift off the palm, twist, flexion at the knuckle, end joint, degrees.
Thumb = tuple[float, float, float, float, float]


@dataclass(frozen=True)
class LetterPose:
    """How a right hand shows one letter to the viewer in front of the signer.

    Attributes:
        index, middle, ring, pinky, thumb: joint angles in degrees, as in HandAngles.
        view: how the hand is turned from upright with its palm to the viewer, degrees: yaw about
            its own length (positive: the thumb's side to the viewer), then pitch (positive: the
            fingertips lean to the viewer), then roll in the picture (positive: clockwise).
        forearm: how the hand is bent at the wrist, degrees: flexion (positive: palm to the
            forearm), deviation (positive: to the thumb's side).
    """

    index: Finger
    middle: Finger
    ring: Finger
    pinky: Finger
    thumb: Thumb
    view: tuple[float, float, float] = (-5.0, 10.0, 5.0)
    forearm: tuple[float, float] = (0.0, 0.0)


POSES: Final = {
    # A fist, the thumb upright beside the index finger.
    "A": LetterPose((78, 3, 98, 57), (78, -3, 99, 62), (79, -6, 95, 60), (74, -10, 92, 60), (27, 11, 108, 9, 12)),
    # A flat hand, the fingers together and straight up, the thumb folded over the palm.
    "B": LetterPose((0, -5, 5, 6), (0, -2, 5, 5), (2, 2, 5, 5), (2, 6, 8, 6), (10, 36, 95, 40, 40)),
    # Fingers and thumb curved as round a cup, seen from the side.
    "C": LetterPose(
        (15, -4, 55, 25),
        (18, -4, 55, 25),
        (18, -4, 52, 25),
        (18, -4, 45, 22),
        (48, 30, 50, 0, 5),
        view=(-45, 0, 10),
    ),
    # The index finger up, the others rounded to meet the thumb.
    "D": LetterPose(
        (-5, 2, 5, 8),
        (50, -4, 77, 44),
        (54, -6, 78, 45),
        (50, -10, 76, 45),
        (19, 44, 89, 23, 32),
        view=(-8, 18, 5),
    ),
    # The fingers bent down on the thumb, which lies across the palm.
    "E": LetterPose(
        (32, -2, 101, 63), (34, -5, 98, 66), (32, -7, 95, 66), (26, -10, 88, 64), (21, 38, 81, 46, 45), view=(-5, 4, 5)
    ),
    # Index finger and thumb make a ring, the other fingers spread up.
    "F": LetterPose(
        (43, 10, 71, 13),
        (-5, 2, 8, 5),
        (-8, -6, 5, 5),
        (-12, -16, 6, 8),
        (23, 41, 90, 30, 38),
        view=(-8, 15, 6),
    ),
    # Index finger and thumb parallel and pointing sideways, the others folded.
    "G": LetterPose(
        (2, -4, 8, 8),
        (74, -6, 98, 60),
        (76, -9, 95, 60),
        (70, -13, 90, 60),
        (14, 30, 100, 15, 10),
        view=(0, 10, -70),
        forearm=(0, 5),
    ),
    # Index and middle finger together, pointing sideways, the others folded under the thumb.
    "H": LetterPose(
        (3, -6, 4, 8),
        (4, -2, 6, 6),
        (74, -12, 96, 55),
        (74, -16, 92, 58),
        (10, 38, 96, 34, 37),
        view=(0, 8, -70),
        forearm=(0, 5),
    ),
    # A fist with the little finger up.
    "I": LetterPose(
        (73, -2, 100, 60),
        (77, -4, 98, 64),
        (78, -8, 96, 60),
        (-8, -14, 4, 6),
        (32, 43, 81, 36, 52),
        view=(-4, 20, 8),
    ),
    # As I, about to draw the hook: the little finger leans to the viewer.
    "J": LetterPose(
        (73, -2, 100, 60),
        (77, -4, 98, 64),
        (78, -8, 96, 60),
        (4, -14, 6, 6),
        (32, 43, 81, 36, 52),
        view=(-25, 28, 12),
    ),
    # Index finger up, middle finger leaning to the viewer, the thumb's tip between them.
    "K": LetterPose(
        (6, 12, 4, 8),
        (38, -8, 12, 5),
        (85, -12, 95, 45),
        (84, -16, 90, 50),
        (4, 24, 115, 20, 13),
        view=(5, -8, 4),
    ),
    # Index finger up and thumb out make a right angle.
    "L": LetterPose(
        (-8, 0, 6, 8),
        (74, -6, 98, 62),
        (76, -9, 94, 60),
        (68, -13, 90, 60),
        (52, 8, 90, 0, -5),
        view=(-8, 18, 5),
    ),
    # Three fingers folded over the thumb.
    "M": LetterPose(
        (62, 2, 84, 44), (65, -3, 84, 45), (63, -8, 81, 45), (76, -16, 90, 60), (20, 20, 90, 56, 42), view=(-5, 4, 5)
    ),
    # Two fingers folded over the thumb.
    "N": LetterPose(
        (46, 6, 84, 44), (48, -2, 84, 45), (87, -10, 92, 60), (84, -14, 88, 60), (20, 22, 94, 36, 38), view=(-5, 4, 5)
    ),
    # All fingertips meet the thumb's, seen from the side.
    "O": LetterPose(
        (52, 2, 57, 34),
        (51, 0, 54, 34),
        (55, -4, 53, 34),
        (55, -10, 48, 32),
        (31, 50, 75, 32, 30),
        view=(-40, 8, 8),
    ),
    # K turned down: the index finger level, the middle finger down, the thumb between.
    "P": LetterPose(
        (6, -4, 5, 6),
        (75, -6, 20, 8),
        (88, -14, 95, 38),
        (88, -18, 90, 46),
        (4, 24, 115, 20, 13),
        view=(38, -8, -30),
        forearm=(30, -6),
    ),
    # G turned down: index finger and thumb point to the ground.
    "Q": LetterPose(
        (30, -4, 12, 8),
        (78, -10, 105, 55),
        (80, -12, 100, 55),
        (75, -14, 92, 60),
        (14, 36, 85, 12, 10),
        view=(110, 10, -137),
        forearm=(10, 0),
    ),
    # Index and middle finger crossed, the index finger in front.
    "R": LetterPose((18, -16, 3, 6), (2, 8, 14, 8), (62, -16, 100, 44), (65, -20, 92, 52), (2, 33, 108, 20, 30)),
    # A fist with the thumb across the fingers.
    "S": LetterPose(
        (70, 0, 101, 62),
        (74, -3, 99, 67),
        (74, -6, 95, 64),
        (67, -12, 92, 66),
        (32, 40, 80, 42, 53),
        view=(-8, 14, 5),
    ),
    # A fist with the thumb's tip between index and middle finger.
    "T": LetterPose((48, 13, 102, 43), (78, -8, 98, 60), (81, -8, 94, 60), (78, -12, 90, 60), (20, 22, 112, 40, 0)),
    # Index and middle finger up and together.
    "U": LetterPose(
        (2, -3, 4, 6),
        (3, -2, 5, 5),
        (56, -16, 100, 38),
        (60, -20, 92, 44),
        (4, 32, 107, 27, 36),
        view=(-4, 10, 2),
    ),
    # Index and middle finger up and spread.
    "V": LetterPose(
        (-2, 15, 3, 6),
        (0, -13, 6, 5),
        (54, -16, 102, 34),
        (56, -22, 95, 42),
        (10, 34, 95, 42, 45),
        view=(0, 9, 2),
    ),
    # Three fingers up and spread, the thumb holds the little finger.
    "W": LetterPose(
        (-2, 12, 3, 6),
        (0, 0, 5, 5),
        (4, -14, 6, 6),
        (52, -20, 100, 30),
        (6, 36, 98, 36, 38),
        view=(8, 14, 3),
    ),
    # The index finger up and hooked, the others folded.
    "X": LetterPose(
        (2, -3, 65, 42),
        (73, -8, 99, 60),
        (78, -10, 96, 60),
        (74, -14, 92, 60),
        (21, 35, 87, 27, 46),
        view=(-35, 18, 0),
    ),
    # Thumb and little finger spread, the others folded.
    "Y": LetterPose(
        (76, 0, 100, 55),
        (78, -5, 96, 58),
        (76, -10, 90, 52),
        (-5, -24, 6, 8),
        (46, 4, 90, 0, -5),
        view=(-3, 16, -4),
    ),
    # The index finger points, about to draw the zigzag.
    "Z": LetterPose(
        (8, 0, 8, 8),
        (72, -6, 97, 62),
        (76, -9, 94, 60),
        (70, -13, 90, 60),
        (21, 37, 87, 28, 42),
        view=(-15, 26, 2),
    ),
}
"""The pose of each letter; J and Z, which are movements, as they start."""
