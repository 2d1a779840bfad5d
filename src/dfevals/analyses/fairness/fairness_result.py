"""What `ev.fairness` returns: criteria, groups, and the four-fifths rule with its uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import render
from dfevals.exceptions import MetricError, check_choice
from dfevals.render.plain_tables import plain_table
from dfevals.results.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FairnessResult"]

FOUR_FIFTHS = 0.8
BY_CRITERION = ("difference", "difference_low", "difference_high", "ratio", "ratio_low", "ratio_high")


class FairnessResult(Result):
    """Differences and ratios of every criterion; `frame` has `model, criterion, difference, difference_low, difference_high,
    difference_corrected, ratio, ratio_low, ratio_high, group_low, group_high, value_low, value_high, note`.

    Without a reference there is one row per model and criterion, between the groups with the least and the greatest value.
    With one there is a row for every other group, whose cohort columns stand in front, and differences are signed. With several
    classes there is a column `class`.
    """

    def __init__(
        self, frame: pd.DataFrame, groups: pd.DataFrame, *, against: str, level: float, **described: Any
    ) -> None:
        super().__init__(frame, **described)
        self._groups, self._against, self._level = groups, against, level

    @property
    def groups(self) -> pd.DataFrame:
        """Every group's value of every criterion with its interval, and drawn towards the others (`pooled`); overall too."""
        return self._groups.copy()

    @property
    def four_fifths(self) -> pd.DataFrame:
        """The ratio of selection rates against four fifths: `answer` is `pass`, `fail` or `inconclusive` by its interval.

        Beside a reference there is a row for every other group, and ratios above 1 are turned over.
        """
        part = self._frame[(self._frame["criterion"] == "demographic_parity").to_numpy()].reset_index(drop=True)
        keys = [name for name in (*self.cohort_columns, "model", "class") if name in part]
        ends = part[["ratio", "ratio_low", "ratio_high"]].to_numpy(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            turned = 1 / ends[:, [0, 2, 1]]
        least = np.where(ends[:, :1] > 1, turned, ends)
        answer = np.where(
            least[:, 1] >= FOUR_FIFTHS, "pass", np.where(least[:, 2] < FOUR_FIFTHS, "fail", "inconclusive")
        )
        both = part[keys].assign(**dict(zip(("ratio", "ratio_low", "ratio_high"), least.T, strict=True)))
        return both.assign(answer=answer, group_low=part["group_low"], group_high=part["group_high"])

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """Difference and ratio of every criterion with their intervals."""
        del width
        shown = self._frame.drop(columns=["value_low", "value_high"]).rename(
            columns={"difference_corrected": "corrected"}
        )
        shown = shown.rename(columns={"difference_low": "ci_low", "difference_high": "ci_high"})
        if shown["model"].nunique() <= 1:
            shown = shown.drop(columns="model")
        if not (shown["note"] != "").any():
            shown = shown.drop(columns="note")
        return plain_table(
            shown,
            title=self.title,
            notes=[*self._rule(), *self.notes],
            cohort_columns=self.cohort_columns,
            max_rows=max_rows,
        )

    def _rule(self) -> list[str]:
        """The four-fifths rule in words."""
        rule = self.four_fifths
        several = rule["model"].nunique() > 1
        found: dict[str, list[str]] = {}
        for row in rule.to_dict("records"):
            more = [str(row[name]) for name in (*self.cohort_columns, "class") if name in row]
            found.setdefault(row["answer"], []).append(" ".join([*([row["model"]] if several else []), *more]))
        said = [
            f"{answer} ({', '.join(names[:6])}{', …' * (len(names) > 6)})" if any(names) else answer
            for answer, names in found.items()
        ]
        return [f"Four-fifths rule of selection rates: {'; '.join(said)}."] if said else []

    def plot(
        self,
        kind: str = "differences",
        *,
        criterion: str | None = None,
        model: str | None = None,
        ax: Axes | None = None,
        **options: Any,
    ) -> Any:
        """Draw the criteria, or the groups of one of them.

        Parameters
        ----------
        kind : {"differences", "ratios", "groups"}
            Differences around 0, ratios around 1 with the mark of four fifths, or every group's value, raw and pooled.
        criterion : str, optional
            Of the groups: the first when absent.
        model : str, optional
            All when absent.
        ax : Axes, optional
        """
        check_choice("kind", kind, ("differences", "ratios", "groups"), MetricError)
        frame = self._groups if kind == "groups" else self._frame
        if model is not None:
            check_choice("model", model, list(dict.fromkeys(frame["model"])), MetricError)
            frame = frame[(frame["model"] == model).to_numpy()]
        known = list(dict.fromkeys(frame["criterion"]))
        if criterion is not None:
            check_choice("criterion", criterion, known, MetricError)
            frame = frame[(frame["criterion"] == criterion).to_numpy()]
        if kind == "groups":
            from dfevals.plots import forest

            first = frame["metric"].iloc[0] if criterion is None or frame["metric"].nunique() > 1 else None
            part = frame if first is None else frame[(frame["metric"] == first).to_numpy()]
            columns = list(self._groups.columns[: self._groups.columns.get_loc("model")])
            return forest.draw(part, ax, cohort_columns=columns, level=self._level, **options)
        from dfevals.plots.fairness import draw

        return draw(
            frame,
            ax,
            kind=kind,
            cohort_columns=self.cohort_columns,
            against=self._against,
            level=self._level,
            **options,
        )
