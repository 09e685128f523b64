"""How well films of spelling hands are read: J and Z, held letters, words; rendered, and found by MediaPipe.

Run: python tests/bench/bench_words.py [--set report] [--words 200] [--fps 15] [--cache FOLDER]

Each film is another signer: bones, habits, skin, light, room, speed (1.6 to 4.2 letters a second), one in three
left-handed. The set `choose` has other signers and other words than `report`; settings are chosen on it alone. Of the
words 85 % are drawn from the list that suggestions come from, common ones more often, and the others are names and
made-up words that it lacks. With `--cache` each film's landmarks are kept in a folder: what was broken off goes on.
The character error rate is the edit distance to the word over its letters, summed over all words.
"""

import argparse
import pickle
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asl.contracts import SequenceRecognition
from asl.core import landmarker
from asl.core.classifier import Classifier, load_classifier
from asl.core.hand import LETTERS, MOTION_LETTERS, Hand
from asl.core.lexicon import Lexicon, default_lexicon
from asl.core.sequence import SequenceModels, TimedHand, load_sequence_models, read_sequence
from asl.core.synthetic.films import FilmMaker
from asl.core.synthetic.spelling import Speller
from asl.core.synthetic.timeline import Spelling
from asl.core.tracking import HandTracker

SEEDS = {"choose": 10_000, "report": 20_000}
SIZE = (480, 360)
LISTED_SHARE = 0.85
NAMES = {
    "choose": "ZAHRA KOWALSKI JOAQUIN NGUYEN PRIYA XAVI OKAFOR BJORK FATIMA HUANG",
    "report": "WOJCIK YUSUF QUENTIN AISHA MWANGI IVANOVA ZIYAD JAGODA TAKUMI KEISHA LARSSON EZRA JUNKO VIKRAM SIOBHAN",
}
STROKES_EACH = {"choose": 12, "report": 40}
HOLDS_EACH = {"choose": 1, "report": 4}
HOLD_S = 1.5


@dataclass
class Film:
    """What MediaPipe found in one film."""

    kind: str
    text: str
    hands: list[TimedHand] = field(default_factory=list)
    frame_ms: float = 0.0


def main() -> None:
    options = _options()
    films = _films(options)
    classifier, models = load_classifier(), load_sequence_models()
    answers = [(film, read_sequence(models, classifier, film.hands)) for film in films]
    n_frames = sum(len(film.hands) for film in films)
    found = sum(timed.hand is not None for film in films for timed in film.hands) / n_frames
    print(f"{options.set}: {len(films)} films, {n_frames} frames, a hand found in {found:.1%}; {classifier.version}")
    _tell_strokes([pair for pair in answers if pair[0].kind == "stroke"])
    _tell_holds([pair for pair in answers if pair[0].kind == "hold"])
    words = [pair for pair in answers if pair[0].kind == "word"]
    if words:
        _tell_words(words, models.lexicon, verbose=options.verbose)
    _tell_cost(films, classifier, models)


def _films(options: argparse.Namespace) -> list[Film]:
    films: list[Film] = []
    with HandTracker(landmarker.ensure()) as tracker:
        for n, (kind, text) in enumerate(_plan(options)):
            kept = options.cache / f"{options.set}-{options.fps:g}-{n}-{text}.pkl" if options.cache else None
            if kept and kept.exists():
                films.append(pickle.loads(kept.read_bytes()))  # noqa: S301 - our own file
                continue
            films.append(_film(kind, text, SEEDS[options.set] + n, options.fps, tracker))
            if kept:
                kept.write_bytes(pickle.dumps(films[-1]))
    return films


def _plan(options: argparse.Namespace) -> list[tuple[str, str]]:
    plan = [("stroke", letter) for letter in sorted(MOTION_LETTERS) for _ in range(STROKES_EACH[options.set])]
    plan += [
        ("hold", letter) for letter in LETTERS if letter not in MOTION_LETTERS for _ in range(HOLDS_EACH[options.set])
    ]
    return plan + [("word", word) for word in choose_words(options.words, options.set, default_lexicon())]


def choose_words(n: int, name: str, lexicon: Lexicon) -> list[str]:
    """Draw a set's words; no word is in two sets."""
    rng = np.random.default_rng(SEEDS[name])
    of_set = [word for word in lexicon.words() if len(word) > 2 and (sum(word.encode()) % 5 == 0) == (name == "choose")]
    share = 1.0 / (np.arange(len(of_set)) + 200.0)
    listed = rng.choice(of_set, round(n * LISTED_SHARE), replace=False, p=share / share.sum())
    names = [word for word in NAMES[name].split() if word not in lexicon]
    made_up = []
    while len(listed) + len(names) + len(made_up) < n:
        pairs = rng.choice(list("BCDFGHJKLMNPRSTVWXYZ"), 3), rng.choice(list("AEIOU"), 3)
        made_up.append("".join(first + second for first, second in zip(*pairs, strict=True)))
    return [*map(str, listed), *names, *made_up][:n]


def _film(kind: str, text: str, seed: int, fps: float, tracker: HandTracker) -> Film:
    rng = np.random.default_rng(seed)
    speller, maker, film = Speller(rng), FilmMaker(rng, SIZE), Film(kind, text)
    spelling: Spelling = speller.hold(text, HOLD_S, fps) if kind == "hold" else speller.spell(text, fps)
    tracker.forget()
    began_s, start_ms = time.perf_counter(), int(time.monotonic() * 1000)
    for image, time_s in zip(maker.render(spelling), spelling.times_s, strict=True):
        hands = tracker.track(image, start_ms + int(time_s * 1000))
        film.hands.append(TimedHand(time_s * 1000, hands[0] if hands else None))
    film.frame_ms = (time.perf_counter() - began_s) * 1000 / max(1, len(film.hands))
    return film


def _tell_strokes(answers: Sequence[tuple[Film, SequenceRecognition]]) -> None:
    for letter in sorted(MOTION_LETTERS):
        texts = [answer.text for film, answer in answers if film.text == letter]
        letters = [answer.letter for film, answer in answers if film.text == letter]
        if texts:
            others = sorted({text for text in texts if text != letter})
            alone = np.mean([text == letter for text in texts])
            share = np.mean([found == letter for found in letters])
            print(f"{letter}: read {share:.3f} of {len(texts)}, nothing beside {alone:.3f} {others}")


def _tell_holds(answers: Sequence[tuple[Film, SequenceRecognition]]) -> None:
    if answers:
        false = [film.text for film, answer in answers if set(answer.text) & MOTION_LETTERS]
        right = np.mean([answer.text == film.text for film, answer in answers])
        wrong = [f"{film.text}:{answer.text}" for film, answer in answers if answer.text != film.text]
        print(
            f"held: J or Z read in {len(false) / len(answers):.3f} of {len(answers)} {false}; right {right:.3f} {wrong}"
        )


def _tell_words(answers: Sequence[tuple[Film, SequenceRecognition]], lexicon: Lexicon, *, verbose: bool) -> None:
    print("| words | n | CER as spelled | with suggestions | right as spelled | with suggestions | in the first 3 |")
    print("|---|---|---|---|---|---|---|")
    listed = [pair for pair in answers if pair[0].text in lexicon]
    unlisted = [pair for pair in answers if pair[0].text not in lexicon]
    for name, part in (("all", answers), ("in the list", listed), ("not in the list", unlisted)):
        if part:
            print(f"| {name} | {len(part)} | {_row(part)} |")
    if verbose:
        for film, answer in answers:
            if answer.text != film.text or best_of(answer) != film.text:
                told = [(entry.word, entry.confidence) for entry in answer.suggestions]
                print(f"{film.text}: {answer.text} -> {best_of(answer)} {told}")


def _row(part: Sequence[tuple[Film, SequenceRecognition]]) -> str:
    n_letters = sum(len(film.text) for film, _ in part)
    spelled = sum(edits(film.text, answer.text) for film, answer in part) / n_letters
    suggested = sum(edits(film.text, best_of(answer)) for film, answer in part) / n_letters
    right = np.mean([film.text == answer.text for film, answer in part])
    mended = np.mean([film.text == best_of(answer) for film, answer in part])
    known = [film.text in {answer.text, *(entry.word for entry in answer.suggestions)} for film, answer in part]
    return f"{spelled:.3f} | {suggested:.3f} | {right:.3f} | {mended:.3f} | {np.mean(known):.3f}"


def best_of(answer: SequenceRecognition) -> str:
    """The first suggestion where it is likelier than what was spelled as it stands, which has the rest of 1."""
    if not answer.suggestions:
        return answer.text
    rest = 1 - sum(entry.confidence for entry in answer.suggestions)
    return answer.suggestions[0].word if answer.suggestions[0].confidence > rest else answer.text


def edits(first: str, second: str) -> int:
    """Count the letters to change, leave out or put in (Levenshtein 1966)."""
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(second, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (letter != other))
    return row[-1]


def _tell_cost(films: Sequence[Film], classifier: Classifier, models: SequenceModels) -> None:
    longest = max(films, key=lambda film: len(film.hands))
    hands: list[Hand] = [timed.hand for timed in longest.hands if timed.hand is not None]
    whole, alone = [], []
    for _ in range(20):
        began_s = time.perf_counter()
        read_sequence(models, classifier, longest.hands)
        middle_s = time.perf_counter()
        classifier.classify(hands)
        alone.append(time.perf_counter() - middle_s)
        whole.append(middle_s - began_s)
    cost_ms, classifier_ms = min(whole) * 1000, min(alone) * 1000
    n, frame_ms = len(longest.hands), np.mean([film.frame_ms for film in films])
    print(f"reading {n} frames ({longest.text}): {cost_ms:.1f} ms, of which the classifier {classifier_ms:.1f} ms")
    print(f"rendering and landmarks: {frame_ms:.0f} ms a frame")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--set", choices=SEEDS, default="report")
    parser.add_argument("--words", type=int, default=200)
    parser.add_argument("--fps", type=float, default=15.0)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
