"""What a server answers to each request, apart from how it is reached."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

import nlpipe
from nlpipe.errors import NlpipeError
from nlpipe.serving.counters import Counters
from nlpipe.serving.limits import Limits, Refused
from nlpipe.serving.models import Models
from nlpipe.serving.open_inference import inference_response, model_metadata, texts_of, wanted_outputs
from nlpipe.serving.openapi import openapi
from nlpipe.serving.request_batches import Answers
from nlpipe.serving.request_body import json_body, plain_request
from nlpipe.serving.served_model import ServedModel
from nlpipe.serving.trial_page import trial_page

logger = logging.getLogger("nlpipe.serving")


class Service:
    """The answers to all requests; each method takes a request and gives its response.

    Args:
        models: each with a name of its own.
        limits: of requests.
        log_texts: whether the log has the texts of requests and the messages of errors, which may quote them.
    """

    def __init__(self, models: Sequence[ServedModel], limits: Limits, log_texts: bool = False) -> None:
        self.limits = limits
        self.log_texts = log_texts
        self.counters = Counters()
        self.models = Models(models, limits, self.counters)

    async def predict(self, request: Request) -> Response:
        """``{"text": …}`` or ``{"texts": […]}`` to ``{"answer": …}`` or ``{"answers": […]}``."""
        question = plain_request(await json_body(request, self.limits), self.limits)
        model = self.models.named(question.model)
        answers = await self._answers(model, question.texts)
        records = answers.marked(model.threshold if question.threshold is None else question.threshold)
        found = {"answer": records[0]} if question.single else {"answers": records}
        return JSONResponse({"model": model.name, "version": answers.version, **found})

    async def infer(self, request: Request) -> Response:
        """The same by the Open Inference Protocol."""
        model = self._named(request)
        value = await json_body(request, self.limits)
        texts = texts_of(value, self.limits)
        wanted_outputs(value, model)  # before anything is computed
        return JSONResponse(inference_response(value, model, await self._answers(model, texts)))

    async def _answers(self, model: ServedModel, texts: list[str]) -> Answers:
        """The answers to the texts of one request.

        Raises:
            Refused: the queue is full (503), it took too long (504), or the model cannot answer them (422, 500).
        """
        if self.log_texts:
            logger.info("%s: %r", model.name, texts)
        try:
            return await self.models.queue(model).ask(texts)
        except Refused:
            raise
        except NlpipeError as error:
            raise Refused(422, f"'{model.name}' cannot answer this: {error}") from None
        except Exception as error:
            self.log_bug(error, f"'{model.name}' failed")
            raise Refused(500, f"'{model.name}' failed; the server's log has where: {type(error).__name__}") from None

    def log_bug(self, error: Exception, what: str) -> None:
        """Log where an error arose; its message, which may quote a text, only where texts are logged."""
        frames = "".join(traceback.format_tb(error.__traceback__))
        message = f": {error}" if self.log_texts else ""
        logger.error("%s: %s%s\n%s", what, type(error).__name__, message, frames.rstrip())

    async def server(self, request: Request) -> Response:
        """Name and version of the server."""
        return JSONResponse({"name": "nlpipe", "version": nlpipe.__version__, "extensions": []})

    async def live(self, request: Request) -> Response:
        """That the server runs."""
        return JSONResponse({"live": True})

    async def ready(self, request: Request) -> Response:
        """That it answers: models are loaded before it begins to listen."""
        return JSONResponse({"ready": True})

    async def model(self, request: Request) -> Response:
        """Inputs and outputs of a model."""
        return JSONResponse(model_metadata(self._named(request)))

    async def model_ready(self, request: Request) -> Response:
        """That a model answers."""
        return JSONResponse({"name": self._named(request).name, "ready": True})

    async def load(self, request: Request) -> Response:
        """Load a model again if its folder holds another version.

        Raises:
            Refused: there is no such model (404), or the new version cannot be loaded (409).
        """
        model = self._named(request)
        try:
            changed = await self.reload(model)
        except NlpipeError as error:
            raise Refused(409, f"the version {model.loaded.version} is served on: {error}") from None
        return JSONResponse({"name": model.name, "version": model.loaded.version, "changed": changed})

    async def reload(self, model: ServedModel) -> bool:
        """As ``ServedModel.reload``; it is logged.

        Raises:
            NlpipeError: the new version cannot be loaded; the one before is served on.
        """
        try:
            changed = await self.models.reload(model)
        except NlpipeError as error:
            logger.error("%s: version %s is served on: %s", model.name, model.loaded.version, error)
            raise
        logger.info("%s: version %s %s", model.name, model.loaded.version, "loaded" if changed else "is unchanged")
        return changed

    async def health(self, request: Request) -> Response:
        """The models, and how many texts wait for each."""
        models = [
            {
                "name": model.name,
                "version": model.loaded.version,
                "task": model.loaded.pipeline.task.name,
                "waiting_texts": self.models.queue(model).waiting_texts,
            }
            for model in self.models
        ]
        return JSONResponse({"status": "ok", "models": models})

    async def metrics(self, request: Request) -> Response:
        """Counters in Prometheus' text format."""
        return Response(self.counters.text(), media_type="text/plain; version=0.0.4")

    async def document(self, request: Request) -> Response:
        """The OpenAPI document."""
        return JSONResponse(openapi(self.limits))

    async def page(self, request: Request) -> Response:
        """The page to try the models."""
        html, headers = trial_page()
        return HTMLResponse(html, headers=headers)

    def _named(self, request: Request) -> ServedModel:
        """The model in the path of the request."""
        return self.models.named(request.path_params["name"])
