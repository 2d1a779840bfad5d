"""Slices: the searched family against brute force, values against cohorts, and what is left out, merged and refused."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals import Outcome
from dfevals.exceptions import CohortError, DataError, DfevalsError, ExpressionError, MetricError, RoleError
from dfevals.expressions import parse

RNG = np.random.default_rng(0)
N = 1500


def rows(n: int = N, seed: int = 0) -> pd.DataFrame:
    """Rows with columns of every kind, two classifiers, clusters and weights; `a` fails for young rows of kind u."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "kind": pd.Categorical(np.array(["u", "v", "w"])[rng.integers(0, 3, n)]),
            "age": rng.integers(18, 80, n),
            "size": rng.lognormal(0, 1, n),
            "flag": rng.random(n) < 0.3,
            "y": rng.integers(0, 2, n),
            "who": rng.integers(0, n // 8, n),
            "w": rng.gamma(2, 1, n),
            "k": rng.integers(1, 4, n),
        }
    )
    frame["kind"] = frame["kind"].where(rng.random(n) > 0.1)
    frame.loc[rng.random(n) < 0.05, "size"] = np.nan
    hard = (frame["kind"] == "u") & (frame["age"] < 40)
    for name, rate in (("a", np.where(hard, 0.45, 0.1)), ("b", 0.15)):
        frame[name] = np.where(rng.random(n) < rate, 1 - frame["y"], frame["y"])
        frame[f"p_{name}"] = np.clip(frame[name] * 0.6 + 0.2 + rng.normal(0, 0.08, n), 0.01, 0.99)
    return frame


FRAME = rows()
FEATURES = ["kind", "age", "size", "flag"]
SEARCH: dict[str, Any] = {"features": FEATURES, "n_resamples": 40}


def evaluation(frame: pd.DataFrame = FRAME, **roles: Any) -> dfevals.Evaluation:
    return frame.evals(y_true="y", y_score={"a": "p_a", "b": "p_b"}, pos_label=1, **roles)


def selected(text: str, frame: pd.DataFrame = FRAME) -> np.ndarray[Any, Any]:
    return parse(text).mask(frame)


# The family


def parts(frame: pd.DataFrame) -> dict[str, dict[Any, pd.Series]]:
    """Disjoint conditions of every column, made by pandas from the edges that the slices name."""
    found: dict[str, dict[Any, pd.Series]] = {
        "kind": {value: frame["kind"] == value for value in "uvw"} | {"<NA>": frame["kind"].isna()},
        "flag": {value: frame["flag"] == value for value in (True, False)},
    }
    for name in ("age", "size"):
        texts = {text for text in slices_of(frame)["slice"] if name in text and "and" not in text}
        found[name] = {text: pd.Series(selected(text, frame), frame.index) for text in texts}
        assert sum(mask.astype(int) for mask in found[name].values()).eq(1).all()
    return found


def slices_of(frame: pd.DataFrame, **options: Any) -> pd.DataFrame:
    asked = {"redundant": True, "min_n": 1, "min_share": 0.02, "inference": "bh", **SEARCH, **options}
    return evaluation(frame).slices(**asked).frame


def test_every_conjunction_is_found_with_its_rows_and_divergence() -> None:
    frame = slices_of(FRAME)
    wrong = FRAME["a"] != FRAME["y"]
    expected = {}
    conditions = parts(FRAME)
    for depth in (1, 2, 3):
        for names in combinations(conditions, depth):
            for masks in _product([list(conditions[name].values()) for name in names]):
                mask = np.logical_and.reduce(masks)
                if 0.02 * N <= mask.sum() < N:
                    expected[mask.tobytes()] = (int(mask.sum()), wrong[mask].mean() - wrong.mean())
    assert len(frame) == len(expected)
    for text, n, divergence in zip(frame["slice"], frame["n"], frame["divergence"], strict=True):
        assert (n, pytest.approx(divergence, abs=1e-9)) == expected.pop(selected(text).tobytes())
    assert not expected


def _product(lists: list[list[Any]]) -> list[list[Any]]:
    found: list[list[Any]] = [[]]
    for options in lists:
        found = [[*before, option] for before in found for option in options]
    return found


@pytest.mark.parametrize("metric", ["error_rate", "accuracy", "recall", "fpr", "precision", "log_loss", "brier"])
@pytest.mark.parametrize(
    "roles", [{}, {"sample_weight": "w"}, {"sample_weight": "k", "weight_kind": "frequency"}, {"cluster": "who"}]
)
def test_values_and_differences_are_those_of_the_same_cohorts(metric: str, roles: dict[str, Any]) -> None:
    ev = evaluation(**roles)
    result = ev.slices(metric, max_depth=2, **SEARCH, direction="both", top=12)
    cohorts = ev.metrics(metric, by=result.by, models="a", relative_to="complement").frame
    cohorts = cohorts[~cohorts["is_overall"]].reset_index(drop=True)
    names = ["value", "difference", "n", "support"]
    if not roles or (roles == {"sample_weight": "w"} and metric in ("log_loss", "brier")):
        names += ["ci_low", "ci_high", "difference_low", "difference_high"]
    if roles == {"sample_weight": "w"}:
        names.remove("support")  # here the rows that count, there their weight
    for name in names:
        np.testing.assert_allclose(result.frame[name], cohorts[name], rtol=1e-6, atol=1e-9, err_msg=name)
    for text, n in zip(result.frame["slice"], result.frame["n"], strict=True):
        count = FRAME["k"] if "weight_kind" in roles else pd.Series(1, FRAME.index)
        assert count[selected(text)].sum() == n


def test_regressions_multiclass_and_outcomes() -> None:
    rng = np.random.default_rng(1)
    frame = FRAME.assign(t=rng.normal(size=N), c=np.array(list("xyz"))[rng.integers(0, 3, N)])
    frame["d"] = np.where(rng.random(N) < 0.3, "x", frame["c"])
    frame["q"] = frame["t"] + rng.normal(size=N) * np.where(frame["kind"] == "w", 3, 1)
    frame["ok"] = np.where(rng.random(N) < 0.1, None, np.where(frame["flag"], "fail", "pass"))
    for ev, metric, values in (
        (frame.evals(y_true="t", y_pred="q"), None, (frame["q"] - frame["t"]).abs()),
        (frame.evals(y_true="t", y_pred="q"), "mse", (frame["q"] - frame["t"]) ** 2),
        (frame.evals(y_true="c", y_pred="d"), "error_rate", (frame["c"] != frame["d"]).astype(float)),
        (frame.evals(outcomes=["ok"]), None, frame["ok"].map({"fail": 1.0, "pass": 0.0})),
        (frame.evals(outcomes=[Outcome("size", better="lower")]), "mean", frame["size"]),
    ):
        found = ev.slices(metric, features=["kind", "age", "flag"], n_resamples=40, max_depth=2).frame
        assert len(found)
        for text, value, support in found[["slice", "value", "support"]].head(5).itertuples(index=False):
            mask = selected(text, frame)
            assert value == pytest.approx(values[mask].mean())
            assert support == values[mask].notna().sum()


def test_a_model_against_its_baseline() -> None:
    ev = evaluation()
    found = ev.slices("error_rate", model="a", baseline="b", **SEARCH).frame
    gap = (FRAME["a"] != FRAME["y"]).astype(float) - (FRAME["b"] != FRAME["y"])
    first = found.iloc[0]
    assert "kind == 'u'" in first["slice"]
    assert first["verdict"] == "worse"
    mask = selected(first["slice"])
    assert first["value"] == pytest.approx(gap[mask].mean())
    assert first["difference"] == pytest.approx(gap[mask].mean() - gap[~mask].mean())
    assert ev.slices("error_rate", baseline="b", **SEARCH).frame.equals(found)
    long = pd.concat([FRAME.assign(case=FRAME.index, m=name, said=FRAME[name]) for name in "ab"], ignore_index=True)
    paired = long.evals(y_true="y", y_pred="said", model="m", id="case").slices(baseline="b", model="a", **SEARCH).frame
    np.testing.assert_allclose(paired[["n", "value", "difference"]], found[["n", "value", "difference"]])
    with pytest.raises(DataError, match="id="):
        long.evals(y_true="y", y_pred="said", model="m").slices(baseline="b", model="a")
    with pytest.raises(MetricError, match="other rows for each model"):
        ev.slices("precision", baseline="b")
    with pytest.raises(RoleError, match="no model 'c'"):
        ev.slices(baseline="c", model="a")


def test_one_model_of_a_long_frame_and_one_release() -> None:
    long = pd.concat([FRAME.assign(m=name, said=FRAME[name]) for name in "ab"], ignore_index=True)
    wide = FRAME.evals(y_true="y", y_pred="b").slices(**SEARCH).frame
    for roles in ({"model": "m"}, {"release": "m"}):
        found = long.evals(y_true="y", y_pred="said", **roles).slices(model="b", **SEARCH).frame
        assert found["slice"].tolist() == wide["slice"].tolist()
        assert found["n"].tolist() == wide["n"].tolist()


# What is said of a slice


def test_the_planted_slice_comes_first_and_alone() -> None:
    twin = FRAME.assign(age_in_months=FRAME["age"] * 12 + 1, copy=FRAME["kind"])
    ev = evaluation(twin)
    result = ev.slices(features=[*FEATURES, "age_in_months", "copy"], bins=3, n_resamples=99)
    sure = result.frame[result.frame["p_corrected"] <= 0.05]
    assert len(sure) == 1
    hard = (FRAME["kind"] == "u") & (FRAME["age"] < 40)
    mask = selected(sure["slice"].iloc[0], twin)
    assert (mask & hard).sum() / (mask | hard).sum() > 0.85
    assert sure["share_of_errors"].iloc[0] == pytest.approx(
        (FRAME["a"] != FRAME["y"])[mask].sum() / (FRAME["a"] != FRAME["y"]).sum()
    )
    assert len(result.merged)
    assert set(result.merged["explained_by"]) <= set(result.frame["slice"])
    assert len(ev.slices(features=[*FEATURES, "age_in_months", "copy"], bins=3, n_resamples=99, redundant=True)) > 100


def test_contributions_add_up_to_the_divergence() -> None:
    result = evaluation().slices(**SEARCH)
    total = result.conditions.groupby("slice")["contribution"].sum()
    for text, divergence in zip(result.frame["slice"], result.frame["divergence"], strict=True):
        assert total[text] == pytest.approx(divergence)
    text = next(t for t, d in zip(result.frame["slice"], result.frame["depth"], strict=True) if d == 2)
    one, two = text.split(" and ")
    wrong = (FRAME["a"] != FRAME["y"]).to_numpy()

    def of(expression: str) -> float:
        return float(wrong[selected(expression)].mean() - wrong.mean())

    shares = result.conditions.set_index(["slice", "condition"])["contribution"][text]
    assert shares[one] == pytest.approx((of(one) + of(text) - of(two)) / 2)


def test_overlaps_are_shared_rows() -> None:
    result = evaluation().slices(**SEARCH, top=6)
    masks = [selected(text) for text in result.frame["slice"]]
    for i, j in combinations(range(len(masks)), 2):
        assert result.overlaps.iloc[i, j] == pytest.approx((masks[i] & masks[j]).sum() / (masks[i] | masks[j]).sum())
    above = np.zeros(N, bool)
    for mask, share in zip(masks, result.frame["overlap"], strict=True):
        assert share == pytest.approx((mask & above).sum() / mask.sum())
        above |= mask


def test_the_map_covers_errors_greedily() -> None:
    result = evaluation().slices(**SEARCH)
    found = result.map(3).frame
    wrong = (FRAME["a"] != FRAME["y"]).to_numpy()
    every = evaluation().slices(**SEARCH, redundant=True).frame
    sure = every[(every["p_corrected"] <= 0.05) & (every["difference"] > 0)]
    masks = {text: selected(text) for text in sure["slice"]}
    best = max(masks, key=lambda text: wrong[masks[text]].sum() - wrong.mean() * masks[text].sum())
    assert found["slice"].iloc[0] == best
    covered = np.zeros(N, bool)
    for text, errors, rows_ in found[["slice", "errors_covered", "rows_covered"]].itertuples(index=False):
        covered |= masks[text]
        assert errors == pytest.approx(wrong[covered].sum() / wrong.sum())
        assert rows_ == pytest.approx(covered.mean())


def test_the_tree_measures_on_rows_that_did_not_divide() -> None:
    result = evaluation().slices(**SEARCH)
    tree = result.tree(2).frame
    masks = [selected(text) for text in tree["slice"]]
    assert np.add.reduce([mask.astype(int) for mask in masks]).tolist() == [1] * N
    assert [mask.sum() for mask in masks] == tree["n"].tolist()
    assert tree["n_measured"].sum() == pytest.approx(N / 2, abs=1)
    assert "kind == 'u'" in tree["slice"].iloc[0]
    assert tree["verdict"].iloc[0] == "worse"
    clustered = evaluation(cluster="who").slices(**SEARCH).tree(2).frame
    assert clustered["n_measured"].sum() < N


def test_an_honest_tree_of_noise_finds_nothing() -> None:
    found = 0
    for seed in range(20):
        frame = rows(600, seed)
        frame["b"] = np.where(np.random.default_rng(seed).random(600) < 0.3, 1 - frame["y"], frame["y"])
        tree = frame.evals(y_true="y", y_pred="b").slices(**SEARCH).tree().frame
        found += bool((tree["p_corrected"] <= 0.05).any())
    assert found <= 4


def test_pairs_are_joint_counts() -> None:
    result = evaluation().slices(**SEARCH)
    found = result.pairs()
    frame = found.frame
    assert frame.groupby(["column_a", "column_b"])["n"].sum().eq(N).all()
    part = frame.sample(20, random_state=0)
    for a, b, n, value in part[["condition_a", "condition_b", "n", "value"]].itertuples(index=False):
        mask = selected(f"({a}) and ({b})")
        assert mask.sum() == n
        assert value == pytest.approx((FRAME["a"] != FRAME["y"])[mask].mean(), nan_ok=True)
    grid = found.grid("flag", "kind", "n")
    assert grid.loc["flag == True", "kind == 'u'"] == (FRAME["flag"] & (FRAME["kind"] == "u")).sum()
    assert found.grid("kind", "flag", "n").T.equals(grid)
    with pytest.raises(DataError, match="no pair"):
        found.grid("flag", "nothing")


# Inside and outside


def test_inside_a_cohort() -> None:
    ev = evaluation()
    found = ev.slices("recall", within="flag == True", features=["kind", "age"], n_resamples=40)
    inside = ev.where("flag == True").slices("recall", features=["kind", "age"], n_resamples=40)
    assert found.frame["n"].tolist() == inside.frame["n"].tolist()
    for text, n in zip(found.frame["slice"], found.frame["n"], strict=True):
        assert selected(text).sum() == n
    assert parse(found.map(2).frame["slice"].iloc[0]) if len(found.map(2)) else True
    mask = FRAME["flag"]
    assert (
        ev.slices("recall", within=mask, features=["kind", "age"], n_resamples=40).frame["n"].equals(found.frame["n"])
    )


def test_direction_and_top() -> None:
    ev = evaluation()
    worse, better = ev.slices(**SEARCH).frame, ev.slices(**SEARCH, direction="better").frame
    assert (worse["difference"] > 0).all()
    assert (better["difference"] < 0).all()
    assert len(ev.slices(**SEARCH, top=3)) == 3
    recall = ev.slices("recall", **SEARCH).frame
    assert (recall["difference"] < 0).all()
    assert recall["share_of_errors"].between(0, 1).all()


def test_slices_are_cohorts_in_the_explorer_and_in_every_question() -> None:
    result = evaluation().slices(**SEARCH, top=2)
    assert list(result.explore().state["by"]) == result.frame["slice"].tolist()
    assert (
        evaluation().metrics("accuracy", by=result.by, models="a").frame["n"].tolist()[1:] == result.frame["n"].tolist()
    )


def test_the_seed_decides() -> None:
    ev = evaluation()
    one, two = (ev.slices(**SEARCH, random_state=3).frame for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    shuffled = evaluation(FRAME.sample(frac=1, random_state=0)).slices(**SEARCH, random_state=3).frame
    pd.testing.assert_frame_equal(shuffled[["slice", "n", "value"]], one[["slice", "n", "value"]])


# Columns


def test_columns_of_every_kind_are_conditions_that_select_their_rows() -> None:
    rng = np.random.default_rng(2)
    n = 800
    frame = pd.DataFrame(
        {
            "y": rng.integers(0, 2, n),
            "a b`c": rng.normal(size=n),
            "text": ["some words that are prose " + "x" * i for i in rng.integers(1, 60, n)],
            "at": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "maybe": pd.array(rng.integers(0, 2, n), "boolean"),
            "whole": pd.array(rng.integers(0, 100, n), "Int64"),
            "zeros": np.where(rng.random(n) < 0.85, 0.0, rng.gamma(2, 1, n)),
            "quote": np.array(["it's", 'so "x"', "a and b", "<b>", "\n"])[rng.integers(0, 5, n)],
            "few": rng.integers(0, 4, n),
            "small": rng.random(n).astype(np.float32),
            "mixed": pd.Series(np.array([1, "1", None], dtype=object)[rng.integers(0, 3, n)], dtype=object),
        }
    )
    for name in ("text", "maybe", "whole", "at"):
        frame.loc[rng.random(n) < 0.1, name] = None if name == "text" else pd.NA if name != "at" else pd.NaT
    frame["p"] = np.where(rng.random(n) < 0.2, 1 - frame["y"], frame["y"])
    ev = frame.evals(y_true="y", y_pred="p")
    found = ev.slices(redundant=True, inference="bh", max_depth=2, min_n=5)
    assert {f.name for f in found._found.run.features.used} == set(frame.columns) - {"y", "p"}
    for text, rows_ in zip(found.frame["slice"], found.frame["n"], strict=True):
        assert selected(text, frame).sum() == rows_
    for name, condition in (("text", "len(text)"), ("at", "<= at <"), ("zeros", "zeros <"), ("whole", "isna(whole)")):
        assert found.frame["slice"].str.contains(condition, regex=False).any(), name
    for text, rows_ in zip(*found.tree(3).frame[["slice", "n"]].T.to_numpy().tolist(), strict=True):
        assert selected(text, frame).sum() == rows_
    asked = ev.slices(
        features=[dfevals.bins("whole", [30, 60]), dfevals.top("quote", 2)], inference="bh", redundant=True
    ).frame
    assert any("30 <= whole < 60" in text for text in asked["slice"])
    assert any("not in" in text for text in asked["slice"])


def test_columns_that_cannot_be_searched_are_named_with_the_reason() -> None:
    frame = FRAME.assign(
        same=1,
        nothing=np.nan,
        row=np.arange(N)[::-1],
        name=[f"r{i}" for i in range(N)],
        vectors=[[1, 2]] * N,
        took=pd.to_timedelta(np.arange(N), unit="s"),
        answer=FRAME["y"],
    )
    result = evaluation(frame, id="name").slices(inference="bh", max_depth=1)
    notes = " ".join(result.notes)
    for words in (
        "constant: same",
        "all missing: nothing",
        "another value in every row: row",
        "cannot be grouped: vectors",
        "durations",
    ):
        assert words in notes
    assert "answer gives the label away" in notes
    assert not any("name" in text for text in result.frame["slice"])
    leaky = evaluation(frame).slices(features=["answer", "kind"], inference="bh", redundant=True, max_depth=1).frame
    assert leaky.loc[leaky["slice"].str.contains("answer"), "note"].str.contains("gives the label away").all()
    scores = frame.assign(answer=frame["y"] + np.linspace(0, 0.5, N))
    assert "answer gives the label away" in " ".join(evaluation(scores).slices(inference="bh", max_depth=1).notes)


def test_two_hundred_columns() -> None:
    rng = np.random.default_rng(0)
    wide = (
        pd.DataFrame(rng.normal(size=(600, 200)))
        .add_prefix("x")
        .assign(y=rng.integers(0, 2, 600), p=rng.integers(0, 2, 600))
    )
    result = wide.evals(y_true="y", y_pred="p").slices(n_resamples=20, min_share=0.05)
    assert "200 columns have too many conjunctions of 3 conditions" in " ".join(result.notes)
    assert result.frame["depth"].max() <= 2


def test_little_data_and_nothing_to_find_are_answered_in_words() -> None:
    assert "No slice has at least 30 rows" in " ".join(evaluation(FRAME.head(20)).slices().notes)
    perfect = FRAME.assign(a=FRAME["y"])
    result = perfect.evals(y_true="y", y_pred="a").slices(features=FEATURES)
    assert len(result) == 0
    assert "error_rate is 0 in every row" in " ".join(result.notes)
    assert len(result.map()) == 0
    assert "no slices" in [text.get_text() for text in result.plot().texts]
    for text in (str(result), result._repr_html_(), result.to_markdown()):
        assert "in every row" in text
    with pytest.raises(DataError, match="No row"):
        evaluation().where("age > 900").slices()
    with pytest.raises(CohortError, match="no column to search"):
        FRAME[["y", "a"]].evals(y_true="y", y_pred="a").slices()


def test_no_slice_on_the_side_asked_for_and_numbers_beyond_all_range() -> None:
    frame = FRAME.assign(
        g=np.arange(N) % 2, a=np.where(np.arange(N) % 4 < 2, FRAME["y"], 1 - FRAME["y"]), each=np.arange(N)
    )
    ev = frame.evals(y_true="y", y_pred="a", cluster="each")
    assert ev.slices(features="g", n_resamples=20).frame.empty
    huge = FRAME.assign(t=1e200, q=-1e200).evals(y_true="t", y_pred="q")
    with pytest.raises(DataError, match="range of numbers"):
        huge.slices(features="kind")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"metric": "roc_auc"}, MetricError, "no average over rows"),
        ({"metric": "f1"}, MetricError, "no average over rows"),
        ({"metric": ["recall", "accuracy"]}, MetricError, "one metric"),
        ({"metric": "recal"}, MetricError, "recall"),
        ({"features": "knd"}, CohortError, "kind"),
        ({"features": []}, CohortError, "empty list"),
        ({"model": "c"}, DfevalsError, "'a'"),
        ({"inference": "maxt"}, DataError, "max-t"),
        ({"direction": "up"}, DataError, "worse"),
        ({"max_depth": 0}, DataError, "max_depth=0"),
        ({"max_depth": 9}, DataError, "max_depth=9"),
        ({"min_n": -1}, DataError, "min_n=-1"),
        ({"min_share": 1.5}, DataError, "min_share=1.5"),
        ({"bins": 1}, DataError, "bins=1"),
        ({"top": 0}, DataError, "top=0"),
        ({"alpha": 2}, DataError, "alpha"),
        ({"within": "ag < 3"}, ExpressionError, "age"),
        ({"embeddings": "kind"}, DataError, "vectors"),
    ],
)
def test_wrong_questions(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        evaluation().slices(**{"features": FEATURES, **options})


def test_rows_that_cannot_be_judged_are_counted() -> None:
    frame = FRAME.astype({"y": "float"})
    frame.loc[:9, "y"] = np.nan
    result = evaluation(frame).slices(**SEARCH)
    assert "10 rows left out" in " ".join(result.notes)
    assert result.overall["n"] == N - 10
    text, n = result.frame[["slice", "n"]].iloc[0]
    assert selected(text, frame)[10:].sum() == n


# Embeddings


def test_topics_are_one_more_column() -> None:
    rng = np.random.default_rng(0)
    topic = rng.integers(0, 3, 900)
    centres = rng.normal(size=(3, 8)) * 4
    frame = pd.DataFrame({"y": rng.integers(0, 2, 900), "vector": list(centres[topic] + rng.normal(size=(900, 8)))})
    frame["prompt"] = [
        "please tell me about the " + ("refund money back", "weather and rain", "cooking pasta")[t] for t in topic
    ]
    frame["p"] = np.where(rng.random(900) < np.where(topic == 0, 0.5, 0.1), 1 - frame["y"], frame["y"])
    result = frame.evals(y_true="y", y_pred="p").slices(embeddings="vector", n_resamples=40, max_depth=1)
    assert result.topics["n"].sum() == 900
    first = result.frame.iloc[0]
    assert "refund" in first["slice"]
    joined = frame.assign(**{result.topic_of.name: result.topic_of})
    assert selected(first["slice"], joined).sum() == first["n"]
    nearest = result.topics.loc[result.topics["topic"].str.contains("refund"), "nearest"].iloc[0]
    assert all("refund" in frame.loc[i, "prompt"] for i in nearest)
    columns = frame["vector"].apply(pd.Series).add_prefix("e")
    other = frame.drop(columns="vector").join(columns).evals(y_true="y", y_pred="p")
    assert "refund" in other.slices(features="prompt", embeddings=list(columns), n_resamples=40).frame["slice"].iloc[0]
    with pytest.raises(DataError, match="at least 200"):
        frame.head(100).evals(y_true="y", y_pred="p").slices(embeddings="vector")
    with pytest.raises(DataError, match="no topics"):
        _ = evaluation().slices(**SEARCH).topics


def test_lengths_of_text_in_expressions() -> None:
    frame = pd.DataFrame({"t": ["a", "bbb", None], "n": [1, 2, 3]})
    for dtype in (object, "string", "category"):
        typed = frame.astype({"t": dtype})
        assert selected("len(t) >= 2", typed).tolist() == [False, True, False]
        assert selected("t.str.len() + n < 3", typed).tolist() == [True, False, False]
    for wrong in ("len(n) > 1", "len(t)", "len(t, 'a') > 1"):
        with pytest.raises(ExpressionError):
            selected(wrong, frame)


def test_charts_show_the_slices() -> None:
    result = evaluation().slices(**SEARCH, top=4)
    ax = result.plot()
    names = [label.get_text().replace("\nand", " and") for label in ax.get_yticklabels()]
    assert names == ["(overall)", *result.frame["slice"]]
    assert ax.get_xlabel().startswith("error_rate")
    covered = result.map(2)
    drawn = covered.plot()
    assert [bar.get_width() for bar in drawn.patches[: len(covered)]] == covered.frame["errors_covered"].tolist()
    leaves = result.tree(2)
    assert len(leaves.plot().get_yticklabels()) == len(leaves) + 1
