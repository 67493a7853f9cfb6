"""Imports go down only, slots do not know each other, and heavy packages wait for the stage that needs them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nlpipe
from nlpipe.registry import EXTRAS, FOLDERS

ROOT = Path(nlpipe.__file__).parent
SLOTS = tuple(folder for folder, _ in FOLDERS.values())
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "wire", "schemes", "search", "wheel", "files"),
    ("options", "stage"),
    ("registry", "vocabulary"),
    ("nn",),
    SLOTS,
    ("trainer", "training"),
    ("metrics",),
    ("tasks",),
    ("datasets",),
    ("batches", "features", "objective", "source", "stretches"),
    ("fitting", "saved"),
    ("spec", "pipeline", "wiring"),
    ("costs", "ctranslate2_model"),
    ("runner",),
    ("compare",),
    ("report",),
    ("answers", "api", "sklearn_adapter", "spacy_component"),
    ("cli",),
    ("__main__",),
)
FLOOR = {name: height for height, names in enumerate(FLOORS) for name in names}
FILES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    """The top-level module or package a file belongs to: ``heads`` for ``nlpipe/heads/linear.py``."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def later(node: ast.AST) -> bool:
    """Whether what stands in ``node`` is not run when the module is imported."""
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.dump(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def imports(path: Path, inside_functions: bool) -> set[str]:
    """Full names of the modules that a file imports: at module level (``TYPE_CHECKING`` blocks left out), or all."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.update(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path}: relative import"
                assert child.module
                found.update(f"{child.module}.{alias.name}" for alias in child.names)
            elif inside_functions or not later(child):
                visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


def rooms_imported(path: Path) -> set[str]:
    names = {name for name in imports(path, inside_functions=True) if name.partition(".")[0] == "nlpipe"}
    return {name.split(".")[1] for name in names if "." in name}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    here = room(path)
    if here == "__init__":  # the public API: lazy, so nothing of ours at module level
        assert not [name for name in imports(path, inside_functions=False) if name.startswith("nlpipe")]
        return
    assert here in FLOOR, f"{here} has no floor; add it to FLOORS at the height where it belongs"
    for other in rooms_imported(path) - {here}:
        if other not in FLOOR:
            continue  # a name of the package itself: nlpipe.load
        if here in SLOTS:
            assert other not in SLOTS, f"the slots {here} and {other} must not know each other"
        assert FLOOR[other] <= FLOOR[here], f"{here} imports {other}, which stands above it"


def test_the_reader_sees_an_import_that_goes_up(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import os\nif True:\n    from nlpipe import runner\ndef f():\n    import nlpipe.cli\n")
    assert rooms_imported(bad) == {"runner", "cli"}
    assert "nlpipe.cli" not in imports(bad, inside_functions=False)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_packages_are_imported_by_their_owners_alone(path: Path) -> None:
    """At module level only by stages' own modules, ``nn`` and the trainer."""
    heavy = {name.partition(".")[0] for name in imports(path, inside_functions=False)} & {*EXTRAS}
    relative = path.relative_to(ROOT)
    owner = (
        room(path) in {*SLOTS, "nn", "training", "objective", "search", "spacy_component"}
        and path.name != "__init__.py"
    )
    assert owner or not heavy, f"{relative} imports {sorted(heavy)}; import it inside the function that needs it"


def modules_after(statements: str) -> set[str]:
    """Top-level names in ``sys.modules`` of a fresh interpreter after ``statements``."""
    code = f"{statements}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_front_doors_are_light() -> None:
    doors = ["nlpipe", "nlpipe.registry", "nlpipe.vocabulary", *(f"nlpipe.{folder}" for folder in SLOTS)]
    loaded = modules_after("\n".join(f"import {door}" for door in doors))
    assert "nlpipe" in loaded
    assert not loaded & {*EXTRAS, "sklearn", "pandas", "matplotlib"}


def test_light_tokenizers_stay_light() -> None:
    loaded = modules_after("from nlpipe.tokenizers import Regex, Whitespace, Characters\nRegex(), Whitespace()")
    assert not loaded & {*EXTRAS}
