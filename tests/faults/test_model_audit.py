"""``nlpipe audit``: what it prints of a run, and what it is given by mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nlpipe.audit.memorisation import Sampling
from nlpipe.runs.model_audit import audit_run
from tests.commands import complaint
from tests.commands import nlpipe as command
from tests.faults.test_language_models import WORDS, corpus
from tests.unit.audit.test_extraction import PLANTED, texts

pytestmark = pytest.mark.usefixtures("unmeasured")

FEW = ("--samples", "20", "--max-new-tokens", "30")


def run_in(folder: Path, order: int = 8) -> Path:
    """A run on the same texts many times; dev has others."""
    data = corpus(folder, "\n".join((texts(1) + [PLANTED] * 10) * 20))
    (folder / "dev.txt").write_text("\n".join(texts(2)), encoding="utf-8")
    file = folder / "p.yaml"
    file.write_text(f"{data}tokenizer: {WORDS}\nhead: {{name: ngram, order: {order}}}\n", encoding="utf-8")
    done = command("run", file, "--out", folder / "runs")
    assert done.returncode == 0, done.stderr
    return next((folder / "runs").glob("p-*"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_in(tmp_path_factory.mktemp("audit"))


def test_the_report_says_what_is_repeated(run: Path) -> None:
    done = command("audit", run, *FEW)
    said = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    assert "tokens in runs of 10 or more" in said and "95 % intervals" in said
    assert "Prefixes of training text are continued exactly more often than those of held-out text" in said
    assert "tokens, 20 times in training: w" in said
    assert "mail address" in said and "an••••" in said
    assert "example.org" not in said and "1111" not in said


def test_json_has_what_python_has(run: Path) -> None:
    done = command("audit", run, *FEW, "--json", "--seed", "3")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == json.loads(json.dumps(audit_run(run, Sampling(20, 30, seed=3)).record()))
    assert found["generated"]["continued"]["value"] > 0.9 and found["held_out"]["continued"]["count"] == 0
    assert "example.org" not in done.stdout.decode()


def test_texts_too_short_for_prefixes_are_told(run: Path) -> None:
    done = command("audit", run, *FEW, "--context", "200")
    assert done.returncode == 0 and "no training text has 210 tokens" in done.stdout.decode()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--samples", "1"], "--samples: invalid value 1: expected an integer from 2 to 1,000,000"),
        (["--length", "1"], "--length: invalid value 1"),
        (["--context", "0"], "--context: invalid value 0"),
        (["--max-new-tokens", "0"], "--max-new-tokens: invalid value 0"),
        (["--seed", "-1"], "--seed: invalid value -1"),
        (["--length", "200"], "--length: 200 is above max_new_tokens, which is 100"),
    ],
)
def test_options_out_of_range(run: Path, options: list[str], message: str) -> None:
    assert message in complaint("audit", run, *options)


def test_what_is_no_run_of_a_language_model_is_told(run: Path, tmp_path: Path) -> None:
    said = complaint("audit", "sample_reviews")
    assert "this is not a run's folder" in said and "nlpipe data audit sample_reviews" in said
    assert "this is not a run's folder" in complaint("audit", run / "model")
    file = tmp_path / "c.yaml"
    file.write_text("data: sample_reviews\nrepresentation: bow\nhead: naive_bayes\n")
    assert command("run", file, "--out", tmp_path / "runs").returncode == 0
    said = complaint("audit", next((tmp_path / "runs").glob("c-*")))
    assert "'naive_bayes' is no language model" in said and "nlpipe data audit sample_reviews" in said


def test_data_that_has_changed_or_is_gone_is_told(tmp_path: Path) -> None:
    run = run_in(tmp_path, order=2)
    train = tmp_path / "train.txt"
    train.write_text("other words\nthan before\n" * 20, encoding="utf-8")
    assert "is not what this run was fitted on; run it again" in complaint("audit", run)
    train.unlink()
    assert "train.txt" in complaint("audit", run)
