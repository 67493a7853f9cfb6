# ruff: noqa: E501 - messages stand whole
"""Pipeline files: what people see when a file is right, and when it is not."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlpipe.errors import DataError, SpecError
from nlpipe.options import Positive, PositiveFloat
from nlpipe.spec import PipelineSpec, StageSpec, read_pipeline, to_yaml
from nlpipe.spec.stages import spec_of
from nlpipe.tasks.classification import Classification
from nlpipe.tasks.tagging import Tagging
from tests.unit.spec import spec_stages

GOOD = """\
description: an example
data: reviews
tokenizer: {name: regex, lowercase: true}
representation: {name: join, parts: [embedding, {name: static, path: v.txt, tokenizer: characters}]}
encoder:
  - {name: lstm, hidden: 64}
  - mean
head: {name: classifier, dropout: 0.5}
seed: 7
"""


@pytest.fixture(autouse=True)
def _stages(monkeypatch, tmp_path):
    spec_stages.install(monkeypatch)
    monkeypatch.chdir(tmp_path)


def write(text: str | bytes, name: str = "p.yaml") -> Path:
    path = Path(name)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def said(text: str | bytes, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read_pipeline(write(text), overrides)
    return str(caught.value).splitlines()


def test_a_good_file_is_read_with_every_default():
    spec = read_pipeline(write(GOOD, "good.yaml"))
    assert (spec.name, spec.data, spec.seed, spec.description) == ("good", "reviews", 7, "an example")
    static = {
        "path": "v.txt",
        "trainable": False,
        "tokenizer": StageSpec("tokenizer", "characters", {"lowercase": False}),
    }
    parts = [StageSpec("representation", "embedding", {"dim": 100}), StageSpec("representation", "static", static)]
    assert spec.stages == (
        StageSpec("tokenizer", "regex", {"lowercase": True}),
        StageSpec("representation", "join", {"parts": parts, "tokens": "shared"}),
        StageSpec("encoder", "lstm", {"hidden": 64, "dropout": 0.0, "bidirectional": True}),
        StageSpec("encoder", "mean", {}),
        StageSpec("head", "classifier", {"dropout": 0.5}),
    )


def test_stages_are_made_afresh_nested_ones_too():
    spec = read_pipeline(write(GOOD))
    first, second = (spec.stages[1].make() for _ in range(2))
    assert isinstance(first, spec_stages.Join) and isinstance(first.options["parts"][1], spec_stages.Static)
    assert first is not second and first.options["parts"][0] is not second.options["parts"][0]
    assert spec_of(first) == spec.stages[1]


@pytest.mark.parametrize(
    "text", [GOOD, "head: {name: dictionary, words: ['1e-3', 'no', 'null', '.5', '0o7', 'é\\u2028']}"]
)
def test_what_is_resolved_reads_as_the_same(text):
    spec = read_pipeline(write(text))
    again = read_pipeline(write(to_yaml(spec.resolved()), "other.yaml"))
    assert again == spec
    assert again.resolved() == spec.resolved()
    assert read_pipeline(spec.resolved()) == spec


def test_absent_keys_have_their_defaults():
    spec = read_pipeline(write("representation: bow\nencoder: null\nhead: logistic_regression"))
    assert [stage.name for stage in spec.stages] == ["regex", "bow", "logistic_regression"]
    assert (spec.data, spec.seed, spec.trainer) == (None, 13, {})
    assert repr(spec) == "PipelineSpec('p': regex → bow → logistic_regression)"
    assert repr(spec.stages[1]) == "StageSpec(representation 'bow')"
    assert spec.stages[1].options["ngrams"] == (1, 1)


def test_scalars_are_those_of_yaml_1_2():
    text = "representation: {name: bow, words: [no, on, yes, off, 12:30, 1_000, '1', =]}\n"
    spec = read_pipeline(write(text + "head: {name: logistic_regression, C: 1e-3}\nseed: 0x1F"))
    assert spec.stages[1].options["words"] == ["no", "on", "yes", "off", "12:30", "1_000", "1", "="]
    assert spec.stages[2].options["C"] == 1e-3
    assert spec.seed == 31


def test_all_faults_at_once_in_order():
    text = """\
representation: {name: bow, min_df: 0}
encoder:
  - {name: lstm, hiden: 64, dropout: 1.5}
  - meen
head: {name: logistic_regression, C: abc}
seed: abc
heads: 3
"""
    assert said(text) == [
        "p.yaml:1:37: representation.min_df: invalid value 0: expected a positive integer",
        "p.yaml:3:5: encoder[0]: encoder 'lstm' takes Sequences, but representation 'bow' gives Vectors; "
        "representations that give Sequences: embedding, join, static",
        "p.yaml:3:5: encoder[0]: 'lstm' has weights to learn, and head 'logistic_regression' learns without gradients; "
        "heads that train it: classifier",
        "p.yaml:3:18: encoder[0].hiden: lstm has no option 'hiden'; did you mean 'hidden'?",
        "p.yaml:3:38: encoder[0].dropout: invalid value 1.5: expected a number of at least 0 and below 1",
        "p.yaml:4:5: encoder[1]: there is no encoder 'meen'; did you mean 'mean'?",
        "p.yaml:5:38: head.C: invalid value 'abc': expected a positive number",
        "p.yaml:6:7: seed: invalid value 'abc': expected an integer from 0 to 4294967295",
        "p.yaml:7:1: heads: a pipeline has no key 'heads'; did you mean 'head'?",
    ]


BOW = "representation: bow\nhead: logistic_regression\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: the file is empty; expected a mapping of keys to values"),
        ("# only a comment\n", "1:1: the file is empty; expected a mapping of keys to values"),
        ("- a\n", "1:1: expected a mapping of keys to values, not a list"),
        ("a word", "1:1: expected a mapping of keys to values, not 'a word'"),
        ("head:\n\tname: x\n", "2:1: a tab is not allowed for indentation or before a value; use spaces"),
        (b"head: caf\xe9\n", "1:10: byte 0xe9 is not UTF-8; save the file as UTF-8"),
        ("head: x\n---\nhead: y\n", "2:1: a second document begins here; expected one"),
        ("head: a: b\n", "1:8: not readable as YAML: a ':' is not allowed here; is the indentation right, or should the value be quoted?"),
        ("head: \x00\n", "1:7: the character U+0000 is not allowed in YAML"),
        (BOW + "head: x\n", "3:1: head: the key 'head' is given twice (first in line 2)"),
        (BOW + "seed: !!python/name:os.system x\n", "3:7: seed: the tag !!python/name:os.system is not allowed; write the plain value"),
        (BOW + "<<: {seed: 1}\n", "3:1: <<: merge keys (<<) are not allowed; write the keys out, or extend another file"),
        (BOW + "seed: *x\n", "3:7: seed: there is no anchor '&x' before this alias"),
        (BOW + "seed: .nan\n", "3:7: seed: .nan is not a finite number"),
        (BOW + f"seed: {'9' * 5000}\n", "3:7: seed: 99999999999999999999… is not a finite number"),
        (BOW + "seed: -1\n", "3:7: seed: invalid value -1: expected an integer from 0 to 4294967295"),
        (BOW + "seed: true\n", "3:7: seed: invalid value True: expected an integer from 0 to 4294967295"),
        (BOW + "name: a/b\n", "3:7: name: invalid value 'a/b': expected letters, digits and - _ . + =, fit for a directory's name"),
        ("representation: embedding\nencoder: mean\nhead: classifier\ntrainer: {lrr: 1}\n", "4:11: trainer.lrr: the trainer has no option 'lrr'; did you mean 'lr'?"),
        (BOW + "extend: q.yaml\n", "3:9: extend: there is no file 'q.yaml' in '.'; did you mean 'p.yaml'?"),
        (BOW + "tokenizer: spacy\n", "3:12: tokenizer: tokenizer 'spacy' needs the package 'tests_missing_package', which is not installed; pip install tests_missing_package"),
        ("representation: bow\n", "1:1: head: a pipeline needs a head, such as 'head: logistic_regression'"),
        ("head: {words: [a]}\n", "1:7: head.name: the name of the head is missing; known: classifier, dictionary, logistic_regression, tagger"),
        ("head: [dictionary]\n", "1:7: head: a head is a name or a mapping with 'name', not a list"),
        ("head: dictionary\n", "1:7: head.words: dictionary needs option 'words' (list of str)"),
        ("head: {name: dictionary, words: [a], max: 1}\n", "1:38: head.max: dictionary has no option 'max'; known: words"),
        ("representation: embedding\nencoder: {name: mean, k: 1}\nhead: classifier\n", "2:23: encoder.k: mean has no option 'k'; it takes none"),
        ("representation: {name: bow, ngrams: [2, 1]}\nhead: logistic_regression\n", "1:17: representation: bow: ngrams 2 to 1 is no range"),
        ("representation: {name: static, path: x, tokenizer: [regex]}\nencoder: mean\nhead: classifier\n", "1:52: representation.tokenizer: expected one tokenizer, not a list"),
        ("representation: {name: join, parts: [embeding]}\nencoder: mean\nhead: classifier\n", "1:38: representation.parts[0]: there is no representation 'embeding'; did you mean 'embedding'?"),
        ("pipelines: [a.yaml]\n", "1:1: pipelines: this file is a comparison (it has 'pipelines'), not a pipeline; compare it: nlpipe compare"),
    ],
)  # fmt: skip
def test_one_fault_says_where_what_and_what_instead(text, message):
    assert said(text) == [f"p.yaml:{message}"]


def test_a_file_that_is_not_there_or_no_file():
    write(BOW, "tfidf.yaml")
    for path, message in [("tfdif.yaml", "there is no file 'tfdif.yaml' in '.'; did you mean 'tfidf.yaml'?")]:
        with pytest.raises(SpecError) as caught:
            read_pipeline(path)
        assert str(caught.value) == f"{path}: {message}"
    with pytest.raises(SpecError, match="this is a directory, not a file"):
        read_pipeline(".")


def test_depth_and_aliases_are_bounded():
    assert said("a: " + "[" * 5000) == [f"p.yaml:1:44: a{'[0]' * 40}: nested more than 40 deep"]
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(20))
    started = time.process_time()
    assert said(laughs)[-1] == "p.yaml:5:5: a4: more than 20000 values"
    assert time.process_time() - started < 2
    assert said("x" * 300_000) == ["p.yaml: more than 256 KiB; expected a pipeline, comparison or card"]


def test_an_alias_stands_for_its_anchor():
    spec = read_pipeline(
        write("representation: &r {name: bow, min_df: 2}\nvary: {head.C: [3]}\nhead: logistic_regression")
    )
    assert spec.stages[-1].options["C"] == 3
    text = "data: {task: t, train: &f a.csv, test: *f}\n" + BOW
    assert read_pipeline(write(text)).data == {"task": "t", "train": "a.csv", "test": "a.csv"}


def test_the_wires_of_the_data_are_checked(monkeypatch):
    def read_data(value):
        if value.content == "nowhere":
            raise DataError("there is no card 'nowhere'")
        return value.content, Tagging() if value.content == "entities" else Classification()

    monkeypatch.setattr("nlpipe.spec.pipelines.read_data", read_data)

    tags = "representation: embedding\nhead: {}\n"
    assert read_pipeline(write(tags.format("tagger") + "data: entities")).data == "entities"
    assert said(tags.format("classifier") + "data: entities")[0].startswith(
        "p.yaml:2:7: head: head 'classifier' takes Vectors, but representation 'embedding' gives Sequences"
    )
    assert said(tags.format("tagger") + "data: reviews") == [
        "p.yaml:2:7: head: head 'tagger' gives Tags, but the task asks for Labels; "
        "heads that give Labels: classifier, dictionary, logistic_regression"
    ]
    assert said(tags.format("classifier") + "data: reviews") == [
        "p.yaml:2:7: head: head 'classifier' takes Vectors, but representation 'embedding' gives Sequences; "
        "encoders to put between them, which give Vectors: mean"
    ]
    assert said(BOW + "data: entities") == [
        "p.yaml:2:7: head: head 'logistic_regression' gives Labels, but the task asks for Tags; heads that give Tags: tagger"
    ]
    assert said(BOW + "data: nowhere") == ["p.yaml:3:7: data: there is no card 'nowhere'"]


def test_trainer_options_come_from_the_trainer(monkeypatch):
    class Trainer:
        """The loop."""

        def __init__(self, epochs: Positive = 10, lr: PositiveFloat = 1e-3) -> None: ...

    monkeypatch.setattr("nlpipe.training.trainer.Trainer", Trainer)
    neural = "representation: embedding\nencoder: mean\nhead: classifier\n"
    assert read_pipeline(write(neural)).trainer == {"epochs": 10, "lr": 1e-3}
    assert read_pipeline(write(neural + "trainer: {lr: 1e-2}")).trainer == {"epochs": 10, "lr": 1e-2}
    assert read_pipeline(write(BOW)).trainer == {}
    assert said(neural + "trainer: {epoch: 2, lr: 0}") == [
        "p.yaml:4:11: trainer.epoch: the trainer has no option 'epoch'; did you mean 'epochs'?",
        "p.yaml:4:25: trainer.lr: invalid value 0: expected a positive number",
    ]
    assert said(neural + "trainer: 3") == ["p.yaml:4:10: trainer: invalid value 3: expected a mapping of options"]


def test_a_mapping_from_python():
    spec = read_pipeline({"representation": "bow", "head": {"name": "logistic_regression", "C": 2.0}}, ["seed=4"])
    assert spec.name == "pipeline" and spec.seed == 4
    with pytest.raises(SpecError) as caught:
        read_pipeline({"head": "dictionari"})
    assert str(caught.value) == "pipeline: head: there is no head 'dictionari'; did you mean 'dictionary'?"
    for odd in ({"head": object()}, {"head": {"name": float("nan")}}, {None: 1}, {"head": "\ud800"}):
        with pytest.raises(SpecError):
            read_pipeline(odd)


words = st.sampled_from(
    [*GOOD.replace(":", " ").split(), "null", "-1", "1.5", "true", "[]", "{}", "'", "&a", "*a", "!t"]
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["name", "regex", "lstm"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "parts", "x", ""]), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
KEYS = ["name", "data", "tokenizer", "representation", "encoder", "head", "trainer", "seed", "vary", "extend", "hed"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(KEYS), plain, max_size=4), st.sets(st.sampled_from(KEYS), max_size=3))
def test_any_change_of_a_file_is_a_fault_or_a_spec(changed, dropped):
    base = read_pipeline(write(GOOD)).resolved()
    content = {key: value for key, value in {**base, **changed}.items() if key not in dropped}
    spec, faults = spec_stages.attempt(read_pipeline, content)
    assert (spec is None) == bool(faults) and all(fault.message for fault in faults)
    if spec is not None:
        assert read_pipeline(write(to_yaml(spec.resolved()))) == spec


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=60)
    | st.text(max_size=60).map(lambda t: t.encode("utf-8", "surrogatepass"))
    | st.tuples(
        st.integers(0, len(GOOD)), st.sampled_from(list(":{}[]-&*!|>'\"%@`#,?\t\n\\ ")) | words, st.integers(0, 9)
    ).map(lambda c: (GOOD[: c[0]] + c[1] + GOOD[c[0] + c[2] :]).encode())
)
def test_any_bytes_are_a_fault_or_a_spec(data):
    spec, faults = spec_stages.attempt(read_pipeline, write(data))
    assert isinstance(spec, PipelineSpec) != bool(faults)


@settings(max_examples=200, deadline=None)
@given(plain | st.text() | words | st.from_regex(r"[-+.0-9eEox_:]{1,6}", fullmatch=True))
def test_what_is_written_is_read_as_it_was(content):
    from nlpipe.yaml_reader import parse
    from nlpipe.yaml_values import Place, from_plain

    try:
        value = from_plain(content, Place("x"))
    except SpecError:
        return
    text = to_yaml({"k": value.plain()})
    again, faults = spec_stages.attempt(parse, text, Place("x"))
    if faults:  # only an empty key can be built in Python and not be written
        assert all("a key is missing" in fault.message for fault in faults)
    else:
        assert repr(again.plain()) == repr({"k": value.plain()})


def test_reading_a_classical_file_is_light():
    code = "import sys, nlpipe.spec; print([m for m in ('torch', 'transformers', 'gensim', 'spacy', 'pydantic', 'jsonschema', 'sklearn') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[3], check=True
    )
    assert done.stdout == "[]\n"
