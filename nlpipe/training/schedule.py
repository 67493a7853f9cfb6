"""The optimizer (AdamW), its learning-rate schedule, and the clipping of gradients.

Loshchilov and Hutter 2019 (AdamW); Pascanu et al. 2013 (clipping by norm); Vaswani et al. 2017, section 5.3 (warm-up,
then the inverse square root); Loshchilov and Hutter 2017 (cosine).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from nlpipe.training.loss import Objective

Schedule = Literal["constant", "linear", "cosine", "inverse_sqrt"]


def adamw(objective: Objective, *, lr: float, pretrained_lr: float | None, weight_decay: float) -> torch.optim.AdamW:
    """An optimizer of all parameters that require a gradient, with the fused kernel if the device has one.

    Each parameter group holds its peak learning rate under ``"peak"``. Parameters of one dimension (biases, scales of
    normalisation layers) do not decay.

    Args:
        objective: on its final device.
        lr: peak learning rate.
        pretrained_lr: peak learning rate of the objective's pretrained parameters; None for ``lr``.
        weight_decay: of the parameters of two and more dimensions.
    """
    import torch

    pretrained = {id(parameter) for parameter in objective.parameter_groups().get("pretrained", [])}
    rates = {True: lr if pretrained_lr is None else pretrained_lr, False: lr}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}  # by (is pretrained, decays)
    for parameter in objective.parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in pretrained, parameter.dim() > 1), []).append(parameter)
    settings: list[dict[str, Any]] = [
        {
            "params": parameters,
            "lr": rates[is_pretrained],
            "peak": rates[is_pretrained],
            "weight_decay": weight_decay if decays else 0.0,
        }
        for (is_pretrained, decays), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]  # new parameters first: the first group's learning rate is recorded in the history
    all_floats = all(p.is_floating_point() for group in settings for p in group["params"])
    device = next(objective.parameters()).device.type
    fused = all_floats and device in ("cpu", "cuda", "mps", "xpu")
    return torch.optim.AdamW(settings, fused=fused, foreach=None if fused else True)


def learning_rate_factor(schedule: Schedule, done: float, warmup: float, step: float) -> float:
    """The factor in (0, 1] by which the peak learning rate is multiplied.

    Args:
        schedule: what follows the warm-up.
        done: share of all steps that were taken before this one, in [0, 1).
        warmup: share of all steps over which the rate rises linearly.
        step: share of all steps that a single step is.
    """
    if done < warmup:
        return min(1.0, (done + step) / warmup)
    remaining = (1.0 - done) / (1.0 - warmup)  # 1 at the end of the warm-up, at most `step` before the last step
    if schedule == "linear":
        return remaining
    if schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * (1.0 - remaining)))
    if schedule == "inverse_sqrt":
        start = max(warmup, step)
        return math.sqrt(start / max(done + step, start))
    return 1.0


def total_norm(gradients: Sequence[Tensor]) -> Tensor:
    """The L2 norm of all gradients together; shape ()."""
    import torch

    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(gradients))))
    return norm


def scale_and_clip(gradients: Sequence[Tensor], norm: Tensor, scale: Tensor | float, clip: float | None) -> None:
    """Multiply gradients by ``scale`` and, if their norm would exceed ``clip``, shrink them to it; in place.

    Args:
        gradients: of summed losses.
        norm: their total norm after scaling; shape ().
        scale: 1 divided by the number of units of the step.
        clip: maximum norm; None for no limit.
    """
    import torch

    factor = scale if clip is None else scale * (clip / (norm + 1e-6)).clamp(max=1.0)
    if isinstance(factor, float):
        if factor != 1.0:
            torch._foreach_mul_(list(gradients), factor)
    elif factor.device.type != "cpu" or float(factor) != 1.0:  # on a GPU, reading the factor would wait for the device
        torch._foreach_mul_(list(gradients), factor)
