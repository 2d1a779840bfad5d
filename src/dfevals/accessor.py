"""The front doors: `df.evals` on every DataFrame, and `dfevals.evaluate` for any source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from dfevals.exceptions import RoleError
from dfevals.roles.declared import Roles, not_named

if TYPE_CHECKING:
    from dfevals.evaluation import Evaluation

__all__ = ["EvalsAccessor", "evaluate"]


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

    def __call__(self, roles: Roles | Mapping[str, Any] | None = None, /, *unnamed: Any, **declared: Any) -> Evaluation:
        """Make an Evaluation of these rows; see `dfevals.evaluate` for the roles."""
        return evaluate(self._frame, roles, *unnamed, **declared)

    def set_roles(
        self, roles: Roles | Mapping[str, Any] | None = None, /, *unnamed: Any, **declared: Any
    ) -> pd.DataFrame:
        """Keep roles with the frame, in `df.attrs["dfevals"]` as JSON; returns the frame.

        They survive query, masks, assign, copy and parquet; not merge, concat or CSV.
        """
        from dfevals.roles.bound import bind

        if unnamed:
            raise not_named(roles, *unnamed)
        built = Roles.build(roles, **declared)
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


def evaluate(
    source: Any, roles: Roles | Mapping[str, Any] | None = None, /, *unnamed: Any, **declared: Any
) -> Evaluation:
    """Evaluate the predictions in a source of rows.

    Parameters
    ----------
    source : DataFrame, path, list of paths, or anything that turns into a DataFrame
        The rows: a frame of pandas, Polars or Arrow, an Arrow dataset or stream, a DuckDB relation or open result. A path
        ends in .csv, .json, .jsonl, .parquet or .feather (also compressed, such as .csv.gz), holds a pattern
        (`"scores/*.parquet"`), or is a directory of such files. JSON keeps the types that it states. A CSV column is numbers
        only if every value is the canonical writing of a number (`01234`, `1e3`, and `1.1` beside `1.10` are text) or its
        role says so: scores and weights are numbers, declared text labels, `release` and `model` are text.
    roles : Roles or mapping, optional
        Such as `ev.roles` of another evaluation; keyword arguments override it.
    **declared
        `y_true`, `y_pred`, `y_score` (a column, a pattern "p_{label}", a list of columns, or {model: any of these}),
        `y_lower`, `y_upper`, `outcomes`, `sample_weight`, `weight_kind`, `cluster`, `unit`, `id`, `model`, `fold`, `repeat`,
        `time`, `release`, `pos_label`, `labels`, `threshold`, `score_kind`, `task`, `cohorts`.
    *unnamed
        Nothing: a role that is given by place raises an error that names the roles.

    Returns
    -------
    Evaluation

    Raises
    ------
    RoleError
        A column is missing, ambiguous or contradicts another; the message names the fix.
    """
    from dfevals.columns.sources import to_frame
    from dfevals.evaluation import Evaluation
    from dfevals.roles.kinds import written_kinds
    from dfevals.roles.models import check_classes

    if unnamed:
        raise not_named(roles, *unnamed)
    frame = to_frame(source, written_kinds(Roles.build(roles, **declared)))
    kept = _kept(frame)
    base = kept.cut_anew() if declared.get("threshold") is not None else kept
    evaluation = Evaluation(frame, Roles.build(base if roles is None else roles, **declared))
    check_classes(kept, evaluation.roles, evaluation.pos_label)
    return evaluation


def _kept(frame: pd.DataFrame) -> Roles:
    text = frame.attrs.get("dfevals")
    if text is None:
        return Roles()
    if not isinstance(text, str):
        raise RoleError("df.attrs['dfevals'] does not hold roles. Set them again: df.evals.set_roles(...).")
    return Roles.from_json(text)
