"""Every layout of csv, tsv and jsonl that must read, and every fault with its line."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpipe.datasets.readers import FORMATS, Layout, Origin, format_of, reader
from nlpipe.errors import DataError

NAMED = {"text": "text", "label": "label"}
COUNTED = {"text": 0, "label": 1}


def read(kind, content, columns=None, **options):
    raw = content if isinstance(content, bytes) else content.encode()
    origin = Origin("f", lambda: io.BytesIO(raw))
    rows = reader(kind)([origin], Layout(columns or NAMED, **options))
    return [(row.line, row.fields["text"], row.fields["label"]) for row in rows]


def fault(kind, content, columns=None, **options):
    with pytest.raises(DataError) as caught:
        read(kind, content, columns, **options)
    return str(caught.value)


def test_csv_by_name_whatever_the_order():
    assert read("csv", "id,label,text\n1,x,hello\n") == [(2, "hello", "x")]


def test_indices_mean_no_header_and_count_from_the_end():
    assert read("csv", "a,x\nb,y\n", {"text": 0, "label": -1}) == [(1, "a", "x"), (2, "b", "y")]
    assert read("tsv", "text\tlabel\nb\ty\n", COUNTED, header=True) == [(2, "b", "y")]


def test_crlf_bom_and_blank_lines():
    assert read("csv", b"\xef\xbb\xbftext,label\r\n\r\na,x\r\n") == [(3, "a", "x")]
    assert read("tsv", b"\xef\xbb\xbfa\tx\r\n\r\nb\ty", COUNTED) == [(1, "a", "x"), (3, "b", "y")]
    assert read("jsonl", b'\xef\xbb\xbf{"text": "a", "label": "x"}\r\n\r\n') == [(1, "a", "x")]


def test_records_over_several_lines_have_their_first_line():
    content = 'text,label\n"a\nb\n",x\n"c ""d"", e",y\nf,z\n'
    assert read("csv", content) == [(2, "a\nb\n", "x"), (5, 'c "d", e', "y"), (6, "f", "z")]


@pytest.mark.parametrize("text", ['a 5" disk', "it's", 'he said "no" twice', '"Great" film', "''"])
def test_stray_quotes_survive(text):
    assert read("csv", f"text,label\n{text},x\nnext,y\n") == [(2, text, "x"), (3, "next", "y")]
    assert read("tsv", f"{text}\tx\nnext\ty\n", COUNTED) == [(1, text, "x"), (2, "next", "y")]
    assert read("csv", f"text,label\n{text},x\n", quoting=False) == [(2, text, "x")]


def test_quoting_in_tsv_when_asked():
    assert read("tsv", '"a\tb"\tx\n', COUNTED, quoting=True) == [(1, "a\tb", "x")]
    assert read("tsv", '"open\tx\nb\ty\n', COUNTED) == [(1, '"open', "x"), (2, "b", "y")]


def test_a_quote_that_never_closes_names_its_line():
    message = fault("csv", 'text,label\na,x\n"b ""c""\nd,y\n')
    assert message.startswith("f:3: a quote opens here and never closes")
    assert fault("csv", 'text,label\n"a\nb","x\nc,y\n').startswith("f:3: a quote opens here")


def test_a_quote_that_closes_inside_a_field():
    assert fault("csv", 'text,label\n"a\nb"c,x\n').startswith(
        "f:2: a quote closes inside a field (it closes on line 3)"
    )


def test_odd_line_breaks_are_text():
    text = "a\u2028b\x85c\x0bd\x1ce\x00f"
    assert read("csv", f"text,label\n{text},x\n") == [(2, text, "x")]
    assert read("tsv", f"{text}\tx\n", COUNTED) == [(1, text, "x")]
    line = json.dumps({"text": text, "label": "x"}, ensure_ascii=False)
    assert read("jsonl", line.replace("\\u0000", "\\u0000")) == [(1, text, "x")]


def test_a_bare_carriage_return_inside_a_field():
    assert read("csv", "text,label\na\rb,x\n") == [(2, "a\rb", "x")]
    assert read("tsv", "a\rb\tx\n", COUNTED) == [(1, "a\rb", "x")]


def test_a_file_of_carriage_returns_alone():
    rows = [(2, "a", "x"), (3, "b\rc", "y")]
    assert read("csv", 'text,label\ra,x\r"b\rc",y\r') == rows
    assert fault("tsv", "text\tlabel\ra\tx\r" * 99_999 + "\n") == (
        "f:199999: a line feed, where the lines before end in carriage returns alone; convert them to line feeds"
    )


def test_a_field_of_a_megabyte():
    text = "word " * 210_000
    for kind, content in (
        ("csv", f'text,label\n"{text}",x\n'),
        ("tsv", f"text\tlabel\n{text}\tx\n"),
        ("jsonl", json.dumps({"text": text, "label": "x"})),
    ):
        assert read(kind, content)[0][1] == text


@pytest.mark.parametrize("kind", sorted({*FORMATS} - {"parallel", "po", "parquet"}))  # test_pairs.py
def test_empty_files(kind):
    columns = NAMED if kind == "jsonl" else COUNTED
    assert fault(kind, "", columns) == "f: the file is empty"
    assert fault(kind, "\n\n", columns) == "f: the file is empty"


def test_too_few_and_too_many_fields():
    assert fault("csv", "text,label\na,x\nb\n") == "f:3: too few fields: 1, where the header has 2"
    assert fault("tsv", "a\tx\nb\ty\tz\n", COUNTED) == "f:2: too many fields: 3, where the first record has 2"
    assert read("csv", "text,label\na,x,,\n") == [(2, "a", "x")]


def test_missing_columns_name_those_there_are():
    way = "give the column in columns:, by name or by number"
    assert fault("csv", "texts,label\na,x\n") == (
        f"f:1: there is no column 'text'; did you mean 'texts'? There are: texts, label; {way}"
    )
    assert fault("csv", "q,w\na,x\n") == f"f:1: there is no column 'text'; there are: q, w; {way}"
    assert fault("tsv", "a\tx\n", {"text": 0, "label": 2}).startswith(
        "f:1: there is no column 2; the first record has 2"
    )
    assert "2 columns are called 'text'" in fault("csv", "text,text,label\na,b,x\n")
    assert "header: false" in fault("csv", "text,label\na,x\n", header=False)
    assert fault("jsonl", '{"txt": "a", "label": "x"}') == (
        "f:1: there is no 'text'; did you mean 'txt'? There are: txt, label; "
        "give the field of the text as columns: {text: NAME}"
    )
    assert "give the key's name" in fault("jsonl", '{"text": "a"}', COUNTED)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "a", "label": "x"}\n{"text": \n', "f:2:10: not JSON"),
        ("[1, 2]\n", "f:1: a list, not an object"),
        ('{"text": "\\ud800", "label": "x"}\n', "f:1: holds half of a surrogate pair"),
        ("[" * 200_000, "f:1: nested too deep"),
    ],
)
def test_lines_that_are_no_json_objects(content, message):
    assert fault("jsonl", content).startswith(message)


def test_encodings():
    line = "text,label\nça va,x\n"
    message = fault("csv", line.encode("cp1252"))
    assert message == "f:2: byte 1 of the line (0xe7) is not utf-8; write its encoding: cp1252, say"
    for encoding in ("cp1252", "utf-16", "utf-16-le", "utf-8-sig", "utf-32"):
        assert read("csv", line.encode(encoding), encoding=encoding) == [(2, "ça va", "x")]
    assert "it looks like UTF-16, write encoding: utf-16" in fault("csv", line.encode("utf-16"))
    assert "that is not utf-16" in fault("csv", "text,label\na,x\n".encode("utf-16") + b"\x00", encoding="utf-16")
    assert "that is not utf-16" in fault("csv", b"text,label\na,x\n", encoding="utf-16")


def test_gzip_by_content_and_damaged():
    packed = gzip.compress(b"text,label\na,x\n")
    assert read("csv", packed) == [(2, "a", "x")]
    assert "damaged" in fault("csv", packed[:-12])
    assert "damaged" in fault("csv", packed[:2])


def test_files_that_cannot_be_opened(tmp_path):
    from nlpipe.datasets.readers.lines import file_origin

    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(DataError, match=r"cannot be read|this is a folder"):
            list(reader("csv")([file_origin(path)], Layout(NAMED)))


def test_several_files_are_read_in_order():
    origins = [Origin(name, lambda name=name: io.BytesIO(f"{name}\tx\n".encode())) for name in ("one", "two")]
    rows = list(reader("tsv")(origins, Layout(COUNTED)))
    assert [(row.path, row.line, row.fields["text"]) for row in rows] == [("one", 1, "one"), ("two", 1, "two")]


def test_rows_stream():
    served = []

    class Endless(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            served.append(1)
            assert len(served) < 50, "read ahead without end"
            line = b"a\tx\n" * (len(buffer) // 4)
            buffer[: len(line)] = line
            return len(line)

    rows = reader("tsv")([Origin("f", Endless)], Layout(COUNTED))
    assert [next(rows).line for _ in range(3)] == [1, 2, 3]


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from("xy")), min_size=1))
@settings(max_examples=150, deadline=None)
def test_whatever_csv_writes_is_read_back(pairs):
    written = io.StringIO()
    csv.writer(written, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([("text", "label"), *pairs])
    content = written.getvalue()
    assert [(text, label) for _, text, label in read("csv", content)] == pairs
    lines = "".join(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n" for text, label in pairs)
    assert [(text, label) for _, text, label in read("jsonl", lines)] == pairs


@pytest.mark.parametrize(
    ("path", "kind"), [("a.csv", "csv"), ("A.TSV.gz", "tsv"), ("b.ndjson", "jsonl"), ("c.txt", None)]
)
def test_endings(path, kind):
    assert format_of(path) == kind
