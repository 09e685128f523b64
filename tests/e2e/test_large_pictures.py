"""What large pictures leave behind in the gateway."""

import io
import platform
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

SIDES = (2000, 2600, 3200)  # pixels; what is still larger has memory of its own anyway
MOST_LEFT_KIB = 64 * 1024


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the switch that is tried here")
def test_large_pictures_take_their_memory_with_them(service: Any) -> None:
    with service.client() as client:

        def send(side: int) -> None:
            picture = _png(side)
            answer = client.post("/api/v1/asl/recognitions", content=picture, headers={"Content-Type": "image/png"})
            assert answer.json()["reason"] == "no_hand"

        for _ in range(4):
            send(640)
        before = _resident_kib(service)
        for side in SIDES:
            send(side)
        send(640)
        assert _resident_kib(service) - before < MOST_LEFT_KIB


def _png(side: int) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((side, side)).convert("RGB").save(file, "PNG", compress_level=1)
    return file.getvalue()


def _resident_kib(service: Any) -> int:
    lines = Path(f"/proc/{service.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
