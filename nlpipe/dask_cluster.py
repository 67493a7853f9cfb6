"""A Dask cluster that is given work: how it is reached, how answers are waited for, and what is said where it fails.

Its workers have the same nlpipe, and see the same files under the same paths.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from nlpipe.errors import NlpipeError
from nlpipe.names import missing_extra

PATIENCE = 20
"""Seconds to wait for the scheduler and its workers, and between two looks whether there still are workers."""


def connect(address: str, work: Callable[..., Any]) -> Any:
    """A client of the cluster whose scheduler is at ``address``, ``tcp://host:port``; all its workers know ``work``.

    Raises:
        NlpipeError: no scheduler is there, it has no workers, or they have no nlpipe or another one.
        MissingExtra: Dask is not installed.
    """
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise missing_extra("--cluster", error) from None
    try:
        client: Any = distributed.Client(address, timeout=PATIENCE)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        reason = str(error).partition("\n")[0]
        raise NlpipeError(
            f"--cluster {address}: no scheduler answers there ({reason}); 'dask scheduler' starts one"
        ) from None
    try:
        _check_workers(client, address, work)
    except BaseException:
        client.close()
        raise
    return client


def wait_for_any(client: Any, futures: Collection[Any], address: str) -> Collection[Any]:
    """Those of the futures that have ended; at least one, which is waited for as long as there are workers.

    Raises:
        NlpipeError: the cluster vanished, or has no workers any more.
    """
    import distributed

    while True:
        try:
            ended: Collection[Any] = distributed.wait(  # type: ignore[no-untyped-call]
                list(futures), timeout=PATIENCE, return_when="FIRST_COMPLETED"
            ).done
            return ended
        except TimeoutError:
            if not workers_of(client):
                raise NlpipeError(
                    f"the scheduler at {address} has lost all workers; start some, and the command again"
                ) from None
        except (OSError, distributed.CancelledError):
            raise vanished(address) from None


def workers_of(client: Any) -> int:
    """How many workers the scheduler knows."""
    return len(client.scheduler_info(n_workers=-1)["workers"])


def vanished(address: str) -> NlpipeError:
    """What is said where the scheduler does not know the work any more."""
    return NlpipeError(f"the cluster at {address} vanished or was restarted; start the command again once it is there")


def unpacking_fault(error: BaseException, address: str) -> NlpipeError | None:
    """What is said where ``error`` tells that work could not be unpacked; None where it tells something else."""
    if isinstance(error, (ModuleNotFoundError, AttributeError)):
        return _other_nlpipe("workers", address, error)
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, (ModuleNotFoundError, AttributeError)):
        return _other_nlpipe("scheduler and workers", address, error.__cause__)
    return None


def _check_workers(client: Any, address: str, work: Callable[..., Any]) -> None:
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise NlpipeError(
            f"--cluster {address}: the scheduler has no workers; 'dask worker {address}' starts one"
        ) from None
    try:  # a worker that cannot unpack its work closes, and the work would wait for ever
        client.run(_name_of, work)
    except OSError as error:
        raise NlpipeError(f"--cluster {address}: a worker went away ({error}); start the command again") from None
    except Exception as error:  # Dask gives what a worker says as text
        if not any(name in repr(error) for name in ("ModuleNotFoundError", "AttributeError")):
            raise
        raise _other_nlpipe("workers", address, error) from None


def _name_of(work: Callable[..., Any]) -> str:
    """Can be unpacked, with ``work``, where this nlpipe is installed."""
    return work.__qualname__


def _other_nlpipe(where: str, address: str, error: BaseException) -> NlpipeError:
    return NlpipeError(f"the {where} at {address} have no nlpipe, or another version ({error}); install the same there")
