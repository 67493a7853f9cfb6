"""Workers of a Dask cluster that answer chunks. They see the model under the same path; the texts are sent to them."""

from __future__ import annotations

import json
from typing import Any

from nlpipe import dask_cluster
from nlpipe.bulk.answer_process import Setting, answer_there
from nlpipe.bulk.ordered import Died


class DaskWorkers:
    """All workers of the cluster whose scheduler is at ``address``, ``tcp://host:port``.

    Raises:
        NlpipeError: no scheduler is there, it has no workers, or they have no nlpipe or another one.
        MissingExtra: Dask is not installed.
    """

    def __init__(self, setting: Setting, address: str) -> None:
        self.setting = json.dumps(setting)
        self.address = address
        self.client = dask_cluster.connect(address, answer_there)
        self.width = max(1, dask_cluster.workers_of(self.client))

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
            NlpipeError: the cluster vanished or has no workers any more, or they have no nlpipe, or another one.
        """
        import distributed

        dask_cluster.wait_for_any(self.client, [self.future], self.address)
        try:
            return str(self.future.result())
        except distributed.KilledWorker:
            raise Died("died on every worker that took it") from None
        except (OSError, TimeoutError, distributed.CancelledError):
            raise dask_cluster.vanished(self.address) from None
        except (ModuleNotFoundError, AttributeError, RuntimeError) as error:
            fault = dask_cluster.unpacking_fault(error, self.address)
            if fault is None:
                raise
            raise fault from None
