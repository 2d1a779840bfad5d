"""What the kernel answers: counts, pages of rows, panes, the twin and marks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

import dfevals
from dfevals.evaluation import Evaluation
from dfevals.explorers import answers, rows
from dfevals.explorers.counts import count
from dfevals.explorers.explorer import Explorer
from dfevals.explorers.modules import FRONT, ORDER, joined
from explorers.conftest import HOSTILE, binary_frame

DTYPES = {"uint8": np.uint8, "uint16": np.uint16, "uint32": np.uint32, "float64": np.float64}


def unpacked(explorer: Explorer) -> tuple[np.ndarray, dict[str, Any]]:
    """Counts of shape (cohorts + 1, 2, keys) as the page reads them."""
    about, [buffer] = explorer._answer("counts", {})
    flat = np.frombuffer(buffer, DTYPES[about["type"]]).astype(float)
    large = np.array(about["large"]).reshape(-1, 2).astype(int)
    flat[large[:, 0]] = large[:, 1]
    keys = len(about["edges"])
    return np.concatenate([flat.reshape(-1, 2, keys), np.reshape(about["overall"], (1, 2, keys))]), about


@pytest.mark.parametrize(
    "by",
    [
        None,
        "group",
        ["group", "fold"],
        dfevals.each("group", "fold"),
        {"young": "age < 30", "south": "group == 'south'"},
    ],
)
def test_counts_at_every_key_are_those_of_the_metrics(binary: Evaluation, by: Any) -> None:
    explorer = binary.explore(by=by, threshold=0.37)
    counts, about = unpacked(explorer)
    assert 0.37 in about["edges"]
    assert counts.sum(axis=(1, 2)).astype(int).tolist() == about["sizes"]
    for key in (0, 10, about["edges"].index(0.37), len(about["edges"]) - 1):
        threshold = about["edges"][key]
        at = dfevals.evaluate(binary.frame, y_true="label", y_score="p_good", pos_label="yes", threshold=threshold)
        frame = at.metrics(["recall", "fpr"], by=by).wide()
        order = [*range(1, len(frame)), 0]
        with np.errstate(invalid="ignore"):
            recall, fpr = (counts[:, y, key:].sum(axis=1) / counts[:, y].sum(axis=1) for y in (1, 0))
        np.testing.assert_allclose(recall, frame["recall"].to_numpy()[order])
        np.testing.assert_allclose(fpr, frame["fpr"].to_numpy()[order])


def test_counts_with_weights_and_predictions() -> None:
    frame = binary_frame().assign(w=lambda d: 1 + d["age"] % 3, pred=lambda d: np.where(d["p_good"] > 0.7, "yes", "no"))
    weighted = dfevals.evaluate(frame, y_true="label", y_score="p_good", pos_label="yes", sample_weight="w").explore(
        by="group"
    )
    counts, about = unpacked(weighted)
    assert about["type"] == "float64"
    assert counts.sum() / 2 == pytest.approx(frame["w"][frame["label"].notna() & frame["p_good"].notna()].sum())
    assert not weighted._info["metrics"][0]["live"]
    plain = dfevals.evaluate(frame, y_true="label", y_pred="pred", pos_label="yes").explore(by="group")
    counts, about = unpacked(plain)
    assert about["edges"] == [0.0, 1.0]
    assert counts[-1, 1, 1] == ((frame["label"] == "yes") & (frame["pred"] == "yes")).sum()


def test_margins_and_constant_scores() -> None:
    frame = binary_frame().assign(margin=lambda d: d["p_good"] * 200 - 90, same=0.25)
    for name in ("margin", "same"):
        explorer = dfevals.evaluate(frame, y_true="label", y_score=name, pos_label="yes").explore(by="group")
        counts, about = unpacked(explorer)
        known = frame[frame["label"].notna() & frame[name].notna()]
        assert counts[-1].sum() == len(known)
        assert about["edges"][0] <= known[name].min()


def test_the_payload_stays_small() -> None:
    rng = np.random.default_rng(1)
    n = 300_000
    frame = pd.DataFrame(
        {"y": rng.random(n) < 0.2, "p": rng.random(n), "c": rng.integers(0, 100, n), "d": rng.integers(0, 10_000, n)}
    )
    for by in ("c", "d"):
        explorer = dfevals.evaluate(frame, y_true="y", y_score="p").explore(by=by)
        about, [buffer] = explorer._answer("counts", {})
        assert len(buffer) + len(json.dumps(about)) < 1_500_000
        assert len(buffer) < 1_000_000
        assert count(explorer._view, [by], "p", 0.5).counts.sum() == 2 * n


def test_the_page_computes_what_the_evaluation_computes(binary: Evaluation, tmp_path: Path) -> None:
    explorer = binary.explore(by=["group", "fold"], threshold=0.97)
    counts, about = unpacked(explorer)
    key = about["edges"].index(0.97)
    cells = [
        {"tp": c[1, key:].sum(), "fp": c[0, key:].sum(), "fn": c[1, :key].sum(), "tn": c[0, :key].sum()} for c in counts
    ]
    script = tmp_path / "parity.mjs"
    script.write_text(
        f"""import {{ METRICS, Z, few, looks, strictest }} from {json.dumps((FRONT / "arithmetic.mjs").as_uri())};
        const cells = {json.dumps(cells)}, all = cells[cells.length - 1], out = {{}};
        for (const [name, f] of Object.entries(METRICS)) for (const level of [0.9, 0.95]) {{
            const z = Z[level];
            out[`${{name}} ${{level}}`] = [cells.map((c) => f(c, z)), [...looks(name, cells.slice(0, -1), all, z, strictest(level, cells.length - 1))], cells.map((c) => few(name, c))];
        }}
        console.log(JSON.stringify(out));"""
    )
    found = json.loads(subprocess.run(["node", script], check=True, capture_output=True, text=True).stdout)
    assert {name.split()[0] for name in found} == set(answers.LIVE)
    seen: set[bool] = set()
    for name, (values, corrected, few) in found.items():
        metric, level = name.split()
        explorer.state = {**explorer.state, "metric": metric, "level": float(level)}
        wanted = answers.estimates(explorer._view, explorer.state)
        np.testing.assert_allclose(
            np.array(values, float), np.array([wanted[k] for k in ("value", "ci_low", "ci_high")], float).T, atol=1e-9
        )
        np.testing.assert_allclose(
            np.array(corrected, float), np.array(wanted["p_corrected"][:-1], float), rtol=1e-4, atol=1e-12
        )
        told = ["too few" in note for note in wanted["note"]]
        assert few == told
        seen |= set(told)
    assert seen == {True, False}


def test_gain_lift_and_ks_of_the_page_are_those_of_the_evaluation(tmp_path: Path) -> None:
    frame = binary_frame().dropna()
    frame["p"] = frame["p_good"].round(2)  # so that every score is a key
    ev = dfevals.evaluate(frame, y_true="label", y_score="p", pos_label="yes")
    about, [buffer] = ev.explore(by="group")._answer("counts", {})
    script = tmp_path / "gains.mjs"
    script.write_text(
        f"""import {{ decode, gains, ks }} from {json.dumps((FRONT / "arithmetic.mjs").as_uri())};
        import {{ depth, gap, lift }} from {json.dumps((FRONT / "gains.mjs").as_uri())};
        const bytes = Uint8Array.from({json.dumps(list(buffer))}), t = decode(new DataView(bytes.buffer), {json.dumps(about)});
        const of = (c, k) => [t.edges[k], depth(t, c, k), gains(t, c)[t.keys - k][1], lift(t, c, k), gap(t, c, k)];
        console.log(JSON.stringify([...Array(t.cohorts + 1).keys()].map((c) => ({{ ks: ks(t, c), keys: t.edges.map((_, k) => of(c, k)) }}))));"""
    )
    found = json.loads(subprocess.run(["node", script], check=True, capture_output=True, text=True).stdout)
    names = [*(path[0] for path in about["paths"]), None]
    assert len(found) == len(names) == 4
    curve = ev.gains(by="group").curve
    for name, page in zip(names, found, strict=True):
        rows = frame if name is None else frame[frame["group"] == name]
        positive = rows["label"] == "yes"
        apart = ks_2samp(rows["p"][positive], rows["p"][~positive])
        assert page["ks"][0] == pytest.approx(apart.statistic)
        # of the two samples' distributions SciPy names the greatest score below the gap
        assert rows["p"][rows["p"] < page["keys"][page["ks"][1]][0]].max() == apart.statistic_location
        mine = curve[curve["is_overall"]] if name is None else curve[curve["group"] == name]
        keys = np.array([values for _, *values in page["keys"][::-1]], float)  # depth, gain, lift, gap
        for column, values in (("gain", keys[:, 1]), ("ks", keys[:, 3])):  # between keys rows of equal scores are split
            np.testing.assert_allclose(np.interp(mine["depth"], keys[:, 0], values), mine[column], atol=1e-12)
        taken = np.array([rows["p"] >= edge for edge, *_ in page["keys"]])[::-1]
        some = taken.any(axis=1)
        rate = (taken & positive.to_numpy()).sum(axis=1)[some] / taken.sum(axis=1)[some]
        np.testing.assert_allclose(keys[some, 2], rate / positive.mean(), atol=1e-12)
        assert np.isnan(keys[~some, 2]).all()


def test_pages_of_rows_are_complete_and_sorted(binary: Evaluation) -> None:
    explorer = binary.explore(selection={"cohort": ["east"]}, rows={"sort": "loss"})
    seen: list[int] = []
    page, total = 0, 1
    while len(seen) < total:
        answer = explorer._answer("rows", {"state": {"rows": {"page": page}}})[0]
        seen += [row["at"] for row in answer["rows"]]
        page, total = page + 1, answer["total"]
    assert len(set(seen)) == total == len(explorer.selection)
    assert binary.frame.index[seen].tolist() == explorer.selection.index.tolist()
    beyond = explorer._answer("rows", {"state": {"rows": {"page": 10**9}}})[0]
    assert beyond["rows"][-1]["at"] == seen[-1]


@pytest.mark.parametrize("sort", ["margin", "disagreement", "age", "text", "at", None])
def test_every_order(binary: Evaluation, sort: str | None) -> None:
    for down in (True, False):
        explorer = binary.explore(rows={"sort": sort, "down": down})
        selected = explorer.selection
        if sort in ("age", "text", "at"):
            assert selected[sort].is_monotonic_decreasing if down else selected[sort].is_monotonic_increasing
        if sort == "margin" and down:
            assert (selected["p_good"] - 0.5).abs().is_monotonic_increasing
        if sort == "disagreement" and down:
            apart = (selected["p_good"] - selected["p_bad"]).abs()
            assert apart.replace(np.inf, np.nan).dropna().is_monotonic_decreasing


def test_cells_of_any_kind_are_written_and_none_breaks_a_page() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    odd = [
        Broken(),
        b"\x00\xff",
        np.zeros((3, 2)),
        {"a": {1, 2}},
        [1, [2]],
        "x" * 5000,
        float("nan"),
        None,
        pd.NaT,
        1e-300,
    ]
    odd += ["\u202eevil\u2069", "two\nlines", '{"name": "f", "arguments": {"q": "é"}}', True, 10**30, "{not json}"]
    frame = pd.DataFrame({"y": [0, 1] * (len(odd) // 2), "p": np.linspace(0, 1, len(odd)), "odd": odd})
    explorer = dfevals.evaluate(frame, y_true="y", y_score="p").explore(rows={"columns": ["odd"]})
    texts = [row["cells"][0] for row in explorer._answer("rows", {})[0]["rows"]]
    assert texts[0][0] == "(Broken: RuntimeError)"
    assert texts[1][0] == "(2 bytes)"
    assert texts[2][0] == "(ndarray 3 × 2, float64)"
    assert texts[5] == ["x" * rows.SHORT, True, False]
    assert [t[0] for t in texts[6:9]] == ["–"] * 3
    assert texts[10][0] == "⟨U+202E⟩evil⟨U+2069⟩"
    assert texts[11][0] == "two\nlines"
    assert (
        explorer._answer("cell", {"at": 12, "column": "odd"})[0]
        == '{\n  "name": "f",\n  "arguments": {\n    "q": "é"\n  }\n}'
    )
    json.dumps(texts)


def test_a_long_search_says_how_far_it_is(binary: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PATIENCE", 0.0)
    monkeypatch.setattr(rows, "CHUNK", 1000)
    explorer = binary.explore()
    ask = {"state": {"rows": {"search": "refund"}}}
    shares = []
    while "progress" in (answer := explorer._answer("rows", ask)[0]):
        shares.append(answer["progress"])
    assert shares == sorted(shares)
    assert 0 < len(shares) <= 3
    assert answer["total"] == binary.frame.loc[explorer.selection.index, "text"].str.contains("refund").sum()


def test_questions_that_fail_are_answered_with_the_reason(binary: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = binary.explore()
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(explorer, "send", lambda body, data=None: sent.append(body))
    for body in ({"ask": "evil"}, {"ask": "rows", "state": {"evil": 1}}, {"ask": "expression", "text": "age <"}, {}):
        explorer._receive(explorer, {"id": "7", **body}, [])
        explorer._worker.join()
        assert sent[-1]["id"] == "7"
        assert sent[-1]["error"]
    explorer._receive(explorer, {"id": "8", "ask": "expression", "text": "age < 30"}, [])
    explorer._worker.join()
    assert sent[-1]["answer"] == {"rows": int((binary.frame["age"] < 30).sum())}


def test_an_exception_in_a_metric_of_the_user_stays_in_its_place(
    binary: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dfevals.metrics import registry

    monkeypatch.setattr(registry, "_RECORDS", dict(registry.records()))

    @dfevals.metric(name="broken_metric")
    def broken(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        raise ZeroDivisionError("mine <b>")

    explorer = binary.explore(metric="broken_metric", by="group")
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(explorer, "send", lambda body, data=None: sent.append(body))
    for ask in ("estimates", "counts", "rows", "matrix"):
        explorer._receive(explorer, {"id": "1", "ask": ask}, [])
    explorer._worker.join()
    replies = [body for body in sent if "began" not in body]
    assert "mine" in replies[0].get("error", "") or set(replies[0]["answer"]["value"]) == {None}
    assert all("answer" in reply for reply in replies[1:])
    assert "mine <b>" not in explorer._repr_mimebundle_()[0]["text/html"]


def test_a_question_is_cancelled_while_the_kernel_is_at_it(binary: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    explorer, began = binary.explore(), []

    def endless() -> None:
        began.append(True)
        while True:
            try:
                sum(range(100))
            except Exception:
                continue

    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(explorer, "send", lambda body, data=None: sent.append(body))
    with monkeypatch.context() as patched:
        patched.setattr(explorer, "_answer", lambda *_: endless())
        explorer._receive(explorer, {"id": "1", "ask": "rows"}, [])
        explorer._receive(explorer, {"id": "2", "ask": "rows"}, [])
        while not began:
            time.sleep(0.001)
        for key in ("1", "2"):
            explorer._receive(explorer, {"id": key, "ask": "cancel"}, [])
        explorer._worker.join()
    assert sent == [{"id": "1", "began": True}, {"id": "1", "error": "Cancelled."}]
    explorer._receive(explorer, {"id": "3", "ask": "rows"}, [])
    explorer._worker.join()
    assert sent[-1]["answer"]["total"] > 0


@pytest.mark.parametrize("metric", ["f1", "roc_auc"])
@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_verdicts_are_those_of_the_comparison(binary: Evaluation, metric: str, threshold: float) -> None:
    explorer = binary.explore(by="group", metric=metric, threshold=threshold, level=0.9, view="compare")
    found = answers.ANSWERS["verdicts"](explorer._view, explorer.state)
    frame = eval(explorer.codes["view"], {"df": binary.frame, "dfevals": dfevals}).frame
    assert explorer.codes["view"].endswith(f".compare('good', 'bad', by='group', metrics='{metric}', level=0.9)")
    expected = pd.concat([frame[~frame["is_overall"]], frame[frame["is_overall"]]])
    for name in ("difference", "ci_low", "ci_high", "p_corrected"):
        np.testing.assert_allclose(np.array(found[name], float), expected[name].to_numpy(float), equal_nan=True)
    assert found["verdict"] == expected["verdict"].tolist()
    assert found["why"].startswith("Paired by fold")


def test_verdicts_of_regressions_and_of_what_costs_too_much(
    regression: Evaluation, binary: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dfevals.explorers import verdicts

    explorer = regression.explore(view="compare")
    found = answers.ANSWERS["verdicts"](explorer._view, explorer.state)
    assert len(found["difference"]) == 3
    assert found["verdict"][-1] == "a"
    monkeypatch.setattr(verdicts, "AFFORDABLE", 100)
    explorer = binary.explore(by="group", metric="roc_auc", view="compare")
    found = answers.ANSWERS["verdicts"](explorer._view, explorer.state)
    assert (len(found["difference"]), found["cohorts"]) == (1, False)


@pytest.mark.parametrize("view", ["roc", "pr", "gains"])
def test_bands_are_those_of_the_curves_and_hold_the_curve(binary: Evaluation, view: str) -> None:
    selection = {"cohort": ["south"], "compare": ["east"]}
    explorer = binary.explore(by="group", view=view, selection=selection, level=0.9)
    found = answers.ANSWERS["bands"](explorer._view, explorer.state)["bands"]
    assert set(found) == {"cohort", "compare"}
    question, *columns = {
        "roc": ("roc", "fpr", "band_low", "band_high"),
        "pr": ("pr", "recall", "precision_low", "precision_high"),
        "gains": ("cap", "selected", "captured_low", "captured_high"),
    }[view]
    frame = getattr(binary, question)(by="group", models="good", ci=0.9).frame
    exact = frame.loc[frame["group"] == "south", columns].to_numpy().round(5)
    assert 100 < len(found["cohort"]) <= 320
    assert {tuple(point) for point in found["cohort"]} <= {tuple(point) for point in exact}
    assert all(low <= high for _, low, high in found["cohort"])
    assert [x for x, *_ in found["cohort"]] == sorted(x for x, *_ in found["cohort"])
    assert set(answers.ANSWERS["bands"](explorer._view, binary.explore(view=view).state)["bands"]) == {"all"}


def test_no_band_where_it_is_no_wider_than_its_line(binary: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    from dfevals.explorers import bands

    monkeypatch.setattr(bands, "MOST", 100)
    explorer = binary.explore(view="roc")
    assert answers.ANSWERS["bands"](explorer._view, explorer.state) == {"bands": {}}


def test_panes_count_what_there_is(
    multiclass: Evaluation, regression: Evaluation, outcomes: Evaluation, binary: Evaluation
) -> None:
    explorer = multiclass.explore(selection={"cohort": ["a"]})
    matrix = explorer._answer("matrix", {})[0]
    wanted = multiclass.where("site == 'a'").confusion().wide().to_numpy()
    assert matrix["counts"] == wanted.tolist()
    assert matrix["pairs"][0]["count"] == (wanted - np.diag(np.diag(wanted))).max()
    found = regression.explore(selection={"cohort": ["u"]})._answer("residuals", {})[0]
    assert [group["n"] for group in found["groups"]] == [800, (regression.frame["site"] == "u").sum()]
    assert all(sum(group["counts"]) == group["n"] for group in found["groups"])
    told = outcomes.explore(by="intent")._answer("outcomes", {})[0]["outcomes"]
    assert np.sum(told[0]["counts"][-1]) == 400
    assert np.sum(told[0]["counts"][:-1], axis=0).tolist() == told[0]["counts"][-1]
    both = binary.explore(by="group")._answer("comparison", {})[0]
    assert np.sum(both["counts"][:-1], axis=0).tolist() == both["counts"][-1]
    folds = binary.explore(by="group", metric="recall")._answer("folds", {})[0]
    by_fold = binary.metrics("recall", by="fold", models="good").frame["value"].to_numpy()
    np.testing.assert_allclose(folds["value"], [*by_fold[1:], by_fold[0]])
    for view, metric in (("roc", "roc_auc"), ("pr", "average_precision"), ("gains", "ks"), ("calibration", "ece")):
        told = binary.explore(by="group", view=view, selection={"cohort": ["south"]})._answer("ranking", {})[0][
            "metrics"
        ]
        wanted = binary.where("group == 'south'").metrics(metric, models="good").frame["value"].item()
        assert told[0][:2] == [metric, pytest.approx(wanted)]


def test_folds_follow_the_selected_cohort(binary: Evaluation) -> None:
    selection = {"cohort": ["east"], "cell": {"kind": "fold", "value": "2"}}
    explorer = binary.explore(by="group", metric="recall", view="folds", threshold=0.4, selection=selection)
    told = explorer._answer("folds", {})[0]
    east = binary.frame[binary.frame["group"] == "east"]
    roles = {"y_true": "label", "y_score": {"good": "p_good"}, "pos_label": "yes", "fold": "fold", "threshold": 0.4}
    wanted = dfevals.evaluate(east, **roles).folds(metrics="recall").frame
    assert told["folds"] == wanted["fold"].astype(str).to_list()
    np.testing.assert_allclose(told["value"][:-1], wanted["value"])
    assert told["n"] == [*wanted["n"], wanted["n"].sum()]
    assert told["value"][-1] == pytest.approx(dfevals.evaluate(east, **roles).metrics("recall").frame["value"].item())
    again = eval(explorer.codes["view"], {"df": binary.frame, "dfevals": dfevals}).frame
    np.testing.assert_allclose([*again["value"][1:], again["value"][0]], told["value"])
    everyone = explorer._answer("folds", {"state": {"selection": {"cohort": None}}})[0]
    assert everyone["n"][-1] > 10 * told["n"][-1]


def test_tags_and_ratings_come_back_as_columns(binary: Evaluation) -> None:
    explorer = binary.explore(tags={"4": "mislabelled", "1": "odd"}, ratings={"2": 5})
    frame = explorer.frame
    assert frame["tag"].dropna().to_dict() == {binary.frame.index[1]: "odd", binary.frame.index[4]: "mislabelled"}
    assert explorer.tags.to_dict() == frame["tag"].dropna().to_dict()
    assert frame["rating"].dropna().tolist() == [5]
    assert explorer.ratings.index.tolist() == [binary.frame.index[2]]
    assert "tag" not in binary.frame


def test_the_twin_says_what_is_on_view_and_is_safe(tmp_path: Path) -> None:
    frame = binary_frame()
    frame["group"] = np.resize(np.array(HOSTILE, dtype=object), len(frame))
    frame = frame.rename(columns={"group": HOSTILE[1]})
    explorer = dfevals.evaluate(frame, y_true="label", y_score="p_good", pos_label="yes").explore(
        by=HOSTILE[1], metric="recall"
    )
    data, _ = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    twin = data["text/html"]
    assert "<svg" in twin
    assert "recall" in twin
    for text in ("<img src=x", "<script", "\u202e"):
        assert text not in twin
    page = Path(explorer.to_html(tmp_path / "page.html")).read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    for text in ("<img src=x", "<script>window", "\u202e"):
        assert text not in page


def test_the_matrix_of_a_twin_says_whose_it_is(binary: Evaluation) -> None:
    east = binary.frame[binary.frame["group"] == "east"].dropna(subset=["label", "p_good"])
    wrong = ((east["p_good"] >= 0.5) != (east["label"] == "yes")).sum()
    twin = binary.explore(by="group", selection={"cohort": ["east"]})._twin()
    assert f"<p>east: {wrong} errors in {len(east)} rows.</p>" in twin
    assert re.search("<p>All rows: [0-9,]+ errors in 2,997 rows.</p>", binary.explore(by="group")._twin())


def test_a_twin_does_not_import_a_drawing_library() -> None:
    code = (
        "import sys, dfevals; df = dfevals.datasets.load('adult').head(2000); "
        "ev = df.evals(y_true='income', y_score='p_gbm', pos_label='>50K'); ev.explore(by='sex')._repr_mimebundle_(); "
        "assert 'matplotlib' not in sys.modules and 'seaborn' not in sys.modules and 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_a_changed_frame_is_said_and_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = binary_frame()
    explorer = frame.evals(y_true="label", y_score="p_good", pos_label="yes").explore(by="group")
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(explorer, "send", lambda body, data=None: sent.append(body))
    explorer._receive(explorer, {"id": "1", "ask": "rows"}, [])
    explorer._worker.join()
    assert sent[-1]["changed"] is False
    frame.loc[frame.index[0], "p_good"] = 0.111
    explorer._receive(explorer, {"id": "2", "ask": "rows"}, [])
    explorer._worker.join()
    assert sent[-1]["changed"] is True
    assert explorer.selection["p_good"].iloc[0] != 0.111
    explorer._receive(explorer, {"id": "3", "ask": "refresh"}, [])
    explorer._worker.join()
    assert explorer.selection["p_good"].iloc[0] == 0.111
    explorer._receive(explorer, {"id": "4", "ask": "rows"}, [])
    explorer._worker.join()
    assert sent[-1]["changed"] is False


@pytest.mark.parametrize("rows_kept", [0, 1, 2])
def test_hardly_any_rows(rows_kept: int) -> None:
    frame = binary_frame().iloc[:rows_kept]
    ev = dfevals.evaluate(frame, y_true="label", y_score="p_good", labels=["no", "yes"], task="binary")
    explorer = ev.explore(by="group")
    about, _ = explorer._answer("counts", {})
    assert about["sizes"][-1] == rows_kept
    for ask in ("rows", "matrix", "estimates"):
        json.dumps(explorer._answer(ask, {})[0], allow_nan=False)
    assert "text/html" in explorer._repr_mimebundle_()[0]


def test_one_cohort_many_columns_and_missing_everywhere() -> None:
    frame = pd.concat(
        [binary_frame(200), pd.DataFrame(np.nan, index=binary_frame(200).index, columns=[f"c{i}" for i in range(500)])],
        axis=1,
    )
    frame["one"] = "same"
    explorer = dfevals.evaluate(frame, y_true="label", y_score="p_good", pos_label="yes").explore(by="one")
    assert explorer._answer("counts", {})[0]["paths"] == [("same",)]
    assert len(explorer._info["columns"]) == 509
    frame["p_good"] = np.nan
    empty = dfevals.evaluate(frame, y_true="label", y_score="p_good", pos_label="yes").explore(by="group")
    assert empty._answer("counts", {})[0]["sizes"][-1] == 0
    assert empty._answer("rows", {})[0]["total"] == 0
    assert empty._answer("estimates", {})[0]["value"][-1] is None


def test_columns_of_one_name_are_no_dimension_and_do_no_harm() -> None:
    frame = pd.concat([binary_frame(), binary_frame()[["group"]]], axis=1)
    explorer = dfevals.evaluate(frame, y_true="label", y_score="p_good", pos_label="yes").explore()
    assert "group" not in [item["value"] for item in explorer._info["dimensions"]]
    assert explorer._answer("rows", {})[0]["total"] > 0
    assert explorer.state["by"] not in (None, ["group"])


def test_unhashable_cells_are_no_dimension() -> None:
    frame = binary_frame(100)
    frame["lists"] = [[1, 2]] * 100
    explorer = dfevals.evaluate(frame, y_true="label", y_score="p_good", pos_label="yes").explore()
    assert "lists" not in [offer["label"] for offer in explorer._info["dimensions"]]
    with pytest.raises(dfevals.exceptions.CohortError, match="cannot be grouped"):
        dfevals.evaluate(frame, y_true="label", y_score="p_good", pos_label="yes").explore(by="lists")


def test_the_front_end_is_one_module_and_its_modules_pass_their_tests(tmp_path: Path) -> None:
    assert sorted(ORDER) == sorted(path.name for path in FRONT.glob("*.mjs"))
    whole = tmp_path / "whole.mjs"
    whole.write_text(joined(), encoding="utf-8")
    subprocess.run(["node", "--check", whole], check=True)
    assert "innerHTML" not in joined()
    assert "http://" not in joined().replace("http://www.w3.org/2000/svg", "")
    tests = sorted((Path(__file__).parent / "front").glob("*.test.mjs"))
    found = subprocess.run(["node", "--test", *tests], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-4000:]
