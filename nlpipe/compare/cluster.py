"""Carries out the jobs of a comparison on a Dask cluster, whose workers see the same files as this machine.

A job that was running on a worker that died is given to another one by Dask; after three deaths it is a failed row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nlpipe.compare.execute import Outcome, Report, orders_of, outcome_of
from nlpipe.compare.plan import Job, Order
from nlpipe.compare.worker import Message, carry_alone
from nlpipe.errors import NlpipeError
from nlpipe.names import missing_extra
from nlpipe.user_code import all_others, only_here

PATIENCE = 20
"""Seconds to wait for the scheduler."""


def on_cluster(
    jobs: Sequence[Job], out: Path, address: str, report: Report = lambda job, text: None
) -> Iterator[Outcome]:
    """Do all jobs and give each one's outcome as it ends.

    Args:
        out: the folder that run folders are written into; workers must see it under the same absolute path.
        address: of the scheduler, ``tcp://host:port``.

    Raises:
        NlpipeError: there is no scheduler there, it vanished, or stages are known in this process alone.
        MissingExtra: Dask is not installed.
    """
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise missing_extra("--cluster", error) from None
    if here := only_here(all_others().union(*(job.needed for job in jobs))):
        raise NlpipeError(f"{', '.join(here)}: known in this process alone; write the definition to a module")
    try:
        client: Any = distributed.Client(address, timeout=PATIENCE)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        reason = str(error).partition("\n")[0]
        raise NlpipeError(
            f"--cluster {address}: no scheduler answers there ({reason}); 'dask scheduler' starts one"
        ) from None
    with client:
        orders = orders_of(jobs, out.absolute())
        futures = {
            client.submit(_carry, json.dumps(order), pure=False): job for order, job in zip(orders, jobs, strict=True)
        }
        for job in jobs:
            report(job, f"waiting at {address}")
        left = dict(futures)
        lost = f"the cluster at {address} vanished or was restarted; start the same command again once it is there"
        try:
            for future in distributed.as_completed(list(futures)):  # type: ignore[no-untyped-call]
                if future.status in ("cancelled", "lost"):
                    continue  # the scheduler has forgotten it
                outcome = _outcome(futures[future], future, distributed.KilledWorker)
                del left[future]
                yield outcome
        except (OSError, TimeoutError, distributed.CancelledError):  # it vanished while an answer was on its way
            pass
        for job in left.values():
            yield Outcome(job, error=lost)


def _outcome(job: Job, future: Any, killed: type[Exception]) -> Outcome:
    """What became of a job whose future has ended.

    Args:
        killed: Dask's error where every worker that took a job died.

    Raises:
        OSError: the cluster vanished; so do TimeoutError and Dask's CancelledError say.
    """
    if future.status != "error":
        return outcome_of(job, json.loads(future.result()))
    fault = future.exception()
    return Outcome(
        job, error="every worker that took it died" if isinstance(fault, killed) else f"{type(fault).__name__}: {fault}"
    )


def _carry(order: str) -> str:
    """Carry out one order in a worker's process; plain text goes both ways."""
    given: Order = json.loads(order)
    message: Message = carry_alone(given)
    return json.dumps(message)
