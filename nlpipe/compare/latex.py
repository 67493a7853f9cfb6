"""Text and tables in LaTeX, whatever the text says."""

from __future__ import annotations

from collections.abc import Sequence

CHARACTERS = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "–": "--", "—": "---", "±": r"$\pm$", "≤": r"$\leq$", "≥": r"$\geq$",
    "≠": r"$\neq$", "→": r"$\to$", "×": r"$\times$", "−": "$-$", "δ": r"$\delta$", "α": r"$\alpha$", "…": r"\dots{}",
    "·": r"$\cdot$", "√": r"$\surd$", "\u00a0": "~", "\u202f": "~",
}  # fmt: skip
"""What means something in LaTeX, or that a font may lack, to what prints it."""


def escaped(text: str) -> str:
    """``text`` on one line, as LaTeX prints it. Letters of any script stay as they are: they depend on the font."""
    flat = "".join(" " if character in "\n\r\t" else character for character in text)
    return "".join(CHARACTERS.get(character, character) for character in flat if character >= " ")


def latex_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], bold: Sequence[bool], caption: str, notes: Sequence[str]
) -> str:
    r"""A ``table`` of the package booktabs, the first column aligned left and the others right.

    Args:
        bold: of each row whether its first cell is bold.
        notes: sentences below it.
    """
    lines = [
        r"% needs \usepackage{booktabs}", r"\begin{table}", r"\centering", rf"\caption{{{escaped(caption)}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(headings) - 1)}}}", r"\toprule", _row(headings), r"\midrule",
    ]  # fmt: skip
    for cells, is_bold in zip(rows, bold, strict=True):
        first, *others = map(escaped, cells)
        lines.append(" & ".join([rf"\textbf{{{first}}}" if is_bold else first, *others]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\footnotesize {escaped(note)}" for note in notes]
    return "\n".join([*lines, r"\end{table}"])


def _row(cells: Sequence[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"
