"""Binary tables with cohorts: census income, bank marketing, German credit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from datasets.models import binary_figures, boosting, forest, logistic, out_of_fold, stratified_folds
from datasets.recipe import Recipe, categorise, texts

TEN_FOLDS = "10 stratified folds (seed 0); every row is scored by the model that was fitted on the other nine (`fold`)"
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def adult(source: Path) -> pd.DataFrame:
    """Census income with the probability of >50K from a logistic regression and from gradient boosting."""
    frame = pd.read_csv(source / "adult_census.csv.gz", na_values=["?"], keep_default_na=False)
    frame = categorise(frame, *texts(frame))
    features = frame.drop(columns=["income", "split", "fnlwgt", "education"])
    y = np.asarray(frame["income"].astype(object))
    fold = stratified_folds(y)
    frame["p_logistic"] = out_of_fold(logistic(), features, y, fold, positive=">50K")
    frame["p_gbm"] = out_of_fold(boosting(), features, y, fold, positive=">50K")
    frame["fold"] = fold
    return frame


ADULT = Recipe(
    name="adult",
    title="UCI Adult: does a person earn more than 50,000 dollars a year?",
    task="binary",
    used_for="cohorts, fairness, slices, comparing two models, calibration by group",
    build=adult,
    meanings={
        "age": "age in years",
        "workclass": "kind of employer; missing where the census form has none",
        "fnlwgt": "census weight: how many people the row stands for (not used by the models)",
        "education": "highest level of education",
        "education_num": "level of education as a number, 1 to 16",
        "marital_status": "marital status",
        "occupation": "occupation; missing where the census form has none",
        "relationship": "relationship to the head of the household",
        "race": "race as recorded by the census of 1994",
        "sex": "sex as recorded by the census of 1994",
        "capital_gain": "capital gain in dollars",
        "capital_loss": "capital loss in dollars",
        "hours_per_week": "hours worked in a week",
        "native_country": "country of birth; missing where the census form has none",
        "income": "label: yearly income, '<=50K' or '>50K'",
        "split": "the origin's split, train or test (not used by the folds)",
        "p_logistic": "logistic regression's out-of-fold probability of '>50K'",
        "p_gbm": "gradient boosting's out-of-fold probability of '>50K'",
        "fold": "number of the fold, 0 to 9, in which the row was held out",
    },
    origin="UCI Machine Learning Repository, Adult; copy in github.com/elianap/divexplorer@96e33de, notebooks/datasets",
    licence="CC BY 4.0",
    citation="Becker and Kohavi (1996), Adult, UCI Machine Learning Repository, doi:10.24432/C5XW20",
    scores=f"LogisticRegression on standardised and one-hot columns, HistGradientBoostingClassifier; {TEN_FOLDS}",
    note="'?' became missing. The models see sex and race; they do not see fnlwgt, education (as text) and split.",
    roles={
        "y_true": "income",
        "y_score": {"gbm": "p_gbm", "logistic": "p_logistic"},
        "pos_label": ">50K",
        "cohorts": ["sex", "race", "age"],
        "fold": "fold",
    },
    figures=binary_figures("income", ">50K", "p_logistic", "p_gbm"),
)


def bank(source: Path) -> pd.DataFrame:
    """Bank marketing with the probability of a subscription from three models."""
    frame = pd.read_csv(source / "bank_additional_full.csv.gz", keep_default_na=False).drop(columns="duration")
    frame.columns = [column.replace(".", "_") for column in frame.columns]
    frame = categorise(
        frame,
        *["job", "marital", "education", "default", "housing", "loan", "contact", "poutcome", "y"],
        month=MONTHS[2:],
        day_of_week=["mon", "tue", "wed", "thu", "fri"],
    )
    features = frame.drop(columns="y")
    y = np.asarray(frame["y"].astype(object))
    fold = stratified_folds(y)
    frame["p_logistic"] = out_of_fold(logistic(), features, y, fold, positive="yes")
    frame["p_gbm"] = out_of_fold(boosting(learning_rate=0.05), features, y, fold, positive="yes")
    frame["p_forest"] = out_of_fold(forest(min_samples_leaf=5), features, y, fold, positive="yes")
    frame["fold"] = fold
    return frame


BANK = Recipe(
    name="bank",
    title="UCI Bank Marketing: does a client subscribe to a term deposit when called?",
    task="binary",
    used_for="gain, lift and KS, thresholds and costs, comparing three models",
    build=bank,
    meanings={
        "age": "age in years",
        "job": "kind of job",
        "marital": "marital status",
        "education": "level of education",
        "default": "has credit in default?",
        "housing": "has a housing loan?",
        "loan": "has a personal loan?",
        "contact": "kind of telephone",
        "month": "month of the last call",
        "day_of_week": "weekday of the last call",
        "campaign": "number of calls to this client in this campaign, this one included",
        "pdays": "days since the client was called in an earlier campaign; 999 means never",
        "previous": "number of calls before this campaign",
        "poutcome": "outcome of the earlier campaign",
        "emp_var_rate": "employment variation rate of the quarter, percent",
        "cons_price_idx": "consumer price index of the month",
        "cons_conf_idx": "consumer confidence index of the month",
        "euribor3m": "three-month Euribor of the day, percent",
        "nr_employed": "number of employees in the country, thousands, of the quarter",
        "y": "label: did the client subscribe, 'yes' or 'no'",
        "p_logistic": "logistic regression's out-of-fold probability of 'yes'",
        "p_gbm": "gradient boosting's out-of-fold probability of 'yes'",
        "p_forest": "random forest's out-of-fold probability of 'yes'",
        "fold": "number of the fold, 0 to 9, in which the row was held out",
    },
    origin="UCI Machine Learning Repository, Bank Marketing (bank-additional-full); copy in "
    "github.com/jamjewel/Customer-Subscription@de9b5b6",
    licence="CC BY 4.0",
    citation="Moro, Cortez and Rita (2014), Decision Support Systems 62, 22–31; doi:10.24432/C5K306",
    scores="LogisticRegression on standardised and one-hot columns, HistGradientBoostingClassifier, "
    f"RandomForestClassifier; {TEN_FOLDS}",
    note="The length of the call (`duration`) is left out, since it is known only after the call and gives the label "
    "away. Dots in column names became underscores. Rows are in the order of the calls (May 2008 to November 2010); "
    "the folds ignore that order, so the scores are those of an interpolation, not of a forecast.",
    roles={
        "y_true": "y",
        "y_score": {"logistic": "p_logistic", "gbm": "p_gbm", "forest": "p_forest"},
        "pos_label": "yes",
        "cohorts": ["job", "contact", "poutcome", "age"],
        "fold": "fold",
    },
    figures=binary_figures("y", "yes", "p_logistic", "p_gbm", "p_forest"),
)


def credit(source: Path) -> pd.DataFrame:
    """German credit with the probability of a bad credit from three models."""
    frame = pd.read_csv(source / "german_credit.csv.gz", keep_default_na=False)
    for column in texts(frame):
        frame[column] = frame[column].str.strip("'")
    frame = categorise(
        frame,
        *(column for column in texts(frame) if column not in ("checking_status", "savings_status", "employment")),
        checking_status=["no checking", "<0", "0<=X<200", ">=200"],
        savings_status=["no known savings", "<100", "100<=X<500", "500<=X<1000", ">=1000"],
        employment=["unemployed", "<1", "1<=X<4", "4<=X<7", ">=7"],
    )
    features = frame.drop(columns="class")
    y = np.asarray(frame["class"].astype(object))
    fold = stratified_folds(y)
    female = frame["personal_status"].astype(str).str.startswith("female")
    frame.insert(list(frame).index("personal_status") + 1, "sex", np.where(female, "female", "male"))
    frame = categorise(frame, "sex")
    frame["p_logistic"] = out_of_fold(logistic(C=0.1), features, y, fold, positive="bad")
    gbm = boosting(learning_rate=0.05, max_iter=80, max_leaf_nodes=8, min_samples_leaf=15)
    frame["p_gbm"] = out_of_fold(gbm, features, y, fold, positive="bad")
    frame["p_forest"] = out_of_fold(forest(n_estimators=300, min_samples_leaf=3), features, y, fold, positive="bad")
    frame["fold"] = fold
    return frame


CREDIT = Recipe(
    name="credit",
    title="Statlog German Credit: is a loan a good or a bad risk?",
    task="binary",
    used_for="cost matrices and thresholds, small samples, cohorts, folds",
    build=credit,
    meanings={
        "checking_status": "balance of the checking account, Deutsche Mark",
        "duration": "duration of the loan, months",
        "credit_history": "credit history",
        "purpose": "purpose of the loan",
        "credit_amount": "amount of the loan, Deutsche Mark (a natural cost of a bad loan)",
        "savings_status": "savings, Deutsche Mark",
        "employment": "years in the present employment",
        "installment_commitment": "instalment as a percentage of disposable income, as a level 1 to 4",
        "personal_status": "sex and marital status in one, as in the origin",
        "sex": "sex, taken from personal_status (see the note)",
        "other_parties": "other debtors or guarantors",
        "residence_since": "years at the present address, as a level 1 to 4",
        "property_magnitude": "most valuable property",
        "age": "age in years",
        "other_payment_plans": "other instalment plans",
        "housing": "housing",
        "existing_credits": "number of loans at this bank",
        "job": "job",
        "num_dependents": "number of dependents",
        "own_telephone": "has a telephone in their own name?",
        "foreign_worker": "is a foreign worker?",
        "class": "label: 'good' or 'bad' credit risk",
        "p_logistic": "logistic regression's out-of-fold probability of 'bad'",
        "p_gbm": "gradient boosting's out-of-fold probability of 'bad'",
        "p_forest": "random forest's out-of-fold probability of 'bad'",
        "fold": "number of the fold, 0 to 9, in which the row was held out",
    },
    origin="UCI Machine Learning Repository, Statlog (German Credit Data), as OpenML 31; copy in "
    "github.com/elianap/divexplorer@96e33de, notebooks/datasets/credit-g.csv",
    licence="CC BY 4.0",
    citation="Hofmann (1994), Statlog (German Credit Data), UCI Machine Learning Repository, doi:10.24432/C5NC77",
    scores="LogisticRegression on standardised and one-hot columns, HistGradientBoostingClassifier, "
    f"RandomForestClassifier; {TEN_FOLDS}",
    note="The origin's cost matrix: a bad loan granted costs 5, a good one refused costs 1. Quotes around values were "
    "removed. `sex` is read from `personal_status`, whose codes are disputed (Grömping 2019): treat it as an example.",
    roles={
        "y_true": "class",
        "y_score": {"logistic": "p_logistic", "gbm": "p_gbm", "forest": "p_forest"},
        "pos_label": "bad",
        "cohorts": ["sex", "age", "housing", "purpose"],
        "fold": "fold",
    },
    figures=binary_figures("class", "bad", "p_logistic", "p_gbm", "p_forest"),
)

RECIPES = [ADULT, BANK, CREDIT]
