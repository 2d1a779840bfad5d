"""The front doors: `df.evals` on every DataFrame, and `dfevals.evaluate` for any source."""

from __future__ import annotations

import os
import sys
from collections.abc import Hashable, Iterable, Mapping, Sequence
from enum import Enum
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from dfevals.exceptions import RoleError
from dfevals.roles.declared import Outcome, Roles, not_named
from dfevals.roles.records import RECORDS, describes_roles

if TYPE_CHECKING:
    from typing import Never

    from dfevals.evaluation import Evaluation

__all__ = ["EvalsAccessor", "evaluate"]


class Unset(Enum):
    """What a role is that was not given: None takes back one that is kept with the frame."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return self.value


UNSET = Unset.UNSET
Column = Hashable
ByModel = Hashable | Sequence[Hashable] | Mapping[str, Any]
Outcomes = str | Outcome | Mapping[str, Any] | Sequence[str | Outcome | Mapping[str, Any]] | None
Task = Literal["binary", "multiclass", "multilabel", "regression", "clustering", "outcomes"]


@pd.api.extensions.register_dataframe_accessor("evals")
class EvalsAccessor:
    """`df.evals(...)`: evaluate the predictions in a DataFrame.

    Examples
    --------
    >>> import dfevals
    >>> df = dfevals.datasets.load("adult")
    >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
    >>> ev.metrics("roc_auc").frame["value"].round(2).item()
    0.93
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    @describes_roles
    def __call__(
        self,
        roles: Roles | Mapping[str, Any] | None = None,
        /,
        *unnamed: Never,
        y_true: Column | Unset = UNSET,
        y_pred: ByModel | Unset = UNSET,
        y_score: ByModel | Unset = UNSET,
        y_lower: ByModel | Unset = UNSET,
        y_upper: ByModel | Unset = UNSET,
        outcomes: Outcomes | Unset = UNSET,
        sample_weight: Column | Unset = UNSET,
        weight_kind: Literal["importance", "frequency"] | Unset | None = UNSET,
        cluster: Column | Unset = UNSET,
        unit: Column | Unset = UNSET,
        id: Column | Unset = UNSET,
        model: Column | Unset = UNSET,
        fold: Column | Unset = UNSET,
        repeat: Column | Unset = UNSET,
        time: Column | Unset = UNSET,
        release: Column | Unset = UNSET,
        response: Column | Unset = UNSET,
        reference: Column | Unset = UNSET,
        context: Column | Unset = UNSET,
        tool_calls: Column | Unset = UNSET,
        trajectory: Column | Unset = UNSET,
        tokens: Column | Unset = UNSET,
        cost: Column | Unset = UNSET,
        latency: Column | Unset = UNSET,
        error: Column | Unset = UNSET,
        pos_label: Any = UNSET,
        labels: Iterable[Any] | Unset | None = UNSET,
        threshold: float | Unset | None = UNSET,
        score_kind: Literal["probability", "margin"] | Unset | None = UNSET,
        task: Task | Unset | None = UNSET,
        cohorts: Any = UNSET,
        **unknown: Never,
    ) -> Evaluation:
        """Evaluate the predictions in these rows.

        Parameters
        ----------
        roles : Roles or mapping, optional
            Such as `ev.roles` of another evaluation; keyword arguments override it.
        *unnamed
            Nothing: a role that is given by place raises an error that names the roles.
        {roles}
        **unknown
            Nothing: a role that there is not raises an error that names the nearest one.

        Returns
        -------
        Evaluation

        Raises
        ------
        RoleError
            A column is missing, ambiguous or contradicts another; the message names the fix.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K").task
        'binary'
        """
        return evaluate(self._frame, roles, *unnamed, **_given(locals()))

    @describes_roles
    def set_roles(
        self,
        roles: Roles | Mapping[str, Any] | None = None,
        /,
        *unnamed: Never,
        y_true: Column | Unset = UNSET,
        y_pred: ByModel | Unset = UNSET,
        y_score: ByModel | Unset = UNSET,
        y_lower: ByModel | Unset = UNSET,
        y_upper: ByModel | Unset = UNSET,
        outcomes: Outcomes | Unset = UNSET,
        sample_weight: Column | Unset = UNSET,
        weight_kind: Literal["importance", "frequency"] | Unset | None = UNSET,
        cluster: Column | Unset = UNSET,
        unit: Column | Unset = UNSET,
        id: Column | Unset = UNSET,
        model: Column | Unset = UNSET,
        fold: Column | Unset = UNSET,
        repeat: Column | Unset = UNSET,
        time: Column | Unset = UNSET,
        release: Column | Unset = UNSET,
        response: Column | Unset = UNSET,
        reference: Column | Unset = UNSET,
        context: Column | Unset = UNSET,
        tool_calls: Column | Unset = UNSET,
        trajectory: Column | Unset = UNSET,
        tokens: Column | Unset = UNSET,
        cost: Column | Unset = UNSET,
        latency: Column | Unset = UNSET,
        error: Column | Unset = UNSET,
        pos_label: Any = UNSET,
        labels: Iterable[Any] | Unset | None = UNSET,
        threshold: float | Unset | None = UNSET,
        score_kind: Literal["probability", "margin"] | Unset | None = UNSET,
        task: Task | Unset | None = UNSET,
        cohorts: Any = UNSET,
        **unknown: Never,
    ) -> pd.DataFrame:
        """Keep roles with the frame, in `df.attrs["dfevals"]` as JSON; returns the frame.

        They survive query, masks, assign, copy and parquet; not merge, concat or CSV.

        Parameters
        ----------
        roles : Roles or mapping, optional
            Such as `ev.roles` of another evaluation; keyword arguments override it.
        *unnamed
            Nothing: a role that is given by place raises an error that names the roles.
        {roles}
        **unknown
            Nothing: a role that there is not raises an error that names the nearest one.

        Returns
        -------
        DataFrame
            The frame itself.

        Raises
        ------
        RoleError
            A column is missing, ambiguous or contradicts another; the message names the fix.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> df.evals.set_roles(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K").evals().models
        ('gbm',)
        """
        from dfevals.roles.bound import bind

        given = _given(locals())
        if unnamed:
            raise not_named(roles, *unnamed)
        built = Roles.build(roles, **given)
        bind(self._frame, built.inferred(self._frame.columns))
        self._frame.attrs["dfevals"] = built.to_json()
        return self._frame

    @property
    def roles(self) -> Roles:
        """Roles kept with the frame; empty if there are none."""
        return _kept(self._frame)

    def annotate(self, evaluators: Any, **options: Any) -> pd.DataFrame:
        """Add the columns of evaluators (`<name>`, `<name>_passed`, `<name>_reason`, `<name>_error`) and their roles.

        Parameters
        ----------
        evaluators : list of evaluators or callables
        **options
            `progress`, `cache`, `max_concurrency`, `random_state` as in `dfevals.evaluators.annotate`.
        """
        from dfevals.evaluators import annotate

        found = annotate(self._frame, evaluators, **options)
        kept = _kept(self._frame)
        frame = found.frame
        known = {outcome.column for outcome in found.outcomes}
        outcomes = (*(o for o in kept.outcomes if o.column not in known), *found.outcomes)
        frame.attrs["dfevals"] = Roles.build(kept, outcomes=outcomes).to_json()
        return frame

    def explore(self, **state: Any) -> Any:
        """The explorer of these rows, with the roles kept with the frame."""
        return evaluate(self._frame).explore(**state)

    def __repr__(self) -> str:
        return (
            "df.evals: call it with roles, as in df.evals(y_true='label', y_score='score'). Then .metrics(by='column')."
        )


class PolarsEvals:
    """`df.evals(...)` on a frame of Polars, also a lazy one: `dfevals.evaluate(df, ...)`.

    Examples
    --------
    >>> import polars
    >>> frame = polars.DataFrame({"y": [0, 1, 1], "p": [0.2, 0.9, 0.4]})
    >>> frame.lazy().evals(y_true="y", y_score="p").metrics("accuracy", level=None).frame["value"].round(2).item()
    0.67
    """

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __call__(self, *roles: Any, **named: Any) -> Evaluation:
        """Evaluate the predictions in these rows; roles as in `dfevals.evaluate`."""
        return evaluate(self._frame, *roles, **named)


class _WhenImported(MetaPathFinder):
    """Puts `.evals` on Polars' frames when Polars is imported, which dfevals itself does not do."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "polars":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_register(module: Any) -> None:
                run(module)
                _register(module)

            spec.loader.exec_module = run_and_register  # type: ignore[method-assign]
        return spec


def _register(polars: Any) -> None:
    polars.api.register_dataframe_namespace("evals")(PolarsEvals)
    polars.api.register_lazyframe_namespace("evals")(PolarsEvals)


def on_polars() -> None:
    """Put `.evals` on Polars' frames: now if Polars is imported, else when it is."""
    if "polars" in sys.modules:
        _register(sys.modules["polars"])
    elif not any(isinstance(finder, _WhenImported) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WhenImported())


@describes_roles
def evaluate(
    source: Any,
    roles: Roles | Mapping[str, Any] | None = None,
    /,
    *unnamed: Never,
    y_true: Column | Unset = UNSET,
    y_pred: ByModel | Unset = UNSET,
    y_score: ByModel | Unset = UNSET,
    y_lower: ByModel | Unset = UNSET,
    y_upper: ByModel | Unset = UNSET,
    outcomes: Outcomes | Unset = UNSET,
    sample_weight: Column | Unset = UNSET,
    weight_kind: Literal["importance", "frequency"] | Unset | None = UNSET,
    cluster: Column | Unset = UNSET,
    unit: Column | Unset = UNSET,
    id: Column | Unset = UNSET,
    model: Column | Unset = UNSET,
    fold: Column | Unset = UNSET,
    repeat: Column | Unset = UNSET,
    time: Column | Unset = UNSET,
    release: Column | Unset = UNSET,
    response: Column | Unset = UNSET,
    reference: Column | Unset = UNSET,
    context: Column | Unset = UNSET,
    tool_calls: Column | Unset = UNSET,
    trajectory: Column | Unset = UNSET,
    tokens: Column | Unset = UNSET,
    cost: Column | Unset = UNSET,
    latency: Column | Unset = UNSET,
    error: Column | Unset = UNSET,
    pos_label: Any = UNSET,
    labels: Iterable[Any] | Unset | None = UNSET,
    threshold: float | Unset | None = UNSET,
    score_kind: Literal["probability", "margin"] | Unset | None = UNSET,
    task: Task | Unset | None = UNSET,
    cohorts: Any = UNSET,
    store: str | os.PathLike[str] | None = None,
    **unknown: Never,
) -> Evaluation:
    """Evaluate the predictions in a source of rows.

    Parameters
    ----------
    source : DataFrame, path, list of paths, or anything that turns into a DataFrame
        The rows: a frame of pandas, Polars (also lazy) or Arrow, an Arrow dataset or stream, a DuckDB relation or open
        result, and paths, or URLs of Parquet files. All but pandas frames and text files are read batch by batch if they
        have a million rows or more, so that memory stays flat. A path
        ends in .csv, .json, .jsonl, .parquet or .feather (also compressed, such as .csv.gz), holds a pattern
        (`"scores/*.parquet"`), or is a directory of such files. JSON keeps the types that it states. A CSV column is numbers
        only if every value is the canonical writing of a number (`01234`, `1e3`, and `1.1` beside `1.10` are text) or its
        role says so: scores and weights are numbers, declared text labels, `release` and `model` are text. A tally, or the
        path of a file of one (`tally.save`), needs no roles: the evaluation answers what it holds.
    roles : Roles or mapping, optional
        Such as `ev.roles` of another evaluation; keyword arguments override it.
    *unnamed
        Nothing: a role that is given by place raises an error that names the roles.
    {roles}
    store : path, optional
        A folder for the tallies of the files: every question reads only files that are new or changed since, and forgets
        those that are gone.
    **unknown
        Nothing: a role that there is not raises an error that names the nearest one.

    Returns
    -------
    Evaluation

    Raises
    ------
    RoleError
        A column is missing, ambiguous or contradicts another; the message names the fix.

    Examples
    --------
    >>> import dfevals
    >>> df = dfevals.datasets.load("adult")
    >>> dfevals.evaluate(df, y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K").models
    ('gbm',)
    """
    declared = _given(locals())
    from dfevals.columns.sources import to_frame
    from dfevals.columns.streams import attributes_of, is_long, opened
    from dfevals.evaluation import Evaluation
    from dfevals.roles.kinds import written_kinds
    from dfevals.roles.models import check_classes
    from dfevals.roles.survey import named_in
    from dfevals.saved.answering import evaluation_of
    from dfevals.saved.kept import kept_in

    if unnamed:
        raise not_named(roles, *unnamed)
    held = evaluation_of(source)
    if held is not None:
        if declared or roles is not None:
            given = ", ".join(declared) or "roles"
            raise RoleError(f"A tally has its roles ({given} cannot be changed without the rows): evaluate(tally).")
        return held
    if store is not None:
        return kept_in(store, source, Roles.build(roles, **declared))
    kinds = written_kinds(Roles.build(roles, **declared))
    stream = opened(source, kinds)
    if stream is not None:
        stream.check(named_in(Roles.build(roles, **declared), stream.schema.names))
    if stream is not None and not is_long(stream):
        stream, source = None, getattr(stream, "kept", None) or source
    frame = to_frame(source, kinds) if stream is None else attributes_of(stream)
    kept = _kept(frame)
    base = kept.cut_anew() if declared.get("threshold") is not None else kept
    built = Roles.build(base if roles is None else roles, **declared)
    evaluation = Evaluation(frame, built) if stream is None else Evaluation.of_source(stream, built)
    for recorded in (kept, Roles.build(roles)):  # what is said beside roles must not turn their scores round
        check_classes(recorded, evaluation.roles, evaluation.pos_label)
    return evaluation


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The roles among the arguments of a call, and the names of which there is no role."""
    return {name: values[name] for name in RECORDS if values[name] is not UNSET} | values["unknown"]


def _kept(frame: pd.DataFrame) -> Roles:
    text = frame.attrs.get("dfevals")
    if text is None:
        return Roles()
    if not isinstance(text, str):
        raise RoleError("df.attrs['dfevals'] does not hold roles. Set them again: df.evals.set_roles(...).")
    return Roles.from_json(text)
