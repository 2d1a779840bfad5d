"""How the words of a claim lie in a context: the overlap features that the support model weighs."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dfevals.evaluators.tokens import ENTITY, FUNCTION, NUMBER, WORD, Token, sentences, tokens

__all__ = ["FEATURES", "ContextIndex", "character_grams", "overlap_features"]

_MORE, _LESS, _EITHER = 1, -1, 0
SIGNS: Mapping[str, int] = {
    # which key words the context has, exactly
    "recall": _MORE, "recall_weighted": _MORE, "missing_weight": _LESS, "fuzzy": _MORE, "bigrams": _MORE,
    "trigrams": _MORE, "longest_run": _MORE, "best_one": _MORE, "best_window": _MORE, "best_two": _MORE,
    "top_three": _MORE, "dense": _MORE, "company_any": _MORE, "company_strong": _MORE, "pairs": _MORE,
    "pairs_near": _MORE, "pairs_window": _MORE, "neighbours": _MORE, "numbers_missing": _LESS, "names_missing": _LESS,
    "words_missing": _LESS, "numbers_found": _MORE, "names_found": _MORE, "numbers_in_best": _MORE,
    "names_in_best": _MORE, "heaviest_missing": _LESS, "length": _EITHER, "context_length": _EITHER,
    # the same where a word of the same beginning counts in part
    "soft_recall": _MORE, "soft_missing_weight": _LESS, "soft_missing": _LESS, "soft_words_missing": _LESS,
    "soft_names_missing": _LESS, "soft_heaviest_missing": _LESS, "soft_best": _MORE, "cover_two": _MORE,
    "cover_three": _MORE, "cover_four": _MORE, "missing_run": _LESS, "weakest_window": _MORE,
    "weakest_window_one": _MORE, "mean_window_one": _MORE, "soft_pairs": _MORE,
    # the same where words that run through the whole context count less
    "local_recall": _MORE, "local_best": _MORE, "local_window": _MORE, "local_company": _MORE, "local_pairs": _MORE,
    "local_pairs_near": _MORE, "best_weight": _MORE,
}  # fmt: skip
"""Every feature, and whether more of it can only speak for support, against it, or either."""
FEATURES = tuple(SIGNS)
_MAX_KEYS = 60
_BEGINNING = 4
_LONGEST = 64  # letters of a word that are cut into grams
_ALIKE = 0.6
_WINDOW_ALL, _WINDOW_ONE = 4, 5
_ENOUGH = 8.0
_PIECE, _STEP = 25, 15  # words; pieces of a long sentence overlap


class ContextIndex:
    """A context, read once: its sentences, cut into pieces of like length, with their tokens, keys and n-grams.

    Long sentences are cut, so that words of a list or of a heading without a full stop do not count as one statement.

    Parameters
    ----------
    passages : list of str

    Attributes
    ----------
    places : list of (passage, start, end)
    texts, tokens : list
        The sentences.
    keys : list of set
        The keys of each piece.
    source : list of int
        The sentence that a piece is of.
    """

    def __init__(self, passages: Sequence[str]) -> None:
        self.places = [(n, a, b) for n, passage in enumerate(passages) for a, b in sentences(passage)]
        self.texts = [passages[n][a:b] for n, a, b in self.places]
        self.tokens = [tokens(sentence) for sentence in self.texts]
        self.keys: list[set[str]] = []
        self.source: list[int] = []
        self.where: dict[str, set[int]] = {}
        self.bigrams: set[tuple[str, str]] = set()
        self.trigrams: set[tuple[str, str, str]] = set()
        for number, sentence in enumerate(self.tokens):
            row = [token.key for token in sentence]
            self.bigrams.update(itertools.pairwise(row))
            self.trigrams.update(zip(row, row[1:], row[2:], strict=False))
            for start in range(0, max(1, len(row) - _PIECE + _STEP), _STEP):
                self._add_piece(row[start : start + _PIECE], number)
        self.size = sum(len(sentence) for sentence in self.tokens)
        self._grams: set[str] | None = None
        self._beginnings: dict[str, list[str]] | None = None

    def _add_piece(self, row: Sequence[str], number: int) -> None:
        for key in row:
            self.where.setdefault(key, set()).add(len(self.keys))
        self.keys.append(set(row))
        self.source.append(number)

    @property
    def grams(self) -> set[str]:
        """Character 4-grams of all words."""
        if self._grams is None:
            self._grams = set().union(*(character_grams(key) for key in self.where)) if self.where else set()
        return self._grams

    @property
    def beginnings(self) -> dict[str, list[str]]:
        """Keys by their first four letters."""
        if self._beginnings is None:
            self._beginnings = {}
            for key in self.where:
                if len(key) >= _BEGINNING and not key[0].isdigit():
                    self._beginnings.setdefault(key[:_BEGINNING], []).append(key)
        return self._beginnings


@functools.lru_cache(maxsize=65536)
def character_grams(word: str) -> frozenset[str]:
    """Character 4-grams of a word, its ends marked; of a very long one those of its beginning."""
    marked = f"^{word}$"[:_LONGEST]
    return frozenset(marked[i : i + 4] for i in range(max(1, len(marked) - 3)))


def overlap_features(
    claim: Sequence[Token], index: ContextIndex, weight: Callable[[str], float]
) -> tuple[list[float], int]:
    """Features of a claim against a context, in the order of `FEATURES`, and the number of the best piece (or -1)."""
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
    content = [token.key for token in claim if token.kind != FUNCTION] or row
    lay = _lay(keys, kinds, w, index)
    values += _soft_features(lay, [key for key in content if key in w], total)
    values += _local_features(lay)
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
class _Lay:
    """Where the key words of a claim lie: weight, likeness of the best partner, and the sentences that hold it."""

    kinds: Mapping[str, int]
    weight: Mapping[str, float]
    alike: Mapping[str, float]
    place: Mapping[str, set[int]]
    n_sentences: int


def _lay(keys: Sequence[str], kinds: Mapping[str, int], w: Mapping[str, float], index: ContextIndex) -> _Lay:
    alike, place = {}, {}
    for key in keys:
        if key in index.where:
            alike[key], place[key] = 1.0, index.where[key]
        else:
            alike[key], partner = _partner(key, index)
            place[key] = index.where[partner] if partner is not None else set()
    return _Lay(kinds, w, alike, place, len(index.keys))


def _partner(key: str, index: ContextIndex) -> tuple[float, str | None]:
    """The word of the context that shares the longest beginning with a missing one, and their likeness."""
    best, partner = 0.0, None
    for other in index.beginnings.get(key[:_BEGINNING], ()) if len(key) >= _BEGINNING else ():
        same = next((i for i, (a, b) in enumerate(zip(key, other, strict=False)) if a != b), min(len(key), len(other)))
        share = same / max(len(key), len(other))
        if share >= _ALIKE and share * 0.9 > best:
            best, partner = share * 0.9, other
    return best, partner


def _soft_features(lay: _Lay, content: Sequence[str], total: float) -> list[float]:
    w, alike, kinds = lay.weight, lay.alike, lay.kinds
    lack = {key: 1 - alike[key] for key in w}
    table = _table(lay, {key: w[key] * alike[key] for key in w})
    covers = _covers(table)
    windows = _windows(content, _WINDOW_ALL)
    one = _windows(content, _WINDOW_ONE)
    row_of = {key: row for row, key in enumerate(w)}
    weakest_all = min(_share_weight(part, w, alike) for part in windows)
    in_one = [_best_share(set(part), w, table, row_of) for part in one]
    return [
        sum(w[key] * alike[key] for key in w) / total,
        sum(w[key] * lack[key] for key in w),
        sum(lack.values()),
        sum(lack[key] for key in w if kinds[key] == WORD),
        sum(lack[key] for key in w if kinds[key] == ENTITY),
        max(w[key] * lack[key] for key in w),
        covers[0] / total,
        sum(covers[:2]) / total,
        sum(covers[:3]) / total,
        sum(covers) / total,
        _heaviest_run(content, w, lack),
        weakest_all,
        min(in_one),
        sum(in_one) / len(in_one),
        _near_pairs(lay, reach=6),
    ]


def _table(lay: _Lay, value: Mapping[str, float]) -> np.ndarray:
    """Keys × sentences: the value of a key where the sentence holds it."""
    table = np.zeros((len(value), max(lay.n_sentences, 1)))
    for row, (key, number) in enumerate(value.items()):
        if number:
            table[row, list(lay.place[key])] = number
    return table


def _covers(table: np.ndarray, most: int = 4) -> list[float]:
    """What each further sentence adds, the one that adds most first."""
    left, found = table.copy(), []
    for _ in range(most):
        sums = left.sum(axis=0)
        best = int(sums.argmax())
        found.append(float(sums[best]))
        left[table[:, best] > 0] = 0.0
    return found


def _windows(content: Sequence[str], size: int) -> list[Sequence[str]]:
    return [content[i : i + size] for i in range(max(1, len(content) - size + 1))]


def _share_weight(part: Sequence[str], w: Mapping[str, float], alike: Mapping[str, float]) -> float:
    return sum(w[key] * alike[key] for key in part) / (sum(w[key] for key in part) or 1.0)


def _best_share(part: set[str], w: Mapping[str, float], table: np.ndarray, row_of: Mapping[str, int]) -> float:
    """Greatest share of some words that one sentence holds."""
    rows = [row_of[key] for key in part]
    return float(table[rows].sum(axis=0).max()) / (sum(w[key] for key in part) or 1.0) if rows else 0.0


def _heaviest_run(content: Sequence[str], w: Mapping[str, float], lack: Mapping[str, float]) -> float:
    """Weight of the heaviest run of content words that the context lacks."""
    heaviest = run = 0.0
    for key in content:
        run = run + w[key] * lack[key] if lack[key] > 0.5 else 0.0
        heaviest = max(heaviest, run)
    return heaviest


def _near_pairs(lay: _Lay, reach: int) -> float:
    """Share of the pairs of near words that stand together in a sentence."""
    keys = list(lay.weight)
    together = total = 0.0
    for i, a in enumerate(keys):
        for j in range(i + 1, min(i + reach, len(keys))):
            b = keys[j]
            value = math.sqrt(lay.weight[a] * lay.weight[b]) / (j - i)
            total += value
            if not lay.place[a].isdisjoint(lay.place[b]):
                together += value * lay.alike[a] * lay.alike[b]
    return together / total if total else _share_weight(keys, lay.weight, lay.alike)


def _local_features(lay: _Lay) -> list[float]:
    """Words that many sentences hold are the context's topic, and say little about one statement."""
    weights = {key: weight / math.sqrt(1 + len(lay.place[key])) for key, weight in lay.weight.items()}
    total = sum(weights.values()) or 1.0
    held = {key: weights[key] * lay.alike[key] for key in weights}
    table = _table(lay, held)
    scores = table.sum(axis=0)
    padded = np.concatenate([[0.0], scores, [0.0]])
    recall = sum(held.values()) / total
    company = 0.0
    for row, value in enumerate(held.values()):
        if value:
            others = float((scores - table[row])[table[row] > 0].max())
            company += value * min(1.0, others / _ENOUGH)
    whole = np.array([[lay.weight[key] * lay.alike[key]] for key in held])
    heaviest = float((whole * (table > 0)).sum(axis=0).max()) if len(whole) else 0.0
    return [
        recall,
        float(scores.max()) / total,
        float((padded[:-2] + padded[1:-1] + padded[2:]).max()) / total,
        company / total,
        *_local_pairs(lay, weights, recall),
        math.log1p(heaviest),
    ]


def _local_pairs(lay: _Lay, weights: Mapping[str, float], alone: float) -> tuple[float, float]:
    """Shares of the pairs of words that stand together in a sentence, and there or in neighbouring ones."""
    keys = list(weights)
    around = {key: {i + step for i in lay.place[key] for step in (-1, 0, 1)} for key in keys}
    together = total = near = near_total = 0.0
    for i, a in enumerate(keys):
        for j in range(i + 1, len(keys)):
            b = keys[j]
            product = weights[a] * weights[b]
            far, close = product / math.sqrt(j - i), math.sqrt(product) / (j - i)
            total += far
            near_total += close
            if not lay.place[a] or not lay.place[b]:
                continue
            alike = lay.alike[a] * lay.alike[b]
            if not lay.place[a].isdisjoint(lay.place[b]):
                together += far * alike
                near += close * alike
            elif not around[a].isdisjoint(lay.place[b]):
                near += close * alike / 2
    return (together / total, near / near_total) if total else (alone, alone)
