"""Lists what each image holds, as CycloneDX 1.6 (`make sbom`).

Python's packages come out of the locks. Where the image can be started, Debian's are listed too, and what it holds of
Python's has to be what its locks say.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

import locks
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

_REPOSITORY: Final = Path(__file__).parents[2]
_LANDMARKER_WHEEL: Final = ("mediapipe", "0.10.21")
"""Out of which `asl.core.landmarker` takes the hand landmarker's two networks, by their hashes."""
_DEBIAN: Final = ("dpkg-query", "--show", "--showformat", "${binary:Package}\t${Version}\t${Architecture}\n")
_PYTHON: Final = (
    "import importlib.metadata as m, json, platform;"
    "print(json.dumps([platform.python_version(), {d.name: d.version for d in m.distributions()}]))"
)


class Image(NamedTuple):
    """An image of deploy/images."""

    reference: str
    locks: tuple[str, ...]


IMAGES: Final = {
    "gateway": Image("asl-platform/gateway", ("gateway", "torch-cpu")),
    "worker": Image("asl-platform/worker", ("worker", "torch-cpu")),
    "worker-cuda": Image("asl-platform/worker-cuda", ("worker", "torch-cuda")),
}


class Inspected(NamedTuple):
    """What a started image says of itself."""

    python: str
    packages: dict[str, str]
    debian: list[tuple[str, str, str]]
    """Name, version and architecture."""


def bill_of(name: str, inspected: Inspected | None = None, why_not: str = "not asked for") -> Bom:
    """Make the list of one image.

    Args:
        name: One of `IMAGES`.
        inspected: What the image itself says, where it could be started.
        why_not: Where it could not.

    Raises:
        ValueError: The image holds other packages than its locks.
    """
    pinned = {package.name: package for lock in IMAGES[name].locks for package in locks.read(_lock(lock))}
    components = [*(_python_package(package) for package in pinned.values()), *_models()]
    bom = Bom()
    if inspected is None:
        bom.metadata.properties.add(Property(name="asl:debian-packages", value=f"left out: {why_not}"))
    else:
        _check_same(name, inspected, {package.name: package.version for package in pinned.values()})
        components += _base_packages(inspected)
    image = Component(name=IMAGES[name].reference, type=ComponentType.CONTAINER, bom_ref=name)
    bom.metadata.component = image
    bom.components.update(components)
    bom.register_dependency(image, components)
    return bom


def as_json(bom: Bom) -> str:
    """Return a list as CycloneDX JSON."""
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1)


def inspect(reference: str) -> Inspected:
    """Ask an image what it holds; it is started twice, without a network.

    Raises:
        OSError: There is no Docker, or no such image.
    """
    python, packages = json.loads(_run(reference, "python", "-c", _PYTHON))
    debian = [tuple(line.split("\t")) for line in _run(reference, *_DEBIAN).splitlines()]
    return Inspected(python, packages, [(name, version, architecture) for name, version, architecture in debian])


def main() -> None:
    """Write a file for each image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output-dir", type=Path, default=_REPOSITORY / "build" / "sbom")
    parser.add_argument("--images", nargs="+", choices=IMAGES, default=list(IMAGES))
    options = parser.parse_args()
    options.output_dir.mkdir(parents=True, exist_ok=True)
    for name in options.images:
        inspected, why_not = None, ""
        try:
            inspected = inspect(IMAGES[name].reference)
        except OSError as error:
            why_not = str(error)
            sys.stderr.write(f"{name}: Debian's packages are left out ({why_not})\n")
        bom = bill_of(name, inspected, why_not)
        file = options.output_dir / f"{name}.cdx.json"
        file.write_text(as_json(bom), encoding="utf-8")
        sys.stdout.write(f"{file}: {len(bom.components)} components\n")


def _python_package(package: locks.Pinned) -> Component:
    """Describe a package with the hashes of all its files, of which the lock lets one be installed."""
    url = PackageURL("pypi", None, package.name, package.version)
    component = _component(package.name, package.version, url)
    component.external_references.add(
        ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(str(url)),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in package.sha256],
        )
    )
    return component


def _base_packages(inspected: Inspected) -> list[Component]:
    python = PackageURL("generic", None, "python", inspected.python)
    components = [_component("python", inspected.python, python)]
    for name, version, architecture in inspected.debian:
        url = PackageURL("deb", "debian", name.partition(":")[0], version, {"arch": architecture})
        components.append(_component(name, version, url))
    return components


def _models() -> list[Component]:
    starter = _REPOSITORY / "shared" / "asl" / "assets" / "starter.pt"
    digest = hashlib.sha256(starter.read_bytes()).hexdigest()
    wheel, version = _LANDMARKER_WHEEL
    return [
        Component(
            name="starter.pt",
            type=ComponentType.MACHINE_LEARNING_MODEL,
            bom_ref="model:starter.pt",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
        ),
        Component(
            name="hand_landmarker.task",
            version=version,
            type=ComponentType.MACHINE_LEARNING_MODEL,
            bom_ref="model:hand_landmarker.task",
            purl=PackageURL("pypi", None, wheel, version),
        ),
    ]


def _component(name: str, version: str, url: PackageURL) -> Component:
    return Component(name=name, version=version, type=ComponentType.LIBRARY, purl=url, bom_ref=url.to_string())


def _check_same(image: str, inspected: Inspected, pinned: dict[str, str]) -> None:
    """Compare without local versions: PyTorch's CPU build calls itself 2.x+cpu."""
    held = {locks.normal(name): version.partition("+")[0] for name, version in inspected.packages.items()}
    # Of the base image, whose Python these packages are not for.
    for name in ("asl-platform", *({"pip", "setuptools", "wheel"} - pinned.keys())):
        held.pop(name, None)
    if held != pinned:
        odd = sorted({*held.items()} ^ {*pinned.items()})
        raise ValueError(f"{image}: expected the packages of {IMAGES[image].locks}, found others: {odd}")


def _lock(name: str) -> Path:
    return locks.FOLDER / f"{name}.lock"


def _run(reference: str, program: str, *words: str) -> str:
    command = ["docker", "run", "--rm", "--pull", "never", "--network", "none", "--entrypoint", program, reference]
    found = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    if found.returncode:
        raise OSError(found.stderr.partition("\n")[0] or f"{program} failed")
    return found.stdout


if __name__ == "__main__":
    main()
