"""Simulate at length how often slices are found in noise, and how often a planted one is, for the documentation.

    python scripts/validate_slices.py [--runs 200] [--output docs/slices_validation.md]

The populations live in tests/coverage, where a short version runs with the tests.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "coverage"))

from slice_noise import NOISE, false_slices, overlap, planted  # noqa: E402
from validate import markdown  # noqa: E402

WAYS: dict[str, dict[str, Any]] = {
    "max-t": {"n_resamples": 199},
    "confirm": {"inference": "confirm"},
    "bh": {"inference": "bh"},
}


def noise(runs: int, n: int) -> pd.DataFrame:
    """Share of frames of noise in which a slice is found."""
    rows = {}
    for name, make in NOISE.items():
        rows[name] = {way: false_slices(make, n, runs, **options) / runs for way, options in WAYS.items()}
        print(name, rows[name], flush=True)
    return pd.DataFrame(rows).T


def plants(runs: int) -> pd.DataFrame:
    """How often the planted slice is found: first of all, and among those that are sure, and how many others are sure."""
    rows = {}
    for depth in (2, 3):
        first, among, others = [], [], []
        for seed in range(runs):
            frame, true = planted(seed)
            found = frame.evals(y_true="y", y_pred="p").slices(max_depth=depth, n_resamples=199).frame
            sure = found.loc[found["p_corrected"] <= 0.05, "slice"].tolist()
            first.append(overlap(sure[:1], frame, true) >= 0.9)
            among.append(overlap(sure, frame, true) >= 0.9)
            others.append(max(len(sure) - 1, 0))
        rows[f"max_depth={depth}"] = {
            "first": np.mean(first),
            "among the sure": np.mean(among),
            "other sure": np.mean(others),
        }
        print(depth, rows, flush=True)
    return pd.DataFrame(rows).T


def page(runs: int, n: int, planted_runs: int) -> str:
    """The page of the documentation."""
    error = np.sqrt(0.05 * 0.95 / runs)
    return "\n".join(
        [
            "---\norphan: true\n---\n\n# Slices of noise, and planted ones\n",
            f"Written by `make validate`: {runs:,} frames of {n:,} rows and ten columns (numbers, and categories of two to six values), conjunctions of up to three conditions, on both sides of the rest, in which nothing is to be found. "
            f"The figures are the shares of frames in which some slice has p_corrected ≤ .05; the simulation error is about {error:.3f}.\n",
            markdown(noise(runs, n)),
            f"\n{planted_runs:,} frames of 50,000 rows with ten columns of two to ten values, in which two conditions that hold in 2 % of the rows raise the error rate from .20 to .30. A slice is the planted one if it shares nine "
            "tenths of the rows of both.\n",
            markdown(plants(planted_runs)),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--planted", type=int, default=100)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "slices_validation.md")
    arguments = parser.parse_args()
    arguments.output.write_text(page(arguments.runs, arguments.rows, arguments.planted), encoding="utf-8")


if __name__ == "__main__":
    main()
