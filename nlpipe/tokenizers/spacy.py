"""The tokenizers of spaCy: rules for about seventy languages, or the tokenizer of an installed model.

No other component of spaCy runs. Honnibal et al. 2020, "spaCy: Industrial-strength Natural Language Processing in
Python".
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import spacy

from nlpipe.errors import MissingExtra, NlpipeError
from nlpipe.tokenizers.span_tokenizer import Form, SpanTokenizer
from nlpipe.unicode_classes import is_visible
from nlpipe.wire import Span, Text, Tokens


class SpaCy(SpanTokenizer):
    """Split with spaCy's rules for a language, which cover clitics, abbreviations, currencies and e-mail addresses.

    Chinese is split into characters; Japanese, Korean, Thai and Vietnamese need packages that spaCy's message names.

    Options:
        language: a language code of spaCy, ``xx`` for any language; not used if ``model`` is given.
        model: name or folder of a spaCy model whose tokenizer is used; null: the rules of the language.
        lowercase: whether to lower-case the words.
        form: Unicode normalisation form of the words, without soft hyphens and marks of direction; null: as written.
    """

    def __init__(
        self, language: str = "en", model: str | None = None, lowercase: bool = True, form: Form = "NFC"
    ) -> None:
        self.language = language
        self.model = model
        self.lowercase = lowercase
        self.form = form

    @functools.cached_property
    def _language(self) -> Any:
        """SpaCy's ``Language``, loaded with the first text.

        Raises:
            MissingExtra: the language needs packages that are not installed.
            NlpipeError: there is no such language or model, or the model cannot be loaded.
        """
        if self.model is not None:
            try:
                return spacy.load(self.model, exclude=spacy.info(self.model)["pipeline"])
            except (OSError, SystemExit, ValueError) as error:  # spacy.info exits if it does not find the model
                if Path(self.model).exists() or spacy.util.is_package(self.model):
                    reason = " ".join(str(error).split()[-60:])
                    raise NlpipeError(f"spaCy's model '{self.model}' cannot be loaded: {reason}") from error
                raise NlpipeError(
                    f"spaCy has no model '{self.model}'; install it, give the path of its folder, "
                    "or omit model and give a language"
                ) from error
        try:
            return spacy.blank(self.language)
        except ImportError as error:
            if "[E048]" in str(error):
                raise NlpipeError(
                    f"spaCy has no language '{self.language}'; use its code ('en', 'de'), or 'xx' for any language"
                ) from error
            reason = " ".join(str(error).split())
            raise MissingExtra(f"spaCy's tokenizer for '{self.language}' needs more packages: {reason}") from error

    def find(self, text: str) -> list[Span]:
        document = self._language.tokenizer(text)
        return [
            (token.idx, token.idx + len(token)) for token in document if not token.is_space and is_visible(token.text)
        ]

    def forward(self, source: Text) -> Tokens:
        with self._language.memory_zone():  # otherwise spaCy keeps every new word in memory
            return super().forward(source)
