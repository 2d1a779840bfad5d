"""Simulate the coverage of every default interval at length, and write the table that the documentation publishes.

    python scripts/validate.py [--samples 2000] [--output docs/intervals_validation.md]

The populations and the measuring live in tests/coverage, where a short version runs with the tests.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "coverage"))

import interval_designs as populations  # noqa: E402
from interval_coverage import measure, summary  # noqa: E402
from interval_designs import Design, clustered, errors, fitted, multiclass, outcomes, scored  # noqa: E402

import dfevals  # noqa: E402

SIZES = (30, 100, 1000)
RATES = (0.1, 0.2, 0.3, 0.5, 0.7)
SOME = (
    *("accuracy", "precision", "recall", "f1", "balanced_accuracy", "mcc", "cohen_kappa"),
    *("roc_auc", "average_precision", "ks", "log_loss", "brier", "brier_skill"),
)


def groups() -> dict[str, list[Design]]:
    """The populations, by the heading under which their coverage is published."""
    regression = (
        *populations.REGRESSION,
        "interval_coverage",
        "interval_width",
        dfevals.metrics.pinball(alpha=0.9),
    )
    levels = (0.2, 0.5, 0.9)
    return {
        "Binary": [scored(p, d) for p in RATES for d in (0.8, 1.5, 2.5)],
        "Three classes": [
            multiclass(shares, right)
            for shares in ((1 / 3, 1 / 3, 1 / 3), (0.5, 0.3, 0.2), (0.6, 0.3, 0.1))
            for right in (0.6, 0.8, 0.9)
        ],
        "Regression, normal errors": [errors("normal", r, regression) for r in levels] + [fitted(r) for r in levels],
        "Regression, t errors with 5 degrees of freedom (heavy tails)": [
            errors("t5", r, populations.REGRESSION) for r in levels
        ],
        "Positive amounts, gamma errors (very heavy tails)": [errors("gamma", r, populations.POSITIVE) for r in levels],
        "Outcomes, normal and uniform": [outcomes("normal"), outcomes("uniform")],
        "Outcomes, exponential": [outcomes("exponential")],
        "Outcomes, lognormal (heavy tail)": [outcomes("lognormal")],
        "Importance weights, lognormal with σ = 0.5": [
            scored(p, d, metrics=SOME, weights=0.5) for p in (0.3, 0.5) for d in (0.8, 1.5)
        ],
        "Importance weights, lognormal with σ = 1 (effective n is .37 n)": [
            scored(p, d, metrics=SOME, weights=1.0) for p in (0.3, 0.5) for d in (0.8, 1.5)
        ],
    }


def clusters() -> list[tuple[Design, int]]:
    """Clustered populations and their number of rows: G clusters of 5 or 10."""
    return [
        (clustered(p, icc, size, SOME), count * size)
        for count in (20, 30, 50)
        for size in (5, 10)
        for icc in (0.1, 0.3)
        for p in (0.3, 0.5)
    ]


def simulate(samples: int) -> dict[str, pd.DataFrame]:
    """Cells of every group: one row per population, metric and n."""
    found = {}
    for title, designs in groups().items():
        start = time.process_time()
        parts = []
        for design in designs:
            truth = design.truths()
            parts += [measure(design, n, samples if n < 1000 else samples // 2, 1, truth) for n in SIZES]
        found[title] = pd.concat(parts, ignore_index=True)
        print(f"{title}: {time.process_time() - start:.0f} s", flush=True)
    parts = [measure(d, n, samples // 2, 2).assign(n=n // d.cluster_size) for d, n in clusters()]
    found["Clusters of 5 and 10 dependent rows, ICC .1 and .3 (n counts clusters)"] = pd.concat(
        parts, ignore_index=True
    )
    return found


def noise(repeats: int = 400, cohorts: int = 20, n: int = 60) -> pd.DataFrame:
    """Coverage of differences to the complement, and how often pure noise flags any of 20 equal cohorts."""
    rng, covered, flagged = np.random.default_rng(4), [], []
    for design in (scored(0.4, 1.5), scored(0.2, 1.5)):
        for _ in range(repeats // 2):
            frame = design.sample(rng, n, cohorts)
            result = frame.evals(**design.roles).metrics(list(SOME), by="sample", relative_to="complement")
            table = result.frame.assign(flag=result.flags)
            table = table[~table["is_overall"]]
            inside = (table["difference_low"] <= 0) & (table["difference_high"] >= 0)
            covered.append(inside.groupby(table["metric"], sort=False).mean())
            flagged.append(table["flag"].isin(["higher", "lower"]).groupby(table["metric"], sort=False).any())
    columns = {
        "coverage of the difference": pd.concat(covered, axis=1).mean(axis=1),
        "any false flag": pd.concat(flagged, axis=1).mean(axis=1),
    }
    return pd.DataFrame(columns)


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table, figures with three decimals."""
    head = ["metric", *map(str, table.columns)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, row in table.iterrows():
        cells = [f"{v:.0f}" if c == "cells" else "" if pd.isna(v) else f"{v:.3f}" for c, v in row.items()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def page(cells: dict[str, pd.DataFrame], flags: pd.DataFrame, samples: int) -> str:
    """The page of the documentation."""
    parts = [
        "---\norphan: true\n---\n\n# Coverage of the default intervals\n",
        "Written by `make validate`. Nominal level 95 %. Each cell is one population and n, simulated "
        f"{samples:,} times ({samples // 2:,} for n = 1,000 and clusters) through `df.evals(...).metrics(by=...)`; the "
        "truth is known from the population. *mean* and *min* are over the cells with at least five expected events on "
        "each side (binary: base rates .1 to .7, d′ .8 to 2.5), *width* is the median width (its mean over the cells) and *flagged* the share of "
        'samples whose note says "too few". The simulation error of one cell is about .005 (.007 at n = 1,000).\n',
    ]
    for title, part in cells.items():
        parts.append(f"## {title}\n\n{markdown(summary(part).rename(columns={'count': 'cells'}))}\n")
    sparse = pd.concat(part for title, part in cells.items() if "Import" not in title and "Clusters" not in title)
    sparse = sparse[sparse["expected"] < 5]
    parts.append(
        "## Too few events\n\n"
        f"{len(sparse)} cells expect fewer than five events on a side; {(sparse['flagged'] > 0.5).mean():.0%} of them say "
        f'"too few" in most samples. Coverage there: mean {sparse["coverage"].mean():.3f}, '
        f"min {sparse['coverage'].min():.3f}.\n"
    )
    parts.append(
        "## Differences to the rest, and false flags\n\n20 equal cohorts of 60 rows: how often the interval of the "
        "difference to the complement holds 0, and how often any cohort is marked as different (Holm, at most .05).\n\n"
        f"{markdown(flags)}\n"
    )
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "intervals_validation.md")
    arguments = parser.parse_args()
    cells = simulate(arguments.samples)
    text = page(cells, noise(), arguments.samples)
    print(text)
    arguments.output.write_text(text, encoding="utf-8")
    print(f"Written to {arguments.output}.")


if __name__ == "__main__":
    main()
