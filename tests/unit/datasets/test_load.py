"""Cards and inline data to data sets in memory, and every fault a user can make there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlpipe.datasets import card_names, data_folder, find_card, load_dataset
from nlpipe.errors import CardError, DataError, SpecError
from nlpipe.spec import read_pipeline, to_yaml

ROWS = [(f"text number {i}", ("good", "bad")[i % 2]) for i in range(20)]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in ROWS))
    (tmp_path / "b.tsv").write_text("other text\tgood\n")
    (tmp_path / "c.tsv").write_text("third text\tbad\ntext number 3\tbad\n")
    return tmp_path


INLINE = {
    "task": "classification", "format": "tsv", "train": "a.tsv", "dev": "b.tsv", "test": "c.tsv",
    "columns": {"text": 0, "label": 1},
}  # fmt: skip


def fault(data, base):
    with pytest.raises(DataError) as caught:
        load_dataset(data, base)
    return str(caught.value)


def test_inline(folder):
    data = load_dataset(INLINE, folder)
    assert list(zip(data.train.inputs.strings, data.train.targets.values, strict=True)) == ROWS
    assert (len(data.dev), len(data.test)) == (1, 2)
    assert data.labels == ("bad", "good")
    assert data.ledger["test"].counts["in_train"] == 1
    assert data.name == "a"
    assert repr(data) == "Dataset('a', classification: train 20, dev 1, test 2)"
    assert data.task.name == find_card(INLINE, folder).card.task == "classification"


def test_paths_start_from_one_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert len(load_dataset(INLINE).train) == 20
    assert fault(INLINE, folder / "elsewhere") == (
        f"{folder}/elsewhere/a.tsv: there is no such file; "
        "a.tsv is in the working directory, but paths start from the file that names them"
    )


def test_a_file_called_train_gives_its_folder_as_name(folder):
    (folder / "a.tsv").rename(folder / "train.tsv")
    assert load_dataset({**INLINE, "train": "train.tsv"}, folder).name == folder.name


def test_missing_splits_are_made_and_the_same_again(folder):
    data = {"task": "classification", "train": "a.tsv", "columns": {"text": 0, "label": 1}}
    once, again = load_dataset(data, folder), load_dataset(data, folder)
    assert (len(once.train), len(once.dev), len(once.test)) == (16, 2, 2)
    assert once.digest == again.digest
    assert load_dataset({**data, "splits": {"dev": 4, "test": 0.2}}, folder).digest != once.digest


def test_numbers_stay_strings_and_sort_as_numbers(tmp_path):
    (tmp_path / "n.csv").write_text("text,label\n" + "".join(f"t{i},{i % 3 * 5}\n" for i in range(30)))
    assert load_dataset({"task": "classification", "train": "n.csv"}, tmp_path).labels == ("0", "5", "10")


def test_labels_renamed_in_order_and_ordinal(tmp_path):
    (tmp_path / "n.csv").write_text("text,label\n" + "".join(f"t{i},{(1, 3)[i % 2]}\n" for i in range(30)))
    data = {"task": "classification", "train": "n.csv", "labels": {3: "high", 2: "mid", 1: "low"}}
    assert load_dataset(data, tmp_path).labels == ("high", "low")
    assert load_dataset({**data, "ordinal": True}, tmp_path).labels == ("high", "mid", "low")


def test_where_and_replace(tmp_path):
    lines = ["text,label,source"] + [f"t{i}<br />end,{'xy'[i % 2]},{'pq'[i % 4 // 2]}" for i in range(40)]
    (tmp_path / "w.csv").write_text("\n".join(lines))
    data = {"task": "classification", "train": "w.csv", "where": {"source": "p"}, "replace": {"<br />": " "}}
    loaded = load_dataset(data, tmp_path)
    texts = [text for part in (loaded.train, loaded.dev, loaded.test) for text in part.inputs.strings]
    assert sorted(texts) == sorted(f"t{i} end" for i in range(40) if i % 4 < 2)
    message = fault({**data, "where": {"source": "r"}}, tmp_path)
    assert message == "w: no row of the train split has source: r; there are source: p, q"
    assert "there is no column 'sauce'; did you mean 'source'" in fault({**data, "where": {"sauce": "p"}}, tmp_path)


def test_where_by_number_in_a_card_inline_and_in_python(tmp_path):
    (tmp_path / "w.csv").write_text("".join(f"t{i},{'xy'[i % 2]},{'pq'[i % 4 // 2]}\n" for i in range(40)))
    keys = "{task: classification, train: w.csv, columns: {text: 0, label: 1}, where: {2: q}}"
    (tmp_path / "card.yaml").write_text(keys)
    (tmp_path / "p.yaml").write_text(f"data: {keys}\nrepresentation: bow\nhead: naive_bayes\n")
    python = {
        "task": "classification", "train": "w.csv", "columns": {"text": 0, "label": 1}, "where": {2: "q"},
    }  # fmt: skip
    for data in (str(tmp_path / "card.yaml"), read_pipeline(tmp_path / "p.yaml").data, python):
        loaded = load_dataset(data, tmp_path)
        texts = [text for part in (loaded.train, loaded.dev, loaded.test) for text in part.inputs.strings]
        assert sorted(texts) == sorted(f"t{i}" for i in range(40) if i % 4 >= 2)


def test_labels_of_a_pipeline_file_keep_their_spelling(tmp_path):
    (tmp_path / "n.csv").write_text("text,label\n" + "".join(f"t{i},{('1.0', '2.0')[i % 2]}\n" for i in range(30)))
    file = "data: {task: classification, train: n.csv, labels: [%s]}\nrepresentation: bow\nhead: naive_bayes\n"
    (tmp_path / "p.yaml").write_text(file % "1.0, 2.0")
    spec = read_pipeline(tmp_path / "p.yaml")
    (tmp_path / "again.yaml").write_text(to_yaml(spec.resolved()))
    for written in (spec, read_pipeline(tmp_path / "again.yaml")):
        assert load_dataset(written.data).labels == ("1.0", "2.0")
    (tmp_path / "p.yaml").write_text(file % "010, 1.0, 1e3")
    with pytest.raises(SpecError) as caught:
        read_pipeline(tmp_path / "p.yaml")
    read = "YAML reads {} as a number, so that the text would be '{}'; write '{}' in quotes"
    assert str(caught.value).splitlines() == [
        f"{tmp_path}/p.yaml:1:53: data.labels[0]: {read.format('010', '10', '010')}",
        f"{tmp_path}/p.yaml:1:63: data.labels[2]: {read.format('1e3', '1000.0', '1e3')}",
    ]


SOUND = "task: classification\ntrain: a.tsv\ncolumns: {text: 0, label: 1}\nlabels: [a, b]\nsplits: {dev: 0.1}\n"
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["file", "hub", "*"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "train", "dev", "0"]), inner),
    max_leaves=5,
)
KEYS = ["task", "source", "train", "columns", "where", "replace", "labels", "splits", "expect", "filter", "encoding"]


def attempt(data):
    """The card, or its faults; any other error comes through."""
    try:
        return find_card(data), ()
    except CardError as error:
        return None, error.faults


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), plain, max_size=3))
def test_any_mapping_is_a_fault_or_a_card(changed):
    located, faults = attempt({"task": "classification", "train": "a.tsv", **changed})
    assert (located is None) == bool(faults)
    if located is not None:
        assert find_card(located.data, Path("/")).card == located.card, "the same card from any folder"


ODD = st.text(max_size=4) | st.sampled_from(["\t", "&a ", "*a", "!t ", "- ", "0x", "\x00"])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(SOUND)), ODD)
def test_any_text_is_a_fault_with_its_line_or_a_card(tmp_path, place, text):
    (tmp_path / "c.yaml").write_bytes((SOUND[:place] + text + SOUND[place:]).encode("utf-8", "surrogatepass"))
    located, faults = attempt(str(tmp_path / "c.yaml"))
    assert (located is None) == bool(faults)
    assert all(fault.line for fault in faults)


def test_expectations_are_checked(folder):
    digest = load_dataset(INLINE, folder).digest
    right = {"train": 20, "dev": 1, "test": 2, "digest": digest}
    assert load_dataset({**INLINE, "expect": right}, folder).digest == digest
    assert "expect.train: 21 examples, but 20" in fault({**INLINE, "expect": {"train": 21}}, folder)
    assert f"expect.digest: 00, but what was read has {digest}" in fault({**INLINE, "expect": {"digest": "00"}}, folder)


def test_file_hashes_are_checked(folder):
    source = {"kind": "file", "train": "a.tsv", "sha256": {"a.tsv": "0" * 64}}
    message = fault({"task": "classification", "columns": {"text": 0, "label": 1}, "source": source}, folder)
    assert "but the card expects 0000" in message


def test_bad_data(folder):
    one = folder / "one.csv"
    one.write_text("text,label\n" + "".join(f"t{i},x\n" for i in range(20)))
    assert "every training example (20) has the label 'x'" in fault(
        {"task": "classification", "train": "one.csv"}, folder
    )
    one.write_text("text,label\n")
    assert "the train split has no examples" in fault({"task": "classification", "train": "one.csv"}, folder)
    one.write_text("")
    assert fault({"task": "classification", "train": "one.csv"}, folder) == f"{one}: the file is empty"
    one.write_text("text,label\na,good\nb,goood\n")
    message = fault({"task": "classification", "train": "one.csv", "labels": ["good", "bad"]}, folder)
    assert message == (f"{one}:3: column 'label': 'goood' is not one of 'good', 'bad'; did you mean 'good'?")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colums": {}}, "data: colums: there is no such key; did you mean 'columns'?"),
        ({"splits": {"def": 0.1}}, "data: splits.def: there is no such key; did you mean 'dev'?"),
        ({"task": "clasification"}, "data: task: there is no task 'clasification'; did you mean 'classification'?"),
        ({"format": "csw"}, "data: format: there is no format 'csw'; did you mean 'csv'?"),
        ({"columns": {"txt": 0}}, "data: classification has no column 'txt'; did you mean 'text'?"),
        ({"encoding": "utf8x"}, "data: encoding: there is no encoding 'utf8x'; did you mean 'utf-8'?"),
        ({"ordinal": True}, "data: 'ordinal: true' needs 'labels: [lowest, ..., highest]'"),
        ({"labels": [True, False]}, "data: labels[0]: invalid value True: expected text; put it in quotes"),
        ({"labels": ["x"]}, "data: labels: expected at least two labels"),
        ({"train": "aa.tsv"}, "aa.tsv: there is no such file; did you mean 'a.tsv'?"),
        ({"train": "a.txt", "format": None}, "a.txt: there is no such file; did you mean 'a.tsv'?"),
        (
            {"source": {"kind": "file", "train": "x"}},
            "data: 'train', 'dev' and 'test' belong inside 'source'",
        ),
        ({"splits": {"dev": 1.5}}, "splits.dev"),
        ({"header": "maybe"}, "data: header: invalid value 'maybe': expected a valid boolean"),
    ],
)
def test_bad_keys_and_values(folder, change, message):
    assert message in fault({**INLINE, **change}, folder)


def test_all_faults_at_once_with_their_lines(tmp_path):
    card = tmp_path / "mine.yaml"
    card.write_text("task: classification\nsource:\n  kind: wheel\n  membr: x\n  sha256: y\n  train: z\ncolum: 3\n")
    assert fault(str(card), tmp_path).split("\n") == [
        f"{card}:3:3: source.requirement: is missing",
        f"{card}:4:3: source.membr: there is no such key; known: dev, kind, requirement, sha256, test, train",
        f"{card}:7:1: colum: there is no such key; did you mean 'columns'?",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task: classification\ntrain: a\ntrain: b\n", ":3:1: train: the key 'train' is given twice (first in line 2)"),
        ("task: [\n", ":2:1: not readable as YAML: "),
        ("- a\n", ":1:1: expected a mapping of keys to values, not a list"),
        ("", ":1:1: the file is empty; expected a mapping of keys to values"),
        ("train: a.csv\n", ":1:1: task: is missing"),
    ],
)
def test_cards_that_cannot_be_read(tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text)
    assert message in fault("c.yaml", tmp_path)


def test_names_that_are_no_card(tmp_path):
    assert (
        fault("roten_tomatoes", tmp_path) == "data: there is no card 'roten_tomatoes'; did you mean 'rotten_tomatoes'?"
    )
    assert "is a data file, not a card" in fault("mine.csv", tmp_path)
    assert fault(3, tmp_path) == "data: invalid value 3: expected the name of a card or a mapping of its keys"
    assert "there is no file 'none.yaml'" in fault("none.yaml", tmp_path)


def test_a_card_by_path_reads_beside_itself(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "mine.yaml").write_text(
        "name: mine\ntask: classification\ntrain: ../a.tsv\ncolumns: {text: 0, label: 1}\nlicence: ours\n"
    )
    assert load_dataset("sub/mine.yaml", folder).name == "mine"
    assert find_card("sub/mine.yaml", folder).card.licence == "ours"


@pytest.mark.parametrize("name", card_names())
def test_every_card_is_sound(name):
    assert len(repr(find_card(name).card)) < 80
    card = find_card(name).card
    assert card.name == name
    assert card.title
    assert card.licence


@pytest.mark.parametrize("name", [name for name in card_names() if name.startswith("sample_")])
def test_samples_load(name):
    data = load_dataset(name)
    assert not any(data.ledger["all"].counts.values())
    if data.task.label_role is None:
        return
    assert set(data.train.targets.values) == set(data.test.targets.values) == set(data.labels)


def test_the_readme_lists_every_card():
    text = (data_folder() / "README.md").read_text(encoding="utf-8")
    for name in card_names():
        found = find_card(name).card
        assert f"| `{name}` | {found.title} | {found.origin().kind} |" in text


def test_the_card_example_in_the_readme_is_a_card(tmp_path):
    text = (data_folder() / "README.md").read_text(encoding="utf-8")
    data = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])["data"]
    assert find_card(data, tmp_path).card.columns == {"text": "review", "label": "stars"}


def test_loading_files_imports_nothing_heavy():
    code = (
        "import sys, json; from nlpipe.datasets import load_dataset; load_dataset('sample_reviews');"
        "print(json.dumps([m for m in ('torch', 'sklearn', 'datasets', 'pandas', 'transformers') if m in sys.modules]))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(finished.stdout) == []


SST2 = Path(__file__).parents[4] / "shared" / "data" / "sst2"


@pytest.mark.shared_data
@pytest.mark.skipif(not SST2.is_dir(), reason=f"{SST2} is not there")
def test_sst2():
    data = load_dataset({**INLINE, "train": "train.tsv", "dev": "dev.tsv", "test": "test.tsv"}, SST2)
    assert (len(data.train), len(data.dev), len(data.test)) == (6920, 872, 1821)
    assert data.ledger["train"].counts["duplicates"] == 9
    assert data.ledger["test"].counts["in_train"] + data.ledger["test"].counts["in_dev"] == 2
    assert data.name == "sst2"


@pytest.mark.network
@pytest.mark.parametrize(("name", "count"), [("rotten_tomatoes", 8530), ("imdb", 25_000)])
def test_real_cards(name, count):
    data = load_dataset(name)  # the card's own expectations are checked on the way
    dropped = data.ledger["all"].counts["duplicates_dropped"]
    assert len(data.train) + len(data.dev) + len(data.test) + dropped == count
    assert not any("<br />" in text for text in data.train.inputs.strings)
