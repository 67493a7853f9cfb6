"""Writing networks as ONNX files, and their weights as 8-bit integers."""

from __future__ import annotations

import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import torch
from torch import Tensor, nn

from nlpipe.errors import ModelError
from nlpipe.names import missing_extra

LARGEST = 2**31 - 1
"""Bytes of an ONNX file: it is one protocol buffer."""

Sizes = Mapping[int, str]
"""Which axes of an input may have any size, with the names of these sizes."""


def check_packages() -> None:
    """Raise MissingExtra where a package that writing needs is not installed; torch's own message names no extra."""
    try:
        import onnx
        import onnxruntime
        import onnxscript
    except ModuleNotFoundError as error:
        raise missing_extra("export to onnx", error) from error
    _ = onnx, onnxruntime, onnxscript


def write_network(network: nn.Module, inputs: Mapping[str, tuple[Tensor, Sizes]], longest: int | None = None) -> bytes:
    """The content of an ONNX file that computes ``network`` in float32.

    ``torch.export`` reads the network with symbols in place of sizes. So what holds for one size only is an error,
    where tracing one example would leave a file that answers other lengths wrongly.

    Args:
        network: in eval mode, its parameters on the CPU in float32; it takes the inputs by position and gives a tensor.
        inputs: by name an example, with at least 2 of everything that varies, and the axes that vary.
        longest: the largest size of an axis called ``time``; None: any.

    Raises:
        ModelError: the network is larger than a file can be, or does something that ONNX does not have.
        MissingExtra: the packages that write ONNX files are not installed.
    """
    check_packages()
    size = sum(parameter.numel() * 4 for parameter in network.parameters())
    if size > LARGEST:
        raise ModelError(f"its network has {size / 1e9:.1f} GB, and an ONNX file holds 2; choose a smaller model")
    symbols = {
        name: torch.export.Dim(name, max=longest if name == "time" else None)
        for _, sizes in inputs.values()
        for name in sizes.values()
    }
    shapes = tuple({axis: symbols[name] for axis, name in sizes.items()} for _, sizes in inputs.values())
    try:
        with _quietly():
            program = torch.onnx.export(
                network.eval(), tuple(example for example, _ in inputs.values()), input_names=list(inputs),
                output_names=["output"], dynamic_shapes=shapes, dynamo=True, verbose=False,
            )  # fmt: skip
    except Exception as error:  # the exporter raises kinds of its own, of torch.export and of onnxscript
        lines = [line.strip() for line in str(error.__cause__ or error).splitlines() if line.strip()]
        raise ModelError(
            f"torch.onnx cannot write its network: {lines[0] if lines else type(error).__name__}"
        ) from error
    assert program is not None
    model = program.model_proto
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, model.graph):
        part.ClearField("metadata_props")  # stack traces with the paths of this machine, larger than a small network
    content: bytes = model.SerializeToString()
    return content


def in_8_bits(content: bytes) -> bytes:
    """The same network with 8-bit integers for its weights and tables (dynamic quantisation).

    Each output channel of a matrix has its own scale; activations get theirs as they come, one for the whole batch, so
    that an answer may depend a little on the texts beside it. Weights use 7 of the 8 bits: the sums of products of
    processors without VNNI saturate otherwise, and the same file would answer otherwise there.
    """
    check_packages()
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder, _quietly():
        target = Path(folder) / "network.onnx"
        quantize_dynamic(
            onnx.load_from_string(content), target, op_types_to_quantize=["MatMul", "Gemm", "Gather"], per_channel=True,
            reduce_range=True, weight_type=QuantType.QInt8,
        )  # fmt: skip
        return target.read_bytes()


@contextmanager
def _quietly() -> Iterator[None]:
    """Without remarks of the exporter and the quantiser, which are about themselves."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
