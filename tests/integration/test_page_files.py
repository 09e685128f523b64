"""The page's third-party files: fetched whole and unaltered, or not at all."""

import asyncio
import http.server
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fastapi import FastAPI

from services.gateway.routes import page

_PAGE = [sys.executable, "-m", "asl.cli.main", "page"]


def _page(folder, **environment):
    return subprocess.run(
        _PAGE,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "XDG_CACHE_HOME": str(folder), **environment},
    )


@pytest.fixture
def false_registry():
    """A registry that has every package, each with the same wrong content."""

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            tarball = self.path.endswith(".tgz")
            version = {"name": "preact", "version": "11.2.0", "dist": {"tarball": f"{url}/preact-11.2.0.tgz"}}
            listed = {"name": "preact", "dist-tags": {"latest": "11.2.0"}, "versions": {"11.2.0": version}}
            content = packed if tarball else json.dumps(listed).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    packed = _tarball()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield url
    server.shutdown()
    server.server_close()


def _tarball():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        content = b'{"name": "preact", "version": "11.2.0"}'
        member = tarfile.TarInfo("package/package.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


@pytest.mark.skipif(not shutil.which("npm"), reason="no npm")
def test_another_package_than_the_expected_one_is_refused(false_registry, tmp_path):
    npm = {"npm_config_registry": false_registry, "npm_config_cache": str(tmp_path / "npm")}
    done = _page(tmp_path, **npm)
    assert done.returncode == 1
    assert "preact 11.2.0 is not the expected package" in done.stderr
    assert not list(tmp_path.glob("asl-platform/*"))


@pytest.mark.skipif(not shutil.which("npm"), reason="no npm")
def test_without_a_registry_it_says_what_to_do(tmp_path):
    npm = {
        "npm_config_registry": "http://127.0.0.1:9",
        "npm_config_cache": str(tmp_path / "npm"),
        "npm_config_fetch_retries": "0",
    }
    done = _page(tmp_path, **npm)
    assert done.returncode == 1
    assert "could not fetch preact@11.2.0 with npm" in done.stderr
    assert "asl page" in done.stderr
    assert not list(tmp_path.glob("asl-platform/*"))


def test_many_processes_may_fetch_at_once(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: _page(tmp_path), range(2)))
    if done[0].returncode and not os.environ.get("CI"):
        pytest.skip(f"no registry: {done[0].stderr}")
    assert [process.returncode for process in done] == [0, 0], done[0].stderr
    (made,) = tmp_path.glob("asl-platform/*")
    assert {process.stdout.strip() for process in done} == {str(made)}
    assert {path.suffix for path in (made / "vendor").rglob("*.*")} >= {".mjs", ".css", ".wasm", ".js"}
    assert len(list((made / "samples").glob("?.jpg"))) == 26
    assert [entry["letter"] for entry in json.loads((made / "samples" / "index.json").read_text())] == [
        *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    ]


def test_without_the_fetched_files_the_page_says_how_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    app = FastAPI()
    app.include_router(page.router)
    page.install(app)

    async def look():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            return [await client.get(path) for path in ("/", "/page/style/base.css", "/page/vendor/preact.mjs")]

    hint, own, fetched = asyncio.run(look())
    assert (hint.status_code, "asl page" in hint.text) == (200, True)
    assert (own.status_code, fetched.status_code) == (200, 404)
