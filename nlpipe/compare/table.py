"""A table of text cells: for a terminal, as Markdown, HTML, CSV and LaTeX, whatever the cells say."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence, Set
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from nlpipe.compare.latex import latex_table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

WIDEST = 1000
"""Columns of a console on which no table is cut."""


@dataclass(frozen=True)
class Line:
    """One row of a table.

    Args:
        cells: one text for each heading.
        best: whether it is set in bold.
        failed: whether it is set in red.
    """

    cells: tuple[str, ...]
    best: bool = False
    failed: bool = False


@dataclass(frozen=True)
class Table:
    """Headings, lines and what stands around them.

    Args:
        title: above the table.
        headings: one for each column; the first column is aligned left, the others right.
        lines: from top to bottom.
        caption: one sentence below the table.
        notes: further sentences below it, in Markdown, HTML and LaTeX.
        essential: headings of the columns that a narrow terminal shows as well.
    """

    title: str
    headings: tuple[str, ...]
    lines: tuple[Line, ...]
    caption: str = ""
    notes: tuple[str, ...] = ()
    essential: frozenset[str] = frozenset()

    def terminal(self, console: Console) -> RichTable:
        """The table for ``console``: the essential columns, and as many of the others as there is room for."""
        return self._fitting(console)[0]

    def left_out(self, console: Console) -> list[str]:
        """Headings of the columns for which ``console`` has no room."""
        shown = self._fitting(console)[1]
        return [heading for heading in self.headings if heading not in shown]

    def _fitting(self, console: Console) -> tuple[RichTable, Set[str]]:
        shown = {heading for heading in self.headings if heading in self.essential}
        drawn = self._drawn(shown)
        for heading in self.headings:
            wider = self._drawn(shown | {heading})
            if console.measure(wider, options=console.options.update(width=WIDEST)).maximum <= console.width:
                drawn, shown = wider, shown | {heading}
        return drawn, shown

    def _drawn(self, shown: Set[str]) -> RichTable:
        from rich.table import Table as RichTable

        drawn = RichTable(title=self.title, caption=self.caption, title_justify="left", caption_justify="left")
        chosen = [i for i, heading in enumerate(self.headings) if heading in shown]
        for position, i in enumerate(chosen):
            drawn.add_column(
                self.headings[i], justify="right" if position else "left", no_wrap=position <= 2, overflow="fold"
            )
        for line in self.lines:
            style = "red" if line.failed else "bold" if line.best else None
            drawn.add_row(*[line.cells[i] for i in chosen], style=style)
        return drawn

    def markdown(self) -> str:
        """The whole table as Markdown."""
        parts = [f"# {self.title}", "", _bars(self.headings)]
        parts.append("|" + "|".join("---:" if i else "---" for i in range(len(self.headings))) + "|")
        for line in self.lines:
            first = f"**{line.cells[0]}**" if line.best else line.cells[0]
            parts.append(_bars((first, *line.cells[1:])))
        parts += ["", f"{self.caption}."]
        parts += [f"- {note}" for note in self.notes]
        return "\n".join(parts)

    def csv(self) -> str:
        """Headings and cells as RFC 4180 has them, with line feeds; title, caption and notes are left out."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerows([self.headings, *(line.cells for line in self.lines)])
        return buffer.getvalue()

    def latex(self) -> str:
        """The whole table as a ``table`` of the package booktabs; title and caption are its caption."""
        caption = f"{self.title}. {self.caption}." if self.caption else f"{self.title}."
        rows, bold = [line.cells for line in self.lines], [line.best for line in self.lines]
        return latex_table(self.headings, rows, bold, caption, self.notes)

    def html(self) -> str:
        """The whole table as an HTML fragment, for notebooks."""
        head = "".join(f"<th>{escape(heading)}</th>" for heading in self.headings)
        body = ""
        for line in self.lines:
            tag = "th" if line.best else "td"
            body += "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in line.cells) + "</tr>"
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return (
            f"<table><caption>{escape(self.title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"<p>{escape(self.caption)}</p>{notes}"
        )


def _bars(cells: Sequence[str]) -> str:
    """A row of Markdown: a bar in a cell is escaped, and each cell is on one line."""
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"
