"""Fit the coefficients of the embedded groundedness model and print its measured accuracy.

    python scripts/fit_groundedness.py wice_dev.parquet halueval_qa_pairs.parquet

Data: WiCE (Kamoi et al. 2023; columns id, label, claim, evidence) and HaluEval QA (Li et al. 2023; columns knowledge,
question, right_answer, hallucinated_answer). Only coefficients and counts of stems are written, no texts. WiCE is
cross-validated by claim, the weights of the words included; HaluEval is split by question into a half to fit on and
a half to test on.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from dfevals.evaluators import support as sp
from dfevals.evaluators.tokens import sentences, tokens

OUT = Path(__file__).parents[1] / "src/dfevals/evaluators/models/groundedness.json"
LEVEL = {"supported": 2, "partially_supported": 1, "not_supported": 0}
ANY = ("fuzzy", "pairs", "neighbours", "company_any", "company_strong", "pairs_window", "pairs_near")
LEAST_COUNT = 8
SHARE_FULL = 0.15
C_ANY, C_FULL, C_FRAGMENT = 0.03, 0.1, 1.0


def word_weights(texts: list[str]) -> tuple[dict[str, float], float]:
    """Rarity of the stems of a set of texts, by sentence."""
    counts: collections.Counter[str] = collections.Counter()
    n = 0
    for text in dict.fromkeys(texts):
        for a, b in sentences(text):
            n += 1
            counts.update({token.key for token in tokens(text[a:b])})
    weights = {key: round(math.log((n + 1) / (count + 1)), 3) for key, count in counts.items() if count >= LEAST_COUNT}
    return dict(sorted(weights.items())), round(math.log((n + 1) / 4), 3)


def logistic(x: np.ndarray, y: np.ndarray, w: np.ndarray | None, c: float, columns: list[int] | None) -> list[float]:
    """Intercept and coefficients; columns that are not used get 0."""
    columns = list(range(x.shape[1])) if columns is None else columns
    fitted = LogisticRegression(C=c, max_iter=5000).fit(x[:, columns], y, sample_weight=w)
    full = np.zeros(x.shape[1])
    full[columns] = fitted.coef_[0]
    return [round(float(v), 5) for v in (fitted.intercept_[0], *full)]


class Wice:
    """The claims with their evidence."""

    def __init__(self, path: str) -> None:
        rows = pl.read_parquet(path).to_dicts()
        self.ids = np.array([row["id"] for row in rows])
        self.y = np.array([LEVEL[row["label"]] for row in rows])
        self.claims = [row["claim"] for row in rows]
        self.evidence = [json.loads(row["evidence"]) for row in rows]
        self.tokens = [tokens(claim) for claim in self.claims]
        self.index = [sp.ContextIndex(evidence) for evidence in self.evidence]

    def texts(self, where: np.ndarray) -> list[str]:
        return [text for i in np.flatnonzero(where) for text in (self.claims[i], *self.evidence[i])]


def fit_sentences(data: Wice, where: np.ndarray) -> dict[str, Any]:
    """The sentence part of the model from some of the claims."""
    weights, default = word_weights(data.texts(where))
    rows = np.flatnonzero(where)
    x = np.array([
        sp.overlap_features(data.tokens[i], data.index[i], lambda key: weights.get(key, default))[0] for i in rows
    ])  # fmt: skip
    y = data.y[rows]
    per_claim = collections.Counter(data.ids[rows])
    w = np.array([1 / per_claim[i] for i in data.ids[rows]])
    w /= w.mean()
    mean, scale = x.mean(0), x.std(0)
    scale[scale == 0] = 1.0
    z = (x - mean) / scale
    raw: dict[str, Any] = {
        "features": list(sp.FEATURES),
        "weights": weights,
        "default_weight": default,
        "mean": [round(float(v), 5) for v in mean],
        "scale": [round(float(v), 5) for v in scale],
        "any_support": logistic(z, y > 0, w, C_ANY, [sp.FEATURES.index(name) for name in ANY]),
        "full_support": logistic(z, y == 2, w, C_FULL, None),
        "share_full": SHARE_FULL,
        "calibration": [0.0, 1.0],
        "fragment": [0.0] * 5,
        "no_content": 0.9,
        "measured": {},
    }
    model = sp.model_from(raw)
    s = np.array([model.sentence(row) for row in x])
    logit = np.log(s / (1 - s))[:, None]
    # expected support: a partial one counts one half
    fitted = LogisticRegression(C=100.0).fit(
        np.vstack([logit, logit]),
        np.r_[np.ones(len(y)), np.zeros(len(y))],
        sample_weight=np.r_[w * y / 2, w * (1 - y / 2)],
    )
    raw["calibration"] = [round(float(fitted.intercept_[0]), 5), round(float(fitted.coef_[0, 0]), 5)]
    return raw


def respond(response: str, index: sp.ContextIndex, model: sp.SupportModel) -> float:
    """The evaluator's own score."""
    from dfevals.evaluators.groundedness import response_score

    return response_score(sp.support(response, index, model))


def cross_validate(data: Wice, folds: int = 10) -> np.ndarray:
    """Scores of claims that the fit has not seen."""
    unique = np.unique(data.ids)
    fold = dict(zip(unique, np.random.default_rng(0).permutation(len(unique)) % folds, strict=True))
    of = np.array([fold[i] for i in data.ids])
    scores = np.zeros(len(of))
    for k in range(folds):
        model = sp.model_from(fit_sentences(data, of != k))
        for i in np.flatnonzero(of == k):
            scores[i] = respond(data.claims[i], data.index[i], model)
    return scores


def auc_with_interval(y: np.ndarray, score: np.ndarray, groups: np.ndarray) -> list[float]:
    """ROC AUC with a percentile interval of a bootstrap over groups."""
    rng, values = np.random.default_rng(0), []
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    for _ in range(1000):
        rows = np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])
        if 0 < y[rows].sum() < len(rows):
            values.append(roc_auc_score(y[rows], score[rows]))
    low, high = np.quantile(values, [0.025, 0.975])
    return [round(float(v), 4) for v in (roc_auc_score(y, score), low, high)]


def in_fit_half(question: str) -> bool:
    """Which half of HaluEval a question belongs to."""
    return hashlib.sha256(question.encode()).digest()[0] % 2 == 0


def fit_fragments(rows: list[dict[str, str]], raw: dict[str, Any]) -> None:
    """The part for short answers: right ones against answers to other questions and hallucinated ones."""
    model = sp.model_from(raw)
    x, y, no_content = [], [], []
    for place, row in enumerate(rows):
        index = sp.ContextIndex([row["knowledge"]])
        other = rows[(place + 1) % len(rows)]["right_answer"]
        for answer, label in ((row["right_answer"], 1), (other, 0), (row["hallucinated_answer"], 0)):
            found = tokens(answer)
            if not found or not sp.is_short_answer(answer, found):
                continue
            if found[0].key in ("yes", "no") and len(found) == 1:
                if answer is not other:
                    no_content.append(label)
                continue
            values = sp.overlap_features(found, index, model.weight)[0]
            x.append([values[sp.FEATURES.index(name)] for name in sp._FRAGMENT_FEATURES])
            y.append(label)
    raw["fragment"] = logistic(np.array(x), np.array(y), None, C_FRAGMENT, None)
    raw["no_content"] = round((sum(no_content) + 1) / (len(no_content) + 2), 3)


def ngrams(text: str, n: int) -> collections.Counter[tuple[str, ...]]:
    row = [token.written.lower() for token in tokens(text)]
    return collections.Counter(zip(*(row[i:] for i in range(n)), strict=False))


def precision(answer: str, context: str, n: int) -> float:
    given = ngrams(answer, n)
    return (given & ngrams(context, n)).total() / given.total() if given else 0.0


def rouge_f(answer: str, context: str, n: int) -> float:
    given, there = ngrams(answer, n), ngrams(context, n)
    same = (given & there).total()
    return 2 * same / max(given.total() + there.total(), 1)


def rouge_l(answer: str, context: str) -> float:
    a, b = ([t.written.lower() for t in tokens(text)] for text in (answer, context))
    row = [0] * (len(b) + 1)
    for word in a:
        last = 0
        for j, other in enumerate(b, 1):
            last, row[j] = row[j], last + 1 if word == other else max(row[j], row[j - 1])
    return 2 * row[-1] / max(len(a) + len(b), 1)


def bleu(answer: str, context: str) -> float:
    logs = [math.log(max(precision(answer, context, n), 1e-3)) for n in range(1, 5)]
    return math.exp(sum(logs) / 4)


def baselines(pairs: list[tuple[str, str]]) -> dict[str, np.ndarray]:
    """Scores of the usual measures for (answer, context)."""
    vectorizer = TfidfVectorizer().fit([context for _, context in pairs] + [answer for answer, _ in pairs])
    a, b = (vectorizer.transform([pair[k] for pair in pairs]) for k in (0, 1))
    return {
        "rouge_1": np.array([rouge_f(*pair, 1) for pair in pairs]),
        "rouge_2": np.array([rouge_f(*pair, 2) for pair in pairs]),
        "rouge_l": np.array([rouge_l(*pair) for pair in pairs]),
        "overlap_precision": np.array([precision(*pair, 1) for pair in pairs]),
        "bleu": np.array([bleu(*pair) for pair in pairs]),
        "tf_idf": np.asarray(a.multiply(b).sum(axis=1)).ravel(),
        "shortness": np.array([-len(answer) for answer, _ in pairs]),
    }


def main() -> None:
    """Fit, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wice")
    parser.add_argument("halueval")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    data = Wice(given.wice)
    measured: dict[str, Any] = {}
    scores = cross_validate(data)
    bases = baselines([(c, " ".join(e)) for c, e in zip(data.claims, data.evidence, strict=True)])
    for name, y in (("supported", data.y == 2), ("not_supported", data.y > 0)):
        measured[f"wice_{name}"] = auc_with_interval(y, scores, data.ids)
        for base, values in bases.items():
            measured[f"wice_{name}_{base}"] = round(float(roc_auc_score(y, values)), 4)
    raw = fit_sentences(data, np.ones(len(data.y), dtype=bool))
    rows = pl.read_parquet(given.halueval).to_dicts()
    fit_fragments([row for row in rows if in_fit_half(row["question"])], raw)
    model = sp.model_from(raw)
    unseen = [row for row in rows if not in_fit_half(row["question"])]
    pairs = [(row[k], row["knowledge"]) for row in unseen for k in ("right_answer", "hallucinated_answer")]
    y = np.tile([1, 0], len(unseen))
    s = np.array([respond(answer, sp.ContextIndex([context]), model) for answer, context in pairs])
    measured["halueval_questions"] = len(unseen)
    measured["halueval"] = auc_with_interval(y, s, np.repeat(np.arange(len(unseen)), 2))
    for base, values in baselines(pairs).items():
        measured[f"halueval_{base}"] = round(float(roc_auc_score(y, values)), 4)
    for quantile in (0.1, 0.5, 0.9):
        measured[f"quantile_{quantile}"] = [
            round(float(np.quantile(scores[data.y == k], quantile)), 3) for k in range(3)
        ]
    raw["measured"] = measured
    given.out.write_text(json.dumps(raw, indent=None, separators=(",", ":")) + "\n")
    for name, value in measured.items():
        print(f"{name:32s} {value}")


if __name__ == "__main__":
    main()
