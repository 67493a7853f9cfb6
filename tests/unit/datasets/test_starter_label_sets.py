"""``nlpipe init`` on texts with any number of labels each: how they are recognised, and that the file runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nlpipe
from nlpipe.datasets.starter import starter
from nlpipe.datasets.starter_file import Wanted
from nlpipe.errors import DataError, NlpipeWarning
from nlpipe.runs import costs
from tests.unit.runs.finished_runs import USE

LABELS = "economy", "politics", "sport"
SETS = [[label for k, label in enumerate(LABELS) if (i >> k) & 1] for i in range(8)] * 8
TEXTS = [f"text {i} about {' and '.join(labels) or 'nothing'}" for i, labels in enumerate(SETS)]


def write(folder: Path, form: str) -> Path:
    if form == "lists":
        path, lines = folder / "d.jsonl", [json.dumps({"text": t, "tags": s}) for t, s in zip(TEXTS, SETS, strict=True)]
    elif form == "marks":
        path, lines = folder / "m.csv", ["text," + ",".join(LABELS)]
        lines += [f"{t}," + ",".join(str(int(x in s)) for x in LABELS) for t, s in zip(TEXTS, SETS, strict=True)]
    else:
        path, lines = folder / "s.csv", ["text\ttags".replace("\t", ",")]
        lines += [f"{t},{form.join(s)}" for t, s in zip(TEXTS, SETS, strict=True)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("form", "labels"), [("lists", "tags"), ("|", "tags"), (";", "tags"), ("marks", ["sport", "politics", "economy"])]
)
def test_it_is_recognised_and_its_file_runs(
    form: str, labels: str | list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = starter(write(tmp_path, form))
    assert found.data["task"] == "multilabel" and found.doubts == ()
    columns = found.data["columns"]["labels"]
    assert sorted(columns) == sorted(labels)
    assert found.data.get("separator") == (form if len(form) == 1 else None)
    assert "economy 32, politics 32, sport 32; 8 rows have none, 32 have several" in found.findings[-1]
    monkeypatch.setattr(costs, "measure_model", lambda *_: USE)
    (tmp_path / "p.yaml").write_text(found.text(tmp_path), encoding="utf-8")
    assert nlpipe.run(tmp_path / "p.yaml", out=tmp_path / "runs").scores["f1_micro"] > 0.5
    (tmp_path / "c.yaml").write_text(found.comparison(tmp_path / "p.yaml"), encoding="utf-8")
    assert nlpipe.compare([tmp_path / "c.yaml"], out=tmp_path / "runs").chosen is not None


def test_one_label_a_text_stays_classification(tmp_path: Path) -> None:
    rows = [f"text {i} | more,{'a|b' if i % 2 else 'c'}" for i in range(40)]  # a sign of one label, not between two
    (tmp_path / "one.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    assert starter(tmp_path / "one.csv").data["task"] == "classification"
    rows = [f"text {i},{'a|b' if i == 7 else 'ab'[i % 2]}" for i in range(60)]  # a slip
    (tmp_path / "slip.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    with pytest.warns(NlpipeWarning, match="fewer than 3 examples"):
        assert starter(tmp_path / "slip.csv").data["task"] == "classification"
    rows = [f"text {i},{'a' if i % 2 else 'c'},{i % 2}" for i in range(40)]
    (tmp_path / "two.csv").write_text("\n".join(["text,label,seen", *rows]), encoding="utf-8")
    assert starter(tmp_path / "two.csv").data["task"] == "classification"


def test_what_a_user_says_counts(tmp_path: Path) -> None:
    path = tmp_path / "c.tsv"
    path.write_text("\n".join(["text\ttags", *(f"{t}\t{', '.join(s)}" for t, s in zip(TEXTS, SETS, strict=True))]))
    with pytest.warns(NlpipeWarning, match="8 of 64 rows have no label"):
        assert starter(path).data["task"] == "classification"
    told = starter(path, wanted=Wanted(task="multilabel"))
    assert told.data["separator"] == "," and "economy 32" in told.findings[-1]
    (tmp_path / "none.csv").write_text("\n".join(["text,label", *(f"text {i},{'ab'[i % 2]}" for i in range(40))]))
    with pytest.raises(DataError, match="no column has several labels: expected lists"):
        starter(tmp_path / "none.csv", wanted=Wanted(task="multilabel"))
