"""One row to be read: its prompt, context and response, the verdicts with their reasons, the steps, and another answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.evaluators.groundedness import support_mark
from dfevals.evaluators.tool_calls import MalformedCall
from dfevals.evaluators.values import is_missing, passages
from dfevals.exceptions import DataError, did_you_mean
from dfevals.explorers.reading.marks import Mark, Supported, differing, pieces, sentence_support
from dfevals.explorers.reading.partners import partner_of
from dfevals.explorers.reading.row_verdicts import verdicts_of
from dfevals.explorers.reading.steps import Step, judged, steps_of
from dfevals.explorers.reading.text_roles import Reader, TextColumn, answer_of, readers, text_columns
from dfevals.explorers.rows import LONG, PATIENCE, positions, printable, searched, written
from dfevals.explorers.state import State, StateError
from dfevals.explorers.view import View
from dfevals.words import visible

__all__ = ["MORE", "check", "row_on_view", "rows_on_view"]

FIRST = 12_000  # characters of a cell that are sent at first
NEXT = 100_000  # and with every request for more
MOST_BLOCKS = 30  # passages at a time
MOST_STEPS = 100  # steps at a time
SHORT_STEP = 600  # characters of a result or an argument before the rest is asked for
WINDOW = 50  # rows before and behind whose places the page is told
_SUPPORT = ("Groundedness", "HallucinationScore", "groundedness", "hallucination_score")


def check(view: View, state: State) -> None:
    """Whether the columns and the row of the state are there; raises StateError with the nearest name."""
    for name in state["text"]["columns"].values():
        if name is not None and name not in view.columns:
            hint = did_you_mean(name, view.columns, noun="Columns")
            raise StateError(f"There is no column {name!r:.80}. {hint}")
    at = state["text"]["at"]
    if at is not None and at >= view.bound.n:
        raise StateError(f"State 'text.at' is {at:,}, a row beyond the last of {view.bound.n:,}.")


def columns_on_view(view: View, state: State) -> dict[str, TextColumn]:
    """Column of every role that has one or is told to have none."""
    return text_columns(view.bound, view.columns, state["text"]["columns"])


def _order(view: View, state: State) -> npt.NDArray[np.intp]:
    keys = ("by", "model", "against", "threshold", "selection")
    rows = {name: state["rows"][name] for name in ("sort", "down", "search")}
    return view.keep(("text order", repr([state[key] for key in keys]), repr(rows)), lambda: positions(view, state))


def rows_on_view(view: View, state: State) -> list[int]:
    """Places of the row on view and of the one beside it; none where no row is selected."""
    order = _order(view, state)
    if not len(order):
        return []
    at = int(order[_ordinal(order, state["text"]["at"])])
    other, _ = partner_of(view, state, at)
    return [at] if other is None else [at, other]


def _ordinal(order: npt.NDArray[np.intp], at: int | None) -> int:
    found = np.flatnonzero(order == at)
    return int(found[0]) if len(found) else 0


@dataclass(frozen=True)
class _Answer:
    """One of the answers beside each other: where it stands, whose it is, and its column."""

    at: int
    letter: str
    title: str
    column: str


def row_on_view(view: View, state: State) -> dict[str, Any]:
    """Everything that the tab of texts shows of one row, or how far a search has come."""
    text = state["rows"]["search"]
    if text:
        search = searched(view, text)
        if not search.run(PATIENCE):
            return {"progress": search.share}
    chosen = columns_on_view(view, state)
    about = {
        "roles": [{"role": role, "column": one.column, "why": one.why} for role, one in chosen.items()],
        "total": 0,
    }
    order = _order(view, state)
    if not len(order):
        return about
    ordinal = _ordinal(order, state["text"]["at"])
    at = int(order[ordinal])
    start = max(0, ordinal - WINDOW)
    return about | {
        "total": len(order),
        "ordinal": ordinal,
        "at": at,
        "index": visible(view.bound.frame.index[at])[:80],
        "start": start,
        "window": order[start : ordinal + WINDOW + 1].tolist(),
        **_row(view, state, at, {role: one.column for role, one in chosen.items() if one.column is not None}),
    }


def _row(view: View, state: State, at: int, columns: Mapping[str, str]) -> dict[str, Any]:
    other, note = partner_of(view, state, at)
    answers = _answers(view, state, at, other, columns)
    found = [_supported(view, columns, answer, len(answers) > 1) for answer in answers]
    differ = _differences(view, state, answers)
    notes = [note] if note else []
    notes += [f"{answer.title}: no sentence is marked, because {s.problem}." for answer, s in _problems(answers, found)]
    parts = []
    for role in ("prompt", "context", "reference"):
        if role in columns:
            marks = _context_marks(found) if role == "context" else {}
            parts.append({"role": role, "column": columns[role], **_part(view, at, columns[role], role, marks)})
            if other is not None and not _same_cell(view, at, other, columns[role]):
                notes.append(f"The {role} of the two rows differs; the one of {answers[0].title} is shown.")
    return {
        "parts": parts,
        "answers": [
            {
                "letter": answer.letter,
                "title": answer.title,
                "column": answer.column,
                "at": answer.at,
                "index": visible(view.bound.frame.index[answer.at])[:80],
                **_part(view, answer.at, answer.column, "response", {0: s.response}, {0: spans}),
            }
            for answer, s, spans in zip(answers, found, ([], []) if isinstance(differ, str) else differ, strict=False)
        ],
        "compared": _compared(differ),
        "verdicts": verdicts_of(view, _sides(answers, at, other, state, view)),
        "steps": [
            {"letter": letter, "title": title, **_steps(view, place, columns, 0)}
            for place, letter, title in _step_places(view, state, at, other, columns)
        ],
        "notes": [visible(text) for text in notes],
    }


def _answers(view: View, state: State, at: int, other: int | None, columns: Mapping[str, str]) -> list[_Answer]:
    """The response; and the other row's, or the other column of a wide frame."""
    mine, second = columns.get("response"), columns.get("other")
    if mine is None:
        return []
    if other is not None:
        return [_Answer(place, letter, _whose(view, place), mine) for place, letter in ((at, "A"), (other, "B"))]
    if second is not None and second != mine:
        return [_Answer(at, letter, answer_of(name), name) for letter, name in (("A", mine), ("B", second))]
    return [_Answer(at, "", "response", mine)]


def _whose(view: View, at: int) -> str:
    """Model, or release, of a row of a long frame."""
    roles = view.bound.roles
    names = [name for name in (roles.model, roles.release) if name is not None]
    return " · ".join(visible(view.bound.frame[name].iat[at]) for name in names) or "response"


def _sides(
    answers: Sequence[_Answer], at: int, other: int | None, state: State, view: View
) -> list[tuple[int, str, str | None]]:
    """(row, letter, column of the response where it tells the answers apart) for the verdicts."""
    if other is not None:
        return [(at, "A", None), (other, "B", None)]
    if len(answers) == 2:
        return [(answer.at, answer.letter, answer.column) for answer in answers]
    return [(at, "", None)]


# Cells


def _cell(view: View, at: int, column: str) -> Any:
    return view.bound.frame.iat[at, view.columns[column]]


def _same_cell(view: View, at: int, other: int, column: str) -> bool:
    return _blocks(_cell(view, at, column), "context") == _blocks(_cell(view, other, column), "context")


def _blocks(value: Any, role: str) -> list[str]:
    """A cell as texts: the passages of a context, else one text; none where it is missing."""
    if is_missing(value):
        return []
    if role == "context":
        try:
            return passages(role, value)
        except DataError:
            return [written(value, 2 * LONG, pretty=True)]
    return [value if isinstance(value, str) else written(value, 100 * LONG, pretty=True)]


def _part(
    view: View,
    at: int,
    column: str,
    role: str,
    marks: Mapping[int, Sequence[Mark]],
    differ: Mapping[int, Sequence[tuple[int, int]]] | None = None,
    begin: tuple[int, int] = (0, 0),
) -> dict[str, Any]:
    """A cell, or what follows a place (block, character) of it, up to a number of characters."""
    blocks = _blocks(_cell(view, at, column), role)
    budget = FIRST if begin == (0, 0) else NEXT
    shown, listed = [], []
    block, start = begin
    first = block
    while block < len(blocks) and block < first + MOST_BLOCKS and budget > 0:
        end = min(len(blocks[block]), start + budget)
        there = list(marks.get(block, ()))
        spans = (differ or {}).get(block, ())
        shown.append(
            {
                "block": block,
                "pieces": pieces(blocks[block], start, end, there, spans),
                "marks": [mark.plain() for mark in there],
            }
        )
        listed += [mark.plain() for mark in there if mark.kind in ("unsupported", "found")]
        budget -= end - start
        if end < len(blocks[block]):
            start = end
            break
        block, start = block + 1, 0
    left = sum(map(len, blocks[block:])) - start if block < len(blocks) else 0
    return {
        "missing": not blocks,
        "blocks": shown,
        "of": len(blocks),
        "listed": listed,
        "more": {"block": block, "start": start, "left": left} if block < len(blocks) else None,
    }


def following(view: View, state: State, body: Mapping[str, Any]) -> dict[str, Any]:
    """What follows in a long cell, unmarked."""
    column, role = str(body.get("column")), str(body.get("role"))
    if column not in view.columns:
        raise StateError(f"There is no column {column!r:.80}.")
    begin = (_whole(body, "block"), _whole(body, "start"))
    return _part(view, _place(view, body), column, role, {}, begin=begin)


def _whole(body: Mapping[str, Any], key: str) -> int:
    value = body.get(key, 0)
    return value if isinstance(value, int) and value > 0 else 0


def _place(view: View, body: Mapping[str, Any]) -> int:
    return min(_whole(body, "at"), max(view.bound.n - 1, 0))


# What is marked


def _supported(view: View, columns: Mapping[str, str], answer: _Answer, lettered: bool) -> Supported:
    """Sentences as the groundedness evaluator judges them, and places that other evaluators kept."""
    value = _cell(view, answer.at, answer.column)
    reader = _grounding(view, answer.column)
    column = (
        None if reader is None else reader.columns.get("context", None if reader.columns else columns.get("context"))
    )
    own = reader is not None and not any(setting in reader.made_by for setting in ("nli=", "embed="))
    if reader is None or not own or column not in view.columns or not isinstance(value, str) or not value.strip():
        return Supported(_kept_marks(view, answer))
    prefix = answer.letter if lettered else ""

    def make() -> Supported:
        context = _blocks(_cell(view, answer.at, column), "context")
        mark, whole = _mark(view, reader.name), len(value) <= FIRST
        return sentence_support(value[:FIRST], context, mark, name=reader.name, prefix=prefix, whole=whole)

    found = view.keep(("support", reader.name, reader.made_by, answer, column, prefix), make)
    return Supported((*found.response, *_kept_marks(view, answer, _SUPPORT)), found.context, found.problem)


def _problems(answers: Sequence[_Answer], found: Sequence[Supported]) -> list[tuple[_Answer, Supported]]:
    return [(answer, one) for answer, one in zip(answers, found, strict=True) if one.problem]


def _grounding(view: View, column: str) -> Reader | None:
    """The groundedness evaluator that read a column of responses; by the name of its outcome where nothing is told."""
    shown = {str(outcome.column).removesuffix("_passed") for outcome in view.bound.roles.outcomes}
    known = readers(view.bound.frame)
    for name, reader in known.items():
        if name in shown and reader.kind in _SUPPORT and reader.columns.get("response") == column:
            return reader
    named = next((n for n in _SUPPORT if n in shown and n not in known), None)
    return None if named is None else Reader(named, named, {})


def _mark(view: View, name: str) -> float:
    """Support below which a sentence counts as unsupported: the pass mark of the outcome."""
    outcome = next((o for o in view.bound.roles.outcomes if o.column == name), None)
    return support_mark(None, None) if outcome is None else support_mark(outcome.better, outcome.pass_at)


def _kept_marks(view: View, answer: _Answer, but: Sequence[str] = ()) -> tuple[Mark, ...]:
    """Places that evaluators wrote into their column of spans, but for some kinds of evaluators."""
    found: list[Mark] = []
    for name, reader in readers(view.bound.frame).items():
        spans = f"{name}_spans"
        if reader.kind in but or reader.columns.get("response") != answer.column or spans not in view.columns:
            continue
        reason = f"{name}_reason"
        why = _cell(view, answer.at, reason) if reason in view.columns else None
        kind, words = ("unsupported", "unsupported; ") if reader.kind in _SUPPORT else ("found", "")
        for start, end in _spans(_cell(view, answer.at, spans)):
            said = f"{name}: {words}{'' if is_missing(why) else str(why)[:400]}"
            found.append(Mark(start, end, name, kind, said))
    return tuple(found)


def _spans(value: Any) -> list[tuple[int, int]]:
    """Places as `annotate` writes them: "[[0, 5], [9, 12]]"."""
    try:
        found = json.loads(value) if isinstance(value, str) else []
        return [(int(a), int(b)) for a, b in found if 0 <= int(a) < int(b)][:500]
    except (ValueError, TypeError):
        return []


def _context_marks(found: Sequence[Supported]) -> dict[int, list[Mark]]:
    """The context's marks of all answers; a sentence that serves both is marked once, for both."""
    if len(found) == 1:
        return {block: list(marks) for block, marks in found[0].context.items()}
    out: dict[int, dict[tuple[int, int], list[Mark]]] = {}
    for one in found:
        for block, marks in one.context.items():
            for mark in marks:
                out.setdefault(block, {}).setdefault((mark.start, mark.end), []).append(mark)
    return {block: [_joined(marks) for marks in places.values()] for block, places in out.items()}


def _joined(marks: Sequence[Mark]) -> Mark:
    if len(marks) == 1:
        return marks[0]
    kind = "evidence" if any(mark.kind == "evidence" for mark in marks) else "nearest"
    label = "→" + ",".join(mark.label.removeprefix("→") for mark in marks)
    return Mark(marks[0].start, marks[0].end, label, kind, "; ".join(mark.words for mark in marks))


def _differences(view: View, state: State, answers: Sequence[_Answer]) -> tuple[list[Any], list[Any]] | str:
    """Places of the words that differ; or what to say instead."""
    if len(answers) != 2 or not state["text"]["differences"]:
        return ""
    texts = ["".join(_blocks(_cell(view, a.at, a.column), "response"))[:FIRST] for a in answers]
    return differing(*texts)


def _compared(differ: tuple[list[Any], list[Any]] | str) -> str:
    if isinstance(differ, str):
        return differ
    if not differ[0] and not differ[1]:
        return "Both answers have the same words."
    return "Words with a dotted line are not in the other answer at that place."


# Steps


def _step_places(
    view: View, state: State, at: int, other: int | None, columns: Mapping[str, str]
) -> list[tuple[int, str, str]]:
    if not {"trajectory", "tool_calls"} & set(columns):
        return []
    if other is None:
        return [(at, "", "")]
    return [(at, "A", _whose(view, at)), (other, "B", _whose(view, other))]


def _steps(view: View, at: int, columns: Mapping[str, str], begin: int) -> dict[str, Any]:
    """A number of steps of one row; where they cannot be read, the cell as it is, and why."""
    column = columns.get("trajectory", columns.get("tool_calls", ""))
    value = _cell(view, at, column)
    out: dict[str, Any] = {"column": column, "at": at, "begin": begin, "problem": "", "steps": [], "total": 0}
    try:
        found = steps_of(value)
    except (MalformedCall, RecursionError) as problem:
        return out | {
            "problem": visible(f"Not read as steps: {problem}")[:400],
            "raw": printable(written(value, FIRST, pretty=True)),
        }
    try:
        found = _judged(view, at, columns, found)
    except (MalformedCall, RecursionError) as problem:
        out["problem"] = visible(f"The expected calls cannot be read: {problem}")[:400]
    part = found[begin : begin + MOST_STEPS]
    return out | {"missing": is_missing(value), "steps": [_plain_step(step) for step in part], "total": len(found)}


def _judged(view: View, at: int, columns: Mapping[str, str], steps: Sequence[Step]) -> list[Step]:
    if "expected_tool_calls" not in columns:
        return list(steps)
    column = columns["expected_tool_calls"]
    exact = any(
        "exact=True" in reader.made_by
        for reader in readers(view.bound.frame).values()
        if reader.columns.get("expected_tool_calls") == column
    )
    return judged(steps, _cell(view, at, column), exact=exact)


def _plain_step(step: Step) -> dict[str, Any]:
    arguments = None
    if step.arguments is not None:
        arguments = [[visible(str(key))[:200], _short(value)] for key, value in list(step.arguments.items())[:100]]
    return {
        "kind": step.kind,
        "name": visible(step.name)[:200],
        "arguments": arguments,
        "text": None if step.text is None else _short(step.text),
        "verdict": visible(step.verdict)[:600],
        "right": step.right,
    }


def _short(value: Any) -> list[Any]:
    """[text, whether there is more] of an argument, a result or what was said."""
    text = value if isinstance(value, str) and value[:1] not in "{[" else written(value, LONG, pretty=True)
    return [printable(text[:SHORT_STEP]), len(text) > SHORT_STEP]


def following_steps(view: View, state: State, body: Mapping[str, Any]) -> Any:
    """The steps from a number on, or the whole text or argument of one step."""
    columns = {role: one.column for role, one in columns_on_view(view, state).items() if one.column is not None}
    at = _place(view, body)
    if "step" not in body:
        return _steps(view, at, columns, _whole(body, "begin"))
    steps = _judged(
        view, at, columns, steps_of(_cell(view, at, columns.get("trajectory", columns.get("tool_calls", ""))))
    )
    number = _whole(body, "step")
    if number >= len(steps):
        raise StateError(f"There is no step {number + 1:,}.")
    step, key = steps[number], body.get("argument")
    if key is None:
        return printable(written(step.text, LONG, pretty=True))
    values = list((step.arguments or {}).values())
    place = key if isinstance(key, int) and 0 <= key < len(values) else 0
    return printable(written(values[place], LONG, pretty=True)) if values else ""


#: What the page asks for when someone wants the rest.
MORE: Mapping[str, Callable[[View, State, Mapping[str, Any]], Any]] = {
    "text_more": following,
    "text_steps": following_steps,
}
