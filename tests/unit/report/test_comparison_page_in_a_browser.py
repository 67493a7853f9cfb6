"""The page of a comparison in headless Chromium: sorting, filtering, the cost axis, and no request to anywhere.

Skipped where no Chromium is installed (Debian's package ``chromium``, which ``.ci/run`` installs) or no Playwright.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nlpipe
from nlpipe.predictions import Predictions
from nlpipe.report.comparison_page import comparison_page
from nlpipe.report.page_contents import Contents, CostAxis, Line
from nlpipe.wire import Labels
from tests.unit.report.page_data import PIPELINES, labelled_texts

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
SECONDS = 0.3


def classification(root: Path) -> dict[str, Any]:
    return {
        "compare": "Labels", "data": labelled_texts(root, "</script> 😀 film", 60), "seeds": [1],
        "budget": {"memory_mb": 5000}, "train_sizes": [20, 60], "pipelines": PIPELINES,
    }  # fmt: skip


def tagging(root: Path) -> dict[str, Any]:
    names = ("Ann", "Bo", "Cy", "Di", "Ed")
    for name, count in (("train", 20), ("dev", 8), ("test", 30)):
        lines = []
        for i in range(count):
            place = "Rome" if i % 3 else names[i % 5]
            lines += [f"{names[i % 5]} B-PER", f"Lee{i if name == 'test' else ''} I-PER", "saw O", f"{place} B-LOC", ""]
        (root / f"{name}.conll").write_text("\n".join(lines) + "\n", encoding="utf-8")
    data = {"task": "tagging", **{name: str(root / f"{name}.conll") for name in ("train", "dev", "test")}}
    return {
        "compare": "Entities", "data": data, "seeds": [1],
        "pipelines": [
            {"name": "dictionary", "head": "dictionary"},
            {"name": "window", "representation": "window", "head": "logistic_regression"},
        ],
    }  # fmt: skip


def translation(root: Path) -> dict[str, Any]:
    english, german = ("open", "close", "save", "print"), ("öffnen", "schließen", "speichern", "drucken")
    for name, count in (("train", 24), ("dev", 8), ("test", 24)):
        rows = [
            {"source": f"{english[i % 4]} file {i % 7}", "target": f"Datei {i % 7} {german[i % 4]}"}
            for i in range(count)
        ]  # fmt: skip
        (root / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    data = {"task": "translation", **{name: str(root / f"{name}.jsonl") for name in ("train", "dev", "test")}}
    return {
        "compare": "Texts", "data": data, "seeds": [1],
        "pipelines": [
            {"name": "memory", "representation": "tfidf", "head": "translation_memory"},
            {"name": "lexical", "head": {"name": "lexical", "tokenizer": "regex"}},
        ],
    }  # fmt: skip


def language_modelling(root: Path) -> dict[str, Any]:
    texts = ["the film was good", "the film was long and dull", "a good story", "a long film about a dull story"]
    for name, count in (("train", 24), ("dev", 8), ("test", 24)):
        (root / f"{name}.txt").write_text("".join(texts[i % 4] + f" {i % 5}\n" for i in range(count)), encoding="utf-8")
    data = {"task": "language_modelling", "documents": "line"}
    ngram = {"tokenizer": {"name": "whitespace", "lowercase": False}}
    return {
        "compare": "Language", "data": data | {name: str(root / f"{name}.txt") for name in ("train", "dev", "test")},
        "pipelines": [{"name": str(n), **ngram, "head": {"name": "ngram", "order": n}} for n in (1, 2)],
    }  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(
    scope="module", params=[classification, tagging, translation, language_modelling], ids=lambda make: make.__name__
)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp(request.param.__name__)
    folder: Path = nlpipe.compare(request.param(root), out=root / "runs").folder
    return folder / "report.html"


@pytest.fixture
def opened(browser: Any, report: Path) -> Iterator[Any]:
    """The page, which must have asked for nothing and written no message when the test ends."""
    page = browser.new_page(viewport={"width": 390, "height": 800})
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda each: None if each.url.startswith(("file:", "data:")) else heard.append(each.url))
    page.goto(report.as_uri())
    yield page
    page.wait_for_timeout(50)
    page.close()
    assert heard == []


def test_a_click_or_enter_on_a_heading_sorts(opened: Any) -> None:
    def names() -> list[str]:
        return [text.split("\n")[0] for text in opened.locator("#rows tbody th").all_inner_texts()]

    first = opened.locator("#rows thead th").nth(0)
    first.locator("button").click()
    assert first.get_attribute("aria-sort") == "ascending"
    assert names() == sorted(names())
    first.locator("button").press("Enter")
    assert first.get_attribute("aria-sort") == "descending"
    assert names() == sorted(names(), reverse=True)


def test_a_column_can_be_left_out(opened: Any) -> None:
    opened.locator("summary", has_text="Columns").click()
    box = opened.locator("[data-column]").last
    column = int(box.get_attribute("data-column"))
    cell = opened.locator("#rows thead th").nth(column)
    before = cell.is_visible()
    box.click()
    assert cell.is_visible() != before


def test_another_cost_is_drawn(opened: Any) -> None:
    before = opened.locator("#cost-chart svg").get_attribute("aria-label")
    opened.locator("#cost-axis").select_option("model_mb")
    after = opened.locator("#cost-chart svg").get_attribute("aria-label")
    assert "model size" in after != before
    point = opened.locator("#cost-chart g.point").first
    point.focus()
    assert opened.evaluate("getComputedStyle(document.querySelector('g.point:focus .tip')).visibility") == "visible"


def test_the_explorer_shows_the_items_on_which_one_pipeline_is_better(opened: Any) -> None:
    data = json.loads(opened.locator("#data").text_content())["disagreements"]
    a, b = (int(opened.locator(f"#explorer [name={name}]").input_value()) for name in "ab")
    for show, sign in (("a", 1), ("b", -1)):
        opened.locator("#explorer [name=show]").select_option(show)
        wanted = [
            f"item {item['n']}" for item in data["items"]
            if sign * (item["s"][item["a"][a]] - item["s"][item["a"][b]]) > 0
        ]  # fmt: skip
        assert opened.locator("#examples .number").all_inner_texts() == wanted[:25]
    opened.locator("#explorer [name=show]").select_option("any")
    opened.locator("#explorer [name=search]").fill("no text has these words")
    opened.locator("#explorer-count", has_text="No item matches").wait_for()
    assert opened.locator("#examples > li").count() == 0


def test_nothing_is_wider_than_a_phone(opened: Any) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_what_is_folded_is_printed(opened: Any) -> None:
    opened.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.locator("details.printed:not([open])").count() == 0


def test_every_control_and_table_has_a_name(opened: Any) -> None:
    assert opened.locator("table:not(:has(caption))").count() == 0
    assert opened.locator("thead th:not([scope])").count() == 0
    unnamed = "[...document.querySelectorAll('select, input')].filter(e => !e.labels.length).length"
    assert opened.evaluate(unnamed) == 0


@dataclass(frozen=True)
class Stored:
    """A run as the page reads it, without the seconds that 25,000 lines take to be written."""

    folder: Path
    answers: Predictions[Labels]
    gold: Labels
    environment: Any = field(default_factory=lambda: {"train_examples": 1, **MADE})
    ledger: Any = field(default_factory=lambda: {"warnings": []})

    def predictions(self) -> tuple[Labels, Predictions[Labels]]:
        return self.gold, self.answers


MADE = {
    "processor": {"name": "p", "cores": 2}, "packages": {}, "finished": "", "python": "", "platform": "", "threads": 1,
    "data_digest": "",
}  # fmt: skip


def test_twenty_pipelines_on_25_000_items_fit_and_are_filtered_at_once(browser: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n, names = 25_000, [f"pipeline {k}" for k in range(20)]
    gold = ["abc"[i % 3] for i in range(n)]
    text = "Some words of a review of a film that has about this many letters, and then some more. " * 2
    lines = [json.dumps({"text": text, "gold": label}) for label in gold]
    (tmp_path / "predictions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    rows = []
    for k, name in enumerate(names):
        right = rng.random(n) < 0.8
        given = [label if hit else "abc"[(i + 1) % 3] for i, (label, hit) in enumerate(zip(gold, right, strict=True))]
        result: Any = Stored(tmp_path, Predictions(Labels(given)), Labels(gold))
        costs = {"latency_ms": 1.0 + k}
        rows.append(Line(name, name, None, (result,), (name, "0.8"), 0.8, 0.79, 0.82, costs, k == 0, True))
    axes = (CostAxis("latency_ms", "latency", "ms", None),)
    contents = Contents(
        "T", "data", "accuracy", 3, True, n, 0.02, ("A verdict.",), "", ("pipeline", "accuracy"), frozenset(),
        tuple(rows), axes, ((0.0, names[0]),), (), (), "x",
    )  # fmt: skip
    path = tmp_path / "large.html"
    path.write_text(comparison_page(contents), encoding="utf-8")
    assert path.stat().st_size < 5_000_000
    page = browser.new_page()
    page.goto(path.as_uri())
    items = page.evaluate("JSON.parse(document.getElementById('data').textContent).disagreements.items.length")
    assert items > 5000
    change = """(show) => { const form = document.getElementById('explorer'); form.elements.show.value = show;
        const start = performance.now(); form.dispatchEvent(new Event('change', {bubbles: true}));
        document.body.offsetHeight; return performance.now() - start; }"""
    seconds = {show: min(page.evaluate(change, show) for _ in range(3)) / 1000 for show in ("a", "any", "one")}
    sort = """() => { const start = performance.now(); document.querySelector('#rows thead button').click();
        document.body.offsetHeight; return performance.now() - start; }"""
    seconds["sort"] = min(page.evaluate(sort) for _ in range(3)) / 1000
    page.close()
    assert max(seconds.values()) < SECONDS, seconds
