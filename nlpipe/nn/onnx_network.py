"""Networks in ONNX files: computed by ONNX Runtime, in place of a stage's own weights.

Only the network is in the file. Words, pieces, windows, pooling and decoding are nlpipe's, so that a stage answers
alike whatever computes its network.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from nlpipe.errors import ModelError
from nlpipe.names import missing_extra

LEVEL_OF_ERRORS = 3
"""ONNX Runtime's warnings are about its own optimisations; errors are raised."""


class OnnxNetwork:
    """A network, ready to compute on the CPU with as many threads as torch has.

    Args:
        content: of the ONNX file.

    Raises:
        ModelError: ONNX Runtime cannot read it.
        MissingExtra: onnxruntime is not installed.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._threads = torch.get_num_threads()
        self._session = self._open()
        self._names = [each.name for each in self._session.get_inputs()]

    def _open(self) -> Any:
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise missing_extra("a model exported to onnx", error) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = LEVEL_OF_ERRORS
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return onnxruntime.InferenceSession(self.content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its binding raises a dozen kinds, which have Exception alone in common
            reason = " ".join(str(error).split())
            raise ModelError(
                f"ONNX Runtime {onnxruntime.__version__} cannot read the network: {reason}; export the run again, or "
                "install the onnxruntime that environment.json names"
            ) from None

    def __reduce__(self) -> tuple[type[OnnxNetwork], tuple[bytes]]:
        return OnnxNetwork, (self.content,)  # a session cannot be copied

    def __call__(self, *inputs: Tensor) -> Tensor:
        """The network's output, float32, for its inputs in their order; all on the CPU."""
        if torch.get_num_threads() != self._threads:
            self._threads = torch.get_num_threads()
            self._session = self._open()
        given: dict[str, np.ndarray] = {name: each.numpy() for name, each in zip(self._names, inputs, strict=True)}
        (output,) = self._session.run(None, given)
        return torch.from_numpy(output)
