"""A run's state on disk, so that interrupted and resumed equals uninterrupted: safetensors and JSON, no pickle.

A folder holds ``state-<n>/`` (``tensors.safetensors``: parameters, optimizer, random states; ``state.json``: the
place in the run and its records) and ``epoch-<n>.safetensors`` (parameters of the epochs that may be restored or
averaged in the end). Each is written beside its place, synced and renamed, so that a kill at any moment leaves the
last whole state; what it left half-written is swept by the next one.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlpipe.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

FORMAT = 1


class Checkpoint:
    """The checkpoint of one run.

    Args:
        folder: its place; made when first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def _states(self) -> list[Path]:
        """Whole states, oldest first."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted(path for path in found if re.fullmatch(r"state-\d{8}", path.name))

    def write(self, tensors: Mapping[str, Tensor], data: Mapping[str, Any]) -> None:
        """Make this the state that ``read`` gives, and remove the one before."""
        earlier = self._states()
        self._sweep()
        self.folder.mkdir(parents=True, exist_ok=True)
        number = int(earlier[-1].name.removeprefix("state-")) + 1 if earlier else 1
        final = self.folder / f"state-{number:08}"
        partial = final.with_suffix(".partial")
        partial.mkdir()
        _save(partial / "tensors.safetensors", tensors)
        with (partial / "state.json").open("w", encoding="utf-8") as file:
            json.dump({"format": FORMAT, **data}, file)
            file.flush()
            os.fsync(file.fileno())
        _sync(partial)
        partial.rename(final)
        _sync(self.folder)
        for path in earlier:
            shutil.rmtree(path)

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The newest whole state; None where there is none.

        Raises:
            ModelError: it is damaged, or another version's.
        """
        states = self._states()
        if not states:
            return None
        try:
            data = json.loads((states[-1] / "state.json").read_text(encoding="utf-8"))
            tensors = _load(states[-1] / "tensors.safetensors")
        except (OSError, ValueError, ModelError) as error:
            raise ModelError(f"{states[-1]}: the checkpoint cannot be read ({error}); delete {self.folder}") from error
        if data.get("format") != FORMAT:
            raise ModelError(
                f"{states[-1]}: written in format {data.get('format')}, this nlpipe reads {FORMAT}; "
                f"delete {self.folder}"
            )
        return tensors, data

    def keep(self, epoch: int, tensors: Mapping[str, Tensor]) -> None:
        """Write the parameters after ``epoch``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        final = self.folder / f"epoch-{epoch:05}.safetensors"
        partial = final.with_suffix(".partial")
        _save(partial, tensors)
        partial.rename(final)
        _sync(self.folder)

    def kept(self, epoch: int) -> dict[str, Tensor]:
        """The parameters after ``epoch``.

        Raises:
            ModelError: they are gone or damaged.
        """
        path = self.folder / f"epoch-{epoch:05}.safetensors"
        try:
            return _load(path)
        except (OSError, ModelError) as error:
            raise ModelError(f"{path}: the checkpoint cannot be read ({error}); delete {self.folder}") from error

    def drop_all_but(self, epochs: set[int]) -> None:
        """Remove the parameters of other epochs; after ``write``, so that no state names what is gone."""
        for path in self.folder.glob("epoch-*.safetensors"):
            if int(path.stem.removeprefix("epoch-")) not in epochs:
                path.unlink()

    def _sweep(self) -> None:
        """Remove what a killed process left half-written."""
        for path in self.folder.glob("*.partial"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _save(path: Path, tensors: Mapping[str, Tensor]) -> None:
    from safetensors.torch import save_file

    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)
    _sync(path)


def _load(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise ModelError(str(error)) from error
    return tensors


def _sync(path: Path) -> None:
    """Have the file or folder on the disk, not only on its way there."""
    if path.is_dir() and os.name == "nt":  # Windows does not open folders
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def random_states(device: torch.device) -> dict[str, Tensor]:
    """The global random states of this process (Python's, numpy's, torch's, the device's), each a tensor."""
    import torch

    _, words, gauss = random.getstate()
    _, keys, place, has_gauss, cached = np.random.get_state(legacy=True)
    extra = [math.nan if gauss is None else gauss, float(has_gauss), float(cached)]
    states = {
        "python": torch.tensor(words, dtype=torch.int64),  # (625,)
        "numpy": torch.tensor([*np.asarray(keys).tolist(), place], dtype=torch.int64),  # (625,)
        "gauss": torch.tensor(extra, dtype=torch.float64).view(torch.int64),  # (3,), as bits
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_states(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Put back what ``random_states`` gave."""
    import torch

    states = {name: state.clone() for name, state in states.items()}  # torch misreads the state in a view
    gauss, has_gauss, cached = states["gauss"].view(torch.float64).tolist()
    random.setstate((3, tuple(states["python"].tolist()), None if gauss != gauss else gauss))
    *keys, place = states["numpy"].tolist()
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), place, int(has_gauss), cached))
    torch.set_rng_state(states["torch"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(states["mps"])
