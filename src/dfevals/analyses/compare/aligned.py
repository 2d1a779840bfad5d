"""Rows that several contenders (models, or releases of one) were judged on, aligned row by row, or kept apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.cohorts import Cohorts
from dfevals.engines import collect_joint
from dfevals.engines.block import Block, judged
from dfevals.engines.held import TallyBound
from dfevals.estimates.asked import views_of
from dfevals.estimates.estimate import Part
from dfevals.exceptions import DataError, RoleError, did_you_mean
from dfevals.needs import Joint, Need
from dfevals.roles.bound import BLOCK, Bound
from dfevals.roles.declared import Model
from dfevals.roles.origin import Origin
from dfevals.tally import JointTally, ModelTally

__all__ = [
    *("Aligned", "Contender", "Counted", "JointRows", "Pair", "PairView", "PairedRows", "ViewRows"),
    *("align", "check_tasks", "contenders", "countable", "counts", "counts_rows", "plain"),
]

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.intp]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Contender:
    """One side of a comparison: a model on some of the rows (`rows` None: on all)."""

    name: str
    model: Model
    rows: Ints | None = None


def contenders(bound: Bound) -> tuple[Contender, ...]:
    """Everything that can be compared: the models, or the releases of a single model.

    A long frame (role `model`) has one contender per model, on its own rows; a frame with the role `release` has one
    per release of every model. Their rows are those that can be judged: `bound.incomplete_note()` says what is left out.
    """
    models = bound.models
    if isinstance(bound, TallyBound):
        return tuple(Contender(m.name, m) for m in models)
    if bound.roles.model is not None:
        codes = np.where(bound.complete, bound.codes_of_models(), -1)
        return tuple(Contender(m.name, m, np.flatnonzero(codes == i)) for i, m in enumerate(models))
    if bound.roles.release is None:
        return tuple(Contender(m.name, m) for m in models)
    codes, releases = pd.factorize(bound.series(bound.roles.release, "release"), sort=False)
    codes = np.where(bound.complete, codes, -1)
    single = len(models) == 1
    return tuple(
        Contender(str(release) if single else f"{m.name} {release}", m, np.flatnonzero(codes == i))
        for m in models
        for i, release in enumerate(releases)
    )


def chosen(known: Sequence[Contender], names: Sequence[Any]) -> tuple[Contender, ...]:
    """Contenders by name.

    Raises
    ------
    RoleError
        Unknown name, or the same one twice.
    """
    found = []
    for name in names:
        match = [c for c in known if c.name == str(name)]
        if not match:
            raise RoleError(f"There is no model {name!r}. {did_you_mean(name, [c.name for c in known], noun='Models')}")
        found.append(match[0])
    if len({c.name for c in found}) < len(found):
        raise RoleError(f"{names[0]!r} cannot be compared with itself. Models: {', '.join(c.name for c in known)}.")
    return tuple(found)


def check_tasks(bound: Bound, sides: Sequence[Contender]) -> None:
    """Refuse to compare runs that have no task in common, where the rows come from logs that name it.

    Raises
    ------
    DataError
        Naming the runs and their tasks.
    """
    name = Origin.of(bound.head).task
    if name is None or name not in bound.head:
        return
    tasks = bound.series(name, "task")
    done = [set(tasks if s.rows is None else tasks.iloc[s.rows]) for s in sides]
    for i, j in combinations(range(len(sides)), 2):
        if done[i] and done[j] and done[i].isdisjoint(done[j]):
            told = " and ".join(f"{sides[k].name!r} did {', '.join(sorted(map(str, done[k]))[:4])}" for k in (i, j))
            raise DataError(f"{told}: runs of different tasks cannot be compared. Read runs of the same task.")


@dataclass(frozen=True)
class Aligned:
    """Contenders on the same rows: row i of one is row i of all others.

    `bounds[j]` and `models[j]` give contender j's columns; `rows` are the positions in the frame of the first
    contender; `why` says that they can be paired, `unmatched` what has no partner.
    """

    names: tuple[str, ...]
    bounds: tuple[Bound, ...]
    models: tuple[Model, ...]
    rows: Ints | None
    why: str
    unmatched: tuple[str, ...]
    cache: dict[Any, Any]

    def collect(self, cohorts: Cohorts, needs: Iterable[Need]) -> ModelTally:
        """Tallies of the rows that can be judged for all contenders."""
        if self.rows is not None:
            cohorts = replace(cohorts, codes=cohorts.codes[self.rows])
        return collect_joint(self.bounds, self.models, cohorts, needs)

    def notes(self, tally: ModelTally) -> tuple[str, ...]:
        """What was left out, of the rows of a tally."""
        if not tally.left:
            return self.unmatched
        parts = (
            f"{name}: " + "; ".join(f"{count:,} {reason}" for reason, count in lost.items())
            for name, lost in zip(self.names, tally.lost, strict=True)
            if lost
        )
        word = "both" if len(self.names) == 2 else "all"
        rows = f"{tally.left:,} row{'s' * (tally.left != 1)}"
        said = f"{rows} left out, so that {word} are judged on the same ({', '.join(parts)})."
        return (*self.unmatched, said)

    @cached_property
    def keep(self) -> tuple[Bools | None, ...]:
        """Rows that can be judged for all contenders (None: all), per block."""
        sides = tuple(zip(self.bounds, self.models, strict=True))
        spans = [(start, min(start + BLOCK, self.n_read)) for start in range(0, self.n_read, BLOCK)]
        lost: list[dict[str, int]] = [{} for _ in sides]
        return tuple(judged([Block(*side, start, stop) for side in sides], lost) for start, stop in spans)

    @property
    def n_read(self) -> int:
        """Rows before those that cannot be judged are left out."""
        return self.bounds[0].n

    @property
    def frame(self) -> pd.DataFrame:
        """The frame that `rows` point into is this, already cut to them."""
        return self.bounds[0].frame

    @property
    def kept(self) -> Ints:
        """Positions in `frame` of the rows that can be judged."""
        spans = [(start, min(start + BLOCK, self.n_read)) for start in range(0, self.n_read, BLOCK)]
        parts = [
            np.arange(start, stop) if keep is None else start + np.flatnonzero(keep)
            for (start, stop), keep in zip(spans, self.keep, strict=True)
        ]
        return np.concatenate(parts) if parts else np.zeros(0, np.intp)

    def codes(self, atoms: Array) -> Array:
        """Atoms of the kept rows, from the atoms of the whole frame."""
        own = atoms if self.rows is None else atoms[self.rows]
        return own if all(k is None for k in self.keep) else own[self.kept]

    def of(self, j: int, key: Any, read: Callable[[Block], Array]) -> Array:
        """A number of every kept row for contender j (cached)."""
        if (j, key) not in self.cache:
            bound, model = self.bounds[j], self.models[j]
            parts = [
                np.asarray(read(Block(bound, model, start, min(start + BLOCK, bound.n), keep)))
                for start, keep in zip(range(0, bound.n, BLOCK), self.keep, strict=True)
            ]
            self.cache[j, key] = np.concatenate(parts) if parts else np.zeros(0)
        found: Array = self.cache[j, key]
        return found

    def weight(self) -> npt.NDArray[np.float64] | None:
        """Weights of the kept rows."""
        bound = self.bounds[0]
        if bound.weight is None:
            return None
        weight: npt.NDArray[np.float64] = self.of(0, "weight", lambda block: block.weight)  # type: ignore[arg-type, return-value]
        total = weight.sum()  # of importance weights only ratios matter: in units of rows they can stand beside counts
        return weight if counts_rows(bound) or not total > 0 else weight * (len(weight) / total)

    def cluster(self) -> npt.NDArray[np.int64] | None:
        """Cluster codes of the kept rows."""
        clusters = self.bounds[0].cluster
        if clusters is None:
            return None
        return self.of(0, "cluster", lambda block: block.kept(clusters[0][block.start : block.stop]))

    def pair(self, i: int, j: int) -> Aligned:
        """Two of the contenders, on the rows common to these two."""
        return self._only((i, j), {})

    def single(self, j: int) -> Aligned:
        """One of the contenders, as both sides, on the rows common to all."""
        found = self._only((j, j), {(i, key): v for (at, key), v in self.cache.items() if at == j for i in (0, 1)})
        found.__dict__["keep"] = self.keep
        return found

    def _only(self, places: Sequence[int], cache: dict[Any, Any]) -> Aligned:
        columns: Any = (self.names, self.bounds, self.models)
        names, bounds, models = (tuple(own[i] for i in places) for own in columns)
        return replace(self, names=names, bounds=bounds, models=models, unmatched=(), cache=cache)


class Counted(Protocol):
    """Things in cohorts that can be counted: rows, entries of a tally, or tasks."""

    @property
    def codes(self) -> Ints: ...
    @property
    def size(self) -> int: ...
    @property
    def count(self) -> npt.NDArray[np.float64] | None: ...


class PairedRows(Protocol):
    """What tests of cells read: rows as they are, or the entries of a joint tally that stand for many rows each."""

    @property
    def bound(self) -> Bound: ...
    @property
    def codes(self) -> Ints: ...
    @property
    def size(self) -> int: ...
    @property
    def count(self) -> npt.NDArray[np.float64] | None: ...
    @property
    def weight(self) -> npt.NDArray[np.float64] | None: ...
    @property
    def square(self) -> npt.NDArray[np.float64] | None: ...
    @property
    def cluster(self) -> npt.NDArray[np.int64] | None: ...
    def y_true(self, j: int = 0) -> Array: ...
    def y_pred(self, j: int) -> Array: ...


def counts(rows: Counted) -> npt.NDArray[np.float64]:
    """Rows of each cohort; a frequency weight is a number of rows."""
    return np.bincount(rows.codes, rows.count, rows.size).astype(float)


def countable(bound: Bound) -> bool:
    """Whether rows can be counted: independent, with weight one or repetitions."""
    return bound.cluster is None and counts_rows(bound)


def plain(bound: Bound) -> bool:
    """Whether rows are independent and count one each."""
    return bound.weight is None and bound.cluster is None


def counts_rows(bound: Bound) -> bool:
    """Whether a weight (if there is one) is a number of equal rows."""
    return bound.weight is None or bound.roles.weight_kind == "frequency"


@dataclass(frozen=True)
class JointRows:
    """Models of a joint tally under one view of the cohorts: every entry is a row with a weight."""

    bound: Bound
    tally: JointTally
    pair: tuple[int, ...] = (0, 1)

    @property
    def codes(self) -> Ints:
        """Cohort of each entry."""
        return self.tally.cohort

    @property
    def size(self) -> int:
        """Number of cohorts."""
        return self.tally.n_cohorts

    @property
    def count(self) -> npt.NDArray[np.float64]:
        """Rows of each entry."""
        return self.tally.rows

    @property
    def weight(self) -> npt.NDArray[np.float64]:
        """Σw of each entry."""
        return self.tally.weight

    @property
    def square(self) -> npt.NDArray[np.float64]:
        """Σw² of each entry."""
        return self.tally.square

    @property
    def cluster(self) -> npt.NDArray[np.int64] | None:
        """Cluster code of each entry."""
        return self.tally.cluster

    def y_true(self, j: int = 0) -> Array:
        """Labels; both contenders have the same."""
        del j
        return self.tally.y_true

    def y_pred(self, j: int) -> Array:
        """Predictions of contender j."""
        return self.tally.said[self.pair[j]]


@dataclass(frozen=True)
class ViewRows:
    """Aligned rows under one view of the cohorts: `codes` is the cohort (0 … size − 1) of each row that is in one."""

    aligned: Aligned
    codes: Ints
    size: int
    inside: Bools | None = None

    @classmethod
    def of_view(cls, aligned: Aligned, atoms: Array, positions: Array | None, size: int) -> ViewRows:
        """Rows of the cohorts of a view; `atoms` are those of the kept rows."""
        codes = atoms.astype(np.intp) if positions is None else positions[atoms]
        if size == 1 and positions is None:
            return cls(aligned, np.zeros(len(atoms), np.intp), 1)
        inside = codes >= 0
        if inside.all():
            return cls(aligned, codes, size)
        return cls(aligned, codes[inside], size, inside)

    def of(self, j: int, key: Any, read: Callable[[Block], Array]) -> Array:
        """A number of every row for contender j."""
        return self._cut(self.aligned.of(j, key, read))

    def y_true(self, j: int = 0) -> Array:
        """Labels."""
        return self.of(j, "y_true", lambda block: block.y_true)

    def y_pred(self, j: int) -> Array:
        """Predictions of contender j."""
        return self.of(j, "y_pred", lambda block: block.y_pred)

    def score(self, j: int, positive: int | None = None) -> Array:
        """Score of a class (None: of the positive class) of contender j."""
        if positive is None:
            return self.of(j, "score", lambda block: block.raw_score)
        name = self.aligned.models[j].y_score[positive]
        return self.of(j, ("score", positive), lambda block: block.number(name, "y_score"))

    @property
    def bound(self) -> Bound:
        """Roles and labels."""
        return self.aligned.bounds[0]

    @property
    def weight(self) -> npt.NDArray[np.float64] | None:
        """Weights of the rows."""
        weight = self.aligned.weight()
        return None if weight is None else self._cut(weight)

    @property
    def count(self) -> npt.NDArray[np.float64] | None:
        """Frequency weights; None where a row is one."""
        return self.weight if counts_rows(self.bound) else None

    @property
    def square(self) -> npt.NDArray[np.float64] | None:
        """What adds up to the variance of a sum: w², or the frequency itself."""
        weight = self.weight
        return weight if weight is None or counts_rows(self.bound) else weight**2

    @property
    def cluster(self) -> npt.NDArray[np.int64] | None:
        """Cluster codes of the rows."""
        cluster = self.aligned.cluster()
        return None if cluster is None else self._cut(cluster)

    @property
    def plain(self) -> bool:
        """Whether rows are independent and count one each."""
        return plain(self.bound)

    def _cut(self, values: Array) -> Array:
        return values if self.inside is None else values[self.inside]


class Pair:
    """Two contenders per cohort: tallies of both together, and the rows where a metric needs more."""

    def __init__(self, aligned: Aligned, cohorts: Cohorts, needs: Iterable[Need] = ()) -> None:
        self.aligned, self.cohorts = aligned, cohorts
        self.tally = aligned.collect(cohorts, needs)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out."""
        return self.aligned.notes(self.tally)

    @cached_property
    def atoms(self) -> Array:
        """Atoms of the rows that can be judged."""
        return self.aligned.codes(self.cohorts.codes)

    @cached_property
    def joint(self) -> JointTally:
        """Joint counts per atom."""
        need = Joint()
        tally = self.tally if need in self.tally.parts else self.aligned.collect(self.cohorts, [need])
        return tally.parts[need].scaled(tally.scale)  # type: ignore[union-attr]

    def views(self) -> Iterator[tuple[npt.NDArray[np.int64], PairView]]:
        """Cohorts of every view (0 is overall), and the pair under it."""
        for view in views_of(self.cohorts):
            if len(view.cohorts):
                yield view.cohorts, PairView(self, view.positions, len(view.cohorts))


class PairView(Part):
    """A pair under one view of the cohorts."""

    def __init__(self, pair: Pair, positions: Array | None, size: int) -> None:
        super().__init__(pair.tally, positions, size)
        self.pair, self.positions, self.size = pair, positions, size
        self.bound = pair.aligned.bounds[0]

    @cached_property
    def joint(self) -> JointRows:
        """Joint counts of two classifiers."""
        tally = self.pair.joint
        return JointRows(self.bound, tally if self.positions is None else tally.regroup(self.positions, self.size))

    @cached_property
    def by_row(self) -> ViewRows:
        """The rows."""
        return ViewRows.of_view(self.pair.aligned, self.pair.atoms, self.positions, self.size)

    def counts(self) -> npt.NDArray[np.float64]:
        """Rows of each cohort."""
        return self.rows(self.tally.n)


def align(bound: Bound, sides: Sequence[Contender]) -> Aligned | str:
    """The contenders row by row, or the reason why their rows cannot be paired.

    Contenders on the same rows of a wide frame are paired as they stand; those on different rows (a long frame, two
    releases) by the role `id`, on the ids that all of them have.

    Raises
    ------
    DataError
        Ids repeat within a contender, or the labels of an id differ.
    """
    names, models = tuple(s.name for s in sides), tuple(s.model for s in sides)
    if isinstance(bound, TallyBound) and bound.tally.shared(names) is None:
        return "the tally does not hold them together, on the rows that both are judged on"
    if all(s.rows is None for s in sides):
        return Aligned(names, (bound,) * len(sides), models, None, "both models are judged on the same rows", (), {})
    rows = [np.arange(bound.n) if s.rows is None else s.rows for s in sides]
    if bound.roles.id is None:
        return "they are judged on different rows, and without the role id= rows cannot be matched"
    ids = bound.series(bound.roles.id, "id")
    places = [_by_id(ids.iloc[r], r, s.name, bound.roles.id) for r, s in zip(rows, sides, strict=True)]
    common = places[0].index
    for place in places[1:]:
        common = common.intersection(place.index, sort=False)
    if not len(common):
        return f"they have no {bound.roles.id!r} in common"
    matched = [place.loc[common].to_numpy() for place in places]
    bounds = tuple(bound.at(m) for m in matched)
    _check_labels(bounds, names)
    lost = [f"{len(p) - len(common):,} of {s.name}" for p, s in zip(places, sides, strict=True) if len(p) > len(common)]
    notes = bound.incomplete_note()
    if lost:
        notes.append(f"Rows without a partner of the same {bound.roles.id!r} are left out: {', '.join(lost)}.")
    why = f"rows are matched by {bound.roles.id!r}"
    return Aligned(names, bounds, models, matched[0], why, tuple(notes), {})


def _by_id(ids: pd.Series, rows: Ints, name: str, role: str) -> pd.Series:
    """Position of every id of a contender."""
    places = pd.Series(rows, index=pd.Index(ids.to_numpy()))
    if not places.index.is_unique:
        counts = places.index.value_counts()
        twice = counts[counts > 1]
        example = twice.index[0].item() if isinstance(twice.index[0], np.generic) else twice.index[0]
        raise DataError(
            f"{role!r} repeats within {name!r} ({len(twice):,} of {len(counts):,} values, such as {example!r} in "
            f"{int(twice.iloc[0]):,} rows), so rows cannot be matched. "
            f"Keep one row per {role!r} and model: df.drop_duplicates([...])."
        )
    return places


def _check_labels(bounds: tuple[Bound, ...], names: tuple[str, ...]) -> None:
    name = bounds[0].roles.y_true
    if name is None:
        return
    first = bounds[0].frame[name].reset_index(drop=True)
    for bound, label in zip(bounds[1:], names[1:], strict=True):
        other = bound.frame[name].reset_index(drop=True)
        differ = (first.astype(object) != other.astype(object)) & first.notna() & other.notna()
        if differ.any():
            raise DataError(
                f"The labels of {int(differ.sum()):,} matched rows differ between {names[0]!r} and {label!r}. "
                f"One of the two frames has wrong ids or wrong labels in {name!r}."
            )
