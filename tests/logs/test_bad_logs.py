"""Damaged, hostile and foreign files: a message with the file and the line, never an exception of a parser."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import dfevals
from dfevals.exceptions import DataError
from dfevals.logs import opening
from logs.logs_at_hand import LOGS, notes

SAMPLES = sorted((LOGS / "lm_eval" / "org__small").glob("samples_toy_sums*"))[0]
EVAL = sorted((LOGS / "inspect" / "plain").glob("*.eval"))[0]
JSON = next((LOGS / "inspect" / "words_json").glob("*.json"))
LINES = SAMPLES.read_text().splitlines()


def written(folder: Path, text: str, name: str = "samples_t_2026-12-01T10-00-00.jsonl") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("third", "reason"),
    [
        ("{", "is no JSON: Expecting property name"),
        ("[1, 2]", "is no object of JSON"),
        ('{"a": 1}', "is no sample of lm-evaluation-harness: 'doc_id' is missing"),
        ('{"a": ' + "[" * 20_000 + "]" * 20_000 + "}", "is nested too deeply"),
        ('{"a": ' + "9" * 5_000 + "}", "holds a number of thousands of digits"),
        (LINES[0], "doc_id 0 is there a second time for the filter 'strict-match'"),
        (json.dumps({**json.loads(LINES[2]), "filtered_resps": 7}), "a field has another form"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, third: str, reason: str) -> None:
    path = written(tmp_path, "\n".join([*LINES[:2], third, LINES[3], ""]))
    with pytest.raises(DataError) as found:
        dfevals.read_log(path)
    assert f"{str(path)!r}, line 3: " in str(found.value)
    assert reason in str(found.value)


def test_a_last_line_that_is_cut_off_is_left_out_and_said(tmp_path: Path) -> None:
    path = written(tmp_path, "\n".join(LINES[:5]) + "\n" + LINES[5][:100])
    df = dfevals.read_log(path)
    assert len(df) == 5
    assert f"{path.name}: line 6, the last, is cut off and left out." in notes(df)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "samples_t_2026-12-01T10-00-00.jsonl"
    path.write_bytes(LINES[0].encode() + b"\n" + LINES[1].encode()[:-2] + b"\xff\xfe}\n")
    with pytest.raises(DataError, match=r"jsonl', line \d: cannot be read"):
        dfevals.read_log(path)


def test_a_number_beyond_all_floats_is_no_score(tmp_path: Path) -> None:
    line = json.loads(LINES[1])
    path = written(tmp_path, json.dumps({**line, "exact_match": 10**400}) + "\n" + LINES[0] + "\n")
    df = dfevals.read_log(path)
    assert df["exact_match"].isna().tolist() == [True, False]


def test_the_quick_parser_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert opening._loads is not None
    line = json.loads(LINES[1])
    numbers = {
        "long": 2**70,
        "least": -(2**63) - 1,
        "most": 2**64 - 1,
        "half": 0.1,
        "nested": [2**70],
        "nan": float("nan"),
    }
    path = written(tmp_path, "\n".join([LINES[0], json.dumps({**line, "doc": numbers}), *LINES[2:9]]) + "\n")
    quick = dfevals.read_log(path)
    assert (quick["long"].iloc[1], quick["least"].iloc[1]) == (2**70, -(2**63) - 1)
    assert quick["nested"].iloc[1] == f"[{2**70}]"
    monkeypatch.setattr(opening, "_loads", None)
    slow = dfevals.read_log(path)
    assert slow.to_dict("list").keys() == quick.to_dict("list").keys()
    assert slow.equals(quick)


def test_compressed_lines_and_damaged_ones(tmp_path: Path) -> None:
    path = tmp_path / f"{SAMPLES.name}.gz"
    path.write_bytes(gzip.compress(SAMPLES.read_bytes()))
    df, plain = dfevals.read_log(path), dfevals.read_log(SAMPLES)
    assert df["exact_match"].equals(plain["exact_match"])
    assert set(df["task"]) == set(plain["task"])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="cannot be read"):
        dfevals.read_log(path)


def _archive(folder: Path, members: dict[str, bytes]) -> Path:
    path = folder / "log.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


HEADER = json.dumps({"version": 2, "status": "success", "eval": {"task": "t", "model": "m"}}).encode()
SAMPLE = {"id": 1, "epoch": 1, "scores": {"match": {"value": "C"}}}


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = _archive(tmp_path, {"header.json": HEADER, "samples/1_epoch_1.json": b" " * (64 << 20)})
    with pytest.raises(DataError, match=r"the member 'samples/1_epoch_1.json' would be 67,108,864 bytes"):
        dfevals.read_log(path)


def test_a_member_that_is_longer_than_it_states_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.eval"
    content = bytearray(EVAL.read_bytes())
    size = next(i for i in zipfile.ZipFile(EVAL).infolist() if i.filename == "samples/1_epoch_1.json").file_size
    at = content.rindex(b"samples/1_epoch_1.json") - 46 + 24  # the uncompressed size in the central directory
    assert int.from_bytes(content[at : at + 4], "little") == size
    content[at : at + 4] = (size - 100).to_bytes(4, "little")
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=rf"'samples/1_epoch_1.json' is longer than the {size - 100:,} bytes"):
        dfevals.read_log(path)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"header.json": b'{"version": 2, "eval": 7}'}, "its header does not name the evaluation"),
        ({"header.json": b'{"version": 2, "eval": {"task": "t"}}'}, "its header names no model"),
        ({"header.json": HEADER, "samples/1.json": b"[" * 50_000}, "the member 'samples/1.json' is nested too deeply"),
        ({"header.json": HEADER, "samples/1.json": b'{"id": 1'}, "line 1: the member 'samples/1.json' is no JSON"),
        ({"header.json": HEADER, "samples/1.json": b'{"id": 1}'}, "is no sample of Inspect AI (KeyError: 'epoch')"),
        ({"header.json": HEADER, "samples/1.json": b"[]"}, "is no sample of Inspect AI (TypeError"),
        ({"header.json": HEADER}, "the log holds no samples"),
    ],
)
def test_archives_that_are_wrong(tmp_path: Path, members: dict[str, bytes], reason: str) -> None:
    with pytest.raises(DataError) as found:
        dfevals.read_log(_archive(tmp_path, members))
    assert reason in str(found.value)


def test_a_log_that_is_cut_off(tmp_path: Path) -> None:
    for source, reason in ((EVAL, "is no complete ZIP file"), (JSON, "is no JSON.*may be cut off")):
        path = tmp_path / f"cut{source.suffix}"
        path.write_bytes(source.read_bytes()[:20_000])
        with pytest.raises(DataError, match=reason):
            dfevals.read_log(path)


@pytest.mark.parametrize("library", ["zstandard", "pyarrow", None])
def test_zstandard_by_whichever_library_there_is(library: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    from builtins import __import__ as really

    def found(name: str, *rest: object) -> object:
        if name.split(".")[0] in {"compression", "backports", "zstandard", "pyarrow"} - {library}:
            raise ImportError(name)
        return really(name, *rest)  # type: ignore[arg-type]

    raw = opening.Source(EVAL)
    monkeypatch.setattr(opening, "import_module", found)
    monkeypatch.setattr("builtins.__import__", found)
    if library is None:
        with pytest.raises(DataError, match=r"pip install zstandard .*inspect log convert --to json"):
            raw.member("header.json")
    else:
        assert raw.member("header.json")["eval"]["task"] == "toy_plain"


def test_files_that_are_no_logs(tmp_path: Path) -> None:
    table = written(tmp_path, "a,b\n1,2\n", "t.csv")
    empty = written(tmp_path, "", "e.jsonl")
    rows = written(tmp_path, '{"question": 1, "answer": 2}\n', "rows.jsonl")
    cases: dict[Path, str] = {
        table: "is no log of a known tool",
        empty: "is empty",
        rows: "has the keys 'question', 'answer'",
    }
    for path, reason in cases.items():
        with pytest.raises(DataError, match=reason):
            dfevals.read_log(path)
    with pytest.raises(DataError, match=r"None of 'e.jsonl', 'rows.jsonl', 't.csv' is a log"):
        dfevals.read_log(tmp_path)


def test_names_that_are_wrong(tmp_path: Path) -> None:
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: dfevals.read_log(SAMPLES.with_name(SAMPLES.name[:-7] + "jsonx")), "There is no file .*Did you mean"),
        (lambda: dfevals.read_log(f"{tmp_path}/*.eval"), "There is no file"),
        (lambda: dfevals.read_log(tmp_path), "holds no files"),
        (lambda: dfevals.read_log([]), "list of logs is empty"),
        (lambda: dfevals.read_log([7]), "A log is a path, not int"),  # type: ignore[list-item]
        (lambda: dfevals.read_log(EVAL, format="inspekt"), "Did you mean 'inspect'"),
        (lambda: dfevals.read_log([EVAL, SAMPLES]), "logs of 2 tools"),
    ]
    for call, reason in calls:
        with pytest.raises(DataError, match=reason):
            call()


def test_formats_are_listed() -> None:
    table = dfevals.formats()
    assert {"lm-eval", "inspect"} <= set(table["format"])
    assert table.notna().all(axis=None)
