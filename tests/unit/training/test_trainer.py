"""The trainer against hand-written loops and scripted scores."""

import gc
import json
import math
import re
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import torch
from torch import nn

from nlpipe.errors import ModelError, NlpipeError
from nlpipe.nn.precision import computes_in_bf16, cpu_has_bf16
from nlpipe.training.batching import plan_batches
from nlpipe.training.device import choose_precision
from nlpipe.training.loop import train as run_training
from nlpipe.training.loss import Objective
from nlpipe.training.schedule import learning_rate_factor
from nlpipe.training.trainer import Trainer
from tests.unit.training.trainer_toys import Toy, ToyExamples, copies

torch.set_num_threads(1)


def train(trainer, objective=None, examples=None, evaluate=None, **settings):
    objective = objective if objective is not None else Toy()
    examples = examples if examples is not None else ToyExamples()
    return objective, run_training(trainer, objective, examples, evaluate, **{"seed": 3, "progress": False, **settings})


def plain_loop(objective, examples, *, epochs, batch_size, accumulate, clip, lr, decay):
    """What the trainer should do, written down once more with torch's own parts."""
    weights = [p for p in objective.parameters() if p.requires_grad and p.dim() > 1]
    others = [p for p in objective.parameters() if p.requires_grad and p.dim() < 2]
    groups = [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=lr, foreach=False)
    losses, norms = [], []
    for epoch in range(epochs):
        batches = plan_batches(examples.lengths, batch_size=batch_size, tokens=None, seed=3, epoch=epoch)
        summed = counted = 0.0
        for start in range(0, len(batches), accumulate):
            outputs = [
                objective(examples.batch(b.tolist(), np.random.default_rng(0)))
                for b in batches[start : start + accumulate]
            ]
            total, units = sum(loss for loss, _ in outputs), sum(u for _, u in outputs)
            (total / units).backward()
            norms.append(float(nn.utils.clip_grad_norm_([*weights, *others], clip)))
            optimizer.step()
            optimizer.zero_grad()
            summed, counted = summed + total.item(), counted + float(units)
        losses.append(summed / counted)
    return losses, norms


@pytest.mark.parametrize(("accumulate", "clip"), [(1, 1e9), (1, 0.05), (3, 1e9), (3, 0.05)])
def test_it_does_what_a_plain_loop_does(accumulate, clip):
    mine, history = train(
        Trainer(epochs=3, batch_size=4, accumulate=accumulate, clip=clip, lr=0.01, weight_decay=0.1, precision="fp32")
    )
    theirs = Toy()
    losses, norms = plain_loop(
        theirs, ToyExamples(), epochs=3, batch_size=4, accumulate=accumulate, clip=clip, lr=0.01, decay=0.1
    )
    for name, tensor in copies(theirs).items():
        torch.testing.assert_close(copies(mine)[name], tensor, rtol=1e-4, atol=1e-6, msg=name)
    assert [e.loss for e in history.epochs] == pytest.approx(losses, rel=1e-4)
    steps = len(norms) // 3
    assert [e.steps for e in history.epochs] == [steps] * 3
    assert history.epochs[0].gradient_norm == pytest.approx(np.mean(norms[:steps]), rel=1e-4)
    assert history.epochs[0].largest_norm == pytest.approx(max(norms[:steps]), rel=1e-4)
    assert sum(e.clipped for e in history.epochs) == sum(norm > clip for norm in norms)
    assert history.epochs[0].units == (ToyExamples().labels + 1).sum()


def test_it_learns_and_the_same_seed_learns_the_same():
    examples = ToyExamples()
    first, history = train(Trainer(epochs=40, batch_size=8, lr=0.02), Toy(0.1), examples)
    assert history.epochs[-1].loss < 0.5 * history.epochs[0].loss
    assert examples.loss(first) < history.epochs[0].loss
    same, _ = train(Trainer(epochs=40, batch_size=8, lr=0.02), Toy(0.1))
    other, _ = train(Trainer(epochs=40, batch_size=8, lr=0.02), Toy(0.1), seed=4)
    assert all(torch.equal(copies(first)[k], copies(same)[k]) for k in copies(first))
    assert not torch.equal(first.hidden.weight, other.hidden.weight)


def test_pretrained_parts_have_their_own_learning_rate_and_frozen_ones_none():
    before = copies(Toy())
    mine, _ = train(Trainer(epochs=1, batch_size=100, lr=0.01, pretrained_lr=0.0002, weight_decay=0.0))
    moved = {name: float((copies(mine)[name] - before[name]).abs().max()) for name in before}
    # the first step of Adam moves each parameter that has a gradient by its learning rate
    assert moved["table.weight"] == pytest.approx(0.0002, rel=1e-2)
    assert moved["hidden.weight"] == pytest.approx(0.01, rel=1e-2)
    assert moved["frozen.weight"] == 0.0


def test_an_objective_without_parameter_groups_has_no_pretrained_parts():
    class Fresh(Toy):
        parameter_groups = Objective.parameter_groups

    mine, _ = train(Trainer(epochs=1, batch_size=100, lr=0.01, pretrained_lr=0.0002, weight_decay=0.0), Fresh())
    moved = (mine.table.weight.detach() - Toy().table.weight.detach()).abs().max()
    assert float(moved) == pytest.approx(0.01, rel=1e-2)


def test_schedules():
    total, warm = 100, 10
    for s in range(total):
        factors = {
            name: learning_rate_factor(name, s / total, warm / total, 1 / total)
            for name in ("constant", "linear", "cosine", "inverse_sqrt")
        }
        if s < warm:
            assert list(factors.values()) == pytest.approx([(s + 1) / warm] * 4)
            continue
        assert factors["constant"] == 1.0
        assert factors["linear"] == pytest.approx((total - s) / (total - warm))
        assert factors["cosine"] == pytest.approx((1 + math.cos(math.pi * (s - warm) / (total - warm))) / 2)
        n = s + 1  # Vaswani et al. 2017, eq. 3, over its peak; steps count from 1
        assert factors["inverse_sqrt"] == pytest.approx(min(n**-0.5, n * warm**-1.5) / warm**-0.5)
    assert [learning_rate_factor(name, 0.0, 0.0, 0.01) for name in ("linear", "cosine", "inverse_sqrt")] == [
        1.0,
        1.0,
        1.0,
    ]
    assert learning_rate_factor("linear", 0.995, 1.0, 0.01) == 1.0


def test_the_schedule_reaches_the_optimizer():
    _, history = train(Trainer(epochs=4, batch_size=37, lr=0.1, schedule="linear"))
    assert [e.lr for e in history.epochs] == pytest.approx([0.1, 0.075, 0.05, 0.025])


def scripted(objective, scores):
    """An ``evaluate`` that gives these scores one after the other and keeps what it saw."""
    seen, left = [], list(scores)

    def evaluate():
        assert not objective.training and not torch.is_grad_enabled()
        seen.append(copies(objective))
        return left.pop(0)

    return evaluate, seen


@pytest.mark.parametrize(
    ("scores", "patience", "higher", "epochs", "best", "stopped"),
    [
        ([0.1, 0.5, 0.4, 0.45, 0.2, 0.9], 2, True, 5, 2, "patience"),
        ([0.1, 0.5, 0.4], 0, True, 3, 2, "patience"),
        ([3.0, 1.0, 2.0, 2.5, 0.5], 1, False, 4, 2, "patience"),
        ([0.1, 0.5, 0.5, 0.4, 0.3, 0.2], None, True, 6, 2, "epochs"),
        ([math.nan, 0.2, math.nan, 0.1, math.nan, 0.1], None, True, 6, 2, "epochs"),
    ],
)
def test_it_stops_early_and_restores_the_best(scores, patience, higher, epochs, best, stopped):
    objective = Toy()
    evaluate, seen = scripted(objective, scores)
    _, history = train(
        Trainer(epochs=6, batch_size=16, patience=patience), objective, evaluate=evaluate, higher_is_better=higher
    )
    assert (len(history.epochs), history.kept, history.stopped) == (epochs, (best,), stopped)
    assert history.score == scores[best - 1]
    assert all(torch.equal(seen[best - 1][name], tensor) for name, tensor in copies(objective).items())
    assert not objective.training


@pytest.mark.parametrize(("last", "kept"), [(0.9, (3, 4, 5)), (0.3, (2,))])
def test_the_average_is_kept_where_it_is_better(last, kept):
    objective = Toy()
    evaluate, seen = scripted(objective, [0.1, 0.5, 0.4, 0.3, 0.2, last])
    _, history = train(Trainer(epochs=5, batch_size=16, average=3, lr=0.01), objective, evaluate=evaluate)
    assert history.kept == kept and history.score == (last if len(kept) > 1 else 0.5)
    for name, tensor in copies(objective).items():
        several = [seen[epoch - 1][name] for epoch in kept]
        expected = torch.stack(several).mean(0) if tensor.is_floating_point() else several[-1]
        torch.testing.assert_close(tensor, expected)


def test_without_a_dev_split_the_last_is_kept_or_the_average():
    _, history = train(Trainer(epochs=3))
    assert history.kept == (3,) and history.score is None
    _, history = train(Trainer(epochs=3, average=2))
    assert history.kept == (2, 3)


@pytest.mark.parametrize("count", [1, 2])
def test_few_examples_and_a_batch_larger_than_the_data(count):
    _, history = train(Trainer(epochs=2, batch_size=1000), examples=ToyExamples(count))
    assert [e.steps for e in history.epochs] == [1, 1] and math.isfinite(history.epochs[-1].loss)


def test_a_step_without_units_leaves_numbers():
    class Empty(Toy):
        def forward(self, batch):
            loss, _ = super().forward(batch)
            return 0.0 * loss, torch.tensor(0)

    for accumulate in (1, 2):
        objective, history = train(Trainer(epochs=2, accumulate=accumulate, batch_size=4), Empty())
        assert all(torch.isfinite(t).all() for t in copies(objective).values())
        assert history.epochs[-1].loss == 0.0


def test_what_cannot_be_trained_is_said():
    with pytest.raises(NlpipeError, match="0 examples"):
        train(Trainer(), examples=ToyExamples(0))
    with pytest.raises(NlpipeError, match="no parameter"):
        train(Trainer(), Toy().requires_grad_(False))
    with pytest.raises(NlpipeError, match=r"trainer\.patience needs a dev split"):
        train(Trainer(patience=1))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_gpu_that_is_not_here():
    with pytest.raises(NlpipeError, match=r"this machine has no 'cuda', only cpu \(\d+ logical cores\)"):
        train(Trainer(device="cuda"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs: invalid value 0: expected a positive integer"),
        ({"lr": 0.0}, "lr: invalid value 0.0: expected a positive number"),
        ({"lr": "fast"}, "lr: invalid value 'fast': expected a positive number"),
        ({"warmup": 1.5}, "warmup: invalid value 1.5: expected a number from 0 to 1"),
        ({"schedule": "cosin"}, "schedule: invalid value 'cosin': expected 'constant', 'linear', 'cosine' or"),
        ({"precision": "fp16"}, "precision: invalid value 'fp16': expected 'auto', 'fp32' or 'bf16'"),
        ({"average": True}, "average: invalid value True: expected an integer of at least 0"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        Trainer(**options)


def test_options_are_documented():
    from nlpipe.options import options_of

    section = (Trainer.__doc__ or "").partition("Options:")[2]
    assert [line.split(":")[0].strip() for line in section.strip().splitlines()] == list(options_of(Trainer))
    assert Trainer(**Trainer(lr=1).options) == Trainer(lr=1.0)


class Breaks(Toy):
    """Its loss or its gradient is no number from batch ``after`` on."""

    def __init__(self, after: int, gradient: bool) -> None:
        super().__init__()
        self.after, self.gradient, self.calls = after, gradient, 0

    def forward(self, batch):
        loss, units = super().forward(batch)
        self.calls += self.training
        if self.calls <= self.after or not self.training:
            return loss, units
        # the square root has an infinite slope at 0
        return (loss + (self.output.weight[0, 0] * 0.0).sqrt() if self.gradient else loss * math.nan), units


@pytest.mark.parametrize(("gradient", "what"), [(False, "the loss is nan"), (True, "the norm of the gradient is nan")])
def test_a_loss_that_is_no_number_stops_with_the_best_so_far(gradient, what, tmp_path):
    objective = Breaks(12, gradient)
    evaluate, seen = scripted(objective, [0.3, 0.2])
    trainer = Trainer(epochs=6, batch_size=8, lr=0.5, clip=None)  # 5 steps per epoch
    with pytest.raises(NlpipeError, match="epoch 3, step 3: " + what) as caught:
        train(trainer, objective, evaluate=evaluate, checkpoint=tmp_path)
    for word in ("learning rate 0.5", "a trainer.lr below 0.5", "trainer.clip: 1.0", "epoch 1"):
        assert word in str(caught.value)
    assert all(torch.equal(seen[0][name], tensor) for name, tensor in copies(objective).items())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["epoch-00001.safetensors", "state-00000002"]


def test_a_divergence_without_a_dev_split_promises_no_parameters():
    trainer = Trainer(epochs=6, batch_size=8, clip=0.5, warmup=0.2, precision="fp32")
    with pytest.raises(NlpipeError, match=r"epoch 3, step 3: the loss is nan .*; no earlier parameters") as caught:
        train(trainer, Breaks(12, gradient=False))
    assert "trainer.clip" not in str(caught.value) and "trainer.warmup" not in str(caught.value)


def test_bf16_is_in_the_activations_and_not_in_the_weights():
    plain, first = train(Trainer(epochs=2, precision="fp32"))
    objective, history = train(Trainer(epochs=2, precision="bf16"))
    third, _ = train(Trainer(epochs=2, precision="fp32"))  # another precision again, in the same process
    assert (first.precision, history.precision) == ("fp32", "bf16")
    assert (plain.dtypes, objective.dtypes) == ({torch.float32}, {torch.bfloat16})
    assert {p.dtype for p in objective.parameters()} == {torch.float32}
    assert "forward" not in vars(objective)  # nothing of accelerate stays
    examples = ToyExamples()
    examples.loss(objective)
    assert torch.float32 in objective.dtypes
    assert torch.equal(plain.hidden.weight, third.hidden.weight)
    assert history.epochs[-1].loss == pytest.approx(first.epochs[-1].loss, rel=0.05)


def test_bf16_only_where_it_is_faster():
    wide = nn.Linear(1000, 1000)
    assert choose_precision("auto", "cpu", wide) == ("bf16" if cpu_has_bf16() else "fp32")
    lstm = "bf16" if cpu_has_bf16() and computes_in_bf16("LSTM") else "fp32"
    assert choose_precision("auto", "cpu", nn.LSTM(50, 128)) == lstm
    assert choose_precision("auto", "cpu", nn.GRU(50, 64)) == "fp32"
    assert choose_precision("auto", "cpu", nn.Linear(10, 10)) == "fp32"
    assert choose_precision("bf16", "cpu", nn.Linear(10, 10)) == "bf16"


def test_minutes_end_a_run_within_an_epoch():
    evaluated = []
    trainer = Trainer(epochs=10_000, batch_size=1, minutes=0.005)
    _, history = train(trainer, evaluate=lambda: evaluated.append(1) or 0.5)
    assert history.stopped == "minutes" and 0.2 < history.seconds < 5
    assert len(evaluated) == len(history.epochs) and history.epochs[-1].steps <= 37


def test_the_history_is_json_and_adds_up():
    objective, history = train(Trainer(epochs=2), evaluate=lambda: 0.25)
    record = json.loads(json.dumps(history.plain(), allow_nan=False))
    assert record["parameters"] == sum(p.numel() for p in objective.parameters()) == record["trained"] + 6
    assert [e["epoch"] for e in record["epochs"]] == [1, 2] and record["epochs"][0]["units_per_second"] > 0
    assert (record["device"], record["threads"], record["processes"], record["kept"]) == (
        "cpu",
        torch.get_num_threads(),
        1,
        [1],
    )
    assert sum(e["seconds"] for e in record["epochs"]) <= record["seconds"]


def test_without_a_terminal_lines_are_reported_and_nothing_is_printed(capsys):
    lines = []
    train(Trainer(epochs=2, batch_size=4), evaluate=lambda: 0.25, report=lines.append, progress=None)
    assert capsys.readouterr() == ("", "")
    # table, hidden, norm, output, frozen
    assert lines[0].startswith("633 parameters (627 trained), 37 examples, 10 steps per epoch, at most 2 epochs, fp32")
    assert re.match(r"about \d+ s per epoch and \d+ s in total", lines[1])  # however busy the machine is
    assert [line.partition(":")[0] for line in lines[2:]] == ["epoch 1", "epoch 2"] and "score 0.2500 on dev" in lines[
        2
    ]


def test_the_bar_is_drawn_where_it_is_asked_for(capsys):
    train(Trainer(epochs=2, batch_size=4), evaluate=lambda: 0.25, progress=True)
    out, err = capsys.readouterr()
    assert out == "" and "epoch 2: loss" in err


def test_memory_does_not_grow_over_epochs(tmp_path):
    taken, tensors = [], []

    def evaluate():
        taken.append(tracemalloc.get_traced_memory()[0])
        if len(taken) in (10, 30):
            gc.collect()
            taken[-1] = tracemalloc.get_traced_memory()[0]
            tensors.append(sum(issubclass(type(o), torch.Tensor) for o in gc.get_objects()))
        return float(len(taken))

    examples = ToyExamples()
    examples.asked = type("Forgets", (list,), {"append": lambda self, item: None})()
    run_training(Trainer(epochs=1), Toy(), examples, None, seed=1, progress=False)  # imports
    tracemalloc.start()
    try:
        train(Trainer(epochs=30, average=2), examples=examples, evaluate=evaluate, checkpoint=tmp_path)
    finally:
        tracemalloc.stop()
    assert taken[29] - taken[9] < 40_000  # twenty records of an epoch
    assert tensors[0] == tensors[1]  # torch's own memory is not traced, its tensors are counted
    assert len(list(tmp_path.glob("epoch-*"))) == 2 and len(list(tmp_path.glob("state-*"))) == 1


def test_a_finished_run_is_not_run_again_and_another_run_is_refused(tmp_path):
    first, before = train(Trainer(epochs=2), checkpoint=tmp_path, evaluate=lambda: 0.5)
    examples = ToyExamples()
    again, after = train(Trainer(epochs=2), Toy(seed=9), examples, checkpoint=tmp_path, evaluate=lambda: 0.5)
    assert examples.asked == [] and after.epochs == before.epochs and after.kept == before.kept
    assert all(torch.equal(copies(again)[k], t) for k, t in copies(first).items() if not k.startswith("frozen"))
    with pytest.raises(ModelError, match=r"another training, with options .*delete the folder"):
        train(Trainer(epochs=2, lr=0.5), checkpoint=tmp_path)
    with pytest.raises(ModelError, match="another training, with seed 3 instead of 4"):
        train(Trainer(epochs=2), checkpoint=tmp_path, seed=4)
    with pytest.raises(ModelError, match="another training, with examples"):
        train(Trainer(epochs=2), checkpoint=tmp_path, examples=ToyExamples(36))
    tensors = next(tmp_path.glob("state-*")) / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:100])
    with pytest.raises(ModelError, match="cannot read the checkpoint"):
        train(Trainer(epochs=2), checkpoint=tmp_path)


def test_importing_the_trainer_imports_no_torch():
    heavy = "{'torch', 'accelerate', 'rich'} & set(sys.modules)"
    code = f"import sys, nlpipe.training.trainer; nlpipe.training.trainer.Trainer(epochs=3); print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_what_follows_an_epoch_is_called_and_can_end_the_training(tmp_path):
    class Enough(Exception):
        pass

    seen = []

    def after_epoch(record):
        seen.append((record.epoch, record.score))
        if record.epoch == 2:
            raise Enough

    options = Trainer(epochs=3, batch_size=8, lr=0.02)
    with pytest.raises(Enough):
        train(options, evaluate=lambda: 0.5, after_epoch=after_epoch, checkpoint=tmp_path / "c")
    assert seen == [(1, 0.5), (2, 0.5)]
    seen.clear()
    with pytest.raises(Enough):  # resumed: the epochs that were trained are told again
        train(options, evaluate=lambda: 0.5, after_epoch=after_epoch, checkpoint=tmp_path / "c")
    assert seen == [(1, 0.5), (2, 0.5)]
