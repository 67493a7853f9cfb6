"""``import:`` in files and ``--import``: modules of the user's own, imported before stages are looked up."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nlpipe
from nlpipe.errors import SpecError
from nlpipe.registry import slot
from nlpipe.spec import read_comparison, read_pipeline, read_pipelines

ROOT = Path(__file__).resolve().parents[3]
STAGE = """\
import nlpipe
from nlpipe.stage import Tokenizer
from nlpipe.tokenizers import Whitespace

@nlpipe.register.tokenizer("shout")
class Shout(Whitespace):
    \"\"\"Words in capitals.\"\"\"
"""
USES = "import: [my_words]\ntokenizer: shout\nrepresentation: bow\nhead: naive_bayes\n"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What a test imports and registers is forgotten; the working directory is another than that of the files."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(slot("tokenizer"), "_registered", {})
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("my_"):
            del sys.modules[name]


def faults(read: object, *arguments: object) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read(*arguments)  # type: ignore[operator]
    return str(caught.value).splitlines()


def test_a_module_beside_the_file_that_names_it_is_imported_first(tmp_path: Path) -> None:
    (tmp_path / "my_words.py").write_text(STAGE)
    (tmp_path / "p.yaml").write_text(USES)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "q.yaml").write_text("extend: ../p.yaml\nseed: 3\n")
    spec = read_pipeline(tmp_path / "c" / "q.yaml")
    assert spec.imports == ("my_words",)
    assert spec.stages[0].name == "shout"
    assert spec.resolved()["import"] == ["my_words"]
    assert read_pipeline(spec.resolved()) == spec
    assert nlpipe.load(tmp_path / "p.yaml").stages[0].__class__.__name__ == "Shout"


def test_without_an_import_there_is_no_key(tmp_path: Path) -> None:
    spec = read_pipeline({"representation": "bow", "head": "naive_bayes"})
    assert spec.imports == () and "import" not in spec.resolved()


def test_imports_from_python_come_beside_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "my_words.py").write_text(STAGE)
    (tmp_path / "here" / "my_more.py").write_text("loaded = True\n")
    (tmp_path / "p.yaml").write_text(USES)
    assert read_pipeline(tmp_path / "p.yaml", (), ["my_more", "my_words"]).imports == ("my_more", "my_words")
    assert sys.modules["my_more"].loaded


def test_a_comparison_and_its_pipelines_import(tmp_path: Path) -> None:
    (tmp_path / "my_words.py").write_text(STAGE)
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "my_more.py").write_text("")
    (tmp_path / "p" / "a.yaml").write_text(USES.replace("my_words", "my_more"))
    (tmp_path / "p" / "b.yaml").write_text("representation: bow\nhead: naive_bayes\n")
    (tmp_path / "c.yaml").write_text("import: my_words\ndata: sample_reviews\npipelines: [p/a.yaml, p/b.yaml]\n")
    spec = read_comparison(tmp_path / "c.yaml")
    assert spec.imports == ("my_words",)
    assert [pipeline.imports for pipeline in spec.pipelines] == [("my_words", "my_more"), ("my_words",)]


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (None, "no module 'my_words' is installed, in the working directory or beside the file that names it"),
        ("x = 1\n1 / 0\n", "FOLDER/my_words.py:2: ZeroDivisionError: division by zero"),
        ("import no_such_package\n", "FOLDER/my_words.py:1: ModuleNotFoundError: No module named 'no_such_package'"),
        ("def f(:\n", "FOLDER/my_words.py:1: invalid syntax"),
        ("raise SystemExit(3)\n", "FOLDER/my_words.py:1: SystemExit: 3"),
        (STAGE.replace("shout", "regex"), "FOLDER/my_words.py:5: the tokenizer name 'regex' is taken; choose another"),
    ],
)
def test_a_module_that_fails_to_import_says_why_at_its_place(module: str | None, reason: str, tmp_path: Path) -> None:
    if module is not None:
        (tmp_path / "my_words.py").write_text(module)
    path = tmp_path / "p.yaml"
    path.write_text("head: naive_bayes\nrepresentation: bow\nimport:\n  - my_words\n")
    reason = reason.replace("FOLDER", str(tmp_path))
    assert faults(read_pipelines, path) == [f"{path}:4:5: import[0]: cannot import 'my_words': {reason}"]
    assert faults(read_pipeline, {"head": "naive_bayes", "representation": "bow"}, (), ["my_gone"]) == [
        "import my_gone: cannot import 'my_gone': "
        "no module 'my_gone' is installed, in the working directory or beside the file that names it"
    ]


@pytest.mark.parametrize("name", ["a b", "../my_words", "my_words.py/", "3", ".x", "[x]"])
def test_what_is_no_name_of_a_module(name: str, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(f"import: [{name}]\nhead: naive_bayes\nrepresentation: bow\n")
    (message,) = faults(read_pipeline, tmp_path / "p.yaml")
    assert "expected the name of a Python module, such as my_stages" in message


def test_two_modules_of_one_name_are_no_one_module(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "my_words.py").write_text("x = 1\n")
        (tmp_path / folder / f"{folder}.yaml").write_text(USES.replace("shout", "regex"))
    first, second = (tmp_path / folder / "my_words.py" for folder in ("a", "b"))
    assert faults(read_comparison, [tmp_path / "a" / "a.yaml", tmp_path / "b" / "b.yaml"], ["data=sample_reviews"]) == [
        f"{tmp_path}/b/b.yaml:1:10: import[0]: 'my_words' is imported already, from {first}; give {second} another name"
    ]


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["list", "tokenizer", "--import", "my_words"], "Words in capitals."),
        (["show", "shout", "--import", "my_words"], "shout (tokenizer): Text → Tokens"),
        (["check", "../p.yaml"], "p: shout → bow → naive_bayes"),
        (["check", "../q.yaml", "--import", "my_words"], "q: shout → bow → naive_bayes"),
        (["check", "../q.yaml", "tokenizer=regex"], "q: regex → bow → naive_bayes"),
    ],
)
def test_commands_import(words: list[str], printed: str, tmp_path: Path) -> None:
    (tmp_path / "here" / "my_words.py").write_text(STAGE)
    (tmp_path / "p.yaml").write_text(USES)
    (tmp_path / "q.yaml").write_text(USES.partition("\n")[2])
    command = [sys.executable, "-c", "from nlpipe.__main__ import main; main()", *words]  # as the script nlpipe starts
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert printed in done.stdout
