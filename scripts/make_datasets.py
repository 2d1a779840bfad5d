"""Make the datasets shipped in `dfevals.datasets` from their raw sources.

    python scripts/make_datasets.py --source DIR [names ...]

DIR holds the raw files named in `scripts/datasets/`. Models are fitted with fixed seeds and single-threaded numerical
libraries, so that a second run writes the same bytes. Reading the Parquet sources needs polars; the package does not.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from datasets import language, multiclass, recipe, regression, tabular

TARGET = Path(__file__).parents[1] / "src" / "dfevals" / "datasets" / "data"
RECIPES = [*tabular.RECIPES, *regression.RECIPES, *multiclass.RECIPES, *language.RECIPES]


def main() -> None:
    """Write the datasets named on the command line, or all of them, and the list of origins and licences."""
    by_name = {entry.name: entry for entry in RECIPES}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of: {', '.join(by_name)}")
    parser.add_argument("--source", type=Path, required=True, help="folder of the raw files")
    parser.add_argument("--target", type=Path, default=TARGET, help="where to write (default: the package)")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(by_name))
    if unknown:
        parser.error(f"no recipe for {', '.join(unknown)}; there are: {', '.join(by_name)}")
    arguments.target.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or by_name:
        start = time.perf_counter()
        frame = by_name[name].build(arguments.source)
        size = recipe.write(by_name[name], frame, arguments.target)
        rows, columns = frame.shape
        print(f"{name:<12} {rows:>6} x {columns:<3} {size:>9,} bytes  {time.perf_counter() - start:6.1f} s", flush=True)
    recipe.write_origins(RECIPES, arguments.target)


if __name__ == "__main__":
    main()
