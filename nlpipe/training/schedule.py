"""AdamW over two groups of parameters, the course of its learning rate, and gradients brought to size.

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

Schedule = Literal["constant", "linear", "cosine", "inverse_sqrt"]


def adamw(objective: nn.Module, *, lr: float, pretrained_lr: float | None, weight_decay: float) -> torch.optim.AdamW:
    """The optimizer of all parameters that require a gradient, with the fused kernel where the device has one.

    Pretrained parameters are those under the key ``"pretrained"`` of ``objective.parameter_groups()``, a method that
    returns ``dict[str, list[Parameter]]``; an objective without this method has none. They learn with
    ``pretrained_lr`` (None: ``lr``). Weights decay; biases and the scales of norms (one dimension) do not.
    """
    import torch

    offered = getattr(objective, "parameter_groups", None)
    marked = {id(p) for p in offered().get("pretrained", [])} if offered is not None else set()
    rates = {True: lr if pretrained_lr is None else pretrained_lr, False: lr}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in objective.parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in marked, parameter.dim() > 1), []).append(parameter)
    settings: list[dict[str, Any]] = [
        {"params": found, "lr": rates[old], "peak": rates[old], "weight_decay": weight_decay if decays else 0.0}
        for (old, decays), found in sorted(groups.items(), key=lambda item: item[0])  # new ones first
    ]
    floats = all(p.is_floating_point() for group in settings for p in group["params"])
    device = next(objective.parameters()).device.type
    fused = floats and device in ("cpu", "cuda", "mps", "xpu")
    return torch.optim.AdamW(settings, fused=fused, foreach=None if fused else True)


def multiplier(schedule: Schedule, done: float, warmup: float, step: float) -> float:
    """What the peak learning rate is multiplied by, in (0, 1].

    Args:
        schedule: the course after the warm-up.
        done: share of all steps that lie behind, in [0, 1).
        warmup: share of all steps in which the rate rises from 0.
        step: what one step is of all steps.
    """
    if done < warmup:
        return min(1.0, (done + step) / warmup)
    left = (1.0 - done) / (1.0 - warmup)  # 1 at the end of the warm-up, `step` or less before the last step
    if schedule == "linear":
        return left
    if schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * (1.0 - left)))
    if schedule == "inverse_sqrt":
        start = max(warmup, step)
        return math.sqrt(start / max(done + step, start))
    return 1.0


def norm_of(gradients: Sequence[Tensor]) -> Tensor:
    """The L2 norm of all of them together; shape ()."""
    import torch

    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(gradients))))
    return norm


def bring_to_size(gradients: Sequence[Tensor], norm: Tensor, scale: Tensor | float, clip: float | None) -> None:
    """Multiply by ``scale``, and further down where the norm would exceed ``clip``, in one pass and in place.

    Args:
        gradients: of summed losses.
        norm: their norm after ``scale``; shape ().
        scale: one through the units of the step.
        clip: the largest norm; None for any.
    """
    import torch

    factor = scale if clip is None else scale * (clip / (norm + 1e-6)).clamp(max=1.0)
    if isinstance(factor, float):
        if factor != 1.0:
            torch._foreach_mul_(list(gradients), factor)
    elif factor.device.type != "cpu" or float(factor) != 1.0:  # elsewhere a look would wait for the device
        torch._foreach_mul_(list(gradients), factor)
