"""Requests and answers of the Open Inference Protocol, version 2, with JSON tensors.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md

A model takes one tensor ``text`` of N strings (datatype BYTES) and gives one for each part of its answers: strings as
BYTES (N,), numbers as FP64 (N,), probabilities as FP64 (N, C) with the C labels among its parameters, and what has no
fixed shape, such as entities, as BYTES (N,) that hold JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nlpipe.errors import suggest
from nlpipe.serving.limits import Limits, Refused
from nlpipe.serving.request_batches import Answers
from nlpipe.serving.request_body import checked_texts, is_string, kind
from nlpipe.serving.served_model import ServedModel

INPUT = "text"
"""Name of the tensor that goes in."""
OBJECT = 'expected {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a fine film"]}]}'


def texts_of(request: Any, limits: Limits) -> list[str]:
    """The texts of an inference request.

    Raises:
        Refused: it is of another form (422), or too much (413).
    """
    if not isinstance(request, dict):
        raise Refused(422, f"{kind(request)}; {OBJECT}")
    inputs = request.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise Refused(422, f"inputs: one tensor is needed; {OBJECT}")
    (tensor,) = inputs
    if tensor.get("name") != INPUT:
        raise Refused(422, f"inputs[0].name: the model has one input, '{INPUT}'; {OBJECT}")
    if tensor.get("datatype") != "BYTES":
        raise Refused(422, f"inputs[0].datatype: texts are strings, datatype BYTES; {OBJECT}")
    parameters = tensor.get("parameters") or {}
    content = parameters.get("content_type", "str") if isinstance(parameters, dict) else None
    if content != "str" or "binary_data_size" in parameters:
        message = "only content_type 'str' is read: send plain strings as data, not base64 or binary tensors"
        raise Refused(422, f"inputs[0].parameters: {message}")
    data = tensor.get("data")
    if isinstance(data, list) and data and all(isinstance(row, list) and len(row) == 1 for row in data):
        data = [row[0] for row in data]  # a matrix (N, 1)
    texts = checked_texts(data, "inputs[0].data", limits)
    sizes = [_size(size) for size in shape] if isinstance(shape := tensor.get("shape"), list) else []
    if sizes not in ([len(texts)], [len(texts), 1]):
        raise Refused(422, f"inputs[0].shape: expected [{len(texts)}], the number of strings in data")
    return texts


def _size(value: Any) -> int | None:
    """One number of a shape; None where it is no whole number."""
    return getattr(value, "whole", None)


def inference_response(request: Mapping[str, Any], model: ServedModel, answers: Answers) -> dict[str, Any]:
    """The answer to an inference request; its ``outputs`` choose among the tensors.

    Raises:
        Refused: it asks for an output that there is not, or its id is no string (422).
    """
    response: dict[str, Any] = {"model_name": model.name, "model_version": answers.version}
    if "id" in request:
        response["id"] = request["id"]
    wanted = wanted_outputs(request, model)
    example, parts = parts_of(model.loaded.example), [parts_of(each) for each in answers.marked(model.threshold)]
    response["outputs"] = [
        tensor(name, [part[name] for part in parts], example[name]) for name in example if name in wanted
    ]
    return response


def wanted_outputs(request: Mapping[str, Any], model: ServedModel) -> list[str]:
    """The names of the outputs that ``request`` asks for; all of them where it does not say.

    Raises:
        Refused: there is no such output, or the request's id is no string (422).
    """
    if "id" in request and not is_string(request["id"]):
        raise Refused(422, f"id: {kind(request['id'])} where a string was expected")
    outputs = request.get("outputs")
    known = list(parts_of(model.loaded.example))
    if outputs is None:
        return known
    if not isinstance(outputs, list):
        raise Refused(422, f"outputs: {kind(outputs)} where an array was expected")
    names = [output.get("name") if isinstance(output, dict) else None for output in outputs]
    for number, name in enumerate(names):
        if not is_string(name) or name not in known:
            shown = f"no output '{str(name)[:60]}'{suggest(str(name)[:60], known)}" if name is not None else "no 'name'"
            raise Refused(422, f"outputs[{number}]: {shown}")
    return [str(name) for name in names] or known


def parts_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """An answer by the names of its tensors: ``entities`` or ``tokens``, of which a text has any number: ``predicted``.

    A text that has none does not tell which of the two its model gives.
    """
    return {"predicted" if isinstance(value, list) else name: value for name, value in record.items()}


def tensor(name: str, values: Sequence[Any], example: Any) -> dict[str, Any]:
    """One part of N answers as a tensor; ``example`` shows its type."""
    output = {"name": name, **_type(example, len(values))}
    if isinstance(example, dict):
        output["data"] = [value for row in values for value in row.values()]  # (N, C), row by row
    elif isinstance(example, list):
        output["data"] = [json.dumps(value, ensure_ascii=False) for value in values]
    else:
        output["data"] = list(values)
    return output


def _type(example: Any, count: int) -> dict[str, Any]:
    """Datatype and shape of ``count`` values such as ``example``, with what a reader must know besides."""
    if isinstance(example, dict):
        return {"datatype": "FP64", "shape": [count, len(example)], "parameters": {"labels": list(example)}}
    if isinstance(example, list):
        return {"datatype": "BYTES", "shape": [count], "parameters": {"content_type": "json"}}
    datatype = {bool: "BOOL", float: "FP64", str: "BYTES"}[type(example)]
    return {"datatype": datatype, "shape": [count]}


def model_metadata(model: ServedModel) -> dict[str, Any]:
    """What the protocol says of a model."""
    parts = parts_of(model.loaded.example)
    return {
        "name": model.name,
        "versions": [model.loaded.version],
        "platform": f"nlpipe_{model.loaded.pipeline.task.name}",
        "inputs": [{"name": INPUT, "datatype": "BYTES", "shape": [-1]}],
        "outputs": [{"name": name, **_type(value, -1)} for name, value in parts.items()],
    }
