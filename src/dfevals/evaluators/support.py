"""How well a context supports a sentence: weighted overlap of words, names, numbers and their company, calibrated."""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from dfevals.evaluators.tokens import ENTITY, FUNCTION, NUMBER, WORD, Token, is_negated, sentences, tokens

__all__ = ["ContextIndex", "SentenceSupport", "SupportModel", "load_model", "overlap_features", "support"]

FEATURES = (
    "recall", "recall_weighted", "missing_weight", "fuzzy", "bigrams", "trigrams", "longest_run", "best_one",
    "best_window", "best_two", "top_three", "dense", "company_any", "company_strong", "pairs", "pairs_near",
    "pairs_window", "neighbours", "numbers_missing", "names_missing", "words_missing", "numbers_found", "names_found",
    "numbers_in_best", "names_in_best", "heaviest_missing", "length", "context_length",
)  # fmt: skip
_FRAGMENT_FEATURES = ("best_one", "fuzzy", "longest_run", "length")
_MAX_KEYS = 60
_YES_NO = frozenset({"yes", "no", "true", "false"})


class ContextIndex:
    """A context, read once: its sentences with their places (passage, start, end), tokens, keys and n-grams.

    Parameters
    ----------
    passages : list of str
    """

    def __init__(self, passages: Sequence[str]) -> None:
        self.places = [(n, a, b) for n, passage in enumerate(passages) for a, b in sentences(passage)]
        self.texts = [passages[n][a:b] for n, a, b in self.places]
        self.tokens = [tokens(sentence) for sentence in self.texts]
        self.keys = [{token.key for token in sentence} for sentence in self.tokens]
        self.where: dict[str, set[int]] = {}
        for number, keys in enumerate(self.keys):
            for key in keys:
                self.where.setdefault(key, set()).add(number)
        self.bigrams: set[tuple[str, str]] = set()
        self.trigrams: set[tuple[str, str, str]] = set()
        for sentence in self.tokens:
            row = [token.key for token in sentence]
            self.bigrams.update(itertools.pairwise(row))
            self.trigrams.update(zip(row, row[1:], row[2:], strict=False))
        self.size = sum(len(sentence) for sentence in self.tokens)
        self._grams: set[str] | None = None

    @property
    def grams(self) -> set[str]:
        """Character 4-grams of all words."""
        if self._grams is None:
            self._grams = set().union(*(character_grams(key) for key in self.where)) if self.where else set()
        return self._grams


@functools.lru_cache(maxsize=65536)
def character_grams(word: str) -> frozenset[str]:
    """Character 4-grams of a word, its ends marked."""
    marked = f"^{word}$"
    return frozenset(marked[i : i + 4] for i in range(max(1, len(marked) - 3)))


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
        raw = self.share_full * _logistic(self.full_support, scaled)
        raw += (1 - self.share_full) * _logistic(self.any_support, scaled)
        a, b = self.calibration
        raw = min(max(raw, 1e-6), 1 - 1e-6)
        return _sigmoid(a + b * math.log(raw / (1 - raw)))

    def short_answer(self, values: Sequence[float]) -> float:
        """Expected support of a short answer that is no sentence."""
        chosen = [values[FEATURES.index(name)] for name in _FRAGMENT_FEATURES]
        return _logistic(self.fragment, chosen)


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def _logistic(coefficients: Sequence[float], values: Sequence[float]) -> float:
    """Intercept first."""
    return _sigmoid(coefficients[0] + sum(c * v for c, v in zip(coefficients[1:], values, strict=True)))


@functools.cache
def load_model() -> SupportModel:
    """The coefficients shipped with the package."""
    written = resources.files("dfevals.evaluators").joinpath("models/groundedness.json").read_text("utf-8")
    return model_from(json.loads(written))


def model_from(raw: Mapping[str, Any]) -> SupportModel:
    """A model from its JSON form."""
    if tuple(raw["features"]) != FEATURES:
        raise ValueError("the coefficients belong to other features; run scripts/fit_groundedness.py")
    fields = ("mean", "scale", "any_support", "full_support", "calibration", "fragment")
    return SupportModel(
        weights=raw["weights"],
        default_weight=raw["default_weight"],
        share_full=raw["share_full"],
        no_content=raw["no_content"],
        measured=raw["measured"],
        **{name: tuple(raw[name]) for name in fields},
    )


def overlap_features(claim: Sequence[Token], index: ContextIndex, weight: Any) -> tuple[list[float], int]:
    """Features of a claim against a context, in the order of `FEATURES`, and the number of the best sentence (or -1)."""
    kinds: dict[str, int] = {}
    for token in claim:
        if token.kind != FUNCTION:
            kinds[token.key] = max(kinds.get(token.key, WORD), token.kind)
    if not kinds:
        kinds = {token.key: WORD for token in claim}
    keys = list(kinds)[:_MAX_KEYS]
    w = {key: weight(key) for key in keys}
    total = sum(w.values()) or 1.0
    where = {key: index.where.get(key, set()) for key in keys}
    found = [key for key in keys if where[key]]
    missing = [key for key in keys if not where[key]]
    score = [sum(w[key] for key in keys if key in sentence) for sentence in index.keys]
    best = max(range(len(score)), key=score.__getitem__) if score else -1
    best_keys = index.keys[best] if score else set()
    hit = sum(w[key] for key in found)
    close = sum(
        w[key] * len(character_grams(key) & index.grams) / len(character_grams(key))
        for key in missing
        if kinds[key] != NUMBER
    )
    row = [token.key for token in claim]
    bigrams = list(itertools.pairwise(row))
    trigrams = list(zip(row, row[1:], row[2:], strict=False))
    by_kind = {kind: [key for key in keys if kinds[key] == kind] for kind in (WORD, ENTITY, NUMBER)}
    ranked = sorted(score, reverse=True)
    values = [
        len(found) / max(len(keys), 1),
        hit / total,
        total - hit,
        (hit + close) / total,
        _share(bigrams, index.bigrams),
        _share(trigrams, index.trigrams),
        _longest_run(bigrams, index.bigrams) / max(len(bigrams), 1),
        (score[best] if score else 0.0) / total,
        _best_window(keys, w, index.keys) / total,
        ((score[best] + _best_rest(keys, w, best_keys, index.keys)) if score else 0.0) / total,
        sum(ranked[:3]) / total,
        sum(w[key] * max((score[i] for i in where[key]), default=0.0) for key in keys) / total**2,
        sum(w[key] for key in keys if any(score[i] - w[key] > 4 for i in where[key])) / total,
        sum(w[key] for key in keys if any(score[i] - w[key] > 10 for i in where[key])) / total,
        *_company(keys, w, where, hit / total),
        float(sum(not where[key] for key in by_kind[NUMBER])),
        float(sum(not where[key] for key in by_kind[ENTITY])),
        float(sum(not where[key] for key in by_kind[WORD])),
        _share_of(by_kind[NUMBER], index.where),
        _share_of(by_kind[ENTITY], index.where),
        _share_of(by_kind[NUMBER], best_keys),
        _share_of(by_kind[ENTITY], best_keys),
        max((w[key] for key in missing), default=0.0),
        math.log(len(keys) + 1),
        math.log(index.size + 1),
    ]
    return values, best


def _share(items: Sequence[Any], there: Any) -> float:
    return sum(item in there for item in items) / max(len(items), 1)


def _share_of(items: Sequence[str], there: Any) -> float:
    return _share(items, there) if items else 1.0


def _longest_run(bigrams: Sequence[tuple[str, str]], there: set[tuple[str, str]]) -> int:
    longest = run = 0
    for pair in bigrams:
        run = run + 1 if pair in there else 0
        longest = max(longest, run)
    return longest


def _best_window(keys: Sequence[str], w: Mapping[str, float], rows: Sequence[set[str]]) -> float:
    """Greatest weight found in three neighbouring sentences."""
    best = 0.0
    for start in range(len(rows)):
        part = rows[start : start + 3]
        best = max(best, sum(w[key] for key in keys if any(key in row for row in part)))
    return best


def _best_rest(keys: Sequence[str], w: Mapping[str, float], first: set[str], rows: Sequence[set[str]]) -> float:
    """Greatest weight that one more sentence adds."""
    rest = [key for key in keys if key not in first]
    return max((sum(w[key] for key in rest if key in row) for row in rows), default=0.0)


def _company(
    keys: Sequence[str], w: Mapping[str, float], where: Mapping[str, set[int]], alone: float
) -> tuple[float, float, float, float]:
    """Shares of pairs of keys that stand together in a sentence: by weight, by nearness, in a window, neighbours."""
    near_sentences = {key: {i for place in where[key] for i in (place, place + 1)} for key in keys}
    together = total = near = near_total = window = 0.0
    beside = beside_total = 0.0
    for i, a in enumerate(keys):
        for j in range(i + 1, len(keys)):
            b = keys[j]
            product, mean = w[a] * w[b], (w[a] + w[b]) / (j - i)
            total += product
            near_total += mean
            if j == i + 1:
                beside_total += w[a] + w[b]
            if not where[a] or not where[b]:
                continue
            if not where[a].isdisjoint(where[b]):
                together += product
                near += mean
                window += product
                if j == i + 1:
                    beside += w[a] + w[b]
            elif not near_sentences[a].isdisjoint(near_sentences[b]):
                window += product
    if not total:
        return alone, alone, alone, alone
    return together / total, near / near_total, window / total, beside / beside_total


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


def support(response: str, index: ContextIndex, model: SupportModel) -> list[SentenceSupport]:
    """Support of every sentence of a response that says something."""
    places = sentences(response)
    found = []
    for start, end in places:
        sentence = response[start:end]
        row = tokens(sentence)
        if row:
            found.append(_sentence_support((start, end), sentence, row, index, model, alone=len(places) == 1))
    return found


def is_short_answer(sentence: str, row: Sequence[Token]) -> bool:
    """Whether a response is an answer that is no sentence: few words and no full stop."""
    return len(row) <= 2 or (len(row) <= 8 and not sentence.rstrip().endswith((".", "!", "?", "。", "！", "？")))


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
        contradicted = contradictions(row, index, best)
        score = model.sentence(values)
        if contradicted:
            score = min(score, _CONTRADICTED)
        elif best >= 0 and _stands_in(row, index.tokens[best]):
            score = max(score, _VERBATIM)
    missing = tuple(dict.fromkeys(t.written for t in row if t.kind in (ENTITY, NUMBER) and t.key not in index.where))
    shared = values[FEATURES.index("best_one")] > 0
    return SentenceSupport(span, score, missing, contradicted, best if shared else -1)


def _stands_in(row: Sequence[Token], other: Sequence[Token]) -> bool:
    """Whether a sentence stands word for word in another one."""
    given, there = [token.key for token in row], [token.key for token in other]
    return any(there[i : i + len(given)] == given for i in range(len(there) - len(given) + 1))


def contradictions(row: Sequence[Token], index: ContextIndex, best: int) -> tuple[str, ...]:
    """What the most similar sentence of the context says otherwise: a number, a name, a negation.

    Only where that sentence shares most of the content words, so that it is about the same thing, and where the two
    numbers or names stand beside the same word.
    """
    if best < 0:
        return ()
    other, keys = index.tokens[best], index.keys[best]
    content = {token.key for token in row if token.kind != FUNCTION}
    spare = 1 if len(content) <= _FEW else 0  # of few words one may be the one that differs
    shared = len(content & keys) / max(len(content) - spare, 1)
    if shared < _SAME_MATTER or len(content) < 3:
        return ()
    own = {token.key for token in row}
    found = []
    for place, token in enumerate(row):
        if _names_something(token, place) and token.key not in index.where:
            instead = _in_the_place_of(place, row, other, own)
            if instead is not None:
                found.append(f"{token.written} (context: {instead})")
    if is_negated(list(row)) != is_negated(list(other)) and len(content & keys) >= _SAME_SAYING * len(content):
        found.append("a negation differs")
    return tuple(dict.fromkeys(found))


def _names_something(token: Token, place: int) -> bool:
    """Whether a token is a number or a name; a capital at the beginning of a sentence may be one."""
    return token.kind in (ENTITY, NUMBER) or (place == 0 and token.kind == WORD and token.written[0].isupper())


def _in_the_place_of(place: int, row: Sequence[Token], other: Sequence[Token], own: set[str]) -> str | None:
    """What another sentence has beside the same word, of the same kind as the token at a place."""
    before = row[place - 1].key if place else None
    after = row[place + 1].key if place + 1 < len(row) else None
    for i, token in enumerate(other):
        alike = (token.kind == NUMBER) == (row[place].kind == NUMBER) and _names_something(token, i)
        if not alike or token.key in own:
            continue
        same_before = i > 0 and other[i - 1].key == before
        same_after = i + 1 < len(other) and other[i + 1].key == after
        if same_before or same_after:
            return token.written
    return None
