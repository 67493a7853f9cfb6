"""``import:`` in a file, ``--import`` on the command line: modules of the user's own, which register stages.

Importing a module runs its code: a file with ``import:`` is to be trusted as a program is.
"""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from nlpipe.errors import Fault, NlpipeError
from nlpipe.yaml_values import Place, Value, join

KEY = "import"
MODULE = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
"""A module's name: words with dots between them."""


def add_imports(root: Value, names: Sequence[str]) -> Value:
    """``root`` with ``names``, given on the command line or in Python, before the modules of its own ``import:``."""
    if not names:
        return root
    given = root.entries.get(KEY)
    own = _items(given) if given is not None and given.content is not None else ()
    added = [name for name in dict.fromkeys(names) if name not in [item.content for item in own]]
    items = [Value(name, Place(f"import {name}", key=join(KEY, i))) for i, name in enumerate(added)]
    return root.put(KEY, Value((*items, *own), root.place))


def read_imports(root: Value, faults: list[Fault]) -> tuple[str, ...]:
    """Import the modules that ``root`` names, in order, and return their names.

    If a module cannot be imported, a fault at the place of its name is added to ``faults``.
    """
    given = root.entries.get(KEY)
    if given is None or given.content is None:
        return ()
    items = _items(given)
    for i, item in enumerate(items):
        key = join(KEY, i) if isinstance(given.content, tuple) else KEY
        if not isinstance(item.content, str) or not re.fullmatch(MODULE, item.content):
            message = f"invalid value {item.plain()!r}: expected the name of a Python module, such as my_stages"
            faults.append(item.place.fault(key, message))
            continue
        try:
            import_module(item.content, item.place.folder(Path()))
        except NlpipeError as error:
            faults.append(item.place.fault(key, str(error)))
    return tuple(str(item.content) for item in items)


def import_module(name: str, folder: Path) -> None:
    """Import a module that is installed, in the working directory, or in ``folder``.

    Both folders are appended to ``sys.path``, so that worker processes find the module too.

    Raises:
        NlpipeError: it cannot be imported, or another module of that name has been imported.
    """
    for path in (str(Path.cwd()), str(folder.resolve())):
        if path not in sys.path:
            sys.path.append(path)
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(name)
    except NlpipeError as error:
        raise NlpipeError(f"cannot import '{name}': {error}") from error
    except (Exception, SystemExit) as error:
        raise NlpipeError(f"cannot import '{name}': {_reason(error, name)}") from error
    file = getattr(module, "__file__", None)
    beside = folder.joinpath(*name.split(".")).resolve()
    expected = next((file for file in (beside / "__init__.py", beside.with_suffix(".py")) if file.is_file()), None)
    if file is not None and expected is not None and Path(file).resolve() != expected:
        raise NlpipeError(f"'{name}' is imported already, from {file}; give {expected} another name")


def _items(given: Value) -> tuple[Value, ...]:
    """The items of a list; a single name may be written without brackets."""
    return given.content if isinstance(given.content, tuple) else (given,)


def _reason(error: BaseException, name: str) -> str:
    """The error in one line, with the file and line of the module where it was raised."""
    reason = f"{type(error).__name__}: {error}".removesuffix(": ")
    if isinstance(error, ModuleNotFoundError) and error.name in (name, name.partition(".")[0]):
        return f"no module '{error.name}' is installed, in the working directory or beside the file that names it"
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    file = f"{name.rpartition('.')[2]}.py"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).name == file]
    return f"{frames[-1].filename}:{frames[-1].lineno}: {reason}" if frames else reason
