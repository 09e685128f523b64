"""The page in headless Chromium: bytes of the first load, time to the first letter, frames a second.

python tests/bench/bench_page.py
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))
from browsers import Visit, running, write_film
from server_process import free_port

_MEASURE_S = 10


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        film = write_film(Path(folder) / "film.mjpeg", "LVAY")
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", "--factory", "services.gateway.app:create_app"]
        with (Path(folder) / "server.log").open("w") as log:
            served = subprocess.Popen([*command, "--port", str(port)], env=_environment(folder), stdout=log, stderr=log)
        try:
            _wait(f"http://127.0.0.1:{port}")
            with running(film) as browser:
                _measure(browser, f"http://127.0.0.1:{port}")
        finally:
            served.terminate()
            served.wait()


def _measure(browser, url):
    with Visit(browser, url, permissions=["camera"]) as visit:
        visit.page.wait_for_load_state("networkidle")
        pictures = sum(size for address, size in visit.sizes.items() if "/samples/" in address)
        print(f"first load       {sum(visit.sizes.values()) / 1000:.0f} kB, {pictures / 1000:.0f} kB of them pictures")
        started = time.perf_counter()
        visit.page.get_by_role("button", name="Start the camera").click()
        visit.page.wait_for_selector(".letter:not(.unsure)", timeout=60_000)
        print(f"first letter     {time.perf_counter() - started:.1f} s after the button")
        visit.page.wait_for_timeout(1000 * _MEASURE_S)
        print("while live       " + visit.page.locator(".figures").inner_text().replace("\n", " "))


def _environment(folder):
    return os.environ | {"ASL_HOME": folder, "ASL_RECOGNITION_THREADS": "1"}


def _wait(url):
    for _ in range(600):
        try:
            httpx.get(f"{url}/healthz", trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(url)


if __name__ == "__main__":
    main()
