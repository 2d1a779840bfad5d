"""Which questions a report asks, what each answered, and the line of code that asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dfevals.evaluation import Evaluation
from dfevals.exceptions import DfevalsError, did_you_mean
from dfevals.explorers.code import evaluation_code
from dfevals.explorers.dimensions import from_plain, to_code, to_plain
from dfevals.explorers.view import View
from dfevals.results.result import Result

__all__ = ["Section", "sections_of"]


class ReportError(DfevalsError, ValueError):
    """A section that a report cannot have; the message names it and what there is."""


@dataclass(frozen=True)
class Section:
    """One part of a report: `result` is None where the question was refused, for the reason in `refused`."""

    title: str
    code: str
    result: Result | None
    refused: str = ""


@dataclass(frozen=True)
class _Question:
    title: str
    fits: Callable[[Evaluation], bool]
    arguments: str = "by={by}"


def _binary_scores(ev: Evaluation) -> bool:
    return ev.task == "binary" and any(model.y_score for model in ev._bound.models)


def _probable(ev: Evaluation) -> bool:
    return ev.task == "binary" and any(ev._bound.score_kind(m) == "probability" for m in ev._bound.models if m.y_score)


#: Questions in the order of a report, and which evaluations they are asked of when nobody says which.
QUESTIONS: dict[str, _Question] = {
    "metrics": _Question("Metrics by cohort", lambda ev: True),
    "slices": _Question("Where it fails", lambda ev: False, ""),
    "compare": _Question("The models compared", lambda ev: len(ev.models) > 1 and ev.task != "outcomes"),
    "calibration": _Question("Calibration", _probable),
    "roc": _Question("ROC curves", lambda ev: False),
    "pr": _Question("Precision and recall", lambda ev: False),
    "gains": _Question("Gains and lift", _binary_scores, ""),
    "thresholds": _Question("Thresholds", _binary_scores, ""),
    "confusion": _Question("Confusion", lambda ev: ev._bound.classifies, ""),
    "errors": _Question("Confused classes", lambda ev: ev.task == "multiclass", ""),
    "residuals": _Question("Residuals", lambda ev: ev.task == "regression"),
    "folds": _Question("Folds", lambda ev: ev.roles.fold is not None, ""),
    "fairness": _Question("Differences between groups", lambda ev: False, "{by}"),
}


def sections_of(ev: Evaluation, sections: Sequence[str | Result] | None, by: Any) -> tuple[Section, ...]:
    """The sections asked for by name or as results; by default those that suit the evaluation.

    Raises
    ------
    ReportError
        A name that is no section; the nearest names are given.
    """
    chosen: Iterable[str | Result]
    if sections is None:
        chosen = [name for name, question in QUESTIONS.items() if question.fits(ev)]
    else:
        chosen = [sections] if isinstance(sections, str | Result) else sections
    view = View(ev)
    plain = view.default_by() if by is None else to_plain(by)
    return tuple(_given(item) if isinstance(item, Result) else _asked(view, str(item), plain) for item in chosen)


def _given(result: Result) -> Section:
    return Section(result.title or type(result).__name__, "", result)


def _asked(view: View, name: str, plain: Any) -> Section:
    ev = view.evaluation
    if name not in QUESTIONS or not hasattr(ev, name):
        known = [known for known in QUESTIONS if hasattr(ev, known)]
        raise ReportError(
            f"A report has no section {name!r:.60}. {did_you_mean(name, known, noun='Sections', limit=20)}"
        )
    question = QUESTIONS[name]
    by = question.arguments if plain is not None else ""
    written = by.format(by=to_code(plain)) if by else ""
    code = f"{evaluation_code(view, {'name': 'df', 'threshold': None})}.{name}({written})"
    cohorts = from_plain(plain)
    try:
        method = getattr(ev, name)
        result = method() if not by else method(by=cohorts)
    except DfevalsError as error:  # the rest of the report stands, and this part says why it does not
        return Section(question.title, code, None, str(error))
    return Section(question.title, code, result)
