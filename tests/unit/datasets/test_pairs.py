"""Parallel files, po catalogues, filters and wheels: a pair is an example, counted, or an error with its line."""

from __future__ import annotations

import gzip
import hashlib
import zipfile

import pytest

from nlpipe.datasets import load_dataset
from nlpipe.errors import DataError

EN = ["the house", "the cat", "a dog", "two birds", "an old man", "the sea"]
DE = ["das Haus", "die Katze", "ein Hund", "zwei Vögel", "ein alter Mann", "das Meer"]


def lines(path, texts):
    path.write_bytes("".join(f"{text}\n" for text in texts).encode())
    return str(path)


@pytest.fixture
def pair(tmp_path):
    return [lines(tmp_path / "a.en", EN), lines(tmp_path / "a.de", DE)]


def card(pair, **more):
    """Train, dev and test from the same files, so that nothing is split."""
    return {"task": "translation", "format": "parallel", "train": pair, "dev": pair, "test": pair, **more}


def test_two_files_side_by_side(pair):
    found = load_dataset(card(pair))
    assert found.train.inputs.strings == EN
    assert found.train.targets.strings == DE
    turned = load_dataset(card(pair, columns={"source": 1, "target": 0}))
    assert turned.train.inputs.strings == DE
    assert turned.digest != found.digest


def test_gzipped_and_several_pairs(pair, tmp_path):
    for name, texts in (("b.en", ["good"]), ("b.de", ["gut"])):
        (tmp_path / name).write_bytes(gzip.compress(texts[0].encode()))
    found = load_dataset(card(pair) | {"train": [pair, [str(tmp_path / "b.en"), str(tmp_path / "b.de")]]})
    assert found.train.inputs.strings == [*EN, "good"]
    assert found.train.targets.strings == [*DE, "gut"]


def test_line_ends_are_not_text_and_separators_are(tmp_path):
    (tmp_path / "x").write_bytes("one\u2028line\r\ntwo\x85 \nthree".encode())
    (tmp_path / "y").write_bytes(b"eins\nzwei\r\ndrei\n")
    found = load_dataset(card([str(tmp_path / "x"), str(tmp_path / "y")]))
    assert found.train.inputs.strings == ["one\u2028line", "two\x85 ", "three"]
    assert found.train.targets.strings == ["eins", "zwei", "drei"]


@pytest.mark.parametrize("shorter", [0, 1])
def test_unequal_lengths(pair, tmp_path, shorter):
    pair[shorter] = lines(tmp_path / "short", (EN, DE)[shorter][:4])
    with pytest.raises(DataError) as caught:
        load_dataset(card(pair))
    long = pair[1 - shorter]
    assert str(caught.value).startswith(
        f"{long}:5: this line has no partner: {pair[shorter]} ends after 4 lines, {long} has 6;"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, t: p[:1], "reads pairs of files"),
        (lambda p, t: [p[0], str(t / "none.de")], "none.de: there is no such file"),
        (lambda p, t: [lines(t / "e", []), lines(t / "f", [])], "the file is empty"),
        (lambda p, t: [[*p, p[0]]], "pair of files"),
    ],
)
def test_files_that_are_no_pair(pair, tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        load_dataset(card(change(pair, tmp_path)))


def test_a_side_that_is_not_utf8(pair, tmp_path):
    (tmp_path / "latin").write_bytes("\n".join(DE).encode("latin-1"))
    with pytest.raises(DataError, match=r"latin:4: byte 7 of the line \(0xf6\) is not utf-8"):
        load_dataset(card([pair[0], str(tmp_path / "latin")]))


def test_a_column_that_parallel_has_not(pair):
    with pytest.raises(DataError, match="no column 2 for 'target'"):
        load_dataset(card(pair, columns={"target": 2}))


def test_one_tsv(tmp_path):
    path = lines(tmp_path / "pairs.tsv", [f"{en}\t{de}" for en, de in zip(EN, DE, strict=True)])
    found = load_dataset({"task": "translation", "train": path, "dev": path, "test": path,
                          "columns": {"source": 0, "target": 1}})  # fmt: skip
    assert found.train.targets.strings == DE


def test_empty_sides_are_left_out_of_train_alone(pair, tmp_path):
    holes = [lines(tmp_path / "h.en", [*EN, "", "alone", "same"]), lines(tmp_path / "h.de", [*DE, "leer", " ", "same"])]
    found = load_dataset(card(pair) | {"train": holes, "test": holes})
    assert found.train.inputs.strings == [*EN, "same"]
    assert len(found.test) == len(EN) + 3
    counts = found.ledger["train"].counts
    assert (counts["filtered_empty_source"], counts["filtered_empty_target"]) == (1, 1)
    assert counts["target_equals_source"] == 1
    assert found.ledger["train"].examples["filtered_empty_source"] == [f"{holes[0]}:{len(EN) + 1}:  | leer"]
    assert found.ledger["test"].counts["empty_target"] == 1
    assert found.ledger["test"].counts["empty"] == 1


@pytest.mark.parametrize(
    ("limits", "kept", "why"),
    [
        ({"min_words": 3}, ["an old man"], "filtered_below_3_words"),
        ({"max_words": 2}, [en for en in EN if en != "an old man"], "filtered_above_2_words"),
        ({"min_characters": 9}, ["two birds", "an old man"], "filtered_below_9_characters"),
        ({"max_characters": 8}, ["the sea", "a dog"], "filtered_above_8_characters"),
        ({"max_ratio": 1.2}, ["two birds", "the sea"], "filtered_above_ratio_1.2"),
    ],
)
def test_filters(pair, limits, kept, why):
    found = load_dataset(card(pair, filter=limits))
    pairs = dict(zip(EN, DE, strict=True))
    if "max_ratio" in limits:
        kept = [en for en in EN if max(len(en), len(pairs[en])) <= 1.2 * min(len(en), len(pairs[en]))]
    assert sorted(found.train.inputs.strings) == sorted(kept)
    assert found.ledger["train"].counts[why] == len(EN) - len(kept) > 0
    assert len(found.test) == len(EN)


def test_equal_sides_can_be_left_out(pair, tmp_path):
    same = [lines(tmp_path / "s.en", [*EN, "OK"]), lines(tmp_path / "s.de", [*DE, "OK "])]
    assert len(load_dataset(card(same)).train) == len(EN) + 1
    found = load_dataset(card(same, filter={"different": True}))
    assert found.ledger["train"].counts["filtered_equal_sides"] == 1


def test_filters_that_leave_nothing(pair):
    with pytest.raises(DataError, match="no pair of the train split is left: filtered_below_9_words 6"):
        load_dataset(card(pair, filter={"min_words": 9}))


def test_filters_are_for_pairs(tmp_path):
    path = lines(tmp_path / "a.csv", ["a,x", "b,y"])
    with pytest.raises(DataError, match="'filter' is for pairs of texts"):
        load_dataset({"task": "classification", "train": path, "columns": {"text": 0, "label": 1}, "filter": {}})
    with pytest.raises(DataError, match=r"filter\.min_word: there is no such key; did you mean 'min_words'"):
        load_dataset({"task": "translation", "train": path, "filter": {"min_word": 1}})


def test_equal_sources_never_cross_splits(tmp_path):
    sources = [f"word {i // 3}" if i % 2 else f" WORD  {i // 3} " for i in range(300)]
    files = [lines(tmp_path / "m.en", sources), lines(tmp_path / "m.de", [f"Wort {i}" for i in range(300)])]
    found = load_dataset({"task": "translation", "format": "parallel", "train": files})
    keys = [{" ".join(text.lower().split()) for text in split.inputs.strings}
            for split in (found.train, found.dev, found.test)]  # fmt: skip
    assert not keys[0] & keys[1]
    assert not keys[0] & keys[2]
    assert not keys[1] & keys[2]
    assert sum(map(len, keys)) == 100
    assert found.ledger["all"].counts["duplicates_dropped"] == 200
    assert found.ledger["all"].counts["sources_with_several_targets"] == 100


PO = r"""
# a header
msgid ""
msgstr ""
"Language: de\n"

#: app.py:3
#, python-format
msgid "Open %s"
msgstr "%s öffnen"

#, fuzzy
msgid "Close"
msgstr "Zu"

#, fuzzy, python-format
#| msgid "Old"
msgid "Older"
msgstr "Älter"
msgctxt "month"
msgid "May"
msgstr "Mai"
msgid "Empty"
msgstr ""

msgid ""
"Two "
"lines\n"
"and \"quotes\" \\ \t tab \x41 \101"
msgstr ""
"Zwei Zeilen"

msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "%d Dateien"

msgid "One form"
msgid_plural "Many forms"
msgstr[0] "Eine Form"

#~ msgid "Gone"
#~ msgstr "Weg"
"""


def po_card(path, **more):
    return {"task": "translation", "train": path, "dev": path, "test": path, **more}


def test_a_catalogue(tmp_path):
    (tmp_path / "app.po").write_text(PO, encoding="utf-8")
    found = load_dataset(po_card(str(tmp_path / "app.po")))
    assert dict(zip(found.train.inputs.strings, found.train.targets.strings, strict=True)) == {
        "Open %s": "%s öffnen",
        "May": "Mai",
        'Two lines\nand "quotes" \\ \t tab A A': "Zwei Zeilen",
        "%d file": "%d Datei",
        "%d files": "%d Dateien",
        "One form": "Eine Form",
        "Many forms": "Eine Form",
    }
    counts = found.ledger["train"].counts
    assert {name: counts[name] for name in counts if name.startswith("po_")} == {
        "po_fuzzy": 2, "po_untranslated": 1, "po_obsolete": 1
    }  # fmt: skip
    assert found.ledger["train"].examples["po_fuzzy"] == ["Close", "Older"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('msgid "a"\nmsgstr "b\n', r"app.po:2: not a line of a po catalogue: msgstr \"b"),
        ('msgid "a"\nmsgstr "b"\n\nnonsense\n', "app.po:4: not a line of a po catalogue: nonsense"),
        ('"lost"\n', "app.po:1: not a line of a po catalogue"),
        ("# nothing\n", "app.po: the file is empty"),
        ('msgid "a"\n', "app.po:1: the file ends before the translation of this message"),
        ('msgstr "b"\n', "app.po:1: msgstr without a msgid before it"),
        ('msgid "a"\nmsgstr "b"\nmsgstr "c"\n', "app.po:3: a second msgstr in one entry"),
    ],
)
def test_broken_catalogues(tmp_path, text, message):
    (tmp_path / "app.po").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load_dataset(po_card(str(tmp_path / "app.po")))


def test_columns_of_a_catalogue(tmp_path):
    (tmp_path / "app.po").write_text(PO, encoding="utf-8")
    turned = load_dataset(po_card(str(tmp_path / "app.po"), columns={"source": "msgstr", "target": "msgctxt"}))
    assert turned.train.targets.strings == ["month"]  # those without a context have an empty side
    with pytest.raises(DataError, match="po has no column 'text' for 'source'"):
        load_dataset(po_card(str(tmp_path / "app.po"), columns={"source": "text"}))


def wheel(folder, name, files):
    """A wheel in the cache, as if it had been fetched."""
    made = folder / name
    with zipfile.ZipFile(made, "w") as archive:
        for member, text in files.items():
            archive.writestr(member, text)
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    kept = folder / "cache" / "wheels" / f"{digest}.whl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    made.rename(kept)
    return digest


def entry(source, target):
    return f'msgid "{source}"\nmsgstr "{target}"\n'


def test_several_wheels(tmp_path, monkeypatch):
    monkeypatch.setenv("NLPIPE_CACHE", str(tmp_path / "cache"))
    one = wheel(tmp_path, "one", {"b/de/x.po": entry("b", "B"), "a/de/x.po": entry("a", "A"), "a/fr/x.po": "no"})
    two = wheel(tmp_path, "two", {"de/x.po": entry("a", "A2") + entry("c", "C")})
    parts = [{"requirement": "one==1", "sha256": one, "train": "*/de/*.po"},
             {"requirement": "two==1", "sha256": two, "train": "de/x.po"}]  # fmt: skip
    source = {"kind": "wheels", "parts": parts}
    found = load_dataset({"task": "translation", "source": source, "splits": {"dev": 1, "test": 1}})
    pairs = [pair for split in (found.train, found.dev, found.test)
             for pair in zip(split.inputs.strings, split.targets.strings, strict=True)]  # fmt: skip
    assert sorted(pairs) == [("a", "A"), ("b", "B"), ("c", "C")]  # the first of equal sources, members in order
    parts[1]["train"] = "es/*.po"
    with pytest.raises(DataError, match=r"two==1: no member of the wheel matches 'es/\*.po'"):
        load_dataset({"task": "translation", "source": source})
    parts[1]["trian"] = "x"
    with pytest.raises(DataError, match="there is no such key; did you mean 'train'"):
        load_dataset({"task": "translation", "source": source})
