"""conll files: columns, sentences, comments, and every fault with its line."""

from __future__ import annotations

import json
import warnings

import pytest

from nlpipe.datasets.load import load_dataset
from nlpipe.datasets.readers.conll import read_conll
from nlpipe.datasets.readers.lines import Layout, file_origin
from nlpipe.errors import DataError, NlpipeWarning


def read(tmp_path, text, columns=None, **layout):
    path = tmp_path / "a.conll"
    path.write_text(text, encoding="utf-8")
    rows = read_conll([file_origin(path)], Layout(columns or {"token": 0, "tag": -1}, **layout))
    return [(row.fields["token"], row.fields["tag"], row.lines) for row in rows]


@pytest.mark.parametrize(
    "text",
    [
        "Anna\tB-PER\nis\tO\n\nhere\tO\n",
        "Anna\tB-PER\nis\tO\n\t\nhere\tO",  # a lone tab ends a sentence
        "Anna B-PER\nis   O\n \nhere O\n",
        "Anna\tB-PER\r\nis\tO\r\n\r\nhere\tO\r\n",
        "-DOCSTART- O\nAnna\tB-PER\nis\tO\n-DOCSTART-\tO\nhere\tO\n\n\n",
        "# text = Anna is\nAnna\tB-PER\nis\tO\n\n# newdoc\nhere\tO\n",
    ],
)
def test_sentences(tmp_path, text):
    assert [found[:2] for found in read(tmp_path, text)] == [(["Anna", "is"], ["B-PER", "O"]), (["here"], ["O"])]


def test_lines_are_known_and_words_may_begin_with_a_hash(tmp_path):
    assert read(tmp_path, "\n#oslo\tB-LOC\n#now\tO\n") == [(["#oslo", "#now"], ["B-LOC", "O"], [2, 3])]


def test_no_break_spaces_do_not_separate(tmp_path):
    assert read(tmp_path, "New\u00a0York B-LOC\n")[0][0] == ["New\u00a0York"]


def test_ranges_and_empty_nodes_of_conllu_are_no_tokens(tmp_path):
    text = "# sent_id = 1\n1-2\tdel\t_\n1\tde\tADP\n2\tel\tDET\n2.1\tx\t_\n3\tmar\tNOUN\n"
    assert read(tmp_path, text, {"token": 1, "tag": 2})[0][:2] == (["de", "el", "mar"], ["ADP", "DET", "NOUN"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tO\nb\n", "a.conll:2: too few columns: 1, where the first token has 2"),
        ("a\tO\nb\tx\tO\n", "a.conll:2: too many columns: 3, where the first token has 2"),
        ("a\tO\n\tO\n", "a.conll:2: the token is empty; end a sentence with a blank line"),
        ("a\nb\n", "token and tag are the same column"),
        ("\n\n", "a.conll: the file is empty"),
    ],
)
def test_faults_have_their_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message.replace(".", r"\.")):
        read(tmp_path, text)


def test_columns_go_by_number(tmp_path):
    with pytest.raises(DataError, match="conll has no column named 'word' for 'token'"):
        read(tmp_path, "a\tO\n", {"token": "word", "tag": -1})
    with pytest.raises(DataError, match="there is no column 5 for 'tag'; the first token has 2, 0 to 1"):
        read(tmp_path, "a\tO\n", {"token": 0, "tag": 5})


def load(tmp_path, text, name="a.conll", **card):
    (tmp_path / name).write_text(text, encoding="utf-8")
    splits = {"train": name, "dev": name, "test": name}
    return load_dataset({"task": "tagging", **splits, **card}, tmp_path)


@pytest.mark.parametrize("name", ["a.conll", "a.txt", "a.tsv", "a.iob"])
def test_any_ending_but_jsonl_is_conll(tmp_path, name):
    assert load(tmp_path, "Anna\tB-PER\n", name).train.targets.values == [["B-PER"]]


def test_schemes_become_iob2_and_what_breaks_them_is_counted(tmp_path):
    data = load(tmp_path, "a\tI-X\nb\tI-X\nc\tB-X\nd\tO\ne\tB-Y\n", scheme="IOB1")
    assert data.train.targets.values == [["B-X", "I-X", "B-X", "O", "B-Y"]]
    assert data.ledger["train"].counts["tags_out_of_scheme"] == 1
    assert data.ledger["train"].examples["tags_out_of_scheme"][0].endswith("a.conll:5: B-Y after O")
    assert data.labels == ("B-X", "B-Y", "I-X", "O")


def test_the_scheme_of_train_is_that_of_dev_and_test(tmp_path):
    (tmp_path / "other.conll").write_text("a\tE-X\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"other\.conll:1: 'E-X' is not a tag of IOB2"):
        load_dataset({"task": "tagging", "train": "a.conll", "dev": "other.conll"}, write(tmp_path, "a\tB-X\nb\tI-X\n"))


def test_a_scheme_that_was_told_from_tags_is_named_where_others_break_it(tmp_path):
    (tmp_path / "other.conll").write_text("a\tI-X\nb\tB-X\n", encoding="utf-8")
    data = {"task": "tagging", "train": "a.conll", "dev": "other.conll", "test": "other.conll"}
    folder = write(tmp_path, "a\tI-X\nb\tO\n" * 5)
    with pytest.raises(DataError, match=r"other\.conll:2: .* of IO, .* looked like IO: data\.scheme says which"):
        load_dataset(data, folder)
    assert load_dataset({**data, "scheme": "IOB1"}, folder).dev.targets.values == [["B-X", "B-X"]]


@pytest.mark.parametrize("tag", ["B_PER", "b-PER", "I/PER"])
def test_misspelt_marks_are_told(tmp_path, tag):
    with pytest.warns(NlpipeWarning, match=f"tags such as '{tag}' are read as plain labels"):
        load(tmp_path, f"a\t{tag}\nb\tO\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(tmp_path, f"a\t{tag}\nb\tO\n", scheme="none")
        load(tmp_path, "a\tNOUN\nb\tVERB\n")


def test_other_names_of_schemes(tmp_path):
    data = load(tmp_path, "a\tB-X\nb\tI-X\nc\tO\n", scheme="BIO")
    assert data.train.targets.values[0] == ["B-X", "I-X", "O"]


def write(tmp_path, text):
    (tmp_path / "a.conll").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_tag_without_a_type_has_its_line(tmp_path):
    with pytest.raises(DataError, match=r"a\.conll:2: the tag 'B' has no type; write B-TYPE"):
        load(tmp_path, "a\tO\nb\tB\n")


def test_unknown_scheme_and_scheme_of_another_task(tmp_path):
    with pytest.raises(DataError, match="there is no scheme 'IOBS'; did you mean 'IOBES'"):
        load(tmp_path, "a\tO\n", scheme="IOBS")
    with pytest.raises(DataError, match="classification has no scheme"):
        load_dataset({"task": "classification", "train": "a.csv", "scheme": "IOB2"}, tmp_path)


def test_tokens_may_be_cleaned_by_a_pattern(tmp_path):
    data = load(tmp_path, "口0\tO\n味1\tB-X\n", replace={"/[0-9]$/": ""})
    assert data.train.inputs.words == [["口", "味"]]
    with pytest.raises(DataError, match="expected a regular expression"):
        load(tmp_path, "a\tO\n", replace={"/[/": ""})


def spans(tmp_path, *records):
    text = "\n".join(json.dumps(record) for record in records)
    return load(tmp_path, text, "a.jsonl", columns={"text": "text", "entities": "entities"})


def test_spans_of_characters_become_tags(tmp_path):
    text = "Zo\u00eb visited New York 🙂."
    entities = [{"start": 0, "end": 3, "label": "PER"}, [12, 21, "LOC"]]
    data = spans(tmp_path, {"text": text, "entities": entities})
    assert data.train.inputs.words == [["Zoë", "visited", "New", "York", "🙂", "."]]
    assert data.train.targets.values == [["B-PER", "O", "B-LOC", "I-LOC", "O", "O"]]
    assert [text[a:b] for a, b in data.train.inputs.spans(0)] == data.train.inputs.words[0]


def test_spans_that_are_lost_are_counted(tmp_path):
    entities = [[0, 4, "X"], [1, 4, "Y"], [0, 9, "Z"]]
    data = spans(tmp_path, {"text": "Anna Berg", "entities": entities})
    assert data.train.targets.values == [["B-Z", "I-Z"]]
    assert data.ledger["train"].counts["entities_not_at_words"] == 1
    assert data.ledger["train"].counts["entities_overlapping"] == 1
    assert "'nna' (Y, 1-4)" in data.ledger["train"].examples["entities_not_at_words"][0]


@pytest.mark.parametrize(
    ("entity", "message"),
    [
        ([0, 99, "X"], "0 to 99 is not inside a text of 4 characters"),
        ([3, 3, "X"], "3 to 3 is not inside a text"),
        ([0, 2], "is not an entity; write {start, end, label}"),
        ({"start": 0, "end": 2}, "is not an entity"),
        ("Anna", "is not an entity"),
    ],
)
def test_spans_out_of_range_have_their_line(tmp_path, entity, message):
    with pytest.raises(DataError, match=rf"a\.jsonl:1: column 'entities': .*{message}"):
        spans(tmp_path, {"text": "Anna", "entities": [entity]})


def test_lists_in_jsonl(tmp_path):
    record = {"tokens": ["Anna", "is"], "tags": ["B-PER", "O"]}
    assert load(tmp_path, json.dumps(record), "a.jsonl").train.targets.values == [["B-PER", "O"]]
    with pytest.raises(DataError, match="is not a list of 2 tags, one for each word"):
        load(tmp_path, json.dumps({**record, "tags": ["O"]}), "a.jsonl")
    with pytest.raises(DataError, match=r"item 2: '' is not a word"):
        load(tmp_path, json.dumps({**record, "tokens": ["a", ""]}), "a.jsonl")
