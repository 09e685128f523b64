"""The words that a spelling may have meant: a list of words, each compared with what the letters were, not only read.

A word's score is the logarithm of how likely its letters are where they were spelled, with letters that were missed or
came too many, and of how common the word is. What was spelled as it stands is no less an answer: it may be a name.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asl.core.hand import LETTERS
from asl.core.words import SpelledLetter

_EXTRA: Final = 4.5
"""What a letter costs that was spelled and is not in the word."""
_MISSED: Final = 4.0
"""What a letter costs that is in the word and was not spelled,"""
_MISSED_REPEAT: Final = 1.0
"""where it repeats the one before it,"""
_TO_COME: Final = 0.7
"""and where it is still to come."""
_LEAST: Final = 0.004
_COMMON: Final = 0.5
"""How much it counts that a word is common: of the logarithm of its place in the list."""
_UNLISTED: Final = 5.0
_UNLISTED_LETTER: Final = 1.0
"""What a word that is not in the list costs, and each of its letters."""
_MOST_EXTRA, _MOST_MISSED, _MOST_TO_COME = 2, 3, 6
_SHORTEST: Final = 2
"""Letters from which on words are suggested."""
_CODES: Final = {letter: code for code, letter in enumerate(LETTERS)}


class Suggestion(NamedTuple):
    """A word that may have been meant."""

    word: str
    confidence: float
    """In [0, 1], among the words suggested and what was spelled as it stands."""


class Lexicon:
    """A list of words, the most common first; any number of threads may use one."""

    def __init__(self, words: Iterable[str]) -> None:
        """Sort them by length.

        Args:
            words: Of the letters A to Z, in either case; the most common first, each once.
        """
        self._ordered = tuple(word.upper() for word in words)
        by_length: dict[int, list[tuple[int, str]]] = {}
        for rank, word in enumerate(self._ordered):
            by_length.setdefault(len(word), []).append((rank, word))
        self._words = {length: [word for _, word in entries] for length, entries in by_length.items()}
        codes = {length: _codes(words) for length, words in self._words.items()}
        self._codes = codes
        self._missed = {length: _missed(codes[length]) for length in codes}
        self._commonness = {
            length: -_COMMON * np.log(np.array([rank for rank, _ in entries]) + 10.0)
            for length, entries in by_length.items()
        }
        self._all = frozenset(self._ordered)

    def __contains__(self, word: str) -> bool:
        """Whether a word is in the list, in whatever case."""
        return word.upper() in self._all

    def words(self) -> tuple[str, ...]:
        """Return all words in capitals, the most common first."""
        return self._ordered

    def suggest(
        self, spelled: Sequence[SpelledLetter], letters: Sequence[str], n: int = 3, *, is_open: bool = False
    ) -> tuple[Suggestion, ...]:
        """Find the words that were most likely meant.

        Args:
            spelled: The letters of one word.
            letters: What their probabilities are of, as `WordReader.letters`.
            n: How many words.
            is_open: The word may go on: words are suggested that begin so.

        Returns:
            At most `n` words, the likeliest first, and only those likelier than a hundredth. Their confidences sum to
            less than 1: the rest is for what was spelled as it stands.
        """
        places = [(code, letters.index(letter)) for letter, code in _CODES.items() if letter in letters]
        if len(spelled) < _SHORTEST or len(places) < len(_CODES):
            return ()
        order = [place for _, place in places]
        shares = np.array([entry.probabilities[order] for entry in spelled])
        evidence = np.log(shares * (1 - _LEAST) + _LEAST).astype(np.float32)
        found = self._likeliest(evidence, n + 1, is_open=is_open)
        as_spelled = evidence.max(axis=1).sum() - _UNLISTED - _UNLISTED_LETTER * len(spelled)
        scores = np.array([score for score, _ in found] + [as_spelled])
        confidences = np.exp(scores - scores.max())
        confidences /= confidences.sum()
        best = [Suggestion(word, float(share)) for (_, word), share in zip(found, confidences[:-1], strict=True)]
        return tuple(entry for entry in best[:n] if entry.confidence > 0.01)

    def _likeliest(self, evidence: NDArray[np.float32], n: int, *, is_open: bool) -> list[tuple[float, str]]:
        n_spelled, found = len(evidence), []
        longest = n_spelled + (_MOST_TO_COME if is_open else _MOST_MISSED)
        for length in range(max(1, n_spelled - _MOST_EXTRA), longest + 1):
            if length in self._codes:
                fits = _align(evidence, self._codes[length], self._missed[length], is_open=is_open)
                scores = fits + self._commonness[length]
                best = np.argpartition(-scores, min(n, len(scores)) - 1)[:n]
                found += [(float(scores[place]), self._words[length][place]) for place in best]
        return sorted(found, reverse=True)[:n]


@cache
def default_lexicon() -> Lexicon:
    """Return the words that come with the package, some 20,000, loaded once."""
    text = (resources.files("asl.assets") / "words.txt").read_text(encoding="ascii")
    return Lexicon(line for line in text.splitlines() if not line.startswith("#"))


def _codes(words: Sequence[str]) -> NDArray[np.intp]:
    """(length, n_words): the letters of words of one length."""
    return np.array([[_CODES[letter] for letter in word] for word in words], np.intp).T.copy()


def _missed(codes: NDArray[np.intp]) -> NDArray[np.float32]:
    """(length, n_words): the score of each letter where it was not spelled."""
    missed = np.full(codes.shape, -_MISSED, np.float32)
    missed[1:][codes[1:] == codes[:-1]] = -_MISSED_REPEAT
    return missed


def _align(
    evidence: NDArray[np.float32], codes: NDArray[np.intp], missed: NDArray[np.float32], *, is_open: bool
) -> NDArray[np.float32]:
    """Score all words of one length at once, each by its best alignment with what was spelled.

    Args:
        evidence: (n_spelled, 26) logarithms.
        codes: (length, n_words).
        missed: (length, n_words), see `_missed`.
        is_open: Letters at the end may be still to come.

    Returns:
        (n_words,)
    """
    length, n_words = codes.shape
    extra = np.float32(_EXTRA)
    row = np.zeros((length + 1, n_words), np.float32)
    row[1:] = np.cumsum(missed, axis=0)
    new, fits = np.empty_like(row), np.empty_like(missed)
    for letter in evidence:
        np.take(letter, codes, out=fits, mode="clip")  # several times as fast as with other modes
        fits += row[:-1]
        np.subtract(row, extra, out=new)
        np.maximum(new[1:], fits, out=new[1:])
        for place in range(length):
            np.maximum(new[place + 1], new[place] + missed[place], out=new[place + 1])
        row, new = new, row
    if not is_open:
        return np.asarray(row[-1], np.float32)
    to_come = np.float32(_TO_COME) * np.arange(length, -1, -1, dtype=np.float32)
    return np.asarray((row - to_come[:, None]).max(axis=0), np.float32)
