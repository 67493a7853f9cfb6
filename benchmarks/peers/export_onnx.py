"""Export an encoder of `transformers` to an ONNX file. Arguments: the model's folder, the file."""

from __future__ import annotations

import sys
import warnings

import torch
from transformers import AutoModel


class Vectors(torch.nn.Module):
    """The model as a function of tensors."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Vectors (B, T, D) of the pieces ``input_ids`` (B, T)."""
        output: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return output


def main() -> None:
    """Export with texts of any number and length."""
    warnings.simplefilter("ignore")
    names = ["input_ids", "attention_mask"]
    example = torch.ones(2, 7, dtype=torch.long)
    torch.onnx.export(
        Vectors(sys.argv[1]), (example, example), sys.argv[2], input_names=names, output_names=["vectors"],
        dynamic_axes={name: {0: "texts", 1: "pieces"} for name in (*names, "vectors")}, dynamo=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
