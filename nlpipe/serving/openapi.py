"""The OpenAPI document of the server, https://spec.openapis.org/oas/v3.1.0."""

from __future__ import annotations

from typing import Any

import nlpipe
from nlpipe.serving.limits import Limits

STRING, NUMBER, ANY = {"type": "string"}, {"type": "number"}, {"type": "object"}
REFUSALS = {
    "400": "the body is empty, not UTF-8 or not JSON",
    "404": "no model of that name is served",
    "408": "the body did not arrive in time",
    "409": "the new version cannot be loaded; the one before is served on",
    "413": "the body, the texts or one text exceed the limits",
    "422": "a field is unknown, missing or of another type, or the model cannot answer, or has no confidence",
    "500": "the model failed; the server's log says where",
    "503": "too many texts wait for the model; ask again after Retry-After seconds",
    "504": "not answered in time",
}
"""Status to what it means; the body is ``{"error": …}``."""
OF_TEXTS = ("400", "404", "408", "413", "422", "500", "503", "504")
"""What a request with texts may be refused with."""
RECORD = {
    "type": "object",
    "description": "As 'nlpipe predict --format jsonl' writes it; which fields there are depends on the model.",
    "properties": {
        "predicted": {
            "oneOf": [STRING, {"type": "array", "items": STRING}],
            "description": "the label, or the text that was written; a list where a text has any number of labels",
        },
        "score": {**NUMBER, "description": "probability of the label, or log-probability of the text in nats"},
        "probabilities": {"type": "object", "additionalProperties": NUMBER},
        "entities": {"type": "array", "items": {"$ref": "#/components/schemas/Span"}},
        "tokens": {"type": "array", "items": {"$ref": "#/components/schemas/Span"}},
        "confidence": {**NUMBER, "description": "where there is a threshold: how sure the answer is, from 0 to 1"},
        "unsure": {"type": "boolean", "description": "where there is a threshold: whether the confidence is lower"},
        "cut": {"type": "boolean", "description": "whether the text was ended by a length limit"},
    },
}
SPAN = {
    "type": "object",
    "properties": {
        "start": {"type": "integer", "description": "first character, counted in code points"},
        "end": {"type": "integer", "description": "the one after the last"},
        "type": STRING,
        "text": STRING,
        "score": NUMBER,
    },
}
TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype", "data"],
    "properties": {
        "name": STRING,
        "shape": {"type": "array", "items": {"type": "integer"}},
        "datatype": {"enum": ["BYTES", "FP64", "BOOL"]},
        "parameters": ANY,
        "data": {"type": "array"},
    },
}


def openapi(limits: Limits) -> dict[str, Any]:
    """The document of a server with these limits."""
    texts = {"type": "array", "items": _text(limits), "maxItems": limits.texts}
    model = {**STRING, "description": "may be left out where one model is served"}
    threshold = {
        **NUMBER, "minimum": 0, "maximum": 1,
        "description": "answers of a lower confidence are marked as unsure; may be left out",
    }  # fmt: skip
    record = {"$ref": "#/components/schemas/Answer"}
    tensors = {"type": "array", "items": {"$ref": "#/components/schemas/Tensor"}}
    question = {
        "type": "object",
        "properties": {"text": _text(limits), "texts": texts, "model": model, "threshold": threshold},
        "oneOf": [{"required": ["text"]}, {"required": ["texts"]}],
        "additionalProperties": False,
    }
    answers = _object(model=STRING, version=STRING, answer=record, answers={"type": "array", "items": record})
    inference = {
        "type": "object",
        "required": ["inputs"],
        "properties": {"id": STRING, "inputs": {**tensors, "minItems": 1, "maxItems": 1}, "outputs": {"type": "array"}},
    }
    inferred = _object(model_name=STRING, model_version=STRING, id=STRING, outputs=tensors)
    loaded = _object(name=STRING, version=STRING, changed={"type": "boolean"})
    name = [{"name": "name", "in": "path", "required": True, "schema": STRING}]
    metadata = _object(
        name=STRING, versions={"type": "array"}, platform=STRING, inputs={"type": "array"}, outputs={"type": "array"}
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "nlpipe", "version": nlpipe.__version__},
        "paths": {
            "/predict": {"post": _operation("Answer texts", answers, OF_TEXTS, question)},
            "/health": {"get": _operation("The models, and how many texts wait for each", ANY)},
            "/metrics": {"get": _operation("Counters for Prometheus", None)},
            "/": {"get": _operation("A page to try the models", None, media="text/html")},
            "/openapi.json": {"get": _operation("This document", ANY)},
            "/v2": {"get": _operation("Name and version of the server", ANY)},
            "/v2/health/live": {"get": _operation("Whether the server runs", _object(live={"type": "boolean"}))},
            "/v2/health/ready": {"get": _operation("Whether it answers", _object(ready={"type": "boolean"}))},
            "/v2/models/{name}": {
                "parameters": name,
                "get": _operation("Inputs and outputs of a model", metadata, ("404",)),
            },
            "/v2/models/{name}/ready": {
                "parameters": name,
                "get": _operation("Whether a model answers", _object(name=STRING, ready={"type": "boolean"}), ("404",)),
            },
            "/v2/models/{name}/infer": {
                "parameters": name,
                "post": _operation("Answer texts, as tensors", inferred, OF_TEXTS, inference),
            },
            "/v2/repository/models/{name}/load": {
                "parameters": name,
                "post": _operation("Load a model again if its folder was replaced", loaded, ("404", "409")),
            },
        },
        "components": {"schemas": {"Answer": RECORD, "Span": SPAN, "Tensor": TENSOR, "Error": _object(error=STRING)}},
    }


def _text(limits: Limits) -> dict[str, Any]:
    return {"type": "string", "maxLength": limits.length}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _operation(
    summary: str, answer: Any, refusals: tuple[str, ...] = (), body: Any = None, media: str = "text/plain"
) -> dict[str, Any]:
    """One operation: what it gives as JSON (None: as text, ``media``), what it is refused with, what it takes."""
    media = media if answer is None else "application/json"
    responses: dict[str, Any] = {"200": {"description": summary, "content": {media: {"schema": answer or STRING}}}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for status in refusals:
        responses[status] = {"description": REFUSALS[status], "content": error}
    operation: dict[str, Any] = {"summary": summary, "responses": responses}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation
