"""Tables as HTML, terminal text and Markdown: columns of cells in, markup out; no DataFrames and no statistics."""

from __future__ import annotations

import html
import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from dfevals import words
from dfevals.render.style import NO_MATH, STYLE
from dfevals.render.whisker import whiskers

__all__ = [
    "FLAGS",
    "Column",
    "Table",
    "count_column",
    "escape",
    "estimate_column",
    "number_column",
    "page",
    "text_column",
]

#: Symbol and words of every flag that a cell may carry.
FLAGS = {"lower": "▼ lower", "higher": "▲ higher", "too few": "◇ too few"}

_T = TypeVar("_T")
_NAME_LIMIT = 64


def escape(text: object) -> str:
    """Hostile text as HTML: markup escaped, control and direction-changing characters made visible.

    Examples
    --------
    >>> escape("<b>")
    '&lt;b&gt;'
    """
    return html.escape(words.visible(text), quote=True)


@dataclass(frozen=True)
class Column:
    """One column of a `Table`: a label and a plain-text cell per row.

    Attributes
    ----------
    label : str
        Heading.
    cells : sequence of str
        Plain text, for the terminal and Markdown; also the HTML unless `parts` is given.
    align : {"left", "right"}
    group : str
        Heading above neighbouring columns that share it.
    header : bool
        The column names its rows (`<th scope="row">`).
    merge : bool
        Equal neighbouring cells are shown once, within equal cells of the merged columns to the left.
    parts : sequence of sequences of str
        HTML of the `<td>`s that make up each cell, already escaped; all rows have equally many.
    kinds : sequence of str
        One CSS class per part.
    titles : sequence of str
        A tooltip per cell, plain text.
    help : str
        Tooltip of the heading, plain text.
    wrap : bool
        Cells may break into lines where the page is narrow; other cells do not.
    """

    label: str
    cells: Sequence[str]
    align: str = "left"
    group: str = ""
    header: bool = False
    merge: bool = False
    parts: Sequence[Sequence[str]] | None = None
    kinds: Sequence[str] = ()
    titles: Sequence[str] | None = None
    help: str = ""
    wrap: bool = False

    @property
    def span(self) -> int:
        """Number of `<td>`s per cell."""
        return len(self.kinds) if self.parts is not None else 1


@dataclass(frozen=True)
class Table:
    """Columns with a caption and notes, rendered as HTML, terminal text or Markdown.

    Attributes
    ----------
    columns : sequence of Column
    title, detail : str
        First and second line of the caption.
    notes : sequence of str
        Lines below the table.
    apart : frozenset of int
        Rows set apart from the others (the overall row).
    more : str
        A last line that says what is not shown.
    """

    columns: Sequence[Column]
    title: str = ""
    detail: str = ""
    notes: Sequence[str] = ()
    apart: frozenset[int] = field(default_factory=frozenset)
    more: str = ""

    def __len__(self) -> int:
        return len(self.columns[0].cells) if self.columns else 0

    def to_html(self) -> str:
        """A fragment with its own style, without scripts or outside resources."""
        spans = _merged_spans(self.columns, len(self))
        body = "".join(self._html_row(row, spans) for row in range(len(self)))
        width = sum(column.span for column in self.columns)
        if self.more:
            body += f'<tr class="dfe-more"><td colspan="{max(width, 1)}">{escape(self.more)}</td></tr>'
        estimates = sum(column.parts is not None for column in self.columns)
        detail = f'<span class="dfe-detail">{escape(self.detail)}</span>' if self.detail else ""
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return (
            f'<div class="dfe {NO_MATH}"><style>{STYLE}</style><table class="dfe-t dfe-x{min(estimates, 3)}">'
            f"<caption><bdi>{escape(self.title)}</bdi>{detail}</caption>{self._html_head()}<tbody>{body}</tbody></table>"
            + (f'<ul class="dfe-notes">{notes}</ul>' if notes else "")
            + "</div>"
        )

    def _html_head(self) -> str:
        def cell(column: Column, extra: str = "") -> str:
            scope = "colgroup" if column.span > 1 else "col"
            span = f' colspan="{column.span}"' if column.span > 1 else ""
            title = f' title="{escape(column.help)}"' if column.help else ""
            kind = "dfe-r" if column.align == "right" and column.span == 1 else "dfe-g" if column.span > 1 else ""
            kind = "dfe-p" if column.wrap else kind
            return f'<th scope="{scope}"{span}{extra}{title} class="{kind}">{escape(column.label)}</th>'

        if not any(column.group for column in self.columns):
            return f"<thead><tr>{''.join(map(cell, self.columns))}</tr></thead>"
        first, second = "", ""
        for members in _runs(self.columns, lambda column: column.group):
            if not members[0].group:
                first += "".join(cell(column, ' rowspan="2"') for column in members)
                continue
            span, title = sum(column.span for column in members), escape(members[0].group)
            first += f'<th scope="colgroup" colspan="{span}" class="dfe-g dfe-over">{title}</th>'
            second += "".join(map(cell, members))
        return f"<thead><tr>{first}</tr><tr>{second}</tr></thead>"

    def _html_row(self, row: int, spans: dict[int, list[int]]) -> str:
        cells = []
        for at, column in enumerate(self.columns):
            span = spans[at][row] if at in spans else 1
            if span == 0:
                continue
            title = f' title="{escape(column.titles[row])}"' if column.titles and column.titles[row] else ""
            rows = f' rowspan="{span}"' if span > 1 else ""
            kind = ' class="dfe-p"' if column.wrap else ' class="dfe-r"' if column.align == "right" else ""
            if column.header:
                scope = "rowgroup" if span > 1 else "row"
                cells.append(f'<th scope="{scope}"{rows}{title}{kind}>{_html_name(column.cells[row])}</th>')
            elif column.parts is None:
                cells.append(f"<td{rows}{title}{kind}>{_html_name(column.cells[row])}</td>")
            else:
                pieces = zip(column.kinds, column.parts[row], strict=True)
                cells += [f'<td{rows}{title} class="{kind}">{part}</td>' for kind, part in pieces]
        return f"<tr{self._row_kind(row, spans)}>{''.join(cells)}</tr>"

    def _row_kind(self, row: int, spans: dict[int, list[int]]) -> str:
        kinds = ["dfe-o"] if row in self.apart else []
        if spans and row and spans[min(spans)][row]:
            kinds.append("dfe-start")
        if row in self.apart and row + 1 not in self.apart:
            kinds.append("dfe-end")
        return ' class="' + " ".join(kinds) + '"' if kinds else ""

    def to_text(self) -> str:
        """An aligned table for a terminal."""
        grid = [_text_cells(column, spans) for column, spans in _with_spans(self.columns, len(self))]
        widths = [max(map(_width, [column.label, *cells])) for column, cells in zip(self.columns, grid, strict=True)]
        lines = [words.visible(self.title), words.visible(self.detail)]
        groups = []
        for run in _runs(zip(self.columns, widths, strict=True), lambda pair: pair[0].group):
            groups.append(_pad(run[0][0].group, sum(width for _, width in run) + 2 * (len(run) - 1), "left"))
        heads = [_pad(column.label, width, column.align) for column, width in zip(self.columns, widths, strict=True)]
        lines += ["  ".join(groups).rstrip(), "  ".join(heads).rstrip(), "  ".join("─" * width for width in widths)]
        for row in range(len(self)):
            cells = [
                _pad(column[row], width, c.align) for column, width, c in zip(grid, widths, self.columns, strict=True)
            ]
            lines.append("  ".join(cells).rstrip())
            if row in self.apart and row + 1 not in self.apart and row + 1 < len(self):
                lines.append("  ".join("┈" * width for width in widths))
        lines += [self.more, *(f"  {words.visible(note)}" for note in self.notes)]
        return "\n".join(line for line in lines if line)

    def to_markdown(self) -> str:
        """A pipe table with its caption above and its notes below."""
        heads = [f"{column.group} {column.label}".strip() for column in self.columns]
        rules = ["---:" if column.align == "right" else ":---" for column in self.columns]
        lines = [_pipe_row(map(_markdown, heads)), _pipe_row(rules)]
        for row in range(len(self)):
            cells = [_markdown(column.cells[row].strip()) for column in self.columns]
            lines.append(_pipe_row(f"**{cell}**" if cell and row in self.apart else cell for cell in cells))
        above = (
            f"**{_markdown(self.title)}**  \n{_markdown(self.detail)}".strip() if self.title else _markdown(self.detail)
        )
        below = [*([_markdown(self.more)] if self.more else []), *(f"- {_markdown(note)}" for note in self.notes)]
        return "\n\n".join(part for part in (above, "\n".join(lines), "\n".join(below)) if part) + "\n"

    @property
    def width(self) -> int:
        """Characters per line of `to_text`."""
        return max((_width(line) for line in self.to_text().splitlines()[2:]), default=0)


def text_column(
    label: str, values: Iterable[object], *, header: bool = False, merge: bool = False, wrap: bool = False
) -> Column:
    """A column of names; long ones are shortened in the middle, with the whole name as tooltip."""
    full = [words.visible(value) for value in values]
    cells = [words.shorten(text, _NAME_LIMIT) for text in full]
    titles = [text[:1000] if text != cell else "" for text, cell in zip(full, cells, strict=True)]
    shown = titles if any(titles) else None
    return Column(words.visible(label), cells, header=header, merge=merge, titles=shown, wrap=wrap)


def count_column(label: str, values: Iterable[float], *, merge: bool = False) -> Column:
    """A right-aligned column of counts or sums of weights."""
    return Column(words.visible(label), [words.count(float(value)) for value in values], "right", merge=merge)


def number_column(
    label: str, values: Iterable[float], write: Callable[[float], str] = words.number, *, merge: bool = False
) -> Column:
    """A right-aligned column of numbers without intervals; `write` turns one into text."""
    return Column(words.visible(label), [write(float(value)) for value in values], "right", merge=merge)


def estimate_column(
    label: str,
    value: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    axis: tuple[np.ndarray | float, np.ndarray | float] | None = None,
    reference: np.ndarray | float = math.nan,
    flags: Sequence[str] | None = None,
    reasons: Sequence[str] | None = None,
    titles: Sequence[str] | None = None,
    group: str = "",
    help: str = "",
    show_interval: bool = True,
) -> Column:
    """A column of values with their intervals, written to their uncertainty and drawn as whiskers.

    Parameters
    ----------
    label : str
    value, low, high : array of float, one per row
        NaN where undefined.
    axis : (low, high), optional
        Ends of the whiskers' axis, for all rows or per row; none draws no whiskers.
    reference : float or array of float
        Where the thin line is drawn (the overall value); NaN draws none.
    flags : sequence of str, optional
        Per row "", or a key of `FLAGS`.
    reasons : sequence of str, optional
        Why a value is undefined; shown in place of its whisker.
    titles : sequence of str, optional
        Tooltips.
    group, help : str
        Heading above, and tooltip of the heading.
    show_interval : bool
        Whether HTML shows the interval's numbers and the flags' words; if not they are still read to a screen reader.

    Returns
    -------
    Column
    """
    rows = len(value)
    said = [FLAGS.get(flag, words.visible(flag)) for flag in flags] if flags is not None else [""] * rows
    whys = [words.shorten(reason, 28) for reason in reasons] if reasons is not None else [""] * rows
    decimals = [words.places(v, a, b) for v, a, b in zip(value, low, high, strict=True)]
    numbers = [words.number(v, d) for v, d in zip(value, decimals, strict=True)]
    ranges = [words.interval(a, b, d) for a, b, d in zip(low, high, decimals, strict=True)]
    pictures = whiskers(value, low, high, axis, reference) if axis is not None else [""] * rows
    drawn = [
        picture or (f'<span class="dfe-why">{escape(why)}</span>' if why else "")
        for picture, why in zip(pictures, whys, strict=True)
    ]
    pieces = {
        "dfe-v": _aligned(numbers, "\u2007", "\u2008"),
        "dfe-i" if show_interval else "dfe-i dfe-sr": [f"<span>{text}</span>" if text else "" for text in ranges],
        "dfe-w": drawn,
        "dfe-f": [_flag_markup(word, show_interval) for word in said],
    }
    kinds = [kind for kind, texts in pieces.items() if kind == "dfe-v" or any(texts)]
    plain = zip(_aligned(numbers, " ", " "), ranges, said, whys, strict=True)
    return Column(
        words.visible(label),
        [" ".join(filter(None, [text, span, word[:1], why])) for text, span, word, why in plain],
        group=words.visible(group),
        parts=list(zip(*(pieces[kind] for kind in kinds), strict=True)),
        kinds=kinds,
        titles=titles,
        help=help,
    )


def _flag_markup(flag: str, in_words: bool) -> str:
    kind = "dfe-word" if in_words else "dfe-hide"
    return f'{escape(flag[:1])}<span class="{kind}">{escape(flag[1:])}</span>' if flag else ""


def page(title: str, body: str) -> str:
    """A whole HTML page around `body` (markup): self-contained, light and dark, without scripts or requests."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>:root{{color-scheme:light dark}}body{{margin:1.5rem;background:Canvas;"
        f"color:CanvasText}}</style></head>\n<body>{body}</body></html>\n"
    )


def _merged_spans(columns: Sequence[Column], rows: int) -> dict[int, list[int]]:
    """Per merged column: how many rows each cell spans, 0 where the cell above covers it."""
    spans: dict[int, list[int]] = {}
    same = [True] * rows  # whether the merged cells to the left equal those of the row above
    for at, column in enumerate(columns):
        if not column.merge:
            continue
        same = [row > 0 and same[row] and column.cells[row] == column.cells[row - 1] for row in range(rows)]
        sizes = [0] * rows
        start = 0
        for row in range(rows):
            start = start if same[row] else row
            sizes[start] += 1
        spans[at] = sizes
    return spans


def _with_spans(columns: Sequence[Column], rows: int) -> list[tuple[Column, list[int]]]:
    spans = _merged_spans(columns, rows)
    return [(column, spans.get(at, [1] * rows)) for at, column in enumerate(columns)]


def _text_cells(column: Column, spans: Sequence[int]) -> list[str]:
    return [cell if span else "" for cell, span in zip(column.cells, spans, strict=True)]


def _runs(items: Iterable[_T], key: Callable[[_T], str]) -> list[list[_T]]:
    runs: list[list[_T]] = []
    for item in items:
        if runs and key(runs[-1][-1]) == key(item):
            runs[-1].append(item)
        else:
            runs.append([item])
    return runs


def _aligned(numbers: Sequence[str], digit: str, point: str) -> list[str]:
    """Numbers filled up on the right so that, aligned right, their decimal points stand below each other."""
    tails = [len(text) - text.find(".") - 1 if "." in text and "e" not in text else 0 for text in numbers]
    most = max(tails, default=0)
    fills = [digit * (most - tail) + (point if most and not tail else "") for tail in tails]
    filled = [text + fill for text, fill in zip(numbers, fills, strict=True)]
    if digit != " ":
        return filled
    widest = max(map(len, filled), default=0)
    return [text.rjust(widest) for text in filled]


def _html_name(text: str) -> str:
    return html.escape(text, quote=True)


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _pad(text: str, width: int, align: str) -> str:
    gap = " " * (width - _width(text))
    return gap + text if align == "right" else text + gap


def _pipe_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown(text: str) -> str:
    text = html.escape(words.visible(text), quote=False).replace("\\", "\\\\")
    return "".join(f"\\{char}" if char in "|*_`#~$" else char for char in text).replace("](", "]\\(")
