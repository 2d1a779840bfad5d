"""How well a context supports a sentence: weighted overlap of words, names, numbers and their company, calibrated."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

from dfevals.evaluators.overlap import FEATURES, ContextIndex, overlap_features
from dfevals.evaluators.tokens import ENTITY, FUNCTION, NUMBER, WORD, Token, is_negated, sentences, tokens
from dfevals.exceptions import DataError

__all__ = ["SentenceSupport", "SupportModel", "load_model", "model_from", "support"]

_FRAGMENT_FEATURES = ("best_one", "fuzzy", "longest_run", "length")
_YES_NO = frozenset({"yes", "no", "true", "false"})


@dataclass(frozen=True)
class SupportModel:
    """Coefficients fitted by `scripts/fit_groundedness.py`."""

    weights: Mapping[str, float]
    default_weight: float
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    any_support: tuple[float, ...]
    full_support: tuple[float, ...]
    share_full: float
    sharpness: tuple[float, float]
    calibration: tuple[float, float]
    fragment: tuple[float, ...]
    no_content: float
    measured: Mapping[str, Any]

    def weight(self, key: str) -> float:
        """Rarity of a key: log inverse share of the sentences that hold it."""
        return self.weights.get(key, self.default_weight)

    def sentence(self, values: Sequence[float]) -> float:
        """Expected support of a sentence from its features."""
        scaled = [(value - m) / s for value, m, s in zip(values, self.mean, self.scale, strict=True)]
        slope, centre = self.sharpness
        raw = self.share_full * _sigmoid(_linear(self.full_support, scaled))
        raw += (1 - self.share_full) * _sigmoid(slope * (_linear(self.any_support, scaled) - centre))
        a, b = self.calibration
        raw = min(max(raw, 1e-6), 1 - 1e-6)
        return _sigmoid(a + b * math.log(raw / (1 - raw)))

    def short_answer(self, values: Sequence[float]) -> float:
        """Expected support of a short answer that is no sentence."""
        chosen = [values[FEATURES.index(name)] for name in _FRAGMENT_FEATURES]
        return _sigmoid(_linear(self.fragment, chosen))


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def _linear(coefficients: Sequence[float], values: Sequence[float]) -> float:
    """Intercept first."""
    return coefficients[0] + sum(c * v for c, v in zip(coefficients[1:], values, strict=True))


@functools.cache
def load_model() -> SupportModel:
    """The coefficients shipped with the package."""
    written = resources.files("dfevals.evaluators").joinpath("models/groundedness.json").read_text("utf-8")
    return model_from(json.loads(written))


def model_from(raw: Mapping[str, Any]) -> SupportModel:
    """A model from its JSON form."""
    if tuple(raw["features"]) != FEATURES:
        raise ValueError("the coefficients belong to other features; run scripts/fit_groundedness.py")
    fields = ("mean", "scale", "any_support", "full_support", "sharpness", "calibration", "fragment")
    return SupportModel(
        weights=raw["weights"],
        default_weight=raw["default_weight"],
        share_full=raw["share_full"],
        no_content=raw["no_content"],
        measured=raw["measured"],
        **{name: tuple(raw[name]) for name in fields},
    )


@dataclass(frozen=True, slots=True)
class SentenceSupport:
    """Support of one sentence of a response.

    Attributes
    ----------
    span : (int, int)
        Its place in the response.
    score : float
        Expected support in [0, 1].
    missing : tuple of str
        Names and numbers that the context does not have.
    contradicted : tuple of str
        Findings such as "1881 (context: 1880)".
    best : int
        Number of the context's sentence that shares most with it, -1 where none shares anything.
    """

    span: tuple[int, int]
    score: float
    missing: tuple[str, ...]
    contradicted: tuple[str, ...]
    best: int = -1


_CONTRADICTED = 0.4
_VERBATIM = 0.97
_SAME_MATTER = 0.7
_FEW = 5
_SAME_SAYING = 0.9
_MOST_WORK = 50_000_000  # sentences times pieces of the context: some minutes
_MOST_FOUND = 20  # contradictions that are named
_MOST_WORDS = 8  # of a name, on each side


def support(response: str, index: ContextIndex, model: SupportModel) -> list[SentenceSupport]:
    """Support of every sentence of a response that says something.

    Raises
    ------
    DataError
        When both texts are so long that comparing each with each would take more than minutes.
    """
    places = sentences(response)
    different = len({response[start:end] for start, end in places})
    if different * len(index.keys) > _MOST_WORK:
        raise DataError(
            f"too much to compare: {different:,} sentences with {len(index.keys):,} pieces of the context. "
            "Give the passages that each response rests on, or split the response."
        )
    known: dict[str, SentenceSupport | None] = {}  # a sentence that is said again is read once
    found = []
    for start, end in places:
        sentence = response[start:end]
        if sentence not in known:
            row = tokens(sentence)
            alone = len(places) == 1
            known[sentence] = _sentence_support((start, end), sentence, row, index, model, alone) if row else None
        read = known[sentence]
        if read is not None:
            found.append(replace(read, span=(start, end)))
    return found


def is_short_answer(sentence: str, row: Sequence[Token]) -> bool:
    """Whether a response is an answer that is no sentence: few words and no full stop."""
    return len(row) <= 2 or (len(row) <= 8 and not sentence.rstrip().endswith(tuple(".!?。！？｡．؟۔।॥။។")))


def _sentence_support(
    span: tuple[int, int], sentence: str, row: list[Token], index: ContextIndex, model: SupportModel, alone: bool
) -> SentenceSupport:
    if alone and len(row) == 1 and row[0].key in _YES_NO:
        return SentenceSupport(span, model.no_content, (), ())
    values, best = overlap_features(row, index, model.weight)
    if alone and is_short_answer(sentence, row):
        score = model.short_answer(values)
        contradicted: tuple[str, ...] = ()
    else:
        contradicted = contradictions(row, sentence, index, best)
        score = model.sentence(values)
        if contradicted:
            score = min(score, _CONTRADICTED * (0.9 + 0.1 * score))
        elif best >= 0 and _stands_in(row, index.tokens[index.source[best]]):
            score = max(score, _VERBATIM)
    missing = tuple(dict.fromkeys(t.written for t in row if t.kind in (ENTITY, NUMBER) and t.key not in index.where))
    shared = values[FEATURES.index("best_one")] > 0
    return SentenceSupport(span, score, missing, contradicted, index.source[best] if shared else -1)


def _stands_in(row: Sequence[Token], other: Sequence[Token]) -> bool:
    """Whether a sentence stands word for word in another one."""
    given, there = ("\0".join(["", *(token.key for token in tokens), ""]) for tokens in (row, other))
    return given in there


def contradictions(row: Sequence[Token], sentence: str, index: ContextIndex, best: int) -> tuple[str, ...]:
    """What the most similar sentence of the context says otherwise: a number, a name, a negation.

    Only where that sentence shares most of the content words, so that it is about the same thing, and where the two
    numbers or names stand beside the same word. Names of several words are named whole.
    """
    if best < 0:
        return ()
    other, there = index.tokens[index.source[best]], index.texts[index.source[best]]
    keys = {token.key for token in other}
    content = {token.key for token in row if token.kind != FUNCTION}
    spare = 1 if len(content) <= _FEW else 0  # of few words one may be the one that differs
    shared = len(content & keys) / max(len(content) - spare, 1)
    if shared < _SAME_MATTER or len(content) < 3:
        return ()
    beside = _beside(other, {token.key for token in row})
    found: list[str] = []
    for place, token in enumerate(row):
        if len(found) < _MOST_FOUND and _names_something(token, place) and token.key not in index.where:
            instead = _in_the_place_of(place, row, beside)
            if instead is not None:
                found.append(f"{_whole_name(place, row, sentence)} (context: {_whole_name(instead, other, there)})")
    if is_negated(list(row)) != is_negated(list(other)) and len(content & keys) >= _SAME_SAYING * len(content):
        found.append("a negation differs")
    return tuple(dict.fromkeys(found))


def _names_something(token: Token, place: int) -> bool:
    """Whether a token is a number or a name; a capital at the beginning of a sentence may be one."""
    return token.kind in (ENTITY, NUMBER) or (place == 0 and token.kind == WORD and token.written[0].isupper())


def _whole_name(place: int, row: Sequence[Token], sentence: str) -> str:
    """A number, or the name that a token is part of: its neighbours too, as far as they are names beside it."""
    name = row[place].written
    if row[place].kind == NUMBER:
        return name
    for step in (-1, 1):
        at = place + step
        while (
            0 <= at < len(row)
            and abs(at - place) <= _MOST_WORDS
            and row[at].kind != NUMBER
            and _names_something(row[at], at)
        ):
            longer = f"{row[at].written} {name}" if step < 0 else f"{name} {row[at].written}"
            if longer not in sentence:
                break
            name, at = longer, at + step
    return name


_Beside = Mapping[tuple[bool, int, str], int]


def _beside(other: Sequence[Token], own: set[str]) -> _Beside:
    """First place in a sentence of a number or a name of its own by (number?, step to the word beside it, that word)."""
    found: dict[tuple[bool, int, str], int] = {}
    for place, token in enumerate(other):
        if token.key in own or not _names_something(token, place):
            continue
        for step in (-1, 1):
            if 0 <= place + step < len(other):
                found.setdefault((token.kind == NUMBER, step, other[place + step].key), place)
    return found


def _in_the_place_of(place: int, row: Sequence[Token], beside: _Beside) -> int | None:
    """Where another sentence has something beside the same word, of the same kind as the token at a place."""
    number = row[place].kind == NUMBER
    words = [(number, step, row[place + step].key) for step in (-1, 1) if 0 <= place + step < len(row)]
    return min((beside[word] for word in words if word in beside), default=None)
