"""JSON Schema of pipeline and comparison files, with which an editor completes and checks them as they are typed."""

from __future__ import annotations

import json
from typing import Any

from nlpipe.errors import NlpipeError
from nlpipe.options import Option, option_texts, options_of
from nlpipe.pipeline.thresholds import MOST
from nlpipe.registry import FOLDERS, slot, slot_of
from nlpipe.spec.cascades import AIMS
from nlpipe.spec.cascades import KEYS as CASCADE_KEYS
from nlpipe.spec.comparisons import OPTIONS
from nlpipe.spec.given_answers import COSTS
from nlpipe.spec.pipelines import NAME, SEED, SLOTS, trainer_options
from nlpipe.spec.stages import nested_shape
from nlpipe.spec.tune import FOLDS as TUNE_FOLDS
from nlpipe.spec.tune import TRIALS

Schema = dict[str, Any]


def json_schema() -> Schema:
    """JSON Schema, draft 2020-12; the options of a stage whose extra is not installed are not checked."""
    definitions: Schema = {}
    for kind in FOLDERS:
        _define_slot(kind, definitions)
    definitions["trainer"] = _trainer()
    definitions["data"] = _data()
    definitions["pipeline"] = _pipeline()
    definitions["cascade"] = _cascade(definitions["pipeline"])
    definitions["comparison"] = _comparison()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "nlpipe pipeline or comparison",
        "type": "object",
        "if": {"anyOf": [{"required": ["pipelines"]}, {"required": ["compare"]}]},
        "then": {"$ref": "#/$defs/comparison"},
        "else": {
            "if": {"required": ["cascade"]},
            "then": {"$ref": "#/$defs/cascade"},
            "else": {"$ref": "#/$defs/pipeline"},
        },
        "$defs": definitions,
    }


def _define_slot(kind: str, definitions: Schema) -> None:
    stages = slot(kind)
    objects: list[Schema] = []
    unchecked: list[str] = []
    for name in stages.names():
        try:
            owner = stages.load(name)
        except (NlpipeError, ImportError):
            unchecked.append(name)
            continue
        reference = f"{kind}.{name}"
        definitions[reference] = _stage(name, owner, stages.summary(name))
        objects.append({"$ref": f"#/$defs/{reference}"})
    if unchecked:
        names = {"enum": unchecked, "description": "its extra is not installed: options are not checked"}
        objects.append({"type": "object", "properties": {"name": names}, "required": ["name"]})
    bare = [{"const": name, "description": stages.summary(name)} for name in stages.names() if name not in unchecked]
    bare += [{"const": name} for name in unchecked]
    definitions[kind] = {"anyOf": [{"type": "string", "oneOf": bare} if bare else {"not": {}}, *objects]}


def _stage(name: str, owner: Any, summary: str) -> Schema:
    options = options_of(owner)
    texts = option_texts(owner)
    properties: Schema = {"name": {"const": name, "description": summary}}
    for option in options.values():
        properties[option.name] = _option(option, texts.get(option.name, ""))
    return {
        "type": "object",
        "description": summary,
        "properties": properties,
        "required": ["name", *(option.name for option in options.values() if option.required)],
        "additionalProperties": False,
    }


def _option(option: Option, text: str) -> Schema:
    kind = slot_of(option.annotation)
    if kind is None:
        schema = _inline(json.loads(json.dumps(option.schema())))
        schema.pop("title", None)
    else:
        takes_list, takes_null, words = nested_shape(option.annotation)
        reference = {"$ref": f"#/$defs/{kind}"}
        shapes: list[Schema] = [reference]
        shapes += [{"type": "array", "items": reference}] if takes_list else []
        shapes += [{"type": "null"}] if takes_null else []
        shapes += [{"enum": list(words)}] if words else []
        schema = reference if len(shapes) == 1 else {"anyOf": shapes}
    return {**schema, "description": text or option.describe()}


def _inline(schema: Any, definitions: Schema | None = None, depth: int = 0) -> Any:
    """``schema`` with pydantic's ``$defs`` in place of the references to them, which would start at the wrong root."""
    if isinstance(schema, list):
        return [_inline(item, definitions, depth) for item in schema]
    if not isinstance(schema, dict):
        return schema
    definitions = definitions or schema.get("$defs", {})
    target = schema.get("$ref")
    if isinstance(target, str) and target.startswith("#/$defs/"):
        content = definitions.get(target.removeprefix("#/$defs/"), {}) if depth < 10 else {}
        return _inline({**content, **{k: v for k, v in schema.items() if k != "$ref"}}, definitions, depth + 1)
    return {key: _inline(value, definitions, depth) for key, value in schema.items() if key != "$defs"}


def _trainer() -> Schema:
    from nlpipe.training.trainer import Trainer

    texts = option_texts(Trainer)
    properties = {name: _option(option, texts.get(name, "")) for name, option in trainer_options().items()}
    description = "Options of the gradient loop."
    return {
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": False,
        "description": description,
    }


def _data() -> Schema:
    inline = {
        "type": "object",
        "properties": {
            "task": {"type": "string", "description": "What the data is for, such as classification."},
            "format": {"type": "string", "description": "How its files are written, such as csv, tsv or jsonl."},
            "train": {"type": "string", "description": "The file to train on."},
            "dev": {"type": "string", "description": "The file to select on; taken from the training file if absent."},
            "test": {"type": "string", "description": "The file to score on; taken from the training file if absent."},
            "columns": {"type": "object", "description": "Role to column, by name or number: {text: 0, label: 1}."},
        },
        "required": ["task"],
    }
    return {
        "anyOf": [{"type": "string", "minLength": 1}, inline, {"type": "null"}],
        "description": "A card's name, or a mapping that says where the data is.",
    }


_TEXTS = {
    "tokenizer": "Text to words; by default regex, if the next stage takes words.",
    "representation": "Words to numbers: one vector per text or per word.",
    "encoder": "Numbers to numbers: one stage, or several in order.",
    "head": "Numbers to the output of the task.",
}


_EXTEND = {
    "type": ["string", "null"],
    "description": "A file whose values are used where this file has none; its path starts from this file's folder.",
}
_MODULE = {"type": "string"}
_IMPORT = {
    "anyOf": [_MODULE, {"type": "array", "items": _MODULE}, {"type": "null"}],
    "description": "Python modules that register stages of your own; importing them runs their code.",
}


def _pipeline() -> Schema:
    path = r"^(data|tokenizer|representation|encoder|head|trainer|seed|train_size)([.\[].*)?$"
    vary = {
        "type": ["object", "null"],
        "patternProperties": {path: {"type": "array", "minItems": 1}},
        "additionalProperties": False,
        "description": "Key paths to lists of values; the file stands for every combination whose stages fit together.",
    }
    searched = r"^(tokenizer|representation|encoder|head|trainer)([.\[].*)?$"
    tune = {
        "type": ["object", "null"],
        "properties": {
            "trials": {**TRIALS.schema(), "description": "How many settings are tried."},
            "folds": _option(
                TUNE_FOLDS, "Folds of the training and dev splits to score each setting in; by default dev scores it."
            ),
        },
        "patternProperties": {searched: {"type": ["array", "object"]}},
        "additionalProperties": False,
        "description": "Key paths to what 'nlpipe tune' tries: a range [0.01, 100, log], or a list of choices.",
    }
    properties: Schema = {
        "name": {"type": "string", "pattern": f"^{NAME}$", "description": "Its name."},
        "description": {"type": ["string", "null"], "description": "A description of the pipeline."},
        "extend": _EXTEND,
        "import": _IMPORT,
        "data": {"$ref": "#/$defs/data"},
    }
    for kind in SLOTS:
        one: list[Schema] = [{"$ref": f"#/$defs/{kind}"}]
        nullable: list[Schema] = [] if kind == "head" else [{"type": "null"}]
        if kind == "encoder":
            item = {"anyOf": [*one, {"type": "null"}]}
            nullable.append({"type": "array", "items": item})
        properties[kind] = {"anyOf": [*one, *nullable], "description": _TEXTS[kind]}
    properties["trainer"] = {"$ref": "#/$defs/trainer"}
    properties["seed"] = {**SEED.schema(), "description": "The seed of all random numbers."}
    sizes = {"type": ["integer", "null"], "minimum": 1, "description": "Examples to train on; all by default."}
    properties["train_size"] = sizes
    properties["vary"] = vary
    properties["tune"] = tune
    # a file that extends another may give a part of a stage: options without a name
    nameless = {"type": "object", "not": {"required": ["name"]}}
    partial = {kind: {"anyOf": [properties[kind], nameless, {"type": "null"}]} for kind in SLOTS}
    varied_head = {"required": ["vary"], "properties": {"vary": {"required": ["head"]}}}
    return {
        "type": "object",
        "if": {"required": ["extend"]},
        "then": {"properties": {**properties, **partial}, "additionalProperties": False},
        "else": {
            "properties": properties,
            "additionalProperties": False,
            "anyOf": [{"required": ["head"]}, varied_head],
        },
    }


def _cascade(pipeline: Schema) -> Schema:
    own = pipeline["else"]["properties"]
    shared = {key: own[key] for key in CASCADE_KEYS if key in own and key != "vary"}
    texts = {
        "within": "What may be lost to the last member's score, in its unit; the cheapest thresholds count.",
        "cost_ms": "Mean milliseconds for one text.",
        "cost_share": "Mean cost for one text, as a share of the dearest member's.",
    }
    path = rf"^({'|'.join(AIMS)}|data|seed|train_size)$"
    item = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/pipeline"}]}
    return {
        "type": "object",
        "properties": {
            **shared,
            "cascade": {
                "type": "array", "items": item, "minItems": 2, "maxItems": MOST,
                "description": "Pipelines, cheapest first: what one is not sure of goes on to the next.",
            },
            **{name: _option(option, texts[name]) for name, option in AIMS.items()},
            "vary": {
                "type": ["object", "null"],
                "patternProperties": {path: {"type": "array", "minItems": 1}},
                "additionalProperties": False,
                "description": "Keys to lists of values; the file stands for every combination.",
            },
        },
        "required": ["cascade"],
        "additionalProperties": False,
    }  # fmt: skip


def _comparison() -> Schema:
    texts = {
        "seeds": "Each pipeline that a seed changes is run with each: a list, their number, auto (5) or quick (3).",
        "train_sizes": "Numbers of examples to train on; all for the whole split.",
        "tolerance": "The loss of the primary score that does not matter, in its unit.",
        "price_per_cpu_hour": "What an hour of the processor costs, in any currency, for the price of 1,000 texts.",
        "cost": "The cost by which the cheapest pipeline is chosen.",
        "choose": "The split that the verdict rests on; with dev, test is looked at once, for the chosen pipeline.",
        "folds": "Folds of a cross-validation, for data without a test split.",
        "repeats": "How often the cross-validation is done, with other folds.",
        "latency_ms": "Maximum milliseconds for one text.",
        "latency_mean_ms": "Maximum mean milliseconds for one text.",
        "memory_mb": "Maximum memory in megabytes.",
        "model_mb": "Maximum size of the saved model in megabytes.",
        "fit_s": "Maximum seconds to fit.",
        "price_per_1000": "Maximum price of 1,000 texts.",
    }
    plain = {name: _option(option, texts[name]) for name, option in OPTIONS.items()}
    for name in ("seeds", "train_sizes"):
        plain[name] |= {"minItems": 1, "uniqueItems": True}
    limits = {name: _option(option, texts[name]) for name, option in COSTS.items()}
    for limit in limits.values():
        limit.pop("default", None)
    costs = {"type": ["object", "null"], "properties": limits, "additionalProperties": False}
    answers = {
        "type": "object",
        "properties": {
            "predictions": {"type": "string", "description": "A file with an answer to each test item."},
            "name": {"type": ["string", "null"], "description": "The name of the row."},
            "costs": {**costs, "description": "What is known of the costs."},
        },
        "required": ["predictions"],
        "additionalProperties": False,
    }
    item = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/pipeline"}, {"$ref": "#/$defs/cascade"}, answers]}
    description = "Pipeline files, whose paths start from this file's folder, or pipelines written out."
    files = {"type": "array", "items": item, "minItems": 1, "description": description}
    return {
        "type": "object",
        "properties": {
            "compare": {"type": ["string", "null"], "description": "The comparison's title."},
            "description": {
                "type": ["string", "null"],
                "description": "A description of the comparison for its readers.",
            },
            "extend": _EXTEND,
            "import": _IMPORT,
            "data": {"$ref": "#/$defs/data"},
            "pipelines": files,
            **plain,
            "budget": costs,
            "tune": {
                "type": ["object", "null"],
                "properties": {
                    "trials": {**TRIALS.schema(), "description": "For each pipeline that has 'tune'."},
                    "folds": _option(TUNE_FOLDS, "In which each setting is scored, for each pipeline that has 'tune'."),
                },
                "additionalProperties": False,
                "description": "Pipelines that have 'tune' are tuned before they are run, with as many trials each.",
            },
        },
        "anyOf": [{"required": ["pipelines"]}, {"required": ["extend"]}],
        "additionalProperties": False,
    }
