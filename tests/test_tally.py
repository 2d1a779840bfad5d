"""Tallies against brute force: sums over tie blocks, co-moments, clusters, and their merges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics import average_precision_score, roc_auc_score

import dfevals
from dfevals.exceptions import DataError
from dfevals.tally import CellView, MomentTally, ScoreTally
from dfevals.tally.clusters import ClusterSums
from dfevals.tally.moments import exponents

COHORTS = 4


def _rows(seed: int, n: int, distinct: int, low: float, high: float) -> tuple[Any, Any, Any, Any]:
    rng = np.random.default_rng(seed)
    score = rng.choice(np.linspace(low, high, distinct), n) if distinct else rng.uniform(low, high, n)
    return rng.integers(0, COHORTS, n), score, rng.random(n) < 0.4, rng.integers(0, 3, n).astype(float)


seeds = st.integers(0, 2**32 - 1)
scores = st.tuples(
    seeds,
    st.integers(0, 120),
    st.sampled_from([0, 1, 3, 20]),
    st.sampled_from([0.0, -5.0]),
    st.sampled_from([1.0, 7.0]),
)


@settings(max_examples=60, deadline=None)
@given(scores, st.sampled_from(["plain", "importance", "frequency"]))
def test_rank_sums_equal_all_pairs(rows: Any, kind: str) -> None:
    codes, score, label, weight = _rows(*rows)
    w = None if kind == "plain" else weight
    sums = ScoreTally.collect(codes, COHORTS, score, label, w, None, None, kind == "frequency").rank_sums()
    for i in range(COHORTS):
        mine = codes == i
        s, y = score[mine], label[mine]
        v = np.ones(len(s)) if w is None else w[mine]
        pairs = v[y][:, None] * v[~y][None, :]
        gap = np.sign(s[y][:, None] - s[~y][None, :])
        assert_allclose(sums.concordant[i], (pairs * (gap > 0)).sum(), atol=1e-9)
        assert_allclose(sums.tied[i], (pairs * (gap == 0)).sum(), atol=1e-9)
        assert_allclose([sums.pos[i], sums.neg[i]], [v[y].sum(), v[~y].sum()])
        squares = v if kind == "frequency" else v**2
        assert_allclose([sums.pos_sq[i], sums.neg_sq[i]], [squares[y].sum(), squares[~y].sum()])
        if sums.pos[i] > 0 and sums.neg[i] > 0:
            assert_allclose(
                (sums.concordant[i] + sums.tied[i] / 2) / pairs.sum(), roc_auc_score(y, s, sample_weight=v), rtol=1e-12
            )
            assert_allclose(sums.precision[i] / sums.pos[i], average_precision_score(y, s, sample_weight=v), rtol=1e-12)
            place = (np.sign(s[y][:, None] - s[~y][None, :]) / 2 + 0.5) @ v[~y]
            assert_allclose(sums.place_pos[i], (squares[y] * place**2).sum(), rtol=1e-10, atol=1e-9)
            cuts = np.unique(s)
            distance = [
                abs((v * y * (s <= c)).sum() / v[y].sum() - (v * ~y * (s <= c)).sum() / v[~y].sum()) for c in cuts
            ]
            assert_allclose(sums.ks[i], max(distance), atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(scores, scores, st.booleans())
def test_merged_scores_are_the_scores_of_all_rows(a: Any, b: Any, weighted: bool) -> None:
    parts = [_rows(*a), _rows(*b)]
    tallies = [ScoreTally.collect(c, COHORTS, s, y, w if weighted else None) for c, s, y, w in parts]
    place = np.arange(COHORTS)
    merged = tallies[0].merge(tallies[1], place, place, COHORTS).rank_sums()
    codes, score, label, weight = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    whole = ScoreTally.collect(codes, COHORTS, score, label, weight if weighted else None).rank_sums()
    for name in ("pos", "neg", "concordant", "tied", "place_pos", "place_neg", "precision"):
        assert_allclose(getattr(merged, name), getattr(whole, name), rtol=1e-9, atol=1e-9, err_msg=name)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 60), st.sampled_from([0.0, 1e6, -1e9]), st.booleans())
@example(18, 17, -1e9, True)
@example(1676, 60, -1e9, True)
def test_moments_equal_direct_sums_and_keep_their_digits(seed: int, n: int, offset: float, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, COHORTS, n)
    x, y = rng.normal(size=n) + offset, rng.gamma(2, size=n)
    w = rng.random(n) if weighted else None
    cut = n // 2
    pieces = [
        MomentTally.of_block(codes[p], COHORTS, [x[p], y[p]], 4, None if w is None else w[p])
        for p in (slice(0, cut), slice(cut, n))
    ]
    tally = pieces[0] + pieces[1]
    v = np.ones(n) if w is None else w
    for i in range(COHORTS):
        mine = codes == i
        if not mine.any():
            assert tally.n[i] == 0
            continue
        assert_allclose(tally.n[i], v[mine].sum())
        means = [np.average(values[mine], weights=v[mine]) for values in (x, y)]
        assert_allclose(tally.mean[:, i], means, rtol=1e-12)
        near = x[mine] - offset  # exact, so that the direct sums keep the digits that a mean of 1e9 has no room for
        dx, dy = near - np.average(near, weights=v[mine]), y[mine] - means[1]
        for e, found in zip(exponents(2, 4), tally.central[:, i], strict=True):
            size, moved = (
                (v[mine] * np.abs(dx) ** k * np.abs(dy) ** e[1]).sum() for k in (e[0], max(e[0] - 1, 0))
            )  # what the sum is made of, and how much it changes with the mean, which is rounded to its last digit
            expected = (v[mine] * dx ** e[0] * dy ** e[1]).sum()
            assert_allclose(
                found, expected, rtol=1e-6, atol=1e-9 * (1 + size) + 4 * e[0] * moved * np.spacing(abs(offset))
            )


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_regrouped_moments_are_those_of_the_groups(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes, x = rng.integers(0, 6, 80), rng.normal(size=80)
    place = rng.integers(-1, 3, 6)
    fine = MomentTally.of_block(codes, 6, [x], 4, None).regroup(place, 3)
    keep = place[codes] >= 0
    coarse = MomentTally.of_block(place[codes][keep], 3, [x[keep]], 4, None)
    for name in ("n", "mean", "central", "rows"):
        assert_allclose(getattr(fine, name), getattr(coarse, name), atol=1e-9, err_msg=name)


def _frame(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    y = rng.integers(0, 2, n)
    return pd.DataFrame(
        {"y": y, "p": rng.random(n) * 0.7 + 0.3 * y, "g": rng.choice(["a", "b"], n), "user": rng.integers(0, 40, n)}
    )


def test_clusters_are_matched_by_name_not_by_place() -> None:
    frame = _frame()
    metrics = ["roc_auc", "recall", "brier", "average_precision"]
    roles = {"y_true": "y", "y_score": "p", "cluster": "user"}
    whole = frame.evals(**roles).metrics(metrics).frame
    # the second part meets the users in another order, and some users are in both parts
    parts = [frame.iloc[:120], frame.iloc[120:].sort_values("user", ascending=False)]
    tallies = [part.evals(**roles).collect(metrics) for part in parts]
    merged = (tallies[0] + tallies[1]).metrics().frame
    assert_allclose(merged[["value", "ci_low", "ci_high"]], whole[["value", "ci_low", "ci_high"]], rtol=1e-9)


def test_a_tally_answers_only_what_it_collected() -> None:
    tally = _frame().evals(y_true="y", y_score="p").collect(["recall"], by="g")
    assert tally.metrics("precision").frame["value"].notna().all()  # the same cells
    with pytest.raises(dfevals.exceptions.MetricError, match="not collected for that metric"):
        tally.metrics("roc_auc")
    assert "2 cohorts" in repr(tally)


def test_sum_builtin_is_not_needed_but_plus_is_exact() -> None:
    evaluation = _frame().evals(y_true="y", y_score="p")
    parts = [evaluation.where(f"g == '{g}'").collect("recall", by="g") for g in ("a", "b")]
    assert (parts[0] + parts[1]).metrics().frame["value"].tolist() == evaluation.metrics("recall", by="g").frame[
        "value"
    ].tolist()
    with pytest.raises(TypeError):
        parts[0] + 1


def test_different_labels_with_scores_are_refused_with_the_fix() -> None:
    frame = pd.DataFrame({"y": list("abc") * 20, **{f"p_{c}": np.linspace(0, 2, 60) for c in "abc"}})
    one = frame.evals(y_true="y", y_score="p_{label}").collect("roc_auc_ovr")
    two = frame[frame["y"] != "c"].drop(columns="p_c").evals(y_true="y", y_score="p_{label}", task="multiclass")
    with pytest.raises(DataError, match=r"Pass labels=\[...\]"):
        one + two.collect("roc_auc_ovr")


def _ages() -> pd.DataFrame:
    return pd.DataFrame({"y": [0, 1] * 50, "p": [0, 1, 1, 1] * 25, "age": range(100), "c": list("aab") * 33 + ["c"]})


@pytest.mark.parametrize(
    ("by", "fix"),
    [
        (dfevals.quantiles("age", 2), r"25 and 75.*dfevals.bins\('age', \[...\]\)"),
        (dfevals.bins("age", 2), r"24\.5 and 74\.5"),
        (["c", dfevals.quantiles("age", 2)], "of 'age' are not the same"),
    ],
)
def test_cohorts_that_every_part_cuts_for_itself_are_not_added(by: Any, fix: str) -> None:
    frame = _ages()
    parts = [
        part.evals(y_true="y", y_pred="p", pos_label=1).collect(["accuracy"], by) for part in (frame[:50], frame[50:])
    ]
    with pytest.raises(DataError, match=fix):
        parts[0] + parts[1]


def test_values_kept_edges_and_expressions_must_be_the_same_to_add_up() -> None:
    frame = _ages()

    def collect(rows: pd.DataFrame, by: Any, **options: Any) -> Any:
        return rows.evals(y_true="y", y_pred="p", pos_label=1).collect(["accuracy"], by, **options)

    with pytest.raises(DataError, match=r"'a' and 'b'"):
        collect(frame[:50], dfevals.top("c", 1)) + collect(frame[frame["c"] != "a"], dfevals.top("c", 1))
    with pytest.raises(DataError, match="without min_n="):
        collect(frame[:50], "c", min_n=20) + collect(frame[50:], "c", min_n=20)
    with pytest.raises(DataError, match="'old' is 'age > 60' in one tally and 'age > 70'"):
        collect(frame[:80], {"old": "age > 60"}) + collect(frame[80:], {"old": "age > 70"})
    with pytest.raises(DataError, match="30 and 40"):
        collect(frame[:50], dfevals.bins("age", [30], ["a", "b"])) + collect(
            frame[50:], dfevals.bins("age", [40], ["a", "b"])
        )
    for by in (dfevals.bins("age", [30, 60]), {"old": "age > 60"}, dfevals.top("c", 1), dfevals.top("c", 9)):
        halves = collect(frame[::2], by) + collect(frame[1::2], by)
        whole = collect(frame, by).metrics().frame
        columns = [*halves.cohorts.names, "value", "n"]
        pd.testing.assert_frame_equal(
            halves.metrics().frame[columns].sort_values(columns[0]).reset_index(drop=True),
            whole[columns].sort_values(columns[0]).reset_index(drop=True),
        )


@pytest.mark.parametrize("metric", ["pass_rate", "mean", "std", "p50", "min", "evaluation_error_rate"])
def test_a_tally_of_several_outcomes_answers_by_the_metric_of_each(metric: str) -> None:
    frame = pd.DataFrame({"ok": [True, False] * 20, "b": np.arange(40) / 40})
    outcomes = [dfevals.Outcome("ok", kind="pass"), dfevals.Outcome("b", kind="score")]
    evaluation = frame.evals(outcomes=outcomes)
    tally = evaluation.collect([metric])
    expected = evaluation.metrics([metric]).frame
    pd.testing.assert_frame_equal(tally.metrics([metric]).frame, expected)
    pd.testing.assert_frame_equal(tally.metrics(expected["metric"].tolist()).frame, expected)


def test_cells_of_a_class_survive_weights_of_very_different_size() -> None:
    y = np.tile([0, 1, 2], 400)
    rng = np.random.default_rng(0)
    weight = np.exp(8 * rng.standard_normal(1200))
    pred = np.where(rng.random(1200) < 0.2, (y + 1) % 3, y)
    frame = pd.DataFrame({"y": y, "pred": pred, "w": weight, "sample": np.arange(1200) // 6})
    evaluation = frame.evals(y_true="y", y_pred="pred", task="multiclass", sample_weight="w")
    found = evaluation.metrics(["specificity", "npv", "precision", "recall"], by="sample", by_class=True).frame
    found = found[found["value"].notna()]
    assert (found["ci_low"] <= found["value"] + 1e-12).all()
    assert (found["value"] - 1e-12 <= found["ci_high"]).all()
    matrix = np.array([[1e20, 1.0, 2.0], [4.0, 1e-3, 8.0], [16.0, 32.0, 1e9]])[..., None]
    view = CellView(matrix, "classes")
    assert view.fp[:, 0].tolist() == [20, 33, 10]
    assert view.fn[:, 0].tolist() == [3, 12, 48]
    assert view.tn[0, 0] == 40.001 + 1e9
    assert CellView(matrix, "micro").fp.tolist() == [63]


@pytest.mark.parametrize("score", ["p", None])
def test_classes_of_a_tally_are_those_of_the_rows(score: str | None) -> None:
    """By default precision, recall and F1 of each class and their macro averages, not the metrics that have no class."""
    frame = _frame().assign(q=lambda d: (d["p"] > 0.5).astype(int)) if score is None else _frame()
    ev = frame.evals(y_true="y", **({"y_score": score} if score else {"y_pred": "q"}))
    found = ev.collect().metrics(by_class=True).frame
    pd.testing.assert_frame_equal(found, ev.metrics(by_class=True).frame)
    assert set(found["metric"]) == {"precision", "recall", "f1"}
    assert "(macro)" in set(found["class"])


def test_entries_of_one_cluster_and_kind_may_stand_apart() -> None:
    """Tallies that are put together keep their entries: what clusters show must not depend on how these are divided."""
    rng = np.random.default_rng(8)
    cluster, cohort, kind = (rng.integers(0, size, 400) for size in (30, 2, 4))
    weight = rng.gamma(2.0, 1.0, 400)
    whole = ClusterSums.collect(np.arange(30), cluster, cohort, kind, weight[None])
    apart = ClusterSums(np.arange(30), cluster, cohort, kind, weight[None])
    assert len(apart.cluster) > len(whole.cluster)
    for mine, its in zip(whole.spread(2), apart.spread(2), strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-12)
    for i in range(2):
        mine = cohort == i
        table = np.zeros((30, 4))
        np.add.at(table, (cluster[mine], kind[mine]), weight[mine])
        share = table.sum(axis=0) / table.sum()
        assert whole.spread(2)[0][i] == pytest.approx((share * (1 - share)).sum())
