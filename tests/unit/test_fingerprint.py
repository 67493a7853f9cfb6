"""A fingerprint differs where code differs, and only there: modules, bases, versions, code without a file."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import nlpipe
from nlpipe import fingerprint as fingerprints
from nlpipe.encoders import Max
from nlpipe.fingerprint import ALONE, ROOMS, fingerprint, is_own, source_hash
from nlpipe.pipeline import feature_cache, stage_digest
from nlpipe.runs.costs import process_environment
from nlpipe.tokenizers import Regex, Whitespace
from nlpipe.wire import Text

ROOT = Path(nlpipe.__file__).parent
MODULE = "from {base} import {name}\n\n\nclass Mine({name}):\n    def double(self, x):\n        return {factor} * x\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes a module of the user's and imports it afresh."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(stem: str, **parts: object) -> type:
        (tmp_path / f"{stem}.py").write_text(MODULE.format(**parts))
        importlib.invalidate_caches()
        monkeypatch.delitem(sys.modules, stem, raising=False)
        fingerprints._version.cache_clear()
        return importlib.import_module(stem).Mine

    return write


def test_it_depends_on_the_module_and_on_what_the_class_derives_from(module) -> None:
    base = fingerprint(module("base_stage", base="nlpipe.encoders", name="Max", factor=2))
    first = module("my_stage", base="base_stage", name="Mine", factor=3)
    assert not is_own(first) and is_own(Max)
    same = module("my_stage", base="base_stage", name="Mine", factor=3)
    assert same is not first and fingerprint(same) == fingerprint(first)
    assert fingerprint(module("my_stage", base="base_stage", name="Mine", factor=4)) != fingerprint(first)
    other_base = module("base_stage", base="nlpipe.encoders", name="Max", factor=5)
    assert fingerprint(other_base) != base
    assert fingerprint(module("my_stage", base="base_stage", name="Mine", factor=3)) != fingerprint(first)


def test_what_is_in_memory_counts_not_what_the_file_became(module, tmp_path: Path) -> None:
    loaded = module("my_stage", base="nlpipe.encoders", name="Max", factor=3)
    before = fingerprint(loaded)
    (tmp_path / "my_stage.py").write_text("edited")
    assert fingerprint(loaded) == before


def test_it_depends_on_the_version_of_the_distribution(module, tmp_path: Path) -> None:
    prints = []
    for version in ("1.0", "1.1", "1.0"):
        information = tmp_path / "my_stage-1.dist-info"
        information.mkdir(exist_ok=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: my_stage\nVersion: {version}\n")
        prints.append(fingerprint(module("my_stage", base="nlpipe.encoders", name="Max", factor=3)))
    assert prints[0] == prints[2] != prints[1]


PROGRAM = """
from nlpipe.encoders import Max
from nlpipe.fingerprint import fingerprint

class Mine(Max):
    names = {"a", "b", "c", "d", "e"}
    def double(self, x, factor=FACTOR):
        return [y for y in [x, factor] if y in {"p", "q", "r"}]
    @property
    def half(self): return HALF

print(fingerprint(Mine))
"""


def test_code_without_a_file_has_one_too_the_same_in_every_process() -> None:
    def of(factor: str, half: str, seed: str) -> str:
        program = PROGRAM.replace("FACTOR", factor).replace("HALF", half)
        environment = {**process_environment(1), "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-"], input=program, capture_output=True, text=True, check=True, env=environment
        )
        return done.stdout.strip()

    first = of("2", "3", seed="1")
    assert len(first) == 16 and first == of("2", "3", seed="2")
    assert len({first, of("4", "3", seed="1"), of("2", "5", seed="1")}) == 3


def test_features_on_disk_are_named_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    for changed in ("one", "two", "one"):
        monkeypatch.setattr(stage_digest, "fingerprint", lambda owner, changed=changed: f"{owner.__name__} {changed}")
        names.append(feature_cache.entry_name([Max()], Text(["a"]), "source"))
    assert names[0] == names[2] != names[1]


def test_each_class_has_its_own() -> None:
    assert len({fingerprint(owner) for owner in (Regex, Whitespace, Max)}) == 3
    assert len(source_hash()) == 64


HARMLESS = {
    "errors",
    "threads",
    "files",
    "fingerprint",
    "json_reader",
    "names",
    "options",
    "registry",
    "use_order",
    "wheels",
}
"""Files that stages import and that do not decide what a pipeline gives."""


def test_the_hash_of_nlpipe_covers_all_that_its_stages_import() -> None:
    imported: set[str] = set()
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "nlpipe":
                    names = [node.module.split(".")[1]] if "." in node.module else [each.name for each in node.names]
                    imported.update(names)
    assert imported - {*ROOMS, *ALONE} <= HARMLESS
    assert all((ROOT / room).is_dir() for room in ROOMS) and all((ROOT / f"{name}.py").is_file() for name in ALONE)
