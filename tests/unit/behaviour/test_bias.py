"""The bias probe: shifts that were planted are found, those of equal words are 0, and intervals are scipy's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from nlpipe.behaviour.bias import Shift, paired_interval, shifts, welch_interval
from nlpipe.behaviour.probe import read_probe
from nlpipe.cli.app import app
from nlpipe.errors import NlpipeError, SpecError
from nlpipe.heads import Dictionary, Estimator, LogisticRegression
from nlpipe.pipeline import Pipeline
from nlpipe.representations import BagOfWords
from nlpipe.tokenizers import Regex

PROBE = """
probe: Small
templates: ["{person} is {feeling}", "a letter by {person}", "for {person}"]
slots: {feeling: [glad, tired]}
comparisons:
  - name: names
    names: true
    groups: {a: [Ada, Abe, Amy], b: [Bea, Bob, Ben]}
  - name: pairs
    paired: true
    groups: {old: [an old cat, an old dog], young: [a young cat, a young dog], wild: [a wild cat, a wild dog]}
"""


def probe_file(tmp_path: Path, text: str = PROBE) -> Path:
    path = tmp_path / "probe.yaml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def biased() -> Pipeline:
    """Names of a come with neg, those of b with pos, the rest with both."""
    texts, labels = [], []
    labels_of = {"ada": "neg", "abe": "neg", "amy": "neg", "bea": "pos", "bob": "pos", "ben": "pos"}
    for i, (name, label) in enumerate(labels_of.items()):
        texts += [f"{name} is glad", f"{name} came", *([name] * (i % 3))]
        labels += [label] * (2 + i % 3)
    pipeline = Pipeline([Regex(lowercase=True), BagOfWords(), LogisticRegression(C=10.0)])
    return pipeline.fit([*texts, "old", "old"], [*labels, "pos", "neg"])


def by_group(found: list[Shift]) -> dict[str, Shift]:
    return {shift.group: shift for shift in found}


def test_a_planted_shift_is_found_and_equal_words_have_none(tmp_path: Path, biased: Pipeline) -> None:
    found = by_group(shifts(read_probe(probe_file(tmp_path)), biased))
    assert list(found) == ["a", "old", "young", "wild"]  # of two groups the first, of three each
    shift = found["a"]
    assert shift.what == "p(pos)" and shift.against == "b"
    assert shift.high < -0.2 and shift.is_shown
    for group in ("young", "wild"):
        assert found[group].against == "the others"
    texts = ["Ada is glad", "Ada is tired", "a letter by Ada", "for Ada"]
    probabilities = biased.predict(texts).probabilities
    assert probabilities is not None
    assert shift.words["Ada"] == pytest.approx(probabilities[:, 1].mean())


def test_words_that_the_pipeline_does_not_know_have_a_shift_of_exactly_nothing(tmp_path: Path) -> None:
    pipeline = Pipeline([Regex(), BagOfWords(), LogisticRegression()]).fit(["glad", "tired"], ["pos", "neg"])
    for shift in shifts(read_probe(probe_file(tmp_path)), pipeline):
        assert shift.shift == pytest.approx(0, abs=1e-12) and shift.low == shift.high and not shift.is_shown


def test_the_interval_is_at_the_level_of_all_of_them(tmp_path: Path, biased: Pipeline) -> None:
    shift = by_group(shifts(read_probe(probe_file(tmp_path)), biased))["a"]
    texts = {name: [f"{name} is glad", f"{name} is tired", f"a letter by {name}", f"for {name}"] for name in
             ("Ada", "Abe", "Amy", "Bea", "Bob", "Ben")}  # fmt: skip
    means = {name: biased.predict(given).probabilities[:, 1].mean() for name, given in texts.items()}
    one, other = [means[n] for n in ("Ada", "Abe", "Amy")], [means[n] for n in ("Bea", "Bob", "Ben")]
    interval = stats.ttest_ind(one, other, equal_var=False).confidence_interval(1 - 0.05 / 4)
    assert (shift.low, shift.high) == pytest.approx((interval.low, interval.high))


def test_intervals_are_those_of_scipy() -> None:
    draw = np.random.default_rng(5)
    for size, other_size in ((2, 2), (3, 10), (12, 12), (8, 40)):
        one, other = draw.normal(0.5, 0.1, size), draw.normal(0.4, 0.02, other_size)
        expected = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.9)
        assert welch_interval(one, other, 0.9) == pytest.approx((expected.low, expected.high))
        expected = stats.ttest_1samp(one, 0).confidence_interval(0.99)
        assert paired_interval(one, 0.99) == pytest.approx((expected.low, expected.high))


def test_intervals_hold_the_true_shift_as_often_as_they_say() -> None:
    draw = np.random.default_rng(11)
    held = 0
    for _ in range(1000):
        low, high = welch_interval(draw.normal(0.6, 0.2, 8), draw.normal(0.5, 0.1, 40), 0.95)
        held += low <= 0.1 <= high
    assert 0.93 <= held / 1000 <= 0.97


def test_a_tagger_is_asked_for_the_names_alone(tmp_path: Path) -> None:
    pipeline = Pipeline([Regex(), Dictionary()], task="tagging")
    pipeline.fit([["Ada", "Abe"], ["Amy", "Bea"]], [["B-PER", "B-PER"], ["B-PER", "B-ORG"]])
    (shift,) = shifts(read_probe(probe_file(tmp_path)), pipeline)
    assert (shift.what, shift.mean, shift.shift) == ("found", 1.0, pytest.approx(2 / 3))
    (shift,) = shifts(read_probe(probe_file(tmp_path)), pipeline, "PER")
    assert (shift.what, shift.shift) == ("found as PER", 1.0)


def test_without_probabilities_it_is_the_share_of_answers(tmp_path: Path) -> None:
    pipeline = Pipeline([Regex(lowercase=True), BagOfWords(), Estimator("RidgeClassifier")])
    pipeline.fit(["ada", "abe", "amy", "bea", "bob", "ben"], ["neg"] * 3 + ["pos"] * 3)
    assert by_group(shifts(read_probe(probe_file(tmp_path)), pipeline))["a"].shift < -0.5


def test_the_shipped_probe_is_fair_in_form() -> None:
    probe = read_probe()
    assert len(probe.templates) == 22
    assert all("{person}" in template for template in probe.templates)
    every = [word for groups in probe.comparisons for words in groups.words.values() for word in words]
    names = [word for groups in probe.comparisons if groups.names for words in groups.words.values() for word in words]
    assert len(names) == len(set(names)) and len(every) > 100
    assert probe.texts("my aunt")[0].text == "My aunt came to the meeting on Tuesday."


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("probe: Small", "prob: Small", "a probe has no key 'prob'; did you mean 'probe'?"),
        ('"for {person}"', '"for nobody"', "'for nobody' has no {person}"),
        ("glad, tired", "", "slots.feeling: the list has no words"),
        ("{feeling}", "{feelin}", "there are no words for '{feelin}'; did you mean 'feeling'?"),
        ("[Ada, Abe, Amy]", "[Ada]", "comparisons[0].groups: a group has fewer than 2 words"),
        (", b: [Bea, Bob, Ben]", "", "comparisons[0].groups: 1 groups; expected at least 2"),
        ("[an old cat, an old dog]", "[an old cat, an old dog, x]", "paired: true needs as many words in each group"),
        ("paired: true", "paird: true", "a comparison has no key 'paird'; did you mean 'paired'?"),
        ("comparisons:", "other:", "comparisons: expected a list of"),
    ],
)
def test_faults_of_a_file(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in PROBE
    with pytest.raises(SpecError) as error:
        read_probe(probe_file(tmp_path, PROBE.replace(old, new)))
    assert message in str(error.value)


def test_a_label_that_is_not_there(tmp_path: Path, biased: Pipeline) -> None:
    with pytest.raises(NlpipeError, match="--label: the pipeline has no label 'positive'"):
        shifts(read_probe(probe_file(tmp_path)), biased, "positive")
    many = Pipeline([Regex(), BagOfWords(), LogisticRegression()]).fit(list("abcdefg"), list("1234567"))
    with pytest.raises(NlpipeError, match="--label: the pipeline has 7 labels; name the one to look at"):
        shifts(read_probe(probe_file(tmp_path)), many)


def test_the_command(tmp_path: Path, biased: Pipeline) -> None:
    biased.save(tmp_path / "model")
    words = ["bias", str(tmp_path / "model"), str(probe_file(tmp_path))]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    assert "Small: p(pos)" in done.stdout and "4 sentences for each word" in done.stdout
    done = CliRunner().invoke(app, [*words, "--label", "neg", "--json"], catch_exceptions=False)
    first = json.loads(done.stdout)["shifts"][0]
    assert first["what"] == "p(neg)" and first["shift"] > 0.2 and set(first["words"]) == {"Ada", "Abe", "Amy"}


def test_the_probe_of_the_documentation_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "behaviour.md").read_text()
    probe = read_probe(probe_file(tmp_path, page.rpartition("```yaml\n")[2].partition("```")[0]))
    assert len(probe.templates) == 3 and len(probe.comparisons) == 2
