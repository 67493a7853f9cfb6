"""Workers of a Dask cluster that answer chunks. They see the model under the same path; the texts are sent to them."""

from __future__ import annotations

import json
from typing import Any

from nlpipe.bulk.answer_process import Setting, answer_there
from nlpipe.bulk.ordered import Died
from nlpipe.errors import NlpipeError
from nlpipe.names import missing_extra

PATIENCE = 20
"""Seconds to wait for the scheduler."""


class DaskWorkers:
    """All workers of the cluster whose scheduler is at ``address``, ``tcp://host:port``.

    Raises:
        NlpipeError: no scheduler is there, or it has no workers.
        MissingExtra: Dask is not installed.
    """

    def __init__(self, setting: Setting, address: str) -> None:
        try:
            import distributed
        except ModuleNotFoundError as error:
            raise missing_extra("--cluster", error) from None
        self.setting = json.dumps(setting)
        self.address = address
        try:
            self.client: Any = distributed.Client(address, timeout=PATIENCE)  # type: ignore[no-untyped-call]
        except (OSError, ValueError, TimeoutError) as error:
            reason = str(error).partition("\n")[0]
            raise NlpipeError(
                f"--cluster {address}: no scheduler answers there ({reason}); 'dask scheduler' starts one"
            ) from None
        try:
            self.client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            self.close()
            raise NlpipeError(
                f"--cluster {address}: the scheduler has no workers; 'dask worker {address}' starts one"
            ) from None
        try:  # a worker that cannot unpack a task closes, and nobody would hear of it
            self.client.run(can_answer)
        except OSError as error:
            self.close()
            raise NlpipeError(f"--cluster {address}: a worker went away ({error}); start the command again") from None
        except Exception as error:  # Dask gives what a worker says as text
            self.close()
            if not any(name in repr(error) for name in ("ModuleNotFoundError", "AttributeError")):
                raise
            raise _other_nlpipe("workers", address, error) from None
        self.width = max(1, len(self.client.scheduler_info(n_workers=-1)["workers"]))

    def submit(self, order: str) -> DaskAnswer:
        """Have an order answered."""
        return DaskAnswer(self.client, self.client.submit(answer_there, self.setting, order, pure=False), self.address)

    def close(self) -> None:
        """Let the cluster go; what is not answered is cancelled."""
        self.client.close()


class DaskAnswer:
    """A reply that is on its way from the cluster."""

    def __init__(self, client: Any, future: Any, address: str) -> None:
        self.client = client
        self.future = future
        self.address = address

    def result(self) -> str:
        """The reply as JSON, once it is there.

        Raises:
            Died: every worker that took it died.
            NlpipeError: the cluster vanished, or its workers have no nlpipe, or another one.
        """
        import distributed

        try:
            return str(self._waited())
        except distributed.KilledWorker:
            raise Died("died on every worker that took it") from None
        except (OSError, TimeoutError, distributed.CancelledError):
            raise NlpipeError(
                f"the cluster at {self.address} vanished or was restarted; start the command again once it is there"
            ) from None
        except (ModuleNotFoundError, AttributeError) as error:
            raise _other_nlpipe("workers", self.address, error) from None
        except RuntimeError as error:  # the scheduler says so of what it cannot unpack
            if not isinstance(error.__cause__, (ModuleNotFoundError, AttributeError)):
                raise
            raise _other_nlpipe("scheduler and workers", self.address, error.__cause__) from None

    def _waited(self) -> Any:
        """The result, which is waited for as long as there are workers.

        Raises:
            NlpipeError: all have gone.
        """
        import distributed

        while not self.future.done():
            try:
                distributed.wait([self.future], timeout=PATIENCE)  # type: ignore[no-untyped-call]
            except TimeoutError:
                if not self.client.scheduler_info(n_workers=-1)["workers"]:
                    raise NlpipeError(
                        f"the scheduler at {self.address} has lost all workers; start some, and the command again"
                    ) from None
        return self.future.result()


def can_answer() -> None:
    """Can be unpacked where this nlpipe is installed."""


def _other_nlpipe(where: str, address: str, error: BaseException) -> NlpipeError:
    return NlpipeError(f"the {where} at {address} have no nlpipe, or another version ({error}); install the same there")
