"""Splits: proportions, the same for everyone, no leak between them, and all that is odd counted."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpipe.datasets import splits
from nlpipe.datasets.cards import Sizes
from nlpipe.datasets.splits import digest_of
from nlpipe.errors import DataError
from nlpipe.tasks import task_named
from nlpipe.tasks.task import Ledger, Origins, Split
from nlpipe.wire import Labels, Text

TASK = task_named("classification")


def complete(task, given, sizes, place):
    """The splits, and the ledgers that were filled on the way."""
    ledgers = {name: Ledger() for name in ("all", "train", "dev", "test")}
    return splits.complete(task, given, sizes, place, ledgers), ledgers


def split(pairs):
    return Split(Text([text for text, _ in pairs]), Labels([label for _, label in pairs]))


def pairs(made):
    return list(zip(made.inputs.strings, made.targets.values, strict=True))


EXAMPLES = [(f"text {i}", "abc"[min(i % 10 // 5 + i % 2 * (i % 7 == 0), 2)]) for i in range(200)]


def test_proportions_and_order():
    made, _ = complete(TASK, {"train": split(EXAMPLES)}, Sizes(), "d")
    assert {name: len(part) for name, part in made.items()} == {"train": 160, "dev": 20, "test": 20}
    whole = Counter(label for _, label in EXAMPLES)
    for name in ("dev", "test"):
        for label, count in Counter(made[name].targets.values).items():
            assert abs(count - whole[label] * len(made[name]) / 200) < 1
        order = [EXAMPLES.index(pair) for pair in pairs(made[name])]
        assert order == sorted(order)
    assert sorted(pair for part in made.values() for pair in pairs(part)) == sorted(EXAMPLES)


def test_the_order_of_the_file_does_not_decide():
    one, _ = complete(TASK, {"train": split(EXAMPLES)}, Sizes(), "d")
    other, _ = complete(TASK, {"train": split(EXAMPLES[::-1])}, Sizes(), "d")
    assert set(pairs(one["test"])) == set(pairs(other["test"]))
    third, _ = complete(TASK, {"train": split(EXAMPLES)}, Sizes(seed=14), "d")
    assert set(pairs(one["test"])) != set(pairs(third["test"]))


def test_numbers_and_shares():
    made, _ = complete(TASK, {"train": split(EXAMPLES)}, Sizes(dev=7, test=0.25), "d")
    assert (len(made["dev"]), len(made["test"])) == (7, 50)


def test_given_splits_stay_as_they_are_and_their_faults_are_counted():
    train = [("a", "x"), ("A ", "x"), ("b", "y"), ("c", "x"), ("", "y")]
    test = [("a", "y"), ("d", "z"), ("b", "y"), ("e", "x")]
    made, ledger = complete(
        TASK, {"train": split(train), "dev": split([("e", "x")]), "test": split(test)}, Sizes(), "d"
    )
    assert pairs(made["train"]) == train
    assert pairs(made["test"]) == test
    assert ledger["train"].counts == {"duplicates": 1, "empty": 1}
    assert ledger["dev"].counts == {"in_train": 0, "labels_unseen": 0}
    assert ledger["test"].counts == {"in_train": 2, "in_dev": 1, "labels_unseen": 1}
    assert ledger["test"].examples["in_train"] == ["a", "b"]
    assert ledger["test"].examples["labels_unseen"] == ["test: 'z' (1 times)"]
    assert ledger["all"].counts == {"label_conflicts": 1}
    assert ledger["all"].examples["label_conflicts"] == ["x | y: a"]


def test_duplicates_are_dropped_before_splitting():
    doubled = EXAMPLES + [(text.upper(), label) for text, label in EXAMPLES[:60]] + [(EXAMPLES[0][0], "c")]
    made, ledger = complete(TASK, {"train": split(doubled)}, Sizes(), "d")
    once, _ = complete(TASK, {"train": split(EXAMPLES)}, Sizes(), "d")
    assert {name: pairs(part) for name, part in made.items()} == {name: pairs(part) for name, part in once.items()}
    assert ledger["all"].counts == {"duplicates_dropped": 61, "label_conflicts": 1}
    assert len(ledger["all"].examples["duplicates_dropped"]) == 5


def test_only_dev_is_missing():
    held_out = split([("new", "a")])
    made, ledger = complete(TASK, {"train": split(EXAMPLES), "test": held_out}, Sizes(), "d")
    assert made["test"] is held_out
    assert (len(made["train"]), len(made["dev"])) == (180, 20)
    assert ledger["dev"].counts["in_train"] == 0


@given(st.lists(st.tuples(st.integers(0, 40).map(str), st.sampled_from("ab")), min_size=12), st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_nothing_leaks_and_no_label_is_lost(examples, seed):
    try:
        made, ledger = complete(TASK, {"train": split(examples)}, Sizes(seed=seed), "d")
    except DataError as error:
        assert len({text for text, _ in examples}) < 8, error  # noqa: PT017 - enough texts always split
        return
    texts = {name: {text for text, _ in pairs(part)} for name, part in made.items()}
    assert not texts["train"] & texts["dev"]
    assert not texts["train"] & texts["test"]
    assert not texts["dev"] & texts["test"]
    assert sum(map(len, made.values())) == len({text for text, _ in examples})
    assert all(ledger[name].counts["labels_unseen"] == 0 for name in ("dev", "test"))


def test_too_few_to_split():
    with pytest.raises(DataError, match="d: 2 different examples of 2 labels are too few to take 1 for test"):
        complete(TASK, {"train": split([("a", "x"), ("b", "y")])}, Sizes(), "d")


def test_digest_sees_every_change():
    made, _ = complete(TASK, {"train": split(EXAMPLES)}, Sizes(), "d")
    swapped = {**made, "dev": made["test"], "test": made["dev"]}
    relabelled = {**made, "dev": Split(made["dev"].inputs, Labels(["z"] * len(made["dev"])))}
    digests = {digest_of(each) for each in (made, swapped, relabelled)}
    assert len(digests) == 3
    assert digest_of(dict(made)) == digest_of(made)


def test_splits_that_are_joined_keep_their_columns_and_places() -> None:
    first = Split(
        Text(["a", "b"]), Labels(["x", "y"]), origins=Origins(("f", "g"), np.array([0, 1]), np.array([1, 2])),
        columns={"site": ["p", "q"], "only": ["1", "2"]},
    )  # fmt: skip
    second = Split(
        Text(["c"]), Labels(["x"]), origins=Origins(("g",), np.array([0]), np.array([7])), columns={"site": ["r"]}
    )
    joined = Split.joined([first, second])
    assert joined.columns == {"site": ["p", "q", "r"]} and joined.groups is None
    assert joined.origins is not None and [joined.origins.place(i) for i in range(3)] == ["f:1", "g:2", "g:7"]
    assert Split.joined([first, Split(Text(["c"]), Labels(["x"]))]).origins is None
