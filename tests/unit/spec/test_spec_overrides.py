# ruff: noqa: E501 - messages stand whole
"""Overrides, ``extend:``, ``vary:`` and comparison files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlpipe.errors import SpecError
from nlpipe.spec import is_comparison, read_comparison, read_pipeline, read_pipelines
from nlpipe.tasks import task_named
from tests.unit.spec import spec_stages

BILSTM = "data: d\nrepresentation: embedding\nencoder: [{name: lstm, hidden: 8}, mean]\nhead: classifier\n"
BOW = "data: d\nrepresentation: bow\nhead: {name: logistic_regression, C: 0.5}\n"


@pytest.fixture(autouse=True)
def _stages(monkeypatch, tmp_path):
    spec_stages.install(monkeypatch)
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "p.yaml") -> str:
    Path(name).parent.mkdir(exist_ok=True, parents=True)
    Path(name).write_text(text, encoding="utf-8")
    return name


def said(read, *arguments) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read(*arguments)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("text", "override", "key", "expected"),
    [
        (BILSTM, "encoder[0].hidden=64", (2, "hidden"), 64),
        (BILSTM, "encoder.0.hidden=64", (2, "hidden"), 64),
        (BILSTM, "head.dropout=0.25", (4, "dropout"), 0.25),
        (BILSTM, "representation.dim=7", (1, "dim"), 7),
        (BILSTM, "tokenizer.lowercase=true", (0, "lowercase"), True),
        (BOW, "representation.ngrams=[1, 2]", (1, "ngrams"), (1, 2)),
        (BOW, "head.C=1e-3", (2, "C"), 1e-3),
        (BOW, "head.penalty=", (2, "penalty"), None),
        (BOW, "head={name: dictionary, words: [no]}\0representation=null", (1, "words"), ["no"]),
        (BILSTM.replace("[{name: lstm, hidden: 8}, mean]", "mean"), "encoder[0]={name: mean}", (2, "x"), None),
    ],
)
def test_an_override_changes_one_value(text, override, key, expected):
    spec = read_pipeline(write(text), override.split("\0"))
    assert spec.stages[key[0]].options.get(key[1]) == expected


def test_stages_are_removed_added_and_replaced():
    def names(*overrides: str) -> list[str]:
        return [stage.name for stage in read_pipeline(write(BILSTM), overrides).stages]

    assert names("encoder=mean") == ["regex", "embedding", "mean", "classifier"]
    assert names("encoder.0=null") == ["regex", "embedding", "mean", "classifier"]
    assert names("encoder=null", "head=tagger") == ["regex", "embedding", "tagger"]
    assert names("encoder[2]=null", "tokenizer=characters") == ["characters", "embedding", "lstm", "mean", "classifier"]
    assert names("encoder=null", "encoder[0]=mean") == ["regex", "embedding", "mean", "classifier"]


def test_data_is_given_whole_or_by_key():
    spec = read_pipeline(write(BOW), ["data={task: classification, train: a b.csv, columns: {text: 0}}", "data.test=c"])
    assert spec.data == {"task": "classification", "train": "a b.csv", "columns": {"text": 0}, "test": "c"}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("head.dropuot=0.5", "classifier has no option 'dropuot'; did you mean 'dropout'?"),
        ("encoder[0].hiden=3", "lstm has no option 'hiden'; did you mean 'hidden'?"),
        ("encoder.0.hiden=3", "lstm has no option 'hiden'; did you mean 'hidden'?"),
        ("head.dropout=x", "invalid value 'x': expected a number of at least 0 and below 1"),
        ("head={name: clasifier}", "head.name: there is no head 'clasifier'; did you mean 'classifier'?"),
        ("encoder.hidden=3", "'encoder' is a list of 2; name an item, such as encoder[0].hidden"),
        ("encoder[3]=mean", "'encoder' has 2 items, counted from 0; there is no [3]"),
        ("data.train=x", "'data' is 'd', which has no keys"),
        ("sed=3", "a pipeline has no key 'sed'; did you mean 'seed'?"),
        ("head", "invalid override: expected key.path=value, such as head.C=2"),
        ("=3", "invalid override: expected key.path=value, such as head.C=2"),
        ("a..b=3", "invalid override: expected key.path=value, such as head.C=2"),
        (
            "seed=[1",
            "not readable as YAML: expected ',' or ']', but got '<stream end>' (while parsing a flow sequence)",
        ),
    ],
)
def test_faults_in_an_override_quote_it(override, message):
    assert said(read_pipeline, write(BILSTM), [override]) == [f"override {override}: {message}"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.from_regex(r"[a-z]{1,4}(\.0|\[\d\]|\.name|\.C)?=.{0,4}") | st.text(max_size=8).map("head.C=".__add__)
                | st.sampled_from(["encoder[0].0=1", "vary.head=[tagger]", "vary=1", "vary.x.y=1", "extend=p.yaml", "name.x=1",
                                   "encoder.0.0.hidden=1", "tokenizer.0.0=x", "head.name.x=1", "representation[0]=bow"]), max_size=3))  # fmt: skip
def test_any_override_is_a_fault_or_a_spec(overrides):
    found, faults = spec_stages.attempt(read_pipelines, write(BILSTM), overrides)
    assert faults or found.pipelines


def test_extend_lays_one_file_over_another():
    write("name: base\ndescription: b\n" + BILSTM + "seed: 5\n", "bases/base.yaml")
    write("extend: bases/base.yaml\nencoder: [mean]\nhead: {dropout: 0.5}\ntokenizer: {lowercase: true}", "child.yaml")
    write(
        "tokenizer: characters\nextend: child.yaml\nhead: {name: logistic_regression, C: 3}\nrepresentation: {name: static, path: x}",
        "grand.yaml",
    )
    child, grand = read_pipeline("child.yaml", ["tokenizer.name=regex"]), read_pipeline("grand.yaml")
    assert (child.name, child.description, child.seed, child.data) == ("child", "", 5, "d")
    assert [stage.name for stage in child.stages] == ["regex", "embedding", "mean", "classifier"]
    assert child.stages[0].options == {"lowercase": True} and child.stages[3].options == {"dropout": 0.5}
    assert grand.stages[-1].options == {"C": 3, "penalty": "l2"}  # another stage: none of the old one's options
    assert grand.stages[0].name == "characters"


def test_faults_keep_the_place_of_the_file_they_stand_in():
    write("representation: bow\nhead: {name: logistic_regression, C: 0}\n", "bases/base.yaml")
    write("extend: bases/base.yaml\nhead: {penalti: l1}\n", "child.yaml")
    assert said(read_pipeline, "child.yaml") == [
        "child.yaml:2:8: head.penalti: logistic_regression has no option 'penalti'; did you mean 'penalty'?",
        "bases/base.yaml:2:38: head.C: invalid value 0: expected a positive number",
    ]


def test_a_file_cannot_extend_itself():
    write("extend: b.yaml", "a.yaml")
    write("\nextend: a.yaml", "b.yaml")
    assert said(read_pipeline, "a.yaml") == [
        "b.yaml:2:9: extend: a file cannot extend itself: a.yaml extends b.yaml extends a.yaml"
    ]
    assert said(read_pipeline, write("extend: [a]")) == [
        "p.yaml:1:9: extend: invalid value ['a']: expected the name of a file"
    ]
    assert said(read_pipeline, write(BOW), ["extend=a.yaml"]) == [
        "override extend=a.yaml: only a file can extend another"
    ]


VARY = BOW + "vary:\n  representation: [bow, tfidf, {name: static, path: x}]\n  encoder: [null, mean]\n"


def test_vary_gives_the_combinations_that_fit():
    found = read_pipelines(write(VARY, "vary.yaml"))
    assert [pipeline.name for pipeline in found.pipelines] == [
        "vary-bow-none",
        "vary-tfidf-none",
        "vary-static-none",  # without a task it may well tag
        "vary-static-mean",
    ]
    assert [[stage.name for stage in pipeline.stages] for pipeline in found.pipelines] == [
        ["regex", "bow", "logistic_regression"],
        ["regex", "tfidf", "logistic_regression"],
        ["regex", "static", "logistic_regression"],
        ["regex", "static", "mean", "logistic_regression"],
    ]
    wrong = "encoder 'mean' takes Sequences, but representation '{}' gives Vectors; representations that give Sequences: embedding, join, static"
    assert found.left_out == (("vary-bow-mean", wrong.format("bow")), ("vary-tfidf-mean", wrong.format("tfidf")))


def test_a_label_head_over_sequences_is_no_classifier(monkeypatch):
    task = task_named("classification")
    monkeypatch.setattr("nlpipe.spec.pipelines.read_data", lambda value: (value.plain(), task))
    found = read_pipelines(write(VARY))
    assert len(found.pipelines) == 3
    assert found.left_out[-1] == (
        "p-static-none",
        "head 'logistic_regression' takes Vectors, but representation 'static' gives Sequences; "
        "encoders to put between them, which give Vectors: mean",
    )


def test_names_say_what_was_varied_and_are_unique():
    text = BOW + "vary: {head.C: [0.1, 1], representation: [{name: bow, min_df: 1}, {name: bow, min_df: 2}]}"
    names = [pipeline.name for pipeline in read_pipelines(write(text)).pipelines]
    assert names == ["p-C=0.1-bow", "p-C=0.1-bow.2", "p-C=1-bow", "p-C=1-bow.2"]


def test_overriding_a_varied_key_settles_it():
    found = read_pipelines(write(VARY), ["encoder=mean", "representation={name: static, path: y}"])
    assert [p.name for p in found.pipelines] == ["p"] and found.pipelines[0].stages[1].options["path"] == "y"
    assert said(read_pipeline, write(VARY)) == [
        "p.yaml:4:1: vary: this file stands for 6 pipelines: compare them (nlpipe compare), "
        "or choose one with representation=… encoder=…"
    ]


@pytest.mark.parametrize(
    ("vary", "messages"),
    [
        ("{representation: [bwo, tfidf], head.C: [1, 0]}", [
            "4:25: representation: there is no representation 'bwo'; did you mean 'bow'?",
            "4:50: head.C: invalid value 0: expected a positive number"]),
        ("{representation: tfidf}", ["4:24: vary.representation: invalid value 'tfidf': expected a list of the values to try"]),
        ("{encodr: [mean]}", ["4:8: vary.encodr: 'encodr' is not a key of a pipeline that can vary"]),
        ("[bow]", ["4:7: vary: invalid value ['bow']: expected a mapping of keys to lists, such as {representation: [bow, tfidf]}"]),
        (f"{{seed: {list(range(1001))}}}", ["4:7: vary: 1001 combinations are more than 1000"]),
        ("{encoder: [mean]}", ["4:18: encoder: encoder 'mean' takes Sequences, but representation 'bow' gives Vectors; representations that give Sequences: embedding, join, static"]),
    ],
)  # fmt: skip
def test_faults_of_vary(vary, messages):
    assert said(read_pipelines, write(f"{BOW}vary: {vary}\n")) == [f"p.yaml:{message}" for message in messages]


COMPARE = """\
compare: Two of them
data: other
pipelines: [a.yaml, deep/b.yaml]
seeds: [1, 2]
train_sizes: [500, all]
budget: {latency_ms: 20}
tolerance: 0.02
"""


def test_a_comparison_has_its_own_data_and_takes_files_beside_it():
    write(BOW, "c/a.yaml")
    write(VARY, "c/deep/b.yaml")
    spec = read_comparison(write(COMPARE, "c/compare.yaml"), ["head.C=2", "seeds=[3]", "budget.memory_mb=5"])
    assert (spec.title, spec.data, spec.seeds, spec.train_sizes) == ("Two of them", "other", (3,), (500, "all"))
    assert spec.budget == {"latency_ms": 20, "memory_mb": 5} and spec.tolerance == 0.02 and len(spec.left_out) == 2
    assert [p.name for p in spec.pipelines] == ["a", "b-bow-none", "b-tfidf-none", "b-static-none", "b-static-mean"]
    assert {p.data for p in spec.pipelines} == {"other"}
    assert repr(spec) == (
        "ComparisonSpec('Two of them': a, b-bow-none, b-tfidf-none, b-static-none, b-static-mean; seeds [3])"
    )
    assert {p.stages[-1].options["C"] for p in spec.pipelines} == {2}
    assert is_comparison("c/compare.yaml") and not is_comparison("c/a.yaml")


def test_all_faults_of_a_comparison_and_its_pipelines():
    write(BOW.replace("0.5", "0"), "a.yaml")
    text = "pipelines: [a.yaml, b.yaml, 3]\nseeds: [1, 1]\ntrain_sizes: [0]\nbudget: {latency: 3}\ntolerance: -2\nsedes: 1\n"
    assert said(read_comparison, write(text, "c.yaml")) == [
        "c.yaml:1:21: pipelines[1]: there is no file 'b.yaml' in '.'; did you mean 'c.yaml'?",
        "c.yaml:1:29: pipelines[2]: invalid value 3: expected the path of a pipeline file, or a pipeline's keys",
        "c.yaml:2:8: seeds: a value is given twice; give each once",
        "c.yaml:3:14: train_sizes: [0]: invalid value 0: expected a positive integer or 'all'",
        "c.yaml:4:10: budget.latency: a budget has no 'latency'; did you mean 'latency_ms'?",
        "c.yaml:5:12: tolerance: invalid value -2: expected a positive number or null",
        "c.yaml:6:1: sedes: a comparison has no key 'sedes'; did you mean 'seeds'?",
        "a.yaml:3:38: head.C: invalid value 0: expected a positive number",
    ]


def test_what_a_comparison_cannot_be():
    write(BOW, "a.yaml")
    write(BOW.replace("data: d", "data: e"), "b.yaml")
    needs = "a comparison needs a list of pipeline files, such as [a.yaml, b.yaml]"
    assert said(read_comparison, write("compare: x", "c.yaml")) == [f"c.yaml:1:1: pipelines: {needs}"]
    assert said(read_comparison, write("pipelines: [a.yaml, a.yaml]", "c.yaml")) == [
        "c.yaml:1:21: pipelines[1]: two pipelines are called 'a'; give one of them a 'name:'"
    ]
    assert said(read_comparison, write("pipelines: [a.yaml, b.yaml]", "c.yaml")) == [
        "c.yaml:1:1: data: 'a' and 'b' have different data (d, e); name the data of the comparison, 'data: CARD' in its file or data=CARD on the command line"
    ]


def test_files_named_one_by_one():
    write(BOW, "a.yaml")
    write(BILSTM, "b.yaml")
    spec = read_comparison(["a.yaml", "b.yaml"], ["seeds=[1, 2]", "data=x"])
    assert [(p.name, p.path, p.data) for p in spec.pipelines] == [("a", "a.yaml", "x"), ("b", "b.yaml", "x")]
    assert spec.seeds == (1, 2) and spec.data == "x"
    assert said(read_comparison, ["a.yaml", "z.yaml"]) == [
        "z.yaml: there is no file 'z.yaml' in '.'; did you mean 'b.yaml'?"
    ]
