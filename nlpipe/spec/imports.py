"""``import:`` in a file, ``--import`` on the command line: modules of the user's own, which register stages.

Importing a module runs its code: a file with ``import:`` is to be trusted as a program is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nlpipe.errors import Fault, NlpipeError
from nlpipe.user_code import import_module
from nlpipe.yaml_values import Place, Value, join

KEY = "import"


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
    """Import the modules that ``root`` names, in order; return their names, or the absolute paths of their files.

    If a module cannot be imported, a fault at the place of its name is added to ``faults``.
    """
    given = root.entries.get(KEY)
    if given is None or given.content is None:
        return ()
    items, names = _items(given), []
    for i, item in enumerate(items):
        key = join(KEY, i) if isinstance(given.content, tuple) else KEY
        if not isinstance(item.content, str):
            message = f"invalid value {item.plain()!r}: expected the name of a Python module, such as my_stages"
            faults.append(item.place.fault(key, message))
            continue
        try:
            folder = item.place.folder(Path())
            import_module(item.content, folder)
            names.append(str((folder / item.content).resolve()) if item.content.endswith(".py") else item.content)
        except NlpipeError as error:
            faults.append(item.place.fault(key, str(error)))
    return tuple(names)


def _items(given: Value) -> tuple[Value, ...]:
    """The items of a list; a single name may be written without brackets."""
    return given.content if isinstance(given.content, tuple) else (given,)
