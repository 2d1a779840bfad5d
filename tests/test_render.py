"""The general table: merged cells, groups, numbers written to their uncertainty, whiskers, escaping."""

from __future__ import annotations

import math
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals import render, words
from dfevals.render import Table
from dfevals.render.whisker import whisker


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.8123, 0.7981, 0.8252, "0.812 [0.798, 0.825]"),
        (0.8123, 0.6, 0.99, "0.81 [0.60, 0.99]"),
        (0.8123456, 0.8121, 0.8126, "0.81235 [0.81210, 0.81260]"),
        (8123.4, 7980, 8250, "8123 [7980, 8250]"),
        (1.0, 1.0, 1.0, "1.000 [1.000, 1.000]"),
        (0.0, -0.001, 0.001, "0.0000 [-0.0010, 0.0010]"),
        (3.0, 2.0, math.inf, "3.0 [2.0, ∞]"),
        (math.inf, 2.0, math.inf, "∞ [2.000, ∞]"),
        (math.nan, math.nan, math.nan, "–"),
        (0.5, math.nan, math.nan, "0.500"),
        (-1e-9, -1.0, 1.0, "0.0 [-1.0, 1.0]"),
        (1.5e-9, 1.2e-9, 1.8e-9, "1.50e-09 [1.20e-09, 1.80e-09]"),
    ],
)
def test_numbers_are_written_to_their_uncertainty(value: float, low: float, high: float, text: str) -> None:
    assert words.estimate(value, low, high) == text


def test_visible_shows_what_hides_and_keeps_what_joins() -> None:
    assert words.visible("a\x00b\u2066c\nd\udc80") == "a⟨U+0000⟩b⟨U+2066⟩c⟨U+000A⟩d⟨U+DC80⟩"
    family = "\N{MAN}\u200d\N{WOMAN}"
    assert words.visible(family) == family
    assert words.visible("pay\u200dpal") == "pay⟨U+200D⟩pal"


def test_escape_covers_attributes() -> None:
    assert render.escape("\" onmouseover='x' <") == "&quot; onmouseover=&#x27;x&#x27; &lt;"


def test_merged_cells_span_rows_within_their_left_neighbours() -> None:
    table = Table(
        [
            render.text_column("a", ["x", "x", "y"], header=True, merge=True),
            render.text_column("b", ["1", "1", "1"], header=True, merge=True),
            render.text_column("c", ["p", "q", "r"]),
        ]
    )
    assert table.to_html().count('rowspan="2"') == 2
    assert table.to_text().splitlines()[2:] == ["x  1  p", "      q", "y  1  r"]
    assert table.to_markdown().count("| x | 1 |") == 2


def test_groups_are_headings_over_their_columns() -> None:
    columns = [render.text_column("sex", ["F"], header=True)]
    for group in ("recall", "f1"):
        columns += [
            render.estimate_column(model, np.array([0.5]), np.array([0.4]), np.array([0.6]), group=group)
            for model in "ab"
        ]
    table = Table(columns)
    markup = table.to_html()
    assert '<th scope="colgroup" colspan="4" class="dfe-g dfe-over">recall</th>' in markup
    assert '<th scope="col" rowspan="2"' in markup
    assert table.to_text().splitlines()[0].split() == ["recall", "f1"]
    assert "| sex | recall a | recall b | f1 a | f1 b |" in table.to_markdown()


def test_text_is_aligned_by_decimal_point_and_by_wide_characters() -> None:
    column = render.estimate_column(
        "v", np.array([0.5, 10.25]), np.array([0.4, 10.24]), np.array([0.6, 10.26]), flags=["", "higher"]
    )
    text = Table([render.text_column("名前", ["日本", "ab"], header=True), column]).to_text().splitlines()
    assert text[2:] == ["日本   0.50  [0.40, 0.60]", "ab    10.250 [10.240, 10.260] ▲"]


def test_whisker_draws_interval_value_and_reference_on_its_axis() -> None:
    svg = whisker(0.5, 0.25, 0.75, (0.0, 1.0), 0.25)
    assert 'cx="42.0"' in svg
    assert "M23.5 7.0H60.5" in svg
    assert "M23.5 0V14" in svg
    assert 'aria-hidden="true"' in svg


def test_whisker_points_beyond_its_axis() -> None:
    inside = whisker(0.5, 0.25, 0.75, (0.0, 1.0))
    beyond = whisker(0.5, 0.25, 7.5, (0.0, 1.0))
    assert beyond.count("l") == inside.count("l") + 2
    assert "H79.0" in beyond


@pytest.mark.parametrize(
    ("value", "axis"), [(math.nan, (0, 1)), (0.5, (1, 1)), (0.5, (math.nan, 1)), (math.inf, (0, 1))]
)
def test_whisker_of_nothing_is_empty(value: float, axis: tuple[float, float]) -> None:
    assert whisker(value, 0.0, 1.0, axis) == ""


def test_long_names_are_shortened_with_the_whole_name_at_hand() -> None:
    name = "a" * 100 + "b" * 100
    markup = Table([render.text_column("x", [name], header=True)]).to_html()
    assert f'title="{name}"' in markup
    assert f">{'a' * 32}…{'b' * 32}<" in markup


def test_cells_break_into_lines_only_where_the_column_says_so() -> None:
    table = Table([render.text_column("rule", ["a b"], header=True, wrap=True), render.text_column("cohort", ["c d"])])
    shown = table.to_html()
    assert '<th scope="col" class="dfe-p">rule</th>' in shown
    assert '<th scope="row" class="dfe-p">a b</th>' in shown
    assert "<td>c d</td>" in shown
    assert "td.dfe-p{white-space:normal" in shown


def test_page_forbids_scripts_and_requests() -> None:
    page = render.page("<t>", "<p>x</p>")
    assert "default-src 'none'" in page
    assert "<title>&lt;t&gt;</title>" in page
    assert "color-scheme:light dark" in page


def test_an_interval_whose_width_is_rounding_does_not_say_how_many_places() -> None:
    assert words.estimate(0.97, 0.9699999999999999, 0.9700000000000001) == "0.970 [0.970, 0.970]"
    assert words.estimate(0.97, 0.96999, 0.97001) == "0.970000 [0.969990, 0.970010]"


class _Typeset(HTMLParser):
    """Texts that MathJax would read: outside the tags that it skips and the classes by which it leaves elements alone."""

    _SKIPPED = frozenset({"script", "noscript", "style", "textarea", "pre", "code"})
    _VOID = frozenset({"img", "br", "meta", "path", "circle", "rect", "line", "input", "hr"})

    def __init__(self, ignored: str) -> None:
        super().__init__()
        self.ignored, self.inside, self.read = ignored, [False], list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self._VOID:
            alone = tag in self._SKIPPED or self.ignored in (dict(attrs).get("class") or "").split()
            self.inside.append(self.inside[-1] or alone)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self._VOID:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if not self.inside[-1]:
            self.read.append(data)


@pytest.mark.parametrize("ignored", ["tex2jax_ignore", "mathjax_ignore"])  # MathJax 2 (nbconvert's pages), and 3
def test_dollars_in_names_are_no_formulas(ignored: str) -> None:
    frame = pd.DataFrame({"y": [0, 1] * 60, "p": np.linspace(0, 1, 120), "g": ["cost $x^2$", r"\(y\) $1 to $2"] * 60})
    evaluation = dfevals.evaluate(frame, y_true="y", y_score={"model $m$": "p"}, cohorts=["g"])
    shown = [
        evaluation,
        evaluation.metrics(by="g"),
        evaluation.confusion(by="g"),
        evaluation.gate([dfevals.Gate("recall", ">=", 0)], by="g"),
    ]
    pages = [one._repr_html_() for one in shown] + [str(evaluation.explore(by="g").to_html())]
    assert all("$" in page for page in pages[:3])
    assert r"cost \$x^2\$" in evaluation.metrics(by="g").to_markdown()
    for page in pages:
        reader = _Typeset(ignored)
        reader.feed(page)
        assert reader.inside == [False]
        assert not [text for text in reader.read if "$" in text or "\\(" in text]
