"""Jobs with the same first stages follow each other on one worker, and are not begun by two."""

from __future__ import annotations

from typing import Any

from nlpipe.compare.job_queue import JobQueue
from nlpipe.compare.plan import Job, jobs_of
from nlpipe.spec import read_comparison

VECTORS: dict[str, Any] = {"representation": "word2vec", "encoder": "mean"}
COUNTS: dict[str, Any] = {"representation": "bow"}


def jobs(**keys: Any) -> list[Job]:
    pipelines = [
        {"name": "vectors_lr", **VECTORS, "head": "logistic_regression"},
        {"name": "counts_lr", **COUNTS, "head": "logistic_regression"},
        {"name": "vectors_svm", **VECTORS, "head": "linear_svm"},
        {"name": "counts_bayes", **COUNTS, "head": "naive_bayes"},
    ]
    return jobs_of(read_comparison({"data": "sample_reviews", "seeds": 2, **keys, "pipelines": pipelines}))


def test_one_worker_does_what_shares_stages_together() -> None:
    waiting = jobs()
    found, last, queue = [], None, JobQueue(waiting)
    while queue:
        last = queue.take(last)
        found.append(str(waiting[last]))
    assert found == [
        "vectors_lr, seed 13", "vectors_svm, seed 13",
        "counts_lr, seed 13", "counts_bayes, seed 13",
        "vectors_lr, seed 14", "vectors_svm, seed 14",  # word vectors of another seed are others
    ]  # fmt: skip


def test_two_workers_do_not_fit_the_same_stages_at_the_same_time() -> None:
    waiting = jobs()
    queue = JobQueue(waiting)
    first = queue.take()
    second = queue.take(None, [first])
    assert [str(waiting[i]) for i in (first, second)] == ["vectors_lr, seed 13", "counts_lr, seed 13"]
    second = queue.take(second, [first])
    assert str(waiting[second]) == "counts_bayes, seed 13"
    second = queue.take(second, [first])
    assert str(waiting[second]) == "vectors_lr, seed 14"
    assert str(waiting[queue.take(first, [second])]) == "vectors_svm, seed 13"
    assert len(queue) == 1 and queue.take(second, [first]) == len(waiting) - 1


def test_samples_of_another_size_share_nothing() -> None:
    waiting = jobs(train_sizes=[20, 40], seeds=[1])
    queue = JobQueue(waiting)
    first = queue.take()
    other = queue.take(None, [first])
    assert (waiting[first].train_size, str(waiting[other])) == (20, "vectors_lr, seed 1, 40 examples")
