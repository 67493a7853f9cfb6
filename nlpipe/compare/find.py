"""Finding the folder of a comparison."""

from __future__ import annotations

from pathlib import Path

from nlpipe.errors import NlpipeError

FILE = "comparison.json"
"""What only the folder of a comparison has."""


def find_comparison(folder: Path) -> Path:
    """``folder`` itself if it is that of a comparison; otherwise the comparison in it that was written last.

    Raises:
        NlpipeError: there is no such folder, or no comparison in it.
    """
    if not folder.is_dir():
        raise NlpipeError(f"{folder}: there is no such folder; 'nlpipe compare FILE' makes comparisons")
    if (folder / FILE).is_file():
        return folder
    found = [path for path in folder.glob(f"*/{FILE}") if not path.parent.name.startswith(".")]
    if not found:
        raise NlpipeError(
            f"{folder}: no comparison's folder, and none in it; 'nlpipe compare FILE --out {folder}' makes one"
        )
    return max(found, key=lambda path: (path.stat().st_mtime, path.parent.name)).parent
