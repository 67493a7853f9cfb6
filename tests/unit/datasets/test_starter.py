"""The starter file: what it guesses can be loaded, and what it saw is said."""

from __future__ import annotations

import pytest
import yaml

from nlpipe.datasets import find_card, load_dataset
from nlpipe.datasets.starter import init_spec
from nlpipe.errors import DataError
from nlpipe.spec import read_pipeline


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        ("a.csv", "id,review,stars\n{i},A longer review number {i},{s}\n", {"text": "review", "label": "stars"}),
        ("a.csv", "A longer review number {i},{s}\n", {"text": 0, "label": 1}),
        ("a.csv", "review;stars\nA longer review number {i};{s}\n", {"text": "review", "label": "stars"}),
        ("a.tsv", '{s}\tA longer "review" number {i}\n', {"text": 1, "label": 0}),
        (
            "a.jsonl",
            '{{"n": {i}, "body": "A longer review number {i}", "mark": {s}}}\n',
            {"text": "body", "label": "mark"},
        ),
    ],
)
def test_guesses_load(tmp_path, name, content, columns):
    head, _, rest = content.rpartition("\n")[0].rpartition("\n")
    lines = [rest.format(i=i, s=i % 3) for i in range(30)]
    path = tmp_path / name
    path.write_text("\n".join([head, *lines] if head else lines) + "\n")
    text = init_spec(path)
    spec = yaml.safe_load(text)
    assert spec["data"]["columns"] == columns
    data = load_dataset(spec["data"], tmp_path)
    assert len(data.train) + len(data.dev) + len(data.test) == 30
    assert data.labels == ("0", "1", "2")
    assert "30 rows" in text
    assert "3 values: 0 10, 1 10, 2 10." in text
    assert "{labels: [0, 1, 2], ordinal: true}" in text
    assert {"tokenizer", "representation", "head", "seed"} <= set(spec)


def test_a_column_called_label_wins(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label,lang\n" + "".join(f"some words {i},{i % 4},{('de', 'en')[i % 2]}\n" for i in range(20)))
    assert yaml.safe_load(init_spec(path))["data"]["columns"]["label"] == "label"


def test_odd_labels_stay_inside_their_comment(tmp_path):
    path = tmp_path / "a.csv"
    labels = ("a", "b: \u2028 #{")
    path.write_text("text,label\n" + "".join(f'words {i},"{labels[i % 2]}"\n' for i in range(20)))
    assert find_card(yaml.safe_load(init_spec(path))["data"]).card.train == (str(path),)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.bin", "x", "unknown suffix; expected .csv"),
        ("a.csv", "", "the file is empty"),
        ("a.csv", "text,label\n", "there are no rows"),
        ("a.csv", "text,id\n" + "".join(f"words {i},{i}\n" for i in range(20)), "no column beside the text 'text'"),
        ("a.tsv", "a\tb\nc\n", "a.tsv:2: too few fields: 1"),
    ],
)
def test_nothing_to_guess_from(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError) as caught:
        init_spec(tmp_path / name)
    assert message in str(caught.value)


def test_no_such_file(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        init_spec(tmp_path / "none.csv")


SENTENCES = "".join(f"Anna\tNNP\tB-PER\nBerg\tNNP\tI-PER\nleft\tVBD\tO\nOslo{i}\tNNP\tB-LOC\n\n" for i in range(20))
SPANS = "".join(
    f'{{"text": "Anna left Oslo{i}", "entities": [{{"start": 0, "end": 4, "label": "PER"}}]}}\n' for i in range(20)
)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.conll", SENTENCES, ["20 sentences, 80 words", "in the scheme IOB2; entities: LOC 20, PER 20."]),
        ("a.conll", SENTENCES.replace("\tB-", "\t").replace("\tI-", "\t"), ["tags: LOC 20, O 20, PER 40."]),
        (
            "a.jsonl",
            SPANS,
            ["20 sentences, 60 words", "spans of characters: the text text, the entities entities; entities: PER 20."],
        ),
    ],
)
def test_words_with_tags_are_tagging(tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    text = init_spec(tmp_path / name)
    spec = yaml.safe_load(text)
    assert spec["data"]["task"] == "tagging"
    assert len(load_dataset(spec["data"], tmp_path).train)
    assert all(words in text for words in said)
    read_pipeline({key: value for key, value in spec.items() if key != "data"} | {"data": "sample_entities"})


@pytest.mark.parametrize(
    "files",
    [
        {"a.po": "".join(f'msgid "word {i}"\nmsgstr "Wort {i}"\n\n' for i in range(20))},
        {"a.tsv": "".join(f"word {i}\tWort {i}\n" for i in range(20))},
        {"a.jsonl": "".join(f'{{"en": "word {i}", "de": "Wort {i}"}}\n' for i in range(20))},
        {
            "a.en": "".join(f"word {i}\n" for i in range(20)),
            "a.de": "".join(f"Wort {i}\n" for i in range(20)),
        },
    ],
)
def test_pairs_of_texts_are_translation(tmp_path, files):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    text = init_spec(*(tmp_path / name for name in files))
    spec = yaml.safe_load(text)
    found = load_dataset(spec["data"], tmp_path)
    assert len(found.train) + len(found.dev) + len(found.test) == 20
    assert found.train.inputs.strings[0].startswith("word")
    assert "20 pairs of texts" in text


def test_three_files_are_too_many(tmp_path):
    with pytest.raises(DataError, match="expected one file of examples, or two parallel files, not 3"):
        init_spec("a", "b", "c")
