"""What a stage says when it is used before it is fitted or built: the cause, in place of an error from deep inside."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from nlpipe.errors import ModelError, NlpipeError

LEARNING = ("fit", "fit_forward")
USES = ("forward", "predict")
Method = TypeVar("Method", bound=Callable[..., Any])


def guard_order(cls: type[Any]) -> None:
    """Make the methods that ``cls`` itself defines note what was done, or explain what was not.

    The notes are read only after an exception, so that no use is refused that would have worked.
    """
    for name in (*LEARNING, "allocate", "load_state"):
        if name in cls.__dict__:
            setattr(cls, name, noting("fit" if name in LEARNING else name)(cls.__dict__[name]))
    for name in USES:
        if name in cls.__dict__ and not getattr(cls.__dict__[name], "__isabstractmethod__", False):
            setattr(cls, name, _explaining(cls.__dict__[name], name))


def noting(done: str) -> Callable[[Method], Method]:
    """A decorator of a method that notes, once it has ended well, that ``done`` has been done."""

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def noted(self: Any, *arguments: Any, **options: Any) -> Any:
            result = method(self, *arguments, **options)
            self.__dict__["_done"] = self.__dict__.get("_done", frozenset()) | {done}
            return result

        return cast(Method, noted)

    return decorate


def _explaining(method: Callable[..., Any], use: str) -> Callable[..., Any]:
    @functools.wraps(method)
    def explaining(self: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return method(self, *arguments, **options)
        except NlpipeError:
            raise
        except Exception:
            if missing := missing_before_use(self):
                raise ModelError(f"{type(self).__name__}: {use} needs {missing}") from None
            raise

    return explaining


@contextmanager
def explaining_unfitted(stages: Iterable[Any]) -> Iterator[None]:
    """Explain an error of several stages that were not fitted or built; no use is refused that would have worked.

    Raises:
        ModelError: something failed, and a stage was not fitted.
    """
    try:
        yield
    except Exception:
        if any(missing_before_use(stage) for stage in stages):
            raise ModelError("the pipeline is not fitted: call fit first, or load a saved one") from None
        raise


def missing_before_use(stage: Any) -> str:
    """What must be done before the stage can be used; empty if all has been done."""
    done = stage.__dict__.get("_done", frozenset())
    if "load_state" in done:
        return ""
    if stage.learns and "fit" not in done:
        return "a fitted stage: call fit first, or load a saved pipeline"
    if hasattr(stage, "allocate") and "allocate" not in done:
        return f"parameters: give the width of its inputs, {type(stage).__name__}(..., width=D), or call build(D) first"
    return ""
