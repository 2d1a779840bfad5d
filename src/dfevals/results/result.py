"""What every analysis returns: a tidy frame with its provenance, shown as HTML, text, Markdown and charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, overload

import numpy as np
import pandas as pd

from dfevals import render
from dfevals.exceptions import DfevalsError, check_choice
from dfevals.keywords import one_spelling
from dfevals.plots.echo import unechoed
from dfevals.render.grids import Grid
from dfevals.render.metric_tables import metrics_table
from dfevals.render.plain_tables import plain_table
from dfevals.results.provenance import Provenance

if TYPE_CHECKING:
    from matplotlib.axes import Axes


__all__ = ["MetricsResult", "Result"]

_COPY_ON_WRITE = int(pd.__version__.split(".")[0]) >= 3
_TEXT_WIDTH = 100
_ROWS_SHOWN = 60
_ROWS_IN_PAGE = 2000


class Result:
    """A tidy frame with its title, notes and provenance; base of everything that an analysis returns.

    Parameters
    ----------
    frame : DataFrame
        Tidy: one row per number. The result owns it; do not change it afterwards.
    provenance : mapping or callable returning one, optional
        How the result was made; a callable is called when it is first read.
    title : str
        First line of the caption.
    notes : sequence of str
        What a reader must know, shown below the table.
    cohort_columns : sequence of str
        Columns of `frame` that name cohorts.

    Examples
    --------
    >>> result = Result(pd.DataFrame({"fold": [1, 2], "value": [0.5, 0.75]}), title="Folds")
    >>> print(result)
    Folds
    fold  value
    ────  ─────
       1  0.500
       2  0.750
    >>> len(result)
    2
    """

    #: Tab of the explorer that shows this question: "" the first one, None no explorer.
    _tab: ClassVar[str | None] = None
    #: Level of the intervals, None where they are left out.
    _level: Any = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "plot" in vars(cls):
            cls.plot = unechoed(cls.plot)  # type: ignore[method-assign]
        one_spelling(cls)

    def __init__(
        self,
        frame: pd.DataFrame,
        *,
        provenance: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        title: str = "",
        notes: Sequence[str] = (),
        cohort_columns: Sequence[str] = (),
    ) -> None:
        self._frame = frame
        self._provenance = provenance if isinstance(provenance, Provenance) else Provenance(provenance)
        self._title = title
        self._notes = tuple(notes)
        self._cohort_columns = tuple(cohort_columns)

    @property
    def frame(self) -> pd.DataFrame:
        """The tidy numbers, as a copy: changing it does not change the result."""
        return self._frame.copy(deep=not _COPY_ON_WRITE)

    @property
    def provenance(self) -> Provenance:
        """Roles, cohorts, engine, rows read and dropped, seed, versions."""
        return self._provenance

    @property
    def title(self) -> str:
        """First line of the caption."""
        return self._title

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        return self._notes

    @property
    def cohort_columns(self) -> tuple[str, ...]:
        """Columns of `frame` that name cohorts."""
        return self._cohort_columns

    def without_intervals(self) -> Self:
        """The result with its bounds undefined, for readers who want the values alone."""
        bare = copy(self)
        for name, part in vars(self).items():
            if isinstance(part, pd.DataFrame):
                ends = [column for column in part.columns if str(column).endswith(("_low", "_high"))]
                setattr(bare, name, part.assign(**dict.fromkeys(ends, np.nan)))
            elif isinstance(part, Result):
                setattr(bare, name, part.without_intervals())
        bare._level = None
        return bare

    def table(self, max_rows: int = _ROWS_SHOWN, width: int | None = None) -> render.Table:
        """The table that is shown: at most `max_rows` rows, fitted to `width` characters if given.

        Subclasses override this one method; HTML, text and Markdown follow from it.
        """
        del width
        return plain_table(
            self._frame, title=self.title, notes=self.notes, cohort_columns=self.cohort_columns, max_rows=max_rows
        )

    def wide(self) -> pd.DataFrame:
        """The numbers in the widest useful shape; here the tidy frame itself."""
        return self.frame

    def plot(self, *args: Any, **options: Any) -> Any:
        """Draw the result; results that have a chart override this."""
        raise DfevalsError(f"{type(self).__name__} has no chart. Draw from its numbers in .frame.")

    def explore(self, **state: Any) -> Any:
        """The explorer of the rows behind this result, opened where the result is: cohorts, model, metric, level and tab.

        Parameters
        ----------
        **state
            Any part of an explorer's `state`, instead of what follows from the result.

        Returns
        -------
        Explorer

        Raises
        ------
        DfevalsError
            The result has no explorer, or no rows: tallies that were added up hold counts alone.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> explorer = ev.calibration(by="sex").explore()
        >>> explorer.state["view"], explorer.state["by"]
        ('calibration', ['sex'])
        """
        name = type(self).__name__
        if self._tab is None:
            raise DfevalsError(f"{name} has no explorer. Explore the rows with ev.explore(by=…).")
        if self._provenance.explore is None:
            raise DfevalsError(
                f"This {name} has no rows to explore: it comes from a tally or a table, which hold numbers alone. Ask an "
                "evaluation of the rows: df.evals(…).explore(by=…)."
            )
        return self._provenance.explore(self._focus(), state)

    def _focus(self) -> dict[str, Any]:
        """What the result shows, as parts of an explorer's state; what an explorer cannot show it leaves out."""
        found: dict[str, Any] = {"view": self._tab or None, "level": getattr(self, "_level", None)}
        for key in ("model", "metric"):
            if key in self._frame and len(self._frame):
                found[key] = str(self._frame[key].iloc[0])
        return found

    def to_markdown(self, max_rows: int = _ROWS_SHOWN) -> str:
        """The table as a Markdown pipe table."""
        return self.table(max_rows).to_markdown()

    @overload
    def to_html(self, path: None = None, *, max_rows: int = ...) -> str: ...
    @overload
    def to_html(self, path: str | Path, *, max_rows: int = ...) -> Path: ...
    def to_html(self, path: str | Path | None = None, *, max_rows: int = _ROWS_IN_PAGE) -> str | Path:
        """A self-contained page with the table and the provenance, without scripts or requests.

        Parameters
        ----------
        path : str or Path, optional
            Where to write it (UTF-8); without it the page is returned as text.
        max_rows : int
            Rows of the table at most; a line says how many are left out.

        Returns
        -------
        str or Path
            The page, or the path it was written to.
        """
        body = self.table(max_rows).to_html()
        if self.provenance:
            body += f"<details><summary>Provenance</summary>{self.provenance.table().to_html()}</details>"
        text = render.page(self.title or type(self).__name__, body)
        if path is None:
            return text
        path = Path(path)
        path.write_text(text, encoding="utf-8")
        return path

    def _repr_html_(self) -> str:
        return self.table().to_html()

    def __repr__(self) -> str:
        return self.table(width=_TEXT_WIDTH).to_text()

    def __len__(self) -> int:
        return len(self._frame)


class MetricsResult(Result):
    """Metrics per cohort and model, each with its interval.

    Parameters
    ----------
    frame : DataFrame
        Cohort columns, then `model, metric[, class], value, ci_low, ci_high, n, support, method, note, is_overall`.
    provenance, title, notes, cohort_columns
        As for `Result`.
    flags : array of str, optional
        Per row of `frame`: "", "lower" or "higher" (differs from the rest after correction) or "too few".
    doubtful : array of bool, optional
        Per row of `frame`: whether the interval rests on too few events to pass a gate.
    level : float or None
        Level of the intervals.
    dropped : mapping of model to int, optional
        Rows left out per model because a label, weight or prediction is missing.
    better : mapping of metric to {"higher", "lower"}, optional
        Which way is good, shown in the headings.
    """

    _tab = ""

    def __init__(
        self,
        frame: pd.DataFrame,
        *,
        provenance: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        title: str = "",
        notes: Sequence[str] = (),
        cohort_columns: Sequence[str] = (),
        flags: np.ndarray | Sequence[str] | None = None,
        doubtful: np.ndarray | Sequence[bool] | None = None,
        level: float | None = 0.95,
        dropped: Mapping[str, int] | None = None,
        better: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(frame, provenance=provenance, title=title, notes=notes, cohort_columns=cohort_columns)
        for name, given in (("flags", flags), ("doubtful", doubtful)):
            if given is not None and len(given) != len(frame):
                raise DfevalsError(f"{name} has {len(given)} entries for {len(frame)} rows of the frame.")
        self._flags = np.full(len(frame), "", dtype=object) if flags is None else np.asarray(flags, dtype=object)
        self._doubtful = np.zeros(len(frame), bool) if doubtful is None else np.asarray(doubtful, dtype=bool)
        self._level = level
        self._dropped = {str(model): int(n) for model, n in (dropped or {}).items() if n}
        self._better = dict(better or {})

    @property
    def flags(self) -> pd.Series:
        """Per row of `frame`: "", "lower", "higher" or "too few"."""
        return pd.Series(self._flags, index=self._frame.index, name="flag", dtype=object)

    @cached_property
    def _grid(self) -> Grid:
        return Grid.of(self._frame, self.cohort_columns)

    def wide(self, values: str = "value") -> pd.DataFrame:
        """One row per cohort (and class), one column per metric; with several models, per metric and model.

        Parameters
        ----------
        values : str
            Which column of `frame` to spread ("value", "ci_low", "n", …), or "interval" for text such as
            "0.812 [0.798, 0.825]".

        Returns
        -------
        DataFrame
            Rows in the order of `frame`, indexed by the cohort columns (and `class`).

        Examples
        --------
        >>> frame = pd.DataFrame({"sex": ["F", "M"], "model": "gbm", "metric": "recall", "value": [0.5, 0.625],
        ...                       "ci_low": [0.25, 0.5], "ci_high": [0.75, 0.75]})
        >>> MetricsResult(frame, cohort_columns=["sex"]).wide()["recall"].to_dict()
        {'F': 0.5, 'M': 0.625}
        """
        numbers = [name for name in self._frame.columns if name not in self._grid.key_columns]
        check_choice("values", values, [*numbers, "interval"], DfevalsError)
        return self._grid.wide(self._frame, values)

    def table(self, max_rows: int = _ROWS_SHOWN, width: int | None = None) -> render.Table:
        """The table that is shown: one row per cohort, or per cohort and metric where metrics or models are many.

        Where differences were asked for (`relative_to=`) they are what is shown, with their interval; where pooled values
        were, they stand beside the raw ones.
        """
        if "difference" in self._frame:
            return self._differences(max_rows)
        if "pooled" in self._frame:
            return self._beside_raw(max_rows)
        return metrics_table(
            self._frame,
            self._grid,
            flags=self._flags,
            title=self.title,
            notes=self.notes,
            level=self._level,
            dropped=self._dropped,
            better=self._better,
            max_rows=max_rows,
            width=width,
        )

    def _differences(self, max_rows: int) -> render.Table:
        """Value, reference and difference of every cohort, with the interval of the difference."""
        frame = self._frame[~self._frame["is_overall"].to_numpy(bool)]
        shown = frame[[*self.cohort_columns, "model", "metric", "n", "value", "reference", "difference"]].assign(
            ci_low=frame["difference_low"],
            ci_high=frame["difference_high"],
            p_corrected=frame["p_corrected"],
            note=frame["note"],
        )
        if shown["model"].nunique() <= 1:
            shown = shown.drop(columns="model")
        return plain_table(
            shown,
            title=f"{self.title}: differences",
            notes=self.notes,
            cohort_columns=self.cohort_columns,
            max_rows=max_rows,
        )

    def _beside_raw(self, max_rows: int) -> render.Table:
        """Raw and pooled value of every cohort, each with its interval."""
        more = [name for name in ("class",) if name in self._frame]
        models = ["model"] if self._frame["model"].nunique() > 1 else []
        own = ["n", "value", "ci_low", "ci_high", "pooled", "pooled_low", "pooled_high"]
        said = ["note"] if (self._frame["note"] != "").any() else []
        return plain_table(
            self._frame[[*self.cohort_columns, *models, "metric", *more, *own, *said, "is_overall"]],
            title=f"{self.title}: raw and pooled",
            notes=self.notes,
            cohort_columns=self.cohort_columns,
            max_rows=max_rows,
        )

    def plot(
        self,
        kind: Literal["forest", "heatmap"] | None = None,
        *,
        metric: str | Sequence[str] | None = None,
        model: str | Sequence[str] | None = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> Axes | np.ndarray:
        """Draw a forest of the cohorts, or a heat map where there are two cohort columns.

        Parameters
        ----------
        kind : {"forest", "heatmap"}, optional
            Default: a heat map for two cohort columns, else a forest.
        metric, model : str or list of str, optional
            Which to draw; default all (at most four metrics).
        ax : Axes, optional
            Draw into it; then one metric (and for a heat map one model).
        **options
            For `dfevals.plots.forest.draw` or `dfevals.plots.heatmap.draw`.

        Returns
        -------
        Axes, or array of Axes where there are several panels
        """
        from dfevals.plots.metrics import draw

        frame = self._frame.assign(flag=self.flags)
        return draw(
            frame, list(self.cohort_columns), kind=kind, metric=metric, model=model, ax=ax, level=self._level,
            better=self._better, **options,
        )  # fmt: skip
