"""The tab of texts in a real browser, by keys and by mouse."""

from __future__ import annotations

from typing import Any

import pytest

from explorers import hosts
from explorers.test_browser import X, lab, settled, shot, total, until

pytestmark = pytest.mark.browser
T = f"{X} .dfe-reader"

GROUNDED = """
import dfevals, pandas as pd, ipywidgets
from dfevals.evaluators import Groundedness
qa = dfevals.datasets.load("halueval_qa").head(80)
facts = qa.evals.annotate([Groundedness(response=f"{kind}_answer", context="knowledge", name=f"grounded_{kind}", pass_at=.7) for kind in ("right", "hallucinated")], progress=False)
facts["long"] = facts["knowledge"].str.len() > 300
ex = facts.evals().explore(by="long", view="text"); ex
"""
PEOPLE = """
import dfevals, ipywidgets
claims = dfevals.datasets.load("refchecker")
ex = claims.evals(outcomes="faithful", model="model", id="id").explore(by="setting", model="chatgpt", against="gpt4", view="text", text={"at": 101}); ipywidgets.Box([ex], layout={"width": "480px"})
"""
AGENT = """
import dfevals
from dfevals.evaluators import TaskCompletion
tau = dfevals.datasets.load("taubench").head(60).evals.annotate([TaskCompletion(tool_calls="tool_calls", expected_tool_calls="expected_actions", extra="forbid", harmless=["get_*", "search_*", "calculate"])], progress=False)
ex = tau.evals().explore(by="trial", view="text", text={"at": 4}); ex
"""


def read(page: Any) -> None:
    """Wait until the row that the state names is there."""
    settled(page)
    page.wait_for_function("root => document.querySelector(root + ' .dfe-facts').textContent.includes('index')", arg=T)


def index(page: Any) -> str:
    """The index of the row on view."""
    return str(page.inner_text(f"{T} .dfe-facts bdi"))


def nothing_sticks_out(page: Any) -> bool:
    """Whether every pane is as wide as its content."""
    wide = "[...document.querySelectorAll('.dfe-x, .dfe-x .dfe-pane, .dfe-side')].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.className)"
    return bool(page.evaluate(wide) == [])


def test_rows_are_read_by_keys_and_by_mouse(page: Any) -> None:
    lab(page, GROUNDED)
    read(page)
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    page.focus(T)
    for key in ("j", "j", "j", "k", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    until(page, "STATE['text']['at']", "2")
    read(page)
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells
    assert index(page) == "2"
    assert "row 3 of 80: grounded_right of A passed" in page.inner_text(f"{T} [role=status]")
    for _ in range(6):  # one step, but for a machine so slow that the presses are no run; there is nothing before them
        page.keyboard.press("Control+z")
    until(page, "STATE['text']['at']", "None")
    page.click(f"{T} >> text=Next row ›")
    until(page, "STATE['text']['at']", "1")
    read(page)
    # the contradicted sentence is said in words, beside its mark and to screen readers
    mark = page.locator(f"{T} mark.dfe-m-unsupported")
    assert "contradicted: a negation differs" in str(mark.first.get_attribute("title"))
    assert "contradicted: a negation differs" in str(page.text_content(f"{T} .dfe-m-unsupported .dfe-sr"))
    assert "wavy" in page.evaluate("e => getComputedStyle(e).textDecoration", mark.first.element_handle())
    assert page.locator(f"{T} .dfe-listed >> text=contradicted: a negation differs").count() == 1
    assert page.locator(f"{T} mark.dfe-m-evidence").count() == 1
    assert "hardly a word in common" in page.inner_text(T)
    assert nothing_sticks_out(page)
    shot(page, "text", f"{X} .dfe-views")
    # the order and the selection of the rows pane, and a row that is pressed there
    page.click(f"{X} [data-view=outcomes]")
    page.select_option(f"{X} select[aria-label=outcome]", "grounded_hallucinated")
    page.click(f"{X} [data-cell=fail]")
    settled(page)
    failed = total(page)
    page.locator(f"{X} .dfe-rowtable tbody th .dfe-link").nth(1).click()
    read(page)
    until(page, "(STATE['view'], STATE['text']['at'] in ex.selection.index)", "('text', True)")
    assert f"row 2 of {failed}" in page.inner_text(f"{T} .dfe-facts")
    page.click(f"{X} >> text=Copy code")
    page.wait_for_selector(f"{X} .dfe-code")
    code = page.input_value(f"{X} .dfe-code")
    assert hosts.python(page, f"df = facts; print(str(({code}).index[0]))") == index(page)
    # another column
    page.click(f"{T} .dfe-chooser summary")
    page.select_option(f"{T} select[aria-label='column of the second response']", "")
    page.wait_for_function("root => !document.querySelector(root + ' .dfe-two')", arg=T)
    until(page, "STATE['text']['columns']", "{'other': None}")
    nameless = page.evaluate(
        "[...document.querySelectorAll('.dfe-reader button, .dfe-reader select, .dfe-reader input, .dfe-reader section, .dfe-reader [tabindex]')]"
        ".filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.closest('label')?.textContent.trim())).map(e => e.outerHTML)"
    )
    assert nameless == []
    assert page.foreign == []


def test_an_agent_and_two_models_dark_and_narrow(page: Any) -> None:
    lab(page, AGENT)
    read(page)
    assert page.locator(f"{T} .dfe-steps > li").count() > 10
    calls = page.locator(f"{T} .dfe-steps > li:has(code)")
    assert calls.count() > 3
    assert page.locator(f"{T} .dfe-steps >> text=/not among the expected calls|differs:|as expected/").count() > 0
    summary = calls.first.locator("summary")
    assert not calls.first.locator(".dfe-result").is_visible()
    summary.focus()
    page.keyboard.press("Enter")
    calls.first.locator(".dfe-result").wait_for()
    shot(page, "text-agent")
    theme = "async (name) => { await window.jupyterapp.commands.execute('apputils:change-theme', {theme: name}); }"
    page.evaluate(theme, "JupyterLab Dark")
    try:
        lab(page, PEOPLE)
        page.wait_for_selector(".dfe-x.dfe-dark")
        read(page)
        assert page.locator(f"{T} .dfe-two > section").count() == 2
        titles = page.locator(f"{T} .dfe-two h4").all_inner_texts()
        assert [text.split(" · ")[1] for text in titles] == ["chatgpt", "gpt4"]
        left, right = (box.bounding_box() for box in page.locator(f"{T} .dfe-two > section").all())
        assert right["y"] >= left["y"] + left["height"]
        assert nothing_sticks_out(page)
        shot(page, "text-narrow-dark")
        assert page.locator(f"{T} .dfe-apart").count() > 0
        page.uncheck(f"{T} .dfe-check input")
        page.wait_for_function("root => !document.querySelector(root + ' .dfe-apart')", arg=T)
        until(page, "STATE['text']['differences']", "False")
        page.select_option(f"{T} select[aria-label='beside the answer of']", "falcon_40B_instruct")
        until(page, "STATE['against']", "falcon_40B_instruct")
        page.wait_for_selector(f"{T} .dfe-two h4 >> text=falcon_40B_instruct")
    finally:
        page.evaluate(theme, "JupyterLab Light")
    page.wait_for_selector(".dfe-x:not(.dfe-dark)")


HOSTILE = r"""
import dfevals, pandas as pd
bad = ["<img src=x onerror=window.pwned=1>", "<script>window.pwned=1</script> Pigs fly.", "\u202eevil\u2069 שלום", "long " * 60_000]
calls = [{"name": text[:40], "arguments": {text[:40]: text}} for text in bad]
frame = pd.DataFrame({"prompt": bad, "context": [[text, None] for text in bad], "response": bad, "tool_calls": calls, "expected_tool_calls": [calls] * 4, "groundedness": .4, "groundedness_reason": bad, "<b onclick=window.pwned=1>": bad}, index=bad)
ex = frame.evals(outcomes=[dfevals.Outcome("groundedness", kind="score", pass_at=.5)]).explore(by="groundedness_reason", view="text"); ex
"""


def test_hostile_texts_stay_texts(page: Any) -> None:
    lab(page, HOSTILE)
    read(page)
    page.click(f"{T} .dfe-chooser summary")
    for _ in range(3):
        page.focus(T)
        page.keyboard.press("j")
        read(page)
    until(page, "STATE['text']['at']", "3")
    read(page)
    page.locator(f"{T} section[aria-label=response] >> text=/^Show more/").click()
    page.wait_for_function(
        "root => document.querySelector(root + ' section[aria-label=response] .dfe-read').textContent.length > 100_000",
        arg=T,
    )
    page.focus(T)
    page.keyboard.press("k")
    until(page, "STATE['text']['at']", "2")
    read(page)
    assert "⟨U+202E⟩evil" in page.inner_text(T)
    assert "\u202e" not in page.inner_text(X)
    assert page.evaluate("window.pwned") is None
    assert page.locator(f"{X} img, {X} script, {X} [onerror], {X} [onload], {X} [onclick]").count() == 0
    assert page.foreign == []
