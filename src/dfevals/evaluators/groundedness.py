"""Is the response supported by its context? Sentence by sentence, offline, from calibrated overlap."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from dfevals.evaluators.fingerprints import stable_repr
from dfevals.evaluators.overlap import ContextIndex
from dfevals.evaluators.protocol import Evaluated, Evaluator, EvaluatorRecord
from dfevals.evaluators.support import SentenceSupport, load_model, support
from dfevals.evaluators.values import passages, text, texts
from dfevals.exceptions import DataError

__all__ = [
    "ContextRecall",
    "Groundedness",
    "HallucinationScore",
    "embedding_similarity",
    "response_score",
    "support_mark",
]

_WEAKNESSES = (
    "English; knows words, not meanings: a paraphrase without common words looks unsupported, a false statement made of "
    "the context's words looks supported (swapped roles, changed relations). Short answers that are no sentence are "
    "judged by whether the context has them. Other languages are read too, scripts without spaces in pieces of two to four "
    "characters, by weights that were fitted on English: measure on rows of your own."
)
_ACCURACY = (
    "WiCE claims, nested cross-validation by claim: ROC AUC .811 [.765, .855] supported against the rest, .961 [.942, .977] "
    "not supported against the rest (unigram overlap .763 and .915, TF-IDF .677 and .873, BLEU .709 and .890); with the "
    "evidence as one text .814 and .958. HaluEval QA, unseen half (252 questions): 1.000 (response length .981, unigram "
    "overlap .917, BLEU .448, TF-IDF .376, ROUGE-L .163); but at the pass mark 73 % of its hallucinated answers pass, since "
    "they are made of the context's words. The kinds of features were made while looking at WiCE; HaluEval QA is easy by form."
)
_PASS_AT = 0.5


class Groundedness(Evaluator):
    """Expected share of the response that the context supports.

    Each sentence of the response gets an expected support from weighted n-gram, name and number overlap with the
    sentences of the context (logistic regressions fitted on WiCE and on half of HaluEval QA); numbers, names and
    negations that the context contradicts cap it at 0.4 and are named in the reason; a sentence that stands word for word
    in the context has at least 0.97. The score is the mean over sentences, in [0, 1]; pass mark 0.5. `spans` are the
    sentences below the mark. A response without words is an error.

    Parameters
    ----------
    embed : callable, optional
        `embed(list of texts)` → array (texts, dimensions). The score of a sentence is then the mean of the built-in one
        and its greatest cosine similarity to a sentence of the context.
    nli : callable, optional
        `nli(premise, hypothesis)` → probability that the premise entails the hypothesis, or a mapping with
        "entailment". It replaces the built-in score of a sentence.
    **common
        `name`, `pass_at`, and the columns of the roles `response` and `context` (a text or a list of texts).

    Notes
    -----
    Measured by `scripts/fit_groundedness.py` (intervals: bootstrap over claims or questions). On WiCE (real claims of
    Wikipedia against the pages they cite; 349 claims, 1,043 rows; ten-fold cross-validation by claim, twice, with features,
    penalties and join chosen inside each fold) the ROC AUC is .811 [.765, .855] for supported against the rest and .961
    [.942, .977] for not supported against the rest; unigram overlap has .763 and .915, ROUGE-2 .667 and .861, BLEU .709 and
    .890, TF-IDF .677 and .873. With the evidence joined to one text it is .814 and .958. On the half of HaluEval QA that
    the fit has not seen (252 questions, right against hallucinated answer) it is 1.000: every right answer scores above
    every hallucinated one. That set is easy by form, since right answers are short: response length alone has .981; unigram
    overlap .917, BLEU .448, TF-IDF .376, ROUGE-L .163. At the pass mark 93 % of the supported, 79 % of the partially and
    6 % of the not supported claims of WiCE pass, all right answers of HaluEval, and 73 % of its hallucinated ones, which
    are sentences made of the context's words (at `pass_at=0.85` 0.4 % of them pass, and 13 % of the supported claims).

    What is not held out: the kinds of features were made while looking at other splits of the same 349 claims, and an
    earlier rule was changed while looking at the unseen half of HaluEval. Measure on rows of your own.

    References
    ----------
    Kamoi et al. 2023, WiCE: Real-world entailment for claims in Wikipedia. Li et al. 2023, HaluEval.

    Examples
    --------
    >>> context = "Acme was founded in 1880 in Paris by Ann Roe. It makes anvils."
    >>> found = Groundedness().evaluate(response="Acme was founded in 1890 by Ann Roe.", context=context)
    >>> found.passed, found.reason
    (False, '1 of 1 sentences unsupported; contradicted: 1890 (context: 1880)')
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="groundedness",
        measures="Expected share of the response that its context supports, sentence by sentence.",
        roles=("response", "context"),
        pass_at=_PASS_AT,
        weaknesses=_WEAKNESSES,
        accuracy=_ACCURACY,
        family="grounding",
    )

    version: ClassVar[int] = 2

    def __init__(
        self,
        *,
        embed: Callable[[list[str]], Any] | None = None,
        nli: Callable[[str, str], Any] | None = None,
        **common: Any,
    ) -> None:
        for name, function in (("embed", embed), ("nli", nli)):
            if function is not None and not callable(function):
                raise DataError(f"{name} must be a function, found {type(function).__name__}.")
        settings = {name: stable_repr(f) for name, f in (("embed", embed), ("nli", nli)) if f is not None}
        super().__init__(settings=settings, **common)
        self.embed, self.nli = embed, nli

    def evaluate_batch(self, rows: Sequence[Mapping[str, object]]) -> list[Evaluated]:
        """Evaluate rows; equal contexts that follow one another are read once."""
        self._last: tuple[list[str], ContextIndex] | None = None
        return [self.evaluate_row(row) for row in rows]

    _last: tuple[list[str], ContextIndex] | None = None

    def _index(self, context: object, role: str = "context") -> ContextIndex:
        found = passages(role, context)
        if not any(passage.strip() for passage in found):
            raise DataError(f"{role} is empty: there is nothing that could support the response.")
        if self._last is None or self._last[0] != found:
            self._last = (found, ContextIndex(found))
        return self._last[1]

    def _sentences(self, response: str, index: ContextIndex) -> list[SentenceSupport]:
        found = support(response, index, load_model())
        if self.nli is not None:
            premise = " ".join(index.texts)
            return [replace(s, score=_entailment(self.nli(premise, response[slice(*s.span)]))) for s in found]
        if self.embed is not None and found:
            near = embedding_similarity(self.embed, [response[slice(*s.span)] for s in found], index.texts)
            return [replace(s, score=(s.score + value) / 2) for s, value in zip(found, near, strict=True)]
        return found

    def _weak(self, found: Sequence[SentenceSupport]) -> list[SentenceSupport]:
        mark = support_mark(self.better, self.pass_at)
        return [one for one in found if one.score < mark]

    def _evaluate(self, response: object, context: object) -> Evaluated:
        value = text("response", response)
        found = self._sentences(value, self._index(context))
        if not found:
            raise DataError("the response has no words: there is nothing to check.")
        score = response_score(found)
        weak = self._weak(found)
        details = {"sentences": [(one.span, round(one.score, 4)) for one in found]}
        return Evaluated(score, None, _reason(found, weak), spans=tuple(one.span for one in weak), details=details)


def support_mark(better: str | None, pass_at: float | None) -> float:
    """Support below which a sentence counts as unsupported, from the pass mark of a score and its direction."""
    if pass_at is None:
        return _PASS_AT
    return 1 - pass_at if better == "lower" else pass_at


def response_score(found: Sequence[SentenceSupport]) -> float:
    """Mean support of the sentences."""
    return sum(one.score for one in found) / len(found) if found else float("nan")


def _reason(found: Sequence[SentenceSupport], weak: Sequence[SentenceSupport]) -> str:
    contradicted = [finding for one in found for finding in one.contradicted][:4]
    missing = (
        name for one in weak for name in one.missing if not any(name in c for c in (*one.contradicted, *contradicted))
    )
    shown = list(itertools.islice(dict.fromkeys(missing), 6))
    parts = [f"{len(weak)} of {len(found)} sentences unsupported" if weak else f"all {len(found)} sentences supported"]
    if contradicted:
        parts.append("contradicted: " + "; ".join(contradicted))
    if shown:
        parts.append("not in the context: " + ", ".join(shown))
    return "; ".join(parts)


def _entailment(answer: object) -> float:
    value = answer.get("entailment", answer.get("score")) if isinstance(answer, Mapping) else answer
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= float(value) <= 1:
        raise DataError(f"nli must return a probability or a mapping with 'entailment', found {answer!r}.")
    return float(value)


def embedding_similarity(embed: Callable[[list[str]], Any], given: list[str], there: list[str]) -> list[float]:
    """Greatest cosine similarity of each text to any of the others, cut to [0, 1]."""
    vectors = np.asarray(embed([*given, *there]), dtype=float)
    if vectors.ndim != 2 or len(vectors) != len(given) + len(there):
        raise DataError(f"embed must return one vector per text; shape {vectors.shape} for {len(given) + len(there)}.")
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(norms == 0, 1.0, norms)
    near = (unit[: len(given)] @ unit[len(given) :].T).max(axis=1)
    return [float(value) for value in np.clip(near, 0.0, 1.0)]


class HallucinationScore(Groundedness):
    """Expected share of the response that the context does not support: 1 − `Groundedness`.

    Score in [0, 1]; lower is better, pass mark 0.5. All parameters as in `Groundedness`.

    Examples
    --------
    >>> HallucinationScore().evaluate(response="Pigs can fly over the moon.", context="Acme makes anvils.").passed
    False
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="hallucination_score",
        measures="Expected share of the response that its context does not support.",
        roles=("response", "context"),
        better="lower",
        pass_at=1 - _PASS_AT,
        weaknesses=_WEAKNESSES,
        accuracy=_ACCURACY,
        family="grounding",
    )

    version: ClassVar[int] = 3

    def _evaluate(self, response: object, context: object) -> Evaluated:
        found = super()._evaluate(response, context)
        return replace(found, score=1.0 - found.score)


class ContextRecall(Groundedness):
    """Expected share of the right answer that the context supports: did retrieval find what is needed?

    The sentences of `reference` are judged as those of a response are by `Groundedness`; of several references the best
    counts. Score in [0, 1]; pass mark 0.5.

    Examples
    --------
    >>> ContextRecall().evaluate(reference="Acme makes anvils.", context=["Acme makes anvils.", "Pigs eat."]).passed
    True
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="context_recall",
        measures="Expected share of the reference answer that the context supports.",
        roles=("reference", "context"),
        pass_at=_PASS_AT,
        weaknesses=_WEAKNESSES,
        accuracy="The model of groundedness; no labelled retrieval data of its own.",
        family="grounding",
    )

    version: ClassVar[int] = 3

    def _evaluate(self, reference: object, context: object) -> Evaluated:
        index = self._index(context)
        best: Evaluated | None = None
        for answer in texts("reference", reference):
            found = self._sentences(answer, index)
            if found:
                current = Evaluated(response_score(found), None, _reason(found, self._weak(found)))
                best = current if best is None or current.score > best.score else best
        if best is None:
            raise DataError("the reference has no words: there is nothing to look for.")
        return best
