"""What people send to a server by mistake or out of malice, and what happens to it while it answers."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from nlpipe.heads import Ngram
from nlpipe.pipeline import Pipeline
from nlpipe.serving.application import application
from nlpipe.serving.limits import Limits
from nlpipe.serving.models import load_models
from nlpipe.tokenizers import Whitespace
from tests.unit.cli.test_cli import complaint
from tests.unit.serving import small_models

ROOT = Path(__file__).resolve().parents[2]
LIMITS = Limits(body=5_000, texts=10, length=1_000, queue=10)
SLOW = '''\
"""A tokenizer that takes its time and leaves a sign when it begins."""

import os
import time
from pathlib import Path

import nlpipe
from nlpipe.tokenizers import Regex


@nlpipe.register.tokenizer("slow")
class Slow(Regex):
    """As regex, but texts with "wait" take two seconds, and "break" breaks."""

    def forward(self, source):
        if any("wait" in text for text in source.strings):
            Path(os.environ["BEGUN"]).touch()
            time.sleep(2)
        if any("break" in text for text in source.strings):
            raise ValueError(source.strings)
        return super().forward(source)
'''
SAVE = """\
import sys
import slow_stage
from nlpipe.heads import NaiveBayes
from nlpipe.heads import Ngram
from nlpipe.pipeline import Pipeline
from nlpipe.representations import BagOfWords

texts, labels = ["a fine film", "a dull film"] * 5, ["good", "bad"] * 5
Pipeline([slow_stage.Slow(), BagOfWords(), NaiveBayes()], name="slow").fit(texts, labels).save(sys.argv[1])
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_models.save_classifier(tmp_path_factory.mktemp("served") / "reviews")


@pytest.fixture(scope="module")
def client(run: Path) -> Iterator[TestClient]:
    with TestClient(application(load_models([str(run)]), LIMITS)) as client:
        yield client


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "the request body is empty; send JSON"),
        (b" \n ", 400, "the request body is empty"),
        (b'{"text": "a', 400, "request body:10: not JSON"),
        (b'{"text": "a"} x', 400, "not JSON: Extra data"),
        (b"text=a", 400, "not JSON"),
        (b'{"text": "\xff"}', 400, "request body, byte 10: not UTF-8; send JSON in UTF-8, without compression"),
        (b"\x1f\x8b\x08\x00", 400, "not UTF-8"),
        (b'{"text": "\\ud800"}', 400, "half of a surrogate pair"),
        (b"[" * 4_900, 400, "nested too deep"),
        (b'{"text": NaN}', 400, "NaN is not a number"),
        (b'{"text": ' + b"1" * 4_500 + b"}", 422, "text: a number where a string was expected"),
        (b"[]", 422, "an array where an object was expected"),
        (b'"a"', 422, "a string where an object was expected"),
        (b"{}", 422, "expected one of 'text', a string, and 'texts', an array of strings"),
        (b'{"text": "a", "texts": ["b"]}', 422, "expected one of 'text'"),
        (b'{"text": null}', 422, "text: null where a string was expected"),
        (b'{"text": true}', 422, "text: true or false where a string was expected"),
        (b'{"text": ["a"]}', 422, "text: an array where a string was expected"),
        (b'{"texts": "a"}', 422, "texts: a string where an array of strings was expected"),
        (b'{"texts": ["a", {"b": 1}]}', 422, "texts[1]: an object where a string was expected"),
        (b'{"txt": "a"}', 422, "unknown field 'txt'; did you mean 'text'?"),
        (b'{"text": "a", "model": 1}', 422, "model: a number where a string was expected"),
        (b'{"text": "a", "threshold": "0.5"}', 422, "threshold: a string where a number from 0 to 1 was expected"),
        (b'{"text": "a", "threshold": 1.5}', 422, "threshold: 1.5 where a number from 0 to 1 was expected"),
        (b'{"text": "a", "model": "reviws"}', 404, "no model 'reviws' is served; did you mean 'reviews'?"),
        (json.dumps({"texts": ["a"] * 11}).encode(), 413, "11 texts; at most 10 are answered at a time"),
        (json.dumps({"texts": ["a", "b" * 1_001]}).encode(), 413, "text 1 has 1,001 characters; at most 1,000"),
        (b'{"text": "' + b"a" * 5_000 + b'"}', 413, "the request body has more than 5,000 bytes"),
        (b"x" * 200_000, 413, "the request body has more than 5,000 bytes"),
    ],
)
def test_malformed_requests_are_refused(client: TestClient, body: bytes, status: int, message: str) -> None:
    found = client.post("/predict", content=body)
    assert (found.status_code, message in found.json()["error"]) == (status, True), found.text
    assert client.post("/predict", json={"text": "a fine film"}).status_code == 200


def test_unknown_paths_and_methods(client: TestClient) -> None:
    found = client.get("/predict")
    assert found.status_code == 405 and found.json() == {
        "error": "no GET /predict; GET /openapi.json lists what there is"
    }
    assert client.get("/v2/models/x").status_code == client.get("/v1").status_code == 404
    assert client.post("/v2/models/x/infer", json={}).json()["error"].startswith("no model 'x' is served")


def test_a_model_that_breaks_breaks_one_request_and_the_log_quotes_nobody(
    run: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    honest = Pipeline.predict

    def breaks(self: Pipeline, inputs: Any, batch_size: int = 256) -> Any:
        if any("secret" in text for text in inputs):
            raise ValueError(f"cannot read {inputs}")
        return honest(self, inputs, batch_size)

    monkeypatch.setattr(Pipeline, "predict", breaks)
    with TestClient(application(load_models([str(run)]), LIMITS)) as client:
        found = client.post("/predict", json={"text": "a secret"})
        assert found.status_code == 500 and "'reviews' failed; the server's log has where" in found.json()["error"]
        assert client.post("/predict", json={"text": "a fine film"}).status_code == 200
    assert "ValueError" in caplog.text and "in breaks" in caplog.text and "secret" not in caplog.messages[-1]


def test_what_cannot_be_served_is_told_before_it_listens(tmp_path: Path, run: Path) -> None:
    assert "there is no saved pipeline here" in complaint("serve", tmp_path)
    assert "there is no saved pipeline here" in complaint("serve", run, f"x={tmp_path}")
    assert "is less than a request" in complaint("serve", run, "--max-queue", 5)
    assert "nowhere.invalid:8000: " in complaint("serve", run, "--host", "nowhere.invalid")
    texts = ["the cat sat", "the dog ran"] * 5
    Pipeline([Whitespace(), Ngram(order=2)], task="language_modelling").fit(texts).save(tmp_path / "lm")
    assert "serve does not answer with; use nlpipe generate" in complaint("serve", tmp_path / "lm")


def test_a_port_in_use(run: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = complaint("serve", run, "--port", port)
    assert f"127.0.0.1:{port}: Address already in use; choose another with --port" in said


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a module with a slow stage, and of a run that needs it."""
    root = tmp_path_factory.mktemp("slow")
    (root / "slow_stage.py").write_text(SLOW, encoding="utf-8")
    command = [sys.executable, "-c", SAVE, str(root / "run")]
    done = subprocess.run(command, env=environment(root), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return root


def environment(root: Path) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), str(root)])
    return {**os.environ, "PYTHONPATH": path, "BEGUN": str(root / "begun")}


@contextmanager
def server(root: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server of the slow run in a process of its own, and its port."""
    (root / "begun").unlink(missing_ok=True)
    command = [sys.executable, "-m", "nlpipe", "serve", str(root / "run"), "--port", "0", "--import", "slow_stage"]
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, *options], env=environment(root), stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline()
            found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)\n", url)
            assert found, process.communicate(timeout=20)
            yield process, int(found[1])
        finally:
            if process.poll() is None:
                process.kill()


def post(port: int, body: bytes) -> tuple[int, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("POST", "/predict", body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def get(port: int, path: str) -> Any:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())


def in_background(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    return thread, results


def wait_for(path: Path) -> None:
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_accepted_is_answered_before_the_end(slow: Path, number: signal.Signals) -> None:
    with server(slow) as (process, port):
        thread, results = in_background(lambda: post(port, b'{"text": "wait"}'))
        wait_for(slow / "begun")
        second, later = in_background(lambda: post(port, b'{"text": "a fine film"}'))
        while get(port, "/health")["models"][0]["waiting_texts"] != 1:
            time.sleep(0.005)  # until it has arrived, and waits for the first
        process.send_signal(number)
        thread.join(20)
        second.join(20)
        assert [status for status, _ in (*results, *later)] == [200, 200]
        assert later[0][1]["answer"]["predicted"] == "good"
        _, said = process.communicate(timeout=20)
        assert process.returncode == 0, said
        assert "Traceback" not in said


def test_the_loop_answers_while_a_model_works_and_the_log_is_silent_about_texts(slow: Path) -> None:
    with server(slow, "--timeout", "1") as (process, port):
        thread, results = in_background(lambda: post(port, b'{"text": "wait"}'))
        wait_for(slow / "begun")
        assert get(port, "/health")["status"] == "ok" and not results
        thread.join(20)
        assert results[0][0] == 504 and "not answered within 1 s" in results[0][1]["error"]
        time.sleep(2)  # the model is still busy with what nobody waits for
        assert post(port, b'{"text": "break of a secret"}')[0] == 500
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 0 and "ValueError" in said and "secret" not in said


def test_texts_are_logged_where_it_is_wanted(slow: Path) -> None:
    with server(slow, "--log-texts") as (process, port):
        assert post(port, b'{"text": "break of a secret"}')[0] == 500
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
        assert "slow: ['break of a secret']" in said and "ValueError: ['break of a secret']" in said


def test_large_bodies_and_clients_that_go_away(slow: Path) -> None:
    with server(slow, "--max-body", "1000", "--timeout", "0.5") as (process, port):
        for size in (2_000, 15_000, 400_000, 20_000_000):
            try:
                status, answer = post(port, b"x" * size)
            except (BrokenPipeError, ConnectionResetError):
                assert size > 16_000  # what is far too large is not read to its end
            else:
                assert status == 413 and "more than 1,000 bytes" in answer["error"]
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
        for sent in (b"", head[:20], head, head + b'{"text": '):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(sent)
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(head + b'{"text": ')
            answer = b""
            while part := client.recv(1_000):  # the rest never comes, and the server closes
                answer += part
            assert answer.startswith(b"HTTP/1.1 408") and b"did not arrive within 0.5 s" in answer
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"\x16\x03\x01nonsense\r\n\r\n")
            assert client.recv(1_000).startswith(b"HTTP/1.1 400")
        assert post(port, b'{"text": "a fine film"}')[0] == 200
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 0 and "Traceback" not in said


def test_sighup_loads_what_was_replaced_and_loses_nothing(tmp_path: Path) -> None:
    run = small_models.save_classifier(tmp_path / "run")
    (tmp_path / "slow_stage.py").write_text("", encoding="utf-8")
    with server(tmp_path) as (process, port):
        stop = threading.Event()
        found: list[tuple[int, str]] = []

        def ask() -> None:
            while not stop.is_set():
                status, answer = post(port, b'{"text": "a fine film"}')
                found.append((status, answer["answer"]["predicted"]))

        thread, _ = in_background(ask)
        for labels in (("up", "down"), ("yes", "no")):
            small_models.save_classifier(run, labels=labels)
            process.send_signal(signal.SIGHUP)
            end = time.monotonic() + 20
            while not found or found[-1][1] != labels[0]:
                assert time.monotonic() < end
                time.sleep(0.01)
        (run / "model.json").write_text("{}", encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        stop.set()
        thread.join(20)
        assert {status for status, _ in found} == {200}
        assert list(dict.fromkeys(label for _, label in found)) == ["good", "up", "yes"]
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "is served on: " in said and "saved in format None" in said
