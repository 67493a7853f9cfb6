"""Texts with their entities marked, as a page for a browser: drawn by displaCy, which comes with spaCy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from unicodedata import bidirectional

from nlpipe.registry import missing_extra

SIDES = ("L", "R", "AL")
"""The Unicode classes of letters that are written from left to right, and from right to left."""


def entity_page(records: Iterable[Mapping[str, Any]]) -> str:
    """One HTML page for records ``{text, entities: [{start, end, type}]}``; nothing is loaded from elsewhere.

    Raises:
        MissingExtra: spaCy is not installed.
    """
    try:
        from spacy import displacy
    except ModuleNotFoundError as error:
        raise missing_extra("predict --format html", error) from None
    documents: list[dict[str, Any]] = [
        {
            "text": record["text"],
            "ents": [
                {"start": unit["start"], "end": unit["end"], "label": unit["type"]} for unit in record["entities"]
            ],
        }
        for record in records
    ]
    strong = [kind for each in documents for letter in each["text"] if (kind := bidirectional(letter)) in SIDES]
    if 2 * sum(kind != "L" for kind in strong) > len(strong):
        documents[0]["settings"] = {"direction": "rtl"}  # the first one's are those of the page
    page: str = displacy.render(documents, style="ent", manual=True, page=True, jupyter=False)
    return page
