"""The Evaluation: a snapshot of rows that answers thinly and never changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import dfevals
from dfevals.exceptions import CohortError, RoleError
from dfevals.roles.records import COLUMN, RECORDS

ROLES: dict[str, Any] = {"y_true": "y", "y_score": {"m": "p", "n": "q"}}


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    y = rng.integers(0, 2, 300)
    return pd.DataFrame(
        {
            "y": y,
            "p": (rng.random(300) + y) / 2,
            "q": rng.random(300),
            "sex": rng.choice(["F", "M"], 300),
            "race": rng.choice(["x", "y", "z"], 300),
            "age": rng.integers(18, 80, 300),
        },
        index=np.arange(1000, 1300),
    )


def _change(frame: pd.DataFrame) -> None:
    frame.loc[:, "p"] = 0.5
    frame.loc[frame.index[:100], "y"] = 1
    frame["sex"] = "changed"
    frame.pop("q")
    frame.index = frame.index[::-1]


def test_later_changes_of_the_frame_do_not_reach_it(frame: pd.DataFrame) -> None:
    evaluation = frame.evals(**ROLES)
    before = frame.copy().evals(**ROLES).metrics(by="sex").frame
    _change(frame)
    pd.testing.assert_frame_equal(evaluation.metrics(by="sex").frame, before)


def test_changes_of_values_in_place_do_not_reach_it(frame: pd.DataFrame) -> None:
    evaluation = frame.evals(**ROLES)
    before = evaluation.metrics(by="sex").frame
    frame.iloc[:50, frame.columns.get_loc("p")] = 0.0
    frame.at[frame.index[3], "sex"] = "Q"
    pd.testing.assert_frame_equal(evaluation.metrics(by="sex").frame, before)
    assert "Q" not in evaluation.frame["sex"].tolist()


def test_its_frame_is_a_copy(frame: pd.DataFrame) -> None:
    evaluation = frame.evals(**ROLES)
    before = evaluation.metrics(by="sex").frame
    _change(evaluation.frame)
    pd.testing.assert_frame_equal(evaluation.metrics(by="sex").frame, before)
    assert frame["sex"].isin(["F", "M"]).all()


def test_where_by_expression_and_by_mask(frame: pd.DataFrame) -> None:
    evaluation = frame.evals(**ROLES)
    young = evaluation.where("age < 30 and sex == 'F'")
    mask = (frame["age"] < 30) & (frame["sex"] == "F")
    for other in (
        evaluation.where(mask),
        evaluation.where(mask.to_numpy()),
        evaluation.where("age < 30").where("sex == 'F'"),
    ):
        pd.testing.assert_frame_equal(other.metrics().frame, young.metrics().frame)
    assert len(young) == mask.sum()
    assert young.frame.index.tolist() == frame.index[mask].tolist()
    with pytest.raises(CohortError, match="another index"):
        evaluation.where(mask.reset_index(drop=True))


def test_where_keeps_the_meaning_of_all_rows(frame: pd.DataFrame) -> None:
    margins = frame.assign(p=frame["p"] * 4 - 2)
    part = margins.evals(y_true="y", y_score="p").where(margins["p"].between(0, 1) & (margins["y"] == 1))
    assert part.labels == (0, 1)
    assert part.metrics("selection_rate").frame["value"].item() == 1.0  # cut at 0, as margins are


def test_worst_rows_have_the_greatest_loss(frame: pd.DataFrame) -> None:
    worst = frame.evals(**ROLES).worst(20)
    p = np.where(frame["y"] == 1, frame["p"], 1 - frame["p"])
    loss = pd.Series(-np.log(np.clip(p, np.finfo(float).eps, None)), frame.index)
    assert_allclose(worst["loss"], np.sort(loss)[::-1][:20], rtol=1e-12)
    assert_allclose(worst["loss"], loss[worst.index], rtol=1e-12)
    pd.testing.assert_frame_equal(worst[frame.columns], frame.loc[worst.index])
    assert set(frame.evals(**ROLES).worst(5, model="n", where="sex == 'F'")["sex"]) == {"F"}
    assert len(frame.evals(**ROLES).worst(1000)) == 300


def test_worst_rows_of_a_regression_and_of_outcomes(frame: pd.DataFrame) -> None:
    worst = frame.evals(y_true="age", y_pred="q", task="regression").worst(3)
    assert_allclose(worst["loss"], np.sort((frame["age"] - frame["q"]).abs())[::-1][:3])
    assert frame.evals(outcomes=["p"]).worst(1).index[0] == frame["p"].idxmin()
    lower = dfevals.Outcome("p", better="lower")
    assert frame.evals(outcomes=[lower]).worst(1).index[0] == frame["p"].idxmax()


def test_worst_never_shows_a_row_that_cannot_be_judged(frame: pd.DataFrame) -> None:
    frame.loc[frame.index[:5], "p"] = np.nan
    assert not frame.evals(**ROLES).worst(300).index.isin(frame.index[:5]).any()


def test_confusion_counts_equal_crosstab(frame: pd.DataFrame) -> None:
    found = frame.evals(**ROLES).confusion(by="sex").frame
    assert {"y_true", "y_pred", "count", "share"} <= set(found.columns)
    for model, column in (("m", "p"), ("n", "q")):
        for sex in ("F", "M"):
            part = frame[frame["sex"] == sex]
            expected = pd.crosstab(part["y"], part[column] >= 0.5).to_numpy()
            mine = found[(found["model"] == model) & (found["sex"] == sex)]
            assert mine["count"].tolist() == expected.ravel().tolist()
            assert_allclose(mine["share"], (expected / expected.sum(axis=1, keepdims=True)).ravel())
    overall = found.query("is_overall and model == 'm'")
    assert overall["sex"].unique().tolist() == ["(overall)"]
    assert overall["count"].sum() == 300


def test_frame_of_metrics_follows_the_contract(frame: pd.DataFrame) -> None:
    found = frame.evals(**ROLES).metrics(["recall", "roc_auc"], by=["sex", dfevals.bins("age", [30, 50])]).frame
    columns = ["sex", "age", "model", "metric", "value", "ci_low", "ci_high", "n", "support", "method", "note"]
    assert found.columns.tolist() == [*columns, "is_overall", "flag"]
    assert found["is_overall"].sum() == 4
    assert set(found["age"]) == {"(overall)", "< 30", "[30, 50)", "≥ 50"}
    each = frame.evals(**ROLES).metrics("recall", by=dfevals.each("sex", "race")).frame
    assert set(each["sex"]) == {"(overall)", "(all)", "F", "M"}
    named = frame.evals(**ROLES).metrics("recall", by={"young": "age < 30", "old": frame["age"] > 60}).frame
    assert named["cohort"].unique().tolist() == ["(overall)", "young", "old"]
    assert named.query("cohort == 'young'")["n"].unique().tolist() == [(frame["age"] < 30).sum()]
    classes = frame.evals(**ROLES).metrics("recall", by_class=True).frame
    assert classes.columns.tolist().index("class") == classes.columns.tolist().index("metric") + 1


def test_name_of_the_only_model_is_its_column(frame: pd.DataFrame) -> None:
    assert frame.evals(y_true="y", y_score="p").metrics("recall").frame["model"].unique().tolist() == ["p"]
    guess = frame.assign(guess=1)
    assert guess.evals(y_true="y", y_pred="guess").metrics("recall").frame["model"].unique().tolist() == ["guess"]


def test_reserved_cohort_names_get_a_prefix(frame: pd.DataFrame) -> None:
    found = frame.assign(model=frame["sex"]).evals(**ROLES).metrics("recall", by="model").frame
    assert set(found["by_model"]) == {"(overall)", "F", "M"}
    assert set(found["model"]) == {"m", "n"}


def test_no_intervals_on_request(frame: pd.DataFrame) -> None:
    found = frame.evals(**ROLES).metrics(by="sex", ci=None).frame
    assert found[["ci_low", "ci_high"]].isna().all().all()
    assert found["value"].notna().all()


def test_level_widens_intervals(frame: pd.DataFrame) -> None:
    widths = [
        (f["ci_high"] - f["ci_low"]).to_numpy()
        for f in (frame.evals(**ROLES).metrics(ci=level).frame for level in (0.8, 0.95, 0.99))
    ]
    assert (widths[0] < widths[1]).all()
    assert (widths[1] < widths[2]).all()


@pytest.mark.parametrize("metric", ["recall", "f1", "roc_auc", "log_loss", "brier_skill"])
def test_difference_to_the_complement(frame: pd.DataFrame, metric: str) -> None:
    evaluation = frame.evals(**ROLES)
    found = evaluation.metrics(metric, by="race", relative_to="complement").frame
    for race in ("x", "y", "z"):
        rest = evaluation.where(f"race != '{race}'").metrics(metric).frame
        mine = found[found["race"] == race]
        assert_allclose(mine["reference"], rest["value"], rtol=1e-9)
        assert_allclose(mine["difference"], mine["value"].to_numpy() - rest["value"].to_numpy(), rtol=1e-9)
        assert (mine["difference_low"] <= mine["difference"]).all()
        assert (mine["difference"] <= mine["difference_high"]).all()
        assert (mine["p_value"] <= mine["p_corrected"]).all()
        outside = (mine["difference_low"] > 0) | (mine["difference_high"] < 0)
        assert (outside == (mine["p_value"] < 0.05)).all()


def test_difference_to_overall(frame: pd.DataFrame) -> None:
    found = frame.evals(**ROLES).metrics("recall", by="race", relative_to="overall").frame
    for model, rows in found.groupby("model"):
        overall = rows[rows["is_overall"]]["value"].item()
        assert_allclose(rows["difference"], rows["value"] - overall, atol=1e-12, err_msg=model)


def test_rare_cohorts_are_folded(frame: pd.DataFrame) -> None:
    frame.loc[frame.index[:3], "race"] = ["rare 1", "rare 2", "rare 2"]
    result = frame.evals(**ROLES).metrics("recall", by="race", min_n=10)
    folded = result.frame.query("model == 'm' and not is_overall")
    assert folded["n"].sum() == 300
    assert len(folded) == 4
    assert any("fold" in note for note in result.notes)


def test_bootstrap_is_reproducible_and_says_its_seed(frame: pd.DataFrame) -> None:
    evaluation = frame.evals(**ROLES)
    options = {"interval": "bootstrap", "n_resamples": 30}
    one, two = (evaluation.metrics(["recall", "roc_auc", "brier"], random_state=7, **options) for _ in range(2))
    pd.testing.assert_frame_equal(one.frame, two.frame)
    assert "random_state=7" in " ".join(one.notes)
    assert "random_state=" in " ".join(evaluation.metrics("recall", **options).notes)


@pytest.mark.parametrize("events", [0, 348, 2])
def test_bootstrap_of_few_events_is_marked_and_has_no_interval_without_width(events: int) -> None:
    frame = pd.DataFrame({"ok": np.arange(348) < events, "y": 1, "hit": np.arange(348) < events})
    passed = frame.evals(outcomes="ok").metrics("pass_rate", interval="bootstrap", n_resamples=200, random_state=0)
    truth = pd.concat([frame, frame.assign(y=0, hit=False)])
    recall = truth.evals(y_true="y", y_pred="hit").metrics("recall", interval="bootstrap", n_resamples=200)
    for row in (passed.frame.iloc[0], recall.frame.iloc[0]):
        assert "too few" in row["note"]
        assert np.isnan(row["ci_low"]) == (events != 2)
        assert ("resamples are all alike" in row["note"]) == (events != 2)


def test_a_tied_cohort_takes_the_interval_of_concordant_from_no_other() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"y": rng.integers(0, 2, 400), "c": np.repeat(["free", "tied"], 200)})
    frame["p"] = 1 / (1 + np.exp(-frame["y"] - rng.normal(size=400)))
    frame.loc[200:, "p"] = frame.loc[200:, "p"].round(1)
    evaluation = frame.evals(y_true="y", y_score="p")
    both = evaluation.metrics(["concordant", "roc_auc"], by="c").frame.set_index(["metric", "c"])
    columns = ["value", "ci_low", "ci_high"]
    np.testing.assert_allclose(
        both.loc[("concordant", "free"), columns].astype(float), both.loc[("roc_auc", "free"), columns].astype(float)
    )
    assert both.loc[("concordant", "free"), "note"] == ""
    assert np.isnan(both.loc[("concordant", "tied"), "ci_low"])
    assert "scores are tied" in both.loc[("concordant", "tied"), "note"]


def test_provenance_hashes_the_data_read(frame: pd.DataFrame) -> None:
    one = frame.evals(**ROLES).metrics(by="sex").provenance
    same = frame.astype({"sex": "category"}).evals(**ROLES).metrics(by="sex").provenance
    other = frame.assign(p=frame["p"] + 1e-9).evals(**ROLES).metrics(by="sex").provenance
    assert one["data_sha256"] == same["data_sha256"] != other["data_sha256"]
    assert one["rows_read"] == 300


SINGLE_ROLES = [role.name for role in RECORDS.values() if role.kind == COLUMN and role.name not in ("y_true", "model")]


def test_roles_of_one_column_are_known() -> None:
    assert {"sample_weight", "cluster", "unit", "id", "fold", "repeat", "time", "release"} <= set(SINGLE_ROLES)


@pytest.mark.parametrize("role", [*SINGLE_ROLES, "cohorts"])
def test_the_hash_of_the_data_reads_every_role(frame: pd.DataFrame, role: str) -> None:
    before = frame.assign(x=np.arange(300) % 3 + 1, unused=0)
    after = before.assign(x=before["x"].where(before.index != 1007, 9))

    def sha(rows: pd.DataFrame, **roles: Any) -> str:
        roles |= {"cluster": "unused"} if "repeat" in roles else {}  # repeats of unknown rows have no intervals
        return str(
            rows.evals(y_true=ROLES["y_true"], y_score="p", pos_label=1, **roles)
            .metrics("recall")
            .provenance["data_sha256"]
        )

    assert sha(before, **{role: "x"}) != sha(after, **{role: "x"})
    assert sha(before) == sha(after) == sha(before.assign(unused=1))


def test_the_hash_knows_outcomes_their_errors_and_long_integers(frame: pd.DataFrame) -> None:
    base = frame.assign(s=1.5, s_error=None, key=2**53)

    def sha(rows: pd.DataFrame) -> str:
        outcome = dfevals.Outcome("s", error_column="s_error")
        return str(rows.evals(outcomes=[outcome], cluster="key").metrics().provenance["data_sha256"])

    changed = [base.assign(s=2.5), base.assign(s_error="time out"), base.assign(key=2**53 + 1)]
    assert len({sha(base), *map(sha, changed)}) == 4


def test_models_are_chosen_by_name(frame: pd.DataFrame) -> None:
    evaluation = frame.evals(**ROLES)
    assert evaluation.metrics("recall", models="n").frame["model"].tolist() == ["n"]
    assert evaluation.metrics("recall", models=["n", "m"]).frame["model"].tolist() == ["n", "m"]


def test_masks_in_a_dict_are_read_when_asked(frame: pd.DataFrame) -> None:
    evaluation = frame.evals(**ROLES)
    mask = (frame["age"] < 30).to_numpy().copy()
    first = evaluation.metrics("recall", by={"young": mask}).frame
    mask[:] = False
    second = evaluation.metrics("recall", by={"young": mask}).frame
    assert first.query("cohort == 'young'")["n"].iloc[0] > 0
    assert second.query("cohort == 'young'")["n"].iloc[0] == 0


@pytest.mark.parametrize("metric", ["accuracy", "recall", "f1", "roc_auc"])
def test_difference_to_the_complement_is_that_of_a_comparison(frame: pd.DataFrame, metric: str) -> None:
    evaluation = frame.evals(**ROLES)
    found = evaluation.metrics(metric, by="race", relative_to="complement").frame
    found = found[~found["is_overall"]].sort_values(["model", "race"])
    compared = evaluation.compare(by="race", against="complement", metrics=[metric]).frame
    compared = compared.assign(model=compared["a"].str[-2]).sort_values(["model", "race"])
    for mine, theirs in (("difference_low", "ci_low"), ("difference_high", "ci_high"), ("p_value", "p_value")):
        assert compared[theirs].notna().all()
        assert_allclose(found[mine], compared[theirs], rtol=1e-9)


def test_provenance_says_what_was_left_out_and_how_intervals_were_made(frame: pd.DataFrame) -> None:
    gone = frame.assign(p=frame["p"].mask(np.arange(len(frame)) < 3))
    made = (
        gone.evals(y_true="y", y_score="p").metrics("recall", ci=0.9, interval="bootstrap", random_state=7).provenance
    )
    assert "3 missing y_score (p)" in made["rows_dropped"]
    assert (made["level"], made["interval"], made["n_resamples"], made["random_state"]) == (0.9, "bootstrap", 1000, 7)
    plain = gone.evals(y_true="y", y_score="p").metrics("recall").provenance
    assert plain["interval"] == "auto"
    assert "random_state" not in plain


def test_folds_keep_their_names_beside_missing_ones(frame: pd.DataFrame) -> None:
    folds = pd.Series(np.arange(len(frame)) % 4, index=frame.index, dtype=float).mask(np.arange(len(frame)) < 8)
    found = frame.assign(f=folds).evals(y_true="y", y_score="p", fold="f").folds(metrics=["accuracy"])
    assert set(found.frame["fold"]) == {"0", "1", "2", "3"}


def test_worst_says_which_rows_have_no_loss() -> None:
    df = pd.DataFrame({"y": [0, 1, None, 1, 0], "p": [0.2, 0.9, 0.4, None, 0.7]})
    found = df.evals(y_true="y", y_score="p").worst(2)
    assert found.index.tolist() == [4, 0]
    assert found.attrs["left_out"] == "p: 2 rows left out: 1 missing y_true (y); 1 missing y_score (p)."
    assert "left_out" not in df.dropna().evals(y_true="y", y_score="p").worst(2).attrs


def test_roles_passed_on_keep_the_class_of_their_scores() -> None:
    """The score of "bad" is not that of "good": refused also on a frame that has no record of its own."""
    df = pd.DataFrame({"y": ["bad", "good"] * 10, "p": np.linspace(0.05, 0.95, 20)})
    roles = df.evals(y_true="y", y_score="p", pos_label="bad").roles
    other = df.sample(frac=1, random_state=0)
    assert other.evals(roles).pos_label == "bad"
    for ask in (lambda: other.evals(roles, pos_label="good"), lambda: dfevals.evaluate(other, roles, pos_label="good")):
        with pytest.raises(RoleError, match="recorded as the score of 'bad'"):
            ask()


def test_a_number_without_an_interval_says_why() -> None:
    """Perfect forecasts: R² and r have no sampling error to show."""
    df = pd.DataFrame({"y": np.arange(40.0), "p": np.arange(40.0)})
    found = df.evals(y_true="y", y_pred="p").metrics(["r2", "pearson_r", "explained_variance", "mae", "rmse"]).frame
    assert found["ci_low"].isna().all()
    assert found["note"].str.contains("no interval").all()


def test_clusters_of_one_class_warn_of_nothing() -> None:
    """The skill of a model without a second class to tell apart: no number, its reason, and no warning of numpy's."""
    df = pd.DataFrame({"y": [1] * 12, "p": np.linspace(0.2, 0.9, 12), "c": [0, 1, 2] * 4, "flat": 0.5})
    found = df.evals(y_true="y", y_score="p", labels=[0, 1], cluster="c").metrics("brier_skill").frame
    assert found["value"].isna().all()
    assert found["note"].item() == "only one class"
    both = df.assign(y=[0, 1] * 6).evals(y_true="y", y_score="flat").metrics("ks").frame
    assert both["value"].item() == 0
    assert both["ci_low"].isna().all() == both["note"].str.contains("no interval").all()
