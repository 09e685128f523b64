"""S4: whatever an image file holds, the answer is pixels or a documented error; 100,000 of them in `make chaos`."""

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import mutated_images
import pytest

IS_LONG: Final = os.environ.get("ASL_CHAOS") == "long"
N_DECODED: Final = 100_000 if IS_LONG else 4_000
N_SENT: Final = 10_000 if IS_LONG else 300
STATUSES: Final = {"image_unreadable": 422, "image_empty": 422, "image_too_large": 413, "image_type_unsupported": 415}

pytestmark = pytest.mark.timeout(1800 if IS_LONG else 900)


def test_mutated_images_are_decoded_or_refused() -> None:
    program = Path(mutated_images.__file__)
    # A process of its own: a crash would take the tests with it.
    ended = subprocess.run([sys.executable, program, "0", str(N_DECODED)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    counts = json.loads(ended.stdout)["counts"]
    assert sum(counts.values()) == N_DECODED
    # Damage that is never noticed, or always, tries nothing.
    assert all(counts[name] > N_DECODED / 100 for name in ("decoded", "image_unreadable", "image_type_unsupported"))


def test_every_original_is_read_but_the_one_of_32_bits() -> None:
    read = [mutated_images.decoded(data) for data in mutated_images.originals()]
    assert Counter(read) == {"decoded": len(read) - 1, "image_type_unsupported": 1}


def test_mutated_images_over_http_are_never_a_server_error(service: Any) -> None:
    def send(number: int) -> tuple[int, int, str]:
        answer = client.post("/api/v1/asl/recognitions", content=mutated_images.mutated(number), headers=headers)
        return number, answer.status_code, answer.json().get("code", "")

    headers = {"Content-Type": "application/octet-stream"}
    with service.client() as client, ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(send, range(N_SENT)))
    odd = [(number, status, code) for number, status, code in answers if status != STATUSES.get(code, 200)]
    assert not odd, odd[:10]
    assert {200, 415, 422} <= {status for _, status, _ in answers}
    assert service.process.poll() is None
