"""Predictions published by others, several classes or raters: they are taken as they come."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from datasets.recipe import Recipe, categorise, read_parquet

CLEANLAB = {
    "origin": "github.com/cleanlab/label-errors@6d5d6b3, cross_validated_predicted_probabilities",
    "licence": "Apache-2.0",
    "citation": "Northcutt, Athalye and Mueller (2021), Pervasive label errors in test sets, NeurIPS Datasets and "
    "Benchmarks, arXiv:2103.14749",
    "scores": "probabilities published with the origin",
}
HPC_CLASSES = ["VF", "F", "M", "L"]


def accuracy_of_probabilities(frame: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Accuracy of the most probable class."""
    probabilities = frame.filter(regex="^p_")
    classes = np.array([str(column)[2:] for column in probabilities])
    right = classes[np.argmax(np.asarray(probabilities), axis=1)] == np.asarray(frame["label"].astype(object))
    return {"p_{label}": {"accuracy": round(float(right.mean()), 4)}}


def hpc_cv(source: Path) -> pd.DataFrame:
    """Execution time classes of computing jobs: predictions and probabilities from ten folds."""
    frame = pd.read_csv(source / "hpc_cv_predictions.csv.gz", keep_default_na=False)
    return categorise(frame, "Resample", obs=HPC_CLASSES, pred=HPC_CLASSES)


HPC_CV = Recipe(
    name="hpc_cv",
    title="Execution time classes of jobs on a high-performance computing cluster",
    task="multiclass",
    used_for="multiclass metrics and averages, ordered classes, K-fold summaries",
    build=hpc_cv,
    meanings={
        "obs": "label: execution time, very fast (VF), fast (F), moderate (M) or long (L)",
        "pred": "predicted class (the most probable one)",
        "VF": "probability of VF",
        "F": "probability of F",
        "M": "probability of M",
        "L": "probability of L",
        "Resample": "name of the fold in which the row was held out",
    },
    origin="R package modeldata, data set `hpc_cv` (Debian r-cran-modeldata)",
    licence="MIT",
    citation="Kuhn and Johnson (2013), Applied Predictive Modeling, Springer, chapter 17",
    scores="published with the origin: out-of-fold class probabilities and predictions of 10 folds (`Resample`)",
    roles={
        "y_true": "obs",
        "y_pred": "pred",
        "y_score": HPC_CLASSES,
        "labels": HPC_CLASSES,
        "fold": "Resample",
    },
    figures=lambda frame: {"pred": {"accuracy": round(float((frame["obs"] == frame["pred"]).mean()), 4)}},
)


def probabilities(frame: pd.DataFrame) -> pd.DataFrame:
    """Frame with labels as categories and probabilities as float64 rounded to the six decimals that they have."""
    scores = [str(column) for column in frame if str(column).startswith("p_")]
    frame = frame.astype(dict.fromkeys(scores, "float64"))
    frame[scores] = frame[scores].round(6)
    return frame


def cifar10(source: Path) -> pd.DataFrame:
    """Classes of the CIFAR-10 test images with their probabilities."""
    return categorise(probabilities(read_parquet(source / "cifar10_test_probs.parquet")), "label")


CIFAR10 = Recipe(
    name="cifar10",
    title="CIFAR-10 test images: class probabilities of a convolutional network",
    task="multiclass",
    used_for="multiclass calibration (ECE), top-k accuracy, confusion, label errors",
    build=cifar10,
    meanings={
        "cifar10_test_index": "number of the image in the CIFAR-10 test set",
        "label": "label: class of the image",
    }
    | {
        f"p_{name}": f"probability of {name}"
        for name in ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    },
    **CLEANLAB,
    roles={"y_true": "label", "y_score": "p_{label}"},
    figures=accuracy_of_probabilities,
)


def newsgroups(source: Path) -> pd.DataFrame:
    """Newsgroups of the 20 Newsgroups test posts with their probabilities."""
    return categorise(probabilities(read_parquet(source / "newsgroups20_test_probs.parquet")), "label")


GROUPS = [
    "alt.atheism",
    "comp.graphics",
    "comp.os.ms-windows.misc",
    "comp.sys.ibm.pc.hardware",
    "comp.sys.mac.hardware",
    "comp.windows.x",
    "misc.forsale",
    "rec.autos",
    "rec.motorcycles",
    "rec.sport.baseball",
    "rec.sport.hockey",
    "sci.crypt",
    "sci.electronics",
    "sci.med",
    "sci.space",
    "soc.religion.christian",
    "talk.politics.guns",
    "talk.politics.mideast",
    "talk.politics.misc",
    "talk.religion.misc",
]

NEWSGROUPS = Recipe(
    name="newsgroups",
    title="20 Newsgroups test posts: class probabilities of a text classifier",
    task="multiclass",
    used_for="confusion and per-class tables of many classes, multiclass calibration",
    build=newsgroups,
    meanings={"label": "label: newsgroup of the post"} | {f"p_{name}": f"probability of {name}" for name in GROUPS},
    **CLEANLAB,
    note="The origin numbers the classes; names were given in scikit-learn's order, which is assumed.",
    roles={"y_true": "label", "y_score": "p_{label}"},
    figures=accuracy_of_probabilities,
)


def imdb(source: Path) -> pd.DataFrame:
    """Sentiment of the IMDB test reviews with the probability of a positive one."""
    return probabilities(read_parquet(source / "imdb_test_probs.parquet").astype({"label": "int64"}))


IMDB = Recipe(
    name="imdb",
    title="IMDB test reviews: probability that a review is positive",
    task="binary",
    used_for="calibration, ROC and PR curves, scores that exceed 1 by rounding",
    build=imdb,
    meanings={"label": "label: 1 for a positive review, 0 for a negative one", "p_positive": "probability of 1"},
    **CLEANLAB,
    note="Some probabilities exceed 1 by 0.00001, as in the origin; scikit-learn refuses them unless they are clipped.",
    roles={"y_true": "label", "y_score": "p_positive", "pos_label": 1},
    figures=lambda frame: {
        "p_positive": {"accuracy": round(float(((frame["p_positive"] >= 0.5) == (frame["label"] == 1)).mean()), 4)}
    },
)


def raters(source: Path) -> pd.DataFrame:
    """Ten people name the object in 160 images, as edges and as silhouettes."""
    parts = []
    for stimulus in ("edge", "silhouette"):
        missing = {"object_response": ["na"], "rt": [""]}
        path = source / f"human_raters_{stimulus}_10x160.csv.gz"
        part = pd.read_csv(path, keep_default_na=False, na_values=missing)
        part.insert(0, "stimulus", stimulus)
        part["item"] = stimulus + "/" + part["image"]
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True)
    frame["rt"] = frame["rt"].round(6)
    return categorise(frame, "stimulus", "subj", "object_response", "category", "image", "item")


RATERS = Recipe(
    name="raters",
    title="Model-vs-human: ten people name the object in 160 images, shown as edges and as silhouettes",
    task="agreement",
    used_for="agreement between raters (kappa, alpha), repeated measures (Friedman, Cochran's Q), response times",
    build=raters,
    meanings={
        "stimulus": "how the image is drawn",
        "subj": "the rater, subject-01 to subject-10 in each experiment",
        "session": "number of the session",
        "trial": "position of the image in the rater's order",
        "rt": "response time, seconds; missing where there was no answer in time",
        "object_response": "object named by the rater; missing where there was no answer",
        "category": "label: the object shown",
        "condition": "condition of the experiment (one only)",
        "imagename": "file name of the trial",
        "image": "the image; both experiments draw the same 160",
        "item": "stimulus and image: what the ten raters of an experiment have in common",
    },
    origin="github.com/bethgelab/model-vs-human@79ed7cd, raw-data/edge and raw-data/silhouette",
    licence="CC BY 4.0",
    citation="Geirhos et al. (2021), Partial success in closing the gap between human and machine vision, NeurIPS, "
    "arXiv:2106.07411",
    scores="answers of people, published with the origin",
    note="'na' in object_response became missing. The two experiments are stacked; `stimulus` tells them "
    "apart, and subjects of the same number are not known to be the same person.",
    roles={"y_true": "category", "y_pred": "object_response", "model": "subj", "id": "item", "cohorts": ["stimulus"]},
)

RECIPES = [HPC_CV, CIFAR10, NEWSGROUPS, IMDB, RATERS]
