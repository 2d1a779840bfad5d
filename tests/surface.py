"""What users can name: public methods with their keywords, attributes of results, and columns of their frames.

`python tests/surface.py FILE` writes it down; `test_surface.py` holds the package to what was once written.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import numpy as np
import pandas as pd

import dfevals
from dfevals.results import Result

QUESTIONS: dict[str, dict[str, Any]] = {
    "metrics": {"metrics": ["recall", "roc_auc"], "by": "g"},
    "folds": {"metrics": ["recall"], "by": "g"},
    "confusion": {"by": "g"},
    "errors": {"by": "g"},
    "roc": {"by": "g"},
    "pr": {"by": "g"},
    "det": {"by": "g"},
    "cap": {"by": "g"},
    "gains": {"by": "g"},
    "thresholds": {"by": "g", "n_resamples": 20},
    "calibration": {"by": "g"},
    "recalibrate": {"by": "g"},
    "compare": {"a": "a", "b": "b", "metrics": ["recall"], "by": "g", "unit": "rows"},
    "route": {"metric": "accuracy", "by": "g"},
    "power": {"metrics": ["accuracy"], "by": "g"},
    "equalise": {"by": "g"},
    "corrected": {"judge": "a", "human": "y"},
    "fairness": {"by": "g"},
    "standardise": {"to": {"u": 0.5, "v": 0.5}, "by": "g"},
    "monitor": {"metric": "recall", "period": "week", "by": "g"},
    "drift": {"columns": ["a"], "period": "month"},
    "slices": {"features": "g", "n_resamples": 20},
}


def rows() -> pd.DataFrame:
    """Rows that every question about two models can be asked of."""
    rng = np.random.default_rng(0)
    y = np.arange(600) % 2
    scores = {name: np.clip(y * 0.3 + rng.random(600) * shift, 0.01, 0.99) for name, shift in (("a", 0.7), ("b", 0.9))}
    return pd.DataFrame(
        {
            "y": y,
            **scores,
            "g": np.where(rng.random(600) < 0.5, "u", "v"),
            "f": np.arange(600) // 2 % 5,
            "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(600), unit="h") * 3,
        }
    )


def evaluation() -> dfevals.Evaluation:
    """The rows with their roles."""
    return rows().evals(y_true="y", y_score={"a": "a", "b": "b"}, pos_label=1, fold="f", time="at")


@cache
def surface() -> dict[str, Any]:
    """Methods and attributes by class, and the columns of every question's frame."""
    for module in walk_packages(dfevals.__path__, "dfevals."):
        if ".analyses" in module.name:
            import_module(module.name)
    ev = evaluation()
    return {
        "classes": {
            cls.__name__: dict(_named(cls)) for cls in (dfevals.Evaluation, dfevals.Tally, Result, *_below(Result))
        },
        "columns": {name: list(getattr(ev, name)(**asked).frame.columns) for name, asked in QUESTIONS.items()},
    }


def _below(cls: type) -> list[type]:
    """Subclasses of any depth that the package makes, by name."""
    found = [other for sub in cls.__subclasses__() for other in (sub, *_below(sub))]
    return sorted((sub for sub in found if sub.__module__.startswith("dfevals")), key=lambda sub: sub.__name__)


def _named(cls: type) -> Iterator[tuple[str, Any]]:
    """Public names of a class: keywords with their defaults of a method, None of an attribute."""
    for name in sorted(dir(cls)):
        member = inspect.getattr_static(cls, name)
        if not name.startswith("_"):
            yield name, _keywords(member) if inspect.isfunction(member) else None


def _keywords(method: Any) -> dict[str, str]:
    parameters = inspect.signature(method).parameters.values()
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return {p.name: repr(p.default) for p in parameters if p.kind in kinds and p.name != "self"}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(surface(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
