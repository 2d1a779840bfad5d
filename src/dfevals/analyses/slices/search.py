"""Where does it fail? Slices with an honest account of how many were looked at (`ev.slices`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.slices.family import Family, depth_of, family_of
from dfevals.analyses.slices.features import Feature, Features, features_of
from dfevals.analyses.slices.losses import Losses, losses_of
from dfevals.analyses.slices.measured import Measured, measured
from dfevals.analyses.slices.null import Deal, Members, Null, max_t, statistics, tails
from dfevals.analyses.slices.redundancy import distinct
from dfevals.exceptions import CohortError, DataError, check_choice
from dfevals.inference.levels import check_level, check_probability, normal_quantile
from dfevals.inference.multiple import benjamini_hochberg, holm
from dfevals.inference.seeds import generator
from dfevals.roles.bound import Bound

__all__ = ["Asked", "Found", "Run", "search"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
INFERENCE = ("max-t", "confirm", "bh")
DIRECTIONS = ("worse", "better", "both")
CANDIDATES = 300
TOP = 20
SAMPLED = 100_000  # rows on which slices are compared with those above them
COLUMNS = (
    *("slice", "depth", "model", "metric", "n", "share", "support", "value", "ci_low", "ci_high"),
    *("difference", "difference_low", "difference_high", "divergence", "statistic", "p_value", "p_corrected"),
    *("verdict", "share_of_errors", "overlap", "note"),
)


@dataclass(frozen=True)
class Asked:
    """What `Evaluation.slices` was asked; see there."""

    metric: Any = None
    features: Any = None
    model: str | None = None
    baseline: str | None = None
    max_depth: int = 3
    min_n: int = 30
    min_share: float = 0.01
    bins: int = 5
    inference: str = "max-t"
    alpha: float = 0.05
    top: int | None = None
    redundant: bool = False
    direction: str = "worse"
    level: float | None = 0.95
    n_resamples: int = 1000
    random_state: Any = 0
    prefix: str = ""

    def checked(self) -> Asked:
        """The same, or an error that says what is wrong.

        Raises
        ------
        DataError
            A number out of its range, or a name that is not known.
        """
        check_choice("inference", self.inference, INFERENCE, DataError)
        check_choice("direction", self.direction, DIRECTIONS, DataError)
        check_probability(self.alpha, "alpha")
        if self.level is not None:
            check_level(self.level)
        for name, least, most in (("max_depth", 1, 5), ("min_n", 1, None), ("bins", 2, 20), ("n_resamples", 20, None)):
            _check_whole(name, getattr(self, name), least, most)
        if self.top is not None:
            _check_whole("top", self.top, 1, None)
        if not 0 <= self.min_share < 1:
            raise DataError(f"min_share={self.min_share!r} must lie in [0, 1): a share of the rows, such as 0.01.")
        return self


def _check_whole(name: str, value: Any, least: int, most: int | None) -> None:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        span = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise DataError(f"{name}={value!r} must be a whole number {span}.")


@dataclass(frozen=True)
class Run:
    """Rows, columns and the searched family: what views of a result are made from."""

    asked: Asked
    losses: Losses
    features: Features
    family: Family

    def expression(self, place: int) -> str:
        """A slice as an expression over the rows of the evaluation."""
        own = self.family.expression(place)
        return f"({self.asked.prefix}) and {own}" if self.asked.prefix else own

    def measured(self, places: Sequence[int], losses: Losses | None = None, rows: Array | None = None) -> Measured:
        """Values and differences of some slices, on all rows or some of them."""
        losses = self.losses if losses is None else losses
        groups: dict[tuple[int, ...], tuple[list[int], list[int]]] = {}
        for position, place in enumerate(places):
            combo = tuple(f for f, _ in self.family.conditions(place))
            cells, positions = groups.setdefault(combo, ([], []))
            cells.append(place - self.family.tables[combo])
            positions.append(position)
        parts = ((self.codes(combo, rows), np.array(cells), at) for combo, (cells, at) in groups.items())
        return measured(losses, parts, len(places), self.asked.level)

    def codes(self, combo: tuple[int, ...], rows: Array | None) -> Array:
        """Cell of the rows in a table."""
        codes = self.family.codes(combo)
        return codes if rows is None else codes[rows]


@dataclass(frozen=True)
class Found:
    """The slices of a result, with statistics of the whole family."""

    run: Run
    z: Floats
    p: Floats
    critical: float
    kept: list[int]  # positions in the family
    explained: dict[int, int]
    frame: pd.DataFrame
    notes: tuple[str, ...]


def search(bound: Bound, asked: Asked) -> Found:
    """Search for slices; see `Evaluation.slices`.

    Raises
    ------
    CohortError
        No column can be searched.
    MetricError, RoleError, DataError
        The metric is no average over rows, there is no such model, or an option is out of range.
    """
    asked = asked.checked()
    losses = losses_of(bound, asked.metric, asked.model, asked.baseline)
    run, notes = _run(bound, losses, asked)
    if not len(run.family):
        return _nothing(run, (*notes, _too_few(run)))
    rng = generator(asked.random_state)
    if asked.inference == "confirm":
        return _confirmed(run, rng, notes)
    return _at_once(run, rng, notes)


def _run(bound: Bound, losses: Losses, asked: Asked) -> tuple[Run, tuple[str, ...]]:
    n = float(len(losses)) if losses.count is None else float(losses.count.sum())
    least = max(asked.min_n, asked.min_share * n)
    features = features_of(bound, losses.frame, asked.features, asked.bins, least, losses.count, losses.truth)
    if not features.used:
        if n < 2 * asked.min_n or features.left_out:
            family = Family((), {}, 0, {}, np.zeros(0, np.int64), n, 0.0, 0.0, 0.0)
            return Run(asked, losses, features, family), (*losses.notes, *features.notes)
        raise CohortError("There is no column to search: all of them play a role. Name some: features=['a', 'b'].")
    depth = depth_of([f.size for f in features.used], asked.max_depth)
    family = family_of(features.used, losses, depth, asked.min_n, asked.min_share)
    notes = [*losses.notes, *features.notes]
    if depth < min(asked.max_depth, len(features.used)):
        notes.append(
            f"{len(features.used)} columns have too many conjunctions of {asked.max_depth} conditions; those of up to {depth} are "
            "searched. Name fewer columns (features=) to go deeper."
        )
    return Run(asked, losses, features, family), tuple(notes)


def _too_few(run: Run) -> str:
    asked, n = run.asked, len(run.losses)
    return (
        f"No slice has at least {asked.min_n} rows that the metric counts and {asked.min_share:.2g} of the {n:,} rows, so none "
        "is searched (min_n=, min_share=)."
    )


def _nothing(run: Run, notes: tuple[str, ...]) -> Found:
    none = np.zeros(0)
    return Found(run, none, none, np.nan, [], {}, pd.DataFrame(columns=list(COLUMNS)), notes)


def _at_once(run: Run, rng: np.random.Generator, notes: tuple[str, ...]) -> Found:
    """Search and test on the same rows, allowing for all slices that were searched."""
    asked, family, losses = run.asked, run.family, run.losses
    deal = Deal(family, losses, asked.n_resamples, rng)
    members = Members(family, deal.rows)
    stats = statistics(family, losses, members, deal)
    if not np.any(stats.z):
        return _nothing(run, (*notes, _constant(run)))
    null = _by_draws(run, stats.z, members, deal, stats.effect)
    order = _ranked(run, stats.z)
    kept, explained = _kept(run, order, stats.z, stats.effect, null.critical)
    table = run.measured([int(family.slices[i]) for i in kept])
    corrected = np.fmax(null.p[kept], table.p_value)
    frame = _frame(run, kept, stats.z, table, table.p_value, corrected)
    said = [*notes, _looked(run, null, deal), *_silence(frame, null, asked), *_hidden(run, stats.z, null.p)]
    return Found(run, stats.z, null.p, null.critical, kept, explained, frame, tuple(said))


def _constant(run: Run) -> str:
    return f"{run.losses.metric} is {run.family.mean:.4g} in every row, so no slice can differ."


def _by_draws(run: Run, z: Floats, members: Members, deal: Deal, effect: Floats) -> Null:
    """What chance does to these slices: to the greatest of them, or for Benjamini and Hochberg's correction to each."""
    asked = run.asked
    if asked.inference == "max-t":
        return max_t(run.family, run.losses, z, members, deal, effect, asked.alpha)
    critical = float(normal_quantile(1 - asked.alpha / len(z)))
    counted = run.losses.binary  # of counts the normal law without their skewness is right
    p = _tail(z) if counted else tails(run.family, run.losses, z, members, deal, effect)
    return Null(benjamini_hochberg(p), critical, 0 if counted else deal.draws, len(deal.rows))


def _tail(z: Floats) -> Floats:
    from scipy.special import ndtr

    return np.asarray(2 * ndtr(-np.abs(z)))


def _ranked(run: Run, z: Floats) -> Array:
    """Positions of the slices that are asked for: those with most evidence first, of equals those of fewer conditions."""
    order = np.lexsort((run.family.depths, -np.round(np.abs(z), 9)))
    if run.asked.redundant or not run.losses.worse or run.asked.direction == "both":
        return order
    side = run.losses.worse * (1 if run.asked.direction == "worse" else -1)
    return order[side * z[order] > 0]


def _kept(run: Run, order: Array, z: Floats, effect: Floats, critical: float) -> tuple[list[int], dict[int, int]]:
    """The slices that are shown, and what explains those that add nothing to them."""
    asked = run.asked
    if asked.redundant:
        return [int(i) for i in (order if asked.top is None else order[: asked.top])], {}
    candidates = [int(i) for i in order[:CANDIDATES]]
    losses, family, scale = run.losses, run.family, 1.0
    if len(losses) > SAMPLED:
        rows = np.sort(np.random.default_rng(0).choice(len(losses), SAMPLED, replace=False))
        scale = len(rows) / len(losses)
        losses, family = losses.take(rows), replace(family, features=tuple(f.take(rows) for f in family.features))

    def mask(i: int) -> npt.NDArray[np.bool_]:
        return family.mask(int(family.slices[i]))

    return distinct(
        losses, candidates, mask, z[candidates], effect[candidates] * scale, critical, asked.top or TOP
    )  # fmt: skip


def _frame(run: Run, kept: Sequence[int], z: Floats, table: Measured, p: Floats, corrected: Floats) -> pd.DataFrame:
    family, losses, asked = run.family, run.losses, run.asked
    places = [int(family.slices[i]) for i in kept]
    rows = family.of("rows")[kept]
    side = np.sign(table.difference)
    words = {1.0: "worse", -1.0: "better"} if losses.worse else {1.0: "higher", -1.0: "lower"}
    verdict = [
        words.get(s * (losses.worse or 1.0), "no evidence") if q <= asked.alpha else "no evidence"
        for s, q in zip(side, np.nan_to_num(corrected, nan=1.0), strict=True)
    ]
    columns: dict[str, Any] = {
        "slice": [run.expression(place) for place in places],
        "depth": family.depths[kept],
        "model": losses.model,
        "metric": losses.metric,
        "n": np.rint(rows).astype(np.int64),
        "share": rows / family.n,
        "support": table.support,
        "value": table.value,
        "ci_low": table.low,
        "ci_high": table.high,
        "difference": table.difference,
        "difference_low": table.difference_low,
        "difference_high": table.difference_high,
        "divergence": table.value - family.mean,
        "statistic": z[kept],
        "p_value": p,
        "p_corrected": corrected,
        "verdict": verdict,
        "share_of_errors": table.harm,
        "overlap": _overlap(run, places),
        "note": [_said(run, place, note) for place, note in zip(places, table.note, strict=True)],
    }
    return pd.DataFrame(columns)


def _overlap(run: Run, places: list[int]) -> Floats:
    """Share of the rows of each slice that lie in slices above it."""
    if len(places) > 10 * TOP:
        return np.full(len(places), np.nan)
    seen, found = np.zeros(len(run.losses), bool), []
    count = run.losses.count
    for place in places:
        own = run.family.mask(place)
        both = own & seen
        found.append(float(both.sum() / own.sum()) if count is None else float(count[both].sum() / count[own].sum()))
        seen |= own
    return np.array(found)


def _said(run: Run, place: int, note: str) -> str:
    leaks = [run.family.features[f].name for f, _ in run.family.conditions(place) if run.family.features[f].leak]
    return "; ".join(filter(None, (*(f"{name} gives the label away" for name in leaks), note)))


# What is said below the table


def _looked(run: Run, null: Null, deal: Deal) -> str:
    family, asked = run.family, run.asked
    depth = f"of up to {family.depth} conditions" if family.depth > 1 else "of one condition"
    start = f"{len(family):,} slices {depth} over {len(family.features)} columns were searched; p_corrected allows for all of them"
    if asked.inference == "bh":
        return f"{start} (Benjamini and Hochberg: α is the share of false ones among those found)."
    where = "" if deal.whole else f" on a sample of {null.rows:,} rows (random_state={asked.random_state!r})"
    return f"{start} (step-down max-T, {null.draws:,} deals of the rows by chance{where})."


def _silence(frame: pd.DataFrame, null: Null, asked: Asked) -> list[str]:
    if (frame["p_corrected"] <= asked.alpha).any():
        return [
            "What a search picks looks more extreme than it is; inference='confirm' measures slices on rows that did not pick them."
        ]
    return [f"No slice differs by more than chance (least family-wise p {null.p.min():.2g})."]


def _hidden(run: Run, z: Floats, p: Floats) -> list[str]:
    """Slices on the other side, which the table leaves out."""
    if run.asked.redundant or not run.losses.worse or run.asked.direction == "both":
        return []
    side = run.losses.worse * (1 if run.asked.direction == "worse" else -1)
    n = int(((side * z < 0) & (p <= run.asked.alpha)).sum())
    other = "better" if run.asked.direction == "worse" else "worse"
    return [f"{n:,} slices are {other} than the rest: direction='both' shows them."] if n else []


# Search on one half, test on the other


def halves(losses: Losses, rng: np.random.Generator) -> tuple[Array, Array]:
    """Two halves of the rows; clusters are not divided."""
    if losses.cluster is None:
        first = rng.permutation(len(losses)) < len(losses) / 2
    else:
        names, place = np.unique(losses.cluster, return_inverse=True)
        first = (rng.permutation(len(names)) < len(names) / 2)[place]
    return np.flatnonzero(first), np.flatnonzero(~first)


def _confirmed(run: Run, rng: np.random.Generator, notes: tuple[str, ...]) -> Found:
    """Pick slices on one half of the rows; test those, few, on the other half."""
    asked = run.asked
    one, two = halves(run.losses, rng)
    first, second = run.losses.take(one), run.losses.take(two)
    taken: tuple[Feature, ...] = tuple(f.take(one) for f in run.features.used)
    least = max(asked.min_n // 2, 5)
    family = family_of(taken, first, run.family.depth, least, asked.min_share)
    half = Run(asked, first, run.features, family)
    if not len(family):
        return _nothing(run, (*notes, _too_few(run)))
    deal = Deal(family, first, 20, rng)
    stats = statistics(family, first, Members(family, deal.rows) if first.cluster is not None else None, deal)
    order = _ranked(half, stats.z)
    both = np.isin(family.slices[order], run.family.slices)
    order = order[both & (asked.redundant | (_tail(stats.z[order]) <= 0.05))]
    if not len(order):
        return _nothing(run, (*notes, "No slice of the first half of the rows differs from the rest."))
    critical = float(normal_quantile(1 - asked.alpha / len(family)))
    picked, explained = _kept(half, order, stats.z, stats.effect, critical)
    places = [int(family.slices[i]) for i in picked]
    test = run.measured(places, second, two)
    corrected = holm(test.p_value)
    ranks = np.lexsort((test.p_value, corrected))
    positions = [int(i) for i in np.searchsorted(run.family.slices, places)]
    z = np.zeros(len(run.family))
    z[positions] = stats.z[picked]
    table = run.measured(places)
    frame = _frame(run, positions, z, table, test.p_value, corrected)
    columns = ("value", "difference", "difference_low", "difference_high")
    frame = frame.assign(n_confirmed=test.support, **{f"{name}_confirmed": getattr(test, name) for name in columns})
    p = np.ones(len(run.family))
    p[positions] = np.nan_to_num(corrected, nan=1.0)
    said = (
        f"{len(family):,} slices were searched on {len(one):,} rows; the {len(places)} picked are tested on the other {len(two):,}, "
        "and p_corrected allows for these (Holm). Columns that end in _confirmed are of these rows alone."
    )
    kept = [positions[i] for i in ranks]
    notes = (*notes, said, *([] if (corrected <= asked.alpha).any() else ["No slice was confirmed."]))
    return Found(run, z, p, critical, kept, explained, frame.iloc[ranks].reset_index(drop=True), notes)
