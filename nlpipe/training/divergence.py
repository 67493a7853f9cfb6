"""The error that ends a training whose loss or gradient is no longer a finite number."""

from __future__ import annotations

import math
from collections.abc import Iterable

from nlpipe.errors import NlpipeError
from nlpipe.training.trainer import Trainer


def divergence_error(
    trainer: Trainer,
    *,
    epoch: int,
    step: int,
    loss: float,
    norm: float,
    learning_rates: Iterable[float],
    precision: str,
    best: int | None,
) -> NlpipeError:
    """An error that says where training diverged and which options to change.

    Args:
        trainer: the options of the training.
        epoch: in which it diverged, from 1.
        step: of that epoch, from 1.
        loss: of the step, in nats.
        norm: of its gradient.
        learning_rates: of the parameter groups at that step.
        precision: ``fp32`` or ``bf16``.
        best: number of the epoch whose parameters were restored; None if no epoch was scored.
    """
    symptom = f"the loss is {loss}" if not math.isfinite(loss) else f"the norm of the gradient is {norm}"
    rates = ", ".join(f"{rate:g}" for rate in sorted(set(learning_rates)))
    remedies = [f"a trainer.lr below {trainer.lr:g}"]
    if trainer.clip is None or trainer.clip > 1.0:
        remedies.append("trainer.clip: 1.0")
    if trainer.warmup == 0:
        remedies.append("trainer.warmup: 0.1")
    if precision == "bf16":
        remedies.append("trainer.precision: fp32")
    if best is None:
        outcome = "no earlier parameters could be restored"
    else:
        outcome = f"the pipeline in memory has the parameters of epoch {best}, the best so far"
    return NlpipeError(
        f"training diverged in epoch {epoch}, step {step}: {symptom} at learning rate {rates}; "
        f"try {' or '.join(remedies)}; {outcome}"
    )
