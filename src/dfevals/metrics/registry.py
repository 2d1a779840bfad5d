"""The records of all metrics: the single source of names, docs, menus, axis limits, intervals and law tests."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, Literal, TypeVar, overload

import numpy as np
import pandas as pd

from dfevals.exceptions import MetricError, did_you_mean
from dfevals.needs import Cells, Moments, Need, Rows, Scores

__all__ = [
    "AVERAGES",
    "Metric",
    "Parametric",
    "Request",
    "find",
    "is_metric",
    "metric",
    "names",
    "resolve",
    "table",
    "unknown",
]

AVERAGES = ("macro", "micro", "weighted")
LABEL_TASKS = ("binary", "multiclass")
_F = TypeVar("_F", bound=Callable[..., Any])

_RECORDS: dict[str, Metric] = {}
_ALIASES: dict[str, str] = {}


@dataclass(frozen=True)
class Metric:
    """One metric: what it needs, what it returns, and all that docs, menus and gates must know.

    `function` takes one view per need and the parameters, and returns an estimand (see `metrics.estimands`).
    """

    name: str
    function: Callable[..., Any] = field(repr=False)
    needs: tuple[Need | type[Any], ...] = ()
    tasks: tuple[str, ...] = LABEL_TASKS
    family: str = "custom"
    range: tuple[float, float] = (-np.inf, np.inf)
    better: Literal["higher", "lower", "none", "zero", "one"] = "higher"
    aliases: tuple[str, ...] = ()
    averages: bool = False
    whole: bool = False  # multiclass: a function of the whole matrix, not of one class against the rest
    interval: str = ""
    formula: str = ""
    reference: str = ""
    oracle: str = ""
    requires: tuple[str, ...] = ()  # "score", "probability", "pred": what the model must provide
    parameters: tuple[tuple[str, Any], ...] = ()
    pairs: Literal["", "equal", "prevalence"] = ""  # one class against one other: how the pairs are weighted

    @property
    def base(self) -> str:
        """Name without parameters."""
        return self.name.split("(")[0]

    @property
    def doc(self) -> str:
        """First paragraph of the docstring."""
        return " ".join((self.function.__doc__ or "").strip().split("\n\n")[0].split())

    def __reduce__(self) -> tuple[Any, ...]:
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        home = getattr(sys.modules.get(self.function.__module__), getattr(self.function, "__name__", ""), None)
        if home is self.function or self.base not in _PARAMETRIC:
            return Metric, tuple(values.values())
        del values["function"]  # made by a call for these parameters, and made again by the same call
        return _rebuilt, (self.base, values)

    def __str__(self) -> str:
        return self.name

    def __call__(self, *views: Any) -> Any:
        """The estimand of these tallies."""
        return self.function(*views, **dict(self.parameters))


@dataclass(frozen=True)
class Parametric:
    """A metric with parameters, `dfevals.metrics.fbeta(beta=2)`: calling it gives the record with that name."""

    name: str
    build: Callable[..., Metric]
    defaults: tuple[tuple[str, Any], ...]

    def __call__(self, **parameters: Any) -> Metric:
        allowed = dict(self.defaults)
        for key in parameters:
            if key not in allowed:
                raise MetricError(
                    f"{self.name} has no parameter {key!r}. {did_you_mean(key, allowed, noun='Parameters')}"
                )
        shown = ", ".join(f"{key}={value!r}" for key, value in parameters.items())
        values = tuple(sorted({**allowed, **parameters}.items()))
        return replace(self.built(values), name=f"{self.name}({shown})" if shown else self.name, parameters=values)

    def built(self, values: tuple[tuple[str, Any], ...]) -> Metric:
        """The record for these parameters: the same one, so that records compare equal, also after unpickling."""
        try:
            return _built(self, values)
        except TypeError:  # a parameter that cannot be hashed
            return self.build(**dict(values))


_PARAMETRIC: dict[str, Parametric] = {}


@lru_cache(maxsize=512)
def _built(family: Parametric, values: tuple[tuple[str, Any], ...]) -> Metric:
    return family.build(**dict(values))


def _rebuilt(base: str, values: dict[str, Any]) -> Metric:
    """A record that was made by a call for its parameters, after unpickling."""
    _load()
    return replace(_PARAMETRIC[base].built(values["parameters"]), **values)


@dataclass(frozen=True)
class Request:
    """One metric as asked for: the record, the average over classes, the sign, and the label of the table."""

    metric: Metric
    label: str
    average: str | None = None
    negated: bool = False
    outcome: str | None = None

    def __str__(self) -> str:
        return self.label

    @property
    def better(self) -> str:
        """Direction, after a sign change."""
        if not self.negated:
            return self.metric.better
        return {"higher": "lower", "lower": "higher"}.get(self.metric.better, self.metric.better)


@overload
def metric(function: _F, /, **described: Any) -> _F: ...
@overload
def metric(function: None = None, /, **described: Any) -> Callable[[_F], _F]: ...
def metric(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    needs: Any = None,
    range: tuple[float, float] = (-np.inf, np.inf),
    better: str = "higher",
    aliases: Iterable[str] = (),
    tasks: Iterable[str] | None = None,
    averages: bool = False,
    family: str = "custom",
    parameters: Mapping[str, Any] | None = None,
    **described: Any,
) -> Any:
    """Register a metric; afterwards its name works everywhere a metric name does.

    Parameters
    ----------
    function : callable
        With `needs`, a function of one view per need that returns an estimand, such as `dfevals.metrics.Ratio`. Without, any
        `f(y_true, y_pred, sample_weight=None) -> float`; it then runs on the rows of every cohort.
    name : str, optional
        The function's name when absent.
    needs : Need, type or tuple of them, optional
        Such as `dfevals.needs.Cells`.
    range : tuple of float
        Least and greatest possible value.
    better : {"higher", "lower", "none"}
        Direction, used by gates and verdicts.
    aliases, tasks, averages, family, parameters
        Other names; tasks it fits; whether macro/micro/weighted averages make sense; group in tables;
        parameters with their defaults.

    Returns
    -------
    callable
        The function, unchanged.

    Examples
    --------
    >>> import dfevals, numpy as np
    >>> @dfevals.metric(name="share_within_5", better="higher", tasks=["regression"])
    ... def share_within_5(y_true, y_pred, sample_weight=None):
    ...     return float(np.average(abs(y_true - y_pred) <= 5, weights=sample_weight))
    """

    def register(f: Callable[..., Any]) -> Callable[..., Any]:
        label = name or f.__name__
        record = Metric(
            label,
            f if needs is not None else _on_rows(f),
            (Rows(("y_true", "y_pred")),) if needs is None else needs if isinstance(needs, tuple) else (needs,),
            tuple(tasks)
            if tasks is not None
            else (("binary", "multiclass", "regression") if needs is None else LABEL_TASKS),
            family,
            range,
            better,  # type: ignore[arg-type]
            tuple(aliases),
            averages,
            parameters=tuple((parameters or {}).items()),
            **described,
        )
        add(record)
        if parameters:
            _PARAMETRIC[label] = Parametric(label, lambda **_: record, tuple(parameters.items()))
        return f

    return register if function is None else register(function)


def add(record: Metric) -> None:
    """Put a record into the registry; a later one of the same name replaces it."""
    taken = _ALIASES.get(record.name)
    if taken is not None and taken != record.name:
        raise MetricError(f"The name {record.name!r} is an alias of {taken!r}. Choose another name.")
    _RECORDS[record.name] = record
    for alias in record.aliases:
        if alias in _RECORDS:
            raise MetricError(f"The alias {alias!r} of {record.name!r} is the name of another metric.")
        _ALIASES[alias] = record.name


def parametric(name: str, build: Callable[..., Metric], **defaults: Any) -> None:
    """Register a family of metrics whose needs depend on parameters; the default member has the plain name."""
    _PARAMETRIC[name] = Parametric(name, build, tuple(defaults.items()))
    values = tuple(sorted(defaults.items()))
    add(replace(_PARAMETRIC[name].built(values), parameters=values))


def _on_rows(f: Callable[..., Any]) -> Callable[..., Any]:
    """A user's f(y_true, y_pred, sample_weight=None) as a function of the rows of every cohort."""
    from dfevals.metrics.rowwise import on_rows

    return on_rows(f)


def records() -> dict[str, Metric]:
    """All records by name."""
    _load()
    return dict(_RECORDS)


def names() -> list[str]:
    """All names that `ev.metrics([...])` understands, aliases left out."""
    _load()
    averaged = [
        f"{r.name}_{a}" for r in _RECORDS.values() if r.averages for a in AVERAGES if f"{r.name}_{a}" not in _RECORDS
    ]
    return [*_RECORDS, *averaged]


def find(item: Any) -> Request:
    """The metric that a name, record or callable means.

    Raises
    ------
    MetricError
        Unknown name (with the nearest ones), or something that is no metric.
    """
    _load()
    if isinstance(item, Request):
        return item
    if isinstance(item, Metric):
        return Request(item, item.name)
    if isinstance(item, Parametric):
        return Request(item(), item.name)
    if isinstance(item, str):
        found = _by_name(item)
        if found is None:
            raise unknown(item)
        return found
    if callable(item):
        label = getattr(item, "__name__", type(item).__name__)
        return Request(
            Metric(label, _on_rows(item), (Rows(("y_true", "y_pred")),), ("binary", "multiclass", "regression")), label
        )
    raise MetricError(f"{item!r} is no metric. Pass a name, a metric of dfevals.metrics, or a callable.")


def is_metric(item: Any) -> bool:
    """Whether `find` knows what this is; a list, where it knows all of it."""
    if isinstance(item, list | tuple):
        return all(map(is_metric, item))
    _load()
    return _by_name(item) is not None if isinstance(item, str) else callable(item) or isinstance(item, Request | Metric)


def unknown(name: str, more: Sequence[str] = ()) -> MetricError:
    """The error for a name that no metric has, with the nearest ones, `more` among them."""
    near = did_you_mean(name, [*more, *names(), *_ALIASES])
    near = f" {near}" if near else ""
    return MetricError(f"There is no metric {name!r}.{near} dfevals.metrics.table() lists all of them.")


def _by_name(text: str) -> Request | None:
    name = _ALIASES.get(text, text)
    if name in _RECORDS:
        return Request(_RECORDS[name], text)
    call = re.fullmatch(r"(\w+)\((.*)\)", text)
    if call and call[1] in _PARAMETRIC:
        record = _PARAMETRIC[call[1]](**_arguments(call[2], text))
        return Request(replace(record, name=text), text)
    stem, _, average = text.rpartition("_")
    stem = _ALIASES.get(stem, stem)
    if average in AVERAGES and stem in _RECORDS and _RECORDS[stem].averages:
        return Request(_RECORDS[stem], text, average)
    if text.startswith("neg_"):
        positive = _by_name(text[4:])
        return None if positive is None else replace(positive, label=text, negated=True)
    return None


def _arguments(text: str, whole: str) -> dict[str, Any]:
    """Keyword arguments of a metric written as text, literals only."""
    import ast

    try:
        call = ast.parse(f"f({text})", mode="eval").body
        assert isinstance(call, ast.Call)
        if call.args:
            raise ValueError
        return {str(key.arg): ast.literal_eval(key.value) for key in call.keywords}
    except (SyntaxError, ValueError, AssertionError):
        raise MetricError(f"Cannot read the metric {whole!r}. Write it like 'fbeta(beta=2)'.") from None


def resolve(items: Any, task: str, *, default: Sequence[str] = ()) -> tuple[Request, ...]:
    """Requests for a list of metrics, checked against the task.

    Raises
    ------
    MetricError
        Empty list, unknown metric, or one that does not fit the task.
    """
    if items is None:
        items = list(default)
    if isinstance(items, str | Metric | Parametric | Request) or callable(items):
        items = [items]
    requests = [find(item) for item in items]
    if not requests:
        raise MetricError("The list of metrics is empty.")
    seen: dict[str, int] = {}
    unique = []
    for request in requests:
        fits = request.metric.tasks
        if task not in fits and not (task != "clustering" and "outcomes" in fits):
            options = [r.name for r in _RECORDS.values() if task in r.tasks]
            near = f" {hint}" if (hint := did_you_mean(request.label, options)) else ""
            raise MetricError(
                f"{request.label!r} is a metric for {' and '.join(fits)}; this evaluation is {task}.{near} "
                f"Metrics that fit: {', '.join(options[:14])}, …"
            )
        if request.average == "micro" and not any(n is Cells for n in request.metric.needs):
            raise MetricError(f"{request.label!r}: a micro average is not defined for ranking metrics.")
        if request.label not in seen:
            unique.append(request)
        seen[request.label] = 1
    return tuple(unique)


def table() -> pd.DataFrame:
    """All metrics as a DataFrame: name, aliases, family, needs, range, better, interval, formula, reference.

    Examples
    --------
    >>> import dfevals
    >>> table = dfevals.metrics.table().set_index("name")
    >>> table.loc["precision", "aliases"]
    'ppv, precision_score'
    """
    _load()
    rows = []
    for record in _RECORDS.values():
        low, high = record.range
        rows.append(
            {
                "name": record.name,
                "aliases": ", ".join(record.aliases),
                "family": record.family,
                "needs": ", ".join(
                    sorted({n.__name__ if isinstance(n, type) else type(n).__name__ for n in record.needs})
                ),
                "range": f"[{low:g}, {high:g}]".replace("inf]", "∞)").replace("[-inf", "(−∞").replace("-", "−"),
                "better": record.better,
                "interval": record.interval,
                "formula": record.formula,
                "reference": record.reference,
                "tasks": ", ".join(record.tasks),
                "averages": record.averages,
                "description": record.doc,
            }
        )
    return pd.DataFrame(rows)


def _load() -> None:
    """Import the families, whose modules register their records."""
    import dfevals.metrics.families  # noqa: F401


def scores_of(record: Metric, n_classes: int, task: str) -> tuple[Scores, ...]:
    """The `Scores` needs of a ranking metric: one in a binary task, one per class otherwise."""
    if task == "binary":
        return (Scores(),)
    return tuple(Scores(k) for k in range(n_classes))


def is_moments(need: Any) -> bool:
    """Whether a need is a set of moments."""
    return isinstance(need, Moments)
