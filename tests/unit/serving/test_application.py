"""The server without a network: answers are those of the pipeline, refusals say what and what instead."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from nlpipe.errors import NlpipeError
from nlpipe.heads import Perceptron
from nlpipe.pipeline import Pipeline
from nlpipe.serving.application import application, routes
from nlpipe.serving.limits import Limits
from nlpipe.serving.models import load_models
from nlpipe.serving.openapi import openapi
from nlpipe.serving.service import Service
from tests.unit.serving import small_models
from tests.unit.serving.small_models import is_probability

LIMITS = Limits(body=20_000, texts=50, length=1_000, queue=100)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served")
    small_models.save_classifier(root / "reviews")
    small_models.save_tagger(root / "names")
    small_models.save_translator(root / "german")
    return root


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    """A server of one model."""
    with TestClient(application(load_models([str(folder / "reviews")]), LIMITS)) as client:
        yield client


@pytest.fixture
def several(folder: Path) -> Iterator[TestClient]:
    """A server of three."""
    runs = [str(folder / name) for name in ("reviews", "names", "german")]
    with TestClient(application(load_models(runs), LIMITS)) as client:
        yield client


def infer(text: Any, **changes: Any) -> dict[str, Any]:
    data = text if isinstance(text, list) else [text]
    return {"inputs": [{"name": "text", "shape": [len(data)], "datatype": "BYTES", "data": data, **changes}]}


def test_answers_are_those_of_the_pipeline(client: TestClient, folder: Path) -> None:
    texts = ["a fine film", "a dull film", "", "🙂 naïve \u2028", "fine " * 150]
    predictions = Pipeline.load(folder / "reviews").predict(texts)
    found = client.post("/predict", json={"texts": texts})
    assert found.status_code == 200
    answers = found.json()["answers"]
    assert [answer["predicted"] for answer in answers] == predictions.labels
    assert [answer["score"] for answer in answers] == pytest.approx(predictions.scores, abs=1e-6)
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    one = client.post("/predict", json={"text": "a fine film"}).json()
    assert one["answer"] == answers[0] and one["model"] == "reviews" and one["version"] == found.json()["version"]
    assert client.post("/predict", json={"texts": []}).json()["answers"] == []


def test_each_kind_of_model_answers_as_predict_does(several: TestClient) -> None:
    def answer(model: str, text: str) -> Any:
        return several.post("/predict", json={"text": text, "model": model}).json()["answer"]

    assert answer("german", "two dogs")["predicted"] == "zwei Hunde"
    (person,) = answer("names", "🙂 Anna Berg stayed")["entities"]
    assert (person["start"], person["end"], person["type"], person["text"]) == (2, 11, "PER", "Anna Berg")
    message = several.post("/predict", json={"text": "a"})
    assert message.status_code == 422 and "say which as 'model': german, names, reviews" in message.json()["error"]


def test_the_open_inference_protocol(several: TestClient) -> None:
    assert several.get("/v2").json()["name"] == "nlpipe"
    assert several.get("/v2/health/live").json() == {"live": True}
    assert several.get("/v2/health/ready").json() == {"ready": True}
    assert several.get("/v2/models/names/ready").json() == {"name": "names", "ready": True}
    metadata = several.get("/v2/models/reviews").json()
    assert metadata["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert [(part["name"], part["datatype"], part["shape"]) for part in metadata["outputs"]] == [
        ("predicted", "BYTES", [-1]), ("score", "FP64", [-1]), ("probabilities", "FP64", [-1, 2]),
    ]  # fmt: skip
    found = several.post("/v2/models/reviews/infer", json={"id": "7", **infer(["fine", "dull", "dull"])}).json()
    assert (found["id"], found["model_name"], found["model_version"]) == ("7", "reviews", metadata["versions"][0])
    label, score, probabilities = found["outputs"]
    assert label["data"] == ["good", "bad", "bad"] and label["shape"] == [3]
    assert probabilities["shape"] == [3, 2] and probabilities["parameters"] == {"labels": ["bad", "good"]}
    rows = [probabilities["data"][start : start + 2] for start in (0, 2, 4)]
    assert [max(row) for row in rows] == score["data"] and all(map(is_probability, score["data"]))
    found = several.post("/v2/models/names/infer", json=infer(["Anna stayed", "nobody"])).json()
    (entities,) = found["outputs"]
    first, second = map(json.loads, entities["data"])
    assert entities["parameters"] == {"content_type": "json"} and first[0]["type"] == "PER" and second == []


def test_outputs_are_chosen_and_matrices_of_one_column_read(client: TestClient) -> None:
    request = {**infer([["fine"], ["dull"]], shape=[2, 1]), "outputs": [{"name": "predicted"}]}
    (output,) = client.post("/v2/models/reviews/infer", json=request).json()["outputs"]
    assert (output["name"], output["data"]) == ("predicted", ["good", "bad"])


def test_sets_of_labels_are_lists_in_json_and_strings_of_json_in_tensors(tmp_path: Path) -> None:
    run = small_models.save_label_sets(tmp_path / "topics")
    texts = ["a fine warm film", "fine", "dull and cold"]
    with TestClient(application(load_models([str(run)]), LIMITS)) as client:
        answers = client.post("/predict", json={"texts": texts}).json()["answers"]
        assert [answer["predicted"] for answer in answers] == [["film", "good"], ["good"], []]
        predicted, score, probabilities = client.post("/v2/models/topics/infer", json=infer(texts)).json()["outputs"]
        parts = {each["name"]: each for each in client.get("/v2/models/topics").json()["outputs"]}
    assert [json.loads(item) for item in predicted["data"]] == [["film", "good"], ["good"], []]
    assert parts["predicted"]["parameters"] == predicted["parameters"] == {"content_type": "json"}
    assert score["data"] == [answer["score"] for answer in answers]
    assert probabilities["parameters"] == {"labels": ["film", "good"]} and probabilities["shape"] == [3, 2]
    assert probabilities["data"] == [share for answer in answers for share in answer["probabilities"].values()]


def test_answers_below_a_threshold_say_that_they_are_unsure(folder: Path) -> None:
    texts = ["a fine film", "film"]
    runs = [str(folder / "reviews"), str(folder / "german")]
    with TestClient(application(load_models(runs, threshold=1.0), LIMITS)) as client:

        def answers(**fields: Any) -> list[dict[str, Any]]:
            found = client.post("/predict", json={"texts": texts, "model": "reviews", **fields})
            assert found.status_code == 200, found.text
            return list(found.json()["answers"])

        plain = answers()
        sure = [answer["confidence"] for answer in plain]
        assert sure == [answer["score"] for answer in plain] and sure[0] > sure[1]
        assert [answer["unsure"] for answer in plain] == [True, True]
        assert [answer["unsure"] for answer in answers(threshold=sum(sure) / 2)] == [False, True]
        assert [answer["unsure"] for answer in answers(threshold=0)] == [False, False]
        outputs = client.post("/v2/models/reviews/infer", json=infer(texts)).json()["outputs"]
        tensors = {output["name"]: (output["datatype"], output["data"]) for output in outputs}
        assert tensors["confidence"] == ("FP64", sure) and tensors["unsure"] == ("BOOL", [True, True])
        names = [part["name"] for part in client.get("/v2/models/german").json()["outputs"]]
        assert {"confidence", "unsure"} <= {*names}
    with TestClient(application(load_models(runs), LIMITS)) as client:
        assert answers()[0].keys() == {"predicted", "score", "probabilities"}
        assert [answer["unsure"] for answer in answers(threshold=1)] == [True, True]


def test_a_threshold_needs_a_confidence(tmp_path: Path) -> None:
    run = small_models.save_label_sets(tmp_path / "topics", head=Perceptron())
    with pytest.raises(NlpipeError, match="topics: --threshold: the head 'perceptron' gives no probabilities"):
        load_models([str(run)], threshold=0.5)
    with TestClient(application(load_models([str(run)]), LIMITS)) as client:
        assert client.post("/predict", json={"text": "dull"}).json()["answer"] == {"predicted": []}
        found = client.post("/predict", json={"text": "fine", "threshold": 0.5})
        assert found.status_code == 422 and "the model gives no probabilities" in found.json()["error"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ([], "an array; expected"),
        ({}, "inputs: one tensor is needed"),
        ({"inputs": [1]}, "inputs: one tensor is needed"),
        (infer("a", name="x"), "the model has one input, 'text'"),
        (infer("a", datatype="FP32"), "datatype BYTES"),
        (infer("a", shape=[2]), "expected [1], the number of strings in data"),
        (infer("a", shape=["1"]), "expected [1]"),
        (infer([5]), "inputs[0].data[0]: a number where a string was expected"),
        (infer([["a", "b"]]), "inputs[0].data[0]: an array where a string was expected"),
        (infer("a", parameters={"content_type": "base64"}), "not base64 or binary tensors"),
        (infer("a", parameters={"binary_data_size": 3}), "not base64 or binary tensors"),
        ({**infer("a"), "id": 5}, "id: a number where a string was expected"),
        ({**infer("a"), "outputs": [{"name": "labl"}]}, "outputs[0]: no output 'labl'"),
        ({**infer("a"), "outputs": [{}]}, "outputs[0]: no 'name'"),
        ({**infer("a"), "outputs": {}}, "outputs: an object where an array was expected"),
    ],
)
def test_malformed_tensors_are_refused(client: TestClient, request_: Any, message: str) -> None:
    found = client.post("/v2/models/reviews/infer", json=request_)
    assert found.status_code == 422 and message in found.json()["error"], found.json()


def test_health_and_metrics_count(client: TestClient) -> None:
    for _ in range(3):
        client.post("/predict", json={"texts": ["a", "b"]})
    client.get("/nowhere")
    (model,) = client.get("/health").json()["models"]
    assert (model["name"], model["task"], model["waiting_texts"]) == ("reviews", "classification", 0)
    lines = client.get("/metrics").text.splitlines()
    assert 'nlpipe_requests_total{path="/predict",status="200"} 3.0' in lines
    assert 'nlpipe_requests_total{path="other",status="404"} 1.0' in lines
    assert 'nlpipe_batch_texts_sum{model="reviews"} 6.0' in lines
    assert any(line.startswith("process_resident_memory_bytes") for line in lines)


def test_the_openapi_document_has_every_route_and_resolves(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document == json.loads(json.dumps(openapi(LIMITS)))
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    described = {(method, path) for method, path in described if method != "PARAMETERS"}
    assert described == {(method, path) for method, path, _ in routes(Service([], LIMITS))}
    for reference in json.dumps(document).split('"$ref": "#/')[1:]:
        value: Any = document
        for key in reference.partition('"')[0].split("/"):
            value = value[key]
        assert value["type"] == "object"


def test_a_replaced_model_is_loaded_when_asked_for(tmp_path: Path) -> None:
    run = small_models.save_classifier(tmp_path / "run")
    with TestClient(application(load_models([str(run)]), LIMITS)) as client:
        first = client.post("/predict", json={"text": "fine"}).json()
        load = "/v2/repository/models/reviews/load"
        assert client.post(load).json() == {"name": "reviews", "version": first["version"], "changed": False}
        shutil.rmtree(run)
        refused = client.post(load)
        assert refused.status_code == 409 and f"{first['version']} is served on" in refused.json()["error"]
        assert client.post("/predict", json={"text": "fine"}).json() == first
        small_models.save_classifier(run, name="other name", labels=("up", "down"))
        assert client.post("/predict", json={"text": "fine"}).json() == first
        assert client.post(load).json()["changed"]
        second = client.post("/predict", json={"text": "fine"}).json()
        assert (second["answer"]["predicted"], second["model"]) == ("up", "reviews")
        assert second["version"] != first["version"]
        assert 'nlpipe_reloads_total{model="reviews"} 1.0' in client.get("/metrics").text


def test_models_are_named_by_pipelines_then_folders_or_as_one_says(tmp_path: Path) -> None:
    one = small_models.save_classifier(tmp_path / "one")
    two = small_models.save_classifier(tmp_path / "two")
    three = small_models.save_bayes(tmp_path / "a=b")
    runs = [str(one), str(two), str(three), f"best={one}"]
    assert [model.name for model in load_models(runs)] == ["one", "two", "bayes", "best"]
    with pytest.raises(NlpipeError, match="2 models are called 'best'; write NAME=RUN"):
        load_models([f"best={one}", f"best={two}"])
    with pytest.raises(NlpipeError, match="expected NAME=RUN with a name that has no '/'"):
        load_models([f"a/b={one}"])


def test_a_queue_shorter_than_a_request_is_no_limit() -> None:
    with pytest.raises(NlpipeError, match="a queue of 5 texts is less than a request of 10; make it longer"):
        Limits(texts=10, queue=5)


def test_copies_of_a_model_answer_at_the_same_time_and_are_replaced_together(tmp_path: Path) -> None:
    run = small_models.save_classifier(tmp_path / "run")
    (model,) = load_models([f"m={run}"], workers=2)
    before = model.loaded
    one, other = before.free.get(), before.free.get()
    assert one is not other
    before.free.put(one)
    small_models.save_classifier(run, labels=("up", "down"))
    assert asyncio.run(model.reload()) and model.loaded is not before
    assert model.loaded.free.qsize() == 2
    assert model.answer(["fine"]).records[0]["predicted"] in ("up", "down")
    assert model.loaded.free.qsize() == 2
    with pytest.raises(NlpipeError, match="is not a text"):
        model.answer([None])  # type: ignore[list-item]
    assert model.loaded.free.qsize() == 2
