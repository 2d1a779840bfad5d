"""Cohorts of pure noise: how often any of them is called different from the rest, which should be at most 5 %.

The pass and the tests are vectorised over cohorts, so that many frames are simulated as the cohorts of one: each cohort
is tested against the rows of its own frame that are outside it (`Rest`), and corrected with its own frame's cohorts.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

import dfevals  # noqa: F401  (registers df.evals)
from dfevals.estimates.asked import requested
from dfevals.estimates.estimate import Complement, Part
from dfevals.estimates.tested import Tested, TestOptions
from dfevals.estimates.unpaired import unpaired
from dfevals.tally import CellTally, ClassTally, ModelTally, MomentTally, ScoreTally
from dfevals.tally.clusters import ClusterSums

__all__ = [
    "CLASSIFIERS",
    "LOSSES",
    "Noise",
    "classes",
    "clustered",
    "compared",
    "each_tested",
    "flagged",
    "losses",
    "models",
    "risks",
    "routed",
    "weighted",
]

Draw = Callable[[np.random.Generator, int], dict[str, np.ndarray]]
LOSSES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "t, 3 degrees of freedom": lambda rng, n: rng.standard_t(3, n),
    "log-normal, σ .5": lambda rng, n: rng.lognormal(0, 0.5, n),
    "log-normal, σ 1.2": lambda rng, n: rng.lognormal(0, 1.2, n),
    "95 % zeros": lambda rng, n: np.where(rng.random(n) < 0.05, rng.standard_normal(n), 0.0),
}
"""Errors of a regression by their distribution."""
CLASSIFIERS = ("log_loss", "brier", "accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "average_precision")  # fmt: skip
ROWS_AT_ONCE = 1_000_000
COMPLEMENTS_AT_ONCE = 10_000_000  # rows of all complements together, where each is gathered
ALPHA = 0.05


@dataclass(frozen=True)
class Noise:
    """A population without cohorts: `draw(rng, rows)` gives the columns, `roles` what they are."""

    name: str
    draw: Draw
    roles: dict[str, Any]

    def frame(self, rng: np.random.Generator, cohorts: int, n: int) -> pd.DataFrame:
        """Rows in `cohorts` cohorts of `n` rows that are all alike."""
        return pd.DataFrame({**self.draw(rng, cohorts * n), "cohort": np.repeat(np.arange(cohorts), n)})


def _risk(y: np.ndarray, z: np.ndarray, prevalence: float, separation: float) -> np.ndarray:
    """Calibrated probability of two normal populations."""
    return 1 / (1 + np.exp(-separation * z) * (1 - prevalence) / prevalence)


def risks(prevalence: float, separation: float = 1.5) -> Noise:
    """Calibrated probabilities from two normal populations."""

    def draw(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
        y = rng.random(rows) < prevalence
        z = rng.standard_normal(rows) + separation * (y - 0.5)
        return {"y": y.astype(int), "p": _risk(y, z, prevalence, separation)}

    return Noise(f"{prevalence:.0%} positives", draw, {"y_true": "y", "y_score": "p"})


def classes(rarest: float, separation: float = 1.5) -> Noise:
    """Calibrated probabilities of three classes, of which one is rare and the others alike."""
    shares = np.array([(1 - rarest) / 2, (1 - rarest) / 2, rarest])

    def draw(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
        y = rng.choice(3, rows, p=shares)
        z = rng.standard_normal((3, rows))
        z[y, np.arange(rows)] += separation
        odds = shares[:, None] * np.exp(separation * z)
        return {"y": y, **dict(zip(("p_0", "p_1", "p_2"), odds / odds.sum(axis=0), strict=True))}

    roles = {"y_true": "y", "y_score": ["p_0", "p_1", "p_2"], "labels": [0, 1, 2]}
    return Noise(f"three classes, {rarest:.0%} in the rarest", draw, roles)


def losses(kind: str) -> Noise:
    """Predictions that leave errors of one of the distributions."""

    def draw(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
        prediction, error = 2 * rng.standard_normal(rows), LOSSES[kind](rng, rows)
        return {"y": prediction + error, "pred": prediction}

    return Noise(kind, draw, {"y_true": "y", "y_pred": "pred", "task": "regression"})


def weighted(noise: Noise, sigma: float = 0.5) -> Noise:
    """The same with log-normal importance weights."""

    def draw(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
        return {**noise.draw(rng, rows), "w": rng.lognormal(0, sigma, rows)}

    return Noise(f"{noise.name}, weights", draw, {**noise.roles, "sample_weight": "w"})


def clustered(noise: Noise, size: int = 3) -> Noise:
    """The same where two thirds of the rows are copies of the first of their cluster of `size` rows, or none is."""

    def draw(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
        unit = np.arange(rows) // size
        whole = rng.random(unit[-1] + 1) < 2 / 3
        source = np.where(whole[unit], unit * size, np.arange(rows))
        return {**{name: column[source] for name, column in noise.draw(rng, rows).items()}, "unit": unit}

    return Noise(f"{noise.name}, clusters", draw, {**noise.roles, "cluster": "unit"})


def models(noise: Noise) -> Noise:
    """Two predictors of the same rows that err alike: b has the errors of other rows with the same truth."""
    roles = dict(noise.roles)
    column = roles.pop("y_score" if "y_score" in roles else "y_pred")
    key = "y_score" if "y_score" in noise.roles else "y_pred"

    def draw(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
        found = noise.draw(rng, rows)
        y, a = found["y"], found[column]
        if key == "y_pred":
            other = noise.draw(rng, rows)
            return {"y": y, "a": a, "b": y - (other["y"] - other[column])}
        b = np.empty(rows)
        for label in np.unique(y):
            mine = np.flatnonzero(y == label)
            b[mine] = a[rng.permutation(mine)]
        return {"y": y, "a": a, "b": b}

    return Noise(f"{noise.name}, two models", draw, {**roles, key: {"a": "a", "b": "b"}})


# Flags


class Rest(Complement):
    """For every cohort the other rows of its frame, where the cohorts of each frame follow one another."""

    def __init__(self, part: Part, cohorts: int) -> None:
        self.frame = np.arange(part.n_cohorts) // cohorts
        super().__init__(part, Part(part.tally, self.frame, part.n_cohorts // cohorts))

    def get(self, need: Any) -> Any:
        """The tally of the rows of the frame outside each cohort."""
        if need not in self._parts:
            self._parts[need] = self._outside(self.part.get(need), need)
        return self._parts[need]

    def rows(self, values: np.ndarray) -> np.ndarray:
        """Sums of per-cohort numbers over the rest of the frame."""
        return self.whole.rows(values)[self.frame] - values

    def _outside(self, inside: Any, need: Any) -> Any:
        if isinstance(inside, ScoreTally):
            return self._scores(inside)
        whole, clusters = self.whole.get(need), self._sums(inside.clusters)
        if isinstance(inside, CellTally | ClassTally):
            square = None if whole.square is None else whole.square[..., self.frame]
            return inside.outside(replace(whole, weight=whole.weight[..., self.frame], square=square), clusters)
        assert isinstance(inside, MomentTally)
        return replace(self._wide(whole).minus(inside), clusters=clusters, origin=inside.origin)

    def _wide(self, whole: MomentTally) -> MomentTally:
        arrays = {name: getattr(whole, name)[..., self.frame] for name in ("n", "mean", "central", "rows", "undefined")}
        square = None if whole.square is None else self._wide(whole.square)
        return replace(whole, **arrays, square=square, clusters=None)

    def _entries(self, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places of what lies outside each cohort within its frame, where cohorts hold `sizes`; how many each has."""
        start = np.cumsum(sizes) - sizes
        of_frame = np.bincount(self.frame, sizes).astype(np.int64)
        first = (np.cumsum(of_frame) - of_frame)[self.frame]
        count = of_frame[self.frame] - sizes
        at = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        place = at + np.repeat(first, count)
        return place + np.where(place >= np.repeat(start, count), np.repeat(sizes, count), 0), count

    def _sums(self, sums: ClusterSums | None) -> ClusterSums | None:
        if sums is None:
            return None
        order = np.argsort(sums.cohort, kind="stable")
        place, count = self._entries(np.bincount(sums.cohort, minlength=self.n_cohorts))
        place, cohort = order[place], np.repeat(np.arange(self.n_cohorts), count)
        return ClusterSums(sums.labels, sums.cluster[place], cohort, sums.kind[place], sums.values[:, place])

    def _scores(self, inside: ScoreTally) -> ScoreTally:
        place, count = self._entries(np.diff(inside.offsets))
        columns = [
            None if array is None else array[place]
            for array in (inside.keys, inside.score, inside.label, inside.weight, inside.cluster)
        ]
        offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        found = ScoreTally(offsets, *columns, cluster_labels=inside.cluster_labels, frequency=inside.frequency)
        found.sort("stable")
        return found


def _batches(noise: Noise, cohorts: int, n: int, frames: int, gathered: bool, seed: int) -> Iterator[tuple[Any, int]]:
    """Frames of many simulated frames, whose cohorts follow one another, and how many each holds."""
    rng = np.random.default_rng([seed, cohorts, n, zlib.crc32(noise.name.encode())])
    rows = cohorts * n
    most = max(min(ROWS_AT_ONCE // rows, COMPLEMENTS_AT_ONCE // (rows * cohorts) if gathered else frames), 1)
    while frames > 0:
        now = min(most, frames)
        frame = noise.frame(rng, now * cohorts, n)
        yield frame, now
        frames -= now


def each_tested(frame: pd.DataFrame, roles: dict[str, Any], cohorts: int, metrics: Any = None) -> dict[str, Tested]:
    """The test of every cohort against the rest of its frame, by metric."""
    ev = frame.evals(**roles)
    tally = ev.collect(metrics, by="cohort")
    (own,) = tally.models.values()
    assert isinstance(own, ModelTally)
    part = Part(own, None, len(own.n))
    rest = Rest(part, cohorts)
    bound = ev._bound
    found = {}
    for request in requested(bound, bound.models, metrics):
        if request.label != "median_ae":  # which has no flags
            found[request.label] = unpaired(request, part, rest, TestOptions(), bound.labels, bound.task)
    return found


def found_in_frames(tested: Tested, cohorts: int) -> np.ndarray:
    """Whether Holm's correction finds anything in each frame."""
    p, few = (np.broadcast_to(x, tested.p_value.shape).reshape(-1, cohorts) for x in (tested.tested, tested.few))
    looks = (~np.isnan(p)).sum(axis=1, keepdims=True)
    return ((p * looks < ALPHA) & ~few).any(axis=1)


def flagged(noise: Noise, cohorts: int, n: int, frames: int, seed: int = 0, metrics: Any = None) -> pd.Series:
    """Share of frames in which some cohort is flagged, for every metric."""
    total: Any = 0
    gathered = "task" not in noise.roles
    for frame, _ in _batches(noise, cohorts, n, frames, gathered, seed):
        tests = each_tested(frame, noise.roles, cohorts, metrics)
        total = total + pd.Series({name: found_in_frames(t, cohorts).sum() for name, t in tests.items()}, dtype=float)
    return total / frames


# Two models


def compared(noise: Noise, cohorts: int, n: int, frames: int, seed: int = 0, metrics: Any = None) -> pd.Series:
    """Share of frames in which `compare(by=)` prefers a model in some cohort, for every metric."""
    total: Any = 0
    for frame, _ in _batches(noise, cohorts, n, frames, False, seed):
        found = frame.evals(**noise.roles).compare("a", "b", by="cohort", metrics=metrics, correction=None).frame
        total = total + _in_frames(found, cohorts)
    return total / frames


def routed(noise: Noise, cohorts: int, n: int, frames: int, metric: str, seed: int = 0) -> float:
    """Share of frames in which `route(by=)` sends some cohort to another model than the default."""
    total = 0.0
    for frame, _ in _batches(noise, cohorts, n, frames, False, seed):
        found = frame.evals(**noise.roles).route(by="cohort", metric=metric, default="a", correction=None).frame
        total += _in_frames(found.assign(is_overall=False), cohorts, "b").iloc[0]
    return total / frames


def _in_frames(found: pd.DataFrame, cohorts: int, winner: str | None = None) -> pd.Series:
    """Number of frames with a verdict after Holm's correction over the cohorts of each frame."""
    found = found[~found["is_overall"]]
    out = {}
    for metric, rows in found.groupby("metric", sort=False):
        p = rows["p_value"].to_numpy(float).reshape(-1, cohorts)
        few = (rows["verdict"] == "too few").to_numpy().reshape(-1, cohorts)
        for_b = (rows["verdict"] == winner).to_numpy().reshape(-1, cohorts) if winner else True
        looks = np.where(few & (rows["n"].to_numpy().reshape(-1, cohorts) < 10), np.nan, p)
        count = (~np.isnan(looks)).sum(axis=1, keepdims=True)
        out[metric] = ((p * count < ALPHA) & ~few & for_b).any(axis=1).sum()
    return pd.Series(out, dtype=float)
