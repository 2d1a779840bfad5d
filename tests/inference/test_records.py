"""Records are frozen, readable and light to import."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from dfevals import inference


def test_records_are_frozen_and_readable():
    record = inference.wilson(8, 10)
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.estimate = 1.0
    assert repr(record).startswith("Estimate(estimate=0.8, ci_low=0.4902, ci_high=0.9433, level=0.95, method='Wilson'")
    assert "note='no discordant pairs'" in repr(inference.mcnemar(0, 0))
    assert len(repr(inference.mcnemar(np.arange(1000), 5))) < 600
    assert "\n" not in repr(inference.nemenyi(np.arange(12.0).reshape(4, 3)))
    ragged = inference.nemenyi(np.random.default_rng(0).normal(size=(40, 5)) + [0, 0, 0, 9, 9])
    assert "groups=[(" in repr(ragged)


def test_every_test_has_the_same_fields():
    names = {"statistic", "p_value", "estimate", "ci_low", "ci_high", "df", "method", "n", "note"}
    x, y = np.arange(12.0), np.arange(12.0)[::-1] ** 2
    labels = np.arange(12) % 2
    tests = [
        inference.mcnemar(3, 4),
        inference.cochrans_q(np.eye(3)),
        inference.delong(labels, x, y),
        inference.delong_unpaired(labels, x, labels, y),
        inference.paired_ttest(x, y),
        inference.welch_ttest(x, y),
        inference.wilcoxon(x, y),
        inference.sign_flip_permutation(x, y),
        inference.tost(x, y, 1),
        inference.corrected_resampled_ttest(x - y, 90, 10),
        inference.bayesian_correlated_ttest(x - y, 90, 10),
        inference.five_by_two_cv_ttest((x - y)[:10].reshape(5, 2)),
        inference.five_by_two_cv_ftest((x - y)[:10].reshape(5, 2)),
        inference.anova_repeated(np.column_stack([x, y])),
        inference.friedman(np.column_stack([x, y])),
        inference.nemenyi(np.column_stack([x, y])),
        inference.two_proportions(1, 2, 3, 4),
        inference.mantel_haenszel([[3, 4], [5, 6]]),
        inference.cohen_kappa(labels, labels[::-1]),
        inference.fleiss_kappa([[2, 1], [1, 2]]),
    ]
    for test in tests:
        assert names <= {field.name for field in dataclasses.fields(test)}
        assert test.method


def test_all_names_exist_and_importing_them_loads_no_scipy():
    assert all(hasattr(inference, name) for name in inference.__all__)
    code = "import sys, dfevals.inference; print([m for m in sys.modules if m.split('.')[0] in ('scipy', 'sklearn')])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
