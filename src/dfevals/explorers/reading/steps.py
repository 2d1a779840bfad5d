"""What an agent did, step by step: calls with arguments and results, what was said between them, and what was expected."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dfevals.evaluators.tool_calls import Call, MalformedCall, parse_calls
from dfevals.evaluators.tools import ToolArgumentAccuracy
from dfevals.evaluators.trajectories import best_pairs, same_call
from dfevals.evaluators.values import is_missing, plain

__all__ = ["Step", "judged", "steps_of"]

_CALLS = ("functionCall", "function_call", "toolUse")
_RESULTS = ("functionResponse", "function_response", "toolResult")
MOST_COMPARED = 400  # calls; beyond, they are shown without being compared


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes
    ----------
    kind : str
        "call", "said", "result" (without its call) or "missing" (expected and not made).
    name : str
        The tool, or who said it.
    arguments : mapping or None
        Of a call; None where only the name is known.
    text : object
        What was said, or the result of a call; None where there is none.
    verdict : str
        How the call agrees with the expected ones, in words; empty where nothing was expected.
    right : bool or None
        The same as a truth value.
    """

    kind: str
    name: str
    arguments: Mapping[str, Any] | None = None
    text: Any = None
    verdict: str = ""
    right: bool | None = None


def steps_of(value: object) -> list[Step]:
    """The steps in a cell: tool calls of any usual format, or messages with calls, results and texts between them.

    Raises
    ------
    MalformedCall
        When it cannot be read; the message says why.

    Examples
    --------
    >>> said = {"role": "user", "content": "Weather in Rome?"}
    >>> call = {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": '{"a": 1}'}}]}
    >>> [step.kind for step in steps_of([said, call, {"role": "tool", "tool_call_id": "1", "content": "sun"}])]
    ['said', 'call']
    """
    if is_missing(value):
        return []
    messages = _messages(value)
    if messages is None:
        return [_call(call) for call in parse_calls(value)]
    steps: list[Step] = []
    waiting = _Waiting()
    for message in messages:
        for identity, step in _of_message(message):
            at = waiting.take(identity, step.name) if step.kind == "result" else None
            if at is not None:
                steps[at] = replace(steps[at], text=step.text)
                continue
            if step.kind == "call":
                waiting.add(len(steps), identity, step.name)
            steps.append(step)
    return steps


class _Waiting:
    """Calls without a result, found in no time by their id, or else the first of a name, or of any."""

    def __init__(self) -> None:
        self.by_id: dict[str, int] = {}
        self.by_name: dict[str, deque[int]] = defaultdict(deque)
        self.answered: set[int] = set()

    def add(self, at: int, identity: str, name: str) -> None:
        if identity:
            self.by_id[identity] = at
        for one in {"", name}:
            self.by_name[one].append(at)

    def take(self, identity: str, name: str) -> int | None:
        at = self.by_id.pop(identity, None)
        while at is None and self.by_name[name]:
            first = self.by_name[name].popleft()
            at = None if first in self.answered else first
        if at is not None:
            self.answered.add(at)
        return at


def _messages(value: object) -> list[Mapping[str, Any]] | None:
    """The messages in a cell; None where it holds something else."""
    value = plain(value)
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.lstrip()[:1] in ("[", "{") else None
        except (ValueError, RecursionError):
            return None
    if isinstance(value, Mapping) and isinstance(plain(value.get("messages")), list):
        value = plain(value["messages"])
    if not isinstance(value, list) or not value or not all(isinstance(item, Mapping) for item in value):
        return None
    return value if any("role" in item and "name" not in item for item in value) else None


def _of_message(message: Mapping[str, Any]) -> Iterator[tuple[str, Step]]:
    """(id of the call, step) of everything in a message."""
    who = str(message.get("role", message.get("type", "")))
    content = plain(message.get("content", message.get("parts")))
    if who in ("tool", "function", "function_call_output"):
        identity = str(message.get("tool_call_id", message.get("call_id", message.get("id", ""))))
        yield identity, Step("result", str(message.get("name", "")), text=message.get("output", content))
        return
    for block in content if isinstance(content, list) else [content]:
        yield from _of_block(who, block)
    calls = plain(message.get("tool_calls")) or [message[k] for k in ("function_call",) if message.get(k)]
    if not isinstance(calls, list):
        calls = [calls]
    if "role" not in message and message.get("type") in ("function_call", "tool_use"):
        calls = [message]
    for call in calls:
        yield from _of_call(call)


def _of_block(who: str, block: object) -> Iterator[tuple[str, Step]]:
    """A text, or a block of a message of Anthropic, Bedrock or Gemini: a text, a call, a result."""
    if isinstance(block, Mapping):
        kind = block.get("type")
        given_back = next((block[key] for key in _RESULTS if isinstance(block.get(key), Mapping)), None)
        if kind == "tool_use" or any(isinstance(block.get(key), Mapping) for key in _CALLS):
            yield from _of_call(block)
        elif given_back is not None:
            text = given_back.get("response", given_back.get("content"))
            yield (
                str(given_back.get("toolUseId", "")),
                Step("result", str(given_back.get("name", "")), text=_text_of(text)),
            )
        elif kind == "tool_result":
            yield str(block.get("tool_use_id", "")), Step("result", "", text=_text_of(block.get("content")))
        else:
            text = block.get("text", block.get("thinking"))
            yield "", Step("said", who, text=text if isinstance(text, str) else dict(block))
    elif block is not None and block != "":
        yield "", Step("said", who, text=block)


def _text_of(content: object) -> object:
    content = plain(content)
    if isinstance(content, list) and all(isinstance(b, Mapping) and isinstance(b.get("text"), str) for b in content):
        return "\n".join(b["text"] for b in content)
    return content


def _of_call(call: object) -> Iterator[tuple[str, Step]]:
    """The steps of one item of a list of calls; one that cannot be read is shown as it is."""
    inner = (
        next((call[key] for key in _CALLS if isinstance(call.get(key), Mapping)), call)
        if isinstance(call, Mapping)
        else {}
    )
    identity = str(inner.get("id") or inner.get("call_id") or inner.get("toolUseId") or "")
    try:
        for one in parse_calls([call]):
            yield identity, _call(one)
    except MalformedCall as problem:
        yield identity, Step("call", "(cannot be read)", text=call, verdict=str(problem), right=False)


def _call(call: Call) -> Step:
    return Step("call", call.name, call.arguments)


def judged(steps: Sequence[Step], expected: object, *, exact: bool = False) -> list[Step]:
    """The steps with how each call agrees with the expected ones, and the expected ones that were not made behind them.

    Calls that are the same are paired first, then those of one name in order; what differs is said by
    `ToolArgumentAccuracy`.

    Raises
    ------
    MalformedCall
        When the expected calls cannot be read.

    Examples
    --------
    >>> made = [Step("call", "book", {"nights": "2"})]
    >>> [step.verdict for step in judged(made, [{"name": "book", "arguments": {"nights": 2}}])]
    ["differs: nights='2' (str), expected 2 (int)"]
    """
    if is_missing(expected):
        return list(steps)
    wanted = parse_calls(expected)
    places = [i for i, step in enumerate(steps) if step.kind == "call" and step.right is None]
    if len(places) + len(wanted) > MOST_COMPARED:
        return list(steps)
    made = [Call(steps[i].name, steps[i].arguments) for i in places]
    same = dict(best_pairs(wanted, made, lambda a, b: same_call(a, b, exact=exact)))
    partner = {j: i for i, j in same.items()}
    for j, call in enumerate(made):
        if j not in partner:
            left = (i for i, w in enumerate(wanted) if w.name == call.name and i not in partner.values())
            nearest = next(left, None)
            if nearest is not None:
                partner[j] = nearest
    out = list(steps)
    for j, place in enumerate(places):
        verdict, right = _verdict(made[j], wanted[partner[j]] if j in partner else None, exact)
        out[place] = replace(out[place], verdict=verdict, right=right)
    return out + [
        Step("missing", call.name, call.arguments, verdict="expected, and not called", right=False)
        for i, call in enumerate(wanted)
        if i not in partner.values()
    ]


def _verdict(made: Call, wanted: Call | None, exact: bool) -> tuple[str, bool | None]:
    if wanted is None:
        return "not among the expected calls", None
    if same_call(wanted, made, exact=exact):
        return "as expected", True
    found = ToolArgumentAccuracy(exact=exact).evaluate(
        tool_calls=[{"name": made.name, "arguments": dict(made.arguments or {})}],
        expected_tool_calls=[{"name": wanted.name, "arguments": dict(wanted.arguments or {})}],
    )
    if found.score == 1.0:
        return "as expected", True
    return f"differs: {found.reason.replace(f'{made.name}: ', '')}", False
