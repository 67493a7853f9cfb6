"""The starter file: what it guesses can be loaded, and what it saw is said."""

from __future__ import annotations

import pytest
import yaml

from nlpipe.datasets import find_card, load_dataset
from nlpipe.datasets.starter import init_spec
from nlpipe.errors import DataError


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
        ("a.txt", "x", "the ending tells no format"),
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


def test_a_catalogue_has_no_labels(tmp_path):
    (tmp_path / "app.po").write_text('msgid "a"\nmsgstr "b"\n')
    with pytest.raises(DataError, match=r"app\.po: a po file has no labels; write data: {task: translation"):
        init_spec(tmp_path / "app.po")
