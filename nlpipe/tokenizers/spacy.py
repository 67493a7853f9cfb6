"""spaCy's tokenizers: rules for some seventy languages, or those of any installed model; nothing else of spaCy runs.

Honnibal et al. 2020, spaCy: Industrial-strength Natural Language Processing in Python.
"""

from __future__ import annotations

import functools
from typing import Any

import spacy

from nlpipe.errors import MissingExtra, NlpipeError
from nlpipe.tokenizers.surface import Form, _Surface
from nlpipe.wire import Span, Text, Tokens


class SpaCy(_Surface):
    """spaCy's rules for a language: clitics, abbreviations, currencies, e-mail addresses.

    Chinese comes out as characters; Japanese, Korean, Thai and Vietnamese need packages that spaCy names.

    Options:
        language: a language code of spaCy, ``xx`` for any; not used where ``model`` is given.
        model: an installed spaCy model or the folder of one, for its tokenizer; null for the language's own.
        lowercase: whether words are lower-cased.
        form: Unicode normalisation form of the words; null leaves them as they are.
    """

    def __init__(
        self, language: str = "en", model: str | None = None, lowercase: bool = True, form: Form = None
    ) -> None:
        self.language = language
        self.model = model
        self.lowercase = lowercase
        self.form = form

    @functools.cached_property
    def _language(self) -> Any:
        """SpaCy's ``Language``, loaded when the first text comes.

        Raises:
            MissingExtra: the language needs packages that are not installed.
            NlpipeError: there is no such language or model.
        """
        if self.model is not None:
            try:
                return spacy.load(self.model, exclude=spacy.info(self.model)["pipeline"])
            except (OSError, SystemExit) as error:  # spacy.info exits where a model is not found
                raise NlpipeError(
                    f"spaCy has no model '{self.model}'; install it, give the folder of one, "
                    "or leave model out and name a language"
                ) from error
        try:
            return spacy.blank(self.language)
        except ImportError as error:
            if "[E048]" in str(error):
                raise NlpipeError(
                    f"spaCy has no language '{self.language}'; use its code ('en', 'de'), or 'xx' for any language"
                ) from error
            said = " ".join(str(error).split())
            raise MissingExtra(f"spaCy's tokenizer for '{self.language}' needs more packages: {said}") from error

    def cut(self, text: str) -> list[Span]:
        document = self._language.tokenizer(text)
        return [(token.idx, token.idx + len(token)) for token in document if not token.is_space]

    def forward(self, source: Text) -> Tokens:
        with self._language.memory_zone():  # else spaCy keeps every new word for ever
            return super().forward(source)
