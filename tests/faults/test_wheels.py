"""Wheels without pip: from the index that pip is told to use, by their hash; no network is called so."""

from __future__ import annotations

import hashlib
import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlpipe import package_index
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import DataError, NlpipeError
from nlpipe.nn.pretrained import find_model
from nlpipe.wheels import fetch_wheel

CONTENT = b"PK of a wheel"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(params=["json", "html"])
def index(request: pytest.FixtureRequest) -> Iterator[str]:
    """An index with one project, as JSON or as HTML."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/simple/my-data/" and request.param == "json":
                files = [{"url": "/files/my_data-1.0-py3-none-any.whl", "hashes": {"sha256": SHA256}}]
                kind, body = "application/vnd.pypi.simple.v1+json", json.dumps({"files": files}).encode()
            elif self.path == "/simple/my-data/":
                link = f'<a href="../../files/my_data-1.0-py3-none-any.whl#sha256={SHA256}">my_data</a>'
                kind, body = "text/html", f"<a href='x#sha256=0'>x</a> {link}".encode()
            elif self.path.startswith("/files/my_data-1.0"):
                kind, body = "application/zip", CONTENT
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()


@pytest.fixture(autouse=True)
def no_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No pip, no settings of this machine, and an empty cache."""
    failed = subprocess.CompletedProcess([], 1, "", "/usr/bin/python: No module named pip")
    monkeypatch.setattr("nlpipe.wheels.subprocess.run", lambda *arguments, **options: failed)
    monkeypatch.setenv("NLPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.delenv(name, raising=False)


def test_a_wheel_is_fetched_without_pip(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index)
    assert fetch_wheel("My_Data==1.0", SHA256).read_bytes() == CONTENT
    with pytest.raises(DataError, match="has no file of my-data with this sha256"):
        fetch_wheel("My_Data==1.0", "0" * 64)
    with pytest.raises(DataError, match="answers 404"):
        fetch_wheel("other==1.0", "0" * 64)


def test_the_index_of_pips_settings_is_used(index: str, tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text(
        f"[global]\nindex-url = {index}\nextra-index-url =\n    http://127.0.0.1:9/more\n"
    )
    assert package_index.indexes() == [index, "http://127.0.0.1:9/more"]
    assert fetch_wheel("my.data==1.0", SHA256).read_bytes() == CONTENT


def test_no_network_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://name:secret@127.0.0.1:9/simple")
    with pytest.raises(DataError, match=r"no network, or http://127\.0\.0\.1:9/simple cannot be reached"):
        fetch_wheel("my-data==1.0", SHA256)
    said = "WARNING: NewConnectionError\nERROR: No matching distribution found for my-data==1.0"
    failed = subprocess.CompletedProcess([], 1, "", said)
    monkeypatch.setattr("nlpipe.wheels.subprocess.run", lambda *arguments, **options: failed)
    with pytest.raises(DataError, match="no network, or the package index cannot be reached"):
        fetch_wheel("my-data==1.0", SHA256)


def test_a_hub_that_cannot_be_reached_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")

    def unreachable(*arguments: Any, **options: Any) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(NlpipeError, match="no network, or the hub cannot be reached: refused"):
        find_model("owner/model", None)
    monkeypatch.setattr("datasets.load_dataset", unreachable)
    source = {"kind": "hub", "path": "owner/data", "revision": "0" * 40, "train": "train"}
    with pytest.raises(NlpipeError, match="no network, or the hub cannot be reached: refused"):
        load_dataset({"task": "classification", "source": source})
