"""``nlpipe serve``: a process that loads models, listens, and ends when it has answered what it accepted."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Sequence
from typing import Any

import uvicorn

from nlpipe.errors import NlpipeError, NlpipeWarning
from nlpipe.serving.application import application
from nlpipe.serving.limits import Limits
from nlpipe.serving.models import load_models
from nlpipe.serving.request_batches import WORKER
from nlpipe.serving.service import Service
from nlpipe.threads import thread_count, use_threads

SPARE = 5
"""Seconds that the server waits at its end beyond the time that a request may take."""
SWITCH = 0.0005
"""Seconds after which a worker thread that runs Python gives way to the event loop; a tenth of Python's default."""
KEPT = 75
"""Seconds that an idle connection is kept; proxies keep theirs for less (nginx 60), so that they use no closed one."""
BACKLOG = 2048
"""Connections that may wait to be accepted."""


def serve(
    runs: Sequence[str],
    host: str,
    port: int,
    limits: Limits,
    log_texts: bool = False,
    workers: int = 1,
    threshold: float | None = None,
) -> None:
    """Serve ``runs`` until SIGTERM or SIGINT; SIGHUP loads again those that were replaced.

    Args:
        runs: each ``RUN`` or ``NAME=RUN``.
        host: name or address to listen on.
        port: 0 for one that is free.
        limits: of requests.
        log_texts: as in ``Service``.
        workers: copies of each model, which answer at the same time; they share the processors among them.
        threshold: the confidence below which answers are ``unsure``; a request may have another.

    Raises:
        NlpipeError: a run cannot be loaded, or gives no confidence where there is a threshold; or the address is not
            one of this machine, or is in use.
    """
    with listening(host, port) as listener:
        if workers > 1:
            os.environ["OMP_NUM_THREADS"] = str(max(1, thread_count() // workers))  # read where torch is imported first
        models = load_models(runs, workers, threshold)
        if workers > 1:
            use_threads(thread_count())
        _log(log_texts)
        app = application(models, limits, log_texts)
        address = listener.getsockname()
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        for model in models:
            logger.info("%s: version %s of %s", model.name, model.loaded.version, model.folder)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)  # uvicorn catches them, and raises them again when it has ended
        sys.setswitchinterval(SWITCH)
        asyncio.run(_serve(app, listener, limits, f"http://{shown}:{address[1]}"))


async def _serve(app: Any, listener: socket.socket, limits: Limits, url: str) -> None:
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="on", backlog=BACKLOG, server_header=False,
        timeout_keep_alive=KEPT, timeout_graceful_shutdown=int(limits.seconds) + SPARE,
    )  # fmt: skip
    service: Service = app.state.service
    reloading: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = asyncio.create_task(_reload_all(service))
        reloading.add(task)
        task.add_done_callback(reloading.discard)

    if hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
    listener.listen(BACKLOG)
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    await uvicorn.Server(config).serve(sockets=[listener])


async def _reload_all(service: Service) -> None:
    for model in service.models:
        try:
            await service.reload(model)
        except NlpipeError:
            continue  # it is logged, and the version before is served on
        except Exception as error:
            service.log_bug(error, f"{model.name}: loading it again failed")


def listening(host: str, port: int) -> socket.socket:
    """A socket that has the address, before models are loaded; it listens later.

    Raises:
        NlpipeError: the address is not one of this machine, or is in use.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        way = "; choose another with --port, 0 for any that is free" if host else ""
        raise NlpipeError(f"{host}:{port}: {error.strerror or error}{way}") from None
    return listener


def _log(log_texts: bool) -> None:
    """Log to standard error. Warnings of models while they answer may quote texts, and are dropped unless wanted."""
    output = logging.StreamHandler()
    output.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name, level in (("nlpipe.serving", logging.INFO), ("uvicorn", logging.WARNING)):
        logging.getLogger(name).addHandler(output)
        logging.getLogger(name).setLevel(level)
    warnings.simplefilter("always", NlpipeWarning)  # the default remembers every text of a warning
    show_other = warnings.showwarning

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int,
        file: Any = None, line: str | None = None,
    ) -> None:  # fmt: skip
        if log_texts or not threading.current_thread().name.startswith(WORKER):
            show_other(message, category, filename, lineno, file, line)

    warnings.showwarning = show


logger = logging.getLogger("nlpipe.serving")
