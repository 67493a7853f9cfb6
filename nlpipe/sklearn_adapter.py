"""The old place of ``nlpipe.integrations.sklearn``, kept for programs written for nlpipe 0.1."""

from nlpipe.integrations.sklearn import PipelineClassifier as PipelineClassifier
