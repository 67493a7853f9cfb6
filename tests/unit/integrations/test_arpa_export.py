"""``nlpipe export --to arpa``: the file gives the probabilities of the run's model; what cannot be written is told."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import pytest

from nlpipe.heads import Majority, Ngram
from nlpipe.integrations.arpa_export import export_arpa
from nlpipe.pipeline import Pipeline
from nlpipe.representations import BagOfWords
from nlpipe.tokenizers import Whitespace
from tests.commands import complaint
from tests.commands import nlpipe as command
from tests.unit.classical.test_arpa import looked_up, read

TEXTS = ["the cat sat on the mat", "the dog sat", "a cat saw the dog on the mat", "the the the"] * 2


def saved(folder: Path, head: Ngram | None = None) -> Path:
    stages = [Whitespace(lowercase=False), head or Ngram(order=3)]
    return Pipeline(stages, "language_modelling").fit(TEXTS).save(folder / "run")


@pytest.mark.parametrize("smoothing", ["kneser_ney", "stupid_backoff"])
@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz"])
def test_the_file_gives_the_probabilities_of_the_run(
    tmp_path: Path, name: str, smoothing: Literal["kneser_ney", "stupid_backoff"]
) -> None:
    run = saved(tmp_path, Ngram(order=3, smoothing=smoothing))
    done = command("export", run, "--to", "arpa", tmp_path / name)
    assert done.returncode == 0 and done.stdout.decode().strip() == str(tmp_path / name), done.stderr
    table = read(tmp_path / name)
    text = ["the", "cat", "saw", "a", "mat"]
    words = ["<s>", *text, "</s>"]
    found = [looked_up(table, words[max(0, i - 2) : i], words[i]) for i in range(1, len(words))]
    (scored,) = Pipeline.load(run).surprisals([" ".join(text)])
    assert found == pytest.approx((-scored.nats / math.log(10)).tolist(), abs=1e-5)


def test_kenlm_reads_the_file(tmp_path: Path) -> None:
    kenlm = pytest.importorskip("kenlm")
    run = saved(tmp_path)
    assert command("export", run, tmp_path / "model.arpa", "--to", "arpa").returncode == 0
    (scored,) = Pipeline.load(run).surprisals(["the cat saw a mat"])
    found = [log for log, _, _ in kenlm.Model(str(tmp_path / "model.arpa")).full_scores("the cat saw a mat")]
    assert found == pytest.approx((-scored.nats / math.log(10)).tolist(), abs=1e-4)


def test_a_model_that_does_not_back_off_is_refused(tmp_path: Path) -> None:
    run = saved(tmp_path, Ngram(order=2, smoothing="add_k"))
    said = complaint("export", run, "--to", "arpa", tmp_path / "model.arpa")
    assert "add_k gives every unseen word the same probability" in said and "smoothing: kneser_ney" in said
    assert not (tmp_path / "model.arpa").exists()


def test_what_it_cannot_write_is_told(tmp_path: Path) -> None:
    run = saved(tmp_path)
    (tmp_path / "old.arpa").write_text("mine")
    for path, message in (
        ("old.arpa", "old.arpa exists already; name a new file"),
        ("run", "run exists already"),
        ("missing/model.arpa", f"there is no directory {tmp_path / 'missing'}; make it first"),
        ("old.arpa/model.arpa", "there is no directory"),
    ):
        assert message in complaint("export", run, "--to", "arpa", tmp_path / path)
    assert (tmp_path / "old.arpa").read_text() == "mine"
    other = Pipeline([Whitespace(), BagOfWords(), Majority()]).fit(["a", "b"], ["x", "y"]).save(tmp_path / "other")
    assert "this pipeline has 'majority'" in complaint("export", other, "--to", "arpa", tmp_path / "model.arpa")
    with pytest.raises(Exception, match="has not been fitted"):
        export_arpa(Pipeline([Whitespace(lowercase=False), Ngram()], "language_modelling"), tmp_path / "model.arpa")
