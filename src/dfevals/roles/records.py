"""One record per role: what it is, what it needs and means; validation, signatures, help and documentation follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, TypeVar

import pandas as pd

__all__ = [
    "BY_MODEL",
    "COHORTS",
    "COLUMN",
    "NUMBER",
    "OUTCOMES",
    "RECORDS",
    "Role",
    "describes_roles",
    "roles_of",
    "table",
]

F = TypeVar("F", bound=Callable[..., Any])
COLUMN, BY_MODEL, CHOICE, NUMBER, LABEL, LABELS, OUTCOMES, COHORTS = (
    "column",
    "columns by model",
    "choice",
    "number",
    "label",
    "labels",
    "outcomes",
    "cohorts",
)
TASKS = ("binary", "multiclass", "multilabel", "regression", "clustering", "outcomes")


@dataclass(frozen=True)
class Role:
    """What a keyword of `df.evals(...)` takes and means.

    Attributes
    ----------
    name : str
    kind : str
        "column" (one column), "columns by model" (a column, or {model: column}), "choice", "number", "label", "labels",
        "outcomes" or "cohorts".
    takes : str
        What may be given, as documentation says it.
    means : str
        What it means, in one or two sentences.
    example : str
        A value as Python writes it.
    options : tuple of str
        What a choice may be.
    inferred : bool
        Whether a column of this very name plays the role unasked.
    needed : bool
        Whether a row without a value is left out, and counted.
    hints : tuple of str
        Names of columns for which the role is suggested, with `reason`.
    """

    name: str
    kind: str
    takes: str
    means: str
    example: str
    options: tuple[str, ...] = ()
    inferred: bool = False
    needed: bool = False
    hints: tuple[str, ...] = ()
    reason: str = ""

    @property
    def short(self) -> str:
        """The first sentence of what it means, as an option's help has it."""
        first = self.means.split(". ")[0].rstrip(".")
        return first[0].lower() + first[1:]


def _column(name: str, means: str, example: str, **more: Any) -> Role:
    return Role(name, COLUMN, "column", means, example, **more)


def _group(name: str, means: str, example: str, **more: Any) -> Role:
    return _column(name, means, example, needed=True, **more)


def _choice(name: str, means: str, example: str, *options: str) -> Role:
    return Role(name, CHOICE, "{" + ", ".join(f'"{option}"' for option in options) + "}", means, example, options)


RECORDS: Mapping[str, Role] = {
    role.name: role
    for role in (
        _column("y_true", "What happened: class labels, or numbers in a regression.", '"income"', inferred=True),
        Role(
            "y_pred",
            BY_MODEL,
            "column or {model: column}",
            "What was predicted: labels, or numbers in a regression. Where it is absent, scores are cut at the threshold.",
            '{"gbm": "pred_gbm"}',
            inferred=True,
        ),
        Role(
            "y_score",
            BY_MODEL,
            "column, pattern, list of columns, or {model: any of these}",
            "Scores: of the positive class, or one column per class by a pattern such as p_{label} or by a list in the order "
            "of `labels`. A higher score speaks for the class.",
            '{"gbm": "p_gbm", "logistic": "p_logistic"}',
            inferred=True,
        ),
        Role("y_lower", BY_MODEL, "column or {model: column}", "Lower end of a predicted interval.", '"low"'),
        Role("y_upper", BY_MODEL, "column or {model: column}", "Upper end of a predicted interval.", '"high"'),
        Role(
            "outcomes",
            OUTCOMES,
            "list of columns or `dfevals.Outcome`",
            "Results of evaluators, systems or people, beside labels or instead of them.",
            '["passed", dfevals.Outcome("toxicity", better="lower")]',
        ),
        _column(
            "sample_weight",
            "Weight of every row, 0 or more.",
            '"weight"',
            needed=True,
            inferred=True,
            hints=("weight", "weights", "sample_weights"),
            reason="rows may stand for unequal numbers",
        ),
        _choice(
            "weight_kind",
            "What weights are: importance (only ratios matter), or the number of equal rows that a row stands for.",
            '"frequency"',
            "importance",
            "frequency",
        ),
        _group(
            "cluster",
            "Rows with the same value are not independent: intervals and tests allow for it.",
            '"user_id"',
            hints=(
                "user_id",
                "patient_id",
                "customer_id",
                "conversation_id",
                "session_id",
                "group_id",
                "subject_id",
            ),
            reason="rows of one unit are not independent, so intervals are too narrow without it",
        ),
        _group(
            "unit", "Query, task or conversation: metrics of repeated trials reduce its rows to one value.", '"task"'
        ),
        _group("id", "The case of a row: rows of models or releases with the same id are pairs.", '"case"'),
        _group(
            "model", "Which model a row belongs to, in a long frame in which all models share the columns.", '"model"'
        ),
        _group(
            "fold",
            "Fold in which a row was tested: comparisons are then about learners, and ranks are not pooled.",
            '"fold"',
            hints=("fold", "cv_fold", "resample"),
            reason="ranking metrics and comparisons are then made per fold",
        ),
        _group("repeat", "Repeat of a cross-validation that the fold belongs to.", '"repeat"'),
        _group(
            "time",
            "When the row was made.",
            '"date"',
            hints=("timestamp", "time", "date", "datetime"),
            reason="drift and periods then work",
        ),
        _group("release", "Release of the system that a row belongs to: releases are compared.", '"version"'),
        _column("response", "What the system answered, as text.", '"answer"'),
        _column("reference", "What would have been right, as text, or a list of texts any of which is.", '"expected"'),
        _column("context", "What the system was given to answer from: passages, documents.", '"passages"'),
        _column("tool_calls", "The tools that the system called, with their arguments.", '"calls"'),
        _column(
            "trajectory", "Everything that was said and done: messages, steps, calls and their results.", '"messages"'
        ),
        _column("tokens", "Tokens of the row, input and output together.", '"total_tokens"'),
        _column("cost", "What the row cost.", '"cost_usd"'),
        _column("latency", "Seconds from the question to the answer.", '"seconds"'),
        _column("error", "Why a row has no answer or could not be judged; missing where all went well.", '"error"'),
        Role("pos_label", LABEL, "label", "The positive label of a binary task.", '">50K"'),
        Role(
            "labels",
            LABELS,
            "list of labels",
            "All labels, in order: of a list of score columns, and of ordered classes. Without `pos_label` the last of two is "
            "the positive one.",
            '["low", "medium", "high"]',
        ),
        Role(
            "threshold",
            NUMBER,
            "float",
            "Scores from here on are predicted positive; 0.5 for probabilities and 0 for margins when absent.",
            "0.3",
        ),
        _choice(
            "score_kind",
            "What scores are, where the values do not tell.",
            '"margin"',
            "probability",
            "margin",
        ),
        _choice("task", "The task, where it is not inferred right.", '"multiclass"', *TASKS),
        Role(
            "cohorts",
            COHORTS,
            "list of anything that `by=` takes",
            "Cohorts that explorers and the card begin with.",
            '["sex", dfevals.bins("age", [30, 50])]',
        ),
    )
}


_TEXTS = ("response", "reference", "context", "tool_calls", "trajectory", "tokens", "cost", "latency", "error")


def roles_of(*kinds: str) -> tuple[str, ...]:
    """Names of the roles of these kinds, in the order of the records.

    Examples
    --------
    >>> roles_of("number", "label")
    ('pos_label', 'threshold')
    """
    return tuple(role.name for role in RECORDS.values() if role.kind in kinds)


def table() -> pd.DataFrame:
    """Every role: what it takes and means, and an example.

    Returns
    -------
    DataFrame
        Columns `role, takes, means, example, missing`: what becomes of a row whose value is missing.

    Examples
    --------
    >>> table().set_index("role").loc["threshold", "takes"]
    'float'
    """
    kinds = {
        COLUMN: "left out, and counted",
        BY_MODEL: "left out of that model, and counted",
        OUTCOMES: "an error rate",
    }
    return pd.DataFrame(
        {
            "role": [role.name for role in RECORDS.values()],
            "takes": [role.takes for role in RECORDS.values()],
            "means": [role.means for role in RECORDS.values()],
            "example": [f"{role.name}={role.example}" for role in RECORDS.values()],
            "missing": ["" if role.name in _TEXTS else kinds.get(role.kind, "") for role in RECORDS.values()],
        }
    )


def describes_roles(function: F) -> F:
    """Decorator: writes the records' parameters where the docstring has the line `{roles}`."""
    lines = (function.__doc__ or "").split("\n")
    at = next((i for i, line in enumerate(lines) if line.strip() == "{roles}"), None)
    if at is not None:  # without docstrings (python -OO) there is none
        indent = lines[at][: lines[at].index("{")]
        lines[at : at + 1] = [indent + text for role in RECORDS.values() for text in _parameter(role)]
        function.__doc__ = "\n".join(lines)
    return function


def _parameter(role: Role) -> list[str]:
    """A role as numpydoc writes a parameter."""
    means = wrap(role.means, 100, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    return [f"{role.name} : {role.takes}, optional", *means, f"    Such as ``{role.name}={role.example}``."]
