"""An evaluation made from a tally: it answers what the tally holds, and says of the rest what to collect."""

from __future__ import annotations

import platform
from collections.abc import Callable, Hashable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.card import Card
from dfevals.analyses.compare.comparison_result import ComparisonResult
from dfevals.analyses.gate.gate_report import GateResult
from dfevals.analyses.metrics import summarise
from dfevals.cohorts import Cohorts
from dfevals.engines.held import TallyBound, no_rows
from dfevals.evaluation import Evaluation
from dfevals.exceptions import DataError, RoleError
from dfevals.results.provenance import Provenance
from dfevals.roles.meaning import Meaning
from dfevals.saved.beside import beside
from dfevals.saved.tallies import is_tally, load_tally
from dfevals.tally import ModelTally, Tally
from dfevals.version import __version__

__all__ = ["TallyEvaluation", "as_tally", "evaluation_of"]


def evaluation_of(source: Any) -> TallyEvaluation | None:
    """The evaluation of a tally or of the path of a file of one; None for anything else."""
    tally = as_tally(source)
    return None if tally is None else TallyEvaluation(tally)


def as_tally(source: Any) -> Tally | None:
    """The tally that something is, holds or names."""
    if isinstance(source, Tally):
        return source
    if isinstance(source, TallyEvaluation):
        return source.tally
    if isinstance(source, str | Path) and is_tally(Path(source)):
        return load_tally(source)
    return None


class TallyEvaluation(Evaluation):
    """An evaluation without rows: metrics, confusion, curves, calibration, gains, thresholds, gates and comparisons of sums.

    Made by `dfevals.evaluate(tally)`, also of the path of a file. `by=` may name what the tally was collected by, a part of
    it, or coarser periods and bins of it.

    Parameters
    ----------
    tally : Tally
    """

    def __init__(self, tally: Tally) -> None:
        if tally.meaning is None:
            raise DataError("This tally does not say which columns played which role. Collect it again: ev.collect(…).")
        settled = {part.name: getattr(tally.meaning, part.name) for part in fields(Meaning)}
        self._declared = tally.meaning.roles
        self._source: Callable[[], pd.DataFrame | None] = _nowhere
        self._bound = TallyBound(**settled, held=tally)
        self._cohorts: dict[Hashable, Cohorts] = {}

    @property
    def tally(self) -> Tally:
        """What it answers from."""
        assert isinstance(self._bound, TallyBound)
        return self._bound.tally

    @property
    def frame(self) -> NoReturn:
        """There are no rows.

        Raises
        ------
        DataError
            Always.
        """
        no_rows("ev.frame")

    def where(self, condition: str | npt.ArrayLike) -> NoReturn:
        """Not without rows; cohorts that were collected can be asked for by `by=`."""
        no_rows("ev.where")

    def worst(self, n: int = 100, *, model: str | None = None, where: Any = None) -> NoReturn:
        """Not without rows."""
        no_rows("ev.worst")

    def explore(self, **state: Any) -> NoReturn:
        """Not without rows."""
        no_rows("ev.explore")

    def collect(
        self,
        metrics: Any = None,
        by: Any = None,
        *,
        models: Any = None,
        level: float | None = 0.95,
        min_n: int | None = None,
        **options: Any,
    ) -> Tally:
        """A part of the tally: of some metrics and models, by coarser cohorts (all rows when `by` is absent).

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> held = dfevals.evaluate(ev.collect(["recall", "roc_auc"], by=["sex", "race"]))
        >>> held.collect("recall", by="sex").metrics().frame["n"].tolist()
        [48842, 16192, 32650]
        """
        from dfevals.analyses.metrics import collect

        return collect(self._bound, self._cohorts_of(by, min_n), metrics, self._some(models), ci=level, **options)

    def compare(self, a: str | None = None, b: str | None = None, *args: Any, **options: Any) -> ComparisonResult:
        """As in `Evaluation.compare`; `baseline=` is a tally (or a file of one) of other rows to compare with.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> old, new = (ev.where(f"age {sign} 40").collect("recall", by="sex") for sign in ("<", ">="))
        >>> found = dfevals.evaluate(new).compare(baseline=old, by="sex")
        >>> found.frame.set_index("sex")["verdict"].to_dict()
        {'(overall)': 'gbm', 'Female': 'no evidence', 'Male': 'gbm'}
        """
        baseline = options.pop("baseline", None)
        if baseline is None:
            return super().compare(a, b, *args, **options)
        joint, mine, theirs = self._beside(baseline, a, b)
        return Evaluation.compare(joint, mine, theirs, *args, **options)

    def gate(
        self,
        rules: Any,
        *,
        model: str | None = None,
        baseline: Any = None,
        by: Any = None,
        level: float = 0.95,
        missing: str = "worst",
        **options: Any,
    ) -> GateResult:
        """As in `Evaluation.gate`; `baseline` may also be a tally (or a file of one) of other rows.

        Which cohorts rows left out belong to, and what they hold, a tally does not know: where there are some, a rule passes
        only with `missing="ignore"`.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> old, new = (ev.where(f"age {sign} 40").collect("recall") for sign in ("<", ">="))
        >>> rules = [dfevals.Gate("recall", ">=", 0.5), dfevals.Gate("recall", vs="baseline", margin=0.02)]
        >>> dfevals.evaluate(new).gate(rules, baseline=old).answer
        'pass'
        """
        named: dict[str, Any] = {"by": by, "level": level, "missing": missing, **options}
        if baseline is None or (isinstance(baseline, str) and baseline in self.models):
            return super().gate(rules, model=model, baseline=baseline, **named)
        joint, mine, theirs = self._beside(baseline, model, None)
        return Evaluation.gate(joint, rules, model=mine, baseline=theirs, **named)

    def _beside(self, baseline: Any, a: str | None, b: str | None) -> tuple[TallyEvaluation, str, str]:
        """An evaluation of a model of this tally and one of another, and the names of the two."""
        other = as_tally(baseline)
        if other is None:
            raise RoleError(
                f"baseline={baseline!r:.60} is neither a model of this tally ({', '.join(map(repr, self.models))}) nor a tally."
            )
        joint, mine, theirs = beside(self.tally, other, a, b)
        return TallyEvaluation(joint), mine, theirs

    def __len__(self) -> int:
        return self._bound.n

    @property
    def _card(self) -> Card:
        return _card(self.tally, self._bound.n)

    def _provenance(self, by: Any, min_n: int | None = None) -> Provenance:
        tally = self.tally
        return Provenance(
            lambda: {
                "roles": repr(self._declared),
                "task": self._bound.task,
                "labels": ", ".join(map(repr, self._bound.labels)),
                "by": repr(by) if by is not None and not isinstance(by, dict) else ", ".join(map(str, by or ())),
                "engine": "tally",
                "rows_read": self._bound.n,
                "rows_without": "; ".join(f"{n:,} {why}" for why, n in self._bound.incomplete_counts.items()) or "none",
                "tally": repr(tally),
                "versions": f"dfevals {__version__}, pandas {pd.__version__}, numpy {np.__version__}, "
                f"Python {platform.python_version()}",
            }
        )


def _nowhere() -> None:
    """There is no frame that it was made from."""


def _card(tally: Tally, n: int) -> Card:
    """What the tally holds."""
    cohorts = tally.cohorts
    by = ", ".join(repr(axis.definition) for axis in cohorts.axes) or ", ".join(cohorts.names) or "all rows together"
    facts = [
        ("task", tally.task),
        ("rows", f"{n:,} counted; none is held"),
        ("models", ", ".join(tally.models) or "none"),
        *([("positive label", repr(tally.labels[-1]))] if tally.task == "binary" else []),
        ("collected", ", ".join(request.label for request in tally.requests)),
        ("by", f"{by} ({cohorts.n_cohorts:,} cohorts)" if cohorts.n_cohorts else by),
    ]
    overall = replace(
        tally,
        cohorts=Cohorts((), (), np.zeros(0, np.int8), 1, ()),
        models={name: _whole(part) for name, part in tally.models.items()},
    )
    return Card(tuple(facts), summarise(overall), ())


def _whole(part: ModelTally) -> ModelTally:
    return part.regroup(np.zeros(len(part.n), np.int64), 1)
