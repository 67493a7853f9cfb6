"""Front doors: names, nearest names, entry points, conflicts, and extras that are missing."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.metadata
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

import nlpipe.tokenizers
from nlpipe.errors import MissingExtra, NlpipeError, NlpipeWarning
from nlpipe.registry import Slot, missing_extra, register, slot
from nlpipe.stage import Encoder, Tokenizer
from nlpipe.tokenizers import Regex, Whitespace

TABLE = {"regex": "regex:Regex", "whitespace": "whitespace:Whitespace", "gone": "gone:Gone"}


@pytest.fixture
def made() -> Slot[Tokenizer]:
    """A slot of its own, so that what a test registers is gone with it."""
    return Slot("tokenizer", Tokenizer, "nlpipe.tokenizers", TABLE)


class Mine(Whitespace):
    """Splits at white space, for a test."""


class Blocker(importlib.abc.MetaPathFinder):
    """Lets a package look as if it were not installed."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def test_a_name_loads_its_class(made: Slot[Tokenizer]) -> None:
    assert made.load("regex") is Regex
    assert made.name_of(Regex) == "regex"
    assert made.summary("regex").startswith("Find words with a regular expression")


def test_a_wrong_name_has_its_nearest(made: Slot[Tokenizer]) -> None:
    with pytest.raises(NlpipeError, match=r"^there is no tokenizer 'regx'; did you mean 'regex'\?$"):
        made.load("regx")
    with pytest.raises(NlpipeError, match=r"there is no tokenizer 'qqq'; known: gone, regex, whitespace$"):
        made.load("qqq")
    with pytest.raises(NlpipeError, match=r"there is no slot 'tokeniser'; did you mean 'tokenizer'\?"):
        slot("tokeniser")


def test_a_module_of_ours_that_is_missing_is_a_bug(made: Slot[Tokenizer]) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"nlpipe\.tokenizers\.gone"):
        made.load("gone")


def test_register_and_conflicts(made: Slot[Tokenizer]) -> None:
    assert made.register("mine")(Mine) is Mine
    assert made.register("mine")(Mine) is Mine  # the same again is no conflict
    assert made.load("mine") is Mine
    assert made.name_of(Mine) == "mine"
    assert "mine" in made.names()
    assert made.summary("mine") == "Splits at white space, for a test."
    for name in ("mine", "regex"):
        with pytest.raises(NlpipeError, match=f"the tokenizer name '{name}' is taken; choose another"):
            made.register(name)(Whitespace)


def test_register_takes_stages_of_its_slot_alone(made: Slot[Tokenizer]) -> None:
    with pytest.raises(NlpipeError, match="does not derive from Tokenizer"):
        made.register("wrong")(Encoder)  # type: ignore[arg-type]
    assert "wrong" not in made.names()
    with pytest.raises(
        NlpipeError, match=r"Mine is not a registered tokenizer: write @nlpipe.register.tokenizer\('name'\)"
    ):
        made.name_of(Mine)
    with pytest.raises(AttributeError, match="there is no slot 'encodr'; did you mean 'encoder'"):
        register.encodr  # noqa: B018
    assert callable(register.encoder)


def test_entry_points_of_other_packages(made: Slot[Tokenizer], monkeypatch: pytest.MonkeyPatch) -> None:
    def entry_points(group: str) -> list[importlib.metadata.EntryPoint]:
        assert group == "nlpipe.tokenizers"
        return [
            importlib.metadata.EntryPoint("theirs", f"{__name__}:Mine", group),
            importlib.metadata.EntryPoint("wrong", "json:JSONEncoder", group),
            importlib.metadata.EntryPoint("lacking", "no_such_package:Stage", group),
            importlib.metadata.EntryPoint("regex", f"{__name__}:Mine", group),
        ]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    said = f"the package {__name__}:Mine offers a tokenizer called 'regex', which nlpipe has: that is used"
    with pytest.warns(NlpipeWarning, match=said):
        assert made.load("theirs") is Mine
    assert made.name_of(Mine) == "theirs"
    assert made.load("regex") is Regex  # the built-in one is not overridden
    with pytest.raises(NlpipeError, match="does not derive from Tokenizer"):
        made.load("wrong")
    with pytest.raises(MissingExtra, match=r"needs the package 'no_such_package', .*; pip install no_such_package$"):
        made.load("lacking")


def test_a_package_that_fails_to_import_and_a_name_that_two_offer_are_told(
    made: Slot[Tokenizer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "failing_plugin.py").write_text("class Half(:\n")
    (tmp_path / "poor_plugin.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        importlib.metadata.EntryPoint("broken", "failing_plugin:Half", "nlpipe.tokenizers"),
        importlib.metadata.EntryPoint("absent", "poor_plugin:Half", "nlpipe.tokenizers"),
        importlib.metadata.EntryPoint("both", f"{__name__}:Mine", "nlpipe.tokenizers"),
        importlib.metadata.EntryPoint("both", "poor_plugin:Half", "nlpipe.tokenizers"),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    with pytest.raises(
        NlpipeError, match=r"tokenizer 'broken' of the package failing_plugin:Half: importing .* failed: S"
    ):
        made.load("broken")
    with pytest.raises(NlpipeError, match=r"'absent' of the package poor_plugin:Half: importing .* AttributeError"):
        made.load("absent")
    with pytest.raises(
        NlpipeError, match=r"poor_plugin:Half and .*Mine both offer a tokenizer called 'both'; remove one"
    ):
        made.load("both")


def test_the_same_definition_again_takes_the_place_of_the_earlier(made: Slot[Tokenizer]) -> None:
    """As when a notebook's cell is run twice."""

    def cell() -> type[Tokenizer]:
        class Again(Whitespace):
            """Of one file and one name."""

        return made.register("again")(Again)

    first, second = cell(), cell()
    assert first is not second and made.load("again") is second

    class Other(Whitespace):
        """Of another name."""

    with pytest.raises(NlpipeError, match=r"the tokenizer name 'again' is taken; choose another \(.*Again has it\)"):
        made.register("again")(Other)


@pytest.mark.parametrize(("package", "name", "extra"), [("spacy", "spacy", "spacy"), ("tokenizers", "bpe", "subword")])
def test_a_missing_extra_says_how_to_install_it(
    package: str, name: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = slot("tokenizer").table[name].partition(":")[0]
    for loaded in [m for m in sys.modules if m == module or m.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.delattr(nlpipe.tokenizers, module.rpartition(".")[2], raising=False)
    monkeypatch.setattr(sys, "meta_path", [Blocker(package), *sys.meta_path])
    said = (
        f"tokenizer '{name}' needs the package '{package}', which is not installed; pip install \"nlpipe\\[{extra}\\]\""
    )
    with pytest.raises(MissingExtra, match=said):
        slot("tokenizer").load(name)


def test_missing_extra_of_a_submodule() -> None:
    error = missing_extra("encoder 'lstm'", ModuleNotFoundError("no", name="torch.nn"))
    assert (
        str(error) == "encoder 'lstm' needs the package 'torch', which is not installed; pip install \"nlpipe[neural]\""
    )


def test_a_front_door_gives_its_classes() -> None:
    assert nlpipe.tokenizers.Regex is Regex
    with pytest.raises(AttributeError, match=r"module 'nlpipe\.tokenizers' has no attribute 'Regx'"):
        nlpipe.tokenizers.Regx  # noqa: B018
