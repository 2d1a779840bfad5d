"""Frames as they turn up on a bad day: each maker returns the rows, their roles and a column of cohorts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

N = 60
HOSTILE = "<script>alert(1)</script>"
NAMES = [
    "a b",
    'it\'s "so"',
    "$x$ & $y",
    HOSTILE,
    "two\nlines",
    "\u202eright to left",
    "😀",
    "`tick`",
    "a|b",
    "{brace}",
]


class Awkward(NamedTuple):
    """Rows, the roles of their columns and what to group by."""

    frame: pd.DataFrame
    roles: dict[str, Any]
    by: Any = "g"


TWO = {"y_true": "y", "y_score": {"m": "p", "k": "q"}}
TRUTH = {"y_true": "t", "y_pred": {"m": "f", "k": "h"}}
THREE = {"y_true": "c", "y_pred": {"m": "d", "k": "e"}}


def plain(n: int = N) -> pd.DataFrame:
    """Columns for every task, none of them awkward."""
    rng = np.random.default_rng(1)
    y, t = rng.integers(0, 2, n), rng.normal(10, 3, n)
    frame = pd.DataFrame(
        {"y": y, "p": 0.5 * rng.random(n) + 0.4 * y, "q": rng.random(n), "t": t, "g": rng.choice(["a", "b"], n)}
    )
    classes = rng.choice(["x", "y", "z"], n)
    return frame.assign(
        f=t + rng.normal(0, 1, n),
        h=t + rng.normal(0, 2, n),
        c=classes,
        d=np.where(y, classes, "x"),
        e=rng.permutation(classes),
        s=rng.random(n),
    )


def two(roles: dict[str, Any] | None = None, /, **columns: Any) -> Awkward:
    """Two models of a binary task, some columns replaced."""
    return Awkward(plain().assign(**columns), TWO | (roles or {}))


def truth(**columns: Any) -> Awkward:
    """Two forecasts, some columns replaced."""
    return Awkward(plain().assign(**columns), TRUTH)


def cohorts(values: list[Any], n: int = N) -> Awkward:
    """Rows with these cohorts in turn."""
    frame = plain(n)
    column = pd.Series((values * (n // len(values) + 1))[:n], index=frame.index, dtype=object)
    return Awkward(frame.assign(g=column), TWO)


def renamed(names: list[Any]) -> Awkward:
    """Truth, scores and cohorts under other names."""
    y, p, q, g = names
    frame = plain()[["y", "p", "q", "g"]].set_axis(pd.Index(names, dtype=object, tupleize_cols=False), axis=1)
    return Awkward(frame, {"y_true": y, "y_score": {"m": p, "k": q}}, g)


# Few rows


def empty() -> Awkward:
    return Awkward(plain().head(0), TWO)


def empty_regression() -> Awkward:
    return Awkward(plain().head(0), TRUTH)


def one_row() -> Awkward:
    return Awkward(plain().head(1), TWO)


def one_row_of_a_regression() -> Awkward:
    return Awkward(plain().head(1), TRUTH)


def two_rows() -> Awkward:
    return Awkward(plain().head(2).assign(y=[0, 1]), TWO)


def one_class() -> Awkward:
    return two(y=1)


def no_positive() -> Awkward:
    return two({"pos_label": 1, "labels": [0, 1]}, y=0)


def one_positive() -> Awkward:
    return two(y=np.arange(N) == 7)


def one_of_many_classes() -> Awkward:
    return Awkward(plain().assign(c="x", d="x", e="x"), THREE | {"labels": ["x", "y", "z"]})


def as_many_classes_as_rows() -> Awkward:
    names = [f"class {i}" for i in range(12)]
    return Awkward(plain(12).assign(c=names, d=names, e=names[::-1]), THREE)


# Missing and extreme values


def all_missing() -> Awkward:
    return two(y=np.nan, p=np.nan, q=np.nan)


def all_scores_missing() -> Awkward:
    return two(p=np.nan)


def all_cohorts_missing() -> Awkward:
    return two(g=None)


def missing_everywhere() -> Awkward:
    return two(**{name: plain()[name].where(np.arange(N) % (3 + i) > 0) for i, name in enumerate("ypqg")})


def nothing_in_common() -> Awkward:
    even = np.arange(N) % 2 == 0
    return two(p=plain()["p"].where(even), q=plain()["q"].where(~even))


def constant_scores() -> Awkward:
    return two(p=0.5, q=0.5)


def scores_of_0_and_1() -> Awkward:
    return two(p=plain()["y"], q=1 - plain()["y"])


def constant_truth_and_forecast() -> Awkward:
    return Awkward(plain().assign(t=3.0, f=3.0, h=3.0), TRUTH | {"task": "regression"})


def forecasts_without_error() -> Awkward:
    return truth(f=plain()["t"], h=plain()["t"])


def infinite_scores() -> Awkward:
    return two(p=np.inf, q=-np.inf)


def infinities_among_margins() -> Awkward:
    margins = np.where(np.arange(N) % 5 == 0, np.inf, plain()["p"] * 9 - 4)
    return two(p=margins, q=-margins)


def infinite_truth_and_forecast() -> Awkward:
    return truth(t=np.inf, f=np.where(np.arange(N) % 2, np.inf, -np.inf), h=np.nan)


def infinite_bounds() -> Awkward:
    frame = plain().assign(low=-np.inf, high=np.where(np.arange(N) % 2, np.inf, 9.0))
    return Awkward(frame, {"y_true": "t", "y_pred": "f", "y_lower": "low", "y_upper": "high"})


def bounds_the_wrong_way_round() -> Awkward:
    return Awkward(
        plain().assign(low=20.0, high=1.0), {"y_true": "t", "y_pred": "f", "y_lower": "low", "y_upper": "high"}
    )


def ties_everywhere() -> Awkward:
    return two(p=np.arange(N) % 2 / 2, q=np.arange(N) % 3 / 3)


def huge_numbers() -> Awkward:
    return truth(t=plain()["t"] * 1e300, f=plain()["f"] * 1e300, h=-1e300)


def tiny_numbers() -> Awkward:
    return truth(t=plain()["t"] * 1e-300, f=plain()["f"] * 1e-300, h=5e-324)


def huge_and_tiny_numbers() -> Awkward:
    return truth(t=np.where(np.arange(N) % 2, 1e300, 1e-300), f=np.where(np.arange(N) % 3, -1e300, 1e-300))


def tiny_probabilities() -> Awkward:
    return two(p=5e-324, q=1 - 1e-16)


def huge_margins() -> Awkward:
    return two(p=plain()["p"] * 1e308 - 5e307, q=-1e300)


def huge_ints() -> Awkward:
    big = [2**70 + int(y) for y in plain()["y"]]
    return Awkward(
        plain().assign(y=pd.Series(big, dtype=object), g=2**63 - np.arange(N, dtype=np.uint64) % 2),
        TWO | {"pos_label": 2**70 + 1},
    )


def negative_amounts() -> Awkward:
    return truth(t=-plain()["t"], f=plain()["f"], h=0.0)


# Types of columns


def booleans() -> Awkward:
    return two(y=plain()["y"] == 1, p=plain()["p"] > 0.5, q=True, g=plain()["g"] == "a")


def objects() -> Awkward:
    return Awkward(plain().astype(object), TWO)


def decimals() -> Awkward:
    return two(p=[Decimal(str(round(v, 3))) for v in plain()["p"]], g=[Decimal(i % 2) for i in range(N)])


def texts_of_numbers() -> Awkward:
    return two({"pos_label": "1"}, y=plain()["y"].astype(str), p=plain()["p"].astype(str))


def unused_categories() -> Awkward:
    levels = pd.Categorical(plain()["g"], ["unused", "b", "a", "", "also unused"], ordered=True)
    return Awkward(plain().assign(g=levels, c=pd.Categorical(plain()["c"], ["w", "z", "y", "x"])), THREE)


def empty_categories() -> Awkward:
    return two(g=pd.Categorical([None] * N, ["a"]), y=pd.Categorical(plain()["y"]))


def _with_gaps(frame: pd.DataFrame) -> pd.DataFrame:
    frame.iloc[::7] = pd.NA
    return frame


def nullable_types() -> Awkward:
    return Awkward(_with_gaps(plain().convert_dtypes()), TWO)


def arrow_types() -> Awkward:
    return Awkward(_with_gaps(plain().convert_dtypes(dtype_backend="pyarrow")), TWO)


def half_floats() -> Awkward:
    return two(p=plain()["p"].astype("float16"), q=plain()["q"].astype("float32"), y=plain()["y"].astype("int8"))


def sparse_columns() -> Awkward:
    return two(y=pd.arrays.SparseArray(plain()["y"]), p=pd.arrays.SparseArray(plain()["p"]))


def time_zones() -> Awkward:
    days = pd.date_range("2026-10-24", periods=N, freq="h", tz="Europe/Berlin")
    return two({"time": "when"}, when=days, g=days.tz_convert("Asia/Kathmandu").normalize())


def mixed_time_zones() -> Awkward:
    zones = [dt.UTC, dt.timezone(dt.timedelta(hours=5, minutes=45)), None]
    return two(g=pd.Series([dt.datetime(2026, 1, 1, tzinfo=zones[i % 3]) for i in range(N)], dtype=object))


def periods_and_intervals() -> Awkward:
    return Awkward(
        plain().assign(g=pd.cut(plain()["q"], 3), month=pd.period_range("2026-01", periods=N, freq="M")),
        TWO,
        ["g", "month"],
    )


def negative_durations() -> Awkward:
    taken = pd.to_timedelta(np.arange(N) - 30, unit="s")
    return Awkward(plain().assign(taken=taken), {"outcomes": ["taken"]})


# Indexes and names


def duplicate_index() -> Awkward:
    return Awkward(plain().set_axis([0] * N, axis=0), TWO)


def index_of_two_levels() -> Awkward:
    return Awkward(plain().set_index([np.arange(N) % 3, np.arange(N) % 2]), TWO)


def index_with_the_name_of_a_column() -> Awkward:
    return Awkward(plain().set_index(pd.Index(np.arange(N), name="g")), TWO)


def duplicated_columns() -> Awkward:
    return Awkward(pd.concat([plain(), plain()[["p", "g", "s"]]], axis=1), TWO)


def duplicated_column_of_no_role() -> Awkward:
    return Awkward(pd.concat([plain(), plain()[["s", "s"]]], axis=1), TWO)


def columns_of_two_levels() -> Awkward:
    return Awkward(
        pd.concat({"left": plain()[["y", "p", "q", "g"]]}, axis=1),
        {"y_true": ("left", "y"), "y_score": {"m": ("left", "p"), "k": ("left", "q")}},
        None,
    )


def numbers_as_names() -> Awkward:
    return renamed([0, 1, 2, -3])


def tuples_as_names() -> Awkward:
    return renamed([("y", 1), ("p", 1), ("q", 1), ("g", 1)])


def none_and_nan_as_names() -> Awkward:
    return renamed([1.5, dt.date(2026, 1, 1), np.nan, None])


def hostile_names() -> Awkward:
    return renamed([HOSTILE, "two\nlines", "$x_1^2$ & 'q'", '\u202e"😀"'])


def hostile_models() -> Awkward:
    return Awkward(plain(), {"y_true": "y", "y_score": dict(zip(NAMES, ["p", "q"] * 5, strict=True))})


def names_of_the_results() -> Awkward:
    frame = (
        plain().assign(value=plain()["g"], n=plain()["c"]).rename(columns={"y": "metric", "p": "model", "q": "ci_low"})
    )
    return Awkward(frame, {"y_true": "metric", "y_score": {"overall": "model", "note": "ci_low"}}, ["value", "n"])


def empty_name() -> Awkward:
    return renamed(["", " ", "  ", "\t"])


# Cohorts


def hostile_cohorts() -> Awkward:
    return cohorts(NAMES)


def long_cohorts() -> Awkward:
    return cohorts(["l" * 300, "\u05d0" * 300, ("word " * 60) + "1", ("word " * 60) + "2"])


def cohorts_of_mixed_types() -> Awkward:
    return cohorts(
        [1, "1", 1.0, True, None, np.nan, pd.NaT, (1, 2), b"bytes", dt.date(2026, 1, 1), Decimal(1), frozenset({1})]
    )


def cohorts_that_cannot_be_hashed() -> Awkward:
    return cohorts([[1], {"a": 1}, {2}, np.array([1, 2])])


def cohorts_of_empty_texts() -> Awkward:
    return cohorts(["", " ", "\n", "(overall)", "(all)", "<NA>", "nan", "None"])


def lone_surrogates() -> Awkward:
    return cohorts(["\ud800", "a\x00b", "\x1b[31m", "\ufeff"])


def two_thousand_cohorts() -> Awkward:
    return cohorts([f"cohort {i}" for i in range(2000)], 2000)


def cohorts_of_one_row() -> Awkward:
    return two(g=np.arange(N))


def numbers_cut_nowhere() -> Awkward:
    import dfevals

    return Awkward(plain().assign(g=np.inf), TWO, dfevals.quantiles("g", 4))


# Weights, clusters, folds, trials


def zero_weights() -> Awkward:
    return two({"sample_weight": "w"}, w=0.0)


def weights_of_one_row() -> Awkward:
    return two({"sample_weight": "w"}, w=(np.arange(N) == 3) * 1.0)


def tiny_weights() -> Awkward:
    return two({"sample_weight": "w"}, w=1e-200 * (1 + np.arange(N) % 3))


def huge_weights() -> Awkward:
    return two({"sample_weight": "w"}, w=1e200 * (1 + np.arange(N) % 3))


def weights_far_apart() -> Awkward:
    return two({"sample_weight": "w"}, w=10.0 ** (np.arange(N) % 30 - 15))


def negative_weights() -> Awkward:
    return two({"sample_weight": "w"}, w=-1.0)


def weights_missing() -> Awkward:
    return two({"sample_weight": "w"}, w=np.nan)


def frequencies_of_nothing() -> Awkward:
    return two({"sample_weight": "w", "weight_kind": "frequency"}, w=0)


def one_cluster() -> Awkward:
    return two({"cluster": "k"}, k="all")


def clusters_of_one_row() -> Awkward:
    return two({"cluster": "k"}, k=np.arange(N))


def clusters_missing() -> Awkward:
    return two({"cluster": "k"}, k=None)


def one_cluster_of_a_regression() -> Awkward:
    return Awkward(plain().assign(k=1), TRUTH | {"cluster": "k"})


def folds_of_one_class() -> Awkward:
    return two({"fold": "k"}, k=plain()["y"])


def one_fold() -> Awkward:
    return two({"fold": "k"}, k=1)


def folds_of_one_row() -> Awkward:
    return two({"fold": "k"}, k=np.arange(N))


def folds_missing() -> Awkward:
    return two({"fold": "k"}, k=None)


def repeats() -> Awkward:
    frame = pd.concat([plain().assign(k=np.arange(N) % 3, r=r) for r in range(2)])
    return Awkward(frame, TWO | {"fold": "k", "repeat": "r"})


def long_frame_with_missing_models() -> Awkward:
    model = np.resize(["m", "k", None, "m"], N)
    return Awkward(
        plain().assign(model=model, i=np.arange(N) // 2), {"y_true": "y", "y_score": "p", "model": "model", "id": "i"}
    )


def long_frame_without_common_rows() -> Awkward:
    return Awkward(
        plain().assign(model=plain()["g"], i=np.arange(N)),
        {"y_true": "y", "y_score": "p", "model": "model", "id": "i"},
        "c",
    )


def one_release() -> Awkward:
    return two({"release": "r"}, r="only")


def releases_of_one_row() -> Awkward:
    return Awkward(plain(8).assign(r=[f"r{i}" for i in range(8)]), TWO | {"release": "r"})


# Outcomes


def outcomes(**columns: Any) -> Awkward:
    """Columns of outcomes beside cohorts."""
    return Awkward(plain()[["g"]].assign(**columns), {"outcomes": list(columns)})


def outcomes_of_one_value() -> Awkward:
    return outcomes(ok=True, score=0.5, fails=False)


def outcomes_missing() -> Awkward:
    return outcomes(ok=pd.array([None] * N, "boolean"), score=np.nan)


def outcomes_of_empty_texts() -> Awkward:
    return outcomes(verdict="", reason=["", "yes"] * (N // 2))


def outcomes_without_end() -> Awkward:
    return outcomes(score=np.where(np.arange(N) % 2, np.inf, -np.inf), other=1e308)


def outcomes_that_cannot_be_hashed() -> Awkward:
    return outcomes(calls=[[{"name": "f"}], []] * (N // 2), ok=[True, False] * (N // 2))


def trials() -> Awkward:
    frame = plain().assign(ok=plain()["y"] == 1, task=np.arange(N) // 4)
    return Awkward(frame, {"outcomes": ["ok"], "unit": "task"})


def one_class_of_scores_per_class() -> Awkward:
    scores = {f"p_{label}": np.full(N, 1 / 3) for label in "xyz"}
    return Awkward(plain().assign(**scores), {"y_true": "c", "y_score": "p_{label}"})


def labels_that_cannot_be_hashed() -> Awkward:
    return Awkward(
        plain().assign(c=[["x"], ["y"]] * (N // 2), d=[["x"], ["x"]] * (N // 2), e=[["y"], ["x"]] * (N // 2)), THREE
    )


def labels_of_mixed_types() -> Awkward:
    values = np.resize(np.array([1, "1", 2.5, True], dtype=object), N)
    return Awkward(plain().assign(c=values, d=values, e=values[::-1]), THREE)


def _makers() -> dict[str, Callable[[], Awkward]]:
    """The functions of this module that return an awkward frame and need nothing for it."""
    return {
        name: maker
        for name, maker in globals().items()
        if getattr(maker, "__annotations__", {}) == {"return": "Awkward"}
    }


FRAMES = _makers()
