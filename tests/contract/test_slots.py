"""Every stage stands in its front door's table, explains its options, and is instant to make."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from nlpipe.options import check_options, options_of
from nlpipe.registry import FOLDERS, slot
from nlpipe.stage import Stage
from nlpipe.wire import Wire

from . import examples

ROOT = Path(inspect.getfile(Stage)).parent
STAGES = examples.registered()


def stage_classes(folder: str) -> set[str]:
    """``module:Class`` of every class in the folder that is a stage by its source; no module is loaded.

    A class counts if its name is public and its bases lead, within the folder, ``classical`` and ``nn``, to a class
    of ``stage.py``. A class that others derive from and that documents no options is a shared base, not a stage.
    """
    bases: dict[str, set[str]] = {}
    places: dict[str, str] = {}
    documented: set[str] = set()
    for path in [path for name in ("classical", "nn", folder) for path in sorted((ROOT / name).glob("*.py"))]:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                if path.parent.name == folder:
                    places[node.name] = f"{path.stem}:{node.name}"
                documented |= {node.name} if "Options:\n" in (ast.get_docstring(node) or "") else set()
                bases[node.name] = {
                    ast.unparse(base.value if isinstance(base, ast.Subscript) else base).rpartition(".")[2]
                    for base in node.bases
                }
    roots = {base.__name__ for _, base in FOLDERS.values()} | {"LabelHead"}

    def is_stage(name: str, visited: frozenset[str] = frozenset()) -> bool:
        return name in roots or any(is_stage(base, visited | {name}) for base in bases.get(name, set()) - visited)

    shared = {base for derived in bases.values() for base in derived} - documented
    return {place for name, place in places.items() if name[0] != "_" and name not in shared and is_stage(name)}


@pytest.mark.parametrize("kind", FOLDERS)
def test_every_stage_file_is_in_the_table(kind: str) -> None:
    folder, _ = FOLDERS[kind]
    written = {f"nlpipe.{folder}.{place}" for place in stage_classes(folder)}
    listed = set(slot(kind).table.values())
    assert written - listed == set(), "a stage without a line in the table of its folder's __init__.py"
    assert listed - written == set(), "a line in the table without its stage"


def test_the_scan_sees_the_stages_there_are() -> None:
    assert {"regex:Regex", "subword:BPE"} <= stage_classes("tokenizers")
    assert not [place for place in stage_classes("tokenizers") if ":_" in place]


@pytest.mark.parametrize("stage", STAGES, ids=examples.label)
class TestStage:
    def test_it_loads_and_says_its_wires(self, stage: tuple[str, str]) -> None:
        kind, name = stage
        found = slot(kind).load(name)
        assert issubclass(found, FOLDERS[kind][1])
        assert not inspect.isabstract(found), f"{found.__name__} leaves {found.__abstractmethods__} open"
        for wire in (found.takes, found.gives):
            assert issubclass(wire, Wire)
            assert wire is not Wire, f"{found.__name__} does not say what it takes and gives"
        assert slot(kind).name_of(found) == name

    def test_its_docstring_names_its_options(self, stage: tuple[str, str]) -> None:
        found = slot(stage[0]).load(stage[1])
        text = inspect.cleandoc(found.__doc__ or "")
        summary = text.partition("\n")[0]
        assert summary.endswith("."), f"{found.__name__}: the first line is a sentence: {summary!r}"
        _, _, section = text.partition("Options:\n")
        section = re.split(r"\n(?=\S)", section)[0]
        listed = re.findall(r"^    (\w+): \S", section, flags=re.MULTILINE)
        assert listed == list(options_of(found)), f"{found.__name__}: its Options section"

    def test_its_defaults_fit_their_own_annotations(self, stage: tuple[str, str]) -> None:
        for option in options_of(slot(stage[0]).load(stage[1])).values():
            if not option.required:
                assert option.check(option.default) == option.default, option.name

    def test_its_options_have_a_schema(self, stage: tuple[str, str]) -> None:
        for option in options_of(slot(stage[0]).load(stage[1])).values():
            assert option.describe()
            if option.plain:
                assert isinstance(option.schema(), dict)

    def test_a_typo_is_a_clear_error(self, stage: tuple[str, str]) -> None:
        with pytest.raises(ValueError, match="no_such_option: no such option of"):
            check_options(slot(stage[0]).load(stage[1]), {"no_such_option": 1})


@pytest.mark.parametrize("case", examples.cases(*FOLDERS), ids=examples.label)
def test_making_one_only_stores(case: tuple[str, str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    kind, name, options = case
    found = slot(kind).load(name)
    needed = {key for key, option in options_of(found).items() if option.required}
    assert needed <= set(options), f"give examples.OPTIONS[{kind!r}, {name!r}] values for {sorted(needed)}"
    check_options(found, options)  # pydantic may read its own files the first time

    def opened(*arguments: Any, **_: Any) -> Any:
        raise AssertionError(f"the constructor of {name} opened {arguments[0]}")

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", opened)
        patch.setattr(Path, "open", opened)
        made = found(**options)
    assert list(made.options) == list(options_of(found))
    assert made.options == check_options(found, options)
