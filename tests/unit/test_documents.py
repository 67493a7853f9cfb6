"""Code in README and docs runs; the commands that README names exist; figures are those of the benchmark files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nlpipe.registry import FOLDERS, slot

ROOT = Path(__file__).resolve().parents[2]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def registered():
    """Stages that a document registers are forgotten again."""
    yield
    for name in FOLDERS:
        slot(name)._registered.clear()


@pytest.mark.parametrize("path", ["README.md", "docs/adding-a-stage.md"])
def test_python_blocks_run_in_order(
    path: str, registered: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    found = blocks(ROOT / path, "python")
    assert found
    scope: dict[str, object] = {"__name__": "__document__"}
    for i, code in enumerate(found):
        exec(compile(code, f"{path} block {i + 1}", "exec"), scope)


def test_every_pipeline_that_readme_names_is_there() -> None:
    named = re.findall(r"pipelines/[\w/]+\.yaml", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
