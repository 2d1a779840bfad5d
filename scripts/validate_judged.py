"""Simulate intervals of corrected rates at length (`python scripts/validate_judged.py`); writes docs/judged_validation.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "coverage"))

from judged_coverage import JUDGES, RATES, coverage_of_judged  # noqa: E402

from dfevals.inference.judged import labels_alone, prediction_powered, rogan_gladen  # noqa: E402

HEAD = """# Validation of corrected rates

Coverage of nominal 95 % intervals at 100 labels of 1,000 judged rows, and their mean width by that of the labels alone; {n:,} simulations a
cell (`python scripts/validate_judged.py`). Rogan and Gladen's method is counted where it has an answer.

| rate | judge (sensitivity, specificity) | labels alone | PPI++ | width | Rogan–Gladen | width |
| --- | --- | --- | --- | --- | --- | --- |
"""


def page(n: int) -> str:
    """The table."""
    lines = []
    for rate in RATES:
        for name, judge in JUDGES.items():
            alone, ppi, rg = (
                coverage_of_judged(m, rate, judge, n) for m in (labels_alone, prediction_powered, rogan_gladen)
            )
            numbers = f"{alone[0]:.3f} | {ppi[0]:.3f} | {ppi[1]:.2f} | {rg[0]:.3f} | {rg[1]:.2f}"
            lines.append(f"| {rate:g} | {name} ({judge[0]:g}, {judge[1]:g}) | {numbers} |")
    return HEAD.format(n=n) + "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "judged_validation.md")
    arguments = parser.parse_args()
    arguments.output.write_text(page(arguments.simulations), encoding="utf-8")


if __name__ == "__main__":
    main()
