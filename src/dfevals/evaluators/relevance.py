"""Is the context about the question, and does the response answer it?"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from dfevals.evaluators.fingerprints import stable_repr
from dfevals.evaluators.groundedness import embedding_similarity
from dfevals.evaluators.overlap import ContextIndex
from dfevals.evaluators.protocol import Evaluated, Evaluator, EvaluatorRecord
from dfevals.evaluators.refusals import find_refusal
from dfevals.evaluators.support import load_model
from dfevals.evaluators.tokens import ENTITY, FUNCTION, NUMBER, Token, sentences, tokens
from dfevals.evaluators.values import passages, text
from dfevals.exceptions import DataError

__all__ = ["AnswerRelevancy", "ContextRelevance"]

_ASKING = frozenset(
    [
        "what",
        "which",
        "who",
        "whom",
        "whose",
        "when",
        "where",
        "why",
        "how",
        "name",
        "list",
        "give",
        "tell",
        "explain",
        "describe",
        "many",
        "much",
    ]
)
_WANTS = (
    ("number", re.compile(r"\bhow (?:many|much|old|long|far|tall|big|high|large|often|fast)\b", re.IGNORECASE)),
    ("date", re.compile(r"\b(?:when|what (?:year|date|day|month)|which year|in which year)\b", re.IGNORECASE)),
    ("name", re.compile(r"^\W*(?:who|whom|whose|where|which (?:person|city|country|company))\b", re.IGNORECASE)),
    (
        "yes or no",
        re.compile(r"^\W*(?:is|are|was|were|do|does|did|can|could|has|have|had|will|would|should)\b", re.IGNORECASE),
    ),
)


class _Relevance(Evaluator):
    """Shared parameters."""

    def __init__(self, *, embed: Callable[[list[str]], Any] | None = None, **common: Any) -> None:
        if embed is not None and not callable(embed):
            raise DataError(f"embed must be a function, found {type(embed).__name__}.")
        super().__init__(settings={} if embed is None else {"embed": stable_repr(embed)}, **common)
        self.embed = embed


def question_weights(prompt: str) -> dict[str, float]:
    """Weight of each content word of a question: its rarity, names and numbers heavier."""
    model = load_model()
    found: dict[str, float] = {}
    for a, b in sentences(prompt):
        for token in tokens(prompt[a:b]):
            if token.kind != FUNCTION and token.written.lower() not in _ASKING:
                weight = model.weight(token.key) * (1.3 if token.kind in (ENTITY, NUMBER) else 1.0)
                found[token.key] = max(weight, found.get(token.key, 0.0))
    return found


class ContextRelevance(_Relevance):
    """Share of the question's matter that the context is about.

    The weighted share of the question's content words (names and numbers heavier) that the passages hold, the best
    passage and all of them together counting one half each. Score in [0, 1]; pass mark 0.4. A prompt without content words
    is an error.

    Parameters
    ----------
    embed : callable, optional
        `embed(list of texts)` → array (texts, dimensions): the score is then the mean of the built-in one and the
        greatest cosine similarity of the prompt to a sentence of the context.
    **common
        `name`, `pass_at`, and the columns of the roles `prompt` and `context`.

    Examples
    --------
    >>> ContextRelevance().evaluate(prompt="When was Acme founded?", context="Acme was founded in 1880.").score
    1.0
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="context_relevance",
        measures="Weighted share of the question's content words that the context holds.",
        roles=("prompt", "context"),
        pass_at=0.4,
        weaknesses="Words, not meanings: synonyms are missed, and a context that only repeats the question looks relevant.",
        accuracy="HaluEval QA, own against the most similar other context (TF-IDF): ROC AUC .985 (TF-IDF itself .930); "
        "against a random one .9997. 500 questions; nothing was fitted on them but word weights of another source.",
        family="grounding",
    )

    def _evaluate(self, prompt: object, context: object) -> Evaluated:
        question = text("prompt", prompt)
        weights = question_weights(question)
        if not weights:
            raise DataError("the prompt has no content words.")
        found = passages("context", context)
        shares, everywhere = [], set[str]()
        for passage in found:
            keys = set(ContextIndex([passage]).where)
            everywhere |= keys
            shares.append(_weighted_share(weights, keys))
        score = (max(shares, default=0.0) + _weighted_share(weights, everywhere)) / 2
        if self.embed is not None and everywhere:
            near = embedding_similarity(self.embed, [question], ContextIndex(found).texts)[0]
            score = (score + near) / 2
        missing = [key for key in weights if key not in everywhere]
        return Evaluated(score, None, f"not in the context: {', '.join(missing[:6])}" if missing else "all words found")


def _weighted_share(weights: dict[str, float], keys: set[str]) -> float:
    return sum(w for key, w in weights.items() if key in keys) / sum(weights.values())


class AnswerRelevancy(_Relevance):
    """Whether the response is about the question and of the kind that was asked for.

    Overlap of the question's weighted content words with the response, raised where a short answer has the kind asked for
    (a number for "how many", a date for "when", a name for "who", yes or no), and lowered by a refusal. Score in [0, 1];
    pass mark 0.3.

    Parameters
    ----------
    embed : callable, optional
        As in `ContextRelevance`; the similarity is that of the prompt to the sentences of the response.
    **common
        `name`, `pass_at`, and the columns of the roles `prompt` and `response`.

    Examples
    --------
    >>> check = AnswerRelevancy()
    >>> check.evaluate(prompt="How many moons has Mars?", response="Two").passed
    True
    >>> check.evaluate(prompt="How many moons has Mars?", response="Bread is baked in ovens.").passed
    False
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="answer_relevancy",
        measures="Overlap of the response with the question's matter, and the kind of answer asked for.",
        roles=("prompt", "response"),
        pass_at=0.3,
        weaknesses="Words, not meanings; does not judge whether the answer is right; long prompts with instructions dilute it.",
        accuracy="Own against another prompt's answer: ROC AUC .90 on 1,500 ChatGPT answers (HaluEval), .97 on 500 full-sentence "
        "answers, .61 on 500 answers of one to three words.",
        family="grounding",
    )

    version: ClassVar[int] = 2

    def _evaluate(self, prompt: object, response: object) -> Evaluated:
        question, answer = text("prompt", prompt), text("response", response)
        weights = question_weights(question)
        rows = [tokens(answer[a:b]) for a, b in sentences(answer)]
        row = [token for part in rows for token in part]
        if not row:
            raise DataError("the response has no words.")
        share = _weighted_share(weights, {token.key for token in row}) if weights else 0.0
        score = 1 - (1 - share) ** 2
        wanted = wanted_kind(question)
        fits = wanted is not None and has_kind(wanted, row, answer)
        if fits:
            score = max(score, 0.6 if len(row) <= 8 else 0.35)
        elif wanted is None and len(row) <= 4 and question.rstrip().endswith("?"):
            score = max(score, 0.4)
        reasons = [f"{share:.0%} of the question's words" + (f"; gives a {wanted}" if fits else "")]
        if self.embed is not None:
            texts = [answer[a:b] for a, b in sentences(answer)]
            score = (score + embedding_similarity(self.embed, [question], texts)[0]) / 2
        if find_refusal(answer) is not None:
            score *= 0.4
            reasons.append("reads as a refusal")
        return Evaluated(score, None, "; ".join(reasons))


def wanted_kind(question: str) -> str | None:
    """What kind of answer a question asks for, if it says so."""
    last = question[slice(*sentences(question)[-1])] if question.strip() else ""
    return next((kind for kind, pattern in _WANTS if pattern.search(last) or pattern.search(question[:80])), None)


def has_kind(kind: str, row: Sequence[Token], answer: str) -> bool:
    """Whether an answer has something of the kind asked for."""
    if kind == "number":
        return any(token.kind == NUMBER or token.key in ("1", "2") for token in row)
    if kind == "date":
        return any(token.kind == NUMBER for token in row)
    if kind == "name":
        return any(token.kind == ENTITY for token in row) or answer[:1].isupper()
    return row[0].key in ("yes", "no") or len(row) <= 2
