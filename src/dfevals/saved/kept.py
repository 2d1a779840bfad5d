"""An evaluation of files whose tallies are kept in a store: it reads files that are new or changed, and answers from sums."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from dfevals.analyses.card import Card
from dfevals.cohorts import Cohorts
from dfevals.cohorts.definitions import Each
from dfevals.evaluation import Evaluation
from dfevals.exceptions import CohortError
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Roles
from dfevals.roles.meaning import Meaning
from dfevals.saved.answering import TallyEvaluation
from dfevals.saved.store import Store
from dfevals.tally import Tally

__all__ = ["StoreEvaluation", "kept_in"]

OF_SCORES = ("roc", "pr", "det", "cap", "gains", "thresholds", "calibration")
OF_DECISIONS = ("confusion", "errors")
OF_METRICS = ("metrics", "compare", "power", "folds", "gate")


def _from_tallies(name: str) -> Any:
    """The question, asked of the tally of what it needs."""
    asked = getattr(Evaluation, name)

    def method(self: StoreEvaluation, *args: Any, **options: Any) -> Any:
        metrics, by = self._wanted(name, inspect.signature(asked), args, options)
        return getattr(self._held(metrics, by), name)(*args, **options)

    return _as(method, asked)


def _from_rows(name: str) -> Any:
    """The question, asked of the rows of all files."""
    asked = getattr(Evaluation, name)

    def method(self: StoreEvaluation, *args: Any, **options: Any) -> Any:
        return getattr(self._rows, name)(*args, **options)

    return _as(method, asked)


def _as(method: Any, asked: Any) -> Any:
    method.__name__, method.__doc__, method.__qualname__ = (
        asked.__name__,
        asked.__doc__,
        f"StoreEvaluation.{asked.__name__}",
    )
    return method


class StoreEvaluation(Evaluation):
    """An evaluation of files, made by `dfevals.evaluate(files, …, store=folder)`.

    Every question takes stock of the files: tallies of those that are as they were come from the store, the others are read,
    and files that are gone no longer count. Questions that need the rows themselves read all files.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._source: Callable[[], pd.DataFrame | None] = _nowhere
        self._cohorts: dict[Hashable, Cohorts] = {}
        self._meaning: Meaning = store.meaning()
        self._declared = self._meaning.roles

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
        """The tally of all files, as `Evaluation.collect` gives it."""
        held = self._held(metrics, by)
        return held.collect(metrics, by, models=models, level=level, min_n=min_n, **options)

    def _held(self, metrics: Any, by: Any) -> TallyEvaluation:
        return TallyEvaluation(self.store.tally(metrics, by))

    @cached_property
    def _rows(self) -> Evaluation:
        from dfevals.columns.sources import to_frame

        return Evaluation(to_frame(self.store.source, self.store.kinds), self.store.roles)

    def _wanted(self, name: str, signature: inspect.Signature, args: Any, options: Any) -> tuple[Any, Any]:
        """Metrics and cohorts that a question needs."""
        known = {key: value for key, value in options.items() if key in signature.parameters}
        given = signature.bind_partial(self, *args, **known).arguments
        by = given.get("by")
        if name in OF_SCORES:
            return [*self._of_scores(), *(["accuracy"] if self._decides else [])], by
        if name in OF_DECISIONS:
            return ["accuracy"], by
        if name == "gate":
            rules = given["rules"] if isinstance(given["rules"], list | tuple) else [given["rules"]]
            others = [rule.by for rule in rules if rule.by is not None and rule.by != by]
            if others:
                raise CohortError(
                    f"Rules with cohorts of their own ({others[0]!r}) read the rows. Judge them in gates of their own."
                )
            return list(dict.fromkeys(rule.metric for rule in rules)), by
        metrics = given.get("metrics")
        folds = name == "folds" or (name == "compare" and self._declared.fold and given.get("unit") != "rows")
        return metrics, self._with_folds(by) if folds else by

    def _with_folds(self, by: Any) -> Any:
        """The cohorts divided by folds, too."""
        folds = [name for name in (self._declared.fold, self._declared.repeat) if name is not None]
        if isinstance(by, dict | Each):
            raise CohortError("Folds of overlapping cohorts read the rows. Ask by one grouping at a time.")
        own = [] if by is None else list(by) if isinstance(by, list | tuple) else [by]
        return [*own, *folds]

    def _of_scores(self) -> list[str]:
        return ["roc_auc"] if self._meaning.task == "binary" else ["roc_auc_ovr"]

    @property
    def _decides(self) -> bool:
        """Whether decisions are known: as predicted, by a declared cut, or by that of probabilities."""
        models = self._meaning.models
        cut = self._declared.threshold is not None or self._declared.score_kind is not None
        return cut or all(m.y_pred is not None for m in models) or all(map(self._first.decides, models))

    @cached_property
    def _first(self) -> Bound:
        return self._held(None, None)._bound

    @property
    def _bound(self) -> Bound:  # type: ignore[override]
        """The binding of the default metrics of all files as they are now."""
        return self._held(None, None)._bound

    @property
    def task(self) -> str:
        """ "binary", "multiclass", "regression" or "outcomes"."""
        return self._meaning.task

    @property
    def labels(self) -> tuple[Any, ...]:
        """Classes in order; in a binary task the positive label is the last."""
        return self._meaning.labels

    @property
    def pos_label(self) -> Any:
        """The positive label of a binary task."""
        return self._meaning.pos_label

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models."""
        return tuple(model.name for model in self._meaning.models)

    @property
    def frame(self) -> pd.DataFrame:
        """The rows of all files, read."""
        return self._rows.frame

    @property
    def _card(self) -> Card:
        return self._held(None, None)._card


for _name in (*OF_SCORES, *OF_DECISIONS, *OF_METRICS):
    setattr(StoreEvaluation, _name, _from_tallies(_name))
for _name, _method in inspect.getmembers(Evaluation, inspect.isfunction):
    if not _name.startswith("_") and _name not in vars(StoreEvaluation):
        setattr(StoreEvaluation, _name, _from_rows(_name))


def kept_in(folder: Any, source: Any, roles: Roles) -> StoreEvaluation:
    """The evaluation of files with their tallies in a folder."""
    return StoreEvaluation(Store(source, roles, Path(folder)))


def _nowhere() -> None:
    """There is no frame that it was made from."""
