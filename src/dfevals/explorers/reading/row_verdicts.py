"""What every evaluator said about one row: verdict, score, reason, or the error of its evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dfevals.evaluators.values import is_missing
from dfevals.explorers.reading.text_roles import Reader, answer_of, readers
from dfevals.explorers.rows import printable, written
from dfevals.explorers.view import View
from dfevals.roles.declared import Outcome
from dfevals.words import visible

__all__ = ["verdicts_of"]

MOST = 2_000  # characters of a reason


def verdicts_of(view: View, sides: Sequence[tuple[int, str, str | None]]) -> list[dict[str, Any]]:
    """One entry per evaluator and answer, in the order of the outcomes.

    Parameters
    ----------
    view : View
    sides : list of (row, letter, column)
        The answers on view. A column tells two answers in one row apart: an evaluator that read it, or whose name has the
        name of the answer, speaks of that one; every other one of the row.
    """
    known = readers(view.bound.frame)
    found = []
    for name, outcomes in _by_evaluator(view, known).items():
        for at, letter, column in sides:
            side = letter
            if column is not None:
                speaks = _speaks_of(name, known.get(name), [c for _, _, c in sides if c is not None])
                if speaks is not None and speaks != column:
                    continue
                side = letter if speaks is not None else ""
            entry = {"name": visible(name), "letter": side, **_verdict(view, name, outcomes, at)}
            if entry not in found:
                found.append(entry)
    return found


def _by_evaluator(view: View, known: dict[str, Reader]) -> dict[str, list[Outcome]]:
    """Outcomes by evaluator: one that has a score and a verdict of its own is one evaluator."""
    found: dict[str, list[Outcome]] = {}
    for outcome in view.bound.roles.outcomes:
        name = str(outcome.column)
        base = name.removesuffix("_passed")
        found.setdefault(base if base in known else name, []).append(outcome)
    return found


def _speaks_of(name: str, reader: Reader | None, columns: Sequence[str]) -> str | None:
    """Which of two columns of responses an evaluator is about; None where it is about the row."""
    if reader is not None and reader.columns.get("response") in columns:
        return reader.columns["response"]
    if reader is None:
        words = name.lower()
        of = [
            c
            for c in columns
            if words.endswith(f"_{answer_of(c).lower()}") or words.startswith(f"{answer_of(c).lower()}_")
        ]
        return of[0] if len(of) == 1 else None
    return None


def _verdict(view: View, name: str, outcomes: Sequence[Outcome], at: int) -> dict[str, Any]:
    passed: float | None = None
    score = error = ""
    for outcome in outcomes:
        try:
            value = float(view.passed(outcome.column)[at])
            passed = value if value == value or passed is None else passed
        except ValueError:  # a score without a pass mark, or a category
            pass
        cell = view.bound.frame[outcome.column].iat[at]
        if outcome.kind != "pass" and not score and not is_missing(cell):
            score = f"{cell:.3g}" if isinstance(cell, float) else printable(written(cell, 200, pretty=False))
        if outcome.error_column is not None:
            said = view.bound.frame[outcome.error_column].iat[at]
            error = error or _text(said)
    verdict = "error" if error else _WORDS.get(passed, "no verdict")
    return {"verdict": verdict, "score": score, "reason": _reason(view, name, at), "error": error}


_WORDS: dict[float | None, str] = {1.0: "passed", 0.0: "failed"}


def _reason(view: View, name: str, at: int) -> str:
    column = f"{name.removesuffix('_passed')}_reason"
    place = view.columns.get(visible(column))
    return "" if place is None else _text(view.bound.frame.iat[at, place])


def _text(value: Any) -> str:
    return "" if is_missing(value) or value is False else printable(written(value, MOST, pretty=False))
