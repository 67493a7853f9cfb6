"""po and conll: nothing vanishes, nothing is added, and what is doubtful is told."""

from __future__ import annotations

import io
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpipe.datasets.load import load_dataset
from nlpipe.datasets.readers import Layout, Origin, reader
from nlpipe.errors import DataError, NlpipeWarning
from nlpipe.tasks.task import Row
from nlpipe.wire import Tags, Tokens


def rows(form: str, content: str | bytes, columns: dict[str, Any], **layout: Any) -> list[Row]:
    raw = content if isinstance(content, bytes) else content.encode()
    return list(reader(form)([Origin("f", lambda: io.BytesIO(raw))], Layout(columns, **layout)))


def pairs(content: str | bytes) -> list[tuple[str, str]]:
    return [
        (row.fields["source"], row.fields["target"])
        for row in rows("po", content, {"source": "source", "target": "target"})
    ]


def test_a_fuzzy_flag_of_an_obsolete_message_is_its_own() -> None:
    content = (
        '#, fuzzy\n#~ msgid "old"\n#~ msgstr "alt"\n\nmsgid "new"\nmsgstr "neu"\n\n#, fuzzy\nmsgid "a"\nmsgstr "b"\n'
    )
    assert pairs(content) == [("new", "neu")]


def test_escapes_are_bytes_of_the_catalogue() -> None:
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset={}\\n"\n\n'
    assert pairs(header.format("UTF-8") + 'msgid "cafe"\nmsgstr "caf\\303\\251 \\xe2\\x82\\xac\\t\\""\n') == [
        ("cafe", 'caf\u00e9 \u20ac\t"')
    ]
    latin = (header.format("ISO-8859-1") + 'msgid "cafe"\nmsgstr "caf\\351 \u00fc"\n').encode("latin-1")
    assert pairs(latin) == [("cafe", "caf\u00e9 \u00fc")]
    with pytest.raises(DataError, match="f:2: escapes of bytes that are no utf-8"):
        pairs('msgid "a"\nmsgstr "\\303"\n')


def test_strings_may_stand_beside_each_other() -> None:
    assert pairs('msgid "one " "two"  "three"\nmsgstr "" "eins "\n"zwei" "\\n"\n') == [("one twothree", "eins zwei\n")]


def words(content: str, **layout: Any) -> list[list[str]]:
    return [row.fields["token"] for row in rows("conll", content, {"token": 0, "tag": -1}, **layout)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("#\tO\n1\tO\n", [["#", "1"]]),
        ("#tag\tO\nx\tO\n", [["#tag", "x"]]),
        ("# O\nx O\n\n# O\ny O\n", [["#", "x"], ["#", "y"]]),
        ("# id a1 domain=en\nAnna - - B-PER\nleft - - O\n\n# id a2 domain=en\nx - - O\n", [["Anna", "left"], ["x"]]),
        ("# sent_id = 1\n# text = a b\na\tO\nb\tO\n\n# sent_id = 2\nc\tO\n", [["a", "b"], ["c"]]),
        ("1-2\tO\nx\tO\n", [["1-2", "x"]]),
        (" a \t B-X \n b\tO\n", [["a", "b"]]),
        ("a\tO\n\n\ufeffb\tO\n", [["a"], ["b"]]),
        ("\u00a0\tO\nb\tO\n", [["\u00a0", "b"]]),
    ],
)
def test_words_that_look_like_something_else(content: str, expected: list[list[str]]) -> None:
    assert words(content) == expected


def test_a_card_says_what_comments_begin_with() -> None:
    assert words("# a\tO\nb\tO\n", comment="") == [["# a", "b"]]
    assert words("%% note\tO\nb\tO\n", comment="%%") == [["b"]]
    assert words("# a = b\tO\nb\tO\n", comment="# ") == [["b"]]


def test_ranges_vanish_from_conllu_alone() -> None:
    columns = "{0}\t{1}" + "\t_" * 7 + "\tO\n"
    conllu = columns.format("1-2", "im") + columns.format("1", "in") + columns.format("2", "dem")
    assert [row.fields["token"] for row in rows("conll", conllu, {"token": 1, "tag": -1})] == [["in", "dem"]]
    assert [row.fields["token"] for row in rows("conll", "1-2\tim\tO\n", {"token": 1, "tag": -1})] == [["im"]]


def test_types_without_a_prefix_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("".join(f"Anna{i} PER\nis O\nhere O\n\n" for i in range(20)))
    with pytest.warns(NlpipeWarning, match="tags such as 'PER' beside 'O' are read as plain labels.*write I-PER"):
        load_dataset({"task": "tagging", "train": str(tmp_path / "a.conll")})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_dataset({"task": "tagging", "scheme": "none", "train": str(tmp_path / "a.conll")})


CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0\t\n\r\u3000\ufeff")
WORD = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0\t\n\r\u3000\ufeff"), min_size=1, max_size=6).map(
        lambda w: w.strip(" ")
    ),
    st.sampled_from(["#", "#tag", "1-2", "3.1", "\u00a0", "-", "\u0301", "O", '"']),
).filter(lambda word: bool(word) and not word.startswith("-DOCSTART-"))
SENTENCE = st.lists(st.tuples(WORD, st.sampled_from(["O", "B-PER", "I-PER", "B-LOC"])), min_size=1, max_size=5)


@settings(max_examples=60)
@given(st.lists(SENTENCE, min_size=1, max_size=4))
def test_conll_is_read_as_it_was_written(sentences: list[list[tuple[str, str]]]) -> None:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", NlpipeWarning)
        path = Path(folder) / "a.conll"
        lines = ["".join(f"{word}\t{tag}\n" for word, tag in sentence) for sentence in sentences]
        path.write_text("\n".join([*lines, "Anna\tB-PER\nin\tO\nOslo\tB-LOC\n"]), encoding="utf-8", newline="")
        data = load_dataset({"task": "tagging", "scheme": "IOB2", **dict.fromkeys(("train", "dev", "test"), str(path))})
    assert isinstance(data.test.inputs, Tokens) and isinstance(data.test.targets, Tags)
    assert data.test.inputs.words[:-1] == [[word for word, _ in sentence] for sentence in sentences]
