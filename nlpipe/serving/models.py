"""The models of a server by name, each with its queue."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from nlpipe.errors import NlpipeError, suggest
from nlpipe.serving.counters import Counters
from nlpipe.serving.limits import Limits, Refused
from nlpipe.serving.request_batches import RequestBatches
from nlpipe.serving.served_model import ServedModel


def load_models(written: Sequence[str], workers: int = 1, threshold: float | None = None) -> list[ServedModel]:
    """The models of ``RUN`` or ``NAME=RUN``, each named by its pipeline; pipelines of one name by their folders.

    Args:
        workers: as of ``ServedModel``, and ``threshold`` too.

    Raises:
        NlpipeError: one cannot be loaded, or two have the same name.
    """
    models = []
    for text in written:
        name, equals, folder = text.partition("=")
        named = bool(equals) and not Path(text).exists()
        if named and (not name or "/" in name):
            raise NlpipeError(f"{text}: expected NAME=RUN with a name that has no '/'")
        models.append(
            (named, ServedModel(Path(folder if named else text), name if named else None, workers, threshold))
        )
    times = Counter(model.name for _, model in models)
    for named, model in models:
        if not named and (times[model.name] > 1 or "/" in model.name):
            model.name = model.folder.resolve().name
    for name, count in Counter(model.name for _, model in models).items():
        if count > 1:
            raise NlpipeError(f"{count} models are called '{name}'; write NAME=RUN to give each a name of its own")
    return [model for _, model in models]


class Models:
    """The models that a server has; to be used in an event loop, within ``answering``."""

    def __init__(self, models: Sequence[ServedModel], limits: Limits, counters: Counters) -> None:
        self.counters = counters
        self._models = {model.name: model for model in models}
        self._queues: dict[str, RequestBatches] = {}
        for model in models:
            observe = counters.batches.labels(model.name).observe
            queue = RequestBatches(model.name, model.answer, limits, observe, model.workers)
            self._queues[model.name] = queue
            counters.waiting.labels(model.name).set_function(partial(getattr, queue, "waiting_texts"))

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._models.values())

    def named(self, name: str | None) -> ServedModel:
        """The model of this name; None where there is only one.

        Raises:
            Refused: there is none (404), or several to choose from (422).
        """
        if name is None:
            if len(self._models) > 1:
                raise Refused(
                    422, f"several models are served; say which as 'model': {', '.join(sorted(self._models))}"
                )
            return next(iter(self))
        if name not in self._models:
            raise Refused(404, f"no model '{name}' is served{suggest(name, self._models)}")
        return self._models[name]

    def queue(self, model: ServedModel) -> RequestBatches:
        """The queue before ``model``."""
        return self._queues[model.name]

    async def reload(self, model: ServedModel) -> bool:
        """As ``ServedModel.reload``; it is counted."""
        changed = await model.reload()
        if changed:
            self.counters.reloads.labels(model.name).inc()
        return changed

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[Mapping[str, RequestBatches]]:
        """Requests are answered within the block."""
        tasks = [asyncio.create_task(queue.run()) for queue in self._queues.values()]
        try:
            yield self._queues
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
