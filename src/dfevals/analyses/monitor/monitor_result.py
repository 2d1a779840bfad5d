"""What `ev.monitor` returns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals import render, words
from dfevals.results.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MonitorResult"]


class MonitorResult(Result):
    """A metric by period with limits and alarms; made by `ev.monitor`.

    Attributes
    ----------
    frame : DataFrame
        Cohort columns, then `model, metric, period, value, ci_low, ci_high, n, note, is_overall, centre, limit_low,
        limit_high, sequence_low, sequence_high, deviate, evidence, outside, alarm`.
    alarms : DataFrame
        One row per series in alarm: `alarm_at`, `since` with its interval, values before and after, `evidence`.
    """

    _tab = ""

    def __init__(self, frame: pd.DataFrame, *, alarms: pd.DataFrame, level: float, **options: Any) -> None:
        super().__init__(frame, **options)
        self.alarms, self._level = alarms, level

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """The latest periods of every series, newest last, with limits and alarms."""
        del width
        shown = self._frame.groupby([*self.cohort_columns, "model", "metric"], sort=False, observed=True).tail(
            max(max_rows // max(self._series, 1), 3)
        )
        shown = shown.head(max_rows)
        several = [name for name in ("model", "metric") if self._frame[name].nunique() > 1]
        columns = [
            render.text_column(name, shown[name].tolist(), header=True, merge=True)
            for name in (*self.cohort_columns, *several)
        ]
        columns.append(render.text_column("period", shown["period"].tolist(), header=True))
        value, low, high = (shown[name].to_numpy(float) for name in ("value", "ci_low", "ci_high"))
        ends = [*low, *high, *shown["limit_low"], *shown["limit_high"]]
        known = np.array([end for end in ends if np.isfinite(end)])
        axis = (float(known.min()), float(known.max())) if len(known) and known.min() < known.max() else None
        name = str(self._frame["metric"].iloc[0]) if len(self._frame) else "value"
        columns.append(
            render.estimate_column(
                name if not several else "value", value, low, high, axis=axis, reference=shown["centre"].to_numpy(float)
            )
        )
        limits = [
            words.interval(a, b, words.places((a + b) / 2, a, b)) if np.isfinite(a) else ""
            for a, b in zip(shown["limit_low"], shown["limit_high"], strict=True)
        ]
        columns.append(render.text_column("limits", limits))
        marks = [
            "ALARM" if a else "outside" if o else "" for a, o in zip(shown["alarm"], shown["outside"], strict=True)
        ]
        columns.append(render.text_column("", marks))
        columns.append(render.count_column("n", shown["n"].tolist()))
        hidden = len(self._frame) - len(shown)
        more = f"{hidden:,} earlier periods; the whole table is in .frame" if hidden else ""
        return render.Table(columns, title=self.title, notes=[*self._said(), *self.notes], more=more)

    @property
    def _series(self) -> int:
        return int(self._frame.groupby([*self.cohort_columns, "model", "metric"], observed=True).ngroups)

    def _said(self) -> list[str]:
        said = []
        for row in self.alarms.to_dict("records"):
            who = " · ".join(str(row[name]) for name in (*self.cohort_columns, "model"))
            since = (
                row["since"]
                if row["since_low"] == row["since_high"]
                else f"{row['since']} ({row['since_low']} to {row['since_high']})"
            )
            said.append(
                f"{who}: {row['metric']} changed from {words.number(row['before'])} to {words.number(row['after'])} since {since}."
            )
        return said

    def prometheus(self, prefix: str = "dfevals") -> str:
        """The latest period of every series in Prometheus' text format, for node_exporter's textfile collector.

        Gauges of the value, its bounds and limits, and of the alarm (0 or 1); labels are the cohorts, model and metric.

        Parameters
        ----------
        prefix : str
            Of the names of the gauges.

        Returns
        -------
        str
            Ends in a newline; a value that is undefined is left out.
        """
        keys = [*self.cohort_columns, "model", "metric"]
        latest = self._frame.groupby(keys, sort=False, observed=True).tail(1)
        gauges = {
            "value": "Value of the latest period.", "ci_low": "Lower bound of its interval.", "ci_high": "Upper bound of its interval.",
            "limit_low": "Lower control limit.", "limit_high": "Upper control limit.", "n": "Rows of the latest period.",
            "alarm": "Whether the series has changed.",
        }  # fmt: skip
        lines = []
        for name, told in gauges.items():
            full = f"{_metric_name(prefix)}_{name}"
            lines += [f"# HELP {full} {told}", f"# TYPE {full} gauge"]
            for row in latest.to_dict("records"):
                if np.isfinite(float(row[name])):
                    labels = ",".join(f'{_label_name(key)}="{_escaped(row[key])}"' for key in keys)
                    lines.append(f"{full}{{{labels}}} {float(row[name])!r}")
        return "\n".join(lines) + "\n"

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the run chart: values with intervals, limits, and where a change began.

        Parameters
        ----------
        ax : Axes, optional
        **options
            `cohort` (a tuple of the cohort's values; all rows when absent), `model`, `dark`.

        Returns
        -------
        Axes
        """
        from dfevals.plots.monitor import draw

        return draw(
            self._frame,
            self.alarms,
            ax,
            cohort_columns=self.cohort_columns,
            title=self.title,
            level=self._level,
            **options,
        )


def _metric_name(text: str) -> str:
    return re.sub("[^a-zA-Z0-9_:]", "_", text) or "dfevals"


def _label_name(text: str) -> str:
    found = re.sub("[^a-zA-Z0-9_]", "_", str(text)).lstrip("_")
    return found if found and not found[0].isdigit() else f"c_{found}"


def _escaped(text: object) -> str:
    return str(text).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
