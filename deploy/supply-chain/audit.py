"""Asks whether any package of the images has a known vulnerability (`make audit`); red where nobody could tell.

Status 0: each was looked up, and none has one. 1: some have. 2: some could not be looked up, which is no good news.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import locks

_PIP_AUDIT: Final = (sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off")
# The locks are complete: nothing is resolved, and nothing is downloaded.
_OPTIONS: Final = ("--require-hashes", "--disable-pip")
_HINT: Final = (
    "Run it where https://pypi.org and https://api.osv.dev answer, or name a mirror of OSV's API:"
    " python deploy/supply-chain/audit.py --osv-url URL"
)
VULNERABLE: Final = 1
NOT_AUDITED: Final = 2

Findings = dict[tuple[str, str], list[str]]
"""By name and version: the identifiers of what is known, none where it was looked up and nothing is."""


def audit(files: Sequence[Path], osv_url: str | None = None) -> tuple[Findings, list[str]]:
    """Look every package of the locks up: at PyPI, and what is not found out there at OSV.

    Args:
        files: Locks with hashes.
        osv_url: Where OSV's API is mirrored; only that is asked then.

    Returns:
        What was found out, and the packages of which nothing was.
    """
    pinned = {(package.name, package.version) for file in files for package in locks.read(file)}
    findings: Findings = {}
    services = (("osv", "--osv-url", osv_url),) if osv_url else (("pypi",), ("osv",))
    for service in services:
        if pinned - findings.keys():
            findings |= _ask(files, service)
    unknown = sorted(f"{name} {version}" for name, version in pinned - findings.keys())
    return {package: found for package, found in findings.items() if package in pinned}, unknown


def read(report: str) -> Findings:
    """Read pip-audit's report; it calls packages that it could not look up skipped, and ends well all the same."""
    return {
        (locks.normal(found["name"]), found["version"]): [vulnerability["id"] for vulnerability in found["vulns"]]
        for found in json.loads(report)["dependencies"]
        if "skip_reason" not in found
    }


def main() -> None:
    """Print what was found, and end with it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("locks", nargs="*", type=Path, default=sorted(locks.FOLDER.glob("*.lock")))
    parser.add_argument("--osv-url", help="a mirror of OSV's API; only that is asked then")
    options = parser.parse_args()
    findings, unknown = audit(options.locks, options.osv_url)
    vulnerable = {package: found for package, found in findings.items() if found}
    for (name, version), found in sorted(vulnerable.items()):
        sys.stdout.write(f"VULNERABLE: {name} {version}: {', '.join(found)}\n")
    if unknown:
        sys.stdout.write(f"NOT AUDITED: {len(unknown)} of {len(findings) + len(unknown)}: {', '.join(unknown)}\n")
        sys.stdout.write(f"That is no good news: nobody knows of these. {_HINT}\n")
    sys.stdout.write(f"{len(findings)} packages looked up, {len(vulnerable)} with known vulnerabilities\n")
    sys.exit(VULNERABLE if vulnerable else NOT_AUDITED if unknown else 0)


def _ask(files: Sequence[Path], service: Sequence[str]) -> Findings:
    words = [word for file in files for word in ("--requirement", file)]
    asked = subprocess.run(
        [*_PIP_AUDIT, *_OPTIONS, "--vulnerability-service", *service, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return read(asked.stdout)
    except ValueError:  # it ends at the first answer that does not come, and reports nothing
        last = asked.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        sys.stderr.write(f"{service[0]} could not be asked: {last[0][:300]}\n")
        return {}


if __name__ == "__main__":
    main()
