"""The gallery forgets no chart: every kind that a result can draw has its picture, and every picture its guide."""

from __future__ import annotations

import importlib.util
import inspect
import pkgutil
import re
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import dfevals.analyses
from dfevals.analyses.calibration.calibration import STRATEGIES
from dfevals.exceptions import DfevalsError
from dfevals.results.result import Result

DOCS = Path(__file__).resolve().parents[1] / "docs"
CURVES = {"roc", "pr", "det", "cap"}


def load_gallery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gallery"] = module
    spec.loader.exec_module(module)
    return module


gallery = load_gallery()


def results() -> list[type[Result]]:
    """Every result that has a chart."""
    for module in pkgutil.walk_packages(dfevals.analyses.__path__, "dfevals.analyses."):
        importlib.import_module(module.name)
    found, todo = [], [Result]
    while todo:
        todo += (below := todo.pop().__subclasses__())
        found += [one for one in below if "plot" in vars(one) and one.__module__.startswith("dfevals.")]
    return found


def kinds(result: Result) -> set[str]:
    """The kinds that a result says it can draw."""
    if "kind" not in inspect.signature(result.plot).parameters:
        return set()
    with pytest.raises(DfevalsError) as raised:
        result.plot("no such chart")
    return set(re.findall(r"'([a-z]+)'", str(raised.value).split("is not known")[1]))


def shown(result: Result, arguments: dict[str, Any]) -> str:
    """What a picture shows of its result."""
    if type(result).__name__ == "CurveResult":
        return str(result._kind)  # type: ignore[attr-defined]
    if type(result).__name__ == "CalibrationResult":
        return str(result._run.strategy)  # type: ignore[attr-defined]
    return str(arguments.get("kind"))


@pytest.fixture(scope="module")
def pictured() -> dict[str, set[str]]:
    """For each kind of result what the gallery shows; the code runs, drawing is left out."""
    found: dict[str, set[str]] = defaultdict(set)
    with pytest.MonkeyPatch.context() as patch:
        for owner in results():
            signature = inspect.signature(owner.plot)

            def record(self: Result, *args: Any, _of: inspect.Signature = signature, **options: Any) -> None:
                name = type(self).__name__
                found[name].add(shown(self, _of.bind(self, *args, **options).arguments))

            patch.setattr(owner, "plot", record)
        for family in gallery.FAMILIES:
            names = gallery.prepare(family)
            for picture in family.pictures:
                gallery.run(names, picture)
    return found


def test_every_result_with_a_chart_is_in_the_gallery(pictured: dict[str, set[str]]) -> None:
    missing = {one.__name__ for one in results()} - set(pictured)
    assert not missing


def test_every_kind_of_chart_is_in_the_gallery(pictured: dict[str, set[str]]) -> None:
    frame = dfevals.datasets.load("credit")
    roles = {"y_true": "class", "y_score": {"a": "p_logistic", "b": "p_gbm"}, "pos_label": "bad"}
    ev = frame.evals(**roles)
    bike = dfevals.datasets.load("bike").head(300)
    samples: list[Result] = [
        ev.metrics("recall"),
        ev.errors(),
        ev.gains(),
        ev.thresholds(cost={"fp": 1, "fn": 5}, n_resamples=10),
        ev.compare("a", "b", metrics="accuracy"),
        bike.evals(y_true="cnt", y_pred="pred_ridge").residuals(),
        ev.fairness("housing"),
        ev.drift(ev),
        ev.flip("housing", lambda rows: rows["p_gbm"]),
    ]
    for sample in samples:
        known = kinds(sample)
        assert len(known) > 1
        assert not known - pictured[type(sample).__name__], type(sample).__name__
    assert pictured["CurveResult"] == CURVES
    assert pictured["CalibrationResult"] == set(STRATEGIES)
    drawn_with_kinds = {one.__name__ for one in results() if "kind" in inspect.signature(one.plot).parameters}
    assert drawn_with_kinds == {type(sample).__name__ for sample in samples}


def test_names_are_unique_and_every_family_has_its_guide() -> None:
    names = [picture.name for family in gallery.FAMILIES for picture in family.pictures]
    assert len(names) == len(set(names))
    for family in gallery.FAMILIES:
        guide = (DOCS / "guides" / f"{family.guide}.md").read_text(encoding="utf-8")
        shown_there = re.findall(r"_generated/gallery/([\w-]+)\.md", guide)
        assert shown_there, f"{family.guide} has no picture"
        assert set(shown_there) <= set(names)
        assert "What can fool you" in guide


def test_a_picture_is_written_in_light_and_dark_with_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = 'ev = dfevals.datasets.load("credit").evals(y_true="class", y_score="p_logistic", pos_label="bad")'
    picture = gallery.Picture("one", "One", "One chart.", "ev.confusion().plot()")
    monkeypatch.setattr(gallery, "FAMILIES", (gallery.Family("Family", "confusion", setup, (picture,)),))
    gallery.write_gallery(tmp_path / "gallery", tmp_path / "gallery.md")
    page = (tmp_path / "gallery.md").read_text(encoding="utf-8")
    assert "ev.confusion().plot()" in page
    assert "(../guides/confusion.md)" in page
    for theme in ("light", "dark"):
        assert f"gallery/one-{theme}.png" in page
        written = (tmp_path / "gallery" / f"one-{theme}.png").read_bytes()
        assert b"Confusion matrix" in written
    assert page.count(':alt: "Confusion matrix') == 2
