"""Data files that are damaged, hostile or unlucky: read, or an error with its place, in bounded memory and time."""

from __future__ import annotations

import gzip
import json
import os
import resource
import signal
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpipe import Pipeline, heads, representations, tokenizers
from nlpipe.classical import examples
from nlpipe.datasets.load import load_dataset
from nlpipe.datasets.readers import lines
from nlpipe.datasets.readers.lines import Origin, file_origin, read_lines
from nlpipe.datasets.time_limit import TimeLimit
from nlpipe.errors import DataError
from nlpipe.stage import LabelHead

ROWS = [(f"text {i}", "yes" if i % 2 else "no") for i in range(20)]


def load(path: Path, **keys: object):
    return load_dataset({"task": "classification", "train": str(path), **keys})


def memory() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("name", ["zeros.csv", "zeros.tsv", "zeros.jsonl", "zeros.conll", "zeros.po"])
def test_a_gzip_of_zeros_is_an_error_in_little_memory(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(b"\0" * (1 << 26)))
    task = {"conll": "tagging", "po": "translation"}.get(name.partition(".")[2], "classification")
    before = memory()
    with pytest.raises(DataError, match=f"{name}.gz: unpacks to more than 200 times its size"):
        load(tmp_path / f"{name}.gz", task=task)
    assert memory() - before < 200 << 20


def test_a_gzip_of_blank_lines_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"text,label\n" + b"\n" * (1 << 23)))
    with pytest.raises(DataError, match="unpacks to more than 200 times its size"):
        load(tmp_path / "a.csv.gz")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_line_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 1000)
    monkeypatch.setattr(lines, "BUFFER", 512)
    (tmp_path / "a.txt").write_text(f"{'a' * 400}\n{'b' * 5000}\n", encoding=encoding)
    with pytest.raises(DataError, match=r"a.txt:2: the line is longer than \d+ MiB; is this a file of texts"):
        list(read_lines(file_origin(tmp_path / "a.txt"), encoding))


@settings(max_examples=100)
@given(st.binary(), st.integers(1, 9))
def test_lines_are_those_of_python(content: bytes, size: int) -> None:
    content = content.replace(b"\0", b"\n").replace(b"\r", b"").replace(b"\x1f", b"")
    origin = Origin("a", lambda: BytesIO(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BUFFER", size)
        assert [line.encode("latin-1") for line in read_lines(origin, "latin-1")] == list(BytesIO(content))


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le", "cp037"])
@pytest.mark.parametrize("packed", [False, True])
def test_files_that_end_lines_in_carriage_returns(tmp_path: Path, suffix: str, encoding: str, packed: bool) -> None:
    if suffix == "jsonl":
        written = [json.dumps({"text": text, "label": label}) for text, label in ROWS]
    else:
        mark = "," if suffix == "csv" else "\t"
        written = [mark.join(row) for row in [("text", "label"), *ROWS]]
    content = "".join(f"{line}\r" for line in written).encode(encoding)
    path = tmp_path / (f"a.{suffix}" + ".gz" * packed)
    path.write_bytes(gzip.compress(content) if packed else content)
    columns = {"text": "text", "label": "label"}
    data = load(path, dev=str(path), test=str(path), encoding=encoding, columns=columns)
    assert data.train.inputs.strings == [text for text, _ in ROWS]  # type: ignore[attr-defined]
    assert data.train.targets.values == [label for _, label in ROWS]  # type: ignore[attr-defined]


def test_a_file_that_changes_its_line_ends_says_where(tmp_path: Path) -> None:
    content = "".join(f"{text}\t{label}\r" for text, label in ROWS * 7000)
    (tmp_path / "a.tsv").write_text(f"text\tlabel\r{content}one\tyes\ntwo\tno\r", newline="")
    with pytest.raises(DataError, match=r"a.tsv:140002: a line feed, where the lines before end in carriage returns"):
        load(tmp_path / "a.tsv")


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe.csv")
    return tmp_path / "pipe.csv"


def test_pipes_and_devices_are_no_data_files(pipe: Path) -> None:
    with pytest.raises(DataError, match="this is a pipe or a device, not a file"):
        load(pipe)
    with pytest.raises(DataError, match="this is a pipe or a device, not a file"):
        load(Path("/dev/zero"), format="csv")


@pytest.mark.parametrize(
    "name", ["undefined", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "rot13", "hex"]
)
def test_codecs_that_are_no_encodings_of_files(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.tsv").write_text("x--\tyes\n")
    with pytest.raises(DataError, match=f"there is no encoding '{name}'"):
        load(tmp_path / "a.tsv", encoding=name)


def table(folder: Path, *texts: str) -> Path:
    rows = [("text", "label"), *ROWS, *((text, "no") for text in texts)]
    (folder / "a.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in rows))
    return folder / "a.tsv"


@pytest.mark.parametrize("pattern", ["/(a+)+$/", r"/(\w+\s?)+!/", "/(a|aa)+$/", "/^(a?){40}a{40}$/"])
def test_a_regular_expression_without_end_is_stopped(
    tmp_path: Path, pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TimeLimit.__init__, "__defaults__", (0.2,))
    with pytest.raises(DataError, match=r"a.tsv:22: replace: a regular expression took more than 2 seconds here"):
        load(table(tmp_path, "a" * 39 + "?" + "a" * 40 + "?"), replace={pattern: ""})


def test_the_time_limit_leaves_signals_as_they_were() -> None:
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _: rung.append(number))
    try:
        with TimeLimit(5):
            pass
        with pytest.raises(TimeoutError), TimeLimit(0.05) as limit:
            limit.step()
            while True:
                pass
        signal.raise_signal(signal.SIGALRM)
        assert len(rung) == 1
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    ("replace", "fault"),
    [
        ({"/(a)b/": r"\2"}, r"invalid value '\\2': .* invalid group reference 2"),
        ({"/(a)b/": r"\g<name>"}, "unknown group name 'name'"),
        ({"/a/": "\\"}, "bad escape"),
        ({"/a{99999999999}/": "b"}, "expected a regular expression"),
        ({"/" + "(" * 5000 + ")" * 5000 + "/": "b"}, "expected a regular expression"),
        ({"": "b"}, "invalid value '': expected what is to be replaced"),
    ],
)
def test_replacements_that_cannot_be_made(tmp_path: Path, replace: dict[str, str], fault: str) -> None:
    with pytest.raises(DataError, match=f"data: replace: .*{fault}"):
        load(table(tmp_path), replace=replace)


def test_a_text_that_grows_by_replacements_has_a_bound(tmp_path: Path) -> None:
    doubled = {chr(letter): chr(letter + 1) * 2 for letter in range(ord("a"), ord("z"))}
    with pytest.raises(DataError, match=r"a.tsv:22: replace: the text grows to more than 32 million characters"):
        load(table(tmp_path, "a" * 1000), replace={"text": "-", **doubled})
    with pytest.raises(DataError, match=r"a.tsv:22: replace: the text grows"):
        load(table(tmp_path, "a" * 100_000), replace={"/[a]/": "b" * 100_000})


def test_too_many_labels_are_an_error_before_anything_is_learned(tmp_path: Path) -> None:
    many = [(f"text {i}", f"label {i // 3}") for i in range(60_000)]
    content = "".join(f"{text}\t{label}\n" for text, label in [("text", "label"), *many])
    (tmp_path / "a.tsv").write_text(content)
    with pytest.raises(
        DataError, match=r"a.tsv: 20,000 labels and 15,000 examples of the dev split give more than 50 m"
    ):
        load(tmp_path / "a.tsv", splits={"dev": 15_000, "test": 0.05})


@pytest.mark.parametrize(
    "head", [heads.NaiveBayes, heads.LogisticRegression, heads.LinearSVM, heads.NBSVM, heads.Perceptron]
)
def test_labels_that_do_not_fit_in_memory_are_an_error(head: type[LabelHead], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "_memory", lambda: 100_000)
    texts = [f"word{i} film" for i in range(200)] * 2
    pipeline = Pipeline([tokenizers.Regex(), representations.BagOfWords(), head()])
    with pytest.raises(DataError, match=r"202 features and 200 labels need .* GB of memory"):
        pipeline.fit(texts, [f"label {i % 200}" for i in range(400)])
