"""Code of the user's own in the processes that need it: imported by name, or registered in Python.

A worker of a comparison and the process that measures costs start afresh. What a user registered is known there when
the module that registered it is imported there too. The program that was started (``python script.py``) is such a
module: it is run again under another name, up to its first call of ``nlpipe.run`` or ``nlpipe.compare``.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import re
import sys
import traceback
from collections.abc import Collection, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from nlpipe.errors import NlpipeError
from nlpipe.registry import FOLDERS, OTHERS, table_of

SCRIPT = "__nlpipe_script__"
"""The name of the module that a script is when it is run for what it registers."""

Names = Collection[tuple[str, str]]
"""Kind (a slot, metric, reader, task) and name of things that can be registered."""


class Reentered(BaseException):
    """A script that is run for what it registers has come to its first call of ``nlpipe.run`` or ``nlpipe.compare``.

    No Exception, so that a script's own handlers let it pass.
    """


@dataclass(frozen=True)
class UserCode:
    """What another process must do to know what is registered in this one.

    Args:
        modules: to import.
        script: the program's file, where its own top level registers something; empty where it does not.
        package: of the program, where it was started by ``python -m``, for its relative imports.
        arguments: of the program.
        search_path: where modules are looked for.
    """

    modules: tuple[str, ...] = ()
    script: str = ""
    package: str = ""
    arguments: tuple[str, ...] = ()
    search_path: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> UserCode:
        """What ``plain`` gave."""
        modules, arguments, places = (tuple(content[name]) for name in ("modules", "arguments", "search_path"))
        return cls(modules, content["script"], content["package"], arguments, places)

    def install(self) -> None:
        """Make it known in this process.

        Raises:
            NlpipeError: a module or the script fails.
        """
        sys.path.extend(place for place in self.search_path if place not in sys.path)
        if self.script:
            self._run_script()
        for name in self.modules:
            import_module(name)

    def _run_script(self) -> None:
        module = ModuleType(SCRIPT)
        module.__file__, module.__package__ = self.script, self.package or None
        sys.modules[SCRIPT] = module
        sys.argv[1:] = self.arguments
        token = _importing.set("script")
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Reentered, SystemExit):
                exec(compile(Path(self.script).read_bytes(), self.script, "exec"), vars(module))
        except Exception as error:
            raise NlpipeError(
                f"{self.script} was run in another process for the stages that it registers, and failed there: "
                f"{_reason(error, self.script)}; a module of their own is safer: put them there and import it"
            ) from error
        finally:
            _importing.reset(token)


def stop_if_registering() -> None:
    """``run`` and ``compare`` call this first: code that is run only for what it registers must not begin again.

    Raises:
        Reentered: a script is run for what it registers, and ends here.
        NlpipeError: a module that is being imported calls them, which every process that imports it would do.
    """
    if _importing.get() == "script":
        raise Reentered
    if _importing.get() == "module":
        guard = "if __name__ == '__main__':"
        raise NlpipeError(f"it calls nlpipe.run or nlpipe.compare when it is imported; put the call below '{guard}'")


_importing: ContextVar[Literal["", "script", "module"]] = ContextVar("_importing", default="")


def user_code(needed: Names, imports: Iterable[str] = ()) -> UserCode:
    """What another process must do to know the things ``needed`` that are registered here.

    Args:
        imports: modules that it will import besides, as pipeline files name them.

    Raises:
        NlpipeError: one of them is registered where no other process can import it.
    """
    lost = only_here(needed)
    if lost:
        raise NlpipeError(
            f"{', '.join(lost)}: registered in a notebook, on standard input or by exec, which another process cannot "
            "import; write the definition to a module, my_stages.py, and import that"
        )
    modules = {registration.module for _, registration in _registered(needed)}
    if any(_runs_already(name) for name in imports if re.fullmatch(MODULE, name)):
        modules.add("__main__")
    program = sys.modules["__main__"]
    script = package = ""
    if "__main__" in modules:
        modules.remove("__main__")
        script = str(Path(str(program.__file__)).resolve())
        package = program.__package__ or ""
    if SCRIPT in modules:  # this process is itself one that ran the script
        modules.remove(SCRIPT)
        script = str(sys.modules[SCRIPT].__file__)
        package = sys.modules[SCRIPT].__package__ or ""
    arguments = tuple(sys.argv[1:]) if script else ()
    return UserCode(tuple(sorted(modules)), script, package, arguments, tuple(map(_absolute, sys.path)))


def only_here(needed: Names) -> list[str]:
    """The things ``needed`` that are registered where no other process can import them: ``encoder 'conv'``."""
    return [what for what, registration in _registered(needed) if not registration.importable]


def modules_of(needed: Names, imports: Iterable[str] = ()) -> list[str]:
    """The modules, other than the program itself, that register the things ``needed``, as ``import:`` names them.

    A module that is not installed is given as its file, so that it is found from any folder.

    Args:
        imports: further modules, which a pipeline file names.
    """
    names = {registration.module for _, registration in _registered(needed) if registration.importable}
    return sorted({*map(_written, names - {"__main__", SCRIPT}), *map(_written, imports)})


def _written(module: str) -> str:
    path = Path(getattr(sys.modules.get(module), "__file__", None) or "")
    installed = {"site-packages", "dist-packages"} & set(path.parts)
    return str(path.resolve()) if path.name == f"{module}.py" and not installed else module


def _registered(needed: Names) -> list[tuple[str, Any]]:
    return [
        (f"{kind} '{name}'", registration)
        for kind in (*FOLDERS, *OTHERS)
        for name, registration in table_of(kind).registered().items()
        if (kind, name) in needed
    ]


def all_others() -> set[tuple[str, str]]:
    """Every metric, reader and task that is registered, which data and scores may depend on."""
    return {(kind, name) for kind in OTHERS for name in table_of(kind).registered()}


def check_known(needed: Names) -> None:
    """See that everything ``needed`` is known once the user's code is imported here.

    Raises:
        NlpipeError: something is not.
    """
    missing = [f"{kind} '{name}'" for kind, name in sorted(needed) if name not in table_of(kind)]
    if missing:
        raise NlpipeError(
            f"{', '.join(missing)}: not registered when the module or script is imported in another process; register "
            "at its top level, before any call of nlpipe.run or nlpipe.compare, and outside of a main guard"
        )


def import_module(name: str, folder: Path = Path()) -> None:
    """Import a module of the user's own, given by its name or as the path of a ``.py`` file.

    A name is looked for where Python looks, in the working directory and in ``folder``; a path starts from ``folder``.
    The folders are put at the end of ``sys.path``, where processes that are started later find them.

    Raises:
        NlpipeError: it cannot be imported, or another module of that name has been.
    """
    if name.endswith(".py"):
        file = folder / name
        if not file.is_file():
            raise NlpipeError(f"cannot import '{name}': there is no such file in {_absolute(folder)}")
        name, folder = file.stem, file.parent
    if not re.fullmatch(MODULE, name):
        raise NlpipeError(
            f"invalid value {name!r}: expected the name of a Python module, such as my_stages, or of its file"
        )
    for place in (Path.cwd(), folder):
        if _absolute(place) not in sys.path:
            sys.path.append(_absolute(place))
    importlib.invalidate_caches()  # a module that was written a moment ago is seen
    token = _importing.set("module")
    try:
        if _runs_already(name):
            return
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise NlpipeError(f"cannot import '{name}': {_reason(error, name)}") from error
    finally:
        _importing.reset(token)
    loaded = getattr(module, "__file__", None)
    beside = folder.joinpath(*name.split(".")).resolve()
    expected = next((path for path in (beside / "__init__.py", beside.with_suffix(".py")) if path.is_file()), None)
    if loaded is not None and expected is not None and Path(loaded).resolve() != expected:
        raise NlpipeError(f"'{name}' is imported already, from {loaded}; give {expected} another name")


MODULE = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
"""A module's name: words with dots between them."""


def _runs_already(name: str) -> bool:
    """Whether ``name`` is the program itself, which would begin anew if it were imported."""
    if name in sys.modules:
        return False
    found = importlib.util.find_spec(name)
    origin = found.origin if found is not None else None
    files = [getattr(sys.modules.get(program), "__file__", None) for program in ("__main__", SCRIPT)]
    return origin is not None and any(file is not None and _absolute(file) == _absolute(origin) for file in files)


def _reason(error: BaseException, name: str) -> str:
    """The error in a line, with the place in the user's code where it was raised."""
    reason = str(error) if isinstance(error, NlpipeError) else f"{type(error).__name__}: {error}".removesuffix(": ")
    if isinstance(error, ModuleNotFoundError) and error.name in (name, name.partition(".")[0]):
        return f"no module '{error.name}' is installed, in the working directory or beside the file that names it"
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    file = name if name.endswith(".py") else f"{name.rpartition('.')[2]}.py"
    frames = [entry for entry in traceback.extract_tb(error.__traceback__) if entry.filename.endswith(file)]
    return f"{frames[-1].filename}:{frames[-1].lineno}: {reason}" if frames else reason


def _absolute(place: str | Path) -> str:
    return str(Path(place).resolve())
