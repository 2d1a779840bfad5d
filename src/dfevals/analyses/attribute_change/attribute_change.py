"""Why did the number change: how much by other cohorts, how much within them (`ev.attribute_change`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dfevals import render
from dfevals.analyses.references import alike
from dfevals.cohorts import Cohorts
from dfevals.engines import collect as run_pass
from dfevals.estimates.asked import needs, requested
from dfevals.estimates.estimate import Options
from dfevals.estimates.strata import Strata, of_estimand
from dfevals.exceptions import CohortError, MetricError, RoleError, check_choice
from dfevals.inference.levels import check_level, t_quantile
from dfevals.metrics.planning import needs_of
from dfevals.metrics.registry import Request
from dfevals.render.plain_tables import plain_table
from dfevals.results.result import Result
from dfevals.results.tidy import Piece, by_title, drawn_models, left_out, tidy
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model
from dfevals.tally.union import unite

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["AttributionResult", "attribute_change"]

Floats = npt.NDArray[np.float64]
RATES = {"half": 0.5, "reference": 0.0, "own": 1.0}
"""How much the own values count, beside those of the reference, in the value of a change of shares."""
PARTS = ("mix", "within", "total")
DEFAULT = {"binary": "accuracy", "multiclass": "accuracy", "regression": "mae"}
NEEDED = "an average over rows, such as accuracy, recall, log_loss, brier, mae or pass_rate"


class AttributionResult(Result):
    """How a metric changed from a reference; `frame` has cohort columns, `cohort, model, metric, share_reference, share,
    value_reference, value, mix, mix_low, mix_high, within, within_low, within_high, total, total_low, total_high, n_reference, n,
    note, is_overall`.

    The parts of the cohorts add up to the overall row, and its `total` is the change of the metric.
    """

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """The parts of every cohort, with the interval of their sum."""
        del width
        shown = self._frame[
            [*self.cohort_columns, "model", "metric", "share_reference", "share", "value_reference", "value", *PARTS]
        ].assign(note=self._frame["note"], is_overall=self._frame["is_overall"])
        shown = shown.drop(columns=[name for name in ("model", "metric") if shown[name].nunique() <= 1])
        if not (shown["note"] != "").any():
            shown = shown.drop(columns="note")
        return plain_table(
            shown, title=self.title, notes=self.notes, cohort_columns=self.cohort_columns, max_rows=max_rows
        )

    def plot(
        self, *, metric: str | None = None, model: str | None = None, ax: Axes | None = None, **options: Any
    ) -> Axes:
        """A waterfall from the reference's value to the own: the change of the mix, then what happened within each cohort.

        Parameters
        ----------
        metric, model : str, optional
            The first when absent.
        ax : Axes, optional
        **options
            `limit` (cohorts drawn at most), `title`, `dark`.
        """
        from dfevals.plots.waterfall import draw

        frame = self._frame
        known = list(dict.fromkeys(frame["metric"]))
        check_choice("metric", known[0] if metric is None else metric, known, MetricError)
        named = drawn_models(list(dict.fromkeys(frame["model"])), model, ax or True)[0]
        part = frame[((frame["metric"] == (metric or known[0])) & (frame["model"] == named)).to_numpy()]
        return draw(part, ax, cohort_columns=self.cohort_columns, level=self._level, **options)


def attribute_change(
    bound: Bound,
    cohorts: Cohorts,
    reference: Bound,
    beside: Cohorts,
    metrics: Any = None,
    *,
    models: Sequence[Model],
    rates: str = "half",
    level: float = 0.95,
    provenance: Any = None,
) -> AttributionResult:
    """The split of every model and metric; see `Evaluation.attribute_change`.

    Raises
    ------
    CohortError, MetricError, RoleError, DataError
        Cohorts are missing, overlap or are cut unlike; a metric is no average over rows; a model is missing in the reference.
    """
    check_level(level)
    check_choice("rates", rates, tuple(RATES), MetricError)
    alike(bound, reference)
    if not cohorts.n_cohorts or cohorts.views is not None or beside.views is not None:
        raise CohortError("A change is split among cohorts that do not overlap: by= a column, or a list of columns.")
    requests = requested(bound, models, metrics if metrics is not None else _default(bound))
    union, mine, other = unite(cohorts, beside)
    pieces, notes = [], list(union.notes)
    for model in models:
        if model.name not in [known.name for known in reference.models]:
            raise RoleError(
                f"The reference has no model {model.name!r}. Its models: {', '.join(m.name for m in reference.models)}."
            )
        wanted = needs(requests, bound, Options())
        tallies = (
            run_pass(bound, model, cohorts, wanted),
            run_pass(reference, reference.model(model.name), beside, wanted),
        )
        for request in requests:
            found = [_strata(request, b, tally) for b, tally in zip((bound, reference), tallies, strict=True)]
            own, before = (s.taken(at, union.n_cohorts) for s, at in zip(found, (mine, other), strict=True))
            split = _Split(own, before, RATES[rates], level)
            n = [
                np.asarray(np.bincount(at, tally.n, union.n_cohorts), float)
                for at, tally in zip((mine, other), tallies, strict=True)
            ]
            piece, said = _piece(model.name, request, split, union, n)
            pieces.append(piece)
            notes += said
        for name, tally in zip((model.name, f"{model.name} (reference)"), tallies, strict=True):
            notes += left_out(name, tally.dropped)
    frame = tidy(union, pieces)
    result = AttributionResult(
        frame, provenance=provenance, title=by_title("Change", union), notes=notes,
        cohort_columns=tuple(frame.columns[: len(union.names)]),
    )  # fmt: skip
    result._level = level
    return result


def _default(bound: Bound) -> str:
    if bound.task != "outcomes":
        return DEFAULT[bound.task]
    first = bound.roles.outcomes[0]
    return "pass_rate" if first.kind == "pass" or first.pass_at is not None else "mean"


def _strata(request: Request, bound: Bound, tally: Any) -> Strata:
    """Values and shares of the cohorts."""
    need = needs_of(request.metric, len(bound.labels), bound.task)[0][0]
    averaged = bound.task == "multiclass" and not request.metric.whole
    found = None if averaged or need not in tally.parts else of_estimand(request.metric, tally.parts[need])
    if found is None:
        raise MetricError(
            f"{request.label!r} is no average over rows, so its change has no parts that add up. It needs {NEEDED}."
        )
    if not found.weight.sum() > 0:
        raise MetricError(f"{request.label!r} has no rows that count, here or in the reference.")
    return found.signed(-1.0) if request.negated else found


@dataclass(frozen=True)
class _Split:
    """Kitagawa's split of the difference between two sets of strata, and how each part moves with both."""

    own: Strata
    reference: Strata
    weight: float
    level: float

    @property
    def values(self) -> tuple[Floats, Floats]:
        """Values of both; a cohort that one side lacks has the value of the other there."""
        a, b = self.own.value, self.reference.value
        return np.nan_to_num(np.where(np.isnan(a), b, a)), np.nan_to_num(np.where(np.isnan(b), a, b))

    @property
    def parts(self) -> dict[str, Floats]:
        """Mix, within and their sum, overall first."""
        (a, b), p, q, w = self.values, self.own.share, self.reference.share, self.weight
        mix = (p - q) * (w * a + (1 - w) * b)
        within = (a - b) * ((1 - w) * p + w * q)
        return {
            name: np.concatenate([[part.sum()], part])
            for name, part in zip(PARTS, (mix, within, mix + within), strict=True)
        }

    def slopes(self) -> dict[str, list[Floats]]:
        """Derivatives of every cohort's part by its own value and share, and by those of the reference."""
        (a, b), p, q, w = self.values, self.own.share, self.reference.share, self.weight
        average, share = w * a + (1 - w) * b, (1 - w) * p + w * q
        found = {
            "mix": [w * (p - q), average, (1 - w) * (p - q), -average],
            "within": [share, (1 - w) * (a - b), -share, w * (a - b)],
        }
        for lacks, has, sides in ((np.isnan(self.own.value), 2, 0), (np.isnan(self.reference.value), 0, 2)):
            for part in found.values():
                part[has] = np.where(lacks, part[has] + part[sides], part[has])
                part[sides] = np.where(lacks, 0.0, part[sides])
        found["total"] = [x + y for x, y in zip(found["mix"], found["within"], strict=True)]
        return found

    def halves(self, slopes: list[Floats]) -> Floats:
        """Half widths of the intervals, overall first (Welch and Satterthwaite)."""
        size = len(slopes[0])
        rows = [np.ones(size, bool), *np.eye(size, dtype=bool)]
        out = []
        for row in rows:
            a, s, b, t = (np.where(row, slope, 0.0) for slope in slopes)
            (v1, d1), (v2, d2) = self.own.variance(a, s), self.reference.variance(b, t)
            with np.errstate(divide="ignore", invalid="ignore"):
                parts = [v**2 / d if v > 0 else 0.0 for v, d in ((v1, d1), (v2, d2))]
                df = (v1 + v2) ** 2 / sum(parts) if sum(parts) > 0 else np.inf
                out.append(float(t_quantile(self.level, df) * np.sqrt(v1 + v2)))
        return np.array(out)


def _piece(model: str, request: Request, split: _Split, cohorts: Cohorts, n: list[Floats]) -> tuple[Piece, list[str]]:
    parts, slopes = split.parts, split.slopes()
    names = np.array(
        ["(overall)", *(" · ".join(str(x[i]) for x in cohorts.labels) for i in range(cohorts.n_cohorts))], dtype=object
    )
    whole = [float(np.nansum(s.share * np.nan_to_num(s.value))) for s in (split.reference, split.own)]
    columns: dict[str, Any] = {"cohort": names, "metric": np.full(len(names), request.label, dtype=object)}
    for key, side, total in (("reference", split.reference, whole[0]), ("", split.own, whole[1])):
        end = f"_{key}" * bool(key)
        columns |= {f"share{end}": np.append(1.0, side.share), f"value{end}": np.append(total, side.value)}
    for name in PARTS:
        half = split.halves(slopes[name])
        columns |= {name: parts[name], f"{name}_low": parts[name] - half, f"{name}_high": parts[name] + half}
    columns |= {"n_reference": np.append(n[1].sum(), n[1]), "n": np.append(n[0].sum(), n[0])}
    lacks = [np.append(False, np.isnan(s.value)) for s in (split.reference, split.own)]
    columns["note"] = np.where(
        lacks[0], "not in the reference", np.where(lacks[1], "only in the reference", "")
    ).astype(object)
    return Piece(model, None, np.arange(len(names)), columns), list(_said(model, request, parts, names))


def _said(model: str, request: Request, parts: dict[str, Floats], names: npt.NDArray[Any]) -> Iterator[str]:
    """The change in words, and whether cohorts and overall go opposite ways."""
    mix, within, total = (float(parts[name][0]) for name in PARTS)
    yield f"{model}: {request.label} changed by {total:+.4g}: {mix:+.4g} by the mix of cohorts, {within:+.4g} within them."
    against = np.sign(parts["within"][1:]) == -np.sign(total)
    moved = parts["within"][1:] != 0
    if total and (against[moved]).all() and moved.any():
        yield f"Simpson reversal: {request.label} {_went(total)} overall although it {_went(-total)} within every cohort."
    elif total * within < 0:
        worst = names[1:][np.argsort(parts["within"][1:] * np.sign(total))[: min(3, int(against.sum()))]]
        yield (
            f"Simpson reversal: {request.label} {_went(total)} overall although it {_went(-total)} within cohorts on average, "
            f"most in {', '.join(map(str, worst))}."
        )


def _went(change: float) -> str:
    return "rose" if change > 0 else "fell"
