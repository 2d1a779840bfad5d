"""The built-in evaluators and their table: the single source of the documentation."""

from __future__ import annotations

from importlib import import_module

import pandas as pd

from dfevals.evaluators.protocol import Evaluator
from dfevals.exceptions import DataError, did_you_mean

__all__ = ["BUILT_IN", "by_name", "table"]

BUILT_IN: dict[str, str] = {
    "JSONValidation": "json_checks",
    "SchemaCompliance": "json_checks",
    "ToolSelectionAccuracy": "tools",
    "ToolArgumentAccuracy": "tools",
    "TrajectoryMatch": "trajectories",
    "TaskCompletion": "trajectories",
    "UnitTests": "unit_tests",
    "ExactMatch": "exact",
    "TokenF1": "exact",
    "NumericMatch": "exact",
    "RegexMatch": "exact",
    "Groundedness": "groundedness",
    "HallucinationScore": "groundedness",
    "ContextRecall": "groundedness",
    "ContextRelevance": "relevance",
    "AnswerRelevancy": "relevance",
    "Refusal": "refusals",
    "PromptInjection": "leaks",
    "PII": "leaks",
    "SecretLeak": "leaks",
    "Repetition": "style",
    "Length": "style",
    "Readability": "style",
    "Judge": "judge",
    "ReasoningQuality": "judged",
    "InstructionFollowing": "judged",
    "FactualAccuracy": "judged",
    "Coherence": "judged",
    "Toxicity": "judged",
    "JudgedGroundedness": "judged",
    "JudgedAnswerRelevancy": "judged",
    "JudgedContextRelevance": "judged",
    "JudgedTaskCompletion": "judged",
    "PairwisePreference": "pairwise",
}
"""Class → module, in the order of the documentation."""


def classes() -> list[type[Evaluator]]:
    """The built-in evaluator classes."""
    return [getattr(import_module(f"dfevals.evaluators.{module}"), name) for name, module in BUILT_IN.items()]


def by_name(name: str) -> type[Evaluator]:
    """The built-in evaluator of a name, as column ("exact_match") or class ("ExactMatch").

    Raises
    ------
    DataError
        When there is none.
    """
    if name in BUILT_IN:
        return next(one for one in classes() if one.__name__ == name)
    found = {one.record.name: one for one in classes()}
    if name not in found:
        raise DataError(f"There is no evaluator {name!r}. {did_you_mean(name, found, noun='Evaluators')}")
    return found[name]


def table() -> pd.DataFrame:
    """Every built-in evaluator, one row each.

    Returns
    -------
    DataFrame
        evaluator (class), name (columns), family, measures, roles, optional, range, better, pass_at, weaknesses,
        accuracy.

    Examples
    --------
    >>> table().set_index("evaluator").loc["ExactMatch", "better"]
    'higher'
    """
    rows = []
    for one in classes():
        record = one.record
        rows.append(
            {
                "evaluator": one.__name__,
                "name": record.name,
                "family": record.family,
                "measures": record.measures,
                "roles": ", ".join(role.replace("|", " or ") for role in record.roles),
                "optional": ", ".join(record.optional),
                "range": f"[{record.range[0]:g}, {record.range[1]:g}]",
                "better": record.better,
                "pass_at": record.pass_at,
                "weaknesses": record.weaknesses,
                "accuracy": record.accuracy,
            }
        )
    return pd.DataFrame(rows)
