"""What a reader hands over: runs, each with its rows as columns and its outcomes; and the frame that several make."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Literal

import numpy as np
import pandas as pd

from dfevals.columns.plain_values import column_of
from dfevals.exceptions import DataError
from dfevals.roles.declared import Outcome, Roles
from dfevals.roles.origin import Origin
from dfevals.roles.records import RECORDS

__all__ = ["Columns", "Run", "count", "free_name", "joined", "many", "said", "score", "settings_of"]

#: Columns that every log has where it tells them; in this order, and no group or outcome takes their names.
FIRST = ("id", "task", "model", "repeat")
LAST = (
    *("prompt", "response", "reference", "context", "tool_calls", "trajectory"),
    *("tokens", "input_tokens", "output_tokens", "cached_tokens", "cost", "latency", "error", "release", "run", "file"),
)
Kind = Literal["pass", "score", "category"]
ROLES = tuple(name for name in (*FIRST, *LAST) if name in RECORDS and name != "task")


class Columns:
    """Columns that grow by rows; what a row lacks is None.

    Examples
    --------
    >>> columns = Columns()
    >>> columns.add({"a": 1})
    >>> columns.add({"b": 2})
    >>> columns.whole()
    {'a': [1, None], 'b': [None, 2]}
    """

    def __init__(self) -> None:
        self.n = 0
        self._values: dict[str, list[Any]] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """One row more."""
        for name, value in row.items():
            column = self._values.get(name)
            if column is None:
                column = self._values[name] = []
            if len(column) < self.n:
                column.extend([None] * (self.n - len(column)))
            column.append(value)
        self.n += 1

    def extend(self, part: Mapping[str, Sequence[Any]], n: int) -> None:
        """`n` rows more, column by column."""
        for name, values in part.items():
            column = self._values.setdefault(name, [])
            if len(column) < self.n:
                column.extend([None] * (self.n - len(column)))
            column.extend(values)
        self.n += n

    def whole(self) -> dict[str, list[Any]]:
        """All columns, each with a value for every row."""
        for column in self._values.values():
            column.extend([None] * (self.n - len(column)))
        return self._values


@dataclass
class Run:
    """Rows of one model on one task, as one tool wrote them.

    Attributes
    ----------
    source : str
        Name of the file, for messages.
    task, model : str
    columns : {name: list}
        Of one length; `id` is the sample's own.
    outcomes : {column: Outcome}
    release : str, optional
        What tells this run from another of the same model.
    settings : {name: text}
        What should agree between runs that are compared; differences are said.
    notes : list of str
        What was left out or read in a way that is to be known.
    content : list, optional
        What each row asks, to see whether an id means the same in two runs.
    """

    source: str
    task: str
    model: str
    columns: dict[str, list[Any]]
    outcomes: dict[str, Outcome]
    release: str | None = None
    settings: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    content: Callable[[], list[Any]] | None = None

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()), ()))


def free_name(name: str, prefix: str, taken: Iterable[str] = ()) -> str:
    """The name of a column of groups: its own, or with a prefix where a log has a column of that name.

    Examples
    --------
    >>> free_name("subject", "doc"), free_name("id", "doc")
    ('subject', 'doc_id')
    """
    return f"{prefix}_{name}" if name in FIRST or name in LAST or name in taken else name


def score(value: Any) -> float | None:
    """A score as a number; None where it is none: missing, NaN or infinite.

    Examples
    --------
    >>> score(True), score(0.5), score(float("nan")), score("0.5")
    (1.0, 0.5, None, None)
    """
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if np.isfinite(number) else None


def count(value: Any) -> int | None:
    """A whole number, also written as text, as 64-bit numbers are in JSON; None where it is none.

    Examples
    --------
    >>> count(7), count("9007199254740993"), count(None), count(1.5)
    (7, 9007199254740993, None, None)
    """
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 63:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63 else None


def many(n: int, noun: str) -> str:
    """A count and its noun.

    Examples
    --------
    >>> many(1, "row"), many(2_000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{n:,} {noun}{'s' * (n != 1)}"


def said(value: Any, length: int = 120) -> str:
    """The first line of a message, for a note."""
    text = " ".join(str(value).split())
    return text if len(text) <= length else text[: length - 1] + "…"


def joined(runs: Sequence[Run], title: str, notes: Sequence[str]) -> pd.DataFrame:
    """The rows of all runs below each other, with roles and what is to be known of them in `attrs`.

    Parameters
    ----------
    runs : sequence of Run
    title : str
        Tool and version, for the card.
    notes : sequence of str
        Of the files as a whole.

    Raises
    ------
    DataError
        There are no rows.
    """
    runs = [run for run in _named(runs) if run.n]
    if not runs:
        raise DataError(f"{title}: the log holds no samples.")
    told = [*notes, *chain.from_iterable(run.notes for run in runs), *_differences(runs)]
    ids, more = _ids(runs)
    columns = _columns(runs, ids)
    outcomes = tuple(_outcomes(runs, columns))
    frame = pd.DataFrame({name: column_of(values) for name, values in columns.items()})
    roles = _roles(frame, outcomes)
    frame.attrs["dfevals"] = roles.to_json()
    counted = [_counted(runs, title), *dict.fromkeys([*told, *more]), *_missing(frame, outcomes)]
    Origin(tuple(counted), "task").keep(frame)
    return frame


def _counted(runs: Sequence[Run], title: str) -> str:
    n, files = sum(run.n for run in runs), len({run.source for run in runs})
    return f"{many(n, 'row')} of {many(files, 'file')} of {title}."


# Which run is which


def _named(runs: Sequence[Run]) -> list[Run]:
    """Runs of which no two have a model and a task in common: those of one model are told apart by release, or file."""
    times = Counter((run.model, run.task) for run in runs)
    several = {model for (model, _), n in times.items() if n > 1}
    by: dict[str, set[tuple[str, str | None]]] = defaultdict(set)
    for run in runs:
        by[run.model].add((run.task, run.release))
    unique = {model: len(by[model]) == sum(run.model == model for run in runs) for model in several}

    def name(run: Run) -> str:
        if run.model not in several:
            return run.model
        return f"{run.model} ({run.release if unique[run.model] and run.release else run.source})"

    return [replace(run, model=name(run)) for run in runs]


def _differences(runs: Sequence[Run]) -> Iterator[str]:
    """What should agree between the runs of a task and does not."""
    for task, mine in _by_task(runs).items():
        for name in dict.fromkeys(chain.from_iterable(run.settings for run in mine)):
            values: dict[str, list[str]] = defaultdict(list)
            for run in mine:
                values[run.settings.get(name, "not told")].append(run.model)
            if len(values) > 1:
                told = "; ".join(f"{value} ({', '.join(dict.fromkeys(models))})" for value, models in values.items())
                yield f"{task}: the runs differ in {name}: {told}."


def _by_task(runs: Sequence[Run]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        found[run.task].append(run)
    return found


def _ids(runs: Sequence[Run]) -> tuple[list[str], list[str]]:
    """The id of every row, which holds its task; by what was asked where the sample's own id means different things."""
    notes, shifted = [], set()
    for task, mine in _by_task(runs).items():
        different = _unlike(mine)
        if different:
            shifted.add(task)
            notes.append(
                f"{task}: {many(different, 'id')} stand for different questions in the runs, so rows are paired by what was asked."
            )
    ids: list[str] = []
    for run in runs:
        own = run.content() if run.task in shifted and run.content is not None else run.columns["id"]
        ids += [f"{run.task}/{value}" for value in own]
    return ids, notes


def _unlike(runs: Sequence[Run]) -> int:
    """How many ids of a task ask different things in different runs."""
    models = {run.model for run in runs}
    if len(models) < 2 or any(run.content is None for run in runs):
        return 0
    asked: dict[Any, Any] = {}
    different = set()
    for run in runs:
        assert run.content is not None
        for own, content in zip(run.columns["id"], run.content(), strict=True):
            if asked.setdefault(own, content) != content:
                different.add(own)
    return len(different)


# The frame


def _columns(runs: Sequence[Run], ids: list[str]) -> dict[str, list[Any]]:
    own = list(dict.fromkeys(name for run in runs for name in run.columns))
    outcomes = dict.fromkeys(name for run in runs for name in run.outcomes)
    middle = [name for name in own if name not in FIRST and name not in LAST and name not in outcomes]
    order = [*FIRST, *outcomes, *middle, *LAST]
    found: dict[str, list[Any]] = {"id": ids}
    for name in order[1:]:
        if name in own or name in ("task", "model", "release", "file"):
            values = list(chain.from_iterable(_values(run, name) for run in runs))
            if any(value is not None for value in values) or name in outcomes:
                found[name] = values
        for run in runs:  # as the frame grows, the rows' own lists go
            if name != "id":
                run.columns.pop(name, None)
    return found


def _values(run: Run, name: str) -> Sequence[Any]:
    fixed = {"task": run.task, "model": run.model, "release": run.release, "file": run.source}
    if name in fixed and name not in run.columns:
        return [fixed[name]] * run.n
    values: Sequence[Any] = run.columns.get(name, [None] * run.n)
    return values


def _outcomes(runs: Sequence[Run], columns: Mapping[str, list[Any]]) -> Iterator[Outcome]:
    """Outcomes with their kind by what the rows hold, and the range that the tool states where they keep to it."""
    for name in dict.fromkeys(name for run in runs for name in run.outcomes):
        declared = next(run.outcomes[name] for run in runs if name in run.outcomes)
        known = {value for value in columns[name] if value is not None}
        if declared.kind is None:
            texts = any(isinstance(value, str) for value in known)
            kind: Kind = "category" if texts else "pass" if known and known <= {0, 1} else "score"
            declared = replace(declared, kind=kind)
        span = declared.range
        if span is not None and (declared.kind != "score" or not all(span[0] <= value <= span[1] for value in known)):
            declared = replace(declared, range=None)
        if declared.error_column is not None and _both(columns[name], columns.get(declared.error_column)):
            declared = replace(declared, error_column=None)
        yield declared


def _both(values: Sequence[Any], errors: Sequence[Any] | None) -> bool:
    """Whether a row has a value beside an error, or there are no errors: then the column does not say which failed."""
    if errors is None:
        return True
    return any(e is not None and v is not None for v, e in zip(values, errors, strict=True))


def _roles(frame: pd.DataFrame, outcomes: tuple[Outcome, ...]) -> Roles:
    found: dict[str, Any] = {role: role for role in ROLES if role in frame and role != "repeat"}
    if "repeat" in frame and frame["repeat"].nunique() > 1:
        found |= {"repeat": "repeat", "unit": "id"}
    if "release" in frame and frame["release"].isna().any():
        del found["release"]
    return Roles.build(found, outcomes=outcomes)


def _missing(frame: pd.DataFrame, outcomes: Iterable[Outcome]) -> Iterator[str]:
    """How many rows an outcome has no value for, by the reason."""
    failed = frame["error"].notna() if "error" in frame else pd.Series(False, index=frame.index)
    if failed.any():
        n = int(failed.sum())
        yield f"{many(n, 'row')} {'has' if n == 1 else 'have'} an error."
    for outcome in outcomes:
        absent = frame[outcome.column].isna()
        tasks = frame["task"][~absent].unique()
        foreign = ~frame["task"].isin(tasks)
        left = int((absent & ~failed & ~foreign).sum())
        if foreign.any() and not foreign.all():
            yield f"{outcome.column}: no score of {', '.join(map(str, frame['task'][foreign].unique()[:5]))}."
        if left:
            yield f"{outcome.column}: {many(left, 'row')} without an error {'was' if left == 1 else 'were'} not scored."


def settings_of(**given: Any) -> dict[str, str]:
    """Settings as short texts, without those that are not told."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
        for name, value in given.items()
        if value is not None
    }
