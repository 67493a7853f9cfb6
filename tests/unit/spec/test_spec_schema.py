# ruff: noqa: E501 - files stand in one line
"""The JSON Schema that editors use: it lets pass what the reader takes, and stops what people mistype."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from nlpipe.options import option_texts
from nlpipe.spec import json_schema
from tests.unit.spec import spec_stages


@pytest.fixture
def validator(monkeypatch):
    spec_stages.install(monkeypatch)
    schema = json.loads(json.dumps(json_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize(
    "text",
    [
        "head: {name: dictionary, words: [a]}",
        "data: d\nrepresentation: {name: bow, ngrams: [1, 2]}\nencoder: null\nhead: logistic_regression\nseed: 3",
        "representation: {name: join, parts: [embedding, {name: static, path: x, tokenizer: characters}], tokens: shared}\n"
        "encoder: [{name: lstm, hidden: 3}, mean]\nhead: {name: classifier, dropout: 0.5}",
        "tokenizer: spacy\nrepresentation: bow\nhead: logistic_regression",
        "tokenizer: {name: spacy, model: x}\nrepresentation: bow\nhead: {name: logistic_regression, penalty: null}",
        "extend: other.yaml\nhead: {C: 3}",
        "representation: bow\nvary: {head: [logistic_regression], head.C: [1, 2]}",
        "data: {task: classification, train: a.csv, columns: {text: 0}}\nhead: {name: dictionary, words: []}",
        "data: d\ncascade: [a.yaml, {representation: bow, head: logistic_regression}]\nwithin: 0.005\nseed: 3",
        "pipelines: [a.yaml, {cascade: [a.yaml, b.yaml], cost_ms: 5}]",
        "compare: x\npipelines: [a.yaml]\nseeds: [1]\ntrain_sizes: [500, all]\nbudget: {latency_ms: 3}\ntolerance: 0.1",
    ],
)
def test_good_files_pass(validator, text):
    assert not list(validator.iter_errors(yaml.safe_load(text)))


@pytest.mark.parametrize(
    "text",
    [
        "hed: classifier",
        "representation: bow",
        "head: {C: 1}",
        "head: logreg",
        "head: {name: dictionary}",
        "representation: bow\nhead: {name: logistic_regression, c: 1}",
        "representation: bow\nhead: {name: logistic_regression, C: 0}",
        "representation: bow\nhead: {name: logistic_regression, penalty: l3}",
        "representation: {name: bow, ngrams: [1, 2, 3]}\nhead: logistic_regression",
        "representation: {name: join, parts: [embeding]}\nencoder: mean\nhead: classifier",
        "encoder: [{name: lstm, hidden: 1.5}]\nrepresentation: embedding\nhead: classifier",
        "head: {name: dictionary, words: []}\nseed: -1",
        "head: {name: dictionary, words: []}\nvary: {head: dictionary}",
        "head: {name: dictionary, words: []}\nvary: {hed: [dictionary]}",
        "head: {name: dictionary, words: []}\ndata: {train: a.csv}",
        "extend: a.yaml\nhed: x",
        "pipelines: []",
        "pipelines: [a.yaml]\nseeds: [1, 1]",
        "pipelines: [a.yaml]\ntrain_sizes: [some]",
        "pipelines: [a.yaml]\nbudget: {latency: 3}",
        "cascade: [a.yaml]\nwithin: 0.1",
        "cascade: [a.yaml, b.yaml]\nwithin: -1",
        "cascade: [a.yaml, b.yaml]\ncost_share: 1.5",
        "cascade: [a.yaml, b.yaml]\nwihtin: 0.1",
        "cascade: [a.yaml, b.yaml]\nwithin: 0.1\nhead: logistic_regression",
        "- 1",
    ],
)
def test_bad_files_do_not(validator, text):
    assert list(validator.iter_errors(yaml.safe_load(text)))


def test_options_carry_ranges_defaults_and_their_text(validator):
    head = validator.schema["$defs"]["head.logistic_regression"]
    assert head["properties"]["C"] == {
        "type": "number",
        "exclusiveMinimum": 0.0,
        "default": 1.0,
        "description": "inverse strength of the penalty.",
    }
    assert head["description"] == "A linear classifier."
    assert validator.schema["$defs"]["representation.static"]["properties"]["tokenizer"]["anyOf"] == [
        {"$ref": "#/$defs/tokenizer"},
        {"type": "null"},
    ]


def test_option_texts_are_read_from_the_docstring_with_their_continuation():
    assert option_texts(spec_stages.Regex) == {
        "lowercase": "whether words are put into lower case, which most classical pipelines want."
    }
    assert option_texts(spec_stages.TfIdf)["min_df"] == "texts a word must stand in."
