"""Which job is done next: one whose first stages the same worker has had before, and no other worker has now."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence

from nlpipe.compare.plan import Job

Front = tuple[object, ...]
"""What a job is fitted on, then its stages before the head in their order, each with the seed where it uses one."""


class JobQueue:
    """Jobs that wait.

    Args:
        jobs: in the order of the comparison, which decides where nothing is shared.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._fronts = [front_of(job) for job in jobs]
        self._waiting = list(range(len(jobs)))

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, last: int | None = None, running: Iterable[int] = ()) -> int:
        """The number of the job that a worker does next.

        Args:
            last: the number of the job that it has done; None for a new worker.
            running: the numbers of those that other workers are doing, whose first stages would be fitted twice.
        """
        others = [self._fronts[number] for number in running]

        def gain(number: int) -> int:
            front = self._fronts[number]
            known = _in_common(front, self._fronts[last]) if last is not None else 0
            return known - max((_in_common(front, other) for other in others), default=0)

        chosen = max(self._waiting, key=gain)  # the first of several
        self._waiting.remove(chosen)
        return chosen


def front_of(job: Job) -> Front:
    """What two jobs must have in common to share what is fitted and computed."""
    sample = (job.train_size, job.fold, job.seed if job.train_size is not None else None)
    stages = []
    for spec in job.spec.stages[:-1]:
        seeded = any(each.uses_seed for each in spec.make().with_nested())
        stages.append((json.dumps(spec.resolved(), sort_keys=True, default=str), job.seed if seeded else None))
    return (sample, *stages)


def _in_common(one: Front, other: Front) -> int:
    """How many parts from the first on are equal."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
