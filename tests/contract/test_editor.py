"""What an editor sees: the class behind each lazy name, and names that complete."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nlpipe
from nlpipe.registry import FOLDERS, slot

ROOT = Path(nlpipe.__file__).parents[1]
PUBLIC = {
    "load": "nlpipe.pipeline.pipeline.Pipeline",
    "run": "nlpipe.runs.result.Result",
    "compare": "nlpipe.compare.results.Comparison",
    "Pipeline": "nlpipe.pipeline.pipeline.Pipeline",
    "NlpipeError": "nlpipe.errors.NlpipeError",
    "Text": "nlpipe.wire.Text",
    "Tokens": "nlpipe.wire.Tokens",
    "Vectors": "nlpipe.wire.Vectors",
    "Sequences": "nlpipe.wire.Sequences",
    "Labels": "nlpipe.wire.Labels",
    "Tags": "nlpipe.wire.Tags",
}
"""Names of ``nlpipe`` to what calling them gives."""


def classes(slot_name: str) -> dict[str, str]:
    """Class names of a slot's built-in stages to the modules that define them, by its table."""
    targets = (target.partition(":") for target in slot(slot_name).table.values())
    return {name: module for module, _, name in targets}


def imports_for_type_checking(module: str) -> dict[str, str]:
    """Names that the module imports under ``if TYPE_CHECKING``, to the modules from which they come."""
    path = importlib.import_module(module).__file__
    assert path is not None
    imported = {}
    for block in ast.parse(Path(path).read_text(encoding="utf-8")).body:
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test):
            for node in block.body:
                if isinstance(node, ast.ImportFrom):
                    for alias in node.names:
                        assert alias.asname == alias.name, f"write 'import {alias.name} as {alias.name}' to export it"
                        imported[alias.name] = node.module or ""
    return imported


@pytest.mark.parametrize("name", FOLDERS)
def test_type_checking_imports_agree_with_the_table(name: str) -> None:
    assert imports_for_type_checking(slot(name).package) == classes(name)


def test_every_lazy_name_has_its_type(tmp_path: Path) -> None:
    expected = {f"nlpipe.{name}": result for name, result in PUBLIC.items()}
    for name, (folder, _) in FOLDERS.items():
        for owner, module in classes(name).items():
            expected[f"nlpipe.{folder}.{owner}"] = f"{module}.{owner}"
    others = [f"nlpipe.{name}" for name in nlpipe.__all__ if name not in PUBLIC]
    program = ["import nlpipe", *(f"reveal_type({expression})" for expression in (*expected, *others))]
    file = tmp_path / "editor.py"
    file.write_text("\n".join(program) + "\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--no-error-summary", str(file)],
        capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, "MYPYPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    revealed = dict(re.findall(r'editor\.py:(\d+): note: Revealed type is "(.*)"', done.stdout))
    for line, (expression, result) in enumerate(expected.items(), 2):
        assert revealed[str(line)].endswith(f"-> {result}"), f"{expression}: {revealed[str(line)]}"
    assert len(revealed) == len(expected) + len(others)
    assert "Any" not in revealed.values()


def test_the_package_completes() -> None:
    names = set(imports_for_type_checking("nlpipe"))
    assert {*dir(nlpipe)} == names | {"__version__"} == {*nlpipe.__all__}
    for name in dir(nlpipe):
        assert getattr(nlpipe, name) is not None


@pytest.mark.parametrize("name", FOLDERS)
def test_every_slot_completes(name: str) -> None:
    package = importlib.import_module(slot(name).package)
    assert dir(package) == sorted(classes(name)) == slot(name).class_names()
    for owner, module in classes(name).items():
        assert getattr(package, owner).__module__ == module
    with pytest.raises(AttributeError, match="has no attribute 'NoSuchStage'"):
        package.NoSuchStage  # noqa: B018
