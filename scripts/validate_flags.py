"""Simulate how often cohorts of pure noise are flagged, at length, and write the table that the documentation publishes.

    python scripts/validate_flags.py [--frames 400] [--output docs/flags_validation.md]

The populations and the measuring live in tests/coverage, where a short version runs with the tests.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "coverage"))

from flag_noise import LOSSES, Noise, flagged, losses, risks  # noqa: E402
from validate import markdown  # noqa: E402

SHAPES = ((5, 30), (5, 100), (5, 400), (20, 30), (20, 60), (20, 200), (50, 30), (50, 100), (50, 400))
"""Number of cohorts and rows of each."""
PREVALENCES = (0.01, 0.03, 0.1, 0.3, 0.5)


def table(noise: Noise, frames: int) -> pd.DataFrame:
    """Share of frames with a false flag, by shape and metric."""
    rows = {f"{k} × {n}": flagged(noise, k, n, frames) for k, n in SHAPES}
    print(noise.name, flush=True)
    return pd.DataFrame(rows).T


def page(frames: int) -> str:
    """The page of the documentation."""
    parts = [
        "---\norphan: true\n---\n\n# False flags on pure noise\n",
        f"Written by `make validate`: {frames:,} frames each, whose cohorts (number × rows) are all alike, through "
        "`df.evals(...).metrics(by=...)`. The figures are the shares of frames in which some cohort is flagged ▲ or ▼, "
        f"nominally at most .05 for each metric; the simulation error of a figure is about "
        f"{np.sqrt(0.05 * 0.95 / frames):.3f}.\n",
        "## Classifiers with calibrated scores (d′ 1.5), by prevalence\n",
    ]
    found = {noise.name: table(noise, frames) for noise in map(risks, PREVALENCES)}
    parts += [f"### {name}\n\n{markdown(cells)}\n" for name, cells in found.items()]
    parts.append("## Regressions, by the distribution of the errors\n")
    found |= (of_losses := {noise.name: table(noise, frames) for noise in map(losses, LOSSES)})
    parts += [f"### {name[0].upper()}{name[1:]}\n\n{markdown(cells)}\n" for name, cells in of_losses.items()]
    every = pd.concat(cells.stack() for cells in found.values())
    parts.insert(2, f"Of all {len(every)} figures the mean is {every.mean():.3f}, the greatest {every.max():.3f}.\n")
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "flags_validation.md")
    arguments = parser.parse_args()
    arguments.output.write_text(page(arguments.frames), encoding="utf-8")
    print(f"Written to {arguments.output}.")


if __name__ == "__main__":
    main()
