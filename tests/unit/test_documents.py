"""Code in README and docs runs; the commands that README names exist; figures are those of the benchmark files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from nlpipe.compare.statistics import Sample, compare_samples
from nlpipe.metrics.jackknife import item_values
from nlpipe.registry import FOLDERS, OTHERS, table_of
from nlpipe.spec import is_comparison, read_comparison, read_pipelines

ROOT = Path(__file__).resolve().parents[2]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a document registers is unknown to other tests."""
    for kind in (*FOLDERS, *OTHERS):
        monkeypatch.setattr(table_of(kind), "_registered", {})


@pytest.mark.parametrize(
    "path", ["README.md", "docs/adding-a-stage.md", "docs/auditing-data.md", "docs/language-models.md"]
)
def test_python_blocks_run_in_order(
    path: str, registered: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    programs = blocks(ROOT / path, "python")
    assert programs
    scope: dict[str, object] = {"__name__": "__document__"}
    for i, code in enumerate(programs):
        exec(compile(code, f"{path} block {i + 1}", "exec"), scope)


def test_the_program_about_finished_runs_ends_as_it_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (program,) = blocks(ROOT / "docs" / "after-the-run.md", "python")
    exec(compile(program, "docs/after-the-run.md", "exec"), {"__name__": "__document__"})
    assert capsys.readouterr().out.splitlines()[-1] == program.splitlines()[-1].partition("  # ")[2]


def test_every_pipeline_that_readme_names_is_there() -> None:
    named = re.findall(r"pipelines/[\w/]+\.yaml", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_files_in_docs_are_comparisons_and_pipelines(tmp_path: Path) -> None:
    (tmp_path / "theirs.jsonl").write_text("")
    written = blocks(ROOT / "docs" / "comparisons.md", "yaml")
    for i, text in enumerate(written):
        file = tmp_path / f"{i}.yaml"
        file.write_text(text)
        if is_comparison(file):
            assert read_comparison(file, [] if "data:" in text else ["data=rotten_tomatoes"]).pipelines
        else:
            assert len(read_pipelines(file).pipelines) > 1
    assert len(written) == 3


def test_the_examples_by_hand_are_what_the_code_gives() -> None:
    """The two pipelines of docs/how-the-verdict-works.md: of 1,000 items j alone is right on 60, i alone on 40."""
    both = np.array([1] * 800 + [1] * 60 + [0] * 40 + [0] * 100, dtype=float)
    other = np.array([1] * 800 + [0] * 60 + [1] * 40 + [0] * 100, dtype=float)
    samples = [Sample(np.array([values.mean()]), values[None, :], False) for values in (both, other)]
    evidence = compare_samples(samples, shares=True)
    assert evidence.of_items[0, 1] == pytest.approx(0.0000996, rel=0.002)
    assert evidence.interval(0, 1) == pytest.approx((0.0, 0.04), abs=0.0005)
    assert evidence.bounds == pytest.approx([0.0, 0.036], abs=0.0008)
    assert evidence.items_needed(1, 0.02) == pytest.approx(1540, rel=0.02)
    score, items = item_values(lambda sums: sums[..., 0] / sums[..., 1], np.array([[1.0, 1], [1, 1], [1, 1], [0, 1]]))
    assert (score, list(items)) == (0.75, [1, 1, 1, 0])
