"""The old place of ``nlpipe.training.trainer``, kept for programs written for nlpipe 0.1."""

from nlpipe.training.history import Epoch as Epoch
from nlpipe.training.history import History as History
from nlpipe.training.trainer import Trainer as Trainer
