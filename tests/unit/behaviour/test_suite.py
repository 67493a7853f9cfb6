"""Suites of behavioural tests: what is read, what fails, and every fault of a file with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nlpipe.behaviour.changes import CHANGES
from nlpipe.behaviour.check import Outcome, check
from nlpipe.behaviour.suite import read_suite
from nlpipe.behaviour.templates import filled
from nlpipe.cli.app import app
from nlpipe.errors import NlpipeError, SpecError
from nlpipe.heads import Dictionary, LogisticRegression, Majority
from nlpipe.pipeline import Pipeline
from nlpipe.representations import BagOfWords
from nlpipe.tokenizers import Regex


@pytest.fixture(scope="module")
def sentiment() -> Pipeline:
    """Knows good, fine, bad and awful; everything else says nothing."""
    pipeline = Pipeline([Regex(), BagOfWords(), LogisticRegression(C=100.0)])
    return pipeline.fit(["good", "fine", "good fine", "bad", "awful", "bad awful"], ["pos"] * 3 + ["neg"] * 3)


def outcomes(tmp_path: Path, tests: str, pipeline: Pipeline, texts: tuple[str, ...] = ()) -> list[Outcome]:
    path = tmp_path / "suite.yaml"
    path.write_text(f"slots:\n  good: [good, fine]\n  thing: [film, book, bad]\ntests:\n{tests}")
    return check(read_suite(path), pipeline, lambda: texts)


def test_templates_have_every_combination_and_places() -> None:
    texts = filled("{a} and {b}, {a}!", {"a": ["x", "yy"], "b": ["1", "2"]})
    assert [text.text for text in texts] == ["x and 1, x!", "x and 2, x!", "yy and 1, yy!", "yy and 2, yy!"]
    assert texts[2].spans == {"a": (0, 2), "b": (7, 8)}


def test_mft(tmp_path: Path, sentiment: Pipeline) -> None:
    tests = """
  - {name: praise, kind: MFT, texts: [good, a fine one, bad], expect: pos}
  - {kind: MFT, template: "{good} {thing}", expect: [pos, neg]}
  - {kind: MFT, template: ["bad", "good"], expect_not: pos}
"""
    first, second, third = outcomes(tmp_path, tests, sentiment)
    assert (first.name, first.cases, first.failure_rate) == ("praise", 3, pytest.approx(1 / 3))
    assert first.failures[0].texts == ("bad",) and first.failures[0].answers == ("neg",)
    assert (second.name, second.cases, second.failures) == ("tests[1]", 6, ())
    assert [failure.texts for failure in third.failures] == [("good",)]
    assert third.failures[0].expected == "not pos"


def test_sets_of_labels(tmp_path: Path) -> None:
    texts = ["good", "film", "good film", "the", "a", "an", "good", "film"]
    sets = [[word for word in text.split() if word in ("good", "film")] for text in texts]
    pipeline = Pipeline([Regex(), BagOfWords(), LogisticRegression(C=100.0)], task="multilabel").fit(texts, sets)
    tests = """
  - {kind: MFT, texts: [good film, good, film, the], expect: good}
  - {kind: MFT, texts: [good film, the], expect_not: good}
  - {kind: MFT, texts: [the, good], expect: no labels}
  - {kind: DIR, template: "the {thing}", then: "the good {thing}", label: good, expect: higher}
"""
    one, other, none, raised = outcomes(tmp_path, tests, pipeline)
    assert [failure.answers for failure in one.failures] == [("film",), ("no labels",)]
    assert [failure.answers for failure in other.failures] == [("film, good",)]
    assert [failure.answers for failure in none.failures] == [("good",)]
    assert (raised.cases, raised.failures) == (3, ())
    for test, message in (
        ("{kind: DIR, template: the, then: a, expect: higher}", "say the probability of which, label: LABEL"),
        ("{kind: MFT, texts: [a], expect: god}", "no label 'god'; did you mean 'good'"),
    ):
        with pytest.raises(NlpipeError, match=message):
            outcomes(tmp_path, f"  - {test}\n", pipeline)


def test_inv(tmp_path: Path, sentiment: Pipeline) -> None:
    tests = """
  - {kind: INV, template: "{good} {thing}", vary: thing}
  - {kind: INV, groups: [[good, fine, awful], [bad, awful]]}
  - {kind: INV, texts: [GOOD bad, nothing known], change: lowercase}
  - {kind: INV, data: 2, change: uppercase}
"""
    varied, groups, changed, data = outcomes(tmp_path, tests, sentiment, ("bad", "123", "good"))
    assert varied.cases == 2  # one for each word of {good}, three texts each
    assert groups.cases == 2
    assert [(failure.texts, failure.answers) for failure in groups.failures] == [(("good", "awful"), ("pos", "neg"))]
    assert changed.cases == 1  # the other text has nothing to change
    assert data.cases == 1


def test_dir_compares_probabilities(tmp_path: Path, sentiment: Pipeline) -> None:
    tests = """
  - {kind: DIR, groups: [[good, bad], [bad, good], [good, good film]], label: pos, expect: not lower}
  - {kind: DIR, template: "{good}", then: "{good} bad", expect: lower, tolerance: 0.2}
  - {kind: DIR, groups: [[good, good]], label: pos, expect: higher, tolerance: 0.001}
  - {kind: DIR, groups: [[bad, good]], expect: not higher}
"""
    first, second, third, fourth = outcomes(tmp_path, tests, sentiment)
    assert [failure.texts for failure in first.failures] == [("good", "bad")]
    assert second.cases == 2 and not second.failures
    assert len(third.failures) == 1
    assert not fourth.failures  # of the label that the first text gets, neg, which becomes less probable
    before, after = (float(part) for part in first.failures[0].answers)
    assert before > 0.5 > after


def test_entities_at_slots(tmp_path: Path) -> None:
    pipeline = Pipeline([Regex(), Dictionary()], task="tagging")
    pipeline.fit([["Anna", "met", "Omar"], ["in", "Rome"]], [["B-PER", "O", "B-PER"], ["O", "B-LOC"]])
    path = tmp_path / "suite.yaml"
    path.write_text(
        "slots: {who: [Anna, Bob], where: [Rome]}\ntests:\n"
        "  - {kind: MFT, template: '{who} is in {where}', expect: {who: PER, where: LOC}}\n"
        "  - {kind: INV, template: '{who} left', vary: who}\n"
    )
    mft, inv = check(read_suite(path), pipeline, tuple)
    assert [(failure.texts, failure.answers, failure.expected) for failure in mft.failures] == [
        (("Bob is in Rome",), ("Rome/LOC",), "Bob/PER")
    ]
    assert inv.failures[0].answers == ("PER", "no entities")


def test_changes_are_the_same_every_time_and_keep_the_rest() -> None:
    for text in ("", "a", "ab cd", "the quick brown fox.", "\ud800", "ßﬀ 日本語の文章です。", "aaaa", "x" * 10_000):
        for change in CHANGES.values():
            assert change(text) == change(text)
    assert CHANGES["typo"]("a long-term study") != "a long-term study"
    assert sorted(CHANGES["typo"]("the quick brown fox")) == sorted("the quick brown fox")
    assert CHANGES["typo"]("an ox") == "an ox"
    assert CHANGES["punctuation"]("One.") == "One" and CHANGES["punctuation"]("One") == "One."


def faults(tmp_path: Path, text: str) -> str:
    path = tmp_path / "suite.yaml"
    path.write_text(text)
    with pytest.raises(SpecError) as error:
        read_suite(path)
    return str(error.value).replace(f"{path}:", "")


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("{texts: [a], expect: pos}", "tests[0].kind: missing; expected MFT | INV | DIR"),
        ("{kind: MTF, texts: [a], expect: pos}", "tests[0].kind: invalid value 'MTF'"),
        ("{kind: MFT, text: [a], expect: pos}", "MFT has no key 'text'; did you mean 'texts'?"),
        ("{kind: MFT, texts: [a]}", "an MFT needs the right answer as expect:, or a wrong one as expect_not:"),
        ("{kind: MFT, texts: [], expect: pos}", "tests[0].texts: there are no texts"),
        ("{kind: MFT, expect: pos}", "no texts: expected one of texts or template"),
        ("{kind: MFT, texts: [a], template: a, expect: pos}", "texts and template: expected one of"),
        ("{kind: MFT, template: 'a {thin}', expect: pos}", "there are no words for '{thin}'; did you mean 'thing'?"),
        ("{kind: MFT, template: '{thing}', expect: {thin: PER}}", "tests[0].expect: the template has no slot 'thin'"),
        ("{kind: MFT, template: '{a}{b}{c}{d}{e}', expect: pos}", "100,000 texts come of it; expected 1 to 10,000"),
        ("{kind: INV, template: '{thing}'}", "INV needs what changes: vary: SLOT of a template, or change: NAME"),
        ("{kind: INV, template: '{thing}', vary: thin}", "has no slot 'thin'"),
        ("{kind: INV, texts: [a], vary: thing}", "tests[0].vary: it is for a template"),
        ("{kind: INV, texts: [a], change: typos}", "there is no change 'typos'; did you mean 'typo'?"),
        ("{kind: INV, groups: [[a]]}", "group 0 has 1 texts; expected at least 2"),
        ("{kind: INV, data: 0, change: typo}", "tests[0].data: invalid value 0"),
        ("{kind: DIR, groups: [[a, b, c]], expect: lower}", "group 0 has 3 texts; expected 2"),
        ("{kind: DIR, groups: [[a, b]]}", "tests[0].expect: missing; expected higher | lower | not higher | not lower"),
        ("{kind: DIR, groups: [[a, b]], expect: up}", "tests[0].expect: invalid value 'up'"),
        ("{kind: DIR, template: '{thing}', expect: lower}", "tests[0].then: missing"),
        ("{kind: DIR, template: 'x', then: '{thing}', expect: lower}", "'{thing}' does not stand in the template"),
        ("some text", "expected a mapping with kind: and texts"),
    ],
)
def test_faults_of_a_test(test: str, message: str, tmp_path: Path) -> None:
    ten = "[q, w, e, r, t, y, u, i, o, p]"
    slots = f"slots: {{thing: [film], a: {ten}, b: {ten}, c: {ten}, d: {ten}, e: {ten}}}"
    said = faults(tmp_path, f"{slots}\ntests:\n  - {test}\n")
    assert message in said
    assert said.startswith("3:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("suite: x\n", "1:1: tests: a suite needs a list of tests"),
        ("tests: []\n", "tests: a suite needs a list of tests"),
        ("test: [{}]\n", "1:1: test: a suite has no key 'test'; did you mean 'tests'?"),
        ("slots: {a: []}\ntests: [{kind: MFT, texts: [x], expect: y}]\n", "1:9: slots.a: the list has no words"),
        ("[]", "expected a mapping"),
    ],
)
def test_faults_of_a_file(text: str, message: str, tmp_path: Path) -> None:
    assert message in faults(tmp_path, text)


def test_a_suite_that_is_not_for_this_pipeline(tmp_path: Path, sentiment: Pipeline) -> None:
    def message(test: str, pipeline: Pipeline = sentiment) -> str:
        with pytest.raises(NlpipeError) as error:
            outcomes(tmp_path, f"  - {test}", pipeline)
        return str(error.value)

    said = message("{kind: MFT, texts: [good], expect: positive}")
    assert "suite.yaml:5:5: tests[0]: the pipeline has no label 'positive'" in said
    assert "write expect: ANSWER" in message("{kind: MFT, template: '{thing}', expect: {thing: PER}}")
    tagger = Pipeline([Regex(), Dictionary()], task="tagging").fit([["a", "b"]], [["B-X", "O"]])
    assert "write expect: {slot: TYPE}" in message("{kind: MFT, texts: [a], expect: X}", tagger)
    assert "DIR compares probabilities" in message("{kind: DIR, groups: [[a, b]], expect: lower}", tagger)


def test_the_command(tmp_path: Path, sentiment: Pipeline) -> None:
    sentiment.save(tmp_path / "model")
    path = tmp_path / "suite.yaml"
    path.write_text("suite: Basics\ntests: [{name: praise, kind: MFT, texts: [good, bad], expect: pos}]\n")

    def output(*words: str) -> str:
        done = CliRunner().invoke(app, ["behave", str(tmp_path / "model"), str(path), *words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    said = output()
    assert "Basics" in said and "50.0%" in said and "bad  →  neg" in said and "expected: pos" in said
    assert "bad  →  neg" not in output("--examples", "0")
    record = json.loads(output("--json"))
    assert record["tests"][0]["failure_rate"] == 0.5
    path.write_text("tests: [{kind: INV, data: 5, change: typo}]\n")
    with pytest.raises(NlpipeError, match="a saved model names no data"):
        output()


def test_nothing_to_judge_has_no_rate(tmp_path: Path) -> None:
    pipeline = Pipeline([Regex(), BagOfWords(), Majority()]).fit(["a b", "c d"], ["x", "y"])
    (outcome,) = outcomes(tmp_path, "  - {kind: INV, texts: [abc], change: lowercase}", pipeline)
    assert outcome.cases == 0 and outcome.failure_rate is None


def test_the_suite_of_the_documentation_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "behaviour.md").read_text()
    path = tmp_path / "suite.yaml"
    path.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    assert [len(test.cases) for test in read_suite(path).tests] == [18, 9, 3, 0, 9]
