"""Size of every test and coverage of every interval: enumerated where possible, else simulated (seeded, short).

Sizes are at alpha = .05. A simulated share of `R` may differ from its expectation by 3.5 Monte-Carlo standard errors.
"""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from dfevals import inference

R = 4000
SIZES = [30, 100]


def rate(hits):
    hits = np.asarray(hits)
    assert hits.size >= 2000
    return hits.mean()


def slack(size=R, share=0.05):
    return 3.5 * np.sqrt(share * (1 - share) / size)


def assert_nominal(p_values, low=0.0):
    """Size at most nominal within Monte-Carlo error, and at least nominal − low."""
    p_values = np.asarray(p_values)
    size = rate(p_values <= 0.05)
    assert 0.05 - low - slack(p_values.size) <= size <= 0.05 + slack(p_values.size), size


def assert_covers(low, high, truth, least=0.95):
    low, high = np.asarray(low), np.asarray(high)
    coverage = rate((low <= truth) & (truth <= high))
    assert coverage >= least - slack(low.size), coverage


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def mcnemar_size(method, n, discordance):
    """Exact size of McNemar's test: sum over the numbers of discordant pairs and all their splits."""
    likely = np.arange(n + 1)[binom.pmf(np.arange(n + 1), n, discordance) > 1e-12]
    m, b = np.meshgrid(likely, np.arange(likely.max() + 1), indexing="ij")
    reject = inference.mcnemar(np.minimum(b, m), np.maximum(m - b, 0), method).p_value <= 0.05
    return (binom.pmf(m, n, discordance) * binom.pmf(b, m, 0.5) * reject).sum()


@pytest.mark.parametrize("n", [*SIZES, 1000])
def test_mcnemar_mid_p_and_exact_never_exceed_their_size(n):
    for discordance in (0.02, 0.1, 0.3, 0.6):
        mid_p, exact = (mcnemar_size(method, n, discordance) for method in ("mid-p", "exact"))
        assert exact <= mid_p <= 0.05
        if n * discordance >= 30:
            assert mid_p >= 0.043
            assert mcnemar_size("chi2", n, discordance) <= 0.055


@pytest.mark.parametrize(("n", "least"), [(60, 0.936), (200, 0.946)])
def test_tangos_interval_covers_and_its_test_holds_its_size_by_enumeration(n, least):
    b, c = (x.ravel() for x in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
    b, c = b[b + c <= n], c[b + c <= n]
    test = inference.paired_proportions(b, c, n)
    coverage, size = [], []
    for first in np.arange(0.01, 0.5, 0.06):
        for second in np.arange(0.01, min(0.5, 1 - first), 0.06):
            weight = binom.pmf(b, n, first) * binom.pmf(c, n - b, second / (1 - first))
            gap = first - second
            coverage.append(weight[(test.ci_low <= gap) & (gap <= test.ci_high)].sum())
            if first == second:
                size.append(weight[test.p_value <= 0.05].sum())
    assert min(coverage) >= least
    assert np.mean(coverage) == pytest.approx(0.95, abs=0.001)
    assert max(size) <= 0.054
    assert np.mean(size) >= 0.043


@pytest.mark.parametrize("n", SIZES)
def test_two_proportions_hold_their_size(n):
    k1, k2 = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    methods = ("score", "exact", "exact-mid-p")
    reject = {method: inference.two_proportions(k1, n, k2, n, method).p_value <= 0.05 for method in methods}
    for share in (0.05, 0.1, 0.3, 0.5):
        weight = binom.pmf(k1, n, share) * binom.pmf(k2, n, share)
        size = {method: (weight * hits).sum() for method, hits in reject.items()}
        assert size["exact"] <= 0.05
        assert size["exact-mid-p"] <= 0.057  # discrete: .056 at n = 100 and a share of one half, as the score test
        assert size["score"] <= 0.057


def test_newcombe_and_paired_differences_cover(rng):
    for n in (*SIZES, 1000):
        for p1, p2 in ((0.5, 0.5), (0.9, 0.8), (0.95, 0.95)):
            record = inference.newcombe_difference(rng.binomial(n, p1, R), n, rng.binomial(n, p2, R), n)
            assert_covers(record.ci_low, record.ci_high, p1 - p2, least=0.94)
        for discordance, gap in ((0.1, 0.0), (0.3, 0.1), (0.02, 0.02), (0.5, 0.3)):
            b, c, _ = rng.multinomial(n, [(discordance + gap) / 2, (discordance - gap) / 2, 1 - discordance], R).T
            record = inference.paired_difference(b, c, n)
            assert_covers(record.ci_low, record.ci_high, gap)


@pytest.mark.parametrize("n", SIZES)
def test_cochrans_q_and_mantel_haenszel_hold_their_size(rng, n):
    x = (0.5 * rng.random((R, n, 1)) + 0.5 * rng.random((R, n, 3)) < 0.5).astype(float)
    assert_nominal(inference.cochrans_q(x).p_value, low=0.01)
    right = rng.binomial(n // 3, [0.4, 0.6, 0.8], size=(2, 2000, 3)).transpose(1, 2, 0)
    tables = np.stack([right, n // 3 - right], axis=-1)
    assert_nominal([inference.mantel_haenszel(table).p_value for table in tables], low=0.01)


@pytest.mark.parametrize("n", SIZES)
def test_delong_holds_its_size(rng, n):
    y = np.arange(n) < n // 2
    shared = rng.normal(size=(R, n)) + 1.2 * y
    a, b = (shared + rng.normal(size=(R, n)) for _ in range(2))
    groups = np.repeat(np.arange(R), n)
    paired = inference.delong_by_group(groups, np.tile(y, R), a.ravel(), b.ravel())
    assert_nominal(paired.p_value, low=0.01)
    pairs = zip(a[:2000], a[2000:], strict=True)
    assert_nominal([inference.delong_unpaired(y, first, y, second).p_value for first, second in pairs], low=0.01)


@pytest.mark.parametrize(
    ("n", "prevalence", "auc"), [(30, 0.5, 0.95), (30, 0.2, 0.7), (100, 0.1, 0.95), (100, 0.5, 0.7)]
)
def test_auc_intervals_cover(rng, n, prevalence, auc):
    y = np.arange(n) < round(n * prevalence)
    scores = rng.normal(size=(2000, n)) + np.sqrt(2) * ndtri(auc) * y
    records = [inference.roc_auc_interval(y, score) for score in scores]
    assert_covers([r.ci_low for r in records], [r.ci_high for r in records], auc, least=0.93)


@pytest.mark.parametrize("n", SIZES)
def test_tests_of_means_hold_their_size(rng, n):
    normal, zero = rng.normal(size=(R, n)), np.zeros((R, n))
    heavy = rng.exponential(size=(R, n)) - rng.exponential(size=(R, n))
    assert_nominal(inference.paired_ttest(normal, zero).p_value)
    assert_nominal(inference.paired_ttest(heavy, zero).p_value, low=0.005)
    assert_nominal(inference.welch_ttest(normal, 3 * rng.normal(size=(R, 2 * n))).p_value)
    assert_nominal(inference.tost(normal + 0.8, zero, 0.8).p_value)
    record = inference.paired_ttest(normal, zero)
    assert_covers(record.ci_low, record.ci_high, 0)


@pytest.mark.parametrize("n", SIZES)
def test_rank_and_permutation_tests_hold_their_size(rng, n):
    rows = rng.standard_t(3, size=(2000, n))
    flips = [inference.sign_flip_permutation(row, 0 * row, 499, seed) for seed, row in enumerate(rows)]
    assert_nominal([flip.p_value for flip in flips], low=0.002)
    assert_covers([flip.ci_low for flip in flips], [flip.ci_high for flip in flips], 0, least=0.945)
    ranks = [inference.wilcoxon(row, 0 * row) for row in rows]
    assert_nominal([rank.p_value for rank in ranks], low=0.005)
    assert_covers([rank.ci_low for rank in ranks], [rank.ci_high for rank in ranks], 0)


@pytest.mark.parametrize("n", SIZES)
def test_tests_of_many_models_hold_their_size(rng, n):
    test = inference.friedman(rng.normal(size=(R, n, 4)))
    assert_nominal(test.p_value, low=0.005)
    assert_nominal(test.f_p_value)
    assert_nominal([inference.anova_repeated(x).p_value for x in rng.normal(size=(2000, n, 4))])
    # Nemenyi: the chance of any pair beyond the critical difference
    critical = inference.nemenyi(rng.normal(size=(n, 4))).critical_difference
    family = test.estimate > critical
    assert 0.03 <= rate(family) <= 0.05 + slack()


@pytest.mark.parametrize("folds", [5, 10])
def test_fold_tests_hold_their_size_where_the_plain_t_does_not(rng, folds):
    # Nadeau and Bengio's model: folds correlated by the share of test rows
    share = 1 / folds
    d = np.sqrt(share) * rng.normal(size=(R, 1)) + np.sqrt(1 - share) * rng.normal(size=(R, folds))
    corrected = inference.corrected_resampled_ttest(d, 100 * (1 - share), 100 * share)
    assert_nominal(corrected.p_value)
    assert_covers(corrected.ci_low, corrected.ci_high, 0)
    assert rate(inference.paired_ttest(d, 0 * d).p_value <= 0.05) > 0.1
    posterior = inference.bayesian_correlated_ttest(d, 100 * (1 - share), 100 * share, rope=0)
    np.testing.assert_allclose(2 * np.minimum(posterior.p_a, posterior.p_b), corrected.p_value, atol=1e-12)


def test_five_by_two_tests_are_conservative(rng):
    d = rng.normal(size=(R, 5, 2))
    for test in (inference.five_by_two_cv_ttest(d), inference.five_by_two_cv_ftest(d)):
        assert 0.01 <= rate(test.p_value <= 0.05) <= 0.05 + slack()


@pytest.mark.parametrize("n", SIZES)
def test_agreement_holds_its_size_and_covers(rng, n):
    copy = np.array([0.0, 0.9])  # rater b copies a with this chance, else guesses: it is kappa
    a = rng.integers(0, 3, (2, 2000, n))
    b = np.where(rng.random(a.shape) < copy[:, None, None], a, rng.integers(0, 3, a.shape))
    for kappa, first, second in zip(copy, a, b, strict=True):
        tests = [inference.cohen_kappa(x, y, labels=[0, 1, 2]) for x, y in zip(first, second, strict=True)]
        assert_covers([t.ci_low for t in tests], [t.ci_high for t in tests], kappa, least=0.94)
        if kappa == 0:
            assert_nominal([t.p_value for t in tests], low=0.01)


@pytest.mark.parametrize("n", SIZES)
def test_agreement_of_many_raters_holds_its_size_and_covers(rng, n):
    for copy, least in ((0.0, 0.92), (0.7, 0.94), (0.95, 0.93)):
        truth = rng.integers(0, 3, (2000, n, 1))
        ratings = np.where(rng.random((2000, n, 4)) < copy, truth, rng.integers(0, 3, (2000, n, 4)))
        counts = (ratings[..., None] == np.arange(3)).sum(axis=2)
        tests = [inference.fleiss_kappa(table) for table in counts]
        assert_covers([t.ci_low for t in tests], [t.ci_high for t in tests], copy**2, least=least)
        if copy == 0:
            assert_nominal([t.p_value for t in tests], low=0.01)
        else:
            alphas = [inference.krippendorff_alpha(table.T) for table in ratings]
            assert_covers([t.ci_low for t in alphas], [t.ci_high for t in alphas], copy**2, least=least)


@pytest.mark.parametrize("n", [*SIZES, 1000])
def test_proportion_intervals_cover(n):
    k = np.arange(n + 1)
    for name, least in (("wilson", 0.92), ("clopper_pearson", 0.95), ("agresti_coull", 0.93)):
        record = getattr(inference, name)(k, n)
        for share in (0.05, 0.2, 0.5, 0.9):
            covered = binom.pmf(k, n, share)[(record.ci_low <= share) & (share <= record.ci_high)].sum()
            assert covered >= least, (name, share)


def test_newcombe_auc_covers_for_normal_scores(rng):
    auc, m, n = 0.8, 15, 25
    pos, neg = rng.normal(np.sqrt(2) * ndtri(auc), 1, (R, m, 1)), rng.normal(0, 1, (R, 1, n))
    record = inference.newcombe_auc((pos > neg).mean(axis=(1, 2)), m, n)
    assert_covers(record.ci_low, record.ci_high, ndtr(ndtri(auc)), least=0.945)
