"""A store of tallies: only files that are new or changed are read, whatever happens to the writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals import Gate
from dfevals.exceptions import DataError

ROLES: dict[str, Any] = {"y_true": "y", "y_score": {"a": "a", "b": "b"}, "pos_label": 1}
METRICS = ["recall", "roc_auc", "log_loss"]


def day(i: int, n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(i)
    y = rng.integers(0, 2, n)
    at = pd.Timestamp("2026-01-01") + pd.to_timedelta(24 * i + rng.integers(0, 24, n), "h")
    scores = {name: np.clip(rng.normal(0.4 + 0.2 * y, 0.2), 0, 1) for name in "ab"}
    return pd.DataFrame(
        {"y": y, **scores, "g": rng.choice(["u", "v", "w"], n), "at": at, "fold": rng.integers(0, 3, n)}
    )


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "days"
    folder.mkdir()
    for i in range(4):
        day(i).to_parquet(folder / f"{i:02d}.parquet")
    return folder


def kept(files: Path, **roles: Any) -> Any:
    return dfevals.evaluate(str(files / "*.parquet"), **{**ROLES, **roles}, store=files.parent / "store")


def rows(files: Path, **roles: Any) -> Any:
    return dfevals.evaluate(str(files / "*.parquet"), **{**ROLES, **roles})


def close(one: Any, other: Any) -> None:
    pd.testing.assert_frame_equal(one.frame, other.frame, rtol=1e-9, atol=1e-12)


def names(paths: list[str]) -> list[str]:
    return [Path(path).stem for path in paths]


def test_only_new_and_changed_files_are_read(files: Path) -> None:
    ev = kept(files)
    close(ev.metrics(METRICS, by="g"), rows(files).metrics(METRICS, by="g"))
    assert names(ev.store.read) == ["00", "01", "02", "03"]
    again = kept(files)
    close(again.metrics(METRICS, by="g"), rows(files).metrics(METRICS, by="g"))
    assert again.store.read == []
    day(4).to_parquet(files / "04.parquet")
    close(again.metrics(METRICS, by="g"), rows(files).metrics(METRICS, by="g"))
    assert names(again.store.read) == ["04"]
    day(11).to_parquet(files / "01.parquet")
    (files / "02.parquet").unlink()
    close(again.metrics(METRICS, by="g"), rows(files).metrics(METRICS, by="g"))
    assert names(again.store.read) == ["01"]
    stored = [path.name for path in (files.parent / "store").rglob("*.tally")]
    assert len(stored) == 4 + 1
    os.utime(files / "03.parquet", ns=(1, 1))
    again.metrics(METRICS, by="g")
    assert names(again.store.read) == ["03"]


def test_what_follows_from_an_earlier_question_is_not_read(files: Path) -> None:
    ev = kept(files)
    by = ["g", dfevals.period("at", "day")]
    ev.metrics([*METRICS, "accuracy"], by=by)
    asked: list[Any] = [
        lambda e: e.metrics("recall", by="g"),
        lambda e: e.metrics(METRICS, by=dfevals.period("at", "month")),
        lambda e: e.confusion(by="g"),
        lambda e: e.roc(by=dfevals.period("at", "week")),
        lambda e: e.calibration(n_resamples=10),
        lambda e: e.thresholds(cost={"fp": 1, "fn": 2}, n_resamples=5, thresholds=4),
        lambda e: e.compare("a", "b", "recall", by="g"),
        lambda e: e.power(metrics="recall"),
    ]
    for ask in asked:
        close(ask(ev), ask(rows(files)))
        assert ev.store.read == []
    gate = ev.gate(Gate("recall", ">=", 0.2), model="a")
    assert gate.answer == rows(files).gate(Gate("recall", ">=", 0.2), model="a").answer
    assert ev.store.read == []
    close(ev.metrics("precision", by="g"), rows(files).metrics("precision", by="g"))
    assert len(ev.store.read) == 4


def test_questions_about_rows_and_folds_are_answered_too(files: Path) -> None:
    ev = kept(files, fold="fold")
    close(ev.folds("recall", by="g"), rows(files, fold="fold").folds("recall", by="g"))
    pd.testing.assert_frame_equal(ev.worst(3), rows(files, fold="fold").worst(3))
    assert len(ev.where("g == 'u'")) < len(ev)
    close(ev.fairness("g"), rows(files, fold="fold").fairness("g"))
    assert ev.task == "binary"
    assert ev.models == ("a", "b")
    assert "none is held" in repr(ev)
    assert len(ev.frame) == len(ev) == 240


def test_a_new_label_is_said_and_never_wrong(files: Path) -> None:
    roles: dict[str, Any] = {"y_true": "g", "y_pred": "p", "pos_label": None, "y_score": None}
    for i in range(4):
        frame = day(i).assign(p=lambda f: f["g"].iloc[::-1].to_numpy())
        frame[frame["g"] != "w"].to_parquet(files / f"{i:02d}.parquet") if i == 1 else frame.to_parquet(
            files / f"{i:02d}.parquet"
        )
    ev = kept(files, **roles)
    close(ev.metrics("accuracy", by="fold"), rows(files, **roles).metrics("accuracy", by="fold"))
    assert kept(files, **roles).metrics("accuracy", by="fold").notes == ev.metrics("accuracy", by="fold").notes
    day(4).assign(g="new", p="u").to_parquet(files / "04.parquet")
    found = ev.metrics("accuracy", by="fold")
    close(found, rows(files, **roles).metrics("accuracy", by="fold"))
    assert any(
        "'new'" in note and "04.parquet" in note and "all 5 files were read again" in note for note in found.notes
    )
    assert kept(files, **roles).labels == ("new", "u", "v", "w")
    close(kept(files, **roles).confusion(), rows(files, **roles).confusion())
    day(5).to_parquet(files / "05.parquet")
    with pytest.raises(DataError, match=r"'p' is not in the frame.*05\.parquet"):
        ev.metrics("accuracy", by="fold")


def test_files_of_one_class_are_settled_by_all(files: Path) -> None:
    for i in range(4):
        frame = day(i)
        frame[frame["y"] == i % 2].to_parquet(files / f"{i:02d}.parquet")
    close(kept(files).metrics(METRICS, by="g"), rows(files).metrics(METRICS, by="g"))


def test_kinds_of_score_that_differ_are_refused_with_the_files(files: Path) -> None:
    day(7).assign(a=lambda f: f["a"] * 8 - 4).to_parquet(files / "07.parquet")
    with pytest.raises(DataError, match=r"score kinds.*07\.parquet.*score_kind="):
        kept(files).metrics("roc_auc")
    close(kept(files, score_kind="margin").metrics("roc_auc"), rows(files, score_kind="margin").metrics("roc_auc"))


def test_damaged_parts_are_made_anew(files: Path) -> None:
    expected = rows(files).metrics(METRICS, by="g")
    kept(files).metrics(METRICS, by="g")
    store = files.parent / "store"
    for path in [*store.rglob("*.tally"), *store.rglob("*.json")]:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
        close(kept(files).metrics(METRICS, by="g"), expected)
    for path in [*store.rglob("all*"), *list(store.rglob("*.tally"))[:2]]:
        path.unlink(missing_ok=True)
        close(kept(files).metrics(METRICS, by="g"), expected)


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_kept(files: Path) -> None:
    (files / "02.parquet").write_bytes(b"PAR1 no parquet PAR1")
    ev = kept(files)
    with pytest.raises(DataError, match=r"02\.parquet"):
        ev.metrics("recall")
    day(2).to_parquet(files / "02.parquet")
    close(ev.metrics("recall"), rows(files).metrics("recall"))
    assert names(ev.store.read) == ["02", "03"]
    for path in files.iterdir():
        path.unlink()
    with pytest.raises(DataError, match="no file"):
        ev.metrics("recall")


def test_a_full_disk_is_an_error_that_leaves_no_half_file(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ev = kept(files)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(DataError, match=r"could not be written.*No space left"):
            ev.metrics("recall")
    assert not [*(files.parent / "store").rglob("*.part"), *(files.parent / "store").rglob("*.tally")]
    close(ev.metrics("recall"), rows(files).metrics("recall"))


CHILD = """
import sys, dfevals
ev = dfevals.evaluate(sys.argv[1], y_true="y", y_score={"a": "a", "b": "b"}, pos_label=1, store=sys.argv[2])
print("ready", flush=True)
ev.metrics(["recall", "roc_auc", "log_loss"], by="g")
print("done", flush=True)
"""


def _child(files: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(files / "*.parquet"), str(files.parent / "store")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_writer_killed_at_any_moment_harms_nothing(files: Path) -> None:
    for i in range(4, 40):
        day(i).to_parquet(files / f"{i:02d}.parquet")
    expected = rows(files).metrics(METRICS, by="g")
    for wait in (0.05, 0.4):
        child = _child(files)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(wait)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
    found = kept(files)
    close(found.metrics(METRICS, by="g"), expected)
    assert len(found.store.read) < 40


def test_two_writers_at_once_write_the_same(files: Path) -> None:
    for i in range(4, 12):
        day(i).to_parquet(files / f"{i:02d}.parquet")
    expected = rows(files).metrics(METRICS, by="g")
    found: list[Any] = []
    writers = [threading.Thread(target=lambda: found.append(kept(files).metrics(METRICS, by="g"))) for _ in range(2)]
    child = _child(files)
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert child.wait() == 0
    assert child.stdout is not None
    child.stdout.close()
    for result in (*found, kept(files).metrics(METRICS, by="g")):
        close(result, expected)
    assert not [*(files.parent / "store").rglob("*.part")]


def test_sources_that_are_no_files_and_roles_that_differ(files: Path) -> None:
    with pytest.raises(DataError, match="pass paths, a pattern or a folder, not DataFrame"):
        dfevals.evaluate(day(0), **ROLES, store=files.parent / "store")
    one, other = kept(files), kept(files, threshold=0.7)
    close(one.metrics("recall"), rows(files).metrics("recall"))
    close(other.metrics("recall"), rows(files, threshold=0.7).metrics("recall"))


def test_folders_with_names_and_values_are_columns(tmp_path: Path) -> None:
    for i, name in enumerate(("north", "south")):
        folder = tmp_path / "days" / f"region={name}"
        folder.mkdir(parents=True)
        day(i).to_parquet(folder / "0.parquet")
    ev = dfevals.evaluate(tmp_path / "days", **ROLES, store=tmp_path / "store")
    close(
        ev.metrics("recall", by="region"), dfevals.evaluate(tmp_path / "days", **ROLES).metrics("recall", by="region")
    )
