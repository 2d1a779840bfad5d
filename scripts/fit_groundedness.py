"""Fit the coefficients of the embedded groundedness model and print its measured accuracy.

    python scripts/fit_groundedness.py wice_dev.parquet halueval_qa_pairs.parquet halueval_general.parquet

Data: WiCE (Kamoi et al. 2023; columns id, label, claim, evidence), HaluEval QA (Li et al. 2023; columns knowledge,
question, right_answer, hallucinated_answer), and HaluEval's general answers (prompt, response), of which only the
words are counted. Only coefficients and counts of stems are written, no texts. What is measured is held out:

- WiCE: nested cross-validation by claim. In every outer fold the features of the two regressions, their penalties and
  the way they are joined are chosen by an inner cross-validation of the other claims. The kinds of features were made
  while looking at (other splits of) the same claims, which nothing but new claims can undo.
- HaluEval QA: one half of the questions, chosen by a hash, is fitted on, the other half is measured.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import minimize
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from dfevals.evaluators import support as sp
from dfevals.evaluators.overlap import FEATURES, SIGNS, ContextIndex, overlap_features
from dfevals.evaluators.tokens import sentences, tokens

OUT = Path(__file__).parents[1] / "src/dfevals/evaluators/models/groundedness.json"
LEVEL = {"supported": 2, "partially_supported": 1, "not_supported": 0}
TOGETHER = ("local_pairs", "local_pairs_near", "local_company", "local_recall", "best_weight", "fuzzy", "neighbours")
ANY = {"together": TOGETHER, "local": (*TOGETHER, "local_best", "local_window")}
FULL = {"exact": tuple(FEATURES)[:28], "all": tuple(FEATURES)}
PENALTIES = (0.01, 0.03, 0.1)
JOINS = tuple(
    (share, slope, centre) for share in (0.1, 0.2, 0.3) for slope, centre in ((1.0, 0.0), (1.0, 1.0), (1.5, 1.0))
)
LEAST_COUNT = 8
C_FRAGMENT = 1.0


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


def logistic(z: np.ndarray, y: np.ndarray, w: np.ndarray, c: float, names: tuple[str, ...]) -> np.ndarray:
    """Ridge logistic regression whose coefficients keep the sign of their feature; features not named get 0."""
    columns = [FEATURES.index(name) for name in names]
    part = z[:, columns]
    bounds = [(None, None), *({1: (0, None), -1: (None, 0), 0: (None, None)}[SIGNS[name]] for name in names)]

    def loss(b: np.ndarray) -> tuple[float, np.ndarray]:
        linear = b[0] + part @ b[1:]
        slope = w * (1 / (1 + np.exp(-linear)) - y)
        value = w @ (np.logaddexp(0, linear) - y * linear) + b[1:] @ b[1:] / (2 * c)
        return float(value), np.r_[slope.sum(), part.T @ slope + b[1:] / c]

    fitted = minimize(loss, np.zeros(len(columns) + 1), jac=True, bounds=bounds, method="L-BFGS-B").x
    full = np.zeros(z.shape[1] + 1)
    full[[0, *(column + 1 for column in columns)]] = fitted
    return full


class Wice:
    """The claims with their evidence, as a list of sentences and as one text."""

    def __init__(self, path: str, weight: Any) -> None:
        rows = pl.read_parquet(path).to_dicts()
        self.ids = np.array([row["id"] for row in rows])
        self.y = np.array([LEVEL[row["label"]] for row in rows])
        self.claims = [row["claim"] for row in rows]
        self.evidence = [json.loads(row["evidence"]) for row in rows]
        self.index = [ContextIndex(evidence) for evidence in self.evidence]
        self.joined = [ContextIndex([" ".join(evidence)]) for evidence in self.evidence]
        self.x, self.x_joined = (
            np.array([overlap_features(tokens(c), i, weight)[0] for c, i in zip(self.claims, index, strict=True)])
            for index in (self.index, self.joined)
        )

    def claim_weights(self, rows: np.ndarray) -> np.ndarray:
        """Every claim counts as one, however many rows it has."""
        per_claim = collections.Counter(self.ids[rows])
        w = np.array([1 / per_claim[i] for i in self.ids[rows]])
        return w / w.mean()

    def folds(self, rows: np.ndarray, k: int, seed: int) -> np.ndarray:
        """Fold of each row; the rows of a claim stay together and every fold has claims of every label."""
        rng, fold = np.random.default_rng(seed), {}
        label = dict(zip(self.ids[rows], self.y[rows], strict=True))
        for level in LEVEL.values():
            ids = sorted(i for i in label if label[i] == level)
            fold |= {ids[j]: place % k for place, j in enumerate(rng.permutation(len(ids)))}
        return np.array([fold[i] for i in self.ids[rows]])


class Sentences:
    """The two regressions, for any and for full support, fitted on some rows in both forms of the evidence."""

    def __init__(self, data: Wice, rows: np.ndarray) -> None:
        x = np.vstack([data.x[rows], data.x_joined[rows]])
        self.mean, self.scale = x.mean(0), x.std(0)
        self.scale[self.scale == 0] = 1.0
        self.z = (x - self.mean) / self.scale
        self.y = np.tile(data.y[rows], 2)
        self.w = np.tile(data.claim_weights(rows), 2) / 2

    def fit(self, least: int, c: float, names: tuple[str, ...]) -> np.ndarray:
        return logistic(self.z, (self.y >= least).astype(float), self.w, c, names)

    def linear(self, x: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        return np.asarray(coefficients[0] + (x - self.mean) / self.scale @ coefficients[1:])


def sigmoid(value: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-value)))


def joined(some: np.ndarray, full: np.ndarray, join: tuple[float, float, float]) -> np.ndarray:
    share, slope, centre = join
    return np.asarray(share * sigmoid(full) + (1 - share) * sigmoid(slope * (some - centre)))


Choice = tuple[str, float, str, float, tuple[float, float, float]]


def choose(data: Wice, rows: np.ndarray, seed: int) -> Choice:
    """Features, penalties and join that separate best in a cross-validation of some rows: full support by its own
    question, the rest by the product of what is left to gain on both questions."""
    fold, y = data.folds(rows, 4, seed), data.y[rows]
    fits = [Sentences(data, rows[fold != k]) for k in range(4)]

    def held_out(least: int, c: float, names: tuple[str, ...]) -> np.ndarray:
        out = np.zeros(len(rows))
        for k, fit in enumerate(fits):
            out[fold == k] = fit.linear(data.x[rows[fold == k]], fit.fit(least, c, names))
        return out

    some, full = (
        {(name, c): held_out(least, c, names) for name, names in sets.items() for c in PENALTIES}
        for least, sets in ((1, ANY), (2, FULL))
    )
    best_full = max(full, key=lambda key: float(roc_auc_score(y == 2, full[key])))

    def worth(key: tuple[tuple[str, float], tuple[float, float, float]]) -> float:
        s = joined(some[key[0]], full[best_full], key[1])
        return math.log(1 - float(roc_auc_score(y == 2, s))) + math.log(1 - float(roc_auc_score(y > 0, s)))

    best_some, join = min(itertools.product(some, JOINS), key=worth)
    return *best_some, *best_full, join


def fit_sentences(
    data: Wice, rows: np.ndarray, choice: Choice, words: tuple[dict[str, float], float]
) -> dict[str, Any]:
    """The sentence part of the model from some of the rows."""
    any_name, any_c, full_name, full_c, join = choice
    fit = Sentences(data, rows)
    some, full = fit.fit(1, any_c, ANY[any_name]), fit.fit(2, full_c, FULL[full_name])
    s = joined(fit.z @ some[1:] + some[0], fit.z @ full[1:] + full[0], join)
    logit = np.log(s / (1 - s))[:, None]
    # expected support: a partial one counts one half
    calibrated = LogisticRegression(C=100.0).fit(
        np.vstack([logit, logit]),
        np.r_[np.ones(len(s)), np.zeros(len(s))],
        sample_weight=np.r_[fit.w * fit.y / 2, fit.w * (1 - fit.y / 2)],
    )

    def rounded(values: Any) -> list[float]:
        return [round(float(v), 5) for v in values]

    return {
        "features": list(FEATURES),
        "weights": words[0],
        "default_weight": words[1],
        "mean": rounded(fit.mean),
        "scale": rounded(fit.scale),
        "any_support": rounded(some),
        "full_support": rounded(full),
        "share_full": join[0],
        "sharpness": list(join[1:]),
        "calibration": rounded([calibrated.intercept_[0], calibrated.coef_[0, 0]]),
        "fragment": [0.0] * 5,
        "no_content": 0.9,
        "measured": {},
    }


def respond(response: str, index: ContextIndex, model: sp.SupportModel) -> float:
    """The evaluator's own score."""
    from dfevals.evaluators.groundedness import response_score

    return response_score(sp.support(response, index, model))


def cross_validate(
    data: Wice, words: tuple[dict[str, float], float], folds: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of claims that neither the fit nor the choice has seen, with the evidence as a list and as one text."""
    rows = np.arange(len(data.y))
    fold = data.folds(rows, folds, seed)
    scores = np.zeros((2, len(rows)))
    for k in range(folds):
        rest = rows[fold != k]
        choice = choose(data, rest, seed)
        model = sp.model_from(fit_sentences(data, rest, choice, words))
        for i in rows[fold == k]:
            for form, index in enumerate((data.index, data.joined)):
                scores[form, i] = respond(data.claims[i], index[i], model)
        print(f"fold {k + 1}: {choice}")
    return scores[0], scores[1]


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
        index = ContextIndex([row["knowledge"]])
        other = rows[(place + 1) % len(rows)]["right_answer"]
        for answer, label in ((row["right_answer"], 1), (other, 0), (row["hallucinated_answer"], 0)):
            found = tokens(answer)
            if not found or not sp.is_short_answer(answer, found):
                continue
            if found[0].key in ("yes", "no") and len(found) == 1:
                if answer is not other:
                    no_content.append(label)
                continue
            values = overlap_features(found, index, model.weight)[0]
            x.append([values[FEATURES.index(name)] for name in sp._FRAGMENT_FEATURES])
            y.append(label)
    fitted = LogisticRegression(C=C_FRAGMENT, max_iter=5000).fit(np.array(x), np.array(y))
    raw["fragment"] = [round(float(v), 5) for v in (fitted.intercept_[0], *fitted.coef_[0])]
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
    parser.add_argument("general")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    general = pl.read_parquet(given.general).select("prompt", "response").to_dicts()
    words = word_weights([text for row in general for text in row.values()])
    data = Wice(given.wice, lambda key: words[0].get(key, words[1]))
    measured: dict[str, Any] = {}
    runs = [cross_validate(data, words, 10, seed) for seed in range(given.repeats)]
    scores = np.mean([run[0] for run in runs], axis=0)
    bases = baselines([(c, " ".join(e)) for c, e in zip(data.claims, data.evidence, strict=True)])
    for name, y in (("supported", data.y == 2), ("not_supported", data.y > 0)):
        for form, at in (("", 0), ("_one_text", 1)):
            each = [round(float(roc_auc_score(y, run[at])), 4) for run in runs]
            first = auc_with_interval(y, runs[0][at], data.ids)
            centre = round(float(np.mean(each)), 4)
            shift = centre - first[0]
            measured[f"wice_{name}{form}"] = [centre, round(first[1] + shift, 4), round(first[2] + shift, 4)]
            measured[f"wice_{name}{form}_runs"] = each
        for base, values in bases.items():
            measured[f"wice_{name}_{base}"] = round(float(roc_auc_score(y, values)), 4)
    everything = np.arange(len(data.y))
    raw = fit_sentences(data, everything, choose(data, everything, 0), words)
    rows = pl.read_parquet(given.halueval).to_dicts()
    fit_fragments([row for row in rows if in_fit_half(row["question"])], raw)
    model = sp.model_from(raw)
    unseen = [row for row in rows if not in_fit_half(row["question"])]
    pairs = [(row[k], row["knowledge"]) for row in unseen for k in ("right_answer", "hallucinated_answer")]
    y = np.tile([1, 0], len(unseen))
    s = np.array([respond(answer, ContextIndex([context]), model) for answer, context in pairs])
    measured["halueval_questions"] = len(unseen)
    measured["halueval"] = auc_with_interval(y, s, np.repeat(np.arange(len(unseen)), 2))
    for base, values in baselines(pairs).items():
        measured[f"halueval_{base}"] = round(float(roc_auc_score(y, values)), 4)
    for quantile in (0.1, 0.5, 0.9):
        measured[f"quantile_{quantile}"] = [
            round(float(np.quantile(scores[data.y == k], quantile)), 3) for k in range(3)
        ]
    measured["wice_pass"] = [round(float(np.mean(scores[data.y == k] >= 0.5)), 3) for k in range(3)]
    measured["halueval_pass"] = [round(float(np.mean(s[y == k] >= 0.5)), 3) for k in (0, 1)]
    measured["halueval_pass_0.85"] = [round(float(np.mean(s[y == k] >= 0.85)), 3) for k in (0, 1)]
    measured["wice_pass_0.85"] = [round(float(np.mean(scores[data.y == k] >= 0.85)), 3) for k in range(3)]
    raw["measured"] = measured
    given.out.write_text(json.dumps(raw, indent=None, separators=(",", ":")) + "\n")
    for name, value in measured.items():
        print(f"{name:32s} {value}")


if __name__ == "__main__":
    main()
