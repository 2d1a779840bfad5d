"""The tab of texts: which columns, which row, what is marked, verdicts, steps, two answers, and hostile cells."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.evaluation import Evaluation
from dfevals.evaluators import PII, Groundedness, HallucinationScore, ToolArgumentAccuracy
from dfevals.evaluators.overlap import ContextIndex
from dfevals.evaluators.support import load_model, support
from dfevals.exceptions import DfevalsError
from dfevals.explorers.explorer import Explorer
from dfevals.explorers.reading import texts
from dfevals.explorers.reading.marks import Mark, differing, pieces
from dfevals.explorers.reading.steps import judged, steps_of
from dfevals.explorers.reading.text_roles import answer_of
from explorers.conftest import HOSTILE

CONTEXT = ["Acme was founded in 1880 in Paris by Ann Roe. It makes anvils.", "Pigs live on farms."]
ANSWERS = [
    "Acme was founded in 1890 by Ann Roe. It makes anvils.",
    "It makes anvils.",
    "Acme is led by Bob Smith in Tokyo.",
    "Mail ann@example.com for anvils.",
]


def grounded(**more: Any) -> pd.DataFrame:
    """Four answers, judged."""
    frame = pd.DataFrame({"question": ["When?", "What?", "Who?", "How?"], "answer": ANSWERS, **more})
    frame["passages"] = [CONTEXT] * len(frame)
    evaluators = [Groundedness(response="answer", context="passages"), PII(response="answer")]
    return frame.evals.annotate(evaluators, progress=False)


def shown(explorer: Explorer, **state: Any) -> dict[str, Any]:
    """What the page gets."""
    found = explorer._answer("text", {"state": state})[0]
    json.dumps(found, allow_nan=False)
    return found


def text_of(part: dict[str, Any]) -> str:
    """The text of a part, without its marks."""
    return "|".join("".join(p if isinstance(p, str) else p[0] for p in b["pieces"]) for b in part["blocks"])


def marked(part: dict[str, Any], kind: str) -> list[tuple[str, str]]:
    """(text, words) of the marks of a kind."""
    return [
        (piece[0], block["marks"][piece[1]]["words"])
        for block in part["blocks"]
        for piece in block["pieces"]
        if not isinstance(piece, str) and piece[1] is not None and block["marks"][piece[1]]["kind"] == kind
    ]


def test_columns_are_those_that_the_evaluators_read() -> None:
    explorer = grounded().evals().explore(view="text")
    found = {one["role"]: (one["column"], one["why"]) for one in shown(explorer)["roles"]}
    assert found == {
        "prompt": ("question", "by its name"),
        "context": ("passages", "read by groundedness"),
        "response": ("answer", "read by groundedness"),
    }


def test_columns_are_guessed_by_their_usual_names_and_can_be_told() -> None:
    frame = pd.DataFrame(
        {
            "ok": [True, False],
            "id": ["u1", "u2"],
            "input": ["a", "b"],
            "documents": [["x"], []],
            "Output": ["c", "d"],
            "ground_truth": ["e", "f"],
            "messages": [[{"role": "user", "content": "hi"}]] * 2,
            "expected_actions": ["[]", "[]"],
            "output_tokens": [3, 4],
        }
    )
    explorer = frame.evals(outcomes="ok").explore(view="text")
    assert {one["role"]: one["column"] for one in shown(explorer)["roles"]} == {
        "prompt": "input",
        "context": "documents",
        "response": "Output",
        "reference": "ground_truth",
        "expected_tool_calls": "expected_actions",
        "trajectory": "messages",
    }
    told = shown(explorer, text={"columns": {"response": "id", "context": None}})
    assert [part["role"] for part in told["parts"]] == ["prompt", "reference"]
    assert text_of(told["answers"][0]) == "u1"


@pytest.mark.parametrize(
    ("name", "whose"),
    [("response_gpt4", "gpt4"), ("right_answer", "right"), ("answer", "answer"), ("model-a output", "model-a")],
)
def test_whose_answer_a_column_is(name: str, whose: str) -> None:
    assert answer_of(name) == whose


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ({"columns": {"respnse": "answer"}}, "Did you mean 'response'"),
        ({"columns": {"response": "anwser"}}, "Did you mean 'answer'"),
        ({"columns": {"response": 3}}, "a column or None"),
        ({"columns": ["answer"]}, "dict of role"),
        ({"at": 4}, "beyond the last"),
        ({"at": -1}, "position"),
        ({"at": True}, "position"),
        ({"differences": "yes"}, "True or False"),
        ({"row": 1}, "no state 'text.row'"),
    ],
)
def test_states_that_make_no_sense_are_refused(text: dict[str, Any], words: str) -> None:
    with pytest.raises(DfevalsError) as caught:
        grounded().evals().explore(view="text", text=text)
    assert words in str(caught.value)


def test_a_state_restores_and_the_code_gives_the_row() -> None:
    frame = grounded()
    explorer = frame.evals().explore(view="text", text={"at": 2, "columns": {"prompt": None}})
    again = frame.evals().explore(**json.loads(json.dumps(explorer.state)))
    assert again.state == explorer.state
    assert explorer.code == explorer.codes["view"] == "df.iloc[[2]]"
    pd.testing.assert_frame_equal(eval(explorer.code, {"df": frame}), frame.iloc[[2]])


def test_the_tab_is_there_where_there_is_something_to_read(
    binary: Evaluation, outcomes: Evaluation, regression: Evaluation
) -> None:
    assert "text" in outcomes.explore()._view.views
    assert "text" in binary.explore()._view.views  # a column called text
    assert "text" not in regression.explore()._view.views
    reviews = pd.DataFrame(
        {"y": [0, 1], "p": [0.2, 0.7], "remarks": ["long enough to be a text of a person", "x" * 90]}
    )
    explorer = dfevals.evaluate(reviews, y_true="y", y_score="p").explore(view="text")
    assert text_of(shown(explorer)["answers"][0]) == reviews["remarks"][0]


def test_unsupported_sentences_are_those_of_the_evaluator() -> None:
    frame = grounded()
    explorer = frame.evals().explore(view="text")
    for at, answer in enumerate(ANSWERS):
        part = shown(explorer, text={"at": at})["answers"][0]
        assert text_of(part) == answer
        wanted = support(answer, ContextIndex(CONTEXT), load_model())
        weak = [answer[slice(*one.span)] for one in wanted if one.score < 0.5]
        assert [text for text, _ in marked(part, "unsupported")] == weak
        kept = json.loads(frame["groundedness_spans"].iloc[at])
        assert weak == [answer[a:b] for a, b in kept]
    first = shown(explorer, text={"at": 0})
    [(sentence, words)] = marked(first["answers"][0], "unsupported")
    assert sentence == "Acme was founded in 1890 by Ann Roe."
    assert "contradicted: 1890 (context: 1880)" in words
    assert [mark["words"] for mark in first["answers"][0]["listed"]] == [words]
    context = first["parts"][1]
    assert marked(context, "evidence") == [("It makes anvils.", "supports sentence 2")]
    assert marked(context, "nearest")[0][0] == CONTEXT[0][:45]
    assert context["of"] == 2
    [(mail, why)] = marked(shown(explorer, text={"at": 3})["answers"][0], "found") or [("", "")]
    assert (mail, why.split(":")[0]) in {("ann@example.com", "pii"), ("", "")}


def test_a_name_that_is_not_in_the_context_is_said() -> None:
    words = shown(grounded().evals().explore(view="text"), text={"at": 2})["answers"][0]["listed"][0]["words"]
    assert "not in the context: Bob" in words


def test_hallucination_is_marked_by_its_own_pass_mark() -> None:
    frame = pd.DataFrame({"response": ANSWERS, "context": [CONTEXT] * 4})
    done = frame.evals.annotate(HallucinationScore(pass_at=0.1), progress=False)
    found = shown(done.evals().explore(view="text"), text={"at": 0})
    wanted = support(ANSWERS[0], ContextIndex(CONTEXT), load_model())
    assert len(marked(found["answers"][0], "unsupported")) == sum(one.score < 0.9 for one in wanted)


def test_an_evaluator_with_a_model_of_its_own_is_shown_by_the_places_it_kept() -> None:
    frame = pd.DataFrame({"response": ANSWERS[:2], "context": [CONTEXT] * 2})
    done = frame.evals.annotate(Groundedness(nli=lambda premise, claim: float("anvils" in claim)), progress=False)
    found = shown(done.evals().explore(view="text"), text={"at": 0})
    assert [text for text, _ in marked(found["answers"][0], "unsupported")] == [ANSWERS[0][:36]]
    assert "groundedness: unsupported" in found["answers"][0]["listed"][0]["words"]


def test_rows_are_those_of_the_rows_pane_in_its_order() -> None:
    explorer = grounded().evals().explore(by="question", view="text", rows={"sort": "groundedness", "down": False})
    page = explorer._answer("rows", {})[0]
    order = [row["at"] for row in page["rows"]]
    assert shown(explorer)["window"] == order
    assert shown(explorer, text={"at": order[2]})["ordinal"] == 2
    failed = {"cell": {"kind": "outcome", "column": "groundedness", "value": "fail"}}
    explorer.state = {**explorer.state, "selection": {**explorer.state["selection"], **failed}}
    few = shown(explorer)
    assert few["total"] == len(explorer.selection) < 4
    assert all(v["verdict"] == "failed" for v in few["verdicts"] if v["name"] == "groundedness")
    outside = next(at for at in order if at not in few["window"])
    assert shown(explorer, text={"at": outside})["ordinal"] == 0
    explorer.state = {**explorer.state, "selection": {"cohort": ["What?"], "compare": None, "cell": failed["cell"]}}
    assert shown(explorer)["total"] == 0
    assert "No rows are selected" in explorer._repr_mimebundle_()[0]["text/html"]


def test_verdicts_have_scores_reasons_and_errors() -> None:
    frame = pd.DataFrame({"response": ["It makes anvils.", None, "Pigs fly."], "context": [CONTEXT] * 3})
    frame["polite"] = [1.0, np.nan, 0.0]
    done = frame.evals.annotate(Groundedness(), progress=False)
    ev = done.evals(outcomes=[*done.evals().roles.outcomes, "polite"])
    by_row = [{v["name"]: v for v in shown(ev.explore(view="text"), text={"at": at})["verdicts"]} for at in range(3)]
    assert [row["groundedness"]["verdict"] for row in by_row] == ["passed", "error", "failed"]
    assert "missing" in by_row[1]["groundedness"]["error"]
    assert by_row[2]["groundedness"]["reason"].startswith("1 of 1 sentences unsupported")
    assert [row["polite"]["verdict"] for row in by_row] == ["passed", "no verdict", "failed"]


def test_a_verdict_apart_from_the_score_is_one_evaluator() -> None:
    @dfevals.evaluator
    def odd(response: str) -> dict[str, Any]:
        return {"score": len(response) / 100, "passed": "anvils" in response, "reason": "by its words"}

    done = pd.DataFrame({"response": ANSWERS}).evals.annotate(odd, progress=False)
    found = shown(done.evals().explore(view="text"), text={"at": 1})["verdicts"]
    assert found == [
        {"name": "odd", "letter": "", "verdict": "passed", "score": "0.16", "reason": "by its words", "error": ""}
    ]


def test_two_answers_of_a_wide_frame() -> None:
    frame = pd.DataFrame({"context": [CONTEXT], "answer_old": [ANSWERS[1]], "answer_new": [ANSWERS[0]]})
    checks = [Groundedness(response=f"answer_{v}", name=f"grounded_{v}", pass_at=0.9) for v in ("old", "new")]
    done = frame.evals.annotate(checks, progress=False).assign(ok=True)
    ev = done.evals(outcomes=[*done.evals().roles.outcomes, "ok"])
    found = shown(ev.explore(view="text"))
    assert [(a["letter"], a["title"], text_of(a)) for a in found["answers"]] == [
        ("A", "old", ANSWERS[1]),
        ("B", "new", ANSWERS[0]),
    ]
    assert [(v["name"], v["letter"], v["verdict"]) for v in found["verdicts"]] == [
        ("grounded_old", "A", "passed"),
        ("grounded_new", "B", "failed"),
        ("ok", "", "passed"),
    ]
    apart = "".join(p[0] for p in found["answers"][1]["blocks"][0]["pieces"] if not isinstance(p, str) and p[2])
    assert "1890" in apart
    assert "anvils" not in apart
    assert marked(found["parts"][0], "evidence")[0][1] == "supports sentence A1; supports sentence B2"
    same = shown(ev.explore(view="text"), text={"differences": False})
    assert same["compared"] == ""
    guessed = pd.DataFrame({"right_answer": ["a"], "gpt4 output": ["b"], "answer_type": ["short"], "ok_gpt4": [False]})
    found = shown(guessed.evals(outcomes="ok_gpt4").explore(view="text"))
    assert [a["column"] for a in found["answers"]] == ["right_answer", "gpt4 output"]
    assert [v["letter"] for v in found["verdicts"]] == ["B"]


def long_frame() -> pd.DataFrame:
    """Two models on rows of their own; an id that two settings share."""
    rows = [(m, i, s) for m in ("a", "b") for i in (1, 2) for s in ("easy", "hard")]
    frame = pd.DataFrame(rows, columns=["model", "id", "setting"])
    frame["response"] = [f"{m} says {i} {s}" for m, i, s in rows]
    frame["ok"] = frame["model"] == "b"
    return frame.drop(index=7)


def test_two_models_of_a_long_frame() -> None:
    frame = long_frame()
    explorer = frame.evals(outcomes="ok", model="model", id="id").explore(by="setting", view="text", text={"at": 1})
    found = shown(explorer)
    assert [(a["title"], text_of(a)) for a in found["answers"]] == [("a", "a says 1 hard"), ("b", "b says 1 hard")]
    assert [(v["letter"], v["verdict"]) for v in found["verdicts"]] == [("A", "failed"), ("B", "passed")]
    assert eval(explorer.code, {"df": frame})["response"].tolist() == ["a says 1 hard", "b says 1 hard"]
    lone = shown(explorer, by=None, text={"at": 1})
    assert "b has 2 rows with this id; the first is shown." in lone["notes"]
    gone = shown(frame[frame["id"] == 1].evals(outcomes="ok", model="model").explore(view="text"))
    assert "Name the role id to see what b answered to the same row." in gone["notes"]
    assert len(gone["answers"]) == 1
    alone = frame[(frame["model"] == "a") | (frame["id"] == 1)]
    missing = shown(alone.evals(outcomes="ok", model="model", id="id").explore(view="text"), text={"at": 2})
    assert missing["notes"] == ["b has no row with this id."]


def test_the_numbers_of_a_long_frame_are_those_of_the_chosen_model() -> None:
    ev = long_frame().evals(outcomes="ok", model="model", id="id")
    wanted = ev.metrics("pass_rate").frame.set_index("model")["value"]
    assert wanted.to_dict() == {"a": 0.0, "b": 1.0}
    for name in ("a", "b"):
        found = ev.explore(by="setting", model=name)._answer("estimates", {})[0]
        assert set(found["value"]) == {wanted[name]}


def test_two_releases_of_a_long_frame() -> None:
    frame = long_frame().rename(columns={"model": "release"}).query("setting == 'easy'")
    found = shown(frame.evals(outcomes="ok", release="release", id="id").explore(view="text"))
    assert [(a["title"], text_of(a)) for a in found["answers"]] == [("a", "a says 1 easy"), ("b", "b says 1 easy")]


OPENAI = [
    {"role": "user", "content": "Two nights in Rome?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": '{"city": "Rome"}'}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": '{"free": true}'},
    {
        "role": "assistant",
        "content": "Booking.",
        "tool_calls": [{"id": "c2", "function": {"name": "book", "arguments": '{"city": "Rome", "nights": "2"}'}}],
    },
    {"role": "tool", "name": "book", "content": "done"},
]
ANTHROPIC = [
    {"role": "user", "content": "Two nights in Rome?"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "look", "input": {"city": "Rome"}}]},
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": '{"free": true}'}]}
        ],
    },
    {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "Booking."},
            {"type": "tool_use", "id": "c2", "name": "book", "input": {"city": "Rome", "nights": "2"}},
        ],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c2", "content": "done"}]},
]
GEMINI = [
    {"role": "user", "parts": [{"text": "Two nights in Rome?"}]},
    {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"city": "Rome"}}}]},
    {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": '{"free": true}'}}]},
    {
        "role": "model",
        "parts": [{"text": "Booking."}, {"functionCall": {"name": "book", "args": {"city": "Rome", "nights": "2"}}}],
    },
    {"role": "user", "parts": [{"functionResponse": {"name": "book", "response": "done"}}]},
]
BEDROCK = [
    {"role": "user", "content": [{"text": "Two nights in Rome?"}]},
    {
        "role": "assistant",
        "content": [
            {"toolUse": {"toolUseId": "c1", "name": "look", "input": {"city": "Rome"}}},
            {"text": "Booking."},
            {"toolUse": {"toolUseId": "c2", "name": "book", "input": {"city": "Rome", "nights": "2"}}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"toolResult": {"toolUseId": "c2", "content": [{"text": "done"}]}},
            {"toolResult": {"toolUseId": "c1", "content": [{"text": '{"free": true}'}]}},
        ],
    },
]
EXPECTED = [
    {"name": "book", "arguments": {"city": "rome", "nights": 2}},
    {"name": "pay", "arguments": {"amount": 9}},
]


@pytest.mark.parametrize("messages", [OPENAI, json.dumps(OPENAI), ANTHROPIC, {"messages": OPENAI}, GEMINI, BEDROCK])
def test_messages_become_steps_with_their_results(messages: Any) -> None:
    steps = steps_of(messages)
    assert [(s.kind, s.name.replace("model", "assistant")) for s in steps] == [
        ("said", "user"),
        ("call", "look"),
        ("said", "assistant"),
        ("call", "book"),
    ]
    assert [s.text for s in steps if s.kind == "call"] == ['{"free": true}', "done"]
    told = judged(steps, EXPECTED)
    assert [(s.name, s.verdict, s.right) for s in told if s.verdict] == [
        ("look", "not among the expected calls", None),
        ("book", "differs: nights='2' (str), expected 2 (int)", False),
        ("pay", "expected, and not called", False),
    ]


@pytest.mark.parametrize(
    "calls",
    [
        [{"type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}],
        [{"type": "tool_use", "id": "x", "name": "f", "input": {"a": 1}}],
        [{"name": "f", "arguments": {"a": 1}}],
        '[{"name": "f", "arguments": {"a": 1}}]',
        "[f(a=1)]",
    ],
)
def test_calls_of_every_format_are_numbered_steps(calls: Any) -> None:
    frame = pd.DataFrame({"tool_calls": [calls], "expected_tool_calls": [[{"name": "f", "arguments": {"a": 1}}]]})
    done = frame.evals.annotate(ToolArgumentAccuracy(), progress=False)
    [found] = shown(done.evals().explore(view="text"))["steps"]
    assert found["steps"] == [
        {
            "kind": "call",
            "name": "f",
            "arguments": [["a", ["1", False]]],
            "text": None,
            "verdict": "as expected",
            "right": True,
        }
    ]


def test_steps_agree_with_the_evaluator_on_an_exact_comparison() -> None:
    frame = pd.DataFrame({"tool_calls": [[{"name": "f", "arguments": {"a": "X"}}]]})
    frame["expected_tool_calls"] = [[{"name": "f", "arguments": {"a": "x"}}]]
    for exact in (False, True):
        done = frame.evals.annotate(ToolArgumentAccuracy(exact=exact), progress=False)
        found = shown(done.evals().explore(view="text"))
        assert found["steps"][0]["steps"][0]["right"] is not exact
        assert (found["verdicts"][0]["verdict"] == "passed") is not exact


def test_the_rest_of_long_texts_and_steps_comes_on_request() -> None:
    words = [f"word{i}" for i in range(40_000)]
    calls = [{"name": f"f{i}", "arguments": {"a": "y" * 5000}} for i in range(250)]
    frame = pd.DataFrame({"ok": [True], "response": [" ".join(words)], "tool_calls": [calls]})
    frame["context"] = [[f"passage {i}" for i in range(100)]]
    explorer = frame.evals(outcomes="ok").explore(view="text")
    found = shown(explorer)
    assert len(json.dumps(found)) < 300_000
    part, whole = found["answers"][0], text_of(found["answers"][0])
    while part["more"]:
        ask = {"at": 0, "column": "response", "role": "response", **part["more"]}
        part = explorer._answer("text_more", ask)[0]
        whole += text_of(part)
    assert whole.split() == words
    context = found["parts"][0]
    seen = [block["block"] for block in context["blocks"]]
    while context["more"]:
        context = explorer._answer("text_more", {"at": 0, "column": "context", "role": "context", **context["more"]})[0]
        seen += [block["block"] for block in context["blocks"]]
    assert seen == list(range(100))
    steps, names = found["steps"][0], []
    while steps["steps"]:
        names += [step["name"] for step in steps["steps"]]
        steps = explorer._answer("text_steps", {"at": 0, "begin": len(names)})[0]
    assert names == [f"f{i}" for i in range(250)]
    assert explorer._answer("text_steps", {"at": 0, "step": 7, "argument": 0})[0] == "y" * 5000


def test_cells_of_any_kind_are_shown_and_none_breaks_the_tab() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    odd = [None, np.nan, pd.NA, 3.5, b"\xff", [], {}, {1, 2}, Broken(), np.zeros((2, 2)), "", " \n", "x" * 10_000_000]
    odd += ["\u202eevil\u2069", "[" * 5000, deep, ["text", None, 3], [{"text": "a passage"}], *HOSTILE]
    names = ["prompt", "context", "response", "reference", "tool_calls", "expected_tool_calls", "messages"]
    frame = pd.DataFrame({name: pd.Series(odd, dtype=object) for name in names})
    frame["groundedness"] = 0.4
    outcome = dfevals.Outcome("groundedness", kind="score", pass_at=0.5)
    explorer = frame.evals(outcomes=[outcome]).explore(view="text", text={"columns": {"trajectory": "messages"}})
    for at in range(len(odd)):
        found = shown(explorer, text={"at": at})
        assert found["at"] == at
        assert len(json.dumps(found)) < 200_000
        shown(explorer, text={"at": at, "columns": {"trajectory": None, "tool_calls": "tool_calls"}})
        explorer.state = {**explorer.state, "text": {"at": at, "columns": {}, "differences": True}}
        twin = explorer._repr_mimebundle_()[0]["text/html"]
        for text in ("<img src=x", "<script", "\u202e"):
            assert text not in twin
        assert "Error" not in twin.replace("Broken: RuntimeError", "")
    assert text_of(shown(explorer, text={"at": 13})["answers"][0]) == "⟨U+202E⟩evil⟨U+2069⟩"


def test_a_context_too_long_to_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from dfevals.explorers.reading import marks

    monkeypatch.setattr(marks, "MOST_WORK", 100)
    found = shown(grounded().evals().explore(view="text"))
    assert "no sentence is marked, because response and context are too long" in found["notes"][0]
    empty = pd.DataFrame({"response": ["It makes anvils."], "context": [[]], "groundedness": [0.1]})
    told = shown(
        empty.evals(outcomes=[dfevals.Outcome("groundedness", kind="score", pass_at=0.5)]).explore(view="text")
    )
    assert "the context is empty" in told["notes"][0]


def test_texts_are_sent_and_shown_up_to_their_limits() -> None:
    frame = pd.DataFrame({"ok": [True], "response": ["x" * 150_000], "ok_reason": ["z" * 3_000]})
    explorer = frame.evals(outcomes="ok").explore(view="text")
    found = shown(explorer)
    part = found["answers"][0]
    assert len(text_of(part)) == 12_000
    assert part["more"] == {"block": 0, "start": 12_000, "left": 138_000}
    rest = explorer._answer("text_more", {"at": 0, "column": "response", "role": "response", **part["more"]})[0]
    assert len(text_of(rest)) == 100_000
    assert found["verdicts"][0]["reason"] == "z" * 2_000
    page = str(explorer.to_html())
    assert "x" * 4_000 in page
    assert "x" * 4_001 not in page.split("<script")[0]


def test_the_last_sentence_of_a_cut_response_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "FIRST", 60)
    frame = pd.DataFrame({"response": ["It makes anvils. " * 3 + "Acme was founded in Paris by Ann Roe."]})
    frame["context"] = [CONTEXT]
    done = frame.evals.annotate(Groundedness(), progress=False)
    found = shown(done.evals().explore(view="text"))["answers"][0]
    assert [text for text, _ in marked(found, "supported")] == ["It makes anvils."] * 3
    assert found["more"]["left"] == len(frame["response"][0]) - 60


def test_the_twin_shows_the_row(tmp_path: Any) -> None:
    explorer = grounded().evals().explore(view="text", text={"at": 0})
    page = explorer.to_html()
    assert isinstance(page, str)
    assert "contradicted: 1890 (context: 1880)" in page
    assert 'class="dfe-unsupported"' in page
    assert "Row 1 of 4" in page
    assert "df.iloc[[0]]" in page
    explorer.state = {**explorer.state, "view": "outcomes"}
    assert "dfe-unsupported" not in str(explorer.to_html()).split("</style>")[-1]


def test_pieces_lose_no_character() -> None:
    text = "one two three four"
    marks = [Mark(4, 7, "1", "found", ""), Mark(5, 13, "2", "found", ""), Mark(14, 99, "3", "found", "")]
    for start, end in ((0, 18), (2, 6), (5, 16), (18, 18)):
        found = pieces(text, start, end, marks, [(0, 5), (8, 9)])
        assert "".join(p if isinstance(p, str) else p[0] for p in found) == text[start:end]
    assert [p[1] for p in pieces(text, 0, 18, marks) if not isinstance(p, str)] == [0, 2]


def test_words_that_differ() -> None:
    assert "too long" in differing("a " * 5000, "b")
    assert "hardly a word" in differing("Delhi", "The Oberoi family is not involved in any hotel company.")
    assert differing("It makes anvils.", "it makes ANVILS!") == ([], [])
    assert differing("", "") == ([], [])
    assert differing("One two three.", "One three.") == ([(4, 7)], [])


def test_a_refresh_keeps_the_columns_and_forgets_the_row() -> None:
    frame = grounded()
    explorer = frame.evals().explore(view="text", text={"at": 3, "columns": {"prompt": None}})
    explorer.refresh()
    assert explorer.state["text"] == {"at": None, "columns": {"prompt": None}, "differences": True}
