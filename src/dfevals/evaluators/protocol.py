"""The evaluator protocol: an evaluator declares the roles it reads and returns score, passed, reason and error per row."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from dfevals.evaluators.fingerprints import stable_repr
from dfevals.evaluators.secret_formats import redacted
from dfevals.evaluators.values import is_missing
from dfevals.evaluators.written import exactly
from dfevals.exceptions import DataError, DfevalsError, RoleError, did_you_mean

__all__ = ["ROLES", "Evaluated", "Evaluator", "EvaluatorRecord"]

ROLES: Mapping[str, str] = {
    "response": "what the system under test answered (text)",
    "prompt": "what it was asked (text)",
    "context": "what it was given to rely on (text or list of texts)",
    "reference": "a right answer (text, number, or list of right answers)",
    "tool_calls": "calls made (list or text; the format of any usual provider, or plain)",
    "expected_tool_calls": "calls that were right",
    "schema": "JSON Schema, or the definitions of the tools",
    "trajectory": "steps taken, in order",
    "other": "another response to the same prompt",
}


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The outcome of one evaluation.

    Attributes
    ----------
    score : float
        In the evaluator's range; NaN when the evaluation failed.
    passed : bool or None
        Against the pass mark; None when the evaluation failed or has no pass mark.
    reason : str
        Why, in words.
    error : str or None
        What went wrong with the evaluation itself. An error is neither a pass nor a fail.
    spans : tuple of (start, end), optional
        The places of the response that the reason is about (character offsets).
    details : mapping
        Further numbers and findings of the evaluator.
    """

    score: float = math.nan
    passed: bool | None = None
    reason: str = ""
    error: str | None = None
    spans: tuple[tuple[int, int], ...] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def failed(cls, error: BaseException | str) -> Evaluated:
        """An evaluation that could not be made, with its message; keys and passwords in it are masked."""
        if isinstance(error, DfevalsError | str):
            message = str(error)
        else:
            message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return cls(error=redacted(message)[:500])


@dataclass(frozen=True, slots=True)
class EvaluatorRecord:
    """What an evaluator is: the single source of its documentation and of its column's outcome.

    Attributes
    ----------
    name : str
        Snake case; the name of the columns.
    measures : str
        One line.
    roles : tuple of str
        Roles that must be there; "a|b" means the first of them that is.
    optional : tuple of str
        Roles that are read where they are there.
    range : (float, float)
        Of the score.
    better : str
        "higher" or "lower".
    pass_at : float or None
        Default pass mark.
    weaknesses : str
        What it does not see.
    accuracy : str
        Measured agreement with labels, where labels exist.
    """

    name: str
    measures: str
    roles: tuple[str, ...]
    optional: tuple[str, ...] = ()
    range: tuple[float, float] = (0.0, 1.0)
    better: str = "higher"
    pass_at: float | None = 1.0
    weaknesses: str = ""
    accuracy: str = ""
    family: str = "local"

    def all_roles(self) -> list[str]:
        """Every role that the evaluator knows, alternatives spelled out."""
        return [name for role in (*self.roles, *self.optional) for name in role.split("|")]


class Evaluator:
    """Base of all evaluators: subclasses carry a `record` and write `_evaluate(**roles)`.

    Parameters
    ----------
    name : str, optional
        Name of the columns; the record's name by default.
    pass_at : float, optional
        Pass mark; the record's by default.
    **roles : str or object
        Column of each role (a text), or a constant for all rows (anything else). A role that is not named here is
        the column of the role's own name.

    Examples
    --------
    >>> from dfevals.evaluators import ExactMatch
    >>> ExactMatch().evaluate(response="Paris.", reference="paris").passed
    True
    """

    record: ClassVar[EvaluatorRecord]
    remote: ClassVar[bool] = False
    """Whether a row costs a call elsewhere: such evaluators run concurrently."""
    version: ClassVar[int] = 1
    """Raised whenever the same input gives another result, so that caches forget."""

    def __init__(
        self,
        *,
        name: str | None = None,
        pass_at: float | None = None,
        settings: Mapping[str, object] | None = None,
        **roles: object,
    ) -> None:
        self.name = _checked_name(name if name is not None else self.record.name)
        self.pass_at = self.record.pass_at if pass_at is None else float(pass_at)
        self.better = self.record.better
        self.settings: dict[str, object] = dict(settings or {})
        for role in roles:
            self._check_role(role)
        self.columns = {role: value for role, value in roles.items() if isinstance(value, str)}
        self.constants = {
            role: value for role, value in roles.items() if not isinstance(value, str) and value is not None
        }

    def _evaluate(self, *args: Any, **values: Any) -> object:
        """Evaluate one row; may raise, which counts as an error of the evaluation."""
        raise NotImplementedError(f"{type(self).__name__} must define _evaluate(**roles).")

    def evaluate(self, **roles: object) -> Evaluated:
        """Evaluate one row given as roles.

        Parameters
        ----------
        **roles
            The values of the roles, such as `response="…"`.

        Returns
        -------
        Evaluated
            With `.error` set where the evaluation could not be made.

        Raises
        ------
        RoleError
            When a role is unknown or a needed one is not given.
        """
        for role in roles:
            self._check_role(role)
        return self.evaluate_row(self._chosen({**self.constants, **roles}))

    def evaluate_row(self, values: Mapping[str, object]) -> Evaluated:
        """Evaluate one row whose roles are resolved; whatever is raised becomes a counted error."""
        for role, value in values.items():
            if is_missing(value) and role not in self.record.optional:
                return Evaluated.failed(f"{role} is missing ({value!r}).")
        try:
            return self.conclude(self._evaluate(**values))
        except (Exception, SystemExit) as error:
            return Evaluated.failed(error)

    def evaluate_batch(self, rows: Sequence[Mapping[str, object]]) -> list[Evaluated]:
        """Evaluate many rows; overridden where rows can share work."""
        return [self.evaluate_row(row) for row in rows]

    def conclude(self, result: object) -> Evaluated:
        """Bring what an evaluator returned into an `Evaluated`, with the pass mark applied."""
        evaluated = _as_evaluated(result)
        if evaluated.error is not None:
            return replace(evaluated, error=redacted(evaluated.error))
        if evaluated.passed is not None or self.pass_at is None:
            return evaluated
        if evaluated.score != evaluated.score:
            return Evaluated.failed(evaluated.reason or "the evaluator returned no score (NaN).")
        return replace(evaluated, passed=self.passes(evaluated.score))

    def passes(self, score: float) -> bool | None:
        """Whether a score reaches the pass mark; None without one."""
        if self.pass_at is None:
            return None
        return score >= self.pass_at if self.better == "higher" else score <= self.pass_at

    def close(self) -> None:
        """Let go of what was kept open between rows; called after a frame."""

    def fingerprint(self) -> str:
        """Text that changes whenever the evaluator's answers may change; part of the cache key."""
        kind = type(self)
        parts: list[object] = [
            kind.__module__,
            kind.__qualname__,
            self.version,
            self.pass_at,
            self.better,
            self.settings,
        ]
        if not kind.__module__.startswith("dfevals."):
            parts.append(stable_repr(self._evaluate))  # nobody raises the version of a class in a notebook
        try:
            return json.dumps(parts, sort_keys=True, default=stable_repr)
        except TypeError:  # settings with keys that JSON lacks, or that have no order
            return repr([*parts, exactly(self.settings)])

    def sources(self, columns: Sequence[object]) -> dict[str, object]:
        """Which column each role is read from; roles with a constant are left out.

        Raises
        ------
        RoleError
            When a needed role has no column, or a named column is not in the frame.
        """
        found: dict[str, object] = {}
        for role, column in self.columns.items():
            if column not in columns:
                hint = did_you_mean(column, columns, noun="Columns")
                raise RoleError(f"{self.name}: {role} column {column!r} is not in the frame. {hint}")
            found[role] = column
        for role in self.record.optional:
            if role in columns and role not in found and role not in self.constants:
                found[role] = role
        for group in self.record.roles:
            names = group.split("|")
            if any(name in found or name in self.constants for name in names):
                continue
            chosen = next((name for name in names if name in columns), None)
            if chosen is None:
                hint = did_you_mean(names[0], columns, noun="Columns")
                raise RoleError(
                    f"{self.name} needs the role {' or '.join(names)} and the frame has no such column. "
                    f'Name it: {type(self).__name__}({names[0]}="<column>"). {hint}'
                )
            found[chosen] = chosen
        return found

    def _chosen(self, values: dict[str, object]) -> dict[str, object]:
        """The values that the evaluator reads, with every needed role present."""
        for group in self.record.roles:
            names = group.split("|")
            if not any(name in values for name in names):
                given = ", ".join(values) or "nothing"
                raise RoleError(f"{self.name} needs {' or '.join(names)}=…; given: {given}.")
        return values

    def _check_role(self, role: str) -> None:
        known = self.record.all_roles()
        if role not in known:
            raise RoleError(f"{self.name} has no role {role!r}. {did_you_mean(role, known, noun='Roles')}")

    def __repr__(self) -> str:
        parts = [f"{key}={value!r}" for key, value in self.settings.items()]
        parts += [f"{role}={column!r}" for role, column in self.columns.items()]
        return f"{type(self).__name__}({', '.join(parts)})"


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"An evaluator's name must be a non-empty text, found {name!r}.")
    return name


def _as_evaluated(result: object) -> Evaluated:
    """Accept an Evaluated, a number, a truth value, (score, reason), or a mapping of Evaluated's fields."""
    if isinstance(result, Evaluated):
        return result
    if isinstance(result, Mapping):
        known = set(Evaluated.__dataclass_fields__)
        unknown = [key for key in result if key not in known]
        if unknown:
            raise DataError(f"An evaluator returned the key {unknown[0]!r}. {did_you_mean(unknown[0], known)}")
        values = dict(result)
        if "score" not in values and values.get("passed") is not None:
            values["score"] = float(bool(values["passed"]))
        return Evaluated(**{**values, "score": float(values.get("score", math.nan))})
    if isinstance(result, tuple) and len(result) == 2:
        return replace(_as_evaluated(result[0]), reason=str(result[1]))
    if hasattr(result, "item") and getattr(result, "shape", None) == ():
        result = result.item()
    if isinstance(result, bool):
        return Evaluated(score=float(result), passed=result)
    if isinstance(result, int | float) and result == result:
        return Evaluated(score=float(result))
    raise DataError(
        f"An evaluator must return a number, a truth value, (score, reason) or Evaluated; found {result!r}."
    )
