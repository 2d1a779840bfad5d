"""Did the agent take the right steps, and was the task done in the end?"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dfevals.evaluators.protocol import Evaluated, Evaluator, EvaluatorRecord
from dfevals.evaluators.tool_calls import (
    Call,
    MalformedCall,
    argument_matches,
    expected_calls,
    given_arguments,
    made_calls,
    may_miss,
)
from dfevals.evaluators.values import parse_json, text
from dfevals.exceptions import DataError, check_choice

__all__ = ["TaskCompletion", "TrajectoryMatch"]

_MODES = ("exact", "in_order", "any_order", "precision", "recall", "f1")


class TrajectoryMatch(Evaluator):
    """Whether the steps taken are the expected ones.

    `mode` "exact": the same steps in the same order; "in_order": the expected steps in order, others between them
    allowed; "any_order": all expected steps, others allowed; "precision": share of the steps taken that were expected;
    "recall": share of the expected steps that were taken; "f1": their harmonic mean. The first three score 1 or 0.

    Parameters
    ----------
    mode : str
        One of the above.
    arguments : bool
        Compare arguments too, wherever the expected step has them.
    exact : bool
        Compare texts in arguments as they are.
    **common
        `name`, `pass_at` (1), and the columns of the roles `trajectory` (or `tool_calls`) and `expected_tool_calls`
        (or `reference`).

    Notes
    -----
    Numbers in arguments are compared by value, as JSON means them: 5 and 5.0 are the same step, "5" and true are not.
    Whether an argument is of the type that the tool declares is the question of `ToolArgumentAccuracy`, to which 5.0
    is wrong where 5 is expected.

    Examples
    --------
    >>> TrajectoryMatch(mode="in_order").evaluate(trajectory=["look", "wait", "book"], reference=["look", "book"]).score
    1.0
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="trajectory_match",
        measures="Agreement of the steps taken with the expected ones (exact, in order, any order, precision, recall).",
        roles=("trajectory|tool_calls", "expected_tool_calls|reference"),
        weaknesses="One expected way only; another way that also works counts as wrong.",
        accuracy="Exact by construction.",
        family="structured",
    )
    version: ClassVar[int] = 2

    def __init__(self, *, mode: str = "exact", arguments: bool = True, exact: bool = False, **common: Any) -> None:
        check_choice("mode", mode, _MODES, DataError)
        super().__init__(settings={"mode": mode, "arguments": arguments, "exact": exact}, **common)
        self.mode, self.arguments, self.exact = mode, arguments, exact

    def _evaluate(self, **values: Any) -> Evaluated:
        expected = expected_calls(values.get("expected_tool_calls", values.get("reference")))
        try:
            taken = made_calls(
                "trajectory", values.get("trajectory", values.get("tool_calls")), none_expected=not expected
            )
        except MalformedCall as problem:
            return Evaluated(0.0, None, str(problem))
        if self.mode in ("exact", "in_order"):
            return self._in_sequence(expected, taken)
        pairs = best_pairs(expected, taken, self._same)
        missing, extra = _left(expected, taken, pairs)
        return Evaluated(
            self._rate(len(pairs), len(expected), len(taken)),
            None,
            _described([c.name for c in missing], [c.name for c in extra]),
        )

    def _rate(self, same: int, expected: int, taken: int) -> float:
        if self.mode == "any_order":
            return float(same == expected)
        precision = same / taken if taken else float(not expected)
        recall = same / expected if expected else 1.0
        if self.mode == "f1":
            return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        return precision if self.mode == "precision" else recall

    def _in_sequence(self, expected: Sequence[Call], taken: Sequence[Call]) -> Evaluated:
        if self.mode == "exact":
            for place, (a, b) in enumerate(zip(expected, taken, strict=False)):
                if not self._same(a, b):
                    return Evaluated(0.0, None, f"step {place + 1} is {b.name}, expected {_step(a)}")
            if len(taken) == len(expected):
                return Evaluated(1.0, None, f"all {len(taken)} steps as expected")
            return Evaluated(0.0, None, f"{len(taken)} steps taken, {len(expected)} expected")
        at = 0
        for step in taken:
            if at < len(expected) and self._same(expected[at], step):
                at += 1
        if at == len(expected):
            return Evaluated(1.0, None, f"all {at} expected steps, in order")
        return Evaluated(0.0, None, f"expected step {at + 1} ({_step(expected[at])}) is not there in order")

    def _same(self, expected: Call, taken: Call) -> bool:
        return same_call(expected, taken, arguments=self.arguments, exact=self.exact)


class TaskCompletion(Evaluator):
    """Whether the task was done: the final state is the expected one, or every expected action was taken.

    With `reference` (the expected final state, a mapping) the score is the share of its leaves that the final state in
    `response` has. Otherwise it is the share of the expected actions among the calls made, in any order. The pass mark
    is 1. With `extra="forbid"` calls that were not expected count among the actions too, unless they match `harmless`.

    Parameters
    ----------
    extra : {"allow", "forbid"}
        What calls that were not expected mean.
    harmless : list of str
        Names or patterns ("get_*") of calls that change nothing: neither needed nor harmful.
    exact : bool
        Compare texts as they are.
    **common
        `name`, `pass_at` (1), and the columns of the roles.

    Notes
    -----
    Numbers are compared by value, as JSON means them: an order of 5.0 pieces is an order of 5. "5" and true are not 5.

    Examples
    --------
    >>> done = TaskCompletion().evaluate(response={"order": {"status": "sent", "id": 7}}, reference={"order": {"id": 7}})
    >>> done.passed
    True
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="task_completion",
        measures="Share of the expected final state reached, or of the expected actions taken.",
        roles=("tool_calls|trajectory|response", "expected_tool_calls|reference"),
        weaknesses="Judges actions by their arguments, not by their effect; what was said to the user is not seen.",
        accuracy="Agrees with the published reward on 93.5 % of 200 TauBench airline traces (extra='forbid', harmless: the "
        "calls that read and transfer_to_human_agents): sensitivity .88, specificity .97. With the calls that read alone "
        "harmless on 74 % (.42, .97); as it is by default on 77 % (.68, .84).",
        family="structured",
    )
    version: ClassVar[int] = 2

    def __init__(
        self, *, extra: str = "allow", harmless: Sequence[str] = (), exact: bool = False, **common: Any
    ) -> None:
        check_choice("extra", extra, ("allow", "forbid"), DataError)
        super().__init__(settings={"extra": extra, "harmless": list(harmless), "exact": exact}, **common)
        self.extra, self.harmless, self.exact = extra, tuple(harmless), exact

    def _evaluate(self, **values: Any) -> Evaluated:
        if "expected_tool_calls" in values:
            return self._by_actions(values)
        if not {"response", "trajectory"} & set(values):
            raise DataError("the final state is missing; with reference=, response= holds it.")
        return self._by_state(values.get("response", values.get("trajectory")), values["reference"])

    def sources(self, columns: Sequence[object]) -> dict[str, object]:
        """Which column each role is read from: with `reference` the final state is the response, also beside calls."""
        found = super().sources(columns)
        by_state = "expected_tool_calls" not in {*found, *self.constants}
        if by_state and "response" in columns and not {"response", "trajectory"} & {*self.columns, *self.constants}:
            found["response"] = "response"
        return found

    def _by_actions(self, values: Mapping[str, Any]) -> Evaluated:
        expected = [call for call in expected_calls(values["expected_tool_calls"]) if not self._is_harmless(call)]
        try:
            made = made_calls(
                "tool_calls",
                values.get("tool_calls", values.get("trajectory", values.get("response"))),
                none_expected=not expected,
            )
        except MalformedCall as problem:
            return Evaluated(0.0, None, str(problem))
        made = [call for call in made if not self._is_harmless(call)]
        pairs = best_pairs(expected, made, lambda a, b: same_call(a, b, arguments=True, exact=self.exact))
        strict = self.extra == "forbid"
        needed = len(expected) + (len(made) - len(pairs) if strict else 0)
        score = len(pairs) / needed if needed else 1.0
        missing, extra = _left(expected, made, pairs)
        return Evaluated(score, None, _described(list(map(_step, missing)), list(map(_step, extra))))

    def _is_harmless(self, call: Call) -> bool:
        return any(fnmatch.fnmatchcase(call.name, pattern) for pattern in self.harmless)

    def _by_state(self, state: object, expected: object) -> Evaluated:
        wanted = parse_json("reference", expected)
        if not isinstance(wanted, Mapping):
            raise DataError("reference must be a mapping: the expected final state.")
        if isinstance(state, str | bytes):
            try:
                reached = parse_json("response", text("response", state))
            except DataError as problem:
                return Evaluated(0.0, None, str(problem))
        else:
            reached = parse_json("response", state)
        total, problems = _compare_states(wanted, reached, "$", self.exact)
        score = (total - len(problems)) / total if total else 1.0
        return Evaluated(score, None, "; ".join(problems[:5]) or f"all {total} expected values reached")


def _compare_states(wanted: Mapping[str, Any], reached: object, path: str, exact: bool) -> tuple[int, list[str]]:
    """Number of expected leaves, and the paths of those that are not reached."""
    total, problems = 0, []
    for key, value in wanted.items():
        place = f"{path}.{key}"
        there = isinstance(reached, Mapping) and (key in reached or value is None)
        found = reached.get(key) if isinstance(reached, Mapping) else None
        if isinstance(value, Mapping) and "any_of" not in value:
            inner, wrong = _compare_states(value, found, place, exact)
            total += inner
            problems += wrong
            continue
        total += 1
        if not there:
            problems.append(f"{place} is missing")
        elif not argument_matches(value, found, exact=exact):
            problems.append(f"{place} differs")
    return total, problems


def same_call(expected: Call, made: Call, *, arguments: bool = True, exact: bool = False) -> bool:
    """Whether a call is the expected one; an expected call without arguments asks for the name only."""
    if expected.name != made.name:
        return False
    if not arguments or expected.arguments is None:
        return True
    given = given_arguments(expected, made)
    if any(key not in expected.arguments for key in given):
        return False
    return all(
        argument_matches(value, given[key], exact=exact) if key in given else may_miss(value)
        for key, value in expected.arguments.items()
    )


def best_pairs(expected: Sequence[Call], made: Sequence[Call], same: Any) -> list[tuple[int, int]]:
    """A largest set of pairs (expected, made) of same calls (augmenting paths)."""
    options = [[j for j, b in enumerate(made) if same(a, b)] for a in expected]
    partner: dict[int, int] = {}

    def place(i: int, tried: set[int]) -> bool:
        for j in options[i]:
            if j not in tried:
                tried.add(j)
                if j not in partner or place(partner[j], tried):
                    partner[j] = i
                    return True
        return False

    for i in range(len(expected)):
        place(i, set())
    return sorted((i, j) for j, i in partner.items())


def _left(
    expected: Sequence[Call], made: Sequence[Call], pairs: Sequence[tuple[int, int]]
) -> tuple[list[Call], list[Call]]:
    """Expected calls that were not made, and calls that were not expected."""
    done, right = {a for a, _ in pairs}, {b for _, b in pairs}
    missing = [call for i, call in enumerate(expected) if i not in done]
    return missing, [call for j, call in enumerate(made) if j not in right]


def _step(call: Call) -> str:
    return call.name if call.arguments is None else f"{call.name}({', '.join(map(str, call.arguments))})"


def _described(missing: Sequence[str], extra: Sequence[str]) -> str:
    parts = [f"not done: {', '.join(missing[:5])}"] if missing else ["all expected steps done"]
    parts += [f"not expected: {', '.join(extra[:5])}"] if extra else []
    return "; ".join(parts)
