"""Evaluators over a frame: columns, counted errors, cache, interruption, concurrency."""

from __future__ import annotations

import asyncio
import enum
import errno
import json
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals.evaluators as ev
from dfevals.exceptions import DataError, RoleError


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"answer": ["4", "five", None, "6"], "gold": ["4", "5", "5", "6"]}, index=[10, 10, 3, 7])


def annotate(frame: pd.DataFrame, evaluators: object, **options: object) -> ev.Annotation:
    return ev.annotate(frame, evaluators, progress=False, **options)  # type: ignore[arg-type]


def coded(code: int) -> sqlite3.OperationalError:
    """An error of SQLite with a code."""
    error = sqlite3.OperationalError("no")
    error.sqlite_errorcode = code
    return error


def test_columns_and_outcome(frame: pd.DataFrame) -> None:
    before = frame.copy()
    done = annotate(frame, [ev.ExactMatch(response="answer", reference="gold")])
    out = done.frame
    pd.testing.assert_frame_equal(frame, before)
    assert list(out.columns) == [
        "answer",
        "gold",
        "exact_match",
        "exact_match_passed",
        "exact_match_reason",
        "exact_match_error",
    ]
    assert out.index.equals(frame.index)
    np.testing.assert_array_equal(out["exact_match"], [1.0, 0.0, np.nan, 1.0])
    assert out["exact_match_passed"].dtype == "boolean"
    assert out["exact_match_passed"].isna().tolist() == [False, False, True, False]
    assert out["exact_match_error"].notna().tolist() == [False, False, True, False]
    assert done.errors == {"exact_match": 1}
    assert json.loads(out.attrs["dfevals_annotations"])["exact_match"]["errors"] == 1
    (outcome,) = done.outcomes
    assert (outcome.column, outcome.error_column, outcome.kind) == ("exact_match", "exact_match_error", "score")
    assert (outcome.better, outcome.pass_at) == ("higher", 1.0)


def test_outcomes_say_how_the_verdict_follows() -> None:
    frame = pd.DataFrame({"response": ["a", "a b c d", "a b"]})
    evaluators = [ev.Length(least=2, most=3), ev.Repetition(), ev.evaluator(lambda response: "b" in response), len]
    outcomes = {o.column: (o.kind, o.better, o.pass_at) for o in annotate(frame, evaluators).outcomes}
    assert outcomes == {
        "length": ("score", "lower", None),
        "length_passed": ("pass", None, None),
        "repetition": ("score", "lower", 0.2),
        "evaluation": ("pass", None, None),
        "len": ("score", "higher", None),
    }


def test_the_accessor_registers_outcomes_so_that_metrics_work() -> None:
    import dfevals

    frame = pd.DataFrame({"response": ["a", None, "c", "d"], "reference": list("abxd"), "intent": list("uuvv")})
    done = frame.evals.annotate([dfevals.evaluators.ExactMatch()], progress=False)
    out = done.evals().metrics(["fail_rate", "evaluation_error_rate"], by="intent").frame
    value = out.set_index(["intent", "metric"])["value"]
    assert value["u", "evaluation_error_rate"] == 0.5
    assert value["u", "fail_rate"] == 0.0
    assert value["v", "fail_rate"] == 0.5


def test_a_missing_column_names_the_nearest(frame: pd.DataFrame) -> None:
    with pytest.raises(RoleError, match="Did you mean 'answer'"):
        annotate(frame, ev.ExactMatch(response="anser", reference="gold"))
    with pytest.raises(RoleError, match="needs the role response"):
        annotate(frame, ev.ExactMatch(reference="gold"))


def test_constants_names_classes_and_functions(frame: pd.DataFrame) -> None:
    frame = frame.rename(columns={"answer": "response"})
    out = annotate(
        frame,
        [
            ev.ExactMatch(reference=["4", "five"], name="four_or_five"),
            ev.Length,
            "repetition",
            lambda row: row["response"] == row["gold"],
        ],
    ).frame
    assert out["four_or_five"].tolist()[:2] == [1.0, 1.0]
    assert {"length", "repetition", "evaluation"} <= set(out.columns)
    assert out["evaluation"].tolist() == [1.0, 0.0, 0.0, 1.0]


def test_single_parameter_function_reads_the_response(frame: pd.DataFrame) -> None:
    out = annotate(frame.rename(columns={"answer": "response"}).dropna(), len).frame
    assert out["len"].tolist() == [1.0, 4.0, 1.0]


def test_bound_parameters(frame: pd.DataFrame) -> None:
    @ev.evaluator(text="answer")
    def same(text: str, gold: str) -> bool:
        return text == gold

    assert annotate(frame, same).frame["same"].tolist() == [1.0, 0.0, 0.0, 1.0]
    assert annotate(frame, same.bind(text="gold")).frame["same"].tolist() == [1.0] * 4


def test_two_of_one_name_and_a_taken_name(frame: pd.DataFrame) -> None:
    one = ev.ExactMatch(response="answer", reference="gold")
    with pytest.raises(DataError, match="Two evaluators are called 'exact_match'"):
        annotate(frame, [one, one])
    with pytest.raises(DataError, match="already has a column 'exact_match'"):
        annotate(frame.assign(exact_match=1), one)
    again = annotate(annotate(frame, one).frame, one)
    assert again.frame.columns.is_unique


def test_row_7_of_10_000_raises() -> None:
    frame = pd.DataFrame({"response": [str(i) for i in range(10_000)]})

    def fussy(response: str) -> float:
        if response == "7":
            raise ValueError("cannot read seven")
        return 1.0

    done = annotate(frame, fussy)
    assert done.errors == {"fussy": 1}
    assert done.frame["fussy_error"].dropna().to_dict() == {7: "ValueError: cannot read seven"}
    assert done.frame["fussy"].notna().sum() == 9_999


def test_cache_repeats_nothing_and_forgets_errors(tmp_path: Path) -> None:
    frame = pd.DataFrame({"response": ["a", "b", "bad", "a"]})
    calls: list[str] = []

    def slow(response: str) -> tuple[float, str]:
        calls.append(response)
        if response == "bad" and len(calls) < 6:
            raise RuntimeError("down")
        return 0.5, f"saw {response}"

    path = tmp_path / "deep" / "cache.sqlite"
    first = annotate(frame, slow, cache=path).frame
    assert first["slow_error"].notna().tolist() == [False, False, True, False]
    calls[:] = ["-"] * 6
    second = annotate(frame, slow, cache=path)
    assert calls[6:] == ["bad"]
    assert second.errors == {"slow": 0}
    assert second.provenance["slow"]["from_cache"] == 3
    assert second.frame["slow_reason"].tolist() == ["saw a", "saw b", "saw bad", "saw a"]


def test_interruption_keeps_finished_work(tmp_path: Path) -> None:
    frame = pd.DataFrame({"response": [str(i) for i in range(100)]})
    stop_at, calls = ["50"], []

    def one(response: str) -> float:
        if response in stop_at:
            raise KeyboardInterrupt
        calls.append(response)
        return float(response)

    path = tmp_path / "c.sqlite"
    with pytest.raises(KeyboardInterrupt):
        annotate(frame, one, cache=path)
    stop_at.clear()
    calls.clear()
    out = annotate(frame, one, cache=path).frame
    assert calls == [str(i) for i in range(50, 100)]
    np.testing.assert_array_equal(out["one"], np.arange(100.0))


def test_cache_knows_the_settings(tmp_path: Path) -> None:
    frame = pd.DataFrame({"response": ["A"], "reference": ["a"]})
    path = tmp_path / "c.sqlite"
    assert annotate(frame, ev.ExactMatch(), cache=path).frame["exact_match"].tolist() == [1.0]
    assert annotate(frame, ev.ExactMatch(exact=True), cache=path).frame["exact_match"].tolist() == [0.0]


def test_a_file_that_is_no_cache(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello " * 1000)
    with pytest.raises(DataError, match="cannot be used"):
        annotate(pd.DataFrame({"response": ["a"]}), ev.Length(), cache=path)


def test_threads_run_at_once_and_keep_the_order() -> None:
    frame = pd.DataFrame({"response": [str(i) for i in range(24)]})
    running, most, lock = [0], [0], threading.Lock()

    def one(response: str) -> float:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.02)
        with lock:
            running[0] -= 1
        return float(response)

    out = annotate(frame, one, max_concurrency=8).frame
    np.testing.assert_array_equal(out["one"], np.arange(24.0))
    assert 2 <= most[0] <= 8


def test_async_functions_run_at_once_inside_a_running_loop() -> None:
    frame = pd.DataFrame({"response": [str(i) for i in range(20)]})
    most, running = [0], [0]

    async def one(response: str) -> float:
        running[0] += 1
        most[0] = max(most[0], running[0])
        await asyncio.sleep(0.01)
        running[0] -= 1
        if response == "3":
            raise ValueError("three")
        return float(response)

    async def notebook() -> ev.Annotation:
        return annotate(frame, one, max_concurrency=5)

    done = asyncio.run(notebook())
    assert done.errors == {"one": 1}
    assert most[0] == 5


def test_a_runner_that_never_ends_is_an_error_of_its_row() -> None:
    forever = threading.Event()

    def runner(response: str, tests: object) -> bool:
        if response == "loop":
            forever.wait(30)
        return True

    frame = pd.DataFrame({"response": ["ok", "loop", "ok"]})
    done = annotate(frame, ev.UnitTests(runner, timeout=0.2))
    forever.set()
    assert done.frame["unit_tests"].fillna(-1).tolist() == [1.0, -1.0, 1.0]
    assert "no answer within 0.2 s" in str(done.frame["unit_tests_error"].iloc[1])


def test_bad_arguments() -> None:
    frame = pd.DataFrame({"response": ["a"]})
    with pytest.raises(DataError, match="max_concurrency=0"):
        annotate(frame, ev.UnitTests(lambda r, t: True), max_concurrency=0)
    with pytest.raises(DataError, match="No evaluator"):
        annotate(frame, [])
    with pytest.raises(DataError, match="not an evaluator"):
        annotate(frame, [3])
    with pytest.raises(RoleError, match="two columns"):
        annotate(pd.DataFrame([["a", "b"]], columns=["response", "response"]), ev.Length())


def test_an_empty_frame() -> None:
    out = annotate(pd.DataFrame({"response": pd.Series([], dtype=object)}), ev.Length()).frame
    assert len(out) == 0
    assert "length_error" in out


def test_damaged_and_foreign_caches_are_said_with_a_way_out(tmp_path: Path) -> None:
    frame = pd.DataFrame({"response": [f"text {i} " * 20 for i in range(2000)]})
    path = tmp_path / "c.sqlite"
    annotate(frame, ev.Length(), cache=path)
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 60_000)
    with pytest.raises(DataError, match=r"malformed.*delete this one"):
        annotate(frame, ev.Length(), cache=path)
    other = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE results (a INT)")
        db.commit()
    with pytest.raises(DataError, match="no such column"):
        annotate(frame, ev.Length(), cache=other)


def test_several_writers_share_a_cache_and_late_ones_are_kept(tmp_path: Path) -> None:
    from dfevals.evaluators import Cache

    caches = [Cache(tmp_path / "c.sqlite") for _ in range(4)]

    def write(number: int) -> None:
        for i in range(25):
            caches[number].put({f"{number}-{i}": i})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert len(caches[0]) == 100
    for cache in caches:
        cache.close()
    caches[0].put({"after the end": 1})
    with Cache(tmp_path / "c.sqlite") as again:
        assert again.get(["after the end", "3-24"]) == {"after the end": 1, "3-24": 24}


def test_an_interruption_keeps_the_calls_under_way(tmp_path: Path) -> None:
    """Runners that are at work when the cell is stopped end, and their results are not asked for again."""
    frame = pd.DataFrame({"response": [str(i) for i in range(40)]})
    calls: list[str] = []

    def runner(response: str, tests: object) -> bool:
        calls.append(response)
        time.sleep(0.02)
        return True

    check = ev.UnitTests(runner)

    class Interrupted(ev.UnitTests):
        def conclude(self, result: object) -> ev.Evaluated:
            if len(calls) > 12:
                raise KeyboardInterrupt
            return super().conclude(result)

    path = tmp_path / "c"
    first = Interrupted(runner)
    first.fingerprint = check.fingerprint  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        annotate(frame, first, cache=path)
    time.sleep(0.1)
    begun = len(calls)
    assert begun < 40
    with_cache = annotate(frame, check, cache=path)
    assert with_cache.frame["unit_tests"].eq(1).all()
    assert with_cache.provenance["unit_tests"]["from_cache"] >= 9


def test_an_evaluator_of_a_notebook_is_known_by_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a class that was edited nor a function whose constant was changed meets its old results."""
    frame = pd.DataFrame({"response": ["abc"]})

    def made(factor: int) -> ev.Evaluator:
        class Own(ev.Evaluator):
            record = ev.EvaluatorRecord(name="own", measures="x", roles=("response",), pass_at=None)

            def _evaluate(self, response: str) -> float:
                return len(response) * factor

        return Own()

    @ev.evaluator
    def longer(response: str) -> bool:
        return len(response) > LEAST

    path = tmp_path / "c"
    assert [annotate(frame, made(k), cache=path).frame["own"].item() for k in (1, 2, 1)] == [3.0, 6.0, 3.0]
    assert annotate(frame, longer, cache=path).frame["longer"].item() == 1.0
    monkeypatch.setitem(globals(), "LEAST", 5)
    assert annotate(frame, longer, cache=path).frame["longer"].item() == 0.0


LEAST = 2


def test_keys_in_errors_are_masked() -> None:
    def fails(response: str) -> float:
        raise RuntimeError("401: api_key=Zx93jKq82LmPo")

    def tells(response: str) -> dict[str, str]:
        return {"error": "wrong key sk-abcdefghijklmnopqrstuvwxyz"}

    done = annotate(pd.DataFrame({"response": ["a"]}), [fails, tells])
    assert done.frame["fails_error"].item() == "RuntimeError: 401: api_key=***"
    assert done.frame["tells_error"].item() == "wrong key ***"


def test_an_index_that_repeats_is_kept() -> None:
    frame = pd.DataFrame({"response": ["a", "bb", "ccc"]}, index=[0, 0, 1])
    out = frame.evals.annotate(ev.Length())
    assert out.index.tolist() == [0, 0, 1]
    assert out["length"].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("kind", range(5))
def test_what_cannot_be_written_exactly_is_neither_grouped_nor_cached(kind: int, tmp_path: Path) -> None:
    from test_running import held, opaque

    def runner(response: str, tests: object) -> bool:
        return held(tests) == response

    frame = pd.DataFrame(
        {"response": ["one", "one"], "reference": pd.Series([opaque(a)[kind] for a in ("one", "two")], dtype=object)}
    )
    check = ev.UnitTests(runner)
    for cells in (frame, frame.assign(reference=frame["reference"].iloc[::-1].to_numpy())):
        done = annotate(cells, check, cache=tmp_path / "c")
        assert done.frame["unit_tests"].tolist() == [float(held(cell) == "one") for cell in cells["reference"]]
        assert (done.provenance["unit_tests"]["not_cached"], done.provenance["unit_tests"]["from_cache"]) == (2, 0)


def test_keys_of_dicts_keep_their_type(tmp_path: Path) -> None:
    cells: list[Any] = [{1: "a"}, {"1": "a"}, {1.0: "a"}, {None: "a"}, {True: "b"}, [1], [True], ["1"], b"1", "1"]

    async def tells(response: str, cell: Any) -> float:
        return float(next(i for i, one in enumerate(cells) if repr(one) == repr(cell)))

    frame = pd.DataFrame({"response": "x", "cell": pd.Series(cells, dtype=object)})
    for _ in range(2):
        assert annotate(frame, tells, cache=tmp_path / "c").frame["tells"].tolist() == list(range(10))


class Kinds(enum.Enum):
    A = 1
    B = 2


def test_texts_of_values_are_exact() -> None:
    from collections import namedtuple
    from dataclasses import make_dataclass
    from decimal import Decimal

    from dfevals.evaluators.written import exactly

    Pair, Point = namedtuple("Pair", "a b"), make_dataclass("Point", ["x"])
    deep: list[Any] = []
    deep.append(deep)
    different: list[Any] = [
        1, 1.0, True, "1", b"1", None, float("nan"), 0.0, -0.0, 10**5000, Decimal("1.0"), Decimal("1.00"), "\ud800", "\ud801",
        np.array([1, 2]), np.array([1.0, 2.0]), np.array([[1, 2]]), np.array([1, 2], dtype=object), np.float32(1), np.int8(1),
        pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-01", tz="UTC"), pd.Timestamp("2024-01-01", tz="Europe/Paris"), pd.NaT, pd.NA,
        pd.Timedelta(1), pd.Period("2024-01"), pd.Interval(0, 1), (1, 2), [1, 2], {1, 2}, frozenset({1, 2}), Pair(1, 2), Pair(1, 3),
        Point(1), Point(2), Kinds.A, Kinds.B, ["a,b"], ["a", "b"], ["", "a"], ["a", ""], {"a": {"b": 1}}, {"a": {"b": 2}},
    ]  # fmt: skip
    texts = [exactly(value) for value in different]
    assert None not in texts
    assert len(set(texts)) == len(different)
    assert exactly({"a": 1, "b": 2}) == exactly({"b": 2, "a": 1})
    assert exactly(pd.DataFrame()) is exactly(object()) is exactly(len) is exactly([deep]) is None


@pytest.mark.parametrize("kind", ["function", "class"])
def test_each_paid_call_of_a_plain_function_is_stored_before_the_next(kind: str, tmp_path: Path) -> None:
    path, stored = tmp_path / "c.sqlite", []

    def pay(response: str) -> float:
        with closing(sqlite3.connect(path)) as db:
            stored.append(db.execute("SELECT count(*) FROM results").fetchone()[0])
        return 1.0

    class Own(ev.Evaluator):
        record = ev.EvaluatorRecord(name="own", measures="x", roles=("response",), pass_at=None)

        def _evaluate(self, response: str) -> float:
            return pay(response)

    annotate(pd.DataFrame({"response": [str(i) for i in range(100)]}), pay if kind == "function" else Own(), cache=path)
    assert stored == list(range(100))


def test_two_kernels_share_a_cache_of_evaluations(tmp_path: Path) -> None:
    frame = pd.DataFrame({"response": [str(i) for i in range(40)]})
    calls: list[str] = []

    def plain(response: str) -> float:
        calls.append(response)
        time.sleep(0.005)
        return float(response)

    for concurrency in (None, 2):
        calls.clear()
        path = tmp_path / f"c{concurrency}"
        with ThreadPoolExecutor(2) as pool:
            parts = (frame, frame.iloc[::-1])
            options = {"cache": path, "max_concurrency": concurrency}
            done = [each.result() for each in [pool.submit(annotate, part, plain, **options) for part in parts]]
        assert len(calls) <= 45
        assert sum(one.provenance["plain"]["from_cache"] for one in done) == 80 - len(calls)
        for one in done:
            assert one.frame["plain"].tolist() == [float(text) for text in one.frame["response"]]


@pytest.mark.parametrize("rows", [20, 200])
def test_rows_that_hang_leave_no_thread_each(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dfevals.evaluators.concurrency._PATIENCE", 0.5)
    forever, before = threading.Event(), threading.active_count()
    check = ev.UnitTests(lambda response, tests: forever.wait(60), timeout=0.05, max_concurrency=4)
    done = annotate(pd.DataFrame({"response": [str(i) for i in range(rows)]}), check)
    assert threading.active_count() - before <= 12
    forever.set()
    assert done.errors == {"unit_tests": rows}
    assert done.frame["unit_tests_error"].str.startswith("no answer within 0.05 s").all()
    assert "8 earlier calls have not ended" in done.frame["unit_tests_error"].iloc[-1]


def test_rows_behind_a_burst_that_hangs_are_asked_when_it_ends() -> None:
    def runner(response: str, tests: object) -> bool:
        time.sleep(0.5 if int(response) < 40 else 0.0)
        return True

    check = ev.UnitTests(runner, timeout=0.05, max_concurrency=4)
    done = annotate(pd.DataFrame({"response": [str(i) for i in range(80)]}), check)
    assert done.errors == {"unit_tests": 40}
    assert done.frame["unit_tests"].iloc[40:].eq(1).all()


def test_clients_that_hang_leave_no_thread_for_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dfevals.evaluators.concurrency._PATIENCE", 0.5)
    forever, before = threading.Event(), threading.active_count()
    check = ev.Judge("Is it good?", lambda messages: forever.wait(60), timeout=0.05, retries=1, backoff=0.001)
    done = annotate(pd.DataFrame({"response": [str(i) for i in range(30)]}), check, max_concurrency=4)
    assert threading.active_count() - before <= 24
    forever.set()
    assert done.errors == {"judge": 30}


def test_a_full_disk_is_no_reason_to_delete_what_was_paid_for(tmp_path: Path) -> None:
    with ev.Cache(tmp_path / "c") as cache:
        cache.put({"paid": "x"})
        cache._db.execute("PRAGMA max_page_count = 4")
        with pytest.raises(
            DataError, match=r"disk is full\. Free some space on the disk and go on: what is stored stays\.$"
        ):
            cache.put({"long": "x" * 1_000_000})
        assert cache.get(["paid"]) == {"paid": "x"}


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "Free some space"),
        (OSError(errno.EACCES, "Permission denied"), "you may write there"),
        (ValueError("embedded null byte"), "Give the path of a new file"),
        (sqlite3.ProgrammingError("closed"), "Give the path of a new file"),
        *((coded(code), advice) for code, advice in [
            (sqlite3.SQLITE_FULL, "Free some space"),
            (sqlite3.SQLITE_IOERR_WRITE, "cannot be reached"),
            (sqlite3.SQLITE_BUSY, "Another program"),
            (sqlite3.SQLITE_READONLY_DBMOVED, "you may write there"),
            (sqlite3.SQLITE_CANTOPEN, "its folder exists"),
            (sqlite3.SQLITE_NOTADB, "Give the path of a new file"),
        ]),
    ],
)  # fmt: skip
def test_errors_of_a_cache_say_what_helps(error: Exception, advice: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=advice) as failed, ev.Cache(tmp_path / "c")._explained():
        raise error
    assert "delete" not in str(failed.value)


def test_a_cache_that_another_program_holds_or_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="its folder exists"):
        ev.Cache(tmp_path)
    with ev.Cache(tmp_path / "c") as cache, closing(sqlite3.connect(tmp_path / "c")) as other:
        cache._db.execute("PRAGMA busy_timeout = 10")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DataError, match="Another program is writing"):
            cache.put({"a": 1})


def test_settings_of_any_kind_are_part_of_the_key(tmp_path: Path) -> None:
    class Own(ev.Evaluator):
        record = ev.EvaluatorRecord(name="own", measures="x", roles=("response",), pass_at=None)

        def __init__(self, held: Any) -> None:
            super().__init__(settings={"held": held})

        def _evaluate(self, response: str) -> float:
            return float(str(self.settings["held"]).count("7"))

    sevens: list[Any] = [pd.DataFrame({"a": [0] * 100 + [seven] + [0] * 100}) for seven in (0, 7)]
    for held, cached in (
        ({1: 7}, 1),
        ({"1": 77}, 1),
        ({1: 7, "b": 7}, 1),
        ({(1, 2): 7}, 1),
        (sevens[0], 0),
        (sevens[1], 0),
    ):
        found = [annotate(pd.DataFrame({"response": ["a"]}), Own(held), cache=tmp_path / "c") for _ in range(2)]
        assert [one.frame["own"].item() for one in found] == [str(held).count("7")] * 2
        assert found[1].provenance["own"]["from_cache"] == cached
        assert found[1].provenance["own"]["not_cached"] == 1 - cached


def test_an_async_call_that_refuses_to_end_holds_nobody_up() -> None:
    async def stubborn(response: str) -> float:
        for _ in range(10 if response == "hang" else 0):
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                continue
        return 1.0

    from dfevals.evaluators.concurrency import TimedOut, stream_async

    texts, started = ["a", "hang", "b", "c"], time.monotonic()
    found = dict(stream_async(lambda number: stubborn(texts[number]), 4, max_concurrency=1, timeout=0.1))
    assert time.monotonic() - started < 4
    assert isinstance(found.pop(1), TimedOut)
    assert list(found.values()) == [1.0] * 3
