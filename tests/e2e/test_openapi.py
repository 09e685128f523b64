"""The gateway against its own OpenAPI document: nothing it answers is a surprise, and nothing given to it is told."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from gateways import bearer
from PIL import Image
from platforms import OneMachine
from registered import add_model

from asl.contracts import JobError, Queue
from asl.core.recognition import starter_path
from asl.infra import jobs, keys
from asl.pipelines.files import sha256_of

CONFIG = Path(__file__).with_name("openapi_checks.toml")
IS_LONG = os.environ.get("ASL_CHAOS") == "long"
LIMIT_S = 1500 if IS_LONG else 200


class World:
    """A gateway that asks for keys, and one of everything for it to show."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.report_path = folder, folder / "report.txt"
        self.platform = OneMachine(folder, ASL_REQUIRE_KEY="true", ASL_MAX_UNFINISHED_JOBS="100000")
        self.things: dict[str, list[str]] = {}

    def __enter__(self):
        try:
            self.platform.start_gateway()
            self.secret, _ = keys.create(self.platform.database, name="all")
            with self.platform.client(headers=bearer(self.secret)) as client:
                self.document = client.get("/openapi.json").json()
                self._add_photographs(client)
                self._play_jobs(client)
            self._add_models()
        except BaseException:
            self.platform.close()
            raise
        return self

    def __exit__(self, *_):
        self.platform.close()

    def schemathesis(self, *options):
        """Run it; returns its exit status."""
        shutil.copy(CONFIG, self.folder)
        for name, values in self.things.items():
            (self.folder / f"{name}.txt").write_text("\n".join(map(json.dumps, values)))
        url = self.platform.url
        command = [Path(sys.executable).with_name("schemathesis"), "--config-file", CONFIG.name, "run"]
        command += [f"{url}/openapi.json", "--url", url, "--checks", "all", *options]
        environment = os.environ | {"ASL_API_KEY": self.secret, "COLUMNS": "120"}
        with self.report_path.open("w") as report:
            ran = subprocess.run(
                command, cwd=self.folder, env=environment, stdout=report, stderr=report, check=False, timeout=LIMIT_S
            )
        return ran.returncode

    def _add_photographs(self, client):
        made = client.post("/api/v1/datasets", json={"name": "letters"})
        dataset = made.raise_for_status().json()["id"]
        samples = []
        for label, colour in (("A", "teal"), ("B", "navy")):
            sample = client.post(
                f"/api/v1/datasets/{dataset}/samples",
                files={"file": ("a.png", _picture(colour))},
                data={"label": label},
            )
            samples.append(sample.raise_for_status().json()["id"])
        client.post(f"/api/v1/datasets/{dataset}/versions").raise_for_status()
        self.things |= {"dataset": [dataset, "letters"], "sample": samples}

    def _play_jobs(self, client):
        """Have one job in each of most states, the first with an artifact."""
        ids = [
            client.post("/api/v1/jobs", json={"kind": "probe"}).raise_for_status().json()["id"] for _ in range(4)
        ]
        stored = self.platform.storage.put_bytes(f"jobs/{ids[0]}/1/report", b"0123456789")
        file = jobs.NewArtifact("report.txt", stored.key, stored.sha256, stored.size_bytes, "text/plain")
        with self.platform.database.transaction() as session:
            held = [jobs.claim(session, [Queue.CPU], "w", 3600.0) for _ in range(3)]
            assert jobs.succeed(session, held[0], {}, [file])
            assert jobs.fail(session, held[1], JobError(code="crashed", message="it crashed"), retry=False)
        self.things |= {"job_id": ids, "name": ["report.txt"]}

    def _add_models(self):
        stored = self.platform.storage.put("models/starter.pt", starter_path(), sha256=sha256_of(starter_path()))
        with self.platform.database.transaction() as session:
            models = [
                add_model(session, stored=(stored.key, stored.sha256, stored.size_bytes), version=f"starter-{n}")
                for n in range(2)
            ]
            self.things["model"] = [models[0].id, "2"]


def _picture(colour):
    file = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(file, "PNG")
    return file.getvalue()
