"""Carries out the jobs of a comparison on a Dask cluster, whose workers see the same files as this machine.

A job that was running on a worker that died is given to another one by Dask; after three deaths it is a failed row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nlpipe import dask_cluster
from nlpipe.compare.execute import Outcome, Report, orders_of, outcome_of
from nlpipe.compare.plan import Job, Order
from nlpipe.compare.worker import Message, carry_alone
from nlpipe.errors import NlpipeError
from nlpipe.user_code import all_others, only_here


def on_cluster(
    jobs: Sequence[Job], out: Path, address: str, report: Report = lambda job, text: None
) -> Iterator[Outcome]:
    """Do all jobs and give each one's outcome as it ends.

    Args:
        out: the folder that run folders are written into; workers must see it under the same absolute path.
        address: of the scheduler, ``tcp://host:port``.

    Raises:
        NlpipeError: there is no scheduler there, it has no workers or other versions of nlpipe there, or stages are
            known in this process alone.
        MissingExtra: Dask is not installed.
    """
    if here := only_here(all_others().union(*(job.needed for job in jobs))):
        raise NlpipeError(f"{', '.join(here)}: known in this process alone; write the definition to a module")
    with dask_cluster.connect(address, _carry) as client:
        orders = orders_of(jobs, out.absolute())
        left = {
            client.submit(_carry, json.dumps(order), pure=False): job for order, job in zip(orders, jobs, strict=True)
        }
        for job in jobs:
            report(job, f"waiting at {address}")
        lost = ""
        try:
            while left:
                for future in dask_cluster.wait_for_any(client, left, address):
                    outcome = _outcome(left[future], future, address)
                    del left[future]
                    yield outcome
        except NlpipeError as error:
            lost = str(error)
        for job in left.values():
            yield Outcome(job, error=lost)


def _outcome(job: Job, future: Any, address: str) -> Outcome:
    """What became of a job whose future has ended.

    Raises:
        NlpipeError: the cluster vanished.
    """
    import distributed

    try:
        if future.status != "error":
            return outcome_of(job, json.loads(future.result()))
        fault = future.exception()
    except (OSError, TimeoutError, distributed.CancelledError):
        raise dask_cluster.vanished(address) from None
    if isinstance(fault, distributed.KilledWorker):
        return Outcome(job, error="every worker that took it died")
    return Outcome(job, error=str(dask_cluster.unpacking_fault(fault, address) or f"{type(fault).__name__}: {fault}"))


def _carry(order: str) -> str:
    """Carry out one order in a worker's process; plain text goes both ways."""
    given: Order = json.loads(order)
    message: Message = carry_alone(given)
    return json.dumps(message)
