"""Convolution over words: filters that fire on phrases of a few words.

Kim 2014, "Convolutional Neural Networks for Sentence Classification". There the maximum over time follows at once;
here it is the stage ``max``, so that a tagger can use the same filters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlpipe.nn.dropout import Drop
from nlpipe.nn.neural import Neural
from nlpipe.nn.padding import close_batch, open_batch
from nlpipe.options import Dropout, Positive
from nlpipe.stage import Encoder
from nlpipe.wire import Sequences


class Convolution(Neural[Sequences, Sequences], Encoder[Sequences, Sequences]):
    """Convolution with filters of several widths (Kim 2014), ReLU behind; with max after it, the CNN of sentences.

    A filter of width w centred on a word sees the (w - 1) // 2 words before it and the w // 2 after it.

    Options:
        widths: words that a filter spans, for each group of filters.
        filters: of each width; outputs have filters x the number of widths features.
        dropout: share of the inputs dropped in training.
        width: D of the inputs, to use it alone in Python; in a pipeline it is known.
    """

    def __init__(
        self,
        widths: list[Positive] = [3, 4, 5],  # noqa: B006 - a default that YAML can spell; copied below
        filters: Positive = 100,
        dropout: Dropout = 0.0,
        width: Positive | None = None,
    ) -> None:
        super().__init__()
        if not widths:
            raise ValueError("widths: [] leaves no filters; give at least one, [3]")
        self.widths = list(widths)
        self.filters = filters
        self.dropout = Drop(dropout)
        if width is not None:
            self.build(width)

    def allocate(self, width: int) -> int:
        self.groups = nn.ModuleList(nn.Conv1d(width, self.filters, span) for span in self.widths)
        return self.filters * len(self.widths)

    def forward(self, source: Sequences) -> Sequences:
        rows, mask = open_batch(source, self.device, self.dtype)  # (B, T, D)
        rows = self.dropout(rows.masked_fill(~mask[..., None], 0.0))  # a filter at the end must see nothing there
        columns = rows.transpose(1, 2)  # (B, D, T)
        found = [self._slide(group, columns, span) for group, span in zip(self.groups, self.widths, strict=True)]
        return close_batch(torch.cat(found, 1).relu().transpose(1, 2), mask, source)  # (B, T, filters * widths)

    def _slide(self, group: nn.Module, columns: Tensor, span: int) -> Tensor:
        """``group`` centred on every word of ``columns`` (B, D, T): (B, filters, T)."""
        found: Tensor = group(F.pad(columns, ((span - 1) // 2, span // 2)))  # (B, filters, T)
        return found
