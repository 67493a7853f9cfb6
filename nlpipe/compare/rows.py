"""What a comparison is of, and its rows: one a pipeline and training size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nlpipe.compare.question import Question, default_tolerance
from nlpipe.runs.result import Result

MISSING = "–"


@dataclass(frozen=True)
class Facts:
    """What a comparison is of, and what is asked of it.

    Args:
        data: name of the data set.
        primary: name of the score that decides.
        primary_reason: why nlpipe chose it; empty where the card did, or it is the task's usual one.
        test_size: items that are answered: of test, of dev where the verdict rests on it, or of all folds.
        unit: of that score.
        tolerance: None for the default of the unit.
        cost: name of the cost by which the cheapest is chosen.
        budget: name of a cost to what it may be at most.
        user_metrics: names of the user's own metrics.
        choose: the split that the verdict rests on, test or dev.
        folds: of a cross-validation; 0 for none.
        repeats: of the cross-validation.
        grouped: whether items belong to groups, which then count as one item each.
        digest: of the data; empty with folds, which have digests of their own.
        leaked: indices of the items that stand in the training split too, on which the verdict does not rest.
        searched: a sentence that says how options were searched; empty where none were.
        price_per_cpu_hour: what an hour of the processor costs, in whatever currency; None where nothing is said.
    """

    title: str
    data: str
    primary: str
    test_size: int
    unit: str = "share"
    higher_is_better: bool = True
    tolerance: float | None = None
    cost: str = "latency_ms"
    budget: Mapping[str, float] | None = None
    user_metrics: tuple[str, ...] = ()
    primary_reason: str = ""
    choose: str = "test"
    folds: int = 0
    repeats: int = 1
    grouped: bool = False
    leaked: tuple[int, ...] = ()
    digest: str = ""
    searched: str = ""
    price_per_cpu_hour: float | None = None

    @property
    def items(self) -> str:
        """What is answered, for sentences."""
        return f"{self.folds} folds" if self.folds else f"{self.choose} items"

    def priced(self, costs: dict[str, float]) -> dict[str, float]:
        """``costs`` with the price of 1,000 texts, where the processor's price is known and no other price is given."""
        seconds = costs.get("cpu_seconds_per_text")
        if self.price_per_cpu_hour is None or seconds is None or "price_per_1000" in costs:
            return costs
        return {**costs, "price_per_1000": 1000 * seconds / 3600 * self.price_per_cpu_hour}

    @property
    def question(self) -> Question:
        """What the verdict answers."""
        tolerance = default_tolerance(self.unit) if self.tolerance is None else self.tolerance
        budget = dict(self.budget or {})
        return Question(self.primary, tolerance, self.unit, self.cost, budget, self.higher_is_better)


@dataclass(frozen=True)
class Row:
    """One pipeline at one training size, over its seeds.

    Args:
        score: mean of the primary score over seeds; None where every run failed.
        low: lower end of the 95 % interval of the score, by the luck of items and seeds.
        high: its upper end.
        may_lose: what the pipeline may lose at most to the best with as many training examples; None where the test
            items show nothing.
        deviation: standard deviation over seeds; None with one seed.
        scores: mean of every score over seeds.
        costs: mean of every cost over seeds; a cost that was not measured is absent.
        dev: mean of the primary score on dev; None where it was not scored there.
        clean: mean of the primary score on the items that do not stand in the training split; None where all do not.
        added: whether nlpipe added the pipeline as a baseline.
        folds: which fold each run answered; empty without folds.
    """

    name: str
    train_size: int | None
    results: tuple[Result, ...]
    errors: tuple[str, ...] = ()
    score: float | None = None
    low: float | None = None
    high: float | None = None
    may_lose: float | None = None
    deviation: float | None = None
    scores: dict[str, float] | None = None
    costs: dict[str, float] | None = None
    dev: float | None = None
    clean: float | None = None
    added: bool = False
    folds: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        """The pipeline's name, with the training size where it is not the whole split."""
        return self.name if self.train_size is None else f"{self.name} on {self.train_size:,}"

    @property
    def label(self) -> str:
        """The pipeline's name, marked if it is the added baseline, with what else than nlpipe computes it."""
        marks = ["added"] if self.added else []
        runtimes = {result.environment.get("runtime", "") for result in self.results} - {""}
        marks += [name for name in sorted(runtimes) if not self.name.endswith(f"-{name}")]
        return f"{self.name} ({', '.join(marks)})" if marks else self.name

    @property
    def size(self) -> str:
        """The training size as a reader sees it."""
        return "all" if self.train_size is None else f"{self.train_size:,}"

    def cost(self, name: str, scale: float, form: str) -> str:
        """A cost as a reader sees it; a dash where it was not measured."""
        value = (self.costs or {}).get(name)
        return MISSING if value is None else format(value * scale, form)


def size_of(row: Row) -> float:
    """The number of training examples of a row; infinite for all of them."""
    return float("inf") if row.train_size is None else row.train_size
