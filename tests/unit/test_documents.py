"""Code in README and docs runs; the commands that README names exist; figures are those of the benchmark files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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
