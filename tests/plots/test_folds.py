"""Fold plots, critical-difference diagrams and posteriors, read from their artists."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.inference import bayesian_correlated_ttest, nemenyi
from dfevals.plots import alt_text, folds, posterior, ranks


@pytest.fixture(scope="module")
def bank() -> dfevals.Evaluation:
    return dfevals.datasets.load("bank").evals(dfevals.datasets.describe("bank").roles)


def test_one_line_per_model_with_pairs_and_means(bank: dfevals.Evaluation) -> None:
    result = bank.folds(metrics=["roc_auc"])
    ax = result.plot()
    lines = {line.get_label(): line.get_ydata() for line in ax.lines if not line.get_label().startswith("_")}
    assert list(lines) == ["logistic", "gbm", "forest"]
    values = result.frame[result.frame["model"] == "gbm"]["value"]
    np.testing.assert_allclose(lines["gbm"], values)
    assert any(c.get_gid() == "pair" for c in ax.collections)
    assert ax.get_xticklabels()[-1].get_text() == "mean"
    assert "gbm from" in alt_text(ax)
    assert len(bank.folds(metrics="roc_auc").plot(model="gbm").get_lines()) < len(ax.get_lines())


def test_outliers_and_training_rows_are_drawn() -> None:
    frame = pd.DataFrame(
        {"fold": list("0123"), "model": "m", "metric": "accuracy", "value": [0.8, 0.81, 0.79, 0.4], "train_value": 0.9}
    )
    ax = folds.draw(frame, outliers={"m": ["3"]})
    ring = next(line for line in ax.lines if line.get_gid() == "outlier")
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (3, 0.4)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["m", "on training rows"]


def test_folds_without_values_do_not_fail() -> None:
    frame = pd.DataFrame({"fold": list("012"), "model": "m", "metric": "roc_auc", "value": np.nan})
    ax = folds.draw(frame)
    ax.figure.canvas.draw()
    assert not any(
        np.isfinite(np.asarray(line.get_ydata(), float)).any() for line in ax.lines if len(line.get_ydata()) == 3
    )


def test_critical_difference_diagram(bank: dfevals.Evaluation) -> None:
    result = bank.compare(metrics=["roc_auc"])
    ax = result.plot("ranks")
    test = result.nemenyi()
    bar = next(line for line in ax.lines if line.get_gid() == "critical difference")
    assert np.ptp(bar.get_xdata()) == pytest.approx(test.critical_difference)
    texts = " ".join(t.get_text() for t in ax.texts)
    for name, rank in zip(("logistic", "gbm", "forest"), test.ranks, strict=True):
        assert f"{name}  {rank:.2f}" in texts


def test_groups_that_do_not_differ_are_joined() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 5)) + [0.0, 0.1, 0.2, 2.0, 2.1]
    test = nemenyi(x)
    ax = ranks.draw(test, [f"model {i}" for i in range(5)])
    groups = [line for line in ax.lines if line.get_gid() == "group"]
    assert len(groups) == len(test.groups) == 2
    assert "Models that do not differ: " in alt_text(ax)


def test_posterior_shows_the_rope() -> None:
    test = bayesian_correlated_ttest([0.02, 0.01, 0.03, -0.01, 0.02], 80, 20, rope=0.015)
    ax = posterior.draw(test, ("a", "b"), title="accuracy")
    edges = sorted(line.get_xdata()[0] for line in ax.lines if line.get_gid() == "rope")
    assert edges == [-0.015, 0.015]
    assert len(ax.get_legend().get_texts()) == 3
    same = bayesian_correlated_ttest([0.0] * 5, 80, 20)
    posterior.draw(same, ("a", "b")).figure.canvas.draw()


def test_posterior_of_a_loss_colours_the_lower_side_as_the_first() -> None:
    gaps = [-3.0, -1.0, -2.0, 0.5, -2.5]
    loss = bayesian_correlated_ttest(gaps, 80, 20, rope=0.5, better="lower")
    gain = bayesian_correlated_ttest([-gap for gap in gaps], 80, 20, rope=0.5)
    assert (loss.p_a, loss.p_b) == pytest.approx((gain.p_a, gain.p_b))
    ax = posterior.draw(loss, ("a", "b"), title="mae")
    assert [t.get_text()[:8] for t in ax.get_legend().get_texts()] == ["a better", "equivale", "b better"]
    neutral = bayesian_correlated_ttest(gaps, 80, 20, better="none")
    assert "that a is greater" in alt_text(posterior.draw(neutral, ("a", "b")))
