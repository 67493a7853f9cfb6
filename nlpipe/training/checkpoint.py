"""The state of a training on disk, from which it resumes exactly: safetensors and JSON, no pickle.

The folder holds ``state-<n>/`` (``tensors.safetensors``: parameters, optimizer state, random states; ``state.json``:
epoch, step and the records so far) and ``epoch-<n>.safetensors`` (parameters after the epochs that may be restored or
averaged at the end). Each is written under a temporary name, synced to disk and renamed, so that a process killed at
any moment leaves the last complete state. The next write removes incomplete files.
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
from nlpipe.files import usual_mode

if TYPE_CHECKING:
    import torch
    from torch import Tensor

FORMAT = 1


class Checkpoint:
    """The checkpoint folder of one training.

    Args:
        folder: created by the first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def _states(self) -> list[Path]:
        """The folders of complete states, oldest first."""
        paths = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted(path for path in paths if re.fullmatch(r"state-\d{8}", path.name))

    def write(self, tensors: Mapping[str, Tensor], data: Mapping[str, Any]) -> None:
        """Write a new state, which ``read`` will return, and remove the earlier one.

        Args:
            tensors: by name.
            data: what JSON can hold.
        """
        earlier = self._states()
        self._remove_incomplete()
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
        """Tensors and data of the newest complete state; None if there is none.

        Raises:
            ModelError: it is damaged, or was written in another format.
        """
        states = self._states()
        if not states:
            return None
        try:
            data = json.loads((states[-1] / "state.json").read_text(encoding="utf-8"))
            tensors = _load(states[-1] / "tensors.safetensors")
        except (OSError, ValueError, ModelError) as error:
            raise ModelError(f"{states[-1]}: cannot read the checkpoint ({error}); delete {self.folder}") from error
        if data.get("format") != FORMAT:
            raise ModelError(
                f"{states[-1]}: the checkpoint has format {data.get('format')}, but this nlpipe reads format {FORMAT}; "
                f"delete {self.folder}"
            )
        return tensors, data

    def write_epoch(self, epoch: int, tensors: Mapping[str, Tensor]) -> None:
        """Write the parameters after ``epoch``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        final = self.folder / f"epoch-{epoch:05}.safetensors"
        partial = final.with_suffix(".partial")
        _save(partial, tensors)
        partial.rename(final)
        _sync(self.folder)

    def read_epoch(self, epoch: int) -> dict[str, Tensor]:
        """The parameters after ``epoch``.

        Raises:
            ModelError: their file is missing or damaged.
        """
        path = self.folder / f"epoch-{epoch:05}.safetensors"
        try:
            return _load(path)
        except (OSError, ModelError) as error:
            raise ModelError(f"{path}: cannot read the checkpoint ({error}); delete {self.folder}") from error

    def remove_epochs_except(self, epochs: set[int]) -> None:
        """Remove the parameters of all other epochs; call it after ``write``, so that no state names a missing file."""
        for path in self.folder.glob("epoch-*.safetensors"):
            if int(path.stem.removeprefix("epoch-")) not in epochs:
                path.unlink()

    def _remove_incomplete(self) -> None:
        """Remove files and folders that a killed process did not finish writing."""
        for path in self.folder.glob("*.partial"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _save(path: Path, tensors: Mapping[str, Tensor]) -> None:
    from safetensors.torch import save_file

    with usual_mode(path):
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
    """Wait until the file or folder is on the disk (fsync)."""
    if path.is_dir() and os.name == "nt":  # Windows cannot open folders
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def random_states(device: torch.device) -> dict[str, Tensor]:
    """The global random states of this process (Python, numpy, torch and the device), each as a tensor."""
    import torch

    _, words, gauss = random.getstate()
    _, keys, position, has_gauss, cached_gaussian = np.random.get_state(legacy=True)
    gaussians = [math.nan if gauss is None else gauss, float(has_gauss), float(cached_gaussian)]
    states = {
        "python": torch.tensor(words, dtype=torch.int64),  # (625,)
        "numpy": torch.tensor([*np.asarray(keys).tolist(), position], dtype=torch.int64),  # (625,)
        "gauss": torch.tensor(gaussians, dtype=torch.float64).view(torch.int64),  # (3,), as bits
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_states(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Restore the states that ``random_states`` returned."""
    import torch

    states = {name: state.clone() for name, state in states.items()}  # torch reads a view of a tensor wrongly
    gauss, has_gauss, cached_gaussian = states["gauss"].view(torch.float64).tolist()
    random.setstate((3, tuple(states["python"].tolist()), None if math.isnan(gauss) else gauss))
    *keys, position = states["numpy"].tolist()
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), position, int(has_gauss), cached_gaussian))
    torch.set_rng_state(states["torch"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(states["mps"])
