"""Texts with their entities marked, as a page for a browser: drawn by displaCy, which comes with spaCy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nlpipe.registry import missing_extra


def entity_page(records: Iterable[Mapping[str, Any]]) -> str:
    """One HTML page for records ``{text, entities: [{start, end, type}]}``; nothing is loaded from elsewhere.

    Raises:
        MissingExtra: spaCy is not installed.
    """
    try:
        from spacy import displacy
    except ModuleNotFoundError as error:
        raise missing_extra("predict --format html", error) from None
    documents = [
        {
            "text": record["text"],
            "ents": [
                {"start": unit["start"], "end": unit["end"], "label": unit["type"]} for unit in record["entities"]
            ],
        }
        for record in records
    ]
    page: str = displacy.render(documents, style="ent", manual=True, page=True, jupyter=False)
    return page
