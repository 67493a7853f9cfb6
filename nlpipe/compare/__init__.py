"""Several pipelines on one data set, with the same seeds and the same metrics.

The name ``nlpipe.compare`` is this package's and also that of the function that starts a comparison. Whichever was
imported first, it can be called.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


class _Package(ModuleType):
    """A package that can be called as ``nlpipe.api.compare``."""

    @property
    def __call__(self) -> Callable[..., Any]:
        function: Callable[..., Any] = importlib.import_module("nlpipe.api").compare
        return function

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.__call__)


sys.modules[__name__].__class__ = _Package
