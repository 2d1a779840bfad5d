"""Simulate the size of every test and write the tables of docs/validation.md (`python scripts/validate_tests.py`).

All data are made so that there is nothing to find, except where a column says otherwise; the share of simulations in
which something is found is then the size of the test. Seeds are fixed. `--quick` divides the simulations by ten.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import dfevals
from dfevals.inference import (
    corrected_resampled_ttest,
    five_by_two_cv_ftest,
    five_by_two_cv_ttest,
    mcnemar,
    paired_ttest,
    sign_flip_permutation,
    wilcoxon,
)

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "coverage"))

from calibration_coverage import coverage_of_bands, sizes_of_calibration  # noqa: E402
from repeated_folds import LEARNERS, sizes  # noqa: E402

PAGE = ROOT / "docs" / "validation.md"
CELLS = ["accuracy", "recall", "precision", "f1", "balanced_accuracy", "mcc", "cohen_kappa"]
SCORES = ["roc_auc", "average_precision", "ks", "log_loss", "brier"]


def scored(n: int, groups: int, seed: int, *, prevalence: float = 0.4, clusters: int = 0) -> pd.DataFrame:
    """Two correlated scores of equal quality, in `groups` independent samples of n rows."""
    rng = np.random.default_rng(seed)
    total = n * groups
    y = (rng.random(total) < prevalence).astype(int)
    shared, columns = rng.normal(size=total), {}
    noise = [0.8 * rng.normal(size=total) for _ in range(2)]
    if clusters:
        unit = np.repeat(np.arange(total // clusters), clusters)
        y = (rng.random(total // clusters) < prevalence).astype(int)[unit]
        noise = [x + 0.8 * rng.normal(size=total // clusters)[unit] for x in noise]
        columns["unit"] = unit
    for name, x in zip(("a", "b"), noise, strict=True):
        columns[name] = 1 / (1 + np.exp(-(2 * (y - 0.5) + 0.8 * shared + x)))
    return pd.DataFrame({"g": np.repeat(np.arange(groups), n), "y": y, **columns})


def found(frame: pd.DataFrame, metrics: list[str], **roles: Any) -> pd.DataFrame:
    """Share of samples in which a comparison gives a verdict, and in which it says that they are too few."""
    ev = frame.evals(y_true="y", y_score={"a": "a", "b": "b"}, **roles)
    result = ev.compare(by="g", metrics=metrics, correction=None).frame
    cohorts = result[~result["is_overall"]]
    parts = {
        "found": cohorts["verdict"].isin(["a", "b"]).groupby(cohorts["metric"], sort=False).mean(),
        "too few": (cohorts["verdict"] == "too few").groupby(cohorts["metric"], sort=False).mean(),
        "test": cohorts.groupby("metric", sort=False)["test"].first(),
    }
    return pd.DataFrame(parts)


def sizes_of_rows(scale: int) -> pd.DataFrame:
    """Size of the default test of every metric on the same rows."""
    columns: dict[str, Any] = {}
    for n, prevalence in ((30, 0.4), (30, 0.15), (100, 0.4), (100, 0.1), (1000, 0.4)):
        table = found(
            scored(n, max(4000 // scale, 200) if n < 1000 else max(2000 // scale, 200), n, prevalence=prevalence),
            CELLS + SCORES,
        )
        columns.setdefault("test", table["test"])
        columns[f"n = {n}, {prevalence:.0%} positive"] = table["found"].map("{:.3f}".format) + table["too few"].map(
            lambda share: f" ({share:.0%} too few)" if share >= 0.005 else ""
        )
    return pd.DataFrame(columns).rename_axis("metric").reset_index()


def sizes_of_clusters(scale: int) -> pd.DataFrame:
    """Size with rows in clusters of five, with and without the role `cluster`."""
    rows = []
    for n in (100, 400):
        frame = scored(n, max(2000 // scale, 200), 7 + n, clusters=5)
        robust, naive = (
            found(f, ["accuracy", "recall", "f1", "roc_auc", "log_loss"], **r)
            for f, r in ((frame, {"cluster": "unit"}), (frame, {}))
        )
        for metric in robust.index:
            rows.append(
                {
                    "n": n,
                    "clusters": n // 5,
                    "metric": metric,
                    "with cluster=": f"{robust.loc[metric, 'found']:.3f}",
                    "without": f"{naive.loc[metric, 'found']:.3f}",
                }
            )
    return pd.DataFrame(rows)


def sizes_unpaired(scale: int) -> pd.DataFrame:
    """Size of comparisons of two releases on different rows."""
    rows = []
    for n in (60, 200, 1000):
        groups = max(2000 // scale, 200)
        frame = scored(n, groups, 11 + n).assign(release=lambda d: np.where(np.arange(len(d)) % 2, "new", "old"))
        ev = frame.evals(y_true="y", y_score="a", release="release")
        result = ev.compare(
            "new", "old", by="g", metrics=["accuracy", "recall", "f1", "mcc", "roc_auc", "log_loss"], correction=None
        ).frame
        cohorts = result[~result["is_overall"]]
        share = cohorts["verdict"].isin(["new", "old"]).groupby(cohorts["metric"], sort=False).mean()
        rows.append({"rows of each": n // 2, **share.map("{:.3f}".format).to_dict()})
    return pd.DataFrame(rows)


def equal_learners(
    learner: Callable[[], Any], n: int, sims: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Accuracy differences of ten folds and of 5 x 2 folds, and pooled discordant pairs, of two equal learners.

    Both are the same algorithm; one sees the first five features, the other the last five, and the ten features are
    exchangeable, so neither is better.
    """
    from sklearn.model_selection import StratifiedKFold

    rng = np.random.default_rng(seed)
    tens, twos, pairs = np.empty((sims, 10)), np.empty((sims, 5, 2)), np.empty((sims, 2))
    for sim in range(sims):
        y = (rng.random(n) < 0.5).astype(int)
        x = rng.normal(size=(n, 10)) + 0.4 * y[:, None]
        right = np.zeros((2, n), bool)
        for at, (train, test) in enumerate(StratifiedKFold(10, shuffle=True, random_state=sim).split(x, y)):
            for j, part in enumerate((slice(0, 5), slice(5, 10))):
                right[j, test] = learner().fit(x[train, part], y[train]).predict(x[test, part]) == y[test]
            tens[sim, at] = right[0, test].mean() - right[1, test].mean()
        pairs[sim] = (right[0] & ~right[1]).sum(), (right[1] & ~right[0]).sum()
        for repeat in range(5):
            for at, (train, test) in enumerate(
                StratifiedKFold(2, shuffle=True, random_state=repeat + 5 * sim).split(x, y)
            ):
                score = [
                    (learner().fit(x[train, part], y[train]).predict(x[test, part]) == y[test]).mean()
                    for part in (slice(0, 5), slice(5, 10))
                ]
                twos[sim, repeat, at] = score[0] - score[1]
    return tens, twos, pairs


def sizes_of_learners(scale: int) -> pd.DataFrame:
    """Size of the tests of learners, for pairs of equal scikit-learn learners."""
    import sklearn
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.tree import DecisionTreeClassifier

    learners: dict[str, Callable[[], Any]] = {
        "naive Bayes": GaussianNB,
        "decision tree": lambda: DecisionTreeClassifier(max_depth=4, random_state=0),
        "5 nearest neighbours": KNeighborsClassifier,
    }
    rows = []
    sims = max(2000 // scale, 100)
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        for name, learner in learners.items():
            for n in (100, 300):
                tens, twos, pairs = equal_learners(learner, n, sims, n)
                size = {
                    "corrected t": corrected_resampled_ttest(tens, 0.9 * n, 0.1 * n).p_value,
                    "plain t": paired_ttest(tens, np.zeros_like(tens)).p_value,
                    "McNemar on out-of-fold rows": mcnemar(*pairs.T).p_value,
                    "5x2cv t": five_by_two_cv_ttest(twos).p_value,
                    "5x2cv F": five_by_two_cv_ftest(twos).p_value,
                }
                rows.append({"learner": name, "rows": n, **{k: f"{np.mean(p < 0.05):.3f}" for k, p in size.items()}})
    return pd.DataFrame(rows)


def sizes_over_repeats(scale: int) -> pd.DataFrame:
    """Size of the corrected t test over repeated folds by its degrees of freedom."""
    parts = [sizes(learner, k, 2000 // scale) for learner in LEARNERS for k in (2, 5, 10)]
    return pd.concat(parts).round(3)


def many_looks(scale: int) -> pd.DataFrame:
    """Families of 40 cohorts: how often anything false is found, and the share of false findings."""
    families = max(500 // scale, 60)
    rows = []
    for label, better in (("nothing to find", 0), ("10 of 40 cohorts differ", 10)):
        outcome: dict[str, list[tuple[bool, float]]] = {"none": [], "holm": [], "bh": []}
        for seed in range(families):
            frame = scored(80, 40, seed)
            gain = np.where(frame["g"] < better, 1.5, 0.0) * (frame["y"] - 0.5)
            frame["a"] = 1 / (1 + np.exp(-(np.log(frame["a"] / (1 - frame["a"])) + gain)))
            ev = frame.evals(y_true="y", y_score={"a": "a", "b": "b"})
            for name in outcome:
                cohorts = ev.compare(by="g", metrics="log_loss", correction=name).frame[1:]
                hit = cohorts["verdict"].isin(["a", "b"]).to_numpy()
                false = hit & (cohorts["g"].astype(int).to_numpy() >= better)
                outcome[name].append((bool(false.any()), false.sum() / max(hit.sum(), 1)))
        for name, values in outcome.items():
            wrong, share = (np.mean([v[i] for v in values]) for i in (0, 1))
            rows.append(
                {
                    "data": label,
                    "correction": name,
                    "any false finding": f"{wrong:.3f}",
                    "share of findings that are false": f"{share:.3f}",
                }
            )
    return pd.DataFrame(rows)


def named_tests(scale: int) -> pd.DataFrame:
    """Size of the tests on arrays that may be asked for by name, on skewed paired differences."""
    sims = max(2000 // scale, 200)
    rng = np.random.default_rng(0)
    rows = []
    for n in (30, 100):
        a, b = (rng.gamma(1.0, size=(sims, n)) for _ in range(2))
        p = {
            "paired t": paired_ttest(a, b).p_value,
            "Wilcoxon": np.array([wilcoxon(x, z).p_value for x, z in zip(a, b, strict=True)]),
            "sign flips (999)": np.array(
                [sign_flip_permutation(x, z, 999, i).p_value for i, (x, z) in enumerate(zip(a, b, strict=True))]
            ),
        }
        rows.append({"n": n, **{name: f"{np.mean(values < 0.05):.3f}" for name, values in p.items()}})
    return pd.DataFrame(rows)


def choices(scale: int) -> pd.DataFrame:
    """Routing and leaderboards on models that are all alike: what the naive number promises, and what is shown."""
    sims = max(400 // scale, 60)
    rng = np.random.default_rng(0)
    promised, shown, covered, routed, best, corrected, held = [], [], [], [], [], [], []
    for seed in range(sims):
        y = rng.integers(0, 2, 1500)
        frame = pd.DataFrame({f"m{i}": np.where(rng.random(1500) < 0.7, y, 1 - y) for i in range(5)}).assign(
            y=y, g=np.arange(1500) % 25
        )
        ev = frame.evals(y_true="y", y_pred={f"m{i}": f"m{i}" for i in range(5)}, pos_label=1)
        route = ev.route(by="g", default="m0", random_state=seed)
        gain = route.gain.iloc[0]
        right = frame[[f"m{i}" for i in range(5)]].eq(frame["y"], axis=0).groupby(frame["g"]).mean()
        promised.append((right.max(axis=1) - right["m0"]).mean())
        shown.append(gain["gain"])
        covered.append(gain["ci_low"] <= 0 <= gain["ci_high"])
        routed.append(bool(route.routes))
        top = ev.where("g < 5").compare(metrics="accuracy", random_state=seed).winner.iloc[0]
        best.append(top["value"] - 0.7)
        corrected.append(top["corrected"] - 0.7)
        held.append(top["ci_low"] <= 0.7 <= top["ci_high"])
    return pd.DataFrame(
        [
            {
                "question": "gain of the best model per cohort, chosen and judged on the same rows",
                "truth": "0",
                "mean": f"{np.mean(promised):+.4f}",
            },
            {"question": "gain shown by route()", "truth": "0", "mean": f"{np.mean(shown):+.4f}"},
            {
                "question": "95% interval of that gain covers the truth",
                "truth": "≥ .95",
                "mean": f"{np.mean(covered):.3f}",
            },
            {"question": "any cohort routed away from the default", "truth": "≤ .05", "mean": f"{np.mean(routed):.3f}"},
            {
                "question": "accuracy of the best of 5 models on 300 rows, less the truth",
                "truth": "0",
                "mean": f"{np.mean(best):+.4f}",
            },
            {"question": "the same in .winner, corrected", "truth": "0", "mean": f"{np.mean(corrected):+.4f}"},
            {"question": "95% interval of .winner covers the truth", "truth": "≥ .95", "mean": f"{np.mean(held):.3f}"},
        ]
    )


def chosen_for_looking_good(scale: int) -> pd.DataFrame:
    """Best thresholds and routes that are real: what is shown after correction, and whether intervals hold the truth."""
    from scipy.stats import norm

    sims, rng = max(400 // scale, 20), np.random.default_rng(1)
    found: dict[str, list[tuple[float, float, bool]]] = {}

    def note(name: str, shown: float, truth: float, row: pd.Series) -> None:
        covers = bool(row["ci_low"] - 1e-12 <= truth <= row["ci_high"] + 1e-12)
        found.setdefault(name, []).append((shown, truth, covers))

    for seed in range(sims):
        y = (rng.random(150) < 0.3).astype(int)
        ev = pd.DataFrame({"y": y, "s": rng.normal(size=150) + y}).evals(y_true="y", y_score="s", score_kind="margin")
        best = ev.thresholds(objective="youden", n_resamples=200, thresholds=3, random_state=seed).best.iloc[0]
        youden = float(norm.sf(best["threshold"] - 1) - norm.sf(best["threshold"]))
        note("Youden's J of the best threshold, 150 rows", best["corrected"], youden, best)
        group, effect = np.arange(3200) % 16, rng.choice([-0.05, 0.1, 0.15], 16)
        y = rng.integers(0, 2, 3200)
        right = {"a": rng.random(3200) < 0.75, "b": rng.random(3200) < 0.75 + effect[group]}
        frame = pd.DataFrame({name: np.where(hit, y, 1 - y) for name, hit in right.items()} | {"y": y, "g": group})
        route = frame.evals(y_true="y", y_pred={"a": "a", "b": "b"}).route(by="g", default="a", metric="accuracy")
        gain = route.gain.iloc[0]
        routed = route.model_for(pd.DataFrame({"g": np.arange(16)})).to_numpy() == "b"
        note("gain of the routes, 16 cohorts of 200 rows", gain["gain"], float(effect[routed].sum() / 16), gain)
    return pd.DataFrame(
        [
            {
                "question": name,
                **dict(zip(("shown", "truth", "covers"), (f"{x:.3f}" for x in np.mean(rows, axis=0)), strict=True)),
            }
            for name, rows in found.items()
        ]
    )


TABLES: dict[str, Callable[[int], pd.DataFrame]] = {
    "rows": sizes_of_rows,
    "clusters": sizes_of_clusters,
    "unpaired": sizes_unpaired,
    "named": named_tests,
    "learners": sizes_of_learners,
    "repeats": sizes_over_repeats,
    "looks": many_looks,
    "choices": choices,
    "chosen": chosen_for_looking_good,
    "calibration": sizes_of_calibration,
    "bands": coverage_of_bands,
}


def markdown(table: pd.DataFrame) -> str:
    """A pipe table."""
    lines = ["| " + " | ".join(map(str, table.columns)) + " |", "| " + " | ".join("---" for _ in table.columns) + " |"]
    lines += ["| " + " | ".join(str(value) for value in row) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines)


def write(name: str, table: pd.DataFrame) -> None:
    """Put a table into the page, between its two marks."""
    text = PAGE.read_text(encoding="utf-8")
    pattern = re.compile(rf"(% table: {name}\n).*?(% end\n)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"docs/validation.md has no place for the table {name!r}.")
    PAGE.write_text(pattern.sub(lambda m: f"{m[1]}\n{markdown(table)}\n\n{m[2]}", text), encoding="utf-8")


def main() -> None:
    """Make the tables asked for, all by default."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], help="which tables")
    parser.add_argument("--quick", action="store_true", help="a tenth of the simulations, shown and not written")
    given = parser.parse_args()
    for name in given.tables or TABLES:
        start = time.perf_counter()
        table = TABLES[name](10 if given.quick else 1)
        print(f"{name}: {time.perf_counter() - start:.0f} s, dfevals {dfevals.__version__}\n{markdown(table)}\n")
        if not given.quick:
            write(name, table)


if __name__ == "__main__":
    main()
