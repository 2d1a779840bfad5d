"""The gallery: every chart with the code that made it, drawn in light and dark when the documentation is built."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

import dfevals
from dfevals import plots

#: Ground of a page: light and dark, those of the theme.
GROUNDS = {"light": "#ffffff", "dark": "#14181e"}

INTRODUCTION = """
Every chart of the package, drawn by the code beside it when these pages were built, in light and in dark: switch the theme to see the other.
Charts follow matplotlib's style; `dark=True` asks for the dark form, and any `ax=` takes a chart with one panel.

One language for all: what is **overall is grey**, cohorts and models are coloured so that colour-blind readers can tell them apart, an **interval is
always drawn**, and a panel says how many rows it stands for. In heat maps **blue is better** where a metric has a direction. A panel that cannot be
drawn holds the reason. `dfevals.plots.alt_text(ax)` is the chart in words; notebooks keep it with the picture, and `dfevals.plots.save(ax, path)`
writes it into the file.
"""


@dataclass(frozen=True)
class Picture:
    """A chart: the name of its files, what it shows, and the code that draws it."""

    name: str
    title: str
    shows: str
    code: str


@dataclass(frozen=True)
class Family:
    """Charts that answer one question, on the same rows."""

    title: str
    guide: str
    setup: str
    pictures: tuple[Picture, ...]


FAMILIES = (
    Family(
        "Metrics per cohort",
        "cohorts",
        'df = dfevals.datasets.load("adult")\n'
        'ev = df.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K")',
        (
            Picture(
                "forest", "Forest", "One metric of one model, cohorts below each other, with n and interval.",
                'ev.metrics("recall", by="race", models="gbm").plot("forest")',
            ),
            Picture(
                "forest-models", "Forest of models and metrics", "Several models and metrics on the same cohorts.",
                'ev.metrics(["recall", "precision"], by=dfevals.bins("age", [30, 50])).plot("forest")',
            ),
            Picture(
                "heatmap", "Heat map", "A metric over two cohort columns; blue is better than overall.",
                'ev.metrics("brier", by=["sex", "race"], models="gbm").plot("heatmap")',
            ),
        ),
    ),
    Family(
        "Confusion and errors",
        "confusion",
        'df = dfevals.datasets.load("newsgroups")\n'
        'ev = df.evals(y_true="label", y_score="p_{label}")',
        (
            Picture(
                "confusion", "Confusion matrix", "Counts and shares of the true class, per cohort.",
                'adult = dfevals.datasets.load("adult")\n'
                'binary = adult.evals(y_true="income", y_score="p_gbm", pos_label=">50K")\n'
                'binary.confusion(by="sex").plot(normalize=True, pos_label=">50K")',
            ),
            Picture(
                "errors-matrix", "Many classes", "Shares of the true class, still legible with twenty.",
                'ev.errors().plot("matrix")',
            ),
            Picture(
                "errors-pairs", "Confused pairs", "Which class is taken for which, most frequent first.",
                'ev.errors().plot("pairs")',
            ),
            Picture(
                "errors-classes", "Recall per class", "What is found of every class, with the size of the class.",
                'ev.errors().plot("classes")',
            ),
        ),
    ),
    Family(
        "Calibration",
        "calibration",
        'df = dfevals.datasets.load("imdb")\n'
        'ev = df.evals(y_true="label", y_score="p_positive", pos_label=1)',
        (
            Picture(
                "calibration-corp", "CORP", "Isotonic curve with its consistency band; no bins to choose.",
                'ev.calibration(strategy="corp").plot()',
            ),
            Picture(
                "calibration-quantile", "Bins of equal mass", "Observed rates with Wilson intervals.",
                'ev.calibration(strategy="quantile").plot()',
            ),
            Picture(
                "calibration-uniform", "Bins of equal width", "The same with equal steps of the score.",
                'ev.calibration(strategy="uniform").plot()',
            ),
            Picture(
                "calibration-smooth", "Kernel", "A smooth curve with its confidence band.",
                'ev.calibration(strategy="smooth").plot()',
            ),
            Picture(
                "calibration-cohorts", "Cohorts", "One panel each, the whole in grey behind it.",
                'adult = dfevals.datasets.load("adult")\n'
                'people = adult.evals(y_true="income", y_score="p_logistic", pos_label=">50K")\n'
                'people.calibration(by="race").plot()',
            ),
            Picture(
                "recalibration", "Before and after", "What a cross-fitted map makes of the scores.",
                'ev.recalibrate("beta").plot()',
            ),
        ),
    ),
    Family(
        "Curves",
        "curves",
        'df = dfevals.datasets.load("bank")\n'
        'ev = df.evals(y_true="y", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label="yes")',
        (
            Picture(
                "roc", "ROC", "True against false positive rate; the dot is today's decision.", "ev.roc().plot()"
            ),
            Picture(
                "roc-cohorts", "ROC per cohort", "One model, overall in grey.",
                'ev.roc(by="contact").plot(model="gbm")',
            ),
            Picture(
                "pr", "Precision and recall", "With lines of equal F1 and the base rate.", "ev.pr().plot()"
            ),
            Picture(
                "det", "Detection error trade-off", "Both error rates on the scale of normal deviates.", "ev.det().plot()"
            ),
            Picture(
                "cap", "Cumulative accuracy", "Between the random and the perfect line.", "ev.cap().plot()"
            ),
        ),
    ),
    Family(
        "Gains, lift and money",
        "gains",
        'df = dfevals.datasets.load("bank")\n'
        'ev = df.evals(y_true="y", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label="yes")\n'
        "gains = ev.gains(value=100, cost=10, fixed_cost=2000)",
        (
            Picture("gain", "Cumulative gain", "Share of the positives held by the best-scored rows.", 'gains.plot("gain")'),
            Picture("lift", "Lift", "Rate of each bin over the overall rate.", 'gains.plot("lift")'),
            Picture("rate", "Rate of positives", "The same as a rate.", 'gains.plot("rate")'),
            Picture("ks", "Kolmogorov–Smirnov", "Where the two classes are farthest apart.", 'gains.plot("ks")'),
            Picture("profit", "Profit", "By depth, with the best depth and its interval.", 'gains.plot("profit")'),
            Picture("roi", "Return", "On what the contacts cost.", 'gains.plot("roi")'),
        ),
    ),
    Family(
        "Thresholds and decisions",
        "thresholds",
        'df = dfevals.datasets.load("credit")\n'
        'ev = df.evals(y_true="class", y_score={"logistic": "p_logistic"}, pos_label="bad")\n'
        'decision = ev.thresholds(by="housing", cost={"fp": 1, "fn": 5})',
        (
            Picture(
                "objective", "Cost by threshold", "Best threshold and its interval, per cohort.",
                'decision.plot("objective")',
            ),
            Picture(
                "best-threshold", "Best thresholds", "Is one threshold per cohort worth it?", 'decision.plot("best")'
            ),
            Picture(
                "threshold-metrics", "Metrics by threshold", "What is gained and lost as the threshold moves.",
                'ev.thresholds(cost={"fp": 1, "fn": 5}).plot("metrics")',
            ),
            Picture(
                "decision-curve", "Decision curve", "Net benefit against acting on all or none.",
                'ev.thresholds(cost={"fp": 1, "fn": 5}).plot("decision")',
            ),
        ),
    ),
    Family(
        "Regression",
        "regression",
        'df = dfevals.datasets.load("bike")\n'
        'ev = df.evals(y_true="cnt", y_pred="pred_ridge", y_lower="lower", y_upper="upper")\n'
        'residuals = ev.residuals(by="season")',
        (
            Picture("residual-overview", "Overview", "Four views of the errors at once.", 'ev.residuals().plot("overview")'),
            Picture(
                "residual", "Error by prediction", "Hexagons, darker where more rows are.", 'residuals.plot("residual")'
            ),
            Picture("actual", "Predicted and actual", "Distance from the diagonal.", 'residuals.plot("actual")'),
            Picture("qq", "Normal quantiles", "Are large errors more frequent than normal?", 'residuals.plot("qq")'),
            Picture(
                "distribution", "Errors per cohort", "Middle half, nine tenths, mean and median.",
                'residuals.plot("distribution")',
            ),
            Picture("decile", "Error by size of the target", "Mean error by decile.", 'residuals.plot("decile")'),
            Picture(
                "bias-map", "Bias map", "Mean error over two cohort columns; white is none.",
                'ev.residuals(by=["season", "weathersit"]).plot("map")',
            ),
            Picture(
                "coverage", "Coverage of intervals", "Do predicted intervals hold in every cohort?",
                'residuals.plot("interval")',
            ),
            Picture("worst", "Worst cohorts", "Mean absolute error, greatest first.", 'residuals.plot("worst")'),
        ),
    ),
    Family(
        "Comparing models",
        "comparing",
        'df = dfevals.datasets.load("bank")\n'
        'scores = {"gbm": "p_gbm", "logistic": "p_logistic", "forest": "p_forest"}\n'
        'ev = df.evals(y_true="y", y_score=scores, pos_label="yes", fold="fold")',
        (
            Picture(
                "compare", "Differences", "Coloured by verdict after correction.",
                'ev.compare("gbm", "logistic", by="contact", metrics="roc_auc", unit="rows").plot("forest")',
            ),
            Picture(
                "discordant", "Fixed and broken", "Rows that only one of the two models gets right.",
                'ev.compare("gbm", "logistic", by="contact", unit="rows").plot("discordant")',
            ),
            Picture(
                "ranks", "Mean ranks", "Critical difference; bars join models that do not differ.",
                'ev.compare(metrics="roc_auc").plot("ranks")',
            ),
            Picture(
                "compare-folds", "Fold by fold", "Differences within folds, not between them.",
                'ev.compare("gbm", "forest", metrics="roc_auc").plot("folds")',
            ),
            Picture(
                "posterior", "Posterior", "How probable is a difference that matters?",
                'ev.compare("gbm", "forest", metrics="roc_auc").plot("posterior")',
            ),
            Picture(
                "route", "Routing", "Which model for which cohort, against a default.",
                'ev.route(by="contact", default="logistic").plot()',
            ),
            Picture(
                "power", "Planning", "The smallest difference that each cohort's rows find.",
                'ev.power("gbm", "logistic", by="contact", metrics="accuracy").plot()',
            ),
        ),
    ),
    Family(
        "Monitoring",
        "monitoring",
        'df = dfevals.datasets.load("bike")\n'
        'ev = df.evals(y_true="cnt", y_pred={"gbm": "pred_gbm", "ridge": "pred_ridge"}, time="time")',
        (
            Picture(
                "monitor", "Run chart", "A metric by period, with limits, and where it changed.",
                'ev.monitor("mae", "month").plot()',
            ),
        ),
    ),
    Family(
        "Drift",
        "drift",
        'df = dfevals.datasets.load("bike")\nbefore, now = df[df["mnth"] <= 6], df[df["mnth"] > 6]\n'
        'ev = now.evals(y_true="cnt", y_pred={"gbm": "pred_gbm", "ridge": "pred_ridge"})\n'
        'columns = ["season", "temp", "hum", "windspeed", "weathersit", "hr", "weekday", "cnt", "pred_gbm"]',
        (
            Picture(
                "drift", "Columns", "How far every column has moved, and the least that matters.",
                'ev.drift(before, columns).plot("columns")',
            ),
            Picture(
                "drift-bins", "One column", "Its distribution in the reference and now.",
                'ev.drift(before, columns).plot("bins", column="temp")',
            ),
        ),
    ),
    Family(
        "Fairness",
        "fairness",
        'df = dfevals.datasets.load("adult")\n'
        'ev = df.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K")',
        (
            Picture(
                "fairness", "Differences", "Greatest difference between groups by criterion, with intervals that allow for the choice.",
                'ev.fairness("race").plot("differences")',
            ),
            Picture(
                "fairness-ratios", "Ratios", "Least over greatest value, and the mark of four fifths.",
                'ev.fairness("race").plot("ratios")',
            ),
            Picture(
                "fairness-groups", "Groups", "One criterion in every group, raw and pooled.",
                'ev.fairness(["sex", "race"], models="gbm").plot("groups", criterion="equal_opportunity")',
            ),
            Picture(
                "equalise", "Trade-off", "What it costs to bring groups together by a threshold for each.",
                'ev.equalise("sex", cost={"fp": 1, "fn": 2}).plot()',
            ),
            Picture(
                "flip", "Flips", "Rows whose decision changes with the sex alone.",
                'ev.flip("sex", lambda df: df["p_gbm"] + 0.05 * (df["sex"] == "Male"), by="race").plot("changed")',
            ),
            Picture(
                "flip-score", "Flipped scores", "How far the score moves with the sex alone.",
                'ev.flip("sex", lambda df: df["p_gbm"] + 0.05 * (df["sex"] == "Male")).plot("score")',
            ),
        ),
    ),
    Family(
        "Other rows",
        "populations",
        'df = dfevals.datasets.load("adult")\n'
        'ev = df.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K")\n'
        'young, old = ev.where("age < 40"), ev.where("age >= 40")',
        (
            Picture(
                "attribution", "Waterfall", "A change by the mix of cohorts, and what happened within each.",
                'young.attribute_change(old, "accuracy", by="education", models="gbm").plot(limit=6)',
            ),
            Picture(
                "corrected", "A judge, corrected", "What a judge says of all rows, people of a few, and both together.",
                'df.assign(judge=df["p_gbm"] > 0.5, human=(df["income"] == ">50K").where(df.index % 20 == 0)).evals('
                'outcomes=["judge", "human"]).corrected("judge", "human", by="race").plot()',
            ),
            Picture(
                "standardised", "Another mix", "Values as they are, and for the mix of other rows.",
                'young.standardise(old, by="education", metrics="accuracy").plot()',
            ),
        ),
    ),
    Family(
        "Slices",
        "slices",
        'df = dfevals.datasets.load("bank")\n'
        'ev = df.evals(y_true="y", y_score={"gbm": "p_gbm", "forest": "p_forest", "logistic": "p_logistic"}, pos_label="yes", fold="fold")\n'
        'slices = ev.slices(max_depth=2)',
        (
            Picture(
                "slices", "Slices", "Where the error is greater than elsewhere, allowing for all slices that were searched.",
                "slices.plot(limit=12)",
            ),
            Picture(
                "slices-map", "Error map", "The fewest slices that cover the most errors.",
                "slices.map(6).plot()",
            ),
            Picture(
                "slices-tree", "Error tree", "Divided by one half of the rows, measured on the other.",
                "slices.tree().plot()",
            ),
        ),
    ),
    Family(
        "Folds",
        "folds",
        'df = dfevals.datasets.load("adult")\n'
        'ev = df.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K", fold="fold")',
        (
            Picture(
                "folds", "Metric over folds", "One line per model, the mean with its corrected interval at the right.",
                'ev.folds(metrics="roc_auc").plot()',
            ),
        ),
    ),
    Family(
        "Release gates",
        "gates",
        'df = dfevals.datasets.load("credit")\n'
        'ev = df.evals(y_true="class", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label="bad")\n'
        'rules = [dfevals.Gate("roc_auc", ">=", 0.7), dfevals.Gate("accuracy", vs="baseline", margin=0.05)]',
        (
            Picture(
                "gate", "Gate", "Each rule and cohort against its limit, coloured by the answer.",
                'ev.gate(rules, baseline="logistic", by="housing").plot()',
            ),
        ),
    ),
)  # fmt: skip


def write_gallery(folder: Path, page: Path) -> None:
    """Draw every picture into `folder`, write its snippet for the guides, and the page that shows them all.

    Parameters
    ----------
    folder : Path
        `_generated/gallery` inside the sources of the documentation.
    page : Path
        Beside it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = ["# Gallery", INTRODUCTION]
    for family in FAMILIES:
        parts += [f"## {family.title}", "", f"Guide: [](../guides/{family.guide}.md).", "", _code(family.setup), ""]
        parts += ["::::{container} gallery", ""]
        names = prepare(family)
        for picture in family.pictures:
            alt = _draw(names, picture, folder)
            snippet = _images(picture.name, alt)
            (folder / f"{picture.name}.md").write_text(snippet, encoding="utf-8")
            parts += [":::{container} picture", f"**{picture.title}**", "", picture.shows, "", snippet]
            parts += [_code(picture.code), "", ":::", ""]
        parts += ["::::", ""]
    page.write_text("\n".join(parts), encoding="utf-8")


def prepare(family: Family) -> dict[str, Any]:
    """The names that the code of a family's pictures uses."""
    names: dict[str, Any] = {"dfevals": dfevals}
    exec(family.setup, names)  # noqa: S102 - our own code, as the page shows it
    return names


def run(names: dict[str, Any], picture: Picture) -> Any:
    """What the code of a picture returns; the code is ours and is what the page shows."""
    *lines, last = picture.code.split("\n")
    names = dict(names)
    exec("\n".join(lines), names)  # noqa: S102 - as above
    return eval(last, names)  # noqa: S307 - as above


def _draw(names: dict[str, Any], picture: Picture, folder: Path) -> str:
    import matplotlib.pyplot as plt

    mpl.use("Agg")
    for theme, ground in GROUNDS.items():
        with mpl.rc_context({"figure.facecolor": ground}):
            drawn = run(names, picture)
        figure = np.ravel(drawn)[0].figure
        plots.save(figure, folder / f"{picture.name}-{theme}.png", dpi=110)
        alt = plots.alt_text(figure)
        plt.close(figure)
    return alt


def _images(name: str, alt: str) -> str:
    lines = []
    for theme in GROUNDS:
        lines += [f"```{{image}} /_generated/gallery/{name}-{theme}.png", f":class: only-{theme}"]
        lines += [f":alt: {json.dumps(alt, ensure_ascii=False)}", "```", ""]
    return "\n".join(lines)


def _code(code: str) -> str:
    return f"```python\n{code}\n```"
