"""The server as an ASGI application: its routes, and what becomes of errors."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nlpipe.serving.limits import Limits, Refused
from nlpipe.serving.served_model import ServedModel
from nlpipe.serving.service import Service

Answer = Callable[[Request], Awaitable[Response]]
GONE = 499
"""The status counted for clients that close the connection before they have sent their request; none of HTTP's."""
HEADERS = {408: {"Connection": "close"}, 413: {"Connection": "close"}, 503: {"Retry-After": "1"}}
"""Of refusals by status; behind a body that was not read to its end nothing can follow on the connection."""
OTHER = "other"
"""What requests without a route are counted under."""


def application(models: Sequence[ServedModel], limits: Limits | None = None, log_texts: bool = False) -> Starlette:
    """The server; its ``state.service`` is the ``Service``.

    Args:
        models: each with a name of its own.
        limits: None for the defaults.
        log_texts: as in ``Service``.
    """
    service = Service(models, limits or Limits(), log_texts)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with service.models.answering():
            yield

    async def no_route(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        message = f"no {request.method} {request.url.path[:200]}; GET /openapi.json lists what there is"
        service.counters.request(OTHER, error.status_code, 0.0)
        return refusal(error.status_code, message, error.headers)

    app = Starlette(
        routes=[route(service, *each) for each in routes(service)],
        exception_handlers={HTTPException: no_route},
        lifespan=lifespan,
    )
    app.state.service = service
    return app


def routes(service: Service) -> list[tuple[str, str, Answer]]:
    """(method, path, what answers) of every route."""
    return [
        ("POST", "/predict", service.predict),
        ("GET", "/health", service.health),
        ("GET", "/metrics", service.metrics),
        ("GET", "/", service.page),
        ("GET", "/openapi.json", service.document),
        ("GET", "/v2", service.server),
        ("GET", "/v2/health/live", service.live),
        ("GET", "/v2/health/ready", service.ready),
        ("GET", "/v2/models/{name}", service.model),
        ("GET", "/v2/models/{name}/ready", service.model_ready),
        ("POST", "/v2/models/{name}/infer", service.infer),
        ("POST", "/v2/repository/models/{name}/load", service.load),
    ]


def route(service: Service, method: str, path: str, answer: Answer) -> Route:
    """A route whose requests are counted and whose errors are JSON."""

    async def endpoint(request: Request) -> Response:
        start = time.perf_counter()
        try:
            response = await answer(request)
        except Refused as error:
            response = refusal(error.status, str(error), HEADERS.get(error.status))
        except ClientDisconnect:
            response = Response(status_code=GONE)
        except Exception as error:
            service.log_bug(error, f"{method} {path} failed")
            response = refusal(500, f"the server failed; its log has where: {type(error).__name__}")
        service.counters.request(path, response.status_code, time.perf_counter() - start)
        return response

    return Route(path, endpoint, methods=[method])


def refusal(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error in the form of the Open Inference Protocol."""
    return JSONResponse({"error": message}, status, headers)
