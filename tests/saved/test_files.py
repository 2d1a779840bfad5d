"""Tallies written to files: the same numbers to the bit, whatever they hold; hostile bytes are refused and harm nobody."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dfevals
from dfevals import Outcome, Tally
from dfevals.exceptions import DataError, DfevalsError
from dfevals.saved import container, tallies
from dfevals.saved.container import MAGIC, TRAILER, VERSION, pack, unpack
from laws.frames import Case, binary, metric_names, multiclass, outcomes, regression

CASES = {case.name: case for case in (binary(80), multiclass(3, 80), multiclass(12, 150), regression(80), outcomes(80))}
WEIGHTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "importance": {"sample_weight": "w"},
    "frequency": {"sample_weight": "f", "weight_kind": "frequency"},
    "clustered": {"cluster": "user"},
    "both": {"sample_weight": "w", "cluster": "user"},
}
OVERLAPPING = dfevals.each("sex", ["region", dfevals.bins("age", [30, 50])])


def same(one: Any, other: Any) -> None:
    pd.testing.assert_frame_equal(one.frame, other.frame, check_exact=True)
    assert one.notes == other.notes


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("name", CASES)
def test_every_metric_is_the_same_to_the_bit(name: str, weights: str) -> None:
    case = CASES[name]
    names = metric_names(case.task, weighted="sample_weight" in WEIGHTS[weights])
    names = ["accuracy", "f1", "mcc", "log_loss"] if "12" in name else names  # many classes: cells by occurrence
    tally = case.evaluation(**WEIGHTS[weights]).collect(names, by=OVERLAPPING)
    loaded = Tally.from_bytes(tally.to_bytes(rows=True))
    same(tally.metrics(level=None), loaded.metrics(level=None))
    few = names[::9]
    same(tally.metrics(few), loaded.metrics(few))
    assert loaded.meaning == tally.meaning
    assert loaded.context == tally.context
    assert [str(r) for r in loaded.requests] == [str(r) for r in tally.requests]
    assert loaded.to_bytes(rows=True) == tally.to_bytes(rows=True)


@pytest.mark.parametrize(
    "by", [None, "sex", ["sex", "region"], OVERLAPPING, {"young": "age < 30", "old": "age > 25"}], ids=str
)
def test_loaded_tallies_add_up(by: Any, tmp_path: Path) -> None:
    case = binary(300)
    parts = [case.evaluation(case.frame[cut]).collect(by=by) for cut in (slice(0, 100), slice(100, 300))]
    for i, part in enumerate(parts):
        part.save(tmp_path / f"{i}.tally")
    loaded = [dfevals.load_tally(tmp_path / f"{i}.tally") for i in range(2)]
    same((loaded[0] + loaded[1]).metrics(), (parts[0] + parts[1]).metrics())
    same((loaded[0] + parts[1]).metrics(), (parts[0] + parts[1]).metrics())


def test_edges_labels_and_texts_of_every_kind_come_back() -> None:
    times = pd.date_range("2026-01-01", periods=60, freq="D")
    frame = pd.DataFrame(
        {"y": [True, False] * 30, "p": np.linspace(0, 1, 60), "at": times, "g": ["a", "<NA>", "ß"] * 20}
    )
    by = dfevals.each(
        "g", dfevals.bins("at", [pd.Timestamp("2026-01-20")]), dfevals.top("g", 1), dfevals.period("at", "week")
    )
    tally = frame.evals(y_true="y", y_score="p").collect(by=by)
    loaded = Tally.from_bytes(tally.to_bytes())
    same(tally.metrics(), loaded.metrics())
    halves = frame.assign(g=pd.Series(["a\ud800", "b"] * 30, dtype=object))
    clustered = halves.evals(y_true="y", y_score="p", cluster="g").collect()
    same(clustered.metrics(), Tally.from_bytes(clustered.to_bytes()).metrics())
    assert loaded.labels == (False, True)
    assert type(loaded.labels[1]) is bool
    assert [axis.definition for axis in loaded.cohorts.axes] == [axis.definition for axis in tally.cohorts.axes]
    assert loaded.cohorts.expressions == tally.cohorts.expressions


def test_rows_are_written_only_when_asked(tmp_path: Path) -> None:
    tally = regression(50).evaluation().collect(["mae", "median_ae"])
    with pytest.raises(DataError, match=r"'median_ae'.*rows=True"):
        tally.save(tmp_path / "t")
    assert not list(tmp_path.iterdir())
    tally.save(tmp_path / "t", rows=True)
    same(dfevals.load_tally(tmp_path / "t").metrics(), tally.metrics())
    with pytest.raises(DataError, match="writes no rows"):
        tally.save(tmp_path / "t", min_n=5, rows=True)


def test_own_metrics_are_saved_by_name() -> None:
    frame = binary(60).frame.assign(ok=True)
    evaluation = frame.evals(outcomes=["ok", Outcome("age")])

    def share(y_true: Any, y_pred: Any) -> float:
        return float(np.mean(y_true == y_pred))

    with pytest.raises(DataError, match=r"'share' is a function.*@dfevals.metric"):
        binary(60).evaluation().collect([share]).to_bytes(rows=True)
    same(evaluation.collect().metrics(), Tally.from_bytes(evaluation.collect().to_bytes()).metrics())
    dfevals.metric(name="own_share_for_files")(share)
    try:
        tally = binary(60).evaluation().collect(["own_share_for_files"])
        data = tally.to_bytes(rows=True)
        same(Tally.from_bytes(data).metrics(), tally.metrics())
    finally:
        from dfevals.metrics import registry

        del registry._RECORDS["own_share_for_files"]
    with pytest.raises(DataError, match="'own_share_for_files', which is not known here"):
        Tally.from_bytes(data)


@pytest.fixture(scope="module")
def data() -> bytes:
    names = ["recall", "roc_auc", "log_loss", "ece", "accuracy"]
    return binary(80).evaluation(cluster="user").collect(names, by=OVERLAPPING).to_bytes(rows=True)


def resealed(body: bytes, version: int = VERSION) -> bytes:
    """The bytes with a seal that fits them, as an attacker would make it."""
    return body + TRAILER.pack(MAGIC, version, 0, len(body), hashlib.sha256(body).digest())


def test_truncated_foreign_changed_and_newer_files_are_named(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.tally"
    for twentieth in range(20):
        path.write_bytes(data[: len(data) * twentieth // 20])
        with pytest.raises(DataError, match=r"a\.tally.*(truncated|no tally)"):
            dfevals.load_tally(path)
    path.write_bytes(b"PAR1" * 100)
    with pytest.raises(DataError, match="another kind of file"):
        dfevals.load_tally(path)
    path.write_bytes(resealed(data[: -TRAILER.size], VERSION + 1))
    with pytest.raises(DataError, match=f"version {VERSION + 1}, and this dfevals reads version {VERSION}"):
        dfevals.load_tally(path)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        dfevals.load_tally(tmp_path / "none")
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(data), 60):
        changed = bytearray(data)
        changed[at] ^= 1 << int(rng.integers(0, 8))
        with pytest.raises(DataError):
            Tally.from_bytes(bytes(changed))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numbers beyond all sense, as an attacker may write them
def test_bytes_changed_under_a_new_seal_are_refused_or_answer(data: bytes) -> None:
    rng = np.random.default_rng(1)
    body = data[: -TRAILER.size]
    refused = 0
    for _ in range(120):
        changed = bytearray(body)
        changed[int(rng.integers(0, len(body)))] = int(rng.integers(0, 256))
        try:
            Tally.from_bytes(resealed(bytes(changed))).metrics(level=None)
        except DfevalsError:
            refused += 1
    assert refused > 20


def edited(data: bytes, change: Any) -> bytes:
    """The bytes with another description or other arrays."""
    described, arrays = unpack(data)
    change(described, arrays)
    return pack(described, arrays)


def _set(*path: Any, to: Any) -> Any:
    def change(described: Any, arrays: Any) -> None:
        inside = described
        for key in path[:-1]:
            inside = inside[key]
        inside[path[-1]] = to

    return change


def _array(end: str, change: Any) -> Any:
    def run(described: Any, arrays: Any) -> None:
        name = next(name for name in arrays if name.endswith(end))
        arrays[name] = change(arrays[name])

    return run


@pytest.mark.parametrize(
    "change",
    [
        _set("cohorts", "n_atoms", to=1 << 60),
        _set("labels", to={"$tuple": ["a"]}),
        _set("labels", to={"$tuple": [{"$tuple": []}, {"$evil": 1}]}),
        _set("task", to="evil"),
        _set("models", 0, "rows_read", to=-1),
        _set("models", 0, "dropped", to={"x": 10**9}),
        _set("models", 0, "parts", to=[]),
        _set("models", 0, "parts", 0, "tally", "kind", to="object"),
        _set("models", 0, "parts", 0, "need", "kind", to="Rows"),
        _set("requests", 0, "metric", to="f(" * 150),
        _set("requests", 0, "metric", to="ece_plugin(bins=1000000000)"),
        _set("meaning", "roles", to={"nothing": 1}),
        _set("context", to=[1]),
        _array("weight", lambda x: -x),
        _array("weight", lambda x: x * np.nan),
        _array("weight", lambda x: x + 1),
        _array("weight", lambda x: x[..., :-1]),
        _array("keys", lambda x: x[::-1].copy()),
        _array("offsets", lambda x: x[::-1].copy()),
        _array("offsets", lambda x: x * 1_000_000_000),
        _array("cluster", lambda x: x + 1_000_000),
        _array("codes", lambda x: x - 5),
        _array("positions", lambda x: x + 99),
        _array("central", lambda x: x[:-1]),
        _array("labels/0", lambda x: x[:-1]),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(data: bytes, change: Any) -> None:
    plain = binary(80).evaluation().collect(["recall", "roc_auc", "log_loss", "accuracy"], by=OVERLAPPING).to_bytes()
    hit = 0
    for whole in (data, plain):
        try:
            bad = edited(whole, change)
        except StopIteration:
            continue
        hit += 1
        with pytest.raises(DataError):
            Tally.from_bytes(bad)
    assert hit


def test_compressed_or_nested_files_are_refused_before_they_unfold(data: bytes) -> None:
    table = pa.ipc.open_stream(data[: -TRAILER.size]).read_all()
    for options in (pa.ipc.IpcWriteOptions(compression="zstd"), pa.ipc.IpcWriteOptions(compression="lz4")):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
            writer.write_table(table)
        with pytest.raises(DataError, match="compressed"):
            Tally.from_bytes(resealed(sink.getvalue().to_pybytes()))
    with pytest.raises(DataError):
        Tally.from_bytes(resealed(json.dumps({"models": []}).encode()))
    deep = pa.schema([pa.field("a", pa.large_list(pa.float64()))], {container.KEY: b"[" * 100_000})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, deep) as writer:
        writer.write_batch(pa.record_batch([pa.array([[1.0]], pa.large_list(pa.float64()))], schema=deep))
    with pytest.raises(DataError, match="cannot be read"):
        Tally.from_bytes(resealed(sink.getvalue().to_pybytes()))


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t"
    tally = binary(60).evaluation().collect("recall")
    tally.save(path)
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"could not be written.*No space left"):
        (tally + tally).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["t"]
    with pytest.raises(DataError, match="could not be written"):
        tally.save(tmp_path / "no" / "such" / "folder")


def test_saving_changes_nothing_and_copies_answer_alike() -> None:
    tally = binary(60).evaluation().collect(by="sex")
    before = tally.metrics()
    loaded = Tally.from_bytes(tally.to_bytes(min_n=10))
    same(tally.metrics(), before)
    same(copy.deepcopy(loaded).metrics(), loaded.metrics())


# Suppression


def shown(tally: Tally) -> dict[tuple[str, ...], int]:
    frame = tally.metrics("accuracy", level=None).frame
    rows = frame[~frame["is_overall"]]
    return {tuple(row): int(n) for row, n in zip(rows[list(tally.cohorts.names)].to_numpy(), rows["n"], strict=True)}


@pytest.mark.parametrize("sizes", [(40, 30, 3), (40, 30, 3, 4), (40, 12, 9), (100, 2, 2, 2), (50, 50)])
def test_no_cohort_below_min_n_is_shown_or_follows_by_subtraction(sizes: tuple[int, ...]) -> None:
    g = np.repeat([f"g{i}" for i in range(len(sizes))], sizes)
    frame = pd.DataFrame({"y": np.arange(len(g)) % 2, "p": np.arange(len(g)) % 3 % 2, "g": g})
    tally = frame.evals(y_true="y", y_pred="p", pos_label=1).collect(["accuracy", "log_loss"][:1], by="g")
    found = shown(Tally.from_bytes(tally.to_bytes(min_n=10)))
    small = {f"g{i}" for i, n in enumerate(sizes) if n < 10}
    assert not small & {name for (name,) in found}
    assert sum(found.values()) == len(g)
    assert min(found.values()) >= 10
    hidden = [n for i, n in enumerate(sizes) if (f"g{i}",) not in found]
    assert len(hidden) != 1
    assert not hidden or sum(hidden) >= 10


def test_suppressed_tallies_name_no_cluster_and_refuse_what_would_tell() -> None:
    case: Case = binary(200)
    frame = case.frame.assign(user=[f"person-{i % 50}" for i in range(200)])
    tally = case.evaluation(frame, cluster="user").collect(["accuracy", "roc_auc", "log_loss"], by=["sex", "region"])
    assert b"person-7" in tally.to_bytes()
    assert b"person-7" not in tally.to_bytes(min_n=20)
    loaded = Tally.from_bytes(tally.to_bytes(min_n=20))
    assert any("counts as two" in note for note in loaded.metrics().notes)
    with pytest.raises(DataError, match="Collect both without min_n"):
        loaded + loaded
    overlapping = case.evaluation(frame).collect("accuracy", by=dfevals.each("sex", "region"))
    with pytest.raises(DataError, match="overlap"):
        overlapping.to_bytes(min_n=40)
    with pytest.raises(DataError, match="fewer than min_n"):
        tally.to_bytes(min_n=1000)
    with pytest.raises(DataError, match="whole number"):
        tally.to_bytes(min_n=0)


# Addition


def test_tallies_of_different_questions_are_not_added() -> None:
    case = binary(100)
    base = case.evaluation().collect("recall", by="sex")
    other = {
        "roles": case.evaluation(cluster="user").collect("recall", by="sex"),
        "thresholds": case.evaluation(threshold=0.7).collect("recall", by="sex")
        if "y_pred" not in case.roles
        else None,
        "score kinds": case.evaluation(score_kind="margin").collect("recall", by="sex"),
        "cohort columns": case.evaluation().collect("recall", by="region"),
        "metrics": case.evaluation().collect("precision", by="sex"),
        "weights": case.evaluation(sample_weight="w").collect("recall", by="sex"),
    }
    for what, tally in other.items():
        if tally is not None:
            with pytest.raises(DataError, match=f"different {what}"):
                base + tally
    times = case.frame.assign(at=pd.date_range("2026-01-01", periods=100))
    day, month = (
        case.evaluation(times).collect("recall", by=dfevals.period("at", grain)) for grain in ("day", "month")
    )
    with pytest.raises(DataError, match=r"'day'.*'month'"):
        day + month
    assert tallies.load_tally is dfevals.load_tally
