"""Fitted scikit-learn models whose arrays were changed in the file are refused before their compiled code runs."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from nlpipe.classical import estimator_check
from nlpipe.errors import ModelError
from nlpipe.heads import Estimator
from nlpipe.stage import State
from nlpipe.wire import Labels, Vectors

SOURCE = Vectors(np.random.default_rng(0).random((60, 5)))
TARGET = Labels([str(i % 3) for i in range(60)])


def fitted(name: str) -> Estimator:
    head = Estimator(name)
    head.fit([(SOURCE, TARGET)])
    return head


def damage_tree(model: Any, field: str, value: int) -> None:
    state = model.tree_.__getstate__()
    nodes = state["nodes"].copy()
    nodes[field][0] = value
    model.tree_.__setstate__({**state, "nodes": nodes})


def damage_boosting(model: Any) -> None:
    model._predictors[0][0].nodes["left"][0] = 10**6


def damage_index(model: Any) -> None:
    np.asarray(model._tree.get_arrays()[1])[0] = 10**6


def damage_support(model: Any) -> None:
    model._n_support = model._n_support * 1000


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("DecisionTreeClassifier", lambda model: damage_tree(model, "left_child", 10**6)),
        ("DecisionTreeClassifier", lambda model: damage_tree(model, "right_child", 0)),  # an endless path
        ("DecisionTreeClassifier", lambda model: damage_tree(model, "feature", 10**6)),
        ("RandomForestClassifier", lambda model: damage_tree(model.estimators_[7], "left_child", 10**6)),
        ("HistGradientBoostingClassifier", damage_boosting),
        ("KNeighborsClassifier", damage_index),
        ("SVC", damage_support),
    ],
)
def test_an_index_out_of_range_is_refused(name: str, damage: Any) -> None:
    head = fitted(name)
    damage(head.model)
    with pytest.raises(ModelError, match="the saved estimator is damaged"):
        Estimator(name).load_state(head.state(), head.version)


@pytest.mark.parametrize(
    "name", ["RandomForestClassifier", "HistGradientBoostingClassifier", "KNeighborsClassifier", "SVC", "NuSVC"]
)
def test_an_undamaged_one_answers_as_before(name: str) -> None:
    head, again = fitted(name), Estimator(name)
    again.load_state(head.state(), head.version)
    assert again.predict(SOURCE).values.values == head.predict(SOURCE).values.values


def test_archives_that_unpack_to_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimator_check, "MAX_UNPACKED", 10**6)
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10**7))
    for content in (packed.getvalue(), b"no archive"):
        state = State({"skops": np.frombuffer(content, dtype=np.uint8)}, {"classes": ["a", "b"]})
        with pytest.raises(ModelError, match="the saved estimator"):
            Estimator("SVC").load_state(state, 1)
