"""Evaluation: the rows, their roles, and one thin method per question."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.cohorts import Cohorts
from dfevals.columns.numbers import infinite_beyond_all_numbers
from dfevals.exceptions import CohortError
from dfevals.keywords import one_spelling
from dfevals.questions.choices import ChoiceQuestions
from dfevals.questions.errors import ErrorQuestions
from dfevals.questions.failures import FailureQuestions
from dfevals.questions.populations import PopulationQuestions
from dfevals.questions.scores import ScoreQuestions
from dfevals.results.provenance import Provenance
from dfevals.roles.bound import Bound, bind
from dfevals.roles.declared import Roles

if TYPE_CHECKING:
    from dfevals.analyses.card import Card
    from dfevals.columns.streams import Source
    from dfevals.explorers.explorer import Explorer
    from dfevals.results.result import Result

__all__ = ["Evaluation", "questions"]

COPY_ON_WRITE = int(pd.__version__.split(".")[0]) >= 3


@one_spelling
@infinite_beyond_all_numbers
class Evaluation(ErrorQuestions, ScoreQuestions, ChoiceQuestions, FailureQuestions, PopulationQuestions):
    """Rows with roles: ask it questions. Immutable; made by `df.evals(...)` or `dfevals.evaluate(...)`.

    Parameters
    ----------
    frame : DataFrame
        The rows. The evaluation keeps a snapshot: later changes of the frame do not reach it.
    roles : Roles
        Which column plays which role.

    Examples
    --------
    >>> import dfevals
    >>> df = dfevals.datasets.load("adult")
    >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
    >>> ev.metrics("recall", by="sex").wide().round(2)["recall"].tolist()
    [0.66, 0.59, 0.67]
    """

    def __init__(self, frame: pd.DataFrame, roles: Roles, *, _bound: Bound | None = None) -> None:
        roles = roles.inferred(frame.columns) if _bound is None else roles
        self._declared = roles
        self._source: Callable[[], pd.DataFrame | None] = ref(frame)  # explorers tell when it has changed since
        self._bound = bind(_snapshot(frame, roles), roles) if _bound is None else _bound
        self._cohorts: dict[Hashable, Cohorts] = {}

    @classmethod
    def of_source(cls, source: Source, roles: Roles) -> Evaluation:
        """The evaluation of a source that is read batch by batch for every question."""
        from dfevals.roles.streamed import bind_streamed

        roles = roles.inferred(pd.Index(source.schema.names))
        bound = bind_streamed(source, roles)
        found = cls(bound.head, roles, _bound=bound)
        found._source = _nowhere
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_source": _nowhere, "_cohorts": {}}

    def __deepcopy__(self, memo: dict[int, Any]) -> Evaluation:
        return self  # immutable

    # What it is

    @property
    def frame(self) -> pd.DataFrame:
        """The rows, as a copy: changing it does not change the evaluation."""
        return self._bound.frame.copy(deep=not COPY_ON_WRITE)

    @property
    def roles(self) -> Roles:
        """The roles, to be passed on: `df2.evals(ev.roles)`."""
        return self._declared

    @property
    def task(self) -> str:
        """ "binary", "multiclass", "regression" or "outcomes"."""
        return self._bound.task

    @property
    def labels(self) -> tuple[Any, ...]:
        """Classes in order; in a binary task the positive label is the last."""
        return self._bound.labels

    @property
    def pos_label(self) -> Any:
        """The positive label of a binary task."""
        return self._bound.pos_label

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models."""
        return tuple(model.name for model in self._bound.models)

    def __len__(self) -> int:
        return self._bound.n

    # Which rows

    def where(self, condition: str | npt.ArrayLike) -> Evaluation:
        """The evaluation of some of the rows; task, labels and thresholds stay as they are.

        Parameters
        ----------
        condition : str or Boolean mask
            An expression such as "age < 30 and sex == 'Female'", or one Boolean per row.

        Raises
        ------
        ExpressionError
            The expression is not valid; the message points at the place.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> len(ev.where("age < 30 and sex == 'Female'"))
        6002
        """
        frame = self._bound.rows(self._mask(condition))
        return Evaluation(frame, self._declared, _bound=self._bound.take(frame))

    def worst(
        self, n: int = 100, *, model: str | None = None, where: str | npt.ArrayLike | None = None
    ) -> pd.DataFrame:
        """The `n` rows with the greatest loss of a model, worst first, with the loss in a last column.

        The loss is the log loss for probabilities, the distance to the threshold on the wrong side for margins, 1 for an
        error of labels, and the absolute error in regression. Rows that cannot be judged are left out; how many, and
        why, stands in `.attrs["left_out"]`.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> ev.worst(2)[["income", "p_gbm", "loss"]].round(3).to_dict("list")
        {'income': ['>50K', '>50K'], 'p_gbm': [0.0, 0.0], 'loss': [9.045, 7.891]}
        """
        from dfevals.analyses.worst import worst

        mask = None if where is None else self._mask(where)
        return worst(self._bound, self._one(model), n, mask)

    # Questions

    def explore(self, **state: Any) -> Explorer:
        """The explorer in the notebook: cohorts, threshold, errors and rows, linked; `state` as in `explorer.state`.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> explorer = ev.explore(by="sex", metric="recall")
        >>> explorer.state["by"], explorer.state["metric"]
        (['sex'], 'recall')
        """
        from dfevals.explorers import explore

        return explore(self, **state)

    def report(
        self,
        path: str | Path | None = None,
        sections: Sequence[str | Result] | None = None,
        *,
        by: Any = None,
        title: str = "Evaluation",
        rows: bool = True,
    ) -> str | Path:
        """The report for a colleague: one offline page with the main questions, interactive cohorts and their code.

        Parameters
        ----------
        path : str or Path, optional
            Where to write it (UTF-8); without it the page is returned.
        sections : sequence of str or Result, optional
            Names of questions, such as "metrics" and "calibration", and results that are already there, in the order of
            the page; by default the questions that suit the task. A question that is refused says so in its place.
        by : cohorts, optional
            As in `metrics`; by default the declared cohorts, or the first column that divides the rows into a few.
        title : str, optional
        rows : bool, optional
            Whether the rows on view travel in the interactive part; False leaves counts and names of cohorts.

        Returns
        -------
        Path or str
            The path, or the page.

        Raises
        ------
        DfevalsError
            A section that there is not; the nearest names are given.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> page = ev.report(sections=["metrics"], by="sex")
        >>> "<h2>Metrics by cohort</h2>" in page
        True
        """
        from dfevals.explorers import report

        return report(self, path, sections, title, by, rows)

    def to_notebook(
        self,
        path: str | Path,
        sections: Sequence[str | Result] | None = None,
        *,
        by: Any = None,
        title: str = "Evaluation",
        data: str | Path | None = None,
    ) -> Path:
        """The report as an executed notebook to go on from: a cell per question, with its table and chart.

        Parameters
        ----------
        path : str or Path
            The `.ipynb` file to write.
        sections, by, title
            As in `report`.
        data : str or Path, optional
            Also write the rows to this Parquet file, relative to the notebook, which then reads them; by default the rows
            stay where they are, and the first cell leaves a place for them.

        Returns
        -------
        Path
            The notebook.

        Examples
        --------
        >>> import dfevals, json, tempfile
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written = json.loads(ev.to_notebook(f"{folder}/a.ipynb", ["metrics"], by="sex").read_text("utf-8"))
        >>> written["cells"][3]["source"].splitlines()[0]
        "result = df.evals(y_true='income', y_score={'gbm': 'p_gbm'}, pos_label='>50K').metrics(by='sex')"
        """
        from dfevals.explorers import notebook

        return notebook(self, path, sections, title, by, data)

    # How it looks

    @cached_property
    @np.errstate(over="ignore")
    def _card(self) -> Card:
        from dfevals.analyses.card import card

        return card(self._bound)

    def _repr_html_(self) -> str:
        return self._card.to_html()

    def __repr__(self) -> str:
        return self._card.to_text()

    # Shared by the questions

    def _mask(self, condition: str | npt.ArrayLike) -> npt.NDArray[np.bool_]:
        if isinstance(condition, str):
            from dfevals.expressions import parse

            return self._bound.mask(parse(condition))
        if isinstance(condition, pd.Series) and not condition.index.equals(self._bound.index):
            raise CohortError(
                "The mask has another index than the frame. Align it first: mask.reindex(df.index, fill_value=False)."
            )
        mask = np.asarray(condition)
        if mask.dtype != bool or mask.shape != (self._bound.n,):
            raise CohortError(
                f"A mask must hold one Boolean per row ({self._bound.n}); found {mask.dtype} of shape {mask.shape}."
            )
        return mask

    def _with_column(self, column: pd.Series) -> Evaluation:
        """The same rows with one more column, which plays no role."""
        frame = self._bound.frame.assign(**{str(column.name): column.to_numpy()})
        return Evaluation(frame, self._declared, _bound=self._bound.take(frame))

    def _provenance(self, by: Any, min_n: int | None = None) -> Provenance:
        from dfevals.results.provenance import provenance

        def explore(shown: Mapping[str, Any], state: Mapping[str, Any]) -> Explorer:
            from dfevals.explorers import focus

            return focus(self, {"by": by, "min_n": min_n, **shown}, state)

        return Provenance(lambda: provenance(self._bound, self._declared, by), explore)


def _nowhere() -> None:
    """Stands for the frame that an unpickled evaluation was made from."""


def _snapshot(frame: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    """The frame as it is now: free with copy-on-write, else with its role and cohort columns copied."""
    if COPY_ON_WRITE:
        return frame.copy(deep=False)
    return frame.copy()


def questions() -> tuple[str, ...]:
    """Names of all questions: the public methods of the classes in `dfevals.questions`, the worst rows, and the explorer."""
    rooms = [room for room in Evaluation.__mro__ if room.__module__.startswith("dfevals.questions.")]
    methods = [name for room in rooms for name, method in vars(room).items() if callable(method) and name[0] != "_"]
    return (*dict.fromkeys(methods), "worst", "explore")
