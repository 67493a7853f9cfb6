"""A hash of a stage: what it was given, what it learnt and what its code says."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from nlpipe.fingerprint import fingerprint
from nlpipe.pipeline.saving import all_states
from nlpipe.registry import to_plain
from nlpipe.stage import AnyStage


def stage_digest(stage: AnyStage) -> str:
    """Different wherever the outputs of ``stage`` could differ: its options, code and states, of nested stages too."""
    total = hashlib.sha256(json.dumps(to_plain(stage), sort_keys=True, default=str).encode())
    for key, nested in all_states(stage):
        state = nested.state()
        total.update(f"{key} {fingerprint(type(nested))}".encode())
        total.update(json.dumps(state.data, sort_keys=True, default=str).encode())
        for name in sorted(state.arrays):
            array = np.ascontiguousarray(state.arrays[name])
            total.update(f"{name} {array.dtype} {array.shape}".encode())
            total.update(array.data if array.size else b"")
        for name in sorted(state.files):
            total.update(name.encode())
            total.update(state.files[name])
    return total.hexdigest()
