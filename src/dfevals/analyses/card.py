"""The card that an Evaluation shows: what it understood, headline metrics, and what to consider."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api import types

from dfevals import render
from dfevals.analyses.metrics import measure
from dfevals.exceptions import DfevalsError
from dfevals.results.result import MetricsResult
from dfevals.roles.bound import Bound
from dfevals.roles.origin import Origin
from dfevals.roles.records import RECORDS

__all__ = ["Card", "card"]

SHOWN = 8  # models in the headline table


@dataclass(frozen=True)
class Card:
    """Facts, headline metrics and suggestions, shown as HTML or text."""

    facts: tuple[tuple[str, str], ...]
    headline: MetricsResult | None
    suggestions: tuple[str, ...]

    def to_html(self) -> str:
        """Facts, metrics and suggestions as HTML."""
        body = self._table().to_html()
        if self.headline is not None:
            body += self.headline.table().to_html()
        if self.suggestions:
            items = "".join(f"<li>{render.escape(text)}</li>" for text in self.suggestions)
            body += (
                f'<div class="{render.NO_MATH}" style="font-size:0.9em;margin:0.4em 0">Consider:'
                f'<ul style="margin:0.2em 0">{items}</ul></div>'
            )
        return body

    def to_text(self) -> str:
        """Facts, metrics and suggestions as text."""
        parts = [self._table().to_text()]
        if self.headline is not None:
            parts.append(repr(self.headline))
        if self.suggestions:
            parts.append("Consider:\n" + "\n".join(f"- {text}" for text in self.suggestions))
        return "\n\n".join(parts)

    def _table(self) -> render.Table:
        keys, values = [key for key, _ in self.facts], [value for _, value in self.facts]
        return render.Table(
            [render.text_column("", keys, header=True), render.text_column("", values)], title="Evaluation"
        )


def card(bound: Bound) -> Card:
    """The card of an evaluation."""
    return Card(tuple(_facts(bound)), _headline(bound), tuple(_suggestions(bound)))


def _facts(bound: Bound) -> list[tuple[str, str]]:
    facts = [("task", f"{bound.task}: {bound.reasons[0]}" if bound.reasons else bound.task), ("rows", f"{bound.n:,}")]
    names = [model.name for model in bound.models]
    facts.append(
        (
            f"model{'s' * (len(names) != 1)}",
            ", ".join(names[:SHOWN]) + (f", … ({len(names)})" if len(names) > SHOWN else "") or "none",
        )
    )
    if bound.classifies and bound.roles.y_true is not None:
        codes = bound.codes(bound.roles.y_true, "y_true")
        known = codes[codes >= 0]
        if bound.task == "binary":
            rate = f"{(known == 1).mean():.1%} of {len(known):,}" if len(known) else "no labels"
            facts.append(("positive label", f"{bound.pos_label!r} ({rate})"))
        else:
            facts.append(
                (
                    "classes",
                    f"{len(bound.labels)}: "
                    + ", ".join(map(str, bound.labels[:SHOWN]))
                    + (", …" if len(bound.labels) > SHOWN else ""),
                )
            )
        facts += [("scores", reason) for reason in bound.reasons[2:]]
        for model in bound.models[:1]:
            if model.y_pred is None and bound.task == "binary" and model.y_score:
                cut = (
                    f"score ≥ {bound.threshold(model):g} ({bound.score_kind(model)})"
                    if bound.decides(model)
                    else "unknown"
                )
                facts.append(("predicted positive", cut))
    elif bound.task == "regression" and bound.roles.y_true is not None:
        values = bound.numbers(bound.roles.y_true, "y_true").all()
        good = values[np.isfinite(values)]
        if len(good):
            facts.append(
                ("target", f"{bound.roles.y_true}: mean {good.mean():.4g}, from {good.min():.4g} to {good.max():.4g}")
            )
    needed = {role: name for role, name in bound.roles.needed().items() if role != "model"}  # models are named above
    facts += [(role, str(name)) for role, name in needed.items()]
    if bound.roles.outcomes:
        facts.append(("outcomes", ", ".join(outcome.column for outcome in bound.roles.outcomes)))
    facts += [("log", note) for note in Origin.of(bound.head).notes]
    return facts


def _headline(bound: Bound) -> MetricsResult | None:
    if not bound.models or bound.n == 0:
        return None
    try:
        return measure(bound, bound.cohorts(None), models=bound.models[:SHOWN])
    except DfevalsError:
        return None


def _suggestions(bound: Bound) -> list[str]:
    """What the columns hint at; nothing of it is applied unasked."""
    roles, frame = bound.roles, bound.head
    found = []
    used = {str(name) for name in bound.columns}
    columns = {str(name).lower(): name for name in frame.columns if str(name) not in used}
    for role in RECORDS.values():
        name = next((columns[text] for text in role.hints if text in columns), None)
        if getattr(roles, role.name) is not None or name is None:
            continue
        if role.name != "cluster" or frame[name].duplicated().any():
            found.append(f"{role.name}={name!r}: {role.reason}.")
    if bound.task == "binary" and roles.y_true is not None:
        codes = bound.codes(roles.y_true, "y_true")
        rate = float((codes == 1).sum() / max((codes >= 0).sum(), 1))
        if 0 < min(rate, 1 - rate) < 0.05:
            found.append(
                f"positives are {rate:.2%} of the rows: accuracy says little; look at average precision, recall and precision."
            )
    if not roles.cohorts and bound.n:
        few = [name for name in frame.columns if str(name) not in used and _looks_like_cohort(frame[name])][:4]
        if few:
            found.append(
                f"by={', '.join(repr(str(name)) for name in few)}: columns with few values, to look for cohorts that fail."
            )
    return found


def _looks_like_cohort(series: pd.Series | pd.DataFrame) -> bool:
    if not isinstance(series, pd.Series) or types.is_float_dtype(series.dtype):
        return False
    try:
        return 2 <= series.iloc[:10_000].nunique() <= 20
    except TypeError:
        return False
