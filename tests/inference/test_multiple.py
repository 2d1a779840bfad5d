"""Corrections for many tests against statsmodels and on pure noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dfevals import inference
from dfevals.exceptions import DataError

STATSMODELS_NAMES = {
    "bonferroni": "bonferroni",
    "holm": "holm",
    "hochberg": "simes-hochberg",
    "benjamini_hochberg": "fdr_bh",
    "benjamini_yekutieli": "fdr_by",
}


@pytest.mark.parametrize("name", STATSMODELS_NAMES)
@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_corrections_equal_statsmodels(name, size):
    from statsmodels.stats.multitest import multipletests

    p = np.random.default_rng(size).uniform(size=size) ** 3
    expected = multipletests(p, method=STATSMODELS_NAMES[name])[1]
    np.testing.assert_allclose(getattr(inference, name)(p), expected, rtol=1e-12)


@pytest.mark.parametrize("name", STATSMODELS_NAMES)
def test_missing_p_values_stay_missing_and_do_not_count(name):
    function = getattr(inference, name)
    p = np.array([np.nan, 0.01, 0.04, np.nan, 0.03])
    corrected = function(p)
    np.testing.assert_array_equal(np.isnan(corrected), np.isnan(p))
    np.testing.assert_allclose(corrected[[1, 2, 4]], function([0.01, 0.04, 0.03]))
    assert np.isnan(function([np.nan, np.nan])).all()
    assert function([]).shape == (0,)


@given(arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1)))
def test_corrections_keep_order_and_never_shrink(p):
    order = np.argsort(p, kind="stable")
    for name in STATSMODELS_NAMES:
        corrected = getattr(inference, name)(p)
        assert (corrected >= p - 1e-15).all()
        assert (corrected <= 1).all()
        assert (np.diff(corrected[order]) >= -1e-15).all()
    assert (inference.hochberg(p) <= inference.holm(p) + 1e-15).all()
    assert (inference.holm(p) <= inference.bonferroni(p) + 1e-15).all()


def test_family_wise_error_and_false_discovery_rate_are_nominal_on_pure_noise():
    rng = np.random.default_rng(11)
    families = rng.uniform(size=(4000, 20))
    tolerance = 3 * np.sqrt(0.05 * 0.95 / 4000)
    for name in STATSMODELS_NAMES:
        function = getattr(inference, name)
        rate = np.mean([(function(p) <= 0.05).any() for p in families])
        assert rate <= 0.05 + tolerance, name
        if name != "benjamini_yekutieli":  # conservative under independence by the harmonic sum
            assert rate >= 0.05 - tolerance, name


def test_correct_goes_by_name():
    p = [0.01, 0.04, 0.03]
    np.testing.assert_array_equal(inference.correct(p, None), p)
    np.testing.assert_array_equal(inference.correct(p, "bh"), inference.benjamini_hochberg(p))
    with pytest.raises(DataError, match="Did you mean 'holm'"):
        inference.correct(p, "hom")


def test_p_values_outside_the_unit_interval_are_refused():
    with pytest.raises(DataError, match=r"1\.5"):
        inference.holm([0.1, 1.5])
