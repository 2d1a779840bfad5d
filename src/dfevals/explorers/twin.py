"""The static twin: what an explorer shows where no kernel and no scripts run, as HTML and SVG without a drawing library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dfevals import render
from dfevals.explorers import answers
from dfevals.explorers.counts import count
from dfevals.explorers.dimensions import from_plain
from dfevals.explorers.reading.text_twin import TEXT_STYLE, text_html
from dfevals.words import count as count_text
from dfevals.words import visible

if TYPE_CHECKING:
    from dfevals.explorers.state import State
    from dfevals.explorers.view import View

__all__ = ["text", "twin"]

ROWS = 24
BINS = 60
WIDTH, HEIGHT = 560, 110
MOST_COHORTS = 2_000  # cohorts measured again for the twin; beyond, only overall
STYLE = (
    "<style>.dfe-twin{font:13px/1.45 var(--jp-ui-font-family,system-ui,sans-serif);color:inherit;max-width:60rem}"
    ".dfe-twin svg{display:block;max-width:100%;height:auto;color:inherit}.dfe-twin p{margin:6px 0}"
    ".dfe-twin code{white-space:pre-wrap;overflow-wrap:anywhere}"
    ".dfe-twin table.dfe-cm{border-collapse:collapse;margin:6px 0}.dfe-twin table.dfe-cm th,.dfe-twin table.dfe-cm td"
    "{border:1px solid rgba(128,128,128,.4);padding:3px 10px;text-align:right;font-variant-numeric:tabular-nums}"
    ".dfe-twin .dfe-neg{stroke:#0072b2;fill:none;stroke-width:1.6}.dfe-twin .dfe-pos{stroke:#d55e00;fill:none;stroke-width:1.6;"
    "stroke-dasharray:5 2}" + TEXT_STYLE + "</style>"
)


def twin(view: View, state: State, codes: dict[str, str]) -> str:
    """Table of cohorts with intervals, score distribution, confusion matrix and the code, as one piece of HTML."""
    opened = f'<div class="dfe-twin {render.NO_MATH}" role="group" aria-label="explorer, static copy">'
    parts = [STYLE, opened, _header(view, state)]
    for piece in (_table, _distribution, _matrix, text_html):
        try:
            parts.append(piece(view, state))
        except Exception as error:  # a metric of the user may fail; the rest is still shown
            parts.append(f"<p>{render.escape(f'{type(error).__name__}: {error}')}</p>")
    for label, code in codes.items():
        parts.append(f"<p>Code of the {render.escape(label)}: <code>{render.escape(code)}</code></p>")
    return "".join([*parts, "</div>"])


def text(view: View, state: State) -> str:
    """One line for terminals."""
    cohorts = view.cohorts(state["by"])
    return (
        f"Explorer({view.bound.n:,} rows, {cohorts.n_cohorts:,} cohorts, model {state['model']!r}, "
        f"metric {state['metric']!r})"
    )


def _header(view: View, state: State) -> str:
    dropped = sum(view.dropped(state["model"]).values())
    facts = [f"{count_text(view.bound.n - dropped)} rows"]
    facts += [f"{count_text(dropped)} dropped"] if dropped else []
    facts += [f"model {visible(state['model'])}"]
    facts += [f"threshold {state['threshold']:.4g}"] if state["threshold"] is not None else []
    selection = state["selection"]
    facts += [f"selected: {' × '.join(selection['cohort'])}"] if selection["cohort"] else []
    return f"<p>{render.escape(' · '.join(facts))}</p>"


def _table(view: View, state: State) -> str:
    cohorts = view.cohorts(state["by"])
    by = from_plain(state["by"]) if cohorts.n_cohorts <= MOST_COHORTS else None
    note = "" if by is not None or state["by"] is None else f"<p>{cohorts.n_cohorts:,} cohorts are not listed here.</p>"
    result = view.keep(
        ("twin", state["model"], state["threshold"], state["level"], state["metric"], repr(state["by"])),
        lambda: view.at(state).metrics([state["metric"]], by=by, level=state["level"]),
    )
    return str(result.table(ROWS).to_html()) + note


def _distribution(view: View, state: State) -> str:
    """Score distribution by class, with the threshold."""
    if state["threshold"] is None:
        return ""
    found = count(view, None, state["model"], state["threshold"])
    edges, totals = found.edges, found.counts[-1]
    low, high = float(edges[0]), max(float(edges[-1]), float(edges[0]) + 1e-9)
    cuts = np.searchsorted(edges, low + (high - low) * np.arange(BINS + 1) / BINS - 1e-12)
    cuts[0], cuts[-1] = 0, len(edges)
    sums = np.array([np.add.reduceat(np.r_[row, 0], np.minimum(cuts[:-1], len(edges))) for row in totals])
    sums = np.where(np.diff(cuts) > 0, sums, 0) / np.maximum(totals.sum(axis=1, keepdims=True), 1)
    top = sums.max() or 1.0
    paths = []
    for row, name in zip(sums, ("dfe-neg", "dfe-pos"), strict=True):
        steps = "".join(
            f"L{i * WIDTH / BINS:.1f} {HEIGHT - v / top * (HEIGHT - 4):.1f}H{(i + 1) * WIDTH / BINS:.1f}"
            for i, v in enumerate(row)
        )
        paths.append(f'<path class="{name}" d="M0 {HEIGHT}{steps}"/>')
    at = (state["threshold"] - low) / (high - low) * WIDTH
    labels = [render.escape(str(label)) for label in view.bound.labels]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 18}" width="{WIDTH}" role="img" aria-label="score distribution by class">'
        f'{"".join(paths)}<line x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{HEIGHT}" stroke="currentColor" stroke-width="1.5"/>'
        f'<g fill="currentColor" font-size="11"><text x="0" y="{HEIGHT + 14}">{low:.3g}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT + 14}" text-anchor="end">{high:.3g}</text></g></svg>'
        f"<p>Share of each class by score: {labels[0]} solid, {labels[1]} dashed; the line is the threshold.</p>"
    )


def _matrix(view: View, state: State) -> str:
    if not view.bound.classifies:
        return ""
    found: dict[str, Any] = answers.matrix(view, state)
    labels = found["labels"]
    whose = "All rows" if state["selection"]["cohort"] is None else " × ".join(state["selection"]["cohort"])
    said = f"<p>{render.escape(whose)}: {count_text(found['errors'])} errors in {count_text(found['n'])} rows.</p>"
    if len(labels) > 12:
        pairs = "".join(
            f"<tr><th>{render.escape(p['true'])}</th><th>{render.escape(p['pred'])}</th><td>{count_text(p['count'])}</td></tr>"
            for p in found["pairs"][:12]
        )
        return f'{said}<table class="dfe-cm"><tr><th>true</th><th>predicted</th><th>rows</th></tr>{pairs}</table>'
    head = "".join(f"<th>{render.escape(label)}</th>" for label in labels)
    body = "".join(
        f"<tr><th>{render.escape(label)}</th>{''.join(f'<td>{count_text(n)}</td>' for n in row)}</tr>"
        for label, row in zip(labels, found["counts"], strict=True)
    )
    return f'{said}<table class="dfe-cm"><tr><th>true \\ predicted</th>{head}</tr>{body}</table>'
