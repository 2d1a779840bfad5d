"""Every shipped dataset: readable with pandas alone, as its description says, and as good as published."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score

from dfevals import datasets
from dfevals.datasets import Column, Dataset
from dfevals.exceptions import DataError, DfevalsError

SHAPES = {
    "adult": (48842, 19),
    "ames": (2930, 77),
    "bank": (41188, 24),
    "bfcl": (1240, 8),
    "bike": (17379, 22),
    "cifar10": (10000, 12),
    "credit": (1000, 26),
    "frank": (2246, 42),
    "halueval": (4507, 6),
    "halueval_qa": (500, 4),
    "hpc_cv": (3467, 7),
    "imdb": (25000, 2),
    "jailbreak": (1800, 15),
    "newsgroups": (7532, 21),
    "raters": (3200, 11),
    "refchecker": (2100, 12),
    "spans": (10, 12),
    "taubench": (200, 12),
}
DATA = Path(datasets.__file__).parent / "data"
OUT_OF_FOLD = [  # dataset, label, positive class, score, plausible range of the ROC AUC
    ("adult", "income", ">50K", "p_gbm", 0.925, 0.935),
    ("adult", "income", ">50K", "p_logistic", 0.90, 0.912),
    ("bank", "y", "yes", "p_gbm", 0.795, 0.815),
    ("bank", "y", "yes", "p_forest", 0.785, 0.81),
    ("bank", "y", "yes", "p_logistic", 0.78, 0.80),
    ("credit", "class", "bad", "p_gbm", 0.77, 0.82),
    ("credit", "class", "bad", "p_forest", 0.77, 0.82),
    ("credit", "class", "bad", "p_logistic", 0.77, 0.82),
]


def test_the_listing_has_every_dataset_with_its_shape() -> None:
    table = datasets.list()
    assert table.columns.tolist() == ["name", "task", "rows", "columns", "used_for", "licence", "roles"]
    listed = {row["name"]: (row["rows"], row["columns"]) for row in table.to_dict("records")}
    assert listed == SHAPES


@pytest.mark.parametrize("name", SHAPES)
def test_the_frame_is_as_its_description_says(name: str) -> None:
    frame, described = datasets.load(name), datasets.describe(name)
    assert frame.shape == SHAPES[name] == (described.rows, len(described.columns))
    assert frame.columns.tolist() == [column.name for column in described.columns]
    assert isinstance(frame.index, pd.RangeIndex)
    for column in described.columns:
        values = frame[column.name]
        if column.dtype == "str":
            assert pd.api.types.infer_dtype(values, skipna=True) == "string"
        else:
            assert str(values.dtype) == column.dtype
        if column.dtype == "category":
            assert tuple(values.cat.categories) == column.categories
            assert values.value_counts().min() > 0
        assert column.meaning


@pytest.mark.parametrize("name", SHAPES)
def test_origin_licence_and_script_are_stated(name: str) -> None:
    described = datasets.describe(name)
    assert described.licence in ("CC BY 4.0", "MIT", "Apache-2.0")
    for text in (described.origin, described.citation, described.scores, described.used_for, described.title):
        assert len(text) > 10
    assert described.script == "scripts/make_datasets.py"
    origins = (DATA / "README.md").read_text(encoding="utf-8")
    for text in (f"## {name}: {described.title}", described.origin, described.citation):
        assert text in origins


@pytest.mark.parametrize("name", SHAPES)
def test_suggested_roles_name_columns_of_the_frame(name: str) -> None:
    frame, described = datasets.load(name), datasets.describe(name)
    single = ("y_true", "y_lower", "y_upper", "fold", "time", "id", "model", "unit", "cluster")
    named = [described.roles[role] for role in single if role in described.roles]
    named += [*described.roles.get("cohorts", []), *described.roles.get("outcomes", [])]
    for role in ("y_pred", "y_score"):
        given = described.roles.get(role, [])
        if isinstance(given, str) and "{label}" in given:
            named += [given.format(label=label) for label in frame[described.roles["y_true"]].unique()]
        elif isinstance(given, dict):
            named += given.values()
        else:
            named += [given] if isinstance(given, str) else given
    assert set(named) <= set(frame.columns)
    assert bool(named) == (described.task != "text")
    if "pos_label" in described.roles:
        assert described.roles["pos_label"] in set(frame[described.roles["y_true"]])
    if {"id", "model"} <= set(described.roles):
        assert not frame.duplicated([described.roles["id"], described.roles["model"]]).any()


def test_the_whole_folder_stays_small() -> None:
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 14e6
    names = {path.name for path in DATA.iterdir()}
    assert names == {"README.md"} | {f"{name}{suffix}" for name in SHAPES for suffix in (".csv.gz", ".json")}


@pytest.mark.parametrize(("name", "label", "positive", "score", "low", "high"), OUT_OF_FOLD)
def test_out_of_fold_scores_are_probabilities_of_plausible_models(
    name: str, label: str, positive: str, score: str, low: float, high: float
) -> None:
    frame = datasets.load(name, columns=[label, score])
    y = frame[label] == positive
    assert frame[score].between(0, 1).all()
    np.testing.assert_array_equal(frame[score].round(6), frame[score])
    assert low < roc_auc_score(y, frame[score]) < high
    assert abs(frame[score].mean() - y.mean()) < 0.01
    figures = datasets.describe(name).figures[score]
    assert figures["roc_auc"] == pytest.approx(roc_auc_score(y, frame[score]), abs=5e-5)
    assert figures["log_loss"] == pytest.approx(log_loss(y, frame[score]), abs=5e-5)


@pytest.mark.parametrize(("name", "label"), [("adult", "income"), ("bank", "y"), ("credit", "class")])
def test_ten_folds_hold_the_classes_in_equal_shares(name: str, label: str) -> None:
    counts = pd.crosstab(*(datasets.load(name)[column] for column in ("fold", label)))
    assert counts.index.tolist() == list(range(10))
    assert (counts.max() - counts.min() <= 1).all()


def test_adult_is_complete() -> None:
    frame = datasets.load("adult")
    assert frame["income"].value_counts().to_dict() == {"<=50K": 37155, ">50K": 11687}
    assert frame["split"].value_counts().to_dict() == {"train": 32561, "test": 16281}
    missing = frame.isna().sum()
    assert missing[missing > 0].to_dict() == {"workclass": 2799, "occupation": 2809, "native_country": 857}
    assert not frame.isin(["?"]).any().any()


def test_bank_leaves_the_length_of_the_call_out() -> None:
    frame = datasets.load("bank")
    assert "duration" not in frame
    assert (frame["y"] == "yes").sum() == 4640
    assert frame["month"].cat.categories[0] == "mar"


def test_credit_takes_sex_from_personal_status() -> None:
    frame = datasets.load("credit")
    assert (frame["class"] == "bad").sum() == 300
    assert pd.crosstab(frame["personal_status"].str.split().str[0], frame["sex"]).to_numpy().tolist() == [
        [310, 0],
        [0, 690],
    ]
    assert frame["credit_amount"].between(250, 18424).all()
    assert not any(frame[column].str.contains("'").any() for column in frame.select_dtypes("category"))


def test_bike_weeks_are_held_out_whole_and_the_interval_covers() -> None:
    frame = datasets.load("bike")
    assert frame["time"].is_monotonic_increasing
    assert frame["time"].is_unique
    assert (frame["time"].dt.hour == frame["hr"]).all()
    assert (frame.groupby(frame["time"].dt.to_period("W"))["fold"].nunique() == 1).all()
    assert (frame["lower"] <= frame["upper"]).all()
    assert (frame[["pred_gbm", "pred_ridge", "lower", "upper"]] >= 0).all().all()
    coverage = frame["cnt"].between(frame["lower"], frame["upper"]).mean()
    assert 0.78 < coverage < 0.92
    assert coverage == pytest.approx(datasets.describe("bike").figures["lower, upper"]["coverage"], abs=5e-5)
    assert 0.92 < r2_score(frame["cnt"], frame["pred_gbm"]) < 0.95
    assert 0.80 < r2_score(frame["cnt"], frame["pred_ridge"]) < 0.90
    assert (frame["casual"] + frame["registered"] == frame["cnt"]).all()


def test_ames_predictions_are_those_of_plausible_models() -> None:
    frame = datasets.load("ames")
    assert frame["Sale_Price"].mean() == pytest.approx(180796.06, abs=0.01)
    assert 0.90 < r2_score(frame["Sale_Price"], frame["pred_gbm"]) < 0.93
    assert 0.85 < r2_score(frame["Sale_Price"], frame["pred_ridge"]) < 0.90
    assert frame["fold"].value_counts().tolist() == [293] * 10
    assert (frame["Mas_Vnr_Type"] == "None").sum() == 1775
    assert not frame.isna().any().any()


@pytest.mark.parametrize(("name", "accuracy"), [("cifar10", 0.9294), ("newsgroups", 0.9234)])
def test_published_accuracy_of_class_probabilities(name: str, accuracy: float) -> None:
    frame = datasets.load(name)
    scores = frame.filter(regex="^p_")
    assert {column[2:] for column in scores} == set(frame["label"])
    assert accuracy_score(frame["label"], scores.idxmax(axis=1).str[2:]) == pytest.approx(accuracy, abs=5e-5)
    assert scores.min().min() >= 0
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=2e-5)


def test_imdb_keeps_its_accuracy_and_its_scores_above_one() -> None:
    frame = datasets.load("imdb")
    assert accuracy_score(frame["label"], frame["p_positive"] >= 0.5) == pytest.approx(0.8958, abs=5e-5)
    assert frame["p_positive"].min() >= 0
    assert 1 < frame["p_positive"].max() <= 1.0000101


def test_hpc_cv_comes_as_it_is() -> None:
    frame = datasets.load("hpc_cv")
    classes = ["VF", "F", "M", "L"]
    assert frame.columns.tolist() == ["obs", "pred", *classes, "Resample"]
    assert frame["obs"].value_counts().reindex(classes).tolist() == [1769, 1078, 412, 208]
    assert (frame[classes].idxmax(axis=1) == frame["pred"]).all()
    assert frame["Resample"].nunique() == 10


def test_refchecker_verdicts_are_functions_of_the_counts() -> None:
    frame = datasets.load("refchecker")
    assert (frame.groupby(["setting", "model"], observed=True).size() == 100).all()
    counts = frame[["n_entailed", "n_neutral", "n_contradicted"]]
    assert (counts.sum(axis=1) == frame["n_claims"]).all()
    labels = frame["labels"].map(json.loads)
    assert (labels.map(len) == frame["n_claims"]).all()
    assert (labels.map(lambda found: found.count("Contradiction") > 0) == frame["contradicted"]).all()
    judged = frame["n_claims"] > 0
    assert frame.loc[~judged, "faithful"].isna().all()
    all_entailed = labels[judged].map(lambda found: set(found) == {"Entailment"})
    assert (frame.loc[judged, "faithful"] == all_entailed).all()


def test_nested_values_are_json() -> None:
    nested = {
        "refchecker": ["claims", "labels"],
        "halueval": ["hallucination_spans"],
        "taubench": ["expected_actions", "tool_calls", "messages"],
        "spans": ["attributes", "events"],
        "bfcl": ["functions", "ground_truth"],
    }
    for name, columns in nested.items():
        frame = datasets.load(name, columns=columns)
        decoded = {column: frame[column].map(json.loads) for column in columns}
        assert all(len(values) == len(frame) for values in decoded.values())
        if name == "taubench":
            counts = datasets.load("taubench")["n_tool_calls"]
            assert (decoded["tool_calls"].map(len) == counts).all()


def test_language_model_frames_hold_the_published_counts() -> None:
    assert (datasets.load("halueval")["label"] == "yes").sum() == 815
    agents = datasets.load("taubench")
    assert agents.groupby("task_id").size().tolist() == [4] * 50
    assert agents["reward"].sum() == 84
    attacks = datasets.load("jailbreak")
    assert attacks["jailbroken"].dtype == bool
    assert attacks["jailbroken_llama_guard1"].isna().sum() == 200
    assert (
        attacks.groupby(["method", "model"], observed=True)["jailbroken"].mean()["PAIR", "gpt-4-0125-preview"] == 0.34
    )
    assert datasets.load("frank")["Dep Entail"].isna().sum() == 83
    spans = datasets.load("spans")
    np.testing.assert_allclose((spans["end_time"] - spans["start_time"]) / pd.Timedelta("1ms"), spans["duration_ms"])


def test_raters_without_an_answer_are_missing() -> None:
    frame = datasets.load("raters")
    answered = frame[frame["stimulus"] == "edge"]
    assert answered["object_response"].isna().sum() == 34
    assert (answered["object_response"].astype(str) == answered["category"].astype(str)).mean() == 0.87125
    assert (frame.groupby(["stimulus", "subj"], observed=True).size() == 160).all()


def test_every_call_returns_a_fresh_frame_and_fresh_roles() -> None:
    first = datasets.load("credit")
    first["age"] = 0
    first.attrs["note"] = "mine"
    datasets.describe("credit").roles["cohorts"].clear()
    second = datasets.load("credit")
    assert second["age"].min() == 19
    assert second.attrs == {}
    assert datasets.describe("credit").roles["cohorts"]


def test_columns_are_read_in_the_order_asked_for() -> None:
    frame = datasets.load("adult", columns=["p_gbm", "income"])
    assert frame.columns.tolist() == ["p_gbm", "income"]
    pd.testing.assert_frame_equal(frame, datasets.load("adult")[["p_gbm", "income"]])
    with pytest.raises(DataError, match=r"no column 'p_gmb'\. Did you mean 'p_gbm'"):
        datasets.load("adult", columns=["p_gmb"])


@pytest.mark.parametrize("ask", [datasets.load, datasets.describe])
def test_unknown_dataset_names_the_nearest(ask: object) -> None:
    with pytest.raises(DfevalsError, match=r"no dataset 'adlut'\. Did you mean 'adult'\? Datasets: 'adult', 'ames'"):
        ask("adlut")  # type: ignore[operator]
    with pytest.raises(DfevalsError, match=r"no dataset '\.\./adult'"):
        ask("../adult")  # type: ignore[operator]


def test_description_shows_as_text_and_as_escaped_html() -> None:
    described = datasets.describe("adult")
    text, page = str(described), described._repr_html_()
    assert "df.evals(y_true='income', y_score={'gbm': 'p_gbm', 'logistic': 'p_logistic'}" in text
    assert repr(described) == text
    assert max(map(len, text.splitlines())) <= 120
    for part in ("CC BY 4.0", "doi:10.24432/C5XW20", "scripts/make_datasets.py", "10 stratified folds"):
        assert part in " ".join(text.split())
        assert part in page
    hostile = "<script>alert(1)</script>"
    column = Column(hostile, hostile, hostile)
    record = dict.fromkeys(Dataset.__dataclass_fields__, hostile) | {"rows": 1, "figures": {}, "roles": {}}
    page = Dataset(**(record | {"columns": (column,)}))._repr_html_()
    assert "<script>" not in page
    assert page.count("&lt;script&gt;") >= 10


def test_the_suggested_call_is_code_with_the_suggested_roles() -> None:
    described = datasets.describe("adult")
    call = ast.parse(described.call, mode="eval").body
    assert isinstance(call, ast.Call)
    assert ast.unparse(call.func) == "df.evals"
    assert {word.arg: ast.literal_eval(word.value) for word in call.keywords} == described.roles


def test_loading_imports_nothing_heavy() -> None:
    code = (
        "import sys, pandas; own = set(sys.modules)\n"
        "import dfevals.datasets as d; d.load('adult'); d.list(); print(d.describe('bike'))\n"
        "heavy = ('sklearn', 'scipy', 'matplotlib', 'pyarrow', 'polars', 'IPython')\n"
        "print([m for m in heavy if m in sys.modules and m not in own])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
