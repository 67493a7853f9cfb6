"""An HTML page of texts with their entities marked, drawn by displaCy, which is part of spaCy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any
from unicodedata import bidirectional

from nlpipe.registry import missing_extra

STRONG = ("L", "R", "AL")
"""Unicode's strong bidirectional classes: letters written from left to right, and from right to left (two classes)."""


def entity_page(records: Iterable[Mapping[str, Any]]) -> str:
    """One HTML page for records ``{text, entities: [{start, end, type}]}``; it loads nothing from the network.

    The page is set from right to left if most letters are.

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
                {"start": entity["start"], "end": entity["end"], "label": escape(entity["type"])}
                for entity in record["entities"]
            ],
        }
        for record in records
    ]
    letters = "".join(document["text"] for document in documents)
    directions = [direction for letter in letters if (direction := bidirectional(letter)) in STRONG]
    if 2 * sum(direction != "L" for direction in directions) > len(directions):
        documents[0]["settings"] = {"direction": "rtl"}  # displaCy applies the first document's settings to the page
    page: str = displacy.render(documents, style="ent", manual=True, page=True, jupyter=False)
    return page
