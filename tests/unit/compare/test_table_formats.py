"""A comparison's table in other formats: CSV read back, LaTeX against pandas, a pandas table, Markdown with bars."""

from __future__ import annotations

import csv
import io
import re
import sys
from dataclasses import replace

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlpipe.compare.latex import escaped
from nlpipe.compare.table import Line, Table
from nlpipe.errors import MissingExtra
from tests.unit.compare.test_table import comparison

NASTY = 'a_b & 50 % of $x^2 | {y} ~ #1 \\ "q" <z>\nnext'
TABLE = Table(
    "Mine & yours", ("name", "f1, %"), (Line((NASTY, "1,234"), best=True), Line(("b", "0.5 – 0.6"))), "of 5 %", ("x_y",)
)


def test_csv_is_read_back() -> None:
    assert list(csv.reader(io.StringIO(TABLE.csv()))) == [["name", "f1, %"], [NASTY, "1,234"], ["b", "0.5 – 0.6"]]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='<>|"')))
def test_text_is_escaped_as_pandas_does(text: str) -> None:
    ours = escaped(text).replace("{}", "")
    table = pandas.DataFrame({"x": [text]}).to_latex(index=False, header=False, escape=True)
    theirs = table.split("\\toprule\n")[1].partition(" \\\\\n\\bottomrule")[0].removeprefix("\\midrule\n")
    assert re.sub(r"(?<=[a-z]) ", "", ours).strip() == re.sub(r"(?<=[a-z]) ", "", theirs).strip()


@given(st.text())
def test_no_text_means_anything_in_latex(text: str) -> None:
    ours = escaped(text)
    rest = re.sub(r"\\(textbackslash|text[a-z]+|dots)\{\}|\\[&%$#_{}]|\$\\[a-z]+\$|\$-\$", "", ours)
    assert not set(rest) & set("\\&%$#_{}^\n\r\t\0")


def test_latex_has_a_row_for_each_line() -> None:
    written = TABLE.latex()
    assert written.count("\\\\\n") == 3 and "\\begin{tabular}{lr}" in written
    assert r"\caption{Mine \& yours. of 5 \%.}" in written
    assert r"\textbf{a\_b \& 50 \% of \$x\textasciicircum{}2 \textbar{} \{y\}" in written
    assert "b & 0.5 -- 0.6 \\\\" in written and r"\footnotesize x\_y" in written
    begun, ended = (re.findall(rf"\\{word}\{{(\w+)\}}", written) for word in ("begin", "end"))
    assert begun == ended[::-1] == ["table", "tabular"]


def test_a_bar_in_a_cell_is_no_column_of_markdown() -> None:
    lines = TABLE.markdown().splitlines()[2:6]
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in lines if line] == [3, 3, 3, 3]


def test_a_pandas_table_has_numbers_and_gaps() -> None:
    answers = (np.random.default_rng(0).random(400) < 0.8).astype(float)
    found = comparison({"best": answers, "worse": np.roll(answers, 1) * (np.arange(400) > 20)}, ("failed",))
    best, worse, failed = found.rows
    found = replace(found, rows=(best, replace(worse, costs={"fit_seconds": 2.5}), failed))
    frame = found.to_frame().set_index("name")
    assert list(frame.index) == ["best", "worse", "failed"]
    assert frame.loc["best", "score"] == best.score and np.isnan(frame.loc["failed", "score"])
    assert frame.loc["best", "costs.latency_p50_seconds"] == 0.001 and frame.loc["worse", "costs.fit_seconds"] == 2.5
    assert np.isnan(frame.loc["worse", "costs.latency_p50_seconds"])  # never 0
    assert frame.loc["worse", "scores.f1_macro"] == 0.5 and frame.loc["failed", "errors"] == ["failed: no"]


def test_without_pandas_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match=r"to_frame\(\) needs the package 'pandas', .*; pip install pandas"):
        comparison({"a": np.ones(4)}).to_frame()
