"""What `ev.drift` returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import render, words
from dfevals.exceptions import DataError, check_choice
from dfevals.results.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["DriftResult"]

MANY = 6  # columns from which on a chart shows all rows alone, without the cohorts


class DriftResult(Result):
    """How far every column has moved, the most moved first; made by `ev.drift`.

    Attributes
    ----------
    frame : DataFrame
        Cohort columns, then `column, role, kind, effect, effect_low, effect_high, ks, psi, wasserstein, jensen_shannon,
        p_value, p_corrected, verdict, n, n_reference, missing, missing_reference, note`.
    shift : DataFrame
        Change of labels, of scores, and of labels within equal scores (`concept`), per model.
    bins : DataFrame
        `column, bin, share_reference, share` of all rows.
    """

    _tab = ""

    def __init__(
        self,
        frame: pd.DataFrame,
        *,
        shift: pd.DataFrame,
        bins: pd.DataFrame,
        least: float,
        level: float,
        **options: Any,
    ) -> None:
        super().__init__(frame, **options)
        self.shift, self.bins = shift, bins
        self.least, self._level = least, level

    @property
    def moved(self) -> tuple[str, ...]:
        """Columns of all rows whose verdict is "moved"."""
        overall = self._frame[self._frame["is_overall"] & (self._frame["verdict"] == "moved")]
        return tuple(overall["column"])

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """Columns by effect, with interval, distances, corrected p and verdict."""
        del width
        shown = self._frame.head(max_rows)
        columns = [
            render.text_column(name, shown[name].tolist(), header=True, merge=True) for name in self.cohort_columns
        ]
        columns += [
            render.text_column(name, shown[name].tolist(), header=name == "column") for name in ("column", "role")
        ]
        value, low, high = (shown[name].to_numpy(float) for name in ("effect", "effect_low", "effect_high"))
        top = max(float(np.nanmax(np.append(high, 2 * self.least))), 1e-9)
        columns.append(render.estimate_column("effect", value, low, high, axis=(0.0, top), reference=self.least))
        columns += [render.number_column(name, shown[name].tolist()) for name in ("psi", "ks", "wasserstein")]
        columns.append(render.text_column("p corrected", [words.p_value(p) for p in shown["p_corrected"]]))
        columns.append(render.text_column("verdict", shown["verdict"].tolist()))
        if (self._frame[["missing", "missing_reference"]] > 0).any(axis=None):
            gone = zip(shown["missing_reference"], shown["missing"], strict=True)
            columns.append(render.text_column("missing before, now", [f"{a:.1%}, {b:.1%}" for a, b in gone]))
        if (self._frame["note"] != "").any():
            columns.append(render.text_column("note", shown["note"].tolist(), wrap=True))
        hidden = len(self._frame) - len(shown)
        more = f"{hidden:,} more rows; the whole table is in .frame" if hidden else ""
        return render.Table(columns, title=self.title, notes=self._told(), more=more)

    def _told(self) -> list[str]:
        """Notes, with what the change of labels and scores says in one line each."""
        said = []
        for row in self.shift[self.shift["verdict"] == "changed"].to_dict("records"):
            what = {"label": "the mean label", "score": "the mean score", "concept": "the label within equal scores"}[
                row["shift"]
            ]
            change = words.estimate(row["effect"], row["effect_low"], row["effect_high"])
            said.append(f"{row['model']}: {what} changed by {change}.")
        return [*said, *self.notes]

    def plot(self, kind: str = "columns", ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the effects, or the shares of one column's bins.

        Parameters
        ----------
        kind : {"columns", "bins"}
            "columns": effects with intervals, and the least that matters; "bins": both distributions of `column=`.
        ax : Axes, optional
        **options
            `column` (of "bins"; the most moved when absent), `limit` (of "columns"), `dark`.

        Returns
        -------
        Axes
        """
        from dfevals.plots import drift as chart

        check_choice("kind", kind, ("columns", "bins"), DataError)
        if kind == "bins":
            known = set(self.bins["column"])
            first = next((name for name in self._frame["column"] if name in known), None)
            return chart.draw_bins(self.bins, ax, title=self.title, **{"column": first, **options})
        many = self._frame["column"].nunique() > MANY and not self._frame["is_overall"].all()
        return chart.draw(
            self._frame[self._frame["is_overall"]] if many else self._frame,
            ax,
            least=self.least,
            level=self._level,
            cohort_columns=self.cohort_columns,
            title=self.title,
            **options,
        )
