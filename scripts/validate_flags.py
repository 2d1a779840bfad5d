"""Simulate how often pure noise is called a difference, at length, and write the table that the documentation publishes.

    python scripts/validate_flags.py [--frames 400] [--output docs/flags_validation.md]

The populations and the measuring live in tests/coverage, where a short version runs with the tests. Frames are simulated
many at once as the cohorts of one, so that 400 frames take the time of a few.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "coverage"))

from flag_noise import LOSSES, Noise, classes, clustered, compared, flagged, losses, models, risks, routed, weighted  # noqa: E402
from validate import markdown  # noqa: E402

SHAPES = ((5, 30), (5, 100), (5, 400), (20, 30), (20, 60), (20, 200), (50, 30), (50, 100), (50, 400))
"""Number of cohorts and rows of each."""
FEWER = ((5, 30), (5, 100), (20, 60), (20, 200), (50, 30))
PREVALENCES = (0.01, 0.03, 0.1, 0.3, 0.5)
OF_ROWS = ["accuracy", "balanced_accuracy", "precision", "recall", "f1", "log_loss", "brier"]
OF_SCORES = ["roc_auc", "average_precision"]
OF_CLASSES = ["accuracy", "balanced_accuracy", "f1", "mcc", "log_loss", "brier"]
OF_NUMBERS = ["mae", "rmse", "r2", "mean_error"]
GATHERED = 4_000  # rows of a frame up to which areas are simulated: each complement is sorted by itself
Cell = Callable[[int, int, int], pd.Series]


def of_rows(noise: Noise, metrics: list[str], k: int, n: int, frames: int) -> pd.Series:
    """Share of frames with a flag; areas under curves in a quarter of the frames."""
    found = flagged(noise, k, n, frames, metrics=metrics)
    if metrics is not OF_ROWS or k * n > GATHERED or "sample_weight" in noise.roles or "cluster" in noise.roles:
        return found
    return pd.concat([found, flagged(noise, k, n, max(frames // 4, 1), metrics=OF_SCORES)])


def of_models(noise: Noise, metrics: list[str], route: str, k: int, n: int, frames: int) -> pd.Series:
    """Share of frames in which a comparison prefers one of two equal models, or a route is found."""
    both = models(noise)
    found = compared(both, k, n, frames, metrics=metrics)
    return pd.concat([found, pd.Series({f"route by {route}": routed(both, k, n, frames, route)})])


def sections() -> dict[str, tuple[dict[str, Cell], tuple[tuple[int, int], ...]]]:
    """What is simulated under each heading, and the shapes of its frames."""

    def each(make: Callable[..., pd.Series], noises: list[Noise], *given: object) -> dict[str, Cell]:
        return {noise.name: partial(make, noise, *given) for noise in noises}

    rare, some = list(map(risks, PREVALENCES)), list(map(risks, (0.1, 0.3)))
    numbers, few = list(map(losses, LOSSES)), [losses(kind) for kind in list(LOSSES)[:4]]
    shares = list(map(classes, (0.03, 0.1, 1 / 3)))
    dependent = [clustered(noise) for noise in (*some, losses("normal"))]
    return {
        "Flags: classifiers with calibrated scores (d′ 1.5), by prevalence": (each(of_rows, rare, OF_ROWS), SHAPES),
        "Flags: three classes, by the share of the rarest": (each(of_rows, shares, OF_CLASSES), SHAPES),
        "Flags: regressions, by the distribution of the errors": (each(of_rows, numbers, OF_NUMBERS), SHAPES),
        "Flags: log-normal weights (σ .5)": (
            each(of_rows, list(map(weighted, some)), OF_ROWS) | each(of_rows, list(map(weighted, few)), OF_NUMBERS),
            FEWER,
        ),
        "Flags: clusters of three rows, two thirds of them copies": (
            each(of_rows, dependent[:2], OF_ROWS) | each(of_rows, dependent[2:], OF_NUMBERS),
            FEWER,
        ),
        "Two models that err alike: `compare(by=)` and `route(by=)`": (
            each(of_models, some, OF_ROWS, "log_loss") | each(of_models, few, ["mae", "rmse", "mean_error"], "mae"),
            FEWER,
        ),
    }


def page(frames: int) -> str:
    """The page of the documentation."""
    parts, every = [], []
    for heading, (cells, shapes) in sections().items():
        parts.append(f"## {heading}\n")
        for name, cell in cells.items():
            table = pd.DataFrame({f"{k} × {n}": cell(k, n, frames) for k, n in shapes}).T
            print(name, f"greatest {table.max().max():.3f}", flush=True)
            every.append(table.stack())
            parts.append(f"### {name[0].upper()}{name[1:]}\n\n{markdown(table)}\n")
    found = pd.concat(every)
    error = np.sqrt(0.05 * 0.95 / frames)
    beyond = int((found > 0.05 + 2 * error).sum())
    head = (
        "---\norphan: true\n---\n\n# False findings on pure noise\n\n"
        f"Written by `make validate`: {frames:,} frames each, whose cohorts (number × rows) are all alike. The figures are "
        "the shares of frames in which some cohort is flagged ▲ or ▼ (which is the test of `relative_to=` and of "
        '`compare(against="complement")`), or prefers one of two models that err alike, nominally at most .05 for each '
        f"metric. The simulation error of a figure is about {error:.3f} (twice that for areas under curves, from a quarter "
        "of the frames).\n\n"
        f"Of all {len(found)} figures the mean is {found.mean():.3f}, the greatest {found.max():.3f}; {beyond} lie more "
        f"than two simulation errors above .05 (of as many figures that are all exactly .05, {0.023 * len(found):.0f} would).\n"
    )
    return "\n".join([head, *parts])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "flags_validation.md")
    arguments = parser.parse_args()
    arguments.output.write_text(page(arguments.frames), encoding="utf-8")
    print(f"Written to {arguments.output}.")


if __name__ == "__main__":
    main()
