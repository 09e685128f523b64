"""What to do with a finger, the thumb or the whole hand, in words, to come nearer to a letter."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from asl.contracts import Change, HandPart

_NAMES: Final[Mapping[HandPart, str]] = MappingProxyType(
    {
        HandPart.THUMB: "thumb",
        HandPart.INDEX: "index finger",
        HandPart.MIDDLE: "middle finger",
        HandPart.RING: "ring finger",
        HandPart.PINKY: "little finger",
        HandPart.INDEX_AND_MIDDLE: "index and middle fingers",
        HandPart.MIDDLE_AND_RING: "middle and ring fingers",
        HandPart.RING_AND_PINKY: "ring and little fingers",
        HandPart.HAND: "hand",
    }
)
_SENTENCES: Final[Mapping[Change, str]] = MappingProxyType(
    {
        Change.STRAIGHTEN: "Straighten your {}.",
        Change.OPEN: "Open your {} a little.",
        Change.FOLD: "Fold your {} into the palm.",
        Change.CURVE: "Curve your {}.",
        Change.LIFT: "Lift your {} at the knuckle.",
        Change.LOWER: "Bend your {} forward at the knuckle.",
        Change.SPREAD: "Spread your {} apart.",
        Change.CLOSE: "Bring your {} together.",
        Change.CROSS: "Cross your {}.",
        Change.UNCROSS: "Uncross your {}.",
    }
)
_ON_FINGERS: Final = "Lay your thumb across your bent fingers."
_HOLD_DOWN: Final = "Hold your ring and little fingers down with your thumb."
_ASIDE: Final = "Stretch your thumb out to the side."
_THUMB: Final[Mapping[str, str]] = MappingProxyType(
    {
        "A": "Hold your thumb upright, beside your index finger.",
        "B": "Fold your thumb across your palm.",
        "C": "Curve your thumb, with a gap between it and your fingers.",
        "D": "Touch the tip of your middle finger with your thumb.",
        "E": "Tuck your thumb in below your fingertips.",
        "F": "Touch the tip of your index finger with your thumb.",
        "G": "Hold your thumb beside your index finger, pointing the same way.",
        "H": "Hold your bent fingers down with your thumb.",
        "I": _ON_FINGERS,
        "J": _ON_FINGERS,
        "K": "Put the tip of your thumb between your index and middle fingers.",
        "L": _ASIDE,
        "M": "Tuck your thumb under three fingers.",
        "N": "Tuck your thumb under two fingers.",
        "O": "Touch your fingertips with your thumb.",
        "P": "Put the tip of your thumb on your middle finger.",
        "Q": "Hold your thumb beside your index finger, pointing the same way.",
        "R": _HOLD_DOWN,
        "S": "Lay your thumb over your bent fingers.",
        "T": "Tuck your thumb in between your index and middle fingers.",
        "U": _HOLD_DOWN,
        "V": _HOLD_DOWN,
        "W": "Hold your little finger down with your thumb.",
        "X": _ON_FINGERS,
        "Y": _ASIDE,
        "Z": "Hold your bent fingers down with your thumb.",
    }
)
_UP: Final = "Point your hand up, its palm to the viewer."
_SIDE: Final = "Turn your hand so that the viewer sees its side."
_SIDEWAYS: Final = "Turn your hand so that your fingers point sideways."
_DOWN: Final = "Turn your hand so that your fingers point down."
_HAND: Final[Mapping[str, str]] = MappingProxyType(
    {"C": _SIDE, "O": _SIDE, "G": _SIDEWAYS, "H": _SIDEWAYS, "P": _DOWN, "Q": _DOWN}
)


def advise(letter: str, part: HandPart, change: Change) -> str:
    """Say what to do.

    Args:
        letter: Which letter is wanted, A to Z.
        part: What differs.
        change: How it is to move.
    """
    if part is HandPart.THUMB:
        return _THUMB[letter]
    if part is HandPart.HAND:
        return _HAND.get(letter, _UP)
    return _SENTENCES[change].format(_NAMES[part])
