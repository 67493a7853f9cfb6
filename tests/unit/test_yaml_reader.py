# ruff: noqa: E501 - messages stand whole
"""One reader for all YAML: pipeline files, cards, overrides and ``--set`` read the same language, within bounds."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from nlpipe.bulk.answers import change
from nlpipe.datasets import find_card
from nlpipe.errors import CardError, NlpipeError, NlpipeWarning, SpecError
from nlpipe.heads import LogisticRegression
from nlpipe.pipeline import Pipeline
from nlpipe.representations import TfIdf
from nlpipe.spec import read_pipeline
from nlpipe.spec.overrides import read_overrides
from nlpipe.tokenizers import Regex
from nlpipe.yaml_reader import MAX_BYTES, parse, read_yaml, to_yaml
from nlpipe.yaml_values import MAX_NODES, Place, from_plain

SPELLINGS: list[tuple[str, Any]] = [
    ("6e-1", 0.6),
    ("1e3", 1000.0),
    (".5", 0.5),
    ("0x1F", 31),
    ("0o17", 15),
    ("17", 17),
    ("true", True),
    ("yes", "yes"),
    ("No", "No"),
    ("on", "on"),
    ("1:30", "1:30"),
    ("1_000", "1_000"),
    ("0b101", "0b101"),
    ("2024-05-01", "2024-05-01"),
    ("2024-05-01 10:00:00", "2024-05-01 10:00:00"),
    ("=", "="),
    ("~", None),
    ("", None),
    ("'yes'", "yes"),
    ("[1, yes]", [1, "yes"]),
    ("{no: 1:30}", {"no": "1:30"}),
]


class Head(LogisticRegression):
    """Keeps what it is changed to."""

    def change(self, **options: Any) -> None:
        self.changed = options


@pytest.mark.parametrize(("written", "value"), SPELLINGS)
def test_every_door_reads_the_same(written: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(f"key: {written}\n")
    assert read_yaml(path).plain() == {"key": value}  # pipelines, comparisons and cards are read so
    (override,) = read_overrides([f"head.x={written}"])
    assert override.value.plain() == value
    pipeline = Pipeline([Regex(), TfIdf(), Head()])
    change(pipeline, [f"x={written}"])
    assert pipeline.head.changed == {"x": value}  # type: ignore[attr-defined]
    assert from_plain(value, Place("python")).plain() == value
    assert parse(to_yaml({"key": value}), Place("again")).plain() == {"key": value}


@pytest.mark.parametrize(
    ("option", "typed", "hint"),
    [
        ("lowercase", "yes", "YAML 1.2 reads yes as text (YAML 1.1 as true): write true"),
        ("lowercase", "Off", "YAML 1.2 reads Off as text (YAML 1.1 as false): write false"),
        ("min_count", "1_000", "YAML 1.2 reads 1_000 as text (YAML 1.1 as 1000): write 1000"),
        ("min_count", "1:30", "YAML 1.2 reads 1:30 as text (YAML 1.1 as 90): write 90"),
        ("min_count", "-0b101", "YAML 1.2 reads -0b101 as text (YAML 1.1 as -5): write -5"),
        ("stop_words", "[a, 1e3]", "text is written in quotes: '1e3'"),
        ("stop_words", "[a, true]", "text is written in quotes: 'true'"),
        ("min_count", "many", ""),
        ("min_count", "0", ""),
    ],
)
def test_a_fault_that_comes_from_the_spelling_says_what_to_write(option: str, typed: str, hint: str) -> None:
    stage = "tokenizer" if option == "lowercase" else "representation"
    pipeline = {"representation": "bow", "head": "naive_bayes"}
    with pytest.raises(SpecError) as caught:
        read_pipeline(pipeline, [f"{stage}.{option}={typed}"])
    (fault,) = caught.value.faults
    assert fault.message.endswith(f"; {hint}") if hint else "YAML" not in fault.message and ";" not in fault.message


def test_an_octal_number_of_yaml_1_1_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("representation: bow\nhead: naive_bayes\nseed: 010\n")
    message = (
        r"p\.yaml:3:7: seed: YAML 1\.2 reads 010 as the number 10, YAML 1\.1 as an octal number; write 10, or '010'"
    )
    with pytest.warns(NlpipeWarning, match=message):
        assert read_pipeline(tmp_path / "p.yaml").seed == 10


CARD = "task: classification\ntrain: a.csv\n"


def card_fault(text: str | bytes, path: Path) -> list[str]:
    """The faults of a card, without the name of its file."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(CardError) as caught:
        find_card(str(path))
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("labels: [010, 1.0, 1e3]\n", [
            "3:10: labels[0]: YAML reads 010 as a number, so that the text would be '10'; write '010' in quotes",
            "3:20: labels[2]: YAML reads 1e3 as a number, so that the text would be '1000.0'; write '1e3' in quotes",
        ]),
        ("labels: {a: 0x10, b: true, c: null}\n", [
            "3:13: labels.a: YAML reads 0x10 as a number, so that the text would be '16'; write '0x10' in quotes",
            "3:22: labels.b: invalid value true: expected text; put it in quotes",
            "3:31: labels.c: invalid value null: expected text; put it in quotes",
        ]),
        ("where: {zip: 01234}\n", ["3:14: where.zip: YAML reads 01234 as a number, so that the text would be '1234'; write '01234' in quotes"]),
        ("title: 2024\n", [
            "3:8: title: invalid value 2024: expected a valid string; text is written in quotes: '2024'"]),
        ("header: yes\n", [
            "3:9: header: invalid value 'yes': expected a valid boolean; "
            "YAML 1.2 reads yes as text (YAML 1.1 as true): write true"]),
        ("splits: {dev: 1.5, seed: x}\n", [
            "3:15: splits.dev: invalid value 1.5: expected a valid integer or a number less than 1",
            "3:26: splits.seed: invalid value 'x': expected a valid integer"]),
        ("columns: {text: 1.5}\n", [
            "3:17: columns.text: invalid value 1.5: expected a valid integer or a valid string or a list; "
            "text is written in quotes: '1.5'"]),
        ("encoding: undefined\n", ["3:11: encoding: there is no encoding 'undefined'; known: cp1252, latin-1, utf-16, utf-8"]),
        ("licence: \"\\UFFFFFFFF\"\n", ["3:1: an escape after this place is not a character"]),
        (f"splits: {{seed: {'9' * 5000}}}\n", ["3:16: splits.seed: 99999999999999999999… is not a finite number"]),
        (f"notes: {'[' * 5000}\n", [f"3:48: notes{'[0]' * 40}: nested more than 40 deep"]),
        ("notes: !!python/name:os.system x\n", [
            "3:8: notes: the tag !!python/name:os.system is not allowed; write the plain value"]),
        ("licence: caf\xe9\n".encode("latin-1"), ["3:13: byte 0xe9 is not UTF-8; save the file as UTF-8"]),
        ("licence: \x07\n", ["3:10: the character U+0007 is not allowed in YAML"]),
    ],
)  # fmt: skip
def test_faults_of_a_card_have_their_place(text: str | bytes, faults: list[str], tmp_path: Path) -> None:
    written = CARD.encode() + (text.encode() if isinstance(text, str) else text)
    assert card_fault(written, tmp_path / "card.yaml") == faults


def test_text_in_a_card_is_text(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(f"{CARD}licence: 2024-05-01\nlabels: [yes, no, 1:30, 1, 1.0]\nwhere: {{lang: no}}\n")
    card = find_card(str(path)).card
    assert card.licence == "2024-05-01"
    assert card.order() == ("yes", "no", "1:30", "1", "1.0")
    assert card.where == {"lang": "no"}


def test_a_card_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(20))
    started = time.process_time()
    assert card_fault(bomb, path)[-1].endswith(f"a4: more than {MAX_NODES} values")
    assert card_fault("x" * (MAX_BYTES + 1), path) == [" more than 256 KiB; expected a pipeline, comparison or card"]
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(CardError, match="this is a pipe or a device, not a file"):
        find_card(str(path))
    with pytest.raises(SpecError, match="this is a pipe or a device, not a file"):
        read_pipeline("/dev/zero")
    assert time.process_time() - started < 5


def test_data_in_python_is_bounded() -> None:
    bomb: Any = ["x"] * 9
    for _ in range(20):
        bomb = [bomb] * 9
    loop: list[Any] = []
    loop.append(loop)
    for content, message in [
        (bomb, "more than 20000 values"),
        (loop, "nested more than 40 deep"),
        (10**5000, "an integer of more than 400 digits is too large"),
        ({1: "a", "1": "b"}, "the key '1' is given twice"),
        (float("inf"), "invalid value inf: expected a plain value"),
    ]:
        with pytest.raises(SpecError, match=message):
            read_pipeline({"head": {"name": content}})
        with pytest.raises(CardError, match=message):
            find_card({"task": "classification", "notes": content})


def test_a_fault_of_set_names_what_was_typed() -> None:
    pipeline = Pipeline([Regex(), TfIdf(), LogisticRegression()])
    for typed in ("beam=[", "beam=\tx", 'beam="\\UFFFFFFFF"', "beam=!x y"):
        with pytest.raises(NlpipeError) as caught:
            change(pipeline, [typed])
        assert str(caught.value).startswith(f"--set {typed}: ")
