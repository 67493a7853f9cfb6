"""The old place of ``nlpipe.integrations.spacy``, kept for programs written for nlpipe 0.1."""

from nlpipe.integrations.spacy import Entities as Entities
from nlpipe.integrations.spacy import make as make
