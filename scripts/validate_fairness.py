"""Simulate pooled values of cohorts and differences of groups at length, and write the page that the documentation publishes.

    python scripts/validate_fairness.py [--repeats 400] [--output docs/fairness_validation.md]

The populations live in tests/coverage, where a short version runs with the tests.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "coverage"))

from fairness_coverage import between_groups, losses, pooling, shares, standardised  # noqa: E402
from validate import markdown  # noqa: E402

COHORTS = (2, 3, 5, 10, 20, 50)
POPULATIONS = {
    "accuracy .8, no spread": (shares(0.8, 0.0), 40),
    "accuracy .8, spread .05": (shares(0.8, 0.05), 40),
    "accuracy .8, spread .1": (shares(0.8, 0.1), 40),
    "accuracy .97, spread .02": (shares(0.97, 0.02), 40),
    "absolute errors, spread 5 %": (losses(0.05), 40),
    "absolute errors, spread 20 %": (losses(0.2), 40),
}


def pooled(repeats: int) -> dict[str, pd.DataFrame]:
    """Coverage, error and width of pooled values by population and number of cohorts."""
    return {
        name: pd.DataFrame({k: pooling(population, k, rows, repeats * 20 // (10 + k)) for k in COHORTS}).T
        for name, (population, rows) in POPULATIONS.items()
    }


def groups(repeats: int) -> pd.DataFrame:
    """Coverage of extremes by number of groups, spread of the rates and rows of a group."""
    found = {}
    for k in (2, 5, 20):
        for spread in (0.0, 0.05, 0.2):
            truth = np.stack([0.6 + spread * np.linspace(0, 1, k), 0.3 + spread * np.linspace(1, 0, k)])
            for rows in (60, 300):
                found[f"{k} groups of {rows}, spread {spread}"] = between_groups(truth, rows, repeats)
    return pd.DataFrame(found).T


def mixes(repeats: int) -> pd.DataFrame:
    """Coverage of standardised values by rows, rows of the mix, and size of clusters."""
    designs = {"300 rows": (300, 0, 0), "1,000 rows": (1000, 0, 0), "300 rows, mix of 200": (300, 200, 0)}
    designs["1,000 rows in clusters of 5"] = (1000, 0, 5)
    return pd.DataFrame(
        {name: standardised(n, repeats, sampled, size) for name, (n, sampled, size) in designs.items()}
    ).T


def page(repeats: int) -> str:
    """The page of the documentation."""
    parts = [
        "---\norphan: true\n---\n\n# Pooled values\n",
        "Written by `make validate`. Cohorts of 20 to 80 rows whose true values come from a distribution with the spread "
        "named, through `ev.metrics(by=..., pooled=True)`: how often the pooled 95 % interval holds the true value of its "
        "cohort, and the mean squared error and mean width beside those of the raw values, by number of cohorts.\n",
    ]
    parts += [f"## {name[0].upper()}{name[1:]}\n\n{markdown(table)}\n" for name, table in pooled(repeats).items()]
    parts.append(
        "# The greatest difference between groups\n\nTrue and false positive rates evenly spread over the groups, through "
        "`ev.fairness`: coverage of the intervals of the greatest difference and the least ratio, mean width of the first, and "
        "bias of the greatest difference as it is and corrected.\n\n" + markdown(groups(repeats)) + "\n"
    )
    parts.append(
        "# Standardised values\n\nThree cohorts with shares of 6, 14 and 80 % in the reference and of 60, 30 and 10 % in the mix: "
        "coverage of `ev.standardise`, by metric.\n\n" + markdown(mixes(repeats)) + "\n"
    )
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "fairness_validation.md")
    arguments = parser.parse_args()
    arguments.output.write_text(page(arguments.repeats), encoding="utf-8")
    print(f"Written to {arguments.output}.")


if __name__ == "__main__":
    main()
