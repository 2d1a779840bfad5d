"""The explorer in a real browser: JupyterLab, Notebook 7 and Voila, by mouse and by keyboard."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from explorers import hosts

pytestmark = pytest.mark.browser

SETUP = """
import dfevals, numpy as np, pandas as pd, json
df = dfevals.datasets.load("adult").head(20_000)
ev = df.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K", fold="fold")
"""
SHOTS = os.environ.get("DFEVALS_SCREENSHOTS")
X = ".dfe-x"


def lab(page: Any, *cells: str) -> None:
    """Run cells and wait until the first explorer shows its rows."""
    hosts.put(page, *cells)
    assert hosts.errors(page) == []
    settled(page)


def settled(page: Any, root: str = X) -> None:
    """Wait until the rows are there and nothing is on its way."""
    try:
        page.wait_for_selector(f"{root} .dfe-rows td, {root} .dfe-rows .dfe-rowbox .dfe-note")
        drawn(page)
        page.wait_for_function("root => !document.querySelector(root + ' .dfe-busy')", arg=root)
    except hosts.TimedOut:
        shown = page.evaluate(
            "[...document.querySelectorAll('.jp-OutputArea-output')].map(o => o.innerText.slice(0, 400))"
        )
        raise AssertionError(f"The explorer does not show its rows.\n{page.complaints}\n{shown}") from None


def drawn(page: Any) -> None:
    """Wait until what was just done is drawn: the page draws once per frame."""
    page.evaluate("new Promise(ok => requestAnimationFrame(() => requestAnimationFrame(ok)))")


def state(page: Any, name: str = "ex") -> dict[str, Any]:
    """The kernel's state."""
    return json.loads(hosts.python(page, f"import json; print(json.dumps({name}.state))"))


def until(page: Any, expression: str, wanted: str, name: str = "ex") -> None:
    """Wait until the kernel's state says so: the page saves it a moment after an event."""
    found, end = "", time.monotonic() + hosts.PATIENT / 1000
    while time.monotonic() < end:
        try:
            found = hosts.python(page, f"print({expression.replace('STATE', f'{name}.state')})")
        except AssertionError as error:  # such as a key of what is not yet there
            found = str(error)
        if found == wanted:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{expression} is {found!r}, not {wanted!r}")


def agreed(page: Any, number: str) -> float:
    """The threshold once the number on the page is that of the kernel and stays so: both follow the keys, each in its time."""
    kept = seen = float("nan")
    end = time.monotonic() + hosts.PATIENT / 1000
    while time.monotonic() < end:
        before, kept, seen = seen, state(page)["threshold"], float(page.input_value(number))
        if abs(kept - seen) < 1e-5 and seen == before:
            return float(kept)
        page.wait_for_timeout(100)
    raise AssertionError(f"the page shows {seen}, the kernel holds {kept}")


def total(page: Any, root: str = X) -> int:
    """Number of selected rows that the rows pane tells."""
    text = page.inner_text(f"{root} .dfe-where")
    return 0 if text == "no rows" else int(text.split(" of ")[1].replace(",", ""))


def shot(page: Any, name: str, selector: str = X) -> None:
    """Keep a picture for the docs, where one is asked for."""
    if SHOTS:
        page.locator(selector).first.screenshot(path=Path(SHOTS) / f"{name}.png")


def unnamed(page: Any) -> list[str]:
    """Controls on view that a screen reader could not name."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('.dfe-x :is(button, select, input, textarea, summary, [tabindex="0"])')]
        .filter(e => e.checkVisibility() && !(e.getAttribute('aria-label')?.trim() || e.textContent.trim() || [...(e.labels ?? [])].some(l => l.textContent.trim())))
        .map(e => e.outerHTML.slice(0, 200))"""
    )
    return found


def exhaust(page: Any, text: str) -> None:
    """Press a button until it is disabled."""
    page.evaluate(
        """async (text) => { const button = [...document.querySelectorAll('.dfe-x button')].find(b => b.textContent === text);
        for (let i = 0; i < 200 && !button.disabled; i++) { button.click(); await new Promise(ok => setTimeout(ok, 40)); } }""",
        text,
    )


def cohort(page: Any, label: str, root: str = X) -> Any:
    """The button of a cohort."""
    return page.locator(f"{root} .dfe-pick").get_by_text(label, exact=True)


def test_the_story_in_lab(page: Any) -> None:
    lab(page, SETUP, "ex = ev.explore(by='education'); ex")
    assert total(page) == 20_000
    shot(page, "explorer-1-start")
    assert page.is_visible(f"{X} .dfe-hint")

    cohort(page, "Bachelors").click()
    settled(page)
    assert page.is_hidden(f"{X} .dfe-hint")
    until(page, "STATE['selection']['cohort']", "['Bachelors']")
    rows = int(hosts.python(page, "print((df.education == 'Bachelors').sum())"))
    assert total(page) == rows
    cohort(page, "Masters").click(modifiers=["Shift"])
    until(page, "STATE['selection']['compare']", "['Masters']")

    # the threshold, by keys and by dragging
    page.focus(f"{X} .dfe-slider")
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
    number = f"{X} input[aria-label='threshold as a number']"
    keyed, steps = agreed(page, number), 0
    while page.input_value(number) != "0.5":  # one step, but for a machine so slow that the presses are no run
        page.keyboard.press("Control+z")
        drawn(page)
        steps += 1
    until(page, "STATE['threshold']", "0.5")
    for _ in range(steps):
        page.keyboard.press("Control+Shift+z")
    until(page, "STATE['threshold']", str(keyed))
    box = page.locator(f"{X} .dfe-density").bounding_box()
    page.mouse.move(box["x"] + box["width"] * keyed, box["y"] + 50)
    page.mouse.down()
    for i in range(1, 21):
        page.mouse.move(box["x"] + box["width"] * (keyed + (0.3 - keyed) * i / 20), box["y"] + 50)
    page.wait_for_function("s => Math.abs(document.querySelector(s).value - 0.3) < 0.01", arg=number)
    drawn(page)
    shown = page.inner_text(f"{X} .dfe-k0 td >> nth=1")
    page.mouse.up()
    until(page, "abs(STATE['threshold'] - 0.3) < 0.01", "True")
    recall = hosts.python(
        page, "print(round(ev.explore(**ex.state)._view.at(ex.state).metrics('recall').frame['value'][0], 3))"
    )
    assert abs(float(shown) - float(recall)) < 0.02

    # a confusion cell, its rows, their order and pages
    page.click(f"{X} [data-cell=fn]")
    settled(page)
    until(page, "len(ex.selection)", str(total(page)))
    shot(page, "cell")
    page.select_option(f"{X} select[aria-label='sort rows by']", "loss")
    settled(page)
    losses = [float(text) for text in page.locator(f"{X} .dfe-rowtable td.dfe-r:nth-child(2)").all_inner_texts()]
    assert losses == sorted(losses, reverse=True)
    first = page.inner_text(f"{X} .dfe-rowtable tbody tr:first-child th")
    page.click(f"{X} .dfe-rows >> text=Next ›")
    settled(page)
    assert page.inner_text(f"{X} .dfe-rowtable tbody tr:first-child th") != first
    assert page.inner_text(f"{X} .dfe-where").startswith("21–40")

    # tags come back, code runs, the state restores
    page.fill(f"{X} .dfe-rowtable tbody tr:first-child .dfe-tag", "mislabelled")
    page.keyboard.press("Enter")
    until(page, "list(STATE['tags'].values())", "['mislabelled']")
    tagged = page.inner_text(f"{X} .dfe-rowtable tbody tr:first-child th")
    assert hosts.python(page, "print(ex.tags.index[0])") == tagged
    page.click(f"{X} >> text=Copy code")
    page.wait_for_selector(f"{X} .dfe-code")
    code = page.input_value(f"{X} .dfe-code")
    assert code == hosts.python(page, "print(ex.code)")
    assert hosts.python(page, f"print(({code}).sort_index().equals(ex.selection.sort_index()))") == "True"
    assert hosts.python(page, "print(ev.explore(**json.loads(json.dumps(ex.state))).state == ex.state)") == "True"
    shot(page, "explorer-3-rows")
    undone = state(page)
    exhaust(page, "↶ Undo")
    until(page, "(STATE['threshold'], STATE['selection']['cohort'])", "(0.5, None)")
    exhaust(page, "↷ Redo")
    until(page, "STATE['tags']", str(undone["tags"]))
    assert page.foreign == []


def test_keyboard_alone(page: Any) -> None:
    lab(page, SETUP, "ex = ev.explore(by='education'); ex")
    page.focus(f"{X} .dfe-cohorts tbody .dfe-pick[tabindex='0']")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    focused = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    until(page, "STATE['selection']['cohort']", f"[{focused!r}]")
    page.keyboard.press("ArrowDown")
    other = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Shift+Enter")
    until(page, "STATE['selection']['compare']", f"[{other!r}]")
    page.focus(f"{X} [role=tab][aria-selected=true]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    until(page, "STATE['view']", "roc")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    until(page, "STATE['view']", "confusion")
    page.focus(f"{X} [data-cell=tp]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    until(page, "STATE['selection']['cell']['pred']", "<=50K")
    settled(page)
    # a part of a chart keeps the focus when it is pressed
    for view, part in (("folds", "circle"), ("calibration", "circle")):
        page.click(f"{X} [data-view={view}]")
        settled(page)
        page.focus(f"{X} .dfe-panel-{view} {part}[role=button] >> nth=2")
        page.keyboard.press("Enter")
        settled(page)
        pressed = f"document.activeElement.matches('.dfe-panel-{view} {part}[aria-pressed=true]')"
        page.wait_for_function(pressed)
        page.keyboard.press("Enter")
        page.wait_for_function(pressed.replace("true", "false"))
    settled(page)
    page.focus(f"{X} .dfe-rowbox")
    page.keyboard.press("PageDown")
    until(page, "STATE['rows']['page']", "1")
    page.keyboard.press("Escape")
    until(page, "list(STATE['selection'].values())", "[None, None, None]")
    # single letters that are shortcuts of the notebook do nothing to it
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    for key in ("a", "b", "d", "d", "x"):
        page.keyboard.press(key)
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells
    # everything that can be pressed has a name, and focus is seen
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('.dfe-x button, .dfe-x select, .dfe-x input, .dfe-x [role=button], .dfe-x [role=tab]')]
        .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.closest('label')?.textContent.trim())).map(e => e.outerHTML)"""
    )
    assert nameless == []
    page.focus(f"{X} .dfe-slider")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_bursts_of_clicks(page: Any) -> None:
    lab(page, SETUP, "ex = ev.explore(by='education'); ex")
    names = page.locator(f"{X} .dfe-cohorts tbody .dfe-pick").all_inner_texts()[:8]
    for burst in range(6):
        last = page.evaluate(
            """([names, shift]) => { const all = [...document.querySelectorAll('.dfe-x .dfe-cohorts tbody .dfe-pick')];
            const chosen = names.map((_, i) => names[(i * 3 + shift) % names.length]);
            for (const n of chosen) all.find(b => b.textContent === n).click(); return chosen[chosen.length - 1]; }""",
            [names, burst],
        )
        wanted = hosts.python(page, f"print((df.education == {last!r}).sum())")
        page.wait_for_function(
            "n => document.querySelector('.dfe-x .dfe-where').textContent.endsWith(' of ' + (+n).toLocaleString('en'))",
            arg=wanted,
        )
        until(page, "STATE['selection']['cohort']", f"[{last!r}]")
        assert hosts.python(page, "print(len(ex.selection))") == wanted


def test_one_explorer_twice_and_two_side_by_side(page: Any) -> None:
    lab(
        page,
        SETUP,
        "import ipywidgets\nex = ev.explore(by='sex'); ex",
        "ex",
        "other = ev.explore(by='race'); ipywidgets.HBox([other])",
    )
    page.wait_for_function("document.querySelectorAll('.dfe-x .dfe-on .dfe-pick').length === 3")
    cohort(page, "Female").first.click()
    page.wait_for_function("document.querySelectorAll('.dfe-x .dfe-on .dfe-pick')[1]?.textContent === 'Female'")
    on = page.evaluate(
        "[...document.querySelectorAll('.dfe-x')].map(x => x.querySelector('.dfe-on .dfe-pick').textContent)"
    )
    assert on == ["Female", "Female", "All rows"]
    until(page, "STATE['selection']['cohort']", "None", name="other")
    hosts.python(page, "other.state = {**other.state, 'metric': 'recall', 'selection': {'cohort': ['Black']}}")
    page.wait_for_function(
        "document.querySelectorAll('.dfe-x')[2].querySelector('.dfe-on .dfe-pick').textContent === 'Black'"
    )
    assert page.locator(".dfe-x select[aria-label=metric]").nth(2).input_value() == "recall"
    until(page, "STATE['metric']", "f1")
    hosts.put(page, "ex")  # shown again when the counts are in the page already
    settled(page)
    assert [text for text in page.complaints if "page error" in text] == []


def test_dimensions_and_named_cohorts(page: Any) -> None:
    lab(page, SETUP, "ex = ev.explore(by='sex'); ex")
    page.select_option(f"{X} select[aria-label='dimension 2']", label="age in quarters")
    settled(page)
    until(page, "STATE['by']", "['sex', {'quantiles': 'age', 'q': 4}]")
    page.wait_for_function("document.querySelector('.dfe-x .dfe-cohorts .dfe-quiet').textContent === '8 cohorts'")
    drawn(page)
    assert page.locator(f"{X} .dfe-cohorts tbody .dfe-pick >> visible=true").count() == 8
    page.fill(f"{X} input[aria-label='find a cohort']", "female")
    page.wait_for_function("document.querySelector('.dfe-x .dfe-cohorts .dfe-quiet').textContent === '4 of 8 cohorts'")
    page.select_option(f"{X} select[aria-label='dimension 1']", "named")
    page.fill(f"{X} input[aria-label='expression of the cohort']", "age < 30 and")
    page.wait_for_selector(f"{X} .dfe-verdict.dfe-error")
    assert page.is_disabled(f"{X} .dfe-named >> text=Add")
    page.fill(f"{X} input[aria-label='expression of the cohort']", "age < 30 and sex == 'Female'")
    wanted = int(hosts.python(page, "print(((df.age < 30) & (df.sex == 'Female')).sum())"))
    page.wait_for_function(
        "n => document.querySelector('.dfe-x .dfe-verdict').textContent === `${n.toLocaleString('en')} rows`",
        arg=wanted,
    )
    page.fill(f"{X} input[aria-label='name of the cohort']", "young women")
    page.click(f"{X} .dfe-named >> text=Add")
    until(page, "STATE['by']", "{'young women': \"age < 30 and sex == 'Female'\"}")
    page.fill(f"{X} input[aria-label='find a cohort']", "")
    settled(page)
    cohort(page, "young women").click()
    settled(page)
    assert total(page) == wanted
    shot(page, "explorer-named")


def test_every_tab(page: Any) -> None:
    lab(page, SETUP, "ex = ev.explore(by='education', selection={'cohort': ['Bachelors'], 'compare': ['Masters']}); ex")
    for view in ("confusion", "roc", "pr", "calibration", "gains", "compare", "folds", "rate"):
        page.click(f"{X} [data-view={view}]")
        page.wait_for_selector(f"{X} .dfe-panel-{view}")
        settled(page)
        assert page.locator(f"{X} .dfe-panel .dfe-error").count() == 0
        assert unnamed(page) == []
        shot(page, f"tab-{view}", f"{X} .dfe-views")
        if view in ("roc", "pr", "gains"):
            wide = "[...document.querySelectorAll('.dfe-x .dfe-band')].filter(e => e.getAttribute('d')).length"
            page.wait_for_function(f"{wide} === 2")  # of the selected and the compared cohort
        if view == "compare":
            wanted = "ev.compare('gbm', 'logistic', by='education', metrics='f1').frame.query('education == \"Bachelors\"')['verdict'].item()"
            verdict = hosts.python(page, f"print({wanted})")
            page.wait_for_selector(f"{X} .dfe-verdicts >> text={verdict} is better")
            page.wait_for_function("document.querySelectorAll('.dfe-x .dfe-panel-compare tbody tr').length === 17")
    page.keyboard.press("Escape")
    page.click(f"{X} [data-view=compare]")
    page.click(f"{X} [data-cell=fixed]")
    settled(page)
    until(page, "len(ex.selection)", str(total(page)))
    assert total(page) > 0
    page.click(f"{X} [data-view=rate]")
    page.locator(f"{X} .dfe-panel-rate").get_by_role("button", name="fail").click()
    until(page, "list(STATE['ratings'].values())", "['fail']")
    page.focus(f"{X} .dfe-panel-rate >> text=Next row ›")
    page.keyboard.press("p")
    until(page, "sorted(STATE['ratings'].values())", "['fail', 'pass']")
    assert hosts.python(page, "print(ex.frame['rating'].dropna().tolist())") in ("['fail', 'pass']", "['pass', 'fail']")
    # texts are searched, columns chosen, and a metric of the kernel takes its place in the table
    page.keyboard.press("Escape")
    page.fill(f"{X} input[aria-label='search texts']", "Prof-specialty")
    page.keyboard.press("Enter")
    settled(page)
    until(page, "len(ex.selection)", hosts.python(page, "print((df.occupation == 'Prof-specialty').sum())"))
    page.click(f"{X} .dfe-chooser summary")
    page.locator(f"{X} .dfe-columns label").get_by_text("capital_gain").click()
    page.wait_for_selector(f"{X} .dfe-rowtable th >> text=capital_gain")
    page.select_option(f"{X} select[aria-label=metric]", "roc_auc")
    value = hosts.python(page, "print(round(ev.metrics('roc_auc', models='gbm').frame['value'][0], 4))")
    page.wait_for_function(
        "v => document.querySelector('.dfe-x .dfe-cohorts thead td.dfe-v').textContent.startsWith(v.slice(0, 5))",
        arg=value,
    )


def test_dark_and_narrow(page: Any) -> None:
    start = "ev.explore(by='education', selection={'cohort': ['Bachelors']})"
    lab(page, SETUP, f"import ipywidgets\nex = {start}; ipywidgets.Box([ex], layout={{'width': '480px'}})")
    wide = page.evaluate(
        "[...document.querySelectorAll('.dfe-x, .dfe-x .dfe-pane')].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.className)"
    )
    assert wide == []
    assert (
        page.evaluate(
            "getComputedStyle(document.querySelector('.dfe-x .dfe-grid')).gridTemplateColumns.split(' ').length"
        )
        == 1
    )
    shot(page, "explorer-narrow")
    theme = "async (name) => { await window.jupyterapp.commands.execute('apputils:change-theme', {theme: name}); }"
    page.evaluate(theme, "JupyterLab Dark")
    try:
        lab(page, SETUP, f"ex = {start}; ex")
        page.wait_for_selector(".dfe-x.dfe-dark")
        shot(page, "dark")
    finally:
        page.evaluate(theme, "JupyterLab Light")
    page.wait_for_selector(".dfe-x:not(.dfe-dark)")


OTHERS = """
import dfevals
news = dfevals.datasets.load("newsgroups"); news["half"] = ["first" if i % 2 else "second" for i in range(len(news))]
multi = news.evals(y_true="label", y_score="p_{label}", labels=sorted(news.label.unique())).explore(by="half"); multi
"""
OUTCOMES = """
import pandas as pd, numpy as np
from dfevals import Outcome
rng = np.random.default_rng(0)
chats = pd.DataFrame({"intent": rng.choice(["refund", "delivery", "other"], 600), "toxicity": rng.random(600).round(3), "polite": rng.random(600) < .8,
  "response": ["Dear customer, " + "we are sorry to hear that your order is late. " * 12] * 600, "short": ["Sorry!"] * 600,
  "call": [{"name": "refund", "arguments": {"order": 12345, "reason": "late"}}] * 600})
out = dfevals.evaluate(chats, outcomes=[Outcome("toxicity", kind="score", better="lower", pass_at=.2), "polite"]).explore(by="intent"); out
"""
REGRESSION = """
homes = pd.DataFrame({"price": rng.lognormal(5, .4, 3000).round(1), "area": rng.choice(["old town", "harbour", "hills"], 3000)})
homes["ridge"] = (homes.price * rng.normal(1, .15, 3000)).round(1); homes["forest"] = (homes.price * rng.normal(1.02, .1, 3000)).round(1)
reg = homes.evals(y_true="price", y_pred={"ridge": "ridge", "forest": "forest"}).explore(by="area", selection={"cohort": ["harbour"]}); reg
"""


def test_other_tasks(page: Any) -> None:
    lab(page, OTHERS, OUTCOMES, REGRESSION)
    page.wait_for_function("document.querySelectorAll('.dfe-x .dfe-rowtable').length === 3")
    multi, out, reg = (page.locator(X).nth(i) for i in range(3))
    multi.locator(".dfe-mc[aria-label*='true talk.religion.misc, predicted soc.religion.christian']").click()
    until(page, "STATE['selection']['cell']['pred']", "soc.religion.christian", name="multi")
    wanted = hosts.python(page, "print(len(multi.selection))")
    page.wait_for_function(
        "n => document.querySelector('.dfe-x .dfe-where').textContent.endsWith(' of ' + n)", arg=wanted
    )
    if SHOTS:
        multi.screenshot(path=Path(SHOTS) / "multiclass.png")
    multi.locator("[data-view=pairs]").click()
    multi.locator(".dfe-pairs .dfe-link").first.click()
    until(page, "len(STATE['selection']['cell'])", "3", name="multi")
    out.locator("[data-cell=fail]").click()
    until(page, "STATE['selection']['cell']", "{'kind': 'outcome', 'column': 'toxicity', 'value': 'fail'}", name="out")
    assert hosts.python(page, "print(len(out.selection) == (chats.toxicity > .2).sum())") == "True"
    settled(page)  # rows that arrive later would take the place of the unfolded one
    out.locator("button[aria-label='whole call']").first.click()
    out.locator("pre.dfe-whole").wait_for()
    assert '\n  "name": "refund"' in out.locator("pre.dfe-whole").inner_text()
    if SHOTS:
        out.screenshot(path=Path(SHOTS) / "outcomes.png")
    out.locator("[data-view=rate]").click()
    out.locator("select[aria-label='kind of rating']").select_option("better")
    out.locator("select[aria-label='column A']").select_option("response")
    out.locator("select[aria-label='column B']").select_option("short")
    out.get_by_role("button", name="B is better").click()
    until(page, "list(STATE['ratings'].values())", "['b']", name="out")
    reg.locator(".dfe-hit").nth(20).click()
    until(page, "STATE['selection']['cell']['kind']", "residual", name="reg")
    reg.locator("[data-view=compare]").click()
    reg.locator("[data-cell=broken]").click()
    until(page, "STATE['selection']['cell']['value']", "broken", name="reg")
    if SHOTS:
        reg.screenshot(path=Path(SHOTS) / "explorer-regression.png")
    assert page.foreign == []


HOSTILE = r"""
import dfevals, numpy as np, pandas as pd
rng = np.random.default_rng(0); n = 500
bad = np.array(["<img src=x onerror=window.pwned=1>", "<script>window.pwned=1</script>", "\u202eevil\u2069 שלום", "\"><svg onload=window.pwned=1>"], object)
frame = pd.DataFrame({"y": rng.random(n) < .4, "<b onclick=window.pwned=1>p": rng.random(n), "<script>window.pwned=1</script>": bad[rng.integers(0, 4, n)], "class": bad[rng.integers(0, 4, n)], "lists": [[1, "<img src=x onerror=window.pwned=1>"]] * n, "arrays": [np.zeros((2, 2))] * n})
frame.index = bad[rng.integers(0, 4, n)]
ex = dfevals.evaluate(frame, y_true="y", y_score={"<i>m": "<b onclick=window.pwned=1>p"}).explore(by=["class", "<script>window.pwned=1</script>"], selection={"cohort": ["<img src=x onerror=window.pwned=1>", "<script>window.pwned=1</script>"]}); ex
"""


def test_hostile_text_stays_text(page: Any) -> None:
    lab(page, HOSTILE)
    for view in ("confusion", "roc", "calibration", "gains", "rate"):
        page.click(f"{X} [data-view={view}]")
        settled(page)
    page.locator(f"{X} button.dfe-more").first.click()
    page.wait_for_selector(f"{X} .dfe-whole")
    page.click(f"{X} .dfe-chooser summary")
    page.click(f"{X} >> text=Copy code")
    page.wait_for_selector(f"{X} .dfe-code")
    assert page.evaluate("window.pwned") is None
    assert page.locator(f"{X} img, {X} script, {X} [onerror], {X} [onload], {X} [onclick]").count() == 0
    assert "\u202e" not in page.inner_text(X)
    assert "⟨U+202E⟩evil" in page.inner_text(X)
    assert page.foreign == []


SLOW = """
import time
@dfevals.metric(name="slow_metric")
def slow_metric(y_true, y_pred, sample_weight=None):
    time.sleep(.3); return .5
ex = ev.explore(by="education"); ex
"""


def test_a_slow_answer_is_said_and_cancelled(page: Any) -> None:
    lab(page, SETUP, SLOW)
    page.select_option(f"{X} select[aria-label=metric]", "slow_metric")
    page.wait_for_selector(f"{X} .dfe-progress >> text=The kernel computes the estimates")
    cohort(page, "Bachelors").click()  # waits behind it
    page.wait_for_timeout(600)
    page.click(f"{X} .dfe-progress >> text=Cancel")
    page.wait_for_function("document.querySelector('.dfe-x .dfe-progress').hidden")
    page.wait_for_selector(f"{X} .dfe-cohorts .dfe-note >> text=Cancelled")
    page.select_option(f"{X} select[aria-label=metric]", "recall")
    settled(page)
    until(page, "len(ex.selection)", str(total(page)))
    assert page.locator(f"{X} .dfe-error").count() == 0


def test_a_kernel_that_restarts_or_ends_is_said_and_the_view_lives(fresh: Any, base: tuple[str, Path]) -> None:
    page = fresh
    cells = (hosts.WIDGET, SETUP, "ex = ev.explore(by='education'); ex")
    hosts.notebook(base[1] / "ends.ipynb", *cells)
    hosts.open_lab(page, base[0], "ends.ipynb")
    hosts.ready(page, lambda: hosts.open_lab(page, base[0], "ends.ipynb"))
    settled(page)
    context = "window.jupyterapp.shell.currentWidget.sessionContext"
    page.evaluate(f"async () => {{ await {context}.restartKernel(); }}")
    page.wait_for_selector(f"{X} .dfe-warning >> text=Run the cell again")
    cohort(page, "Bachelors").click()
    page.wait_for_selector(f"{X} .dfe-where >> text=kernel is gone")
    shot(page, "explorer-restarted")
    hosts.put(page, *cells)  # which is how to go on
    assert hosts.errors(page) == []
    settled(page)
    assert page.locator(f"{X} .dfe-warning >> visible=true").count() == 0
    kernel = f"/api/kernels/${{{context}.session.kernel.id}}/restart"
    page.evaluate(f"async () => {{ await fetch(`{kernel}`, {{method: 'POST'}}); }}")  # of which the host hears nothing
    cohort(page, "Masters").click()
    page.wait_for_selector(f"{X} .dfe-warning >> text=Run the cell again")  # once patience is over, if it seems busy
    page.evaluate(
        """async () => { const c = window.jupyterapp.shell.currentWidget.sessionContext; await c.session.kernel.shutdown().catch(() => {}); }"""
    )
    cohort(page, "Bachelors").click()
    page.wait_for_function("/kernel is gone|does not answer/.test(document.querySelector('.dfe-x').innerText)")
    page.focus(f"{X} .dfe-slider")
    before = page.inner_text(f"{X} .dfe-k0 td >> nth=1")
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        "t => document.querySelector('.dfe-x .dfe-k0 td:nth-child(3)').textContent !== t", arg=before
    )


def test_a_changed_frame_is_said(page: Any) -> None:
    lab(page, SETUP, "ex = ev.explore(by='sex'); ex")
    hosts.python(page, "df.loc[df.index[0], 'p_gbm'] = 0.123")
    cohort(page, "Male").click()
    page.wait_for_selector(f"{X} .dfe-warning >> text=has changed")
    page.click(f"{X} .dfe-warning >> text=Refresh")
    page.wait_for_function("document.querySelector('.dfe-x .dfe-warning').hidden")
    assert hosts.python(page, "print(ex._view.bound.frame['p_gbm'].iloc[0])") == "0.123"


@pytest.mark.parametrize("host", ["notebook", "voila"])
def test_other_hosts(fresh: Any, base: tuple[str, Path], host: str) -> None:
    page = fresh
    opened = {"notebook": hosts.open_notebook, "voila": hosts.open_voila}[host]
    hosts.notebook(base[1] / f"control-{host}.ipynb", hosts.WIDGET)
    opened(page, base[0], f"control-{host}.ipynb")
    hosts.ready(page, lambda: opened(page, base[0], f"control-{host}.ipynb"))
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1000)
    usual_complaints, usual_foreign = set(page.complaints), set(page.foreign)
    page.complaints.clear()
    page.foreign.clear()
    cells = (SETUP, "ex = ev.explore(by='education'); ex", OUTCOMES.replace('by="intent"', 'by="intent", view="text"'))
    hosts.notebook(base[1] / f"other-{host}.ipynb", hosts.WIDGET, *cells)
    opened(page, base[0], f"other-{host}.ipynb")
    hosts.ready(page, lambda: opened(page, base[0], f"other-{host}.ipynb"))
    settled(page)
    cohort(page, "Bachelors").click()
    settled(page)
    rows = total(page)
    assert 0 < rows < 20_000
    page.click(f"{X} [data-cell=fp]")
    page.wait_for_function(
        "n => +document.querySelector('.dfe-x .dfe-where').textContent.split(' of ')[1]?.replace(',', '') < n", arg=rows
    )
    page.focus(f"{X} .dfe-slider")
    before = page.inner_text(f"{X} .dfe-k0 td >> nth=1")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "t => document.querySelector('.dfe-x .dfe-k0 td:nth-child(3)').textContent !== t", arg=before
    )
    for view in ("roc", "calibration", "gains", "compare", "folds"):
        page.click(f"{X} [data-view={view}]")
        settled(page)
    shot(page, f"explorer-{host}")
    page.wait_for_selector(f"{X} .dfe-reader .dfe-facts >> text=row 1 of 600")
    page.focus(f"{X} .dfe-reader")
    page.keyboard.press("j")
    page.wait_for_selector(f"{X} .dfe-reader .dfe-facts >> text=row 2 of 600")
    page.wait_for_selector(f"{X} .dfe-reader .dfe-steps code >> text=refund")
    assert [text for text in page.complaints if text not in usual_complaints] == []
    assert [url for url in page.foreign if url not in usual_foreign] == []


BIG = """
import numpy as np, pandas as pd, dfevals
rng = np.random.default_rng(0); n = 1_000_000
y = rng.random(n) < .2
frame = pd.DataFrame({"y": y, "p": 1 / (1 + np.exp(-rng.normal(np.where(y, 1.2, -1.6), 1.3))), "region": rng.integers(0, 100, n), "shop": rng.integers(0, 10_000, n)})
ex = dfevals.evaluate(frame, y_true="y", y_score="p").explore(by="region"); ex
"""


def test_a_million_rows_and_ten_thousand_cohorts(page: Any) -> None:
    page.sizes.clear()
    lab(page, BIG)
    assert total(page) == 1_000_000
    assert max(page.sizes) < 1_000_000
    until(page, "len(ex.selection)", "1000000")
    hosts.python(page, "ex.state = {**ex.state, 'by': ['shop']}")
    page.wait_for_function("document.querySelector('.dfe-x .dfe-cohorts .dfe-quiet').textContent === '10,000 cohorts'")
    settled(page)
    assert page.locator(f"{X} .dfe-cohorts tbody tr").count() < 60
    page.focus(f"{X} .dfe-slider")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.focus(f"{X} .dfe-cohorts tbody .dfe-pick[tabindex='0']")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    settled(page)
    until(page, "len(ex.selection)", str(total(page)))
    assert max(page.sizes) < 1_100_000
