"""Asking a metric by period: of all rows, and of every cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dfevals.analyses.monitor.monitor import WAYS, Asked, monitor
from dfevals.analyses.monitor.monitor_result import MonitorResult
from dfevals.cohorts import period as by_period
from dfevals.exceptions import CohortError, MetricError, RoleError, check_choice
from dfevals.inference.levels import check_level

if TYPE_CHECKING:
    from dfevals.evaluation import Evaluation

__all__ = ["monitored"]

RECURRING = ("weekday", "month_of_year", "hour_of_day")


def monitored(
    ev: Any, models: list[str], metric: Any, grain: str, by: Any, *, level: float, alpha: float, least: float,
    direction: str, min_n: int | None,
) -> MonitorResult:  # fmt: skip
    """See `Evaluation.monitor`."""
    check_level(level)
    check_choice("direction", direction, WAYS, MetricError)
    if not 0 < alpha < 1 or least < 0:
        raise MetricError("alpha lies between 0 and 1, and min_effect is 0 or more.")
    time = ev.roles.time
    if time is None:
        raise RoleError("A metric over time needs to know when a row was made. Pass time= with the column.")
    periods = by_period(time, grain)
    if periods.grain in RECURRING:
        raise CohortError(
            f"period={grain!r} recurs, so that periods have no order. Choose day, week, month, quarter or year."
        )
    asked = _first(ev, models) if metric is None else metric
    if isinstance(asked, list | tuple):
        if len(asked) != 1:
            raise MetricError("monitor follows one metric; ask once for each.")
        asked = asked[0]
    parts = []
    for groups in ([], _groups(by)) if by is not None else ([],):
        definition = [*groups, periods]
        result = ev.metrics([asked], by=definition, models=models, level=level, min_n=min_n if groups else None)
        parts.append((result, str(result.cohort_columns[-1])))
    name = str(parts[0][0].frame["metric"].iloc[0]) if len(parts[0][0].frame) else str(asked)
    title = f"{name} by {periods.grain}" + (
        f" and {', '.join(map(str, parts[-1][0].cohort_columns[:-1]))}" if by is not None else ""
    )
    provenance = ev._provenance([*_groups(by), periods] if by is not None else [periods], min_n)
    return monitor(parts, Asked(level, alpha, least, direction), provenance=provenance, title=title)


def _first(ev: Evaluation, models: list[str]) -> str:
    """The first default metric."""
    return str(ev.metrics(models=models, level=None).frame["metric"].iloc[0])


def _groups(by: Any) -> list[Any]:
    if isinstance(by, dict):
        raise CohortError("Named expressions cannot be crossed with periods. Give columns, bins or quantiles.")
    return list(by) if isinstance(by, list | tuple) else [by]
