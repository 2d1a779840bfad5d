"""Intervals, tests and corrections: arrays or counts in, small frozen records out.

Nothing here knows frames, cohorts or models. SciPy is imported inside the functions that need it.
"""

from dfevals.inference.agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha
from dfevals.inference.auc import (
    AUCTest,
    delong,
    delong_by_group,
    delong_unpaired,
    delong_unpaired_from_variances,
    newcombe_auc,
    roc_auc_interval,
)
from dfevals.inference.blocks import FriedmanTest, NemenyiTest, RepeatedAnova, anova_repeated, friedman, nemenyi
from dfevals.inference.discordant import cochrans_q, mcnemar, paired_difference, paired_proportions
from dfevals.inference.effects import cliffs_delta, cohens_h, cohens_h_interval, discordant_odds_ratio
from dfevals.inference.folds import (
    BayesianTest,
    bayesian_correlated_ttest,
    calibrated_resampled_ttest,
    corrected_resampled_ttest,
    five_by_two_cv_ftest,
    five_by_two_cv_ttest,
)
from dfevals.inference.multiple import (
    benjamini_hochberg,
    benjamini_yekutieli,
    bonferroni,
    correct,
    hochberg,
    holm,
)
from dfevals.inference.paired import (
    paired_ttest,
    paired_ttest_from_moments,
    tost,
    welch_ttest,
    welch_ttest_from_moments,
)
from dfevals.inference.planning import PowerRecord, design_effect, power
from dfevals.inference.proportions import agresti_coull, clopper_pearson, newcombe_difference, wilson
from dfevals.inference.ranks import sign_flip_permutation, wilcoxon
from dfevals.inference.records import Estimate, HypothesisTest
from dfevals.inference.tables import mantel_haenszel, two_proportions
from dfevals.inference.traffic import sample_ratio_mismatch

__all__ = [
    "AUCTest",
    "BayesianTest",
    "Estimate",
    "FriedmanTest",
    "HypothesisTest",
    "NemenyiTest",
    "PowerRecord",
    "RepeatedAnova",
    "agresti_coull",
    "anova_repeated",
    "bayesian_correlated_ttest",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "bonferroni",
    "calibrated_resampled_ttest",
    "cliffs_delta",
    "clopper_pearson",
    "cochrans_q",
    "cohen_kappa",
    "cohens_h",
    "cohens_h_interval",
    "correct",
    "corrected_resampled_ttest",
    "delong",
    "delong_by_group",
    "delong_unpaired",
    "delong_unpaired_from_variances",
    "design_effect",
    "discordant_odds_ratio",
    "five_by_two_cv_ftest",
    "five_by_two_cv_ttest",
    "fleiss_kappa",
    "friedman",
    "hochberg",
    "holm",
    "krippendorff_alpha",
    "mantel_haenszel",
    "mcnemar",
    "nemenyi",
    "newcombe_auc",
    "newcombe_difference",
    "paired_difference",
    "paired_proportions",
    "paired_ttest",
    "paired_ttest_from_moments",
    "power",
    "roc_auc_interval",
    "sample_ratio_mismatch",
    "sign_flip_permutation",
    "tost",
    "two_proportions",
    "welch_ttest",
    "welch_ttest_from_moments",
    "wilcoxon",
    "wilson",
]
