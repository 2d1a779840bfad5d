"""Results: frame, wide shape, provenance, and the three ways of showing them."""

from __future__ import annotations

import html.parser

import numpy as np
import pandas as pd
import pytest

from dfevals.exceptions import DfevalsError
from dfevals.results.provenance import Provenance
from dfevals.results.result import MetricsResult, Result

NUMBERS = {"support": 40, "method": "wilson", "note": ""}


def metrics_frame(
    cohorts: list[str],
    metrics: tuple[str, ...] = ("recall",),
    models: tuple[str, ...] = ("gbm",),
    column: str = "sex",
) -> pd.DataFrame:
    rows = []
    for at, cohort in enumerate(["(overall)", *cohorts]):
        for metric in metrics:
            for model in models:
                value = 0.5 + 0.01 * at
                number = {"value": value, "ci_low": value - 0.0625, "ci_high": value + 0.0625, "n": 100 - at}
                rows.append(
                    {column: cohort, "model": model, "metric": metric, **number, **NUMBERS, "is_overall": at == 0}
                )
    return pd.DataFrame(rows)


class Tags(html.parser.HTMLParser):
    """All start tags, and text by tag."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def body_rows(markup: str) -> int:
    return Tags(markup.split("<tbody>")[1].split("</tbody>")[0]).count("tr")


def test_frame_is_a_copy() -> None:
    result = MetricsResult(metrics_frame(["F"]), cohort_columns=["sex"])
    changed = result.frame
    changed.loc[0, "value"] = 9.0
    assert result.frame.loc[0, "value"] == 0.5
    assert len(result) == 2


def test_provenance_is_worked_out_once_and_when_read() -> None:
    calls: list[int] = []

    def make() -> dict[str, object]:
        calls.append(1)
        return {"engine": "pandas", "rows_read": 10}

    result = Result(pd.DataFrame({"a": [1]}), provenance=make)
    repr(result), result._repr_html_()
    assert calls == []
    assert dict(result.provenance) == {"engine": "pandas", "rows_read": 10}
    assert "pandas" in repr(result.provenance)
    assert calls == [1]


def test_wide_keeps_the_order_of_the_frame() -> None:
    wide = MetricsResult(metrics_frame(["M", "F"], ("recall", "f1")), cohort_columns=["sex"]).wide()
    assert wide.index.tolist() == ["(overall)", "M", "F"]
    assert wide.index.name == "sex"
    assert wide.columns.tolist() == ["recall", "f1"]
    assert wide.loc["F", "f1"] == 0.52


def test_wide_of_several_models_has_a_level_of_models() -> None:
    frame = metrics_frame(["M", "F"], ("recall", "f1"), ("gbm", "logistic")).drop(index=[5])
    wide = MetricsResult(frame, cohort_columns=["sex"]).wide("n")
    assert wide.columns.names == ["metric", "model"]
    assert wide.loc["M", ("recall", "gbm")] == 99
    assert np.isnan(wide.loc["M", ("recall", "logistic")])
    assert wide["f1"].columns.tolist() == ["gbm", "logistic"]


def test_wide_does_not_depend_on_how_the_rows_are_sorted() -> None:
    frame = metrics_frame(["M", "F"], ("recall", "f1"), ("gbm", "logistic"))
    by_cohort = MetricsResult(frame, cohort_columns=["sex"]).wide()
    by_metric = MetricsResult(frame.sort_values("metric", kind="stable"), cohort_columns=["sex"]).wide()
    pd.testing.assert_frame_equal(by_cohort, by_metric[["recall", "f1"]])


def test_wide_of_classes_has_a_row_per_cohort_and_class() -> None:
    frame = pd.concat([metrics_frame(["F"]).assign(**{"class": name}) for name in "ab"])
    wide = MetricsResult(frame, cohort_columns=["sex"]).wide()
    assert wide.index.names == ["sex", "class"]
    assert wide.index.tolist() == [("(overall)", "a"), ("F", "a"), ("(overall)", "b"), ("F", "b")]


def test_wide_can_show_intervals_and_names_unknown_values() -> None:
    result = MetricsResult(metrics_frame(["F"]), cohort_columns=["sex"])
    assert result.wide("interval").loc["F", "recall"] == "0.510 [0.448, 0.573]"
    with pytest.raises(DfevalsError, match="Did you mean 'value'"):
        result.wide("valeu")


def test_wide_without_cohorts_is_one_row() -> None:
    frame = metrics_frame([], ("recall", "f1")).drop(columns="sex")
    wide = MetricsResult(frame).wide()
    assert wide.index.tolist() == ["(overall)"]
    assert wide["f1"].tolist() == [0.5]


def test_flags_are_those_given_whatever_the_notes_say() -> None:
    frame = metrics_frame(["F", "M", "X"])
    frame["note"] = ["too few: as a text alone this decides nothing", "", "", "2 positives"]
    result = MetricsResult(frame, cohort_columns=["sex"], flags=np.array(["", "lower", "higher", "too few"]))
    assert result.flags.tolist() == ["", "lower", "higher", "too few"]
    text = Tags(result._repr_html_()).text
    assert [word in text for word in ("▼\n lower", "▲\n higher", "◇\n too few")] == [True] * 3
    assert "0.510 [0.448, 0.573] ▼" in str(result)
    with pytest.raises(DfevalsError, match="3 entries for 4 rows"):
        MetricsResult(frame, flags=["", "", ""])


def test_html_marks_headers_rows_and_the_overall_row() -> None:
    markup = MetricsResult(metrics_frame(["F", "M"]), title="By sex", cohort_columns=["sex"])._repr_html_()
    tags = Tags(markup)
    scopes = [attrs.get("scope") for tag, attrs in tags.tags if tag == "th"]
    assert scopes == ["col", "col", "colgroup", "row", "row", "row"]
    assert tags.count("caption") == 1
    assert [attrs.get("class") for tag, attrs in tags.tags if tag == "tr"] == [None, "dfe-o dfe-end", None, None]
    assert tags.count("svg") == 3
    assert "95% intervals · n = 100 · model gbm" in tags.text
    assert tags.count("script") == 0


def test_undefined_values_say_why() -> None:
    frame = metrics_frame(["F"])
    frame.loc[1, ["value", "ci_low", "ci_high", "note"]] = [np.nan, np.nan, np.nan, "no positives"]
    result = MetricsResult(frame, cohort_columns=["sex"])
    assert "no positives" in Tags(result._repr_html_()).text
    assert "–     no positives" in str(result)


def test_hostile_names_are_harmless_in_every_form() -> None:
    name = "<script>alert(1)</script>\u202e|x"
    frame = metrics_frame([name], (name,), (name,), column=name)
    frame["note"] = name
    result = MetricsResult(frame, title=name, notes=[name], cohort_columns=[name], dropped={name: 3})
    for markup in (result._repr_html_(), result.to_html(), result.to_markdown()):
        assert "<script" not in markup
        assert "\u202e" not in markup
    assert "⟨U+202E⟩" in str(result)
    assert "\u202e" not in str(result)
    plain = Result(frame, title=name, notes=[name], cohort_columns=[name], provenance={name: name})
    assert "<script" not in plain._repr_html_() + plain.to_html() + plain.to_markdown()


def test_long_results_show_their_head_and_say_so() -> None:
    result = MetricsResult(metrics_frame([str(at) for at in range(999)]), cohort_columns=["sex"])
    markup = result._repr_html_()
    assert body_rows(markup) == 61
    assert "… 940 more cohorts; .frame has all" in markup
    assert "… 940 more cohorts; .frame has all" in str(result)
    assert "940 more" not in result.to_html()


def test_repr_renders_only_the_head() -> None:
    cohorts = [f"cohort {at}" for at in range(20_000)]
    frame = pd.DataFrame({"c": np.repeat(cohorts, 12), "metric": np.tile([f"metric {at}" for at in range(12)], 20_000)})
    frame = frame.assign(model="m", value=0.5, ci_low=0.4, ci_high=0.6, n=10, **NUMBERS, is_overall=False)
    result = MetricsResult(frame, cohort_columns=["c"])
    assert len(result._repr_html_()) < 200_000
    assert len(str(result)) < 20_000


@pytest.mark.parametrize("models", [1, 2, 3, 7])
@pytest.mark.parametrize("metrics", [1, 3, 12])
def test_every_layout_holds_every_number(models: int, metrics: int) -> None:
    frame = metrics_frame(
        ["F", "M"], tuple(f"metric{at}" for at in range(metrics)), tuple(f"model{at}" for at in range(models))
    )
    frame["value"] = np.arange(len(frame)) + 0.5
    frame["ci_low"], frame["ci_high"] = frame["value"] - 0.125, frame["value"] + 0.125
    result = MetricsResult(frame, cohort_columns=["sex"])
    for shown in (result.table(10_000).to_text(), result.table(10_000, width=100).to_text(), result.to_html()):
        for value in frame["value"]:
            assert f"{value:.2f}" in shown
    assert max(map(len, str(result).splitlines())) <= 100


def test_markdown_is_a_pipe_table() -> None:
    text = MetricsResult(metrics_frame(["F|M"]), title="By sex", cohort_columns=["sex"]).to_markdown()
    lines = text.splitlines()
    assert lines[0].startswith("**By sex**")
    table = [line for line in lines if line.startswith("|")]
    assert table[0] == "| sex | n | recall |"
    assert table[1] == "| :--- | ---: | :--- |"
    assert table[3] == "| F\\|M | 99 | 0.510 [0.448, 0.573] |"


def test_to_html_writes_a_self_contained_page(tmp_path: object) -> None:
    result = Result(pd.DataFrame({"a": ["é"]}), title="T", provenance={"engine": "pandas"})
    path = result.to_html(f"{tmp_path}/page.html")
    text = path.read_text(encoding="utf-8")
    assert text == result.to_html()
    assert text.startswith("<!DOCTYPE html>")
    assert "http://" not in text
    assert "https://" not in text
    assert "<details>" in text


def test_plain_results_write_numbers_by_their_column() -> None:
    frame = pd.DataFrame(
        {
            "metric": ["recall"],
            "difference": [0.02],
            "ci_low": [-0.001],
            "ci_high": [0.041],
            "p_value": [1e-9],
            "n": [4000],
        }
    )
    text = str(Result(frame, title="gbm − logistic"))
    assert "0.020 [-0.001, 0.041]" in text
    assert "<0.001" in text
    assert "4,000" in text
    with pytest.raises(DfevalsError, match="no chart"):
        Result(frame).plot()


@pytest.mark.parametrize(
    "frame", [pd.DataFrame(), pd.DataFrame({"a": pd.Series([], dtype=float)}), metrics_frame([]).iloc[:0]]
)
def test_empty_results_can_be_shown(frame: pd.DataFrame) -> None:
    result = Result(frame)
    assert "<table" in result._repr_html_()
    assert isinstance(str(result), str)
    if "metric" in frame:
        empty = MetricsResult(frame, cohort_columns=["sex"])
        assert "<table" in empty._repr_html_()
        assert len(empty.wide()) == 0


def test_categorical_and_nullable_columns_are_read() -> None:
    frame = metrics_frame(["F", "M"]).convert_dtypes().astype({"sex": "category", "metric": "category"})
    frame.loc[1, "value"] = pd.NA
    result = MetricsResult(frame, cohort_columns=["sex"])
    assert result.wide().index.tolist() == ["(overall)", "F", "M"]
    assert "–" in str(result)


def test_provenance_is_a_mapping() -> None:
    assert len(Provenance()) == 0
    assert Provenance({"a": 1}) == {"a": 1}


def test_tables_show_overall_first_wherever_it_stands_in_the_frame() -> None:
    frame = metrics_frame([f"c{at}" for at in range(99)])
    result = MetricsResult(pd.concat([frame.iloc[1:], frame.iloc[:1]]), cohort_columns=["sex"])
    first = [line for line in str(result).splitlines() if "0.500" in line]
    assert first[0].startswith("(overall)")
    assert result.wide().index[-1] == "(overall)"


def test_intervals_of_too_few_rows_do_not_squash_the_others() -> None:
    frame = metrics_frame(["F", "M"])
    frame.loc[2, ["ci_low", "ci_high", "note"]] = [-100.0, 100.0, "too few: 1 positive"]
    pictures = MetricsResult(frame, cohort_columns=["sex"], flags=["", "", "too few"])._repr_html_().split("<svg")[1:]
    widths = [picture.split('d="M')[-1].split('"')[0] for picture in pictures]
    assert widths[0].startswith("5.0 7.0H")
    assert "l-3 3l3 3" in widths[2]


def test_counts_that_differ_between_metrics_are_shown_as_a_range() -> None:
    frame = metrics_frame(["F"], ("recall", "f1"))
    frame["n"] = [100, 90, 40, 40]
    assert "90–100" in str(MetricsResult(frame, cohort_columns=["sex"]))


def test_differences_are_shown_where_they_were_asked_for() -> None:
    frame = pd.DataFrame(
        {
            "g": ["(overall)", "a"],
            "model": "m",
            "metric": "recall",
            "value": [0.5, 0.25],
            "ci_low": [0.4, 0.2],
            "ci_high": [0.6, 0.3],
            "n": [100, 40],
            "support": [100, 40],
            "method": "wilson",
            "note": "",
            "is_overall": [True, False],
            "reference": [np.nan, 0.625],
            "difference": [np.nan, -0.375],
            "difference_low": [np.nan, -0.5],
            "difference_high": [np.nan, -0.25],
            "p_value": [np.nan, 0.001],
            "p_corrected": [np.nan, 0.001],
        }
    )
    text = repr(MetricsResult(frame, cohort_columns=["g"], title="Metrics by g"))
    assert "differences" in text
    assert "-0.38" in text
    assert "[-0.50, -0.25]" in text
    assert "(overall)" not in text
