"""Where the rows are gone: a binding that answers from a tally, and what it says of questions that read rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.cohorts import Cohorts, regroup
from dfevals.cohorts.definitions import Column
from dfevals.columns.codes import MISSING
from dfevals.exceptions import DataError, MetricError
from dfevals.needs import Cells, Classes, Extremes, Joint, JointMoments, Moments, Need, ScoreBins, Scores, Units
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Model
from dfevals.tally import BinTally, CellTally, ClassTally, ModelTally, ScoreTally, Tally
from dfevals.tally.bins import Binning

__all__ = ["TallyBound", "collect_held", "collect_held_together"]

Array = npt.NDArray[Any]
AS_ROLES = ("fold", "repeat")  # roles whose values are wanted for every atom


class _Absent:
    """Stands for values of rows that a tally was counted with and does not hold."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        no_rows()

    def __getitem__(self, key: Any) -> NoReturn:
        no_rows()


def no_rows(what: str = "This question") -> NoReturn:
    """Say that rows are wanted where there are none."""
    raise DataError(
        f"{what} reads rows, and this evaluation is made from a tally, which holds sums and no rows. Ask it of the rows, where "
        "they are."
    )


@dataclass(frozen=True)
class TallyBound(Bound):
    """What the roles mean in a tally; its atoms stand where rows would. `held` is the tally."""

    @property
    def tally(self) -> Tally:
        found: Tally = self.held
        return found

    @property
    def frame(self) -> NoReturn:
        no_rows()

    @property
    def head(self) -> pd.DataFrame:
        """The columns that are known by name, without rows."""
        axes = [axis.definition.column for axis in self.tally.cohorts.axes]
        return pd.DataFrame(columns=pd.Index(list(dict.fromkeys([*self.roles.single().values(), *axes])), dtype=object))

    @property
    def index(self) -> NoReturn:
        no_rows()

    @property
    def n(self) -> int:
        """Rows that were read."""
        return int(self.tally.context.get("rows", max((m.rows_read for m in self.tally.models.values()), default=0)))

    @property
    def has_rows(self) -> bool:
        return False

    @property
    def engine(self) -> str:
        return "tally"

    @property
    def each(self) -> Array:
        """Rows of every atom that the first model was judged on."""
        return np.asarray(next(iter(self.tally.models.values())).n)

    def series(self, name: Any, role: str) -> pd.Series:
        """Folds and repeats of the atoms, where the tally was collected by them."""
        axis = next((a for a in self.tally.cohorts.axes if a.definition == Column(name)), None)
        if role not in AS_ROLES:
            no_rows()
        if axis is None:
            raise DataError(
                f"This tally was not collected by the {role} column {name!r}. Collect it where the rows are: "
                f"ev.collect(…, by=[{name!r}, …])."
            )
        levels = axis.levels.copy()
        levels[levels == MISSING] = None
        return pd.Series(_as_numbers(levels).to_numpy()[axis.codes], name=name)

    def rows(self, at: Array) -> NoReturn:
        no_rows()

    def at(self, places: Array) -> NoReturn:
        no_rows()

    def mask(self, condition: Any) -> NoReturn:
        no_rows("where=")

    def cohorts(self, by: Any, min_n: int | None = None) -> Cohorts:
        """Cohorts that follow from those of the tally."""
        return regroup(by, self.tally.cohorts, self.each, min_n=min_n)

    @property
    def columns(self) -> tuple[Any, ...]:
        """None: nothing is read."""
        return ()

    @property
    def ordered(self) -> bool:
        return bool(self.tally.context.get("ordered", True))

    @property
    def weight(self) -> Any:
        """A stand-in where rows were weighted."""
        return _Absent() if self.tally.context.get("weight_kind") else None

    @property
    def cluster(self) -> Any:
        """A stand-in where rows depend on each other."""
        return _Absent() if self.dependence else None

    @property
    def dependence(self) -> str:
        return str(self.tally.context.get("dependence", ""))

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self.tally.context.get("notes", ()))

    @property
    def incomplete(self) -> dict[str, npt.NDArray[np.bool_]]:
        no_rows()

    @property
    def incomplete_counts(self) -> dict[str, int]:
        return dict(self.tally.context.get("incomplete", {}))

    def _about(self, model: Model) -> dict[str, Any]:
        """What the context says of a model."""
        return dict(self.tally.context.get("models", {}).get(model.name, {}))

    def score_kind(self, model: Model) -> str | None:
        return self.tally.models[model.name].score_kind

    def decides(self, model: Model) -> bool:
        """Whether decisions are known and, of classes, were counted."""
        counted = not self.classifies or Cells() in self.tally.models[model.name].parts
        return counted and bool(self._about(model).get("decides", True))

    def doubt(self, model: Model) -> str:
        about = self._about(model)
        if not self.classifies or self.decides(model):
            return ""
        return about.get("doubt") or f"The decisions of model {model.name!r} were not counted. {_advice(Cells())}"

    def unbalanced(self, model: Model) -> int:
        return int(self._about(model).get("unbalanced", 0))

    def threshold(self, model: Model) -> float:
        cut = self._about(model).get("threshold")
        if cut is None:
            raise MetricError(self.doubt(model) or f"Decisions of model {model.name!r} do not come from one cut.")
        return float(cut)


def _as_numbers(levels: Array) -> pd.Series:
    """Names of folds as numbers, if they are all numbers, so that they sort like these."""
    texts = pd.Series(levels, dtype=object)
    numbers = pd.to_numeric(texts, errors="coerce")
    return numbers if numbers.notna().equals(texts.notna()) else texts


def collect_held(bound: TallyBound, model: Model, cohorts: Cohorts, needs: Iterable[Need]) -> ModelTally:
    """The tallies of one model for all needs, from those that are held."""
    whole = bound.tally.models[model.name]
    return _divided(replace(whole, parts={need: _found(need, whole, model.name) for need in needs}), cohorts)


def collect_held_together(
    bound: TallyBound, models: Sequence[Model], cohorts: Cohorts, needs: Iterable[Need]
) -> ModelTally:
    """The tallies of several models on the rows that they share."""
    names = tuple(model.name for model in models)
    whole = bound.tally.shared(names)
    if whole is None:
        raise MetricError(
            f"This tally does not hold {' and '.join(map(repr, names))} on the same rows. Collect both models in one call."
        )
    return _divided(replace(whole, parts={need: _found(need, whole, " and ".join(names)) for need in needs}), cohorts)


def _divided(tally: ModelTally, cohorts: Cohorts) -> ModelTally:
    """The tally by other cohorts, whose codes are those of the atoms."""
    codes = np.asarray(cohorts.codes, np.int64)
    if cohorts.n_atoms == len(codes) and np.array_equal(codes, np.arange(len(codes))):
        return tally
    return tally.regroup(codes, cohorts.n_atoms)


def _found(need: Need, tally: ModelTally, name: str) -> Any:
    """The part of a need: as it was collected, or as it follows from another.

    Raises
    ------
    MetricError
        It does not follow; the message says what to collect.
    """
    if need in tally.parts:
        return tally.parts[need]
    if need == Classes() and isinstance(cells := tally.parts.get(Cells()), CellTally):
        return ClassTally.of_cells(cells)
    if isinstance(need, Scores) and isinstance(scores := _scores(need, tally), ScoreTally):
        return scores
    if isinstance(need, ScoreBins) and isinstance(scores := _scores(Scores(need.positive), tally), ScoreTally):
        return _binned(need, scores)
    raise MetricError(f"The tally of {name!r} does not hold what this question needs. {_advice(need)}")


def _scores(need: Scores, tally: ModelTally) -> Any:
    """Scores of the class: probabilities are the scores, but for what rounding put outside [0, 1]."""
    plain = tally.parts.get(replace(need, probability=False))
    if not isinstance(plain, ScoreTally) or not need.probability or tally.score_kind != "probability":
        return plain if not need.probability else None
    columns = plain.unpacked()
    assert columns.score is not None
    if len(columns.score) == 0 or (columns.score.min() >= 0 and columns.score.max() <= 1):
        return plain
    return replace(columns, score=np.clip(columns.score, 0, 1), _sums={})


def _binned(need: ScoreBins, scores: ScoreTally) -> BinTally:
    """Sums over bins of sorted scores."""
    plain, cell_of = scores.unpacked(), Binning(need.edges)
    assert plain.score is not None
    assert plain.label is not None
    score = np.clip(plain.score, 0, 1)
    out = BinTally.empty(cell_of.edges, plain.n_cohorts)
    codes = np.repeat(np.arange(plain.n_cohorts), np.diff(plain.offsets))
    square = None if plain.weight is None or plain.frequency else plain.weight**2
    out.add(codes, cell_of(score), score, plain.label, plain.weight, square)
    return out


def _advice(need: Need) -> str:
    """What to collect, where the rows are."""
    if isinstance(need, Moments | Extremes | Units | JointMoments):
        functions = need.functions if isinstance(need, Moments) else (need.function,)
        return f"Collect where the rows are a metric of {' and '.join(repr(f.name) for f in functions)}."
    several = "models on the same rows, by collecting them in one call with a metric of decisions such as"
    metric: dict[type, str] = {Cells: "a metric of decisions such as 'accuracy'", Joint: f"{several} 'accuracy'"}
    metric[Scores] = metric[ScoreBins] = "a metric of ranking such as 'roc_auc' (of classes 'roc_auc_ovr')"
    wanted = metric.get(type(need))
    if wanted is None:
        return "It reads the rows themselves: ask where they are, or choose another metric or interval."
    return f"Collect where the rows are {wanted}: ev.collect([…], by=…)."
