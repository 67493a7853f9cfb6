"""The page of a comparison: what it holds, texts that try to leave their place, and what is missing or damaged."""

from __future__ import annotations

import builtins
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import nlpipe
from nlpipe.cli.app import app
from nlpipe.compare.gather import reopen
from nlpipe.report.comparison_page import embedded
from nlpipe.report.disagreements import disagreements
from nlpipe.report.page_answers import Answers
from tests.unit.report.page_data import PIPELINES, labelled_texts

NASTY = "</script><script>alert(1)</script> <!-- & \u2028 😀 שלום"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a comparison of two pipelines on texts that try to leave their place."""
    root = tmp_path_factory.mktemp("page")
    spec = {
        "compare": "T <i>", "data": labelled_texts(root, NASTY, 40, ("<b>a", "b")), "seeds": [1],
        "budget": {"memory_mb": 5000}, "pipelines": PIPELINES,
    }  # fmt: skip
    return nlpipe.compare(spec, out=root / "runs").folder


class Reader(HTMLParser):
    """Collects the content of scripts, and what points out of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.inside = tag == "script"
        self.scripts += [""] if self.inside else []
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action")]

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self.inside = False


def read(page: str) -> tuple[Reader, dict[str, Any]]:
    reader = Reader()
    reader.feed(page)
    return reader, json.loads(reader.scripts[0])


def test_compare_leaves_a_page_with_the_verdict_and_nothing_that_points_out_of_it(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    reader, data = read(page)
    comparison = reopen(folder)
    assert comparison.verdict is not None
    assert len(reader.scripts) == 2
    assert all(link.startswith(("#", "data:")) for link in reader.links)
    assert "i" not in reader.tags
    assert "b" not in reader.tags
    assert "default-src 'none'" in page
    assert [row["name"] for row in data["rows"]] == [row.name for row in comparison.rows]
    assert data["rows"][0]["score"] == pytest.approx(comparison.rows[0].score)
    assert {cost["name"]: cost["budget"] for cost in data["costs"]}["memory_mb"] == 5000
    assert data["curve"] == [list(step) for step in comparison.verdict.curve]


def test_the_items_of_the_page_are_those_on_which_the_answers_differ(folder: Path) -> None:
    _, data = read((folder / "report.html").read_text(encoding="utf-8"))
    first, second = ([*row.results[0].records()] for row in reopen(folder).rows)
    differ = [i + 1 for i, (x, y) in enumerate(zip(first, second, strict=True)) if x["predicted"] != y["predicted"]]
    alike = [
        i + 1 for i, (x, y) in enumerate(zip(first, second, strict=True))
        if x["predicted"] == y["predicted"] != x["gold"]
    ]  # fmt: skip
    found = data["disagreements"]
    assert differ
    assert (found["differ"], found["wrong_alike"]) == (len(differ), len(alike))
    assert [item["n"] for item in found["items"]] == sorted(differ + alike)
    for item in found["items"]:
        assert item["t"].startswith(NASTY)
        answers = [item["v"][given] for given in item["a"]]
        assert answers == [first[item["n"] - 1]["predicted"], second[item["n"] - 1]["predicted"]]
        assert item["v"][0] == first[item["n"] - 1]["gold"]
    confusion = {(gold, given): count for gold, given, count in data["confusion"]["bayes"]}
    records = [*next(row for row in reopen(folder).rows if row.name == "bayes").results[0].records()]
    assert sum(confusion.values()) == len(records)
    assert confusion.get(("b", "b"), 0) == sum(record["gold"] == record["predicted"] == "b" for record in records)


def test_scores_in_a_part_of_the_test_split_are_those_of_its_items(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    section = page[page.index('id="h-slices"') : page.index("</section>", page.index('id="h-slices"'))]
    cells = re.search(r"<th scope=\"row\">label: b</th><td>40</td>(.*?)</tr>", section, re.S)
    assert cells is not None
    shown = [float(text) for text in re.findall(r"<td>([0-9.]+)", cells[1])]
    for row, score in zip(reopen(folder).rows, shown, strict=True):
        records = [record for record in row.results[0].records() if record["gold"] == "b"]
        assert score == pytest.approx(sum(record["predicted"] == "b" for record in records) / 40, abs=6e-4)
    assert "All intervals of this table hold together with 95 %" in section


@pytest.mark.parametrize("how", [{"folds": 3}, {"choose": "dev"}], ids=["folds", "dev"])
def test_the_answers_that_the_verdict_rests_on_are_shown(folder: Path, tmp_path: Path, how: dict[str, Any]) -> None:
    """All folds, each item once; or those to dev alone, where test must be looked at once."""
    root = folder.parent.parent
    data = {"task": "classification", **{name: str(root / f"{name}.jsonl") for name in ("train", "dev", "test")}}
    pipelines = [
        {"name": "bayes", "representation": "bow", "head": "naive_bayes"},
        {"name": "stump", "representation": {"name": "tfidf", "max_features": 3}, "head": "logistic_regression"},
    ]
    comparison = nlpipe.compare({"data": data, "pipelines": pipelines, "seeds": [1], **how}, out=tmp_path / "runs")
    lines = {
        row.name: [line for result in row.results for line in result.records(dev="choose" in how)]
        for row in comparison.rows
    }  # fmt: skip
    items = [*zip(lines["bayes"], lines["stump"], strict=True)]
    assert len(items) == (20 if "choose" in how else 80)  # of dev; of train and dev, as test was given
    found = read((comparison.folder / "report.html").read_text(encoding="utf-8"))[1]["disagreements"]
    assert found["differ"] == sum(x["predicted"] != y["predicted"] for x, y in items)
    assert found["wrong_alike"] == sum(x["predicted"] == y["predicted"] != x["gold"] for x, y in items)
    assert found["items"]
    assert all(item["t"].startswith(NASTY) for item in found["items"])
    assert not any(f"{NASTY} test " in item["t"] for item in found["items"])


def test_json_in_a_page_has_no_character_that_html_reads() -> None:
    text = embedded({"a": NASTY})
    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text) == {"a": NASTY}
    assert json.loads(embedded({"loss": [float("nan"), 1.5, float("inf")]})) == {"loss": [None, 1.5, None]}


def test_items_are_cut_to_the_room_there_is_and_counted_all_the_same() -> None:
    n = 500
    rng = np.random.default_rng(3)
    gold = tuple("ab"[i % 2] for i in range(n))
    every = []
    for share in (0.9, 0.6):
        predicted = tuple(g if rng.random() < share else "c" for g in gold)
        right = np.array([g == p for g, p in zip(gold, predicted, strict=True)])
        every.append(Answers("labels", gold, predicted, right.astype(float), right))
    texts = ["wörter " * 10] * n
    whole = disagreements(["x", "y"], every, texts)
    assert len(whole.items) == whole.differ + whole.wrong_alike == int((~(every[0].right & every[1].right)).sum())
    one = disagreements(["x", "y"], every, texts, limit=5000)
    assert 0 < len(one.items) < whole.differ == one.differ
    assert len(json.dumps(one.items, ensure_ascii=False).encode()) <= 5000
    assert [item["n"] for item in one.items] == sorted(item["n"] for item in one.items)
    assert all(item in whole.items for item in one.items)


def test_report_writes_the_last_comparison_of_a_folder(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    result = CliRunner().invoke(app, ["report", str(folder.parent), "--out", str(target)])
    assert result.exit_code == 0
    assert result.stdout.strip() == str(target)
    assert target.read_text(encoding="utf-8") == (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("place", "says"), [("nowhere", "no such folder"), (".", "no comparison's folder")])
def test_report_of_no_comparison_says_what_makes_one(tmp_path: Path, place: str, says: str) -> None:
    result = CliRunner().invoke(app, ["report", str(tmp_path / place)])
    assert isinstance(result.exception, nlpipe.errors.NlpipeError)
    assert says in str(result.exception)
    assert "nlpipe compare" in str(result.exception)


def test_a_damaged_run_is_named_on_the_page_and_the_rest_is_there(folder: Path, tmp_path: Path) -> None:
    import shutil

    runs = tmp_path / "runs"
    shutil.copytree(folder.parent, runs)
    comparison = reopen(runs / folder.name)
    broken = comparison.rows[0].results[0].folder
    (broken / "predictions.jsonl").write_text("{", encoding="utf-8")
    (broken / "ledger.json").unlink()
    page = comparison.report(tmp_path / "p.html").read_text(encoding="utf-8")
    _, data = read(page)
    assert data["disagreements"] is None
    assert len(data["rows"]) == 2
    assert "predictions.jsonl" in page
    assert "ledger.json" in page


def test_without_jinja_the_comparison_is_whole_and_report_names_the_extra(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nlpipe.compare import comparison as module

    original = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name == "jinja2":
            raise ModuleNotFoundError("No module named 'jinja2'", name="jinja2")
        return original(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    comparison = reopen(folder)
    with pytest.raises(nlpipe.errors.MissingExtra, match=r'pip install "nlpipe\[report\]"'):
        comparison.report(tmp_path / "p.html")
    from dataclasses import replace

    module.write_comparison(replace(comparison, folder=tmp_path / "comparison-x"), [])
    assert sorted(path.name for path in (tmp_path / "comparison-x").iterdir()) == [
        "audit.json", "comparison.json", "slices.json", "table.md", "verdict.json",
    ]  # fmt: skip


def test_a_fault_in_the_page_is_a_warning_and_the_comparison_is_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from nlpipe.compare import comparison as module
    from nlpipe.report import comparison_page

    monkeypatch.setattr(comparison_page, "embedded", lambda data: 1 / 0)
    with pytest.warns(nlpipe.errors.NlpipeWarning, match=r"report.html was not written: ZeroDivisionError"):
        module.write_comparison(replace(reopen(folder), folder=tmp_path / "comparison-x"), [])
    assert (tmp_path / "comparison-x" / "table.md").exists()
