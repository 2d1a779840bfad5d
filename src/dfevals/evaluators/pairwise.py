"""Which of two responses is better? Asked in both orders, so that position cannot decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dfevals.evaluators.clients import CallFailed
from dfevals.evaluators.judge import _JUDGE_WEAKNESSES, Judge, _sendable, _written
from dfevals.evaluators.protocol import Evaluated, EvaluatorRecord
from dfevals.evaluators.values import text
from dfevals.evaluators.verdicts import PAIR_TEMPLATE, codes, fenced
from dfevals.exceptions import DataError

__all__ = ["PairwisePreference"]

_RUBRIC = "Which response helps the person who wrote the prompt more: correct, complete, clear, and safe?"


class PairwisePreference(Judge):
    """A language model's preference between `response` and `other`, asked in both orders.

    Score 1 when `response` is preferred in both orders, 0 when `other` is, .5 for a tie or where the order decided
    (the reason says so), .75 and .25 where one order gave a tie. No pass mark.

    Parameters
    ----------
    client, model, **options
        As in `Judge`.
    rubric : str
        What makes a response better.

    Examples
    --------
    >>> def client(prompt):
    ...     return '{"winner": "A", "reason": "first"}'
    >>> PairwisePreference(client).evaluate(response="x", other="y").reason
    'the order decided: first in both'
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="pairwise_preference",
        measures="A model's preference for the response over another one, asked in both orders.",
        roles=("response", "other"),
        optional=("prompt", "context", "reference"),
        pass_at=None,
        weaknesses=_JUDGE_WEAKNESSES,
        accuracy="The model's; the share of pairs where the order decided is its first check.",
        family="judge",
    )

    def __init__(self, client: Any, model: str | None = None, *, rubric: str = _RUBRIC, **options: Any) -> None:
        if options.get("votes", 1) != 1:
            raise DataError("a pair is asked once in each order; votes is not for PairwisePreference.")
        super().__init__(rubric, client, model, template=PAIR_TEMPLATE, **options)

    def _evaluate(  # type: ignore[override]
        self, response: object, other: object, seed: int | None = None, **others: Any
    ) -> Evaluated:
        pair = _sendable({"response": text("response", response), "other": text("other", other)})
        shared = _sendable(_written(others))
        first, reason = self._ask(pair["response"], pair["other"], shared, seed)
        second, _ = self._ask(pair["other"], pair["response"], shared, seed)
        score = (first + 1 - second) / 2
        if first == second != 0.5:
            place = "first" if first == 1 else "second"
            return Evaluated(0.5, None, f"the order decided: {place} in both", details={"order_decided": True})
        return Evaluated(score, None, reason, details={"order_decided": False})

    def _ask(self, a: str, b: str, shared: Mapping[str, str], seed: int | None) -> tuple[float, str]:
        """1 when A wins, 0 when B does, .5 for a tie."""
        untrusted = {**shared, "response A": a, "response B": b}
        fence, code = codes(self.settings, untrusted)
        system = self.template.system.format(rubric=self.rubric, code=code)
        verdict, _ = self._verdict(system, fenced(untrusted, fence), code, untrusted, 0, seed)
        return {"A": 1.0, "B": 0.0, "tie": 0.5}[verdict["winner"]], str(verdict.get("reason", ""))[:1000]

    def _check(self, verdict: Mapping[str, Any]) -> None:
        if verdict.get("winner") not in ("A", "B", "tie"):
            raise CallFailed(f"the verdict names no winner: {verdict.get('winner')!r}", again=True)
