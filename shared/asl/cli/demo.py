"""`asl demo-data`: a small data set of rendered hands, to try every step without a photograph of anybody."""

from pathlib import Path

from asl.cli import console
from asl.core.hand import LETTERS
from asl.core.images import encode_jpeg
from asl.core.synthetic.renderer import render_hand
from asl.errors import Conflict, OptionsInvalid


def demo_data(*, output_dir: Path, signers: int = 4, per_letter: int = 6, seed: int = 42) -> None:
    """Render a small data set of hands that are nobody's, into folders SIGNER/LETTER/.

    Example: `asl demo-data --output-dir data/demo`

    J and Z are movements; their pictures show how they start.

    Args:
        output_dir: Folder to make.
        signers: How many signers, each with bones and skin of their own; every second one is left-handed.
        per_letter: How many pictures of each letter and signer.
        seed: Random seed.
    """
    if signers < 1 or per_letter < 1:
        raise OptionsInvalid(f"expected at least 1 signer and 1 picture, found {signers} and {per_letter}")
    if output_dir.exists() and any(output_dir.iterdir()):
        raise Conflict(f"{output_dir} is not empty", hint="Choose another --output-dir, or empty it first.")
    with console.progress() as bar:
        for index in bar.track(range(signers * len(LETTERS) * per_letter), description="pictures"):
            signer, letter, number = _place(index, per_letter)
            hand = render_hand(
                letter,
                seed=seed * 1_000_003 + index,
                signer=seed * 1_009 + signer,
                handedness="left" if signer % 2 else "right",
            )
            path = output_dir / f"signer{signer + 1}" / letter / f"{number + 1:03}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_jpeg(hand.image))
    features = output_dir.with_name(f"{output_dir.name}.npz")
    console.print_made(output_dir, "asl", "prepare-dataset", "--input-dir", output_dir, "--output-file", features)


def _place(index: int, per_letter: int) -> tuple[int, str, int]:
    signer, rest = divmod(index, len(LETTERS) * per_letter)
    letter, number = divmod(rest, per_letter)
    return signer, LETTERS[letter], number
