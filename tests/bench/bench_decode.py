"""What a photograph of 12 megapixels costs beside one of 640 x 480, decoded and searched for a hand, and what changes.

Run: python tests/bench/bench_decode.py [--photos 40]

Photographs of phones are made from those at hand: enlarged to fit 4000 x 3000, with noise, as JPEG of quality 90. Each
is decoded whole and at a half, a quarter and an eighth; variants take turns on the same photograph, in changing order.
Letters and landmarks are compared with those of the photograph as it was before it was enlarged.
"""

import argparse
import random
import statistics
import time
from collections import defaultdict

import cv2
import numpy as np
from bench_recognition import load_photographs

from asl.core import images, landmarker
from asl.core.classifier import load_classifier
from asl.core.extraction import HandExtractor
from asl.core.hand import Hand
from asl.core.images import RgbImage

PHONE_SIZE = (4000, 3000)
SMALL = 640 / 4000
NOISE = 4
PARTS = {"12 MP, whole": 0, "12 MP, a half": 16, "12 MP, a quarter": 32, "12 MP, an eighth": 64}
ITSELF, ORDINARY, OURS = "as it was", "640 x 480", "12 MP, images.decode"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int, default=40)
    n_photos = parser.parse_args().photos
    classifier, rng = load_classifier(), np.random.default_rng(0)
    seconds, hands = defaultdict(list), defaultdict(list)
    sizes = []
    with HandExtractor(landmarker.ensure()) as extractor:
        for photograph in load_photographs(n_photos):
            large, small = make_files(images.decode(photograph), rng)
            sizes.append(len(large))
            turns = [(ITSELF, photograph), (ORDINARY, small), (OURS, large), *((name, large) for name in PARTS)]
            for name, data in random.sample(turns, len(turns)):
                started = time.perf_counter()
                image = decode(name, data)
                decoded = time.perf_counter()
                found = extractor.extract(image)
                seconds[name].append((decoded - started, time.perf_counter() - decoded))
                hands[name].append(found[0] if found else None)
    print(f"{len(sizes)} photographs; files of 12 MP have {statistics.median(sizes) / 1e6:.1f} MB at the median")
    print(
        f"{'':22}{'decode':>9}{'both, p50':>11}{'ratio':>7}{'found':>7}{'same letter':>13}{'landmarks differ, p95':>23}"
    )
    floor = statistics.median(map(sum, seconds[ORDINARY]))
    for name, values in seconds.items():
        both = statistics.median(map(sum, values))
        decode_ms = statistics.median(value[0] for value in values) * 1000
        print(f"{name:22}{decode_ms:6.1f} ms{both * 1000:8.1f} ms{both / floor:7.2f}", end="")
        n_found = sum(hand is not None for hand in hands[name])
        same, differs = compare(hands[name], hands[ITSELF], classifier.classify)
        print(f"{n_found:7}{same:13.1%}{differs:20.2%} of the hand")


def make_files(image: RgbImage, rng: np.random.Generator) -> tuple[bytes, bytes]:
    """Return a phone's photograph and a small one of the same scene."""
    height, width = image.shape[:2]
    factor = min(PHONE_SIZE[0] / width, PHONE_SIZE[1] / height)
    large = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    noise = rng.normal(0, NOISE, (*large.shape[:2], 1)).astype(np.float32)
    large = np.clip(large + noise, 0, 255).astype(np.uint8)
    return encode(large), encode(cv2.resize(large, None, fx=SMALL, fy=SMALL, interpolation=cv2.INTER_AREA))


def encode(image: RgbImage) -> bytes:
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def decode(name: str, data: bytes) -> RgbImage:
    if name in PARTS:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | PARTS[name])
    return images.decode(data)


def compare(hands: list[Hand | None], others: list[Hand | None], classify) -> tuple[float, float]:
    """Return the share of equal letters (no hand is one too), and how far landmarks lie apart at p95."""
    letters = [[None if hand is None else int(classify([hand])[0].argmax()) for hand in row] for row in (hands, others)]
    same = statistics.fmean(one == other for one, other in zip(*letters, strict=True))
    pairs = [(one, other) for one, other in zip(hands, others, strict=True) if one and other]
    differs = [np.linalg.norm(pixels(one, other) - pixels(other, other), axis=1) / size(other) for one, other in pairs]
    return same, float(np.percentile(differs, 95))


def pixels(hand: Hand, picture: Hand) -> np.ndarray:
    return hand.landmarks[:, :2] * picture.image_size


def size(hand: Hand) -> float:
    return float(np.ptp(pixels(hand, hand), axis=0).max())


if __name__ == "__main__":
    main()
