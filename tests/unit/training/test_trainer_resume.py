"""Interrupted and resumed equals uninterrupted, bit by bit; two processes equal one."""

import json
import math
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from nlpipe.training.checkpoint import Checkpoint, random_states, set_random_states
from tests.unit.training.trainer_children import MOMENTS

HERE = Path(__file__).parent


def start(what: str, folder: Path) -> None:
    """Run ``trainer_children.py``; it forks before torch has any thread."""
    paths = [str(HERE.parents[2]), os.environ.get("PYTHONPATH", "")]
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / "trainer_children.py"), what, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=surroundings)
    assert done.returncode == 0, done.stderr


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    start("kills", folder)
    return folder


def without_times(history):
    for epoch in history["epochs"]:
        del epoch["seconds"], epoch["units_per_second"]
    del history["seconds"]
    return history


@needs_fork
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_resumed_equals_uninterrupted(killed, moment):
    whole, resumed = load_file(killed / "whole.safetensors"), load_file(killed / f"{moment}.safetensors")
    assert {name: t.numpy().tobytes() for name, t in whole.items()} == {
        name: t.numpy().tobytes() for name, t in resumed.items()
    }
    histories = [without_times(json.loads((killed / f"{name}.json").read_text())) for name in ("whole", moment)]
    assert histories[0] == histories[1] and len(histories[0]["epochs"]) == 4
    assert not list((killed / moment).glob("*.partial")) and len(list((killed / moment).glob("state-*"))) == 1


@needs_fork
def test_the_kills_hit_what_they_should(killed):
    left = {moment: json.loads((killed / f"{moment}.left").read_text()) for moment in MOMENTS}
    assert left["first step"] == []
    assert [name for name in left["middle of an epoch"] if name.startswith("state")] == ["state-00000007"]
    for moment in ("state written, not its json", "half of the tensors", "before the rename"):
        assert any(name.startswith("state") and name.endswith(".partial") for name in left[moment]), moment
    assert any(
        name.startswith("epoch") and name.endswith(".partial") for name in left["half of the parameters of an epoch"]
    )
    assert len([name for name in left["after the rename"] if name.startswith("state")]) == 2


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    start("processes", folder)
    return folder


@needs_fork
@pytest.mark.parametrize("name", ["odd", "single", "accumulated"])
def test_two_processes_equal_one(processes, name):
    alone, *both = (load_file(processes / f"{name}-{which}.safetensors") for which in ("1-0", "2-0", "2-1"))
    for key, tensor in alone.items():
        if key != "seen":  # each process has seen its share
            torch.testing.assert_close(both[0][key], tensor, rtol=1e-4, atol=1e-6)
            assert torch.equal(both[0][key], both[1][key])
    histories = [json.loads((processes / f"{name}-{which}.json").read_text()) for which in ("1-0", "2-0", "2-1")]
    assert histories[1]["gradients"] == histories[2]["gradients"]
    assert histories[1]["gradients"] == pytest.approx(histories[0]["gradients"], rel=1e-3, abs=1e-5)
    assert (histories[0]["processes"], histories[1]["processes"]) == (1, 2)
    assert histories[2]["calls"] == [] and histories[1]["kept"] == histories[2]["kept"] == [2]
    for ours, theirs in zip(histories[0]["epochs"], histories[2]["epochs"], strict=True):
        assert (ours["units"], ours["steps"]) == (theirs["units"], theirs["steps"])
        assert theirs["loss"] == pytest.approx(ours["loss"], rel=1e-4)


def test_every_random_state_comes_back():
    def draw():
        return [random.random(), random.gauss(0, 1), np.random.random(), np.random.normal(), float(torch.rand(()))]

    for warm_up in (0, 1, 2):  # a Gaussian is made in pairs; the second waits
        for _ in range(warm_up):
            draw()
        states = random_states(torch.device("cpu"))
        drawn = draw()
        assert draw() != drawn
        stacked = {name: torch.stack([torch.zeros_like(state), state]) for name, state in states.items()}
        set_random_states({name: states[1] for name, states in stacked.items()}, torch.device("cpu"))  # views
        assert draw() == drawn


def test_a_checkpoint_gives_back_what_it_took(tmp_path):
    checkpoint = Checkpoint(tmp_path / "new")
    assert checkpoint.read() is None
    for number in range(3):
        checkpoint.write({"a": torch.full((2, 2), number + math.pi)}, {"number": number})
        tensors, data = checkpoint.read()
        assert torch.equal(tensors["a"], torch.full((2, 2), number + math.pi)) and data["number"] == number
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["state-00000003"]
