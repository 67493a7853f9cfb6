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
    ("synonyms",),
    ("errors", "package_index", "threads", "type_words", "writing_systems", "unicode_classes", "fingerprint", "labels"),
    ("wire", "tag_schemes", "wheels", "files", "yaml_values", "json_reader"),
    ("yaml_reader",),
    ("vocabulary", "search"),
    ("options", "use_order"),
    ("predictions",),
    ("stage",),
    ("names",),
    ("registry", "long_texts", "tag_decoding", "capabilities"),
    ("user_code", "dask_cluster"),
    ("nn",),
    ("classical",),
    SLOTS,
    ("training", "metrics"),
    ("tasks",),
    ("datasets",),
    ("pipeline",),
    ("audit",),
    ("spec",),
    ("runs", "behaviour"),
    ("report",),
    ("compare", "tuning"),
    ("api",),
    ("integrations",),
    ("serving",),
    ("bulk",),
    ("cli",),
    ("__main__",),
)
OLD_PLACES = {"sklearn_adapter", "spacy_component", "trainer"}
"""Files that only point to a new place; nothing of ours imports them."""
FLOOR = {name: height for height, names in enumerate(FLOORS) for name in names}
FILES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    """The top-level module or package a file belongs to: ``heads`` for ``nlpipe/classical/linear.py``."""
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
    if here in OLD_PLACES:
        return
    assert here in FLOOR, f"{here} has no floor; add it to FLOORS at the height where it belongs"
    for other in rooms_imported(path) - {here}:
        if other not in FLOOR:
            assert other not in OLD_PLACES, f"{path.relative_to(ROOT)} imports the old place nlpipe.{other}"
            continue  # a name of the package itself: nlpipe.load
        if here in SLOTS:
            assert other not in SLOTS, f"the slots {here} and {other} must not know each other"
        assert FLOOR[other] <= FLOOR[here], f"{here} imports {other}, which stands above it"


def test_the_reader_sees_an_import_that_goes_up(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import os\nif True:\n    from nlpipe import runner\ndef f():\n    import nlpipe.cli.app\n")
    assert rooms_imported(bad) == {"runner", "cli"}
    assert "nlpipe.cli.app" not in imports(bad, inside_functions=False)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_packages_are_imported_by_their_owners_alone(path: Path) -> None:
    """At module level only by stages' own modules, ``nn`` and the trainer."""
    heavy = {name.partition(".")[0] for name in imports(path, inside_functions=False)} & {*EXTRAS}
    relative = path.relative_to(ROOT)
    owner = (
        room(path) in {*SLOTS, "nn", "training", "search", "serving"}
        or str(relative) in {"pipeline/objective.py", "tuning/study.py", "integrations/spacy.py", "spacy_component.py"}
    ) and path.name != "__init__.py"
    assert owner or not heavy, f"{relative} imports {sorted(heavy)}; import it inside the function that needs it"


def modules_imported(path: Path) -> set[Path]:
    """The files of nlpipe that a file imports: at module level, in functions and for type checking."""
    found = set()
    for name in imports(path, inside_functions=True):
        parts = name.split(".")
        if parts[0] != "nlpipe":
            continue
        for end in (len(parts), len(parts) - 1):  # the last part may be a name in the module
            module = ROOT.joinpath(*parts[1:end])
            if end > 1 and module.with_suffix(".py").is_file():
                found.add(module.with_suffix(".py"))
                break
            if (module / "__init__.py").is_file():
                found.add(module / "__init__.py")
                break
    return found - {path}


def cycles(graph: dict[Path, set[Path]]) -> list[list[Path]]:
    """Every group of files that import each other, directly or through others (strongly connected components)."""
    reached: dict[Path, set[Path]] = {}
    for start in graph:
        seen: set[Path] = set()
        waiting = [start]
        while waiting:
            for other in graph.get(waiting.pop(), set()) - seen:
                seen.add(other)
                waiting.append(other)
        reached[start] = seen
    groups = {frozenset({a} | {b for b in reached[a] if a in reached.get(b, set())}) for a in graph if a in reached[a]}
    return sorted(sorted(group) for group in groups)


def test_no_file_is_in_an_import_cycle() -> None:
    found = cycles({path: modules_imported(path) for path in FILES})
    named = [" <-> ".join(str(path.relative_to(ROOT)) for path in group) for group in found]
    assert not named, "\n".join(named)


def test_a_cycle_would_be_found() -> None:
    a, b, c = Path("a"), Path("b"), Path("c")
    assert cycles({a: {b}, b: {c}, c: {b}}) == [[b, c]]
    assert cycles({a: {b}, b: {c}, c: set()}) == []


def test_file_names_are_unique_but_for_slots_and_groups() -> None:
    """A name stands twice only where a folder says which one is meant: the same thing in another slot or layer."""
    folders: dict[str, set[str]] = {}
    for path in FILES:
        if path.name != "__init__.py" and room(path) not in OLD_PLACES:
            folders.setdefault(path.stem, set()).add(room(path))
    twice = {name: rooms for name, rooms in folders.items() if len(rooms) > 1}
    assert twice == ALIKE, f"{twice}; give a file a name of its own"


ALIKE = {"spacy": {"tokenizers", "integrations"}}
"""File name to the rooms that each have one."""


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
