"""The report as one page: tables, charts, the interactive cohorts, and the code of every part."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfevals import render
from dfevals.explorers.copies import alive, document
from dfevals.explorers.reporting.charts import data_url, picture
from dfevals.explorers.reporting.sections import Section, sections_of
from dfevals.results.result import Result
from dfevals.version import __version__

if TYPE_CHECKING:
    from dfevals.evaluation import Evaluation

__all__ = ["page"]

ROWS = 200  # of a table
LONG = 40  # rows from which on a table is folded
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:82rem;margin:1.5rem auto;padding:0 1.5rem}"
    "h1{font-size:1.7rem;margin:0 0 .5rem}h2{font-size:1.25rem;margin:2.4rem 0 .6rem}"
    "nav ul{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;padding:0;list-style:none}a{color:LinkText}"
    "section>.dfe{margin:.6rem 0}img{max-width:100%;height:auto;display:block;margin:.8rem 0}"
    "details{margin:.6rem 0}summary{cursor:pointer}pre{white-space:pre-wrap;overflow-wrap:anywhere;padding:.6rem;"
    "background:rgba(128,128,128,.12);border-radius:4px;font-size:13px}.refused{font-style:italic}"
    "@media print{body{max-width:none;margin:0}nav,.interactive{display:none}section{break-inside:avoid-page}"
    "h2{break-after:avoid}img,table{break-inside:avoid}}"
)


def page(ev: Evaluation, path: str | Path | None, sections: Any, title: str, by: Any, rows: bool) -> str | Path:
    """Write the page; see `Evaluation.report`."""
    parts = sections_of(ev, sections, by)
    explorer = ev.explore(**({} if by is None else {"by": by}))
    copy = explorer._copy(every=True, with_rows=rows)
    names = [_anchor(part.title, at) for at, part in enumerate(parts)]
    body = "".join(
        (
            f"<header><h1>{render.escape(title)}</h1>{ev._repr_html_()}{_contents(parts, names)}</header>",
            '<section class="interactive" id="explore"><h2>Cohorts, interactive</h2>',
            alive(copy, explorer._twin()),
            "</section>",
            *(_section(part, name) for part, name in zip(parts, names, strict=True)),
            _about(parts),
        )
    )
    text = document(title, body, STYLE)
    if path is None:
        return text
    path = Path(path)
    path.write_text(text, encoding="utf-8")
    return path


def _anchor(title: str, at: int) -> str:
    return f"{at + 1}-{re.sub('[^a-z]+', '-', title.lower()[:60]).strip('-')}"


def _contents(parts: Sequence[Section], names: Sequence[str]) -> str:
    links = [("explore", "Cohorts, interactive"), *((n, p.title) for n, p in zip(names, parts, strict=True))]
    items = "".join(f'<li><a href="#{name}">{render.escape(title)}</a></li>' for name, title in links)
    return f'<nav aria-label="contents"><ul>{items}</ul></nav>'


def _section(part: Section, name: str) -> str:
    heading = f'<section id="{name}"><h2>{render.escape(part.title)}</h2>'
    code = f"<details><summary>Code</summary><pre>{render.escape(part.code)}</pre></details>" if part.code else ""
    if part.result is None:
        return f'{heading}<p class="refused">{render.escape(part.refused)}</p>{code}</section>'
    return f"{heading}{_chart(part)}{_table(part.result)}{code}</section>"


def _table(result: Result) -> str:
    """The table; a long one folded, so that the page can be read at a glance."""
    table = result.table(ROWS)
    if len(table) <= LONG:
        return str(table.to_html())
    return f"<details><summary>Table of {len(table):,} rows</summary>{table.to_html()}</details>"


def _chart(part: Section) -> str:
    assert part.result is not None
    light, dark = picture(part.result), picture(part.result, dark=True)
    if light is None or dark is None:
        return ""
    alt = render.escape(light[1] or part.title)
    return (
        f'<picture><source media="(prefers-color-scheme: dark) and (not print)" srcset="{data_url(dark[0])}">'
        f'<img src="{data_url(light[0])}" alt="{alt}"></picture>'
    )


def _about(parts: Sequence[Section]) -> str:
    """How the numbers were made: the provenance of the first result that has one."""
    found = next((part.result for part in parts if part.result is not None and part.result.provenance), None)
    made = f"<p>Made with dfevals {render.escape(__version__)}.</p>"
    if found is None:
        return f'<section id="about"><h2>How this was made</h2>{made}</section>'
    return f'<section id="about"><h2>How this was made</h2>{made}{found.provenance.table().to_html()}</section>'
