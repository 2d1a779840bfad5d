"""Roles and cohorts written as words, for `%evals` and the command line."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from dfevals import cohorts
from dfevals.exceptions import CohortError, DfevalsError, did_you_mean
from dfevals.roles.records import BY_MODEL, RECORDS, Role, roles_of

__all__ = ["OPTIONS", "cohorts_of", "roles_in"]

_DEFINITIONS: dict[str, Callable[..., Any]] = {
    "bins": cohorts.bins,
    "quantiles": cohorts.quantiles,
    "period": cohorts.period,
    "top": cohorts.top,
}


def _option(role: Role) -> dict[str, Any]:
    several = {"nargs": "+"} if role.kind in (BY_MODEL, "labels", "outcomes", "cohorts") else {}
    kinds: dict[str, dict[str, Any]] = {"number": {"type": float}, "choice": {"metavar": "|".join(role.options)}}
    shape = kinds.get(role.kind, {"metavar": {"label": "LABEL", "labels": "LABEL"}.get(role.kind, "COLUMN")})
    more = ": a column, or model=column for each model" if role.kind == BY_MODEL else ""
    return {**several, **shape, "help": role.short.replace("%", "%%") + more}


#: Every role as the settings of an option of argparse.
OPTIONS: dict[str, dict[str, Any]] = {name: _option(role) for name, role in RECORDS.items()}


def roles_in(words: dict[str, Any], frame: pd.DataFrame) -> dict[str, Any]:
    """Roles as Python has them: `gbm=p_gbm` a mapping, labels as the column holds them, cohorts as definitions.

    Parameters
    ----------
    words : dict
        What the options `OPTIONS` gave.
    frame : DataFrame
        The rows, whose columns tell a model's name from a column's, and a number from its text.
    """
    roles = dict(words)
    for role in roles_of(BY_MODEL):
        if role in roles:
            roles[role] = _models(roles[role], frame)
    if "y_true" in roles:
        truth = frame.get(roles["y_true"])
        roles |= {"pos_label": _label(roles["pos_label"], truth)} if "pos_label" in roles else {}
        roles |= {"labels": [_label(word, truth) for word in roles["labels"]]} if "labels" in roles else {}
    if "cohorts" in roles:
        roles["cohorts"] = [_definition(word, frame) for word in roles["cohorts"]]
    return roles


def cohorts_of(words: Sequence[str], frame: pd.DataFrame, *, each: bool = False) -> Any:
    """`by=` as Python has it: columns, or calls such as `bins(age, [30, 50])`.

    Raises
    ------
    CohortError
        A call that makes no cohorts, or cannot be read.
    """
    found = [_definition(word, frame) for word in words]
    if each:
        return cohorts.each(*found)
    return found[0] if len(found) == 1 else found


def _models(words: Sequence[str], frame: pd.DataFrame) -> Any:
    """A column; or models by name, `gbm=p_gbm logistic=p_logistic`."""
    models: dict[str, str] = {}
    for word in words:
        model, equals, column = word.partition("=")
        models.update({model: column} if equals and word not in frame.columns else {word: word})
    return words[0] if list(models.items()) == [(words[0], words[0])] else models


def _label(text: str, column: Any) -> Any:
    """The label of a column that is written like this text: 1 for "1" where labels are numbers."""
    if isinstance(column, pd.Series):
        for label in column.drop_duplicates():
            if str(label) == text:
                return label
    return text


def _definition(word: str, frame: pd.DataFrame) -> Any:
    """A column, or a call such as `bins(age, [30, 50])` whose names are columns."""
    for column in frame.columns:
        if str(column) == word:
            return column
    try:
        call = ast.parse(word, mode="eval").body
    except SyntaxError:
        return word
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.keywords):
        return word
    if call.func.id not in _DEFINITIONS:
        raise CohortError(
            f"{call.func.id!r} makes no cohorts. {did_you_mean(call.func.id, _DEFINITIONS, noun='Known')}"
        )
    try:
        arguments = [item.id if isinstance(item, ast.Name) else ast.literal_eval(item) for item in call.args]
        return _DEFINITIONS[call.func.id](*arguments)
    except (ValueError, TypeError) as error:
        if isinstance(error, DfevalsError):
            raise
        raise CohortError(f"{word} cannot be read; write it like 'bins(age, [30, 50])'.") from error
