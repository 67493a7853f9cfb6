"""What pipelines of a comparison share: word vectors that several have in front are learned once.

Fitted stages are kept in a folder, for all processes; their outputs in memory (``shared_outputs.py``). An entry of the
folder is named by a hash of all that fitting depends on: the examples, the stages before with their states, the
stage's options and code, the packages' versions, and the seed where a stage uses one. It keeps the seconds that fitting
took, which count for every pipeline that uses it, so that sharing does not flatter.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from nlpipe.errors import NlpipeError
from nlpipe.files import read_json, whole_folder
from nlpipe.fingerprint import fingerprint, source_hash, version_of
from nlpipe.pipeline.feature_cache import budget, make_room
from nlpipe.pipeline.integrity import check_sealed
from nlpipe.pipeline.saving import read_states, write_model
from nlpipe.pipeline.shared_outputs import SharedOutputs
from nlpipe.registry import slot_name, to_plain
from nlpipe.stage import AnyStage, Representation
from nlpipe.tasks.task import Split
from nlpipe.wire import Labels, LabelSets, Tags, Text, Tokens, Wire

WORTHWHILE = 0.2
"""Seconds from which a fitted stage is kept."""

PACKAGES = ("numpy", "scipy", "scikit-learn", "gensim", "tokenizers")
"""Their versions are part of every entry's name."""


class StageStore:
    """What the pipelines that this process fits one after another share.

    Args:
        folder: of fitted stages; other processes may use it at the same time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outputs = SharedOutputs()

    def fitted_on(self, split: Split, seed: int) -> FittedStages:
        """The entries of stages fitted on ``split`` with ``seed``."""
        return FittedStages(self.folder, split, seed)


class FittedStages:
    """The entries of stages fitted on one training split.

    Args:
        folder: where the entries are.
        split: what the stages are fitted on.
        seed: of every random number drawn.
    """

    def __init__(self, folder: Path, split: Split, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        versions = [f"{name} {version_of(name)}" for name in PACKAGES]
        self.examples = hashlib.sha256(" ".join([source_hash(), *versions]).encode())
        for wire in (split.inputs, split.targets):
            self.examples.update(json.dumps(_content(wire), ensure_ascii=False).encode("utf-8", "surrogatepass"))

    def take(self, before: Sequence[str], stage: AnyStage, joint: bool) -> float | None:
        """Give ``stage`` the state of an entry; the seconds that fitting it took, or None where there is none.

        Args:
            before: ``stage_digest`` of each stage in front of it.
            joint: whether it is fitted on sources and targets together.
        """
        entry = self.folder / self._name(before, stage, joint)
        if not (entry / "model.json").exists():
            return None
        try:
            manifest = read_json(entry / "model.json")
            check_sealed(entry, manifest)
            read_states(entry, 0, stage, manifest["stages"][0])
            seconds = float(manifest["seconds"])
        except (NlpipeError, KeyError, TypeError, ValueError):
            return None  # damaged: it is fitted anew
        with contextlib.suppress(OSError):
            entry.touch()  # the time of its last use
        return seconds

    def keep(self, before: Sequence[str], stage: AnyStage, joint: bool, seconds: float) -> None:
        """Make an entry of a stage that has been fitted, if that took long enough and there is room."""
        if seconds < WORTHWHILE:
            return
        entry = self.folder / self._name(before, stage, joint)
        with contextlib.suppress(NlpipeError, OSError):  # without room, others fit it themselves
            with whole_folder(entry) as partial:
                write_model(partial, [stage], {"seconds": seconds})
            make_room(self.folder, entry, budget())

    def _name(self, before: Sequence[str], stage: AnyStage, joint: bool) -> str:
        """24 hexadecimal digits, different wherever the fitted stage could differ."""
        total = self.examples.copy()
        seeded = any(nested.uses_seed for nested in stage.with_nested())
        specials = list(stage.specials) if isinstance(stage, Representation) else []
        head = [slot_name(stage), to_plain(stage), joint, self.seed if seeded else None, specials, list(before)]
        total.update(json.dumps(head, sort_keys=True, default=str).encode())
        for nested in stage.with_nested():
            total.update(fingerprint(type(nested)).encode())
        return total.hexdigest()[:24]


def _content(wire: Wire) -> object:
    if isinstance(wire, Text):
        return wire.strings
    if isinstance(wire, Tokens):
        return [wire.texts, wire.words]
    assert isinstance(wire, Labels | LabelSets | Tags), type(wire)
    return wire.values
