"""Regression: hourly bike rentals with time and intervals, and house prices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from datasets.models import SEED, one_hot, out_of_fold
from datasets.recipe import Figures, Recipe, categorise, read_parquet, texts

SEASONS = ["winter", "spring", "summer", "autumn"]
WEATHER = ["clear", "mist", "light rain or snow", "heavy rain or snow"]


def boosting(loss: str = "squared_error", **options: Any) -> HistGradientBoostingRegressor:
    """Histogram gradient boosting with the loss given."""
    options = {"learning_rate": 0.06, "max_iter": 300, "random_state": SEED} | options
    return HistGradientBoostingRegressor(loss=loss, categorical_features="from_dtype", early_stopping=False, **options)


def ridge(alpha: float = 1.0, scaler: BaseEstimator | None = None) -> BaseEstimator:
    """Ridge regression of log(1 + y) on standardised numbers and one-hot categories."""
    model = make_pipeline(one_hot(scaler), Ridge(alpha=alpha))
    return TransformedTargetRegressor(model, func=np.log1p, inverse_func=np.expm1)


def whole_weeks(time: pd.Series, n_folds: int = 10) -> np.ndarray:
    """Fold number of every row such that a calendar week is never split: neighbouring hours stay together."""
    week = np.asarray((time.dt.normalize() - pd.Timestamp("2010-12-27")).dt.days // 7)
    shuffled = np.random.RandomState(SEED).permutation(week.max() + 1)
    return np.asarray((shuffled % n_folds)[week], dtype=np.int64)


def bike(source: Path) -> pd.DataFrame:
    """Hourly bike rentals with two predictions and a 90 % interval."""
    frame = pd.read_csv(source / "bike_sharing_hour.csv.gz")
    day = pd.to_datetime(frame["dteday"], format="%d/%m/%y")
    frame["dteday"] = (day + pd.to_timedelta(frame["hr"], unit="h")).astype("datetime64[ns]")
    frame = frame.rename(columns={"dteday": "time"})
    frame["season"] = frame["season"].map(dict(enumerate(SEASONS, 1)))
    frame["weathersit"] = frame["weathersit"].map(dict(enumerate(WEATHER, 1)))
    frame = categorise(frame, season=SEASONS, weathersit=WEATHER)

    features = frame.drop(columns=["instant", "time", "casual", "registered", "cnt"])
    coded = features.assign(**{name: features[name].astype("category") for name in ("mnth", "weekday")})
    coded["hour"] = (features["hr"].astype(str) + "/" + features["workingday"].astype(str)).astype("category")
    y = np.asarray(frame["cnt"], dtype=float)
    fold = whole_weeks(frame["time"])
    frame["pred_gbm"] = out_of_fold(boosting("poisson"), features, y, fold, decimals=3)
    frame["pred_ridge"] = out_of_fold(ridge(), coded.drop(columns="hr"), y, fold, decimals=3).clip(0)
    low, high = (
        out_of_fold(boosting("quantile", quantile=q), features, y, fold, decimals=3).clip(0) for q in (0.05, 0.95)
    )
    frame["lower"], frame["upper"] = np.minimum(low, high), np.maximum(low, high)
    frame["fold"] = fold
    return frame


def bike_figures(frame: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Errors of both models, and coverage and width of the interval."""
    inside = frame["cnt"].between(frame["lower"], frame["upper"])
    interval = {
        "coverage": round(float(inside.mean()), 4),
        "mean_width": round(float((frame["upper"] - frame["lower"]).mean()), 2),
    }
    return errors("cnt", "pred_gbm", "pred_ridge")(frame) | {"lower, upper": interval}


def errors(y_true: str, *predictions: str) -> Figures:
    """RMSE, RMSLE and R² of each prediction column, over all rows."""

    def figures(frame: pd.DataFrame) -> dict[str, dict[str, float]]:
        y = frame[y_true]
        return {
            prediction: {
                "rmse": round(float(root_mean_squared_error(y, frame[prediction])), 2),
                "rmsle": round(float(root_mean_squared_error(np.log1p(y), np.log1p(frame[prediction]))), 4),
                "r2": round(float(r2_score(y, frame[prediction])), 4),
            }
            for prediction in predictions
        }

    return figures


BIKE = Recipe(
    name="bike",
    title="UCI Bike Sharing: hourly rentals in Washington, D.C., 2011 and 2012",
    task="regression",
    used_for="regression errors, residuals over time, prediction intervals, drift",
    build=bike,
    meanings={
        "instant": "number of the record",
        "time": "start of the hour (the origin's date and hour)",
        "season": "season by the calendar (code 1 of the origin is winter)",
        "yr": "year: 0 is 2011, 1 is 2012",
        "mnth": "month, 1 to 12",
        "hr": "hour of the day, 0 to 23",
        "holiday": "1 on a public holiday",
        "weekday": "weekday, 0 is Sunday",
        "workingday": "1 on a day that is neither weekend nor holiday",
        "weathersit": "weather",
        "temp": "temperature, scaled by the origin to 0…1",
        "atemp": "felt temperature, scaled by the origin to 0…1",
        "hum": "humidity, 0…1",
        "windspeed": "wind speed, scaled by the origin to 0…1",
        "casual": "rentals by casual users (part of cnt; not seen by the models)",
        "registered": "rentals by registered users (part of cnt; not seen by the models)",
        "cnt": "label: number of rentals in the hour",
        "pred_gbm": "gradient boosting (Poisson loss): out-of-fold prediction of cnt",
        "pred_ridge": "ridge regression of log(1 + cnt): out-of-fold prediction of cnt",
        "lower": "lower end of the nominal 90 % interval: out-of-fold 0.05 quantile by gradient boosting",
        "upper": "upper end of the nominal 90 % interval: out-of-fold 0.95 quantile by gradient boosting",
        "fold": "number of the fold, 0 to 9, in which the row's week was held out",
    },
    origin="UCI Machine Learning Repository, Bike Sharing (hour.csv); copy in github.com/zdvi/BikeSharing@703dd0f",
    licence="CC BY 4.0",
    citation="Fanaee-T (2013), Bike Sharing, UCI Machine Learning Repository, doi:10.24432/C5W894",
    scores="HistGradientBoostingRegressor (Poisson loss; and quantile loss at 0.05 and 0.95 for the interval), Ridge on "
    "log(1 + cnt); 10 folds of whole calendar weeks (seed 0): every hour is predicted by models that have not seen its "
    "week. This is K-fold, not time-ordered: the models have seen later weeks.",
    note="Codes of season and weathersit became words. Negative predictions are cut at 0; interval ends that crossed "
    "were exchanged.",
    roles={
        "y_true": "cnt",
        "y_pred": {"gbm": "pred_gbm", "ridge": "pred_ridge"},
        "y_lower": "lower",
        "y_upper": "upper",
        "task": "regression",
        "time": "time",
        "cohorts": ["season", "weathersit", "workingday", "hr"],
        "fold": "fold",
    },
    figures=bike_figures,
)


def signed_log(x: Any) -> Any:
    """log(1 + |x|) with the sign of x: sizes act as ratios, so that the largest houses do not run away."""
    return np.sign(x) * np.log1p(np.abs(x))


def ames(source: Path) -> pd.DataFrame:
    """House prices with two predictions."""
    frame = read_parquet(source / "ames_housing.parquet")
    for column in ("Mas_Vnr_Type", "Misc_Feature"):  # R's level "None", lost on the way as a missing value
        frame[column] = frame[column].astype(object).where(frame[column].notna(), "None")
    for column in texts(frame):
        frame[column] = frame[column].str.strip()
    frame = categorise(frame, *texts(frame))
    features = frame.drop(columns="Sale_Price")
    y = np.asarray(frame["Sale_Price"], dtype=float)
    fold = np.empty(len(frame), dtype=np.int64)
    for number, (_, test) in enumerate(KFold(10, shuffle=True, random_state=SEED).split(features)):
        fold[test] = number
    log_price = {"func": np.log, "inverse_func": np.exp}
    gbm = TransformedTargetRegressor(boosting(learning_rate=0.05, max_leaf_nodes=15), **log_price)
    frame["pred_gbm"] = out_of_fold(gbm, features, y, fold, decimals=2)
    sizes = make_pipeline(FunctionTransformer(signed_log), StandardScaler())
    frame["pred_ridge"] = out_of_fold(ridge(10.0, sizes), features, y, fold, decimals=2)
    frame["fold"] = fold
    return frame


AMES = Recipe(
    name="ames",
    title="Ames housing: sale prices of houses in Ames, Iowa, 2006 to 2010",
    task="regression",
    used_for="regression errors on money (RMSE, RMSLE), cohorts of neighbourhoods, residuals",
    build=ames,
    meanings={
        "MS_SubClass": "type of dwelling",
        "MS_Zoning": "zoning of the sale",
        "Lot_Frontage": "feet of street connected to the property (0 where not known)",
        "Lot_Area": "lot size, square feet",
        "Street": "type of road access",
        "Alley": "type of alley access",
        "Lot_Shape": "shape of the property",
        "Land_Contour": "flatness of the property",
        "Utilities": "utilities available",
        "Lot_Config": "lot configuration",
        "Land_Slope": "slope of the property",
        "Neighborhood": "neighbourhood within the city",
        "Condition_1": "nearness to main roads or a railway",
        "Condition_2": "nearness to a second main road or railway",
        "Bldg_Type": "type of building",
        "House_Style": "style of dwelling",
        "Overall_Cond": "overall condition of the house",
        "Year_Built": "year of construction",
        "Year_Remod_Add": "year of remodelling (that of construction if there was none)",
        "Roof_Style": "type of roof",
        "Roof_Matl": "roof material",
        "Exterior_1st": "exterior covering",
        "Exterior_2nd": "second exterior covering, if there is one",
        "Mas_Vnr_Type": "masonry veneer type",
        "Mas_Vnr_Area": "masonry veneer area, square feet",
        "Exter_Cond": "condition of the exterior material",
        "Foundation": "type of foundation",
        "Bsmt_Cond": "condition of the basement",
        "Bsmt_Exposure": "walkout or garden-level walls",
        "BsmtFin_Type_1": "kind of finished basement area",
        "BsmtFin_SF_1": "code of the finished basement area (see the note)",
        "BsmtFin_Type_2": "kind of second finished basement area",
        "BsmtFin_SF_2": "second finished basement area, square feet",
        "Bsmt_Unf_SF": "unfinished basement area, square feet",
        "Total_Bsmt_SF": "basement area, square feet",
        "Heating": "type of heating",
        "Heating_QC": "quality and condition of the heating",
        "Central_Air": "central air conditioning, Y or N",
        "Electrical": "electrical system",
        "First_Flr_SF": "first floor, square feet",
        "Second_Flr_SF": "second floor, square feet",
        "Gr_Liv_Area": "living area above ground, square feet",
        "Bsmt_Full_Bath": "full bathrooms in the basement",
        "Bsmt_Half_Bath": "half bathrooms in the basement",
        "Full_Bath": "full bathrooms above ground",
        "Half_Bath": "half bathrooms above ground",
        "Bedroom_AbvGr": "bedrooms above ground",
        "Kitchen_AbvGr": "kitchens above ground",
        "TotRms_AbvGrd": "rooms above ground, bathrooms not counted",
        "Functional": "functionality of the home",
        "Fireplaces": "number of fireplaces",
        "Garage_Type": "garage location",
        "Garage_Finish": "interior finish of the garage",
        "Garage_Cars": "garage capacity, cars",
        "Garage_Area": "garage size, square feet",
        "Garage_Cond": "condition of the garage",
        "Paved_Drive": "paved driveway",
        "Wood_Deck_SF": "wood deck, square feet",
        "Open_Porch_SF": "open porch, square feet",
        "Enclosed_Porch": "enclosed porch, square feet",
        "Three_season_porch": "three-season porch, square feet",
        "Screen_Porch": "screen porch, square feet",
        "Pool_Area": "pool, square feet",
        "Pool_QC": "quality of the pool",
        "Fence": "quality of the fence",
        "Misc_Feature": "feature not covered elsewhere",
        "Misc_Val": "value of that feature, dollars",
        "Mo_Sold": "month of the sale",
        "Year_Sold": "year of the sale",
        "Sale_Type": "type of sale",
        "Sale_Condition": "condition of the sale",
        "Sale_Price": "label: sale price, dollars",
        "Longitude": "longitude, degrees",
        "Latitude": "latitude, degrees",
        "pred_gbm": "gradient boosting of log(price): out-of-fold prediction of Sale_Price",
        "pred_ridge": "ridge regression of log(1 + price) on log sizes: out-of-fold prediction of Sale_Price",
        "fold": "number of the fold, 0 to 9, in which the row was held out",
    },
    origin="R package modeldata 1.1.0, data set `ames` (Debian r-cran-modeldata)",
    licence="MIT",
    citation="De Cock (2011), Journal of Statistics Education 19(3), doi:10.1080/10691898.2011.11889627",
    scores="HistGradientBoostingRegressor and Ridge on the logarithm of the price; 10 shuffled folds (seed 0); every row "
    "is predicted by the model that was fitted on the other nine (`fold`)",
    note="The level 'None' of Mas_Vnr_Type and Misc_Feature, which an earlier conversion had turned into missing values, "
    "is restored; blanks around values are removed. BsmtFin_SF_1 holds codes rather than square feet in modeldata itself.",
    roles={
        "y_true": "Sale_Price",
        "y_pred": {"gbm": "pred_gbm", "ridge": "pred_ridge"},
        "task": "regression",
        "cohorts": ["Neighborhood", "Bldg_Type", "Year_Built"],
        "fold": "fold",
    },
    figures=errors("Sale_Price", "pred_gbm", "pred_ridge"),
)

RECIPES = [BIKE, AMES]
