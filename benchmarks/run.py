"""`make bench`: dfevals beside its peers in one process on the same frames, as ratios of CPU time.

Every other module of this folder with a `run` function is a group; `python benchmarks/run.py GROUP ...` runs some.
"""

from __future__ import annotations

import argparse
import platform
import warnings
from pathlib import Path

import cohort_metrics
import harness
import imports

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Made by `make bench`: every row runs dfevals and its peer one after the other in one process, on the same frame. Figures are CPU seconds
(user and system); ratios are what counts, because machines differ. dfevals' figure includes roles, validation, cohorts, intervals and
the tidy frame; the peers compute values only.

"""

NOTES = {
    "curves": "Gains, ROC and threshold tables of one frame whose scores differ in every row. Charts are drawn to pixels, one panel each.",
    "calibration": "One frame of 100 cohorts drawn at random, with scores that differ in every row. *CORP* is the isotonic curve, which sorts the rows and has no bins; scikit-learn has "
    "no such curve and is measured with 15 uniform bins in every row. The bootstrap of the peer runs 3 replicates and is scaled to 1,000.",
    "slices": "Ten columns of five values, an error rate of .2. Joint counts are the searched family alone (rows and errors of every conjunction), which is what the peers give; a whole call also bins the\n"
    "columns, tests every slice, merges those that add nothing and measures the others.",
    "evaluators": "Questions of the Berkeley leaderboard with their functions as schemas, drawn with replacement; groundedness reads HaluEval's questions. Rates are\n"
    "rows per second of the processor. The judge's server answers after 50 ms in a process of its own, and its share is of elapsed time.",
}  # fmt: skip


def groups(rows: int) -> dict[str, object]:
    """Groups of benchmarks by name."""
    found = {
        "imports": imports.run,
        "cohorts": lambda: cohort_metrics.run(rows),
        "memory": lambda: cohort_metrics.memory(10 * rows),
    }
    for name, module in (
        ("comparing", "comparing"),
        ("classes", "many_classes"),
        ("curves", "curves"),
        ("calibration", "calibration_curves"),
        ("evaluators", "evaluators"),
        ("engines", "engines"),
        ("slices", "slices"),
    ):
        found[name] = lambda module=module: __import__(module).run(rows)  # each with the peers that it needs
    return found


def main() -> None:
    """Run the groups, print the tables, and write the page when all were run at full size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", help="groups to run; all of them when absent")
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    every = groups(options.rows)
    parts = []
    for name in options.groups or every:
        table = harness.markdown(every[name]())
        print(f"\n## {name}\n\n{table}", flush=True)
        note = f"{NOTES[name]}\n\n" if name in NOTES else ""
        parts.append(f"## {name.capitalize()}\n\n{note}{table}\n")
    if not options.groups and options.rows == 1_000_000:
        import dfevals

        where = f"Measured with dfevals {dfevals.__version__}, Python {platform.python_version()}, {platform.machine()}.\n\n"
        PAGE.write_text(HEAD + where + "\n".join(parts), encoding="utf-8")
        print(f"\nWritten to {PAGE}")


if __name__ == "__main__":
    main()
