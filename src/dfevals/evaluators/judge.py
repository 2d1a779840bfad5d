"""A language model as a judge: a rubric, a client, validated verdicts, votes, retries and a rate limit."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from dfevals.evaluators.answers import is_cut_off
from dfevals.evaluators.clients import CallFailed, Completion, OpenAICompatible, as_client
from dfevals.evaluators.concurrency import RateLimit
from dfevals.evaluators.protocol import Evaluated, Evaluator, EvaluatorRecord
from dfevals.evaluators.values import is_missing, passages, text, texts
from dfevals.evaluators.verdicts import SCORE_TEMPLATE, Template, codes, fenced, read_verdict
from dfevals.exceptions import DataError
from dfevals.words import whole_characters

__all__ = ["Judge"]

_LONGEST_WAIT = 60.0
_JUDGE_WEAKNESSES = (
    "As good as its model: judges favour long, confident and familiar answers; agreement with people must be checked "
    "(`ev.agreement`)."
)


class Judge(Evaluator):
    """A language model scores the response by a rubric.

    Untrusted text stands between fences with a code that it cannot know, and a reply counts as a verdict only if it is
    valid JSON with a score inside the scale and is not itself a quotation. Scores are brought to [0, 1].

    Parameters
    ----------
    rubric : str
        What to judge, in words.
    client : callable, OpenAI-like client, or str
        A function of messages or text, an object with `chat.completions.create`, or the address of an OpenAI-compatible
        server (the key is read from OPENAI_API_KEY at each call and never kept).
    model : str, optional
        Passed to the client.
    scale : (float, float)
        Lowest and highest score that the model may give.
    votes : int
        Verdicts per row; the score is their mean, and most of them must be valid.
    retries : int
        Further tries after a failed call or an invalid verdict, with growing pauses; "Retry-After" is heeded.
    timeout : float
        Seconds for one call.
    rate_limit : float, optional
        Calls a second, over all threads.
    max_concurrency : int
        Calls at once in `annotate`.
    temperature : float, optional
        Passed to the client where it takes options.
    backoff : float
        Seconds before the first retry.
    template : Template
        The prompt; its hash is part of provenance.
    **common
        `name`, `pass_at` (0.7), and the columns of the roles `response`, `prompt`, `context` and `reference`.

    Examples
    --------
    >>> def client(messages):
    ...     return '{"score": 0.9, "reason": "clear"}'
    >>> Judge("Is the response polite?", client).evaluate(response="Thank you!").passed
    True
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="judge",
        measures="A language model's score by a rubric of one's own.",
        roles=("response",),
        optional=("prompt", "context", "reference"),
        pass_at=0.7,
        weaknesses=_JUDGE_WEAKNESSES,
        accuracy="The model's; measure it against people.",
        family="judge",
    )
    remote: ClassVar[bool] = True
    takes_seed: ClassVar[bool] = True

    def __init__(
        self,
        rubric: str,
        client: Any,
        model: str | None = None,
        *,
        scale: tuple[float, float] = (0, 1),
        votes: int = 1,
        retries: int = 3,
        timeout: float = 60.0,
        rate_limit: float | None = None,
        max_concurrency: int = 8,
        temperature: float | None = 0.0,
        backoff: float = 0.5,
        template: Template = SCORE_TEMPLATE,
        **common: Any,
    ) -> None:
        if not isinstance(rubric, str) or not rubric.strip():
            raise DataError("rubric must be a text that says what to judge.")
        if not scale[0] < scale[1]:
            raise DataError(f"scale={scale!r} must be (lowest, highest).")
        if votes < 1 or retries < 0:
            raise DataError(f"votes={votes!r} must be at least 1 and retries={retries!r} at least 0.")
        self.rubric, self.model, self.scale, self.votes = rubric, model, (float(scale[0]), float(scale[1])), votes
        self.client = as_client(client, timeout)
        self.retries, self.max_concurrency = retries, max_concurrency
        self.temperature, self.backoff, self.template = temperature, backoff, template
        self._limit = RateLimit(rate_limit)
        per_call = timeout + _LONGEST_WAIT
        self.row_timeout = None if rate_limit else 2 * votes * (retries + 1) * per_call
        settings = {
            "rubric": rubric,
            "model": model,
            "client": repr(self.client),
            "scale": list(self.scale),
            "votes": votes,
            "temperature": temperature,
            "template": template.describe(),
        }
        super().__init__(settings=settings, **common)

    def _evaluate(self, response: object, seed: int | None = None, **others: Any) -> Evaluated:
        untrusted = _sendable({"response": text("response", response), **_written(others)})
        fence, code = codes(self.settings, untrusted)
        low, high = self.scale
        system = self.template.system.format(rubric=self.rubric, low=f"{low:g}", high=f"{high:g}", code=code)
        scores: list[tuple[float, str]] = []
        problems: list[str] = []
        tokens = 0
        for vote in range(self.votes):
            try:
                verdict, used = self._verdict(system, fenced(untrusted, fence), code, untrusted, vote, seed)
            except CallFailed as problem:
                problems.append(str(problem))
                continue
            tokens += used
            scores.append((_score(verdict, self.scale), str(verdict.get("reason", ""))[:1000]))
        if 2 * len(scores) <= self.votes:
            raise DataError(problems[0] if self.votes == 1 else f"{len(problems)} of {self.votes} votes: {problems[0]}")
        raw = statistics.fmean(score for score, _ in scores)
        reason = min(scores, key=lambda pair: abs(pair[0] - raw))[1]
        details = {"votes": [score for score, _ in scores], "tokens": tokens or None}
        return Evaluated((raw - low) / (high - low), None, reason, details=details)

    def close(self) -> None:
        """Close the client's connections."""
        if isinstance(self.client, OpenAICompatible):
            self.client.close()

    def _verdict(
        self,
        system: str,
        user: str,
        code: str,
        untrusted: Mapping[str, str],
        vote: int = 0,
        seed: int | None = None,
    ) -> tuple[dict[str, Any], int]:
        """A valid verdict and the tokens used, after as many tries as allowed."""
        options: dict[str, Any] = {} if self.temperature is None else {"temperature": self.temperature}
        if seed is not None or vote:
            options["seed"] = (seed or 0) + vote
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        tokens = 0
        for attempt in range(self.retries + 1):
            self._limit.wait()
            try:
                answer: Completion = self.client(messages, model=self.model, **options)
                tokens += answer.tokens or 0
                return self._read(answer, code, untrusted), tokens
            except CallFailed as problem:
                if not problem.again or attempt == self.retries:
                    tries = f" (after {attempt + 1} tries)" if attempt else ""
                    raise CallFailed(f"{problem}{tries}", again=False) from None
                pause = self.backoff * 2**attempt * (0.75 + 0.5 * int(code[attempt % 12], 16) / 15)
                time.sleep(min(max(pause, problem.wait or 0.0), _LONGEST_WAIT))
        raise AssertionError("unreachable")

    def _read(self, answer: Completion, code: str, untrusted: Mapping[str, str]) -> dict[str, Any]:
        """The verdict in an answer; where there is none, whether the answer was cut off."""
        try:
            verdict = read_verdict(answer.text, code, untrusted)
            self._check(verdict)
        except CallFailed as problem:
            if not is_cut_off(answer.finish_reason):
                raise
            raise CallFailed(f"{problem}; the answer was cut off ({answer.finish_reason})", again=True) from None
        return verdict

    def _check(self, verdict: Mapping[str, Any]) -> None:
        """Refuse a verdict that is not of the form asked for."""
        _score(verdict, self.scale)


def _sendable(texts: Mapping[str, str]) -> dict[str, str]:
    """Texts that can be sent: servers refuse halves of surrogate pairs."""
    return {name: whole_characters(one) for name, one in texts.items()}


def _score(verdict: Mapping[str, Any], scale: tuple[float, float]) -> float:
    value = verdict.get("score")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CallFailed(f"the verdict has no numeric score: {value!r}", again=True)
    if not scale[0] <= value <= scale[1]:
        raise CallFailed(f"the score {value!r} is outside {scale[0]:g} to {scale[1]:g}", again=True)
    return float(value)


def _written(others: Mapping[str, Any]) -> dict[str, str]:
    """The other roles as texts; those that are missing are left out."""
    found: dict[str, str] = {}
    for role, value in others.items():
        if is_missing(value):
            continue
        if role == "context":
            found[role] = "\n---\n".join(passages(role, value))
        elif role == "reference":
            found[role] = "\n---\n".join(texts(role, value))
        else:
            found[role] = text(role, value)
    return found
