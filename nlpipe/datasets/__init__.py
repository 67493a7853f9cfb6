"""Data sets: cards, readers, sources and splits."""

from __future__ import annotations

from nlpipe.datasets.card_finder import card_names, data_folder, find_card
from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.load import load_dataset

__all__ = ["Dataset", "card_names", "data_folder", "find_card", "load_dataset"]
