"""Cohorts: every row in the right cohort whatever the dtype, clear labels, expressions that give the same rows, clear errors."""

from __future__ import annotations

import importlib.util
import itertools
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfevals.cohorts import Cohorts, bins, each, encode, period, quantiles, resolve, top
from dfevals.exceptions import CohortError, ExpressionError
from dfevals.expressions import parse

FRAME = pd.DataFrame(
    {
        "sex": ["F", "M", "F", None, "<NA>", "M", "F"],
        "age": [20.0, 40.0, 60.0, 30.0, np.nan, 17.5, 30.0],
        "n": [1, 2, 1, 2, 1, 2, 2],
        "at": pd.to_datetime(
            ["2024-01-01", "2024-01-31", None, "2023-12-31", "2024-03-01", "2024-03-04", "2025-01-01"]
        ),
        "job title": ["a", "b", "a", "a", "c", None, "it's"],
    }
)


def rows_of(cohorts: Cohorts) -> dict[tuple[str, ...], list[int]]:
    """Rows of each cohort by its labels; labels must be unique."""
    keys = list(zip(*cohorts.labels, strict=True))
    assert len(set(keys)) == cohorts.n_cohorts
    return {key: np.flatnonzero(cohorts.rows(i)).tolist() for i, key in enumerate(keys)}


def check(cohorts: Cohorts, frame: pd.DataFrame) -> None:
    """What must hold of all cohorts."""
    assert cohorts.codes.shape == (len(frame),)
    assert cohorts.codes.dtype in (np.int8, np.int16, np.int32)
    if len(frame):
        assert 0 <= cohorts.codes.min() <= cohorts.codes.max() < cohorts.n_atoms
    assert len(cohorts.names) == len(cohorts.labels)
    assert all(labels.dtype == object and labels.shape == (cohorts.n_cohorts,) for labels in cohorts.labels)
    assert cohorts.sizes.tolist() == [cohorts.rows(i).sum() for i in range(cohorts.n_cohorts)]
    if cohorts.views is None:
        assert cohorts.n_cohorts == cohorts.n_atoms
        assert cohorts.sizes.sum() == len(frame)
    else:
        listed = [int(c) for view in cohorts.views for c in view.cohorts]
        assert sorted(listed) == list(range(cohorts.n_cohorts))
        for view in cohorts.views:
            assert view.positions.shape == (cohorts.n_atoms,)
            assert view.positions.min(initial=0) >= -1
            assert view.positions.max(initial=-1) < len(view.cohorts)
    for i, text in enumerate(cohorts.expressions):
        if text:
            assert parse(text).mask(frame).tolist() == cohorts.rows(i).tolist(), text


def test_one_column_with_missing_values_and_a_text_that_looks_missing() -> None:
    cohorts = resolve("sex", FRAME)
    assert cohorts.names == ("sex",)
    assert cohorts.labels[0].tolist() == ['"<NA>"', "F", "M", "<NA>"]
    assert cohorts.views is None
    assert cohorts.expressions == ("sex == '<NA>'", "sex == 'F'", "sex == 'M'", "isna(sex)")
    assert rows_of(cohorts)[("<NA>",)] == [3]
    check(cohorts, FRAME)


def test_a_list_gives_the_observed_intersections() -> None:
    for by in (["sex", "n"], ("sex", "n")):
        cohorts = resolve(by, FRAME)
        assert cohorts.names == ("sex", "by_n")
        assert rows_of(cohorts) == {
            ('"<NA>"', "1"): [4],
            ("F", "1"): [0, 2],
            ("F", "2"): [6],
            ("M", "2"): [1, 5],
            ("<NA>", "2"): [3],
        }
        assert cohorts.expressions[1] == "sex == 'F' and n == 1"
        check(cohorts, FRAME)


def test_each_gives_separate_cohorts_over_common_atoms() -> None:
    cohorts = resolve(each("sex", ["sex", "n"], bins("age", [30])), FRAME)
    assert cohorts.names == ("sex", "by_n", "age")
    found = rows_of(cohorts)
    assert found[("F", "(all)", "(all)")] == [0, 2, 6]
    assert found[("F", "1", "(all)")] == [0, 2]
    assert found[("(all)", "(all)", "< 30")] == [0, 5]
    assert found[("(all)", "(all)", "<NA>")] == [4]
    assert len(found) == 4 + 5 + 3
    assert cohorts.views is not None
    assert [len(view.cohorts) for view in cohorts.views] == [4, 5, 3]
    check(cohorts, FRAME)


def test_a_value_that_reads_all_or_overall_is_quoted() -> None:
    cohorts = resolve(each("x", "y"), pd.DataFrame({"x": ["(all)", "(overall)"], "y": ["a", "a"]}))
    assert cohorts.labels[0].tolist() == ['"(all)"', '"(overall)"', "(all)"]


def test_a_name_that_reads_all_or_overall_is_quoted() -> None:
    found = resolve({"(overall)": "x > 1", "other": "x < 5"}, pd.DataFrame({"x": [1, 2]}))
    assert found.labels[0].tolist() == ['"(overall)"', "other"]


def test_named_expressions_and_masks_may_overlap_and_leave_rows_out() -> None:
    by = {
        "young": "age < 30",
        "women": "sex == 'F'",
        "mask": np.array([0, 1, 0, 0, 0, 0, 1], dtype=bool),
        "series": FRAME["age"] >= 60,
        "nobody": "age > 200",
    }
    cohorts = resolve(by, FRAME)
    assert cohorts.names == ("cohort",)
    assert rows_of(cohorts) == {
        ("young",): [0, 5],
        ("women",): [0, 2, 6],
        ("mask",): [1, 6],
        ("series",): [2],
        ("nobody",): [],
    }
    assert cohorts.expressions == ("age < 30", "sex == 'F'", "", "", "age > 200")
    assert cohorts.views is not None
    assert [view.cohorts.tolist() for view in cohorts.views] == [[0, 2, 3, 4], [1]]
    check(cohorts, FRAME)


def test_named_cohorts_that_divide_the_rows_are_a_partition() -> None:
    cohorts = resolve({"old": "age >= 30", "rest": "not age >= 30"}, FRAME)
    assert cohorts.views is None
    assert rows_of(cohorts) == {("old",): [1, 2, 3, 6], ("rest",): [0, 4, 5]}
    check(cohorts, FRAME)


@pytest.mark.parametrize("n", [1, 8, 9, 16, 17, 70, 200])
def test_any_number_of_masks(n: int) -> None:
    rng = np.random.default_rng(n)
    frame = pd.DataFrame({"x": range(500)})
    masks = {f"m{k}": rng.random(500) < 0.1 for k in range(n)}
    cohorts = resolve(masks, frame)
    for i, mask in enumerate(masks.values()):
        assert cohorts.rows(i).tolist() == mask.tolist()
    check(cohorts, frame)


def test_masks_of_nullable_dtype_and_mask_errors() -> None:
    nullable = pd.Series([True, None, False, True, None, False, True], dtype="boolean")
    assert rows_of(resolve({"m": nullable}, FRAME)) == {("m",): [0, 3, 6]}
    assert rows_of(resolve({"m": nullable.array}, FRAME)) == {("m",): [0, 3, 6]}
    assert rows_of(resolve({"m": [True] + [False] * 6}, FRAME)) == {("m",): [0]}
    with pytest.raises(CohortError, match="another index"):
        resolve({"m": nullable.sort_index(ascending=False)}, FRAME)
    with pytest.raises(CohortError, match="has 3 rows, the frame has 7"):
        resolve({"m": np.zeros(3, dtype=bool)}, FRAME)
    with pytest.raises(CohortError, match="or a Boolean mask"):
        resolve({"m": [1, 0, 1, 0, 1, 0, 1]}, FRAME)
    with pytest.raises(CohortError, match="not Boolean"):
        resolve({"m": FRAME["age"]}, FRAME)
    with pytest.raises(CohortError, match="holds objects"):
        resolve({"m": nullable.astype(object)}, FRAME)
    with pytest.raises(ExpressionError, match="Did you mean 'age'"):
        resolve({"m": "agee < 3"}, FRAME)
    with pytest.raises(CohortError, match="empty dict"):
        resolve({}, FRAME)
    with pytest.raises(CohortError, match="repeat"):
        resolve({1: "age < 3", "1": "age > 3"}, FRAME)


def test_bins_are_closed_left_and_keep_empty_ones() -> None:
    cohorts = resolve(bins("age", [30, 50, 100]), FRAME)
    assert rows_of(cohorts) == {
        ("< 30",): [0, 5],
        ("[30, 50)",): [1, 3, 6],
        ("[50, 100)",): [2],
        ("≥ 100",): [],
        ("<NA>",): [4],
    }
    assert cohorts.expressions == (
        "age < 30",
        "age >= 30 and age < 50",
        "age >= 50 and age < 100",
        "age >= 100",
        "isna(age)",
    )
    check(cohorts, FRAME)
    assert resolve(bins("n", [2]), FRAME).labels[0].tolist() == ["< 2", "≥ 2"]
    assert resolve(bins("n", [-np.inf, 1.5, np.inf]), FRAME).labels[0].tolist() == ["< 1.5", "≥ 1.5"]
    named = resolve(bins("age", [30], labels=["young", "old"]), FRAME)
    assert rows_of(named) == {("young",): [0, 5], ("old",): [1, 2, 3, 6], ("<NA>",): [4]}
    assert resolve(bins("at", ["2024-01-31"]), FRAME).sizes.tolist() == [2, 4, 1]
    check(resolve(bins("at", ["2024-01-31"]), FRAME), FRAME)


def test_bins_of_equal_width() -> None:
    frame = pd.DataFrame({"x": [0, 1, 2, 3, 4, 5, 6, 7, 8.0, np.inf]})
    cohorts = resolve(bins("x", 4), frame)
    assert cohorts.labels[0].tolist() == ["< 2", "[2, 4)", "[4, 6)", "≥ 6"]
    assert cohorts.sizes.tolist() == [2, 2, 2, 4]
    check(cohorts, frame)
    thirds = resolve(bins("x", 3), frame)
    assert thirds.labels[0].tolist() == ["< 2.66667", "[2.66667, 5.33333)", "≥ 5.33333"]
    check(thirds, frame)
    check(resolve(bins("x", 3), pd.DataFrame({"x": [5.0, 5.0]})), pd.DataFrame({"x": [5.0, 5.0]}))


def test_bins_of_float32_cut_where_the_printed_edge_is() -> None:
    frame = pd.DataFrame({"x": np.array([0.7, 0.3], dtype=np.float32)})
    cohorts = resolve(bins("x", [0.7]), frame)
    assert cohorts.codes.tolist() == [1, 0]
    check(cohorts, frame)


def test_quantiles_have_equal_sizes_and_merge_ties_with_a_note() -> None:
    frame = pd.DataFrame({"x": np.random.default_rng(0).permutation(100), "t": [0] * 60 + list(range(40))})
    assert resolve(quantiles("x"), frame).sizes.tolist() == [25, 25, 25, 25]
    assert resolve(quantiles("x", 10), frame).sizes.tolist() == [10] * 10
    assert resolve(quantiles("x", [0.5, 0.9]), frame).sizes.tolist() == [50, 40, 10]
    ties = resolve(quantiles("t", 4), frame)
    assert ties.labels[0].tolist() == ["< 15", "≥ 15"]
    assert ties.notes == ("quantiles('t', 4): ties leave 2 groups of the 4 asked for",)
    for by in (quantiles("x"), quantiles("t")):
        check(resolve(by, frame), frame)
    check(resolve(quantiles("age", 3), FRAME), FRAME)
    assert resolve(quantiles("at", 2), FRAME).sizes.tolist() == [3, 3, 1]


@given(st.lists(st.one_of(st.integers(-3, 3).map(float), st.just(np.nan)), min_size=1, max_size=30), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_quantile_groups_keep_equal_values_together_and_order(values: list[float], q: int) -> None:
    frame = pd.DataFrame({"x": values})
    cohorts = resolve(quantiles("x", q), frame)
    check(cohorts, frame)
    there = frame["x"].notna().to_numpy()
    pairs = sorted(zip(frame["x"][there], cohorts.codes[there], strict=True))
    assert all(a[1] <= b[1] for a, b in itertools.pairwise(pairs))
    assert (cohorts.sizes > 0).all() or not there.any()


@pytest.mark.parametrize(
    ("grain", "labels"),
    [
        ("year", ["2023", "2024", "2025", "<NA>"]),
        ("quarter", ["2023-Q4", "2024-Q1", "2025-Q1", "<NA>"]),
        ("month", ["2023-12", "2024-01", "2024-03", "2025-01", "<NA>"]),
        ("week", ["2023-W52", "2024-W01", "2024-W05", "2024-W09", "2024-W10", "2025-W01", "<NA>"]),
        ("day", ["2023-12-31", "2024-01-01", "2024-01-31", "2024-03-01", "2024-03-04", "2025-01-01", "<NA>"]),
        ("weekday", ["Monday", "Wednesday", "Friday", "Sunday", "<NA>"]),
        ("month_of_year", ["January", "March", "December", "<NA>"]),
    ],
)
def test_periods(grain: str, labels: list[str]) -> None:
    cohorts = resolve(period("at", grain), FRAME)
    assert cohorts.labels[0].tolist() == labels
    check(cohorts, FRAME)
    spelled = FRAME.assign(at=FRAME["at"].dt.strftime("%Y-%m-%d"))
    assert resolve(period("at", grain), spelled).codes.tolist() == cohorts.codes.tolist()


@pytest.mark.parametrize("zone", [None, "America/New_York"])
@pytest.mark.parametrize(
    "grain", ["year", "quarter", "month", "week", "day", "hour", "minute", "weekday", "hour_of_day"]
)
def test_periods_agree_with_pandas_also_before_1970(grain: str, zone: str | None) -> None:
    seconds = np.random.default_rng(1).integers(-(10**9), 10**9, 300)
    times = pd.Series(pd.to_datetime(seconds, unit="s")).dt.tz_localize("UTC").dt.tz_convert(zone or "UTC")
    times = times if zone else times.dt.tz_localize(None)
    frame = pd.DataFrame({"at": times})
    cohorts = resolve(period("at", grain), frame)
    wall = times.dt.tz_localize(None)
    expected = {
        "weekday": wall.dt.day_name(),
        "hour_of_day": wall.dt.strftime("%H:00"),
        "week": wall.dt.strftime("%G-W%V"),
        "quarter": wall.dt.to_period("Q").astype(str).str.replace("Q", "-Q"),
        "hour": wall.dt.strftime("%Y-%m-%d %H:00"),
        "minute": wall.dt.strftime("%Y-%m-%d %H:%M"),
    }.get(grain, wall.dt.strftime({"year": "%Y", "month": "%Y-%m"}.get(grain, "%Y-%m-%d")))
    assert cohorts.labels[0].take(cohorts.codes).tolist() == expected.tolist()
    if grain in ("month", "weekday") or zone:
        check(cohorts, frame)


def test_top_keeps_the_frequent_values() -> None:
    cohorts = resolve(top("job title", 1), FRAME)
    assert rows_of(cohorts) == {("a",): [0, 2, 3], ("(other)",): [1, 4, 6], ("<NA>",): [5]}
    assert cohorts.expressions[1] == "`job title` not in ['a'] and not isna(`job title`)"
    check(cohorts, FRAME)
    assert resolve(top("job title", 3, other="rest"), FRAME).labels[0].tolist() == ["a", "b", "c", "rest", "<NA>"]
    assert resolve(top("job title", 9), FRAME).labels[0].tolist() == ["a", "b", "c", "it's", "<NA>"]
    with pytest.raises(CohortError, match="also a value"):
        resolve(top("job title", 1, other="a"), FRAME)


VALUES: dict[str, Any] = {
    "object": pd.Series(["b", "a", None, "b"], dtype=object),
    "string": pd.Series(["b", "a", None, "b"], dtype="string"),
    "default": pd.Series(["b", "a", None, "b"]),
    "category": pd.Series(pd.Categorical(["b", "a", None, "b"], categories=["unused", "b", "a"])),
    "int": pd.Series([10, 9, 200]),
    "uint8": pd.Series([10, 9, 200], dtype="uint8"),
    "Int64": pd.Series([10, None, 9], dtype="Int64"),
    "float": pd.Series([30.0, 0.1, np.nan, -0.0, 0.0, np.inf, 1e-9]),
    "float32": pd.Series([0.1, 30, np.nan], dtype="float32"),
    "Float32": pd.Series([0.1, None, 30], dtype="Float32"),
    "bool": pd.Series([True, False, True]),
    "boolean": pd.Series([True, None, False], dtype="boolean"),
    "dates": pd.Series(pd.to_datetime(["2024-02-01", None, "2024-01-01"])),
    "times": pd.Series(pd.to_datetime(["2024-02-01 12:00:00", None, "2024-01-01 00:00:00"])),
    "zoned": pd.Series(pd.to_datetime(["2024-02-01", None, "2024-01-01"])).dt.tz_localize("Asia/Tokyo"),
    "timedelta": pd.Series(pd.to_timedelta(["2 days", None, "1 hour"])),
    "period": pd.Series(pd.PeriodIndex(["2024-02", "2024-01"], freq="M")),
    "interval": pd.cut(pd.Series([1.0, 5.0, 9.0]), [0, 4, 8, 12]),
    "numbers in category": pd.Series([3, 1, 2]).astype("category"),
    "times in category": pd.Series(pd.to_datetime(["2024-02-01", None, "2024-01-01"])).astype("category"),
    "mixed": pd.Series([1, "1", True, 1.0, None, False, 0, "True", 2.5], dtype=object),
    "nothing": pd.Series([None, None], dtype=object),
    "sparse": pd.Series(pd.arrays.SparseArray([0, 0, 1, 2])),
}
LABELS: dict[str, Any] = {
    "object": ["a", "b", "<NA>"],
    "string": ["a", "b", "<NA>"],
    "default": ["a", "b", "<NA>"],
    "category": ["b", "a", "<NA>"],
    "int": ["9", "10", "200"],
    "uint8": ["9", "10", "200"],
    "Int64": ["9", "10", "<NA>"],
    "float": ["0", "1e-09", "0.1", "30", "inf", "<NA>"],
    "float32": ["0.1", "30", "<NA>"],
    "Float32": ["0.1", "30", "<NA>"],
    "bool": ["False", "True"],
    "boolean": ["False", "True", "<NA>"],
    "dates": ["2024-01-01", "2024-02-01", "<NA>"],
    "times": ["2024-01-01 00:00:00", "2024-02-01 12:00:00", "<NA>"],
    "zoned": ["2024-01-01", "2024-02-01", "<NA>"],
    "timedelta": ["0 days 01:00:00", "2 days 00:00:00", "<NA>"],
    "period": ["2024-01", "2024-02"],
    "interval": ["(0, 4]", "(4, 8]", "(8, 12]"],
    "numbers in category": ["1", "2", "3"],
    "times in category": ["2024-01-01", "2024-02-01", "<NA>"],
    "mixed": ["False", "True", "0", "1", "2.5", '"1"', '"True"', "<NA>"],
    "nothing": ["<NA>"],
    "sparse": ["0", "1", "2"],
}


if importlib.util.find_spec("pyarrow"):  # not needed by the package, and supported where installed
    VALUES["arrow text"] = VALUES["object"].astype("string[pyarrow]")
    VALUES["arrow text type"] = VALUES["object"].convert_dtypes(dtype_backend="pyarrow")
    VALUES["arrow whole"] = VALUES["Int64"].convert_dtypes(dtype_backend="pyarrow")
    VALUES["arrow float"] = VALUES["float32"].convert_dtypes(dtype_backend="pyarrow")
    VALUES["arrow truth"] = VALUES["boolean"].convert_dtypes(dtype_backend="pyarrow")
    VALUES["arrow times"] = VALUES["times"].convert_dtypes(dtype_backend="pyarrow")
    VALUES["arrow zoned"] = VALUES["zoned"].convert_dtypes(dtype_backend="pyarrow")
    VALUES["arrow days"] = VALUES["dates"].astype("date32[pyarrow]")
    VALUES["arrow category"] = VALUES["arrow text"].astype("category")
    alike = ["object", "object", "Int64", "float32", "boolean", "times", "zoned", "dates", "object"]
    LABELS |= dict(zip(list(VALUES)[-9:], map(LABELS.get, alike), strict=True))


@pytest.mark.parametrize("kind", VALUES)
def test_every_dtype(kind: str) -> None:
    series = VALUES[kind]
    codes, labels = encode(series)
    assert labels.tolist() == LABELS[kind]
    assert labels.dtype == object
    missing = series.isna().to_numpy()
    assert (labels.take(codes) == "<NA>").tolist() == missing.tolist()
    for i, j in itertools.combinations(np.flatnonzero(~missing), 2):
        a, b = series.iloc[i], series.iloc[j]
        same = a == b and isinstance(a, (bool, np.bool_)) == isinstance(b, (bool, np.bool_))
        assert (codes[i] == codes[j]) == same
    frame = pd.DataFrame({"x": series})
    bys: list[Any] = ["x", ["x"], top("x", 1)]
    if any(word in kind.lower() for word in ("int", "float", "whole", "numbers")) and kind != "interval":
        bys += [bins("x", [0.1, 10]), bins("x", 2), quantiles("x", 2)]
    if any(word in kind for word in ("dates", "times", "zoned", "days")):
        bys += [bins("x", ["2024-02-01"]), quantiles("x", 2), period("x", "month"), period("x", "hour")]
    for by in bys:
        check(resolve(by, frame), frame)
        check(resolve(by, frame.iloc[:0]), frame.iloc[:0])


def test_expressions_exist_for_plain_values() -> None:
    for kind in (
        "object",
        "string",
        "category",
        "float",
        "float32",
        "Int64",
        "boolean",
        "times",
        "zoned",
        "times in category",
    ):
        assert all(resolve("x", pd.DataFrame({"x": VALUES[kind]})).expressions), kind


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b'", 'c"', "\\d", "<NA>", "(all)", "é\n", "", None]),
            st.sampled_from([0.5, -1.0, 1e300, np.inf, -np.inf, np.nan]),
            st.sampled_from([True, 1, "1", None, 0, False]),
        ),
        max_size=15,
    ),
    st.sampled_from(
        [
            ["s", "f"],
            "m",
            each("s", "f", "m"),
            ["m", bins("f", [0, 1])],
            each(["s", "m"], quantiles("f", 2)),
            top("s", 2),
        ]
    ),
    st.sampled_from([None, 0, 2, 4]),
)
@settings(max_examples=150, deadline=None)
def test_cohorts_hold_exactly_the_rows_they_name(rows: list[tuple[Any, ...]], by: Any, min_n: int | None) -> None:
    frame = pd.DataFrame(rows, columns=["s", "f", "m"]).astype({"s": object, "f": float, "m": object})
    cohorts = resolve(by, frame, min_n=min_n)
    check(cohorts, frame)
    rows_of(cohorts)
    for view in cohorts.views or ():
        assert (view.positions >= 0).all()


def test_codes_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"s": rng.integers(0, 300, 999).astype(str), "m": [True, 1, None] * 333, "x": rng.random(999)})
    frame["c"] = frame["s"].astype("category")
    named = {"a": "x < .3 and s == '7'", "b": "isna(m)"}
    asked: list[Any] = ["s", "m", "c", ["s", "m"], each("s", "m"), bins("x", 3), quantiles("x"), named]
    whole = [resolve(by, frame) for by in asked]
    monkeypatch.setattr("dfevals.columns.codes.BLOCK", 100)
    for one, by in zip(whole, asked, strict=True):
        parts = resolve(by, frame)
        assert rows_of(parts) == rows_of(one)
        assert parts.codes.dtype == one.codes.dtype


def test_many_columns_beyond_the_dense_table() -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {"a": rng.integers(0, 3000, 5000), "b": rng.integers(0, 3000, 5000), "c": rng.integers(0, 2, 5000)}
    )
    cohorts = resolve(["a", "b"], frame)
    assert cohorts.n_cohorts == len(frame[["a", "b"]].drop_duplicates())
    keys = list(zip(cohorts.labels[0].astype(int), cohorts.labels[1].astype(int), strict=True))
    assert keys == sorted(keys)
    assert [keys[code] for code in cohorts.codes] == list(frame[["a", "b"]].itertuples(index=False, name=None))
    three = resolve(["c", "b", "a"], frame)
    assert three.n_cohorts == len(frame.drop_duplicates())


def test_min_n_folds_rare_cohorts_with_a_note() -> None:
    cohorts = resolve("sex", FRAME, min_n=2)
    assert rows_of(cohorts) == {("F",): [0, 2, 6], ("M",): [1, 5], ("(rare: n < 2)",): [3, 4]}
    assert cohorts.notes == ("folded 2 cohorts with n < 2",)
    crossed = resolve(["sex", "n"], FRAME, min_n=2)
    assert rows_of(crossed)[("(rare: n < 2)", "(rare: n < 2)")] == [3, 4, 6]
    separate = resolve(each("sex", "n"), FRAME, min_n=2)
    assert rows_of(separate)[("(rare: n < 2)", "(all)")] == [3, 4]
    assert separate.notes == ("folded 2 cohorts with n < 2",)
    named = resolve({"old": "age > 50", "women": "sex == 'F'", "young": "age < 18"}, FRAME, min_n=2)
    assert rows_of(named) == {("women",): [0, 2, 6], ("(rare: n < 2)",): [2, 5]}
    assert resolve("sex", FRAME, min_n=1).notes == ()
    for found in (cohorts, crossed, separate, named):
        check(found, FRAME)
    with pytest.raises(CohortError, match="min_n"):
        resolve("sex", FRAME, min_n=-1)


def test_no_cohorts() -> None:
    cohorts = resolve(None, FRAME)
    assert (cohorts.names, cohorts.labels, cohorts.n_atoms, cohorts.views, cohorts.n_cohorts) == ((), (), 1, (), 0)
    assert cohorts.codes.tolist() == [0] * 7


@pytest.mark.parametrize(
    "by",
    [
        "sex",
        ["sex", "age"],
        each("sex", "n"),
        bins("age", [30]),
        bins("age", 3),
        quantiles("age"),
        period("at", "month"),
        top("sex", 2),
    ],
)
def test_empty_frames(by: Any) -> None:
    check(resolve(by, FRAME.iloc[:0]), FRAME.iloc[:0])
    check(resolve({"a": "age < 3"}, FRAME.iloc[:0]), FRAME.iloc[:0])


def test_names_of_cohort_columns() -> None:
    frame = pd.DataFrame({"model": ["x"], "value": [1.0], 0: ["y"], "age": [3]})
    assert resolve(["model", "value", 0], frame).names == ("by_model", "by_value", "0")
    assert resolve(each("age", bins("age", [30])), frame).names == ("age", "age_bins")
    with pytest.raises(CohortError, match="two cohort columns named 'age_bins'"):
        resolve(each(bins("age", [1]), bins("age", [2]), bins("age", [3])), frame)


def test_definitions_are_hashable_and_print_as_code() -> None:
    made = [
        bins("age", [30, 50]),
        bins("age", 4),
        bins("x", [0.5], labels=["low", "high"]),
        quantiles("age", 10),
        quantiles("age", [0.5, 0.9]),
        period("at", "month"),
        top("city", 5),
        top("city", 5, other="rest"),
        each("sex", ["race", bins("age", [30])], "age"),
    ]
    for one in made:
        again = eval(repr(one), {"bins": bins, "quantiles": quantiles, "period": period, "top": top, "each": each})  # noqa: S307
        assert again == one
        assert hash(again) == hash(one)
        assert repr(again) == repr(one)
    assert len(set(made)) == len(made)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bins("a", [3, 1]), "edges must rise"),
        (lambda: bins("a", [1, 1]), "edges must rise"),
        (lambda: bins("a", [1, np.nan]), "edges must rise"),
        (lambda: bins("a", []), "edges must rise"),
        (lambda: bins("a", 0), "at least 1"),
        (lambda: bins("a", "30"), "list of edges"),
        (lambda: bins("a", [1, "x"]), "cannot be compared"),
        (lambda: bins("a", 3, labels=["x"]), "3 bins, but 1 labels"),
        (lambda: bins("a", [1], labels=["x", "x"]), "labels repeat"),
        (lambda: resolve(bins("age", [1], labels=["x", "y", "z"]), FRAME), "2 bins of 'age', but 3 labels"),
        (lambda: quantiles("a", 0), "at least 1"),
        (lambda: quantiles("a", [0.5, 0.2]), "must rise"),
        (lambda: quantiles("a", "many"), "shares such as"),
        (lambda: period("a", "mouth"), "Did you mean 'month'"),
        (lambda: top("a", 0), "at least 1"),
        (lambda: top("a", 2.5), "at least 1"),  # type: ignore[arg-type]
        (lambda: each(), "at least one"),
        (lambda: each(["a", each("b")]), "put the list inside"),
        (lambda: resolve([], FRAME), "empty list"),
        (lambda: resolve(["sex", "sex"], FRAME), "twice"),
        (lambda: resolve(["sex", {"a": "age < 3"}], FRAME), "dict of their own"),
        (lambda: resolve(FRAME["age"] < 3, FRAME), "dict of their own"),
        (lambda: resolve("Sex", FRAME), "Did you mean 'sex'"),
        (lambda: resolve("age < 30", FRAME), r"by=\{'name': 'age < 30'\}"),
        (lambda: resolve(bins("sex", [3]), FRAME), "does not hold numbers or times.*pd.to_numeric"),
        (lambda: resolve(bins("age", ["x"]), FRAME), "must be numbers"),
        (lambda: resolve(bins("at", ["x"]), FRAME), "must be times"),
        (lambda: resolve(period("age", "day"), FRAME), "does not hold times.*pd.to_datetime"),
        (lambda: resolve(period("sex", "day"), FRAME), "does not hold times.*pd.to_datetime"),
        (lambda: resolve("x", pd.DataFrame({"x": [[1], [2]]})), "Column 'x' holds cells that cannot be grouped"),
        (lambda: resolve("x", pd.DataFrame({"x": [{}, "a"]})), "Column 'x' holds cells that cannot be grouped"),
        (lambda: resolve("a", pd.DataFrame([[1, 2]], columns=["a", "a"])), "2 columns named 'a'"),
        (lambda: resolve("a", pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")]))), "MultiIndex"),
    ],
)
def test_errors_say_what_and_the_fix(make: Any, message: str) -> None:
    with pytest.raises(CohortError, match=message):
        make()


def test_too_many_cohorts() -> None:
    frame = pd.DataFrame({"id": np.arange(100_001), "x": np.arange(100_001) / 7, "h": np.arange(100_001) // 300})
    with pytest.raises(CohortError, match=r"'id' has more than 100,000 different values.*top\(\) or bins\(\)"):
        resolve("id", frame)
    with pytest.raises(CohortError, match=r"'x' has more than 100,000 different values.*bins\(\) or quantiles\(\)"):
        resolve("x", frame)
    with pytest.raises(CohortError, match=r"each\('h', bins.* makes 100,\d\d\d cohorts.*top\(\)"):
        resolve(each("h", bins("id", list(range(1, 99_900)))), frame)
    folded = resolve("id", frame, min_n=30)
    assert folded.labels[0].tolist() == ["(rare: n < 30)"]
    assert "bins() or quantiles()" in resolve("x", frame.iloc[:2000]).notes[0]


def test_the_callers_data_is_never_changed() -> None:
    frame = pd.DataFrame({"c": pd.Categorical(["a", "b"] * 50), "b": [True, False] * 50, "m": [True, 1] * 50})
    before = frame.copy(deep=True)
    for by in (["c", "b"], each("c", "m"), "c", "m"):
        resolve(by, frame)
    pd.testing.assert_frame_equal(frame, before)


def test_describe_names_the_cohort() -> None:
    cohorts = resolve(each("sex", ["sex", "n"]), FRAME)
    assert cohorts.describe(1) == "sex = F"
    assert cohorts.describe(5) == "sex = F, by_n = 1"


def test_values_of_several_types_that_print_alike_stay_apart() -> None:
    day = pd.Timestamp("2024-01-01")
    codes, labels = encode(pd.Series([day, day.date(), "2024-01-01", Decimal("1.5"), 1.5, "1.5"], dtype=object))
    assert len(set(codes)) == len(labels) == len(set(labels)) == 5  # Decimal 1.5 equals 1.5
    assert {'"2024-01-01"', '"1.5"', "1.5"} < set(labels)


def test_edges_with_a_time_zone_are_read_in_the_zone_of_the_column() -> None:
    times = pd.Series(pd.to_datetime(["2024-01-01 08:59", "2024-01-01 09:00"])).dt.tz_localize("Asia/Tokyo")
    frame = pd.DataFrame({"at": times})
    for edge in ("2024-01-01 09:00", "2024-01-01T00:00Z"):
        cohorts = resolve(bins("at", [edge]), frame)
        assert cohorts.codes.tolist() == [0, 1]
        assert cohorts.labels[0].tolist() == ["< 2024-01-01 09:00:00", "≥ 2024-01-01 09:00:00"]
        check(cohorts, frame)
