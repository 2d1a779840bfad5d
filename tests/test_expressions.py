"""Expressions select what `DataFrame.query` selects, behave alike for every dtype, and refuse everything else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfevals.exceptions import CohortError, ExpressionError
from dfevals.expressions import parse

PEOPLE = pd.DataFrame(
    {
        "sex": ["F", "M", "F", None, "<NA>", "M"],
        "age": [20.0, 40.0, 60.0, 30.0, np.nan, -5.0],
        "n": [1, 2, 3, 4, 5, 0],
        "ok": [True, False, True, True, False, False],
        "job title": ["a b", "c.d", "d`", None, "x", "it's"],
        "at": pd.to_datetime(["2024-01-01", "2024-01-31", None, "2023-12-31", "2024-03-01", "2024-03-01"]),
    }
)


def selected(text: str, frame: pd.DataFrame = PEOPLE) -> list[int]:
    mask = parse(text).mask(frame)
    assert mask.dtype == bool
    assert mask.shape == (len(frame),)
    return np.flatnonzero(mask).tolist()


@pytest.mark.parametrize(
    "text",
    [
        "age < 30",
        "30 <= age < 50",
        "sex == 'F' and age >= 30",
        'sex == "F" | age > 35 & n < 3',
        "not (age < 30 or sex == 'F')",
        "~ok & age > 0",
        "ok",
        "ok == True",
        "sex in ['F', 'M']",
        "sex not in ('F', 'x')",
        "n in [1, 2.0, 5]",
        "sex != 'F'",
        "age != 40",
        "not age != 40",
        "age * 2 - n > 50",
        "n % 2 == 1",
        "age // 7 == 2",
        "age / n > 20",
        "n ** 2 >= 9",
        "2 ** -1 < n",
        "-age < -30",
        "+n == 3",
        "n // (n - n) > 0",
        "n % (n - 1) == 0",
        "at >= '2024-01-31'",
        "'2024-03-01' <= at",
        "'2024-01-01' <= at < '2024-02-01'",
        "`job title` == 'c.d'",
        "age < n * 15",
        "1 < 2 and n > 2",
        "n > 1 == True",
        "sex == 'it\\'s' or n == 3",
        "age < 1e999",
        "age == 40 != 41",
    ],
)
def test_selects_what_query_selects(text: str) -> None:
    with np.errstate(all="ignore"):
        expected = PEOPLE.query(text, engine="python").index.tolist()
    assert selected(text) == expected


NUMBERS = st.one_of(st.integers(-5, 5), st.sampled_from([0.5, -1.5, 2.0]))
WRITTEN = NUMBERS.map(lambda v: f"({v})")
TERMS = st.recursive(
    st.sampled_from(["i", "f", "g"]),
    lambda t: st.tuples(t, st.sampled_from(["+", "-", "*", "/", "//", "%"]), st.one_of(t, WRITTEN)).map(
        lambda p: f"({p[0]} {p[1]} {p[2]})"
    ),
    max_leaves=4,
)
COMPARISONS = st.one_of(
    st.tuples(TERMS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.one_of(TERMS, WRITTEN)).map(" ".join),
    st.tuples(st.sampled_from(["s == ", "s != ", "s < ", "s >= "]), st.sampled_from(["'a'", '"b"', "''", "'é'"])).map(
        "".join
    ),
    st.tuples(st.sampled_from(["s in ", "s not in "]), st.lists(st.sampled_from(["a", "b", ""])).map(str)).map("".join),
    st.sampled_from(["b", "b == False"]),
)
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda t: st.one_of(
        st.tuples(t, st.sampled_from(["and", "or", "&", "|"]), t).map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
        t.map(lambda p: f"not ({p})"),
    ),
    max_leaves=5,
)


@given(
    text=CONDITIONS,
    rows=st.lists(
        st.tuples(
            st.integers(-5, 5), st.sampled_from([np.nan, -1.5, 0.0, 2.0]), st.sampled_from(["a", "b", "", "é", None])
        ),
        min_size=1,
        max_size=12,
    ),
    as_category=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_agrees_with_query_on_random_expressions(
    text: str, rows: list[tuple[int, float, str]], as_category: bool
) -> None:
    i, f, s = zip(*rows, strict=True)
    frame = pd.DataFrame(
        {"i": i, "f": f, "g": np.array(f)[::-1], "s": pd.Series(s, dtype=object), "b": np.array(i) > 0}
    )
    with np.errstate(all="ignore"):
        expected = frame.query(text, engine="python").index.tolist()
    if as_category:
        frame["s"] = frame["s"].astype("category")
        if frame["s"].cat.categories.empty:
            return
    assert selected(text, frame) == expected


def test_backticks_escapes_and_odd_names() -> None:
    frame = pd.DataFrame([[1, 2, 3, 4, 5, 6, 7]], columns=["a b", "x`y", "class", "naïve", "ﬁ", 0, "n0"])
    for text in (
        "`a b` == 1",
        "`x``y` == 2",
        "`class` == 3",
        "naïve == 4",
        "ﬁ == 5",
        "`0` == 6",
        "n0 == 7 and `a b` < n0",
    ):
        assert selected(text, frame) == [0]
    assert parse("`a b` < age + `a b`").columns == ("a b", "age")
    assert selected("sex == 'a`b`' or `job title` == 'd`'") == [2]
    assert selected(r"`job title` == 'it\'s'") == selected('`job title` == "it\'s"') == [5]
    assert selected("sex == '\\u0046'\n and\n age == 20") == [0]


def test_functions_and_methods() -> None:
    assert selected("isna(sex)") == selected("sex.isna()") == [3]
    assert selected("not isna(age) and notna(at)") == [0, 1, 3, 5]
    assert selected("`job title`.contains('.')") == [1]  # plain text, not a regular expression
    assert selected("contains(`job title`, 'd')") == [1, 2]
    assert selected("startswith(sex, 'F')") == selected("sex.str.startswith('F')") == [0, 2]
    assert selected("sex.endswith('>')") == [4]
    assert selected("sex.str.contains('A')") == [4]
    assert selected("n in [1, None]") == [0]
    assert selected("sex in ['M', None]") == [1, 3, 5]


TEXT = ["F", "M", None, "F"]
NUMBER = [1, 2, None, 30]
FLAG = [True, False, None, True]


@pytest.mark.parametrize("dtype", ["object", "str", "string", "category"])
def test_text_dtypes_behave_alike(dtype: str) -> None:
    frame = pd.DataFrame(
        {"x": pd.Series(TEXT, dtype=object).astype(dtype) if dtype != "str" else pd.Series(TEXT, dtype=object)}
    )
    assert selected("x == 'F'", frame) == [0, 3]
    assert selected("x != 'F'", frame) == [1, 2]
    assert selected("not x == 'F'", frame) == [1, 2]
    assert selected("x > 'F'", frame) == [1]
    assert selected("'G' > x", frame) == [0, 3]
    assert selected("x in ['F', 'G', 'H', 'I', 'M']", frame) == [0, 1, 3]
    assert selected("x not in ['F']", frame) == [1, 2]
    assert selected("isna(x)", frame) == [2]
    assert selected("x == x", frame) == [0, 1, 3]
    assert selected("x.startswith('M')", frame) == [1]


@pytest.mark.parametrize("dtype", ["float64", "float32", "Int64", "Int8", "Float64", "object", "category"])
def test_number_dtypes_behave_alike(dtype: str) -> None:
    frame = pd.DataFrame({"x": pd.Series(NUMBER, dtype="float64" if dtype == "category" else dtype).astype(dtype)})
    assert selected("x == 2", frame) == [1]
    assert selected("x != 2", frame) == [0, 2, 3]
    assert selected("2 <= x < 40", frame) == [1, 3]
    assert selected("not x > 1", frame) == [0, 2]
    assert selected("x * 10 + 1 > 20", frame) == [1, 3]
    assert selected("x in [1, 30]", frame) == [0, 3]
    assert selected("x in [1, 3, 4, 5, 6, 7, 8, 9, 30]", frame) == [0, 3]
    assert selected("isna(x)", frame) == [2]
    assert selected("x <= x", frame) == [0, 1, 3]
    assert selected("isna(x + 1)", frame) == [2]


@pytest.mark.parametrize("dtype", ["object", "boolean", "category"])
def test_truth_dtypes_behave_alike(dtype: str) -> None:
    frame = pd.DataFrame({"x": pd.Series(FLAG, dtype=object).astype(dtype)})
    assert selected("x", frame) == [0, 3]
    assert selected("not x", frame) == [1, 2]
    assert selected("x == False", frame) == [1]
    assert selected("isna(x)", frame) == [2]


@pytest.mark.parametrize("zone", [None, "Europe/Paris"])
@pytest.mark.parametrize("unit", ["ns", "s"])
def test_times_compare_with_text_in_their_own_zone(zone: str | None, unit: str) -> None:
    times = (
        pd.Series(pd.to_datetime(["2024-01-01", None, "2024-06-01 12:00"], format="ISO8601"))
        .dt.as_unit(unit)
        .dt.tz_localize(zone)
    )
    frame = pd.DataFrame({"at": times, "later": times + pd.Timedelta("2 days")})
    frame["kind"] = frame["at"].astype("category")
    assert selected("at < '2024-06-01 12:01'", frame) == [0, 2]
    assert selected("at == '2024-01-01'", frame) == np.flatnonzero(times == "2024-01-01").tolist() == [0]
    assert selected("at != '2024-01-01'", frame) == np.flatnonzero(times != "2024-01-01").tolist() == [1, 2]
    assert selected("at in ['2024-01-01']", frame) == [0]
    assert selected("kind == '2024-01-01'", frame) == [0]
    assert selected("later - at == '2 days'", frame) == [0, 2]
    assert selected("at + '1 day' < later", frame) == [0, 2]
    assert selected("isna(at)", frame) == [1]


def test_small_integers_do_not_overflow() -> None:
    frame = pd.DataFrame({"x": np.array([100, 3], dtype=np.int8), "u": np.array([2**64 - 1, 3], dtype=np.uint64)})
    assert selected("x * 3 == 300", frame) == [0]
    assert selected("x + x == 200", frame) == [0]
    assert selected("u == 18446744073709551615", frame) == [0]
    assert selected("x < 99999999999999999999999", frame) == [0, 1]


def test_evaluation_in_blocks_equals_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {
        text: selected(text) for text in ("sex == 'F' or age < 30", "contains(`job title`, 'd')", "at < '2024-02-01'")
    }
    monkeypatch.setattr("dfevals.columns.codes.BLOCK", 2)
    assert {text: selected(text) for text in whole} == whole


def test_empty_frame_and_constants() -> None:
    assert selected("age < 30 and sex == 'F' or ok", PEOPLE.iloc[:0]) == []
    assert selected("True") == list(range(6))
    assert selected("1 > 2 or False") == []


def test_expressions_are_frozen_hashable_values() -> None:
    one = parse("age < 30")
    assert one == parse("age < 30")
    assert len({one, parse("age < 30"), parse("age < 31")}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.text = "True"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("__import__('os').system('ls')", 0, "not a function"),
        ("age.__class__ == 1", 0, "Attributes such as .__class__"),
        ("sex.upper() == 'F'", 0, "'upper' is not a function"),
        ("sex[0] == 'F'", 0, "Subscript is not allowed"),
        ("(lambda: 1)()", 1, "'lambda' is not allowed"),
        ("[x for x in age]", 3, "'for' is not allowed"),
        ("age < @limit", 6, "Local variables are not available"),
        ("(age := 3)", 5, "':' is not allowed"),
        ("age = 3", 4, "Compare with =="),
        ("9 ** 9 ** 9 > age", 5, "exponent"),
        ("age ** n > 1", 7, "exponent"),
        ("age ** 100000 > 1", 7, "at most 16"),
        ("9**16**1 > age", 3, "exponent"),
        ("((9 ** 16) ** 16) ** 16 < age", 0, "cannot be computed"),
        ("f'{age}' == sex", 0, "prefix f"),
        ("b'a' == sex", 0, "prefix b"),
        ("sex == 'F' 'M'", 11, "side by side"),
        ("sex == 'F", 7, "not closed"),
        ("`job title == 1", 0, "not closed"),
        ("sex is None", 4, "isna"),
        ("sex == None", 0, "isna"),
        ("age if ok else n", 4, "'if' is not allowed"),
        ("age < 3 && ok", 8, "Write and, or"),
        ("!ok", 0, "Negate with not"),
        ("{1} == age", 0, "Write a list"),
        ("age < 3 # x", 8, "'#' is not allowed"),
        ("age <", 5, "ends too early"),
        ("age < 3 and", 11, "ends too early"),
        ("(age < 3", 0, "never closed"),
        ("age < 3)", 7, "unmatched"),
        ("ok and and ok", 7, "not well formed"),
        ("age\x00 < 3", 3, "is not allowed"),
        ("1j < age", 0, "not a number"),
        ("007 < age", 0, "not well formed"),
        ("agee < 3", 0, "Did you mean 'age'"),
        ("ok and agee < 3", 7, "Did you mean 'age'"),
        ("age == '3'", 0, "without quotes"),
        ("age in [1, '3']", 0, "without quotes"),
        ("sex < 3", 0, "cannot be compared"),
        ("sex < age", 0, "text with numbers"),
        ("sex", 0, "condition is needed"),
        ("ok and age", 7, "condition is needed"),
        ("sex + 'a' == 'Fa'", 0, "Arithmetic needs numbers"),
        ("age in n", 7, "must be a list"),
        ("age == [1]", 7, "by in or not in"),
        ("[1, 2]", 0, "right of in"),
        ("age in [n]", 8, "only numbers, text"),
        ("contains(age, 'x')", 9, "looks into text"),
        ("contains(sex, 3)", 14, "text in quotes"),
        ("contains(sex)", 0, "is written contains(x, 'text')"),
        ("isna()", 0, "is written isna(x)"),
        ("contains(sex, 'a', 'b')", 0, "is written contains"),
        ("isna(3)", 5, "needs a column"),
        ("sex.str.contains('a|b')", 17, "Regular expressions"),
        ("at == 'soon'", 0, "2024-01-31"),
        ("at == 3", 0, "not a time"),
        ("at + 3 > '2024'", 0, "durations"),
        ("1 / 0 < age", 0, "cannot be computed"),
        ("  ", None, "empty"),
    ],
)
def test_errors_point_at_the_place(text: str, place: int | None, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text).mask(PEOPLE)
    assert message in str(caught.value)
    assert isinstance(caught.value, CohortError)
    if place is not None:
        *_, shown, caret = str(caught.value).split("\n")
        assert shown == "  " + text.replace("\x00", " ")
        assert caret.index("^") - 2 == place


@pytest.mark.parametrize(
    "text",
    [
        "-" * 9000 + "1 < age",
        "not " * 2000 + "ok",
        "(" * 4000 + "1" + ")" * 4000,
        "[" * 4000,
        "+".join(["age"] * 2400) + " > 1",
        "age" + "**2" * 3000 + " > 1",
        "isna(" * 1500 + "age" + ")" * 1500,
        "age" + ".isna()" * 1200,
        "9" * 5000 + " > age",
        "x" * 10_001,
        "9" + " ** 16" * 50 + " > age",
        "1" + " * 9e300" * 20 + " ** 16 > age",
    ],
)
def test_hostile_sizes_are_refused_quickly(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text).mask(PEOPLE)


def test_long_flat_expressions_are_fine_and_long_errors_are_cropped() -> None:
    assert selected(" or ".join(f"n == {k}" for k in range(5, 700))) == [4]
    with pytest.raises(ExpressionError) as caught:
        parse(" or ".join(f"n == {k}" for k in range(700)) + " or nn == 3").mask(PEOPLE)
    *_, shown, caret = str(caught.value).split("\n")
    assert len(shown) < 110
    assert shown[caret.index("^") :].startswith("nn == 3")


def test_not_text_and_ambiguous_columns() -> None:
    with pytest.raises(ExpressionError, match="must be text"):
        parse(3)  # type: ignore[arg-type]
    with pytest.raises(ExpressionError, match="2 columns named 'a'"):
        parse("a > 1").mask(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(ExpressionError, match="MultiIndex"):
        parse("a > 1").mask(pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])))


@given(st.text(alphabet="abn019 .'\"`()[]<>=!+-*/%&|~@{}:;,\\\n#", max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_an_expression_or_an_expression_error(text: str) -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", None], "n": [True, False]})
    try:
        mask = parse(text).mask(frame)
    except ExpressionError:
        return
    assert mask.dtype == bool
    assert mask.shape == (2,)


def test_clock_times_that_exist_twice_or_never_are_read_without_error() -> None:
    times = pd.Series(pd.to_datetime(["2024-10-27 00:30", "2024-10-27 01:30"], utc=True)).dt.tz_convert("Europe/Paris")
    assert selected("at >= '2024-10-27 02:30'", pd.DataFrame({"at": times})) == [0, 1]
    assert selected("at >= '2024-03-31 02:30'", pd.DataFrame({"at": times})) == [0, 1]
