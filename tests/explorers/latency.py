"""Measure how fast the explorer answers in Chromium; `python tests/explorers/latency.py` prints the table of the docs.

Times run from the input event to after the paint of the frame in which all panes are drawn.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from explorers import hosts

SETUP = """
import numpy as np, pandas as pd, dfevals
rng = np.random.default_rng(0); n = 1_000_000; c = rng.choice(100, n, p=(w := 1 / np.arange(4, 104)) / w.sum())
y = rng.random(n) < .1 + .3 * (c % 7) / 7
frame = pd.DataFrame({"y": y, "p": 1 / (1 + np.exp(-rng.normal(np.where(y, 1.2, -1.6), 1.3))), "region": np.array([f"region {i:02d}" for i in range(100)], object)[c],
    "kind": rng.choice(["a", "b", "c"], n), "shop": rng.integers(0, 10_000, n).astype(str)})
ev = dfevals.evaluate(frame, y_true="y", y_score="p")
"""
PROBE = """() => {
  const x = document.querySelector('.dfe-x');
  window.times = [];
  window.ended?.abort();
  window.ended = new AbortController();
  const after = (t0, changed) => { const look = () => requestAnimationFrame(() => { const c = new MessageChannel();
    c.port1.onmessage = () => changed() ? window.times.push(performance.now() - t0) : look(); c.port2.postMessage(0); }); look(); };
  const text = (s) => document.querySelector(s)?.textContent;
  window.probe = (event, selector) => x.addEventListener(event, (e) => { const was = text(selector), t0 = performance.now(); after(t0, () => text(selector) !== was); }, {capture: true, signal: window.ended.signal});
}"""


def moves(page: Any, key: str = "ArrowRight", n: int = 50) -> list[float]:
    """Milliseconds from each of `n` key presses on the threshold to the paint."""
    page.evaluate(PROBE)
    page.evaluate("probe('keydown', '.dfe-x .dfe-k0 td:nth-child(3)')")
    page.focus(".dfe-x .dfe-slider")
    for _ in range(n):
        page.keyboard.press(key)
        page.wait_for_timeout(60)
    return list(page.evaluate("window.times"))


def floor(page: Any, n: int = 50) -> list[float]:
    """Milliseconds from a key press that changes one text to its paint: what the host and the machine take by themselves."""
    page.evaluate(
        """() => { const x = document.querySelector('.dfe-x'), text = x.querySelector('.dfe-hint, .dfe-note') ?? x; window.times = [];
        x.addEventListener('keydown', (e) => { if (e.key !== 'F9') return; const t0 = performance.now();
        requestAnimationFrame(() => { text.append('.'); const c = new MessageChannel(); c.port1.onmessage = () => window.times.push(performance.now() - t0); c.port2.postMessage(0); }); }); }"""
    )
    page.focus(".dfe-x .dfe-slider")
    for _ in range(n):
        page.keyboard.press("F9")
        page.wait_for_timeout(60)
    return list(page.evaluate("window.times"))


def changes(page: Any, selector: str, values: list[str], watched: str, n: int) -> list[float]:
    """Milliseconds from each choice in a menu to the paint of another text in `watched`."""
    page.evaluate(PROBE)
    found = []
    for i in range(n):
        page.evaluate(
            """([selector, value, watched]) => { window.times = []; const s = document.querySelector(selector), text = () => document.querySelector(watched).textContent, was = text(), t0 = performance.now();
            s.value = value; s.dispatchEvent(new Event('change'));
            const look = () => requestAnimationFrame(() => { const c = new MessageChannel(); c.port1.onmessage = () => text() !== was ? window.times.push(performance.now() - t0) : look(); c.port2.postMessage(0); }); look(); }""",
            [selector, values[i % len(values)], watched],
        )
        page.wait_for_function("window.times.length === 1")
        found += page.evaluate("window.times")
        page.wait_for_timeout(300)
    return found


def drag(page: Any, n: int = 50) -> list[float]:
    """Milliseconds from each of `n` moves of the pointer with the threshold in hand to the paint."""
    page.evaluate(PROBE)
    box = page.locator(".dfe-x .dfe-density").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 20)
    page.mouse.down()
    page.evaluate("probe('pointermove', '.dfe-x .dfe-k0 td:nth-child(3)')")
    for i in range(n):
        page.mouse.move(box["x"] + box["width"] * (0.3 + 0.4 * (i + 1) / n), box["y"] + 20)
        page.wait_for_timeout(60)
    page.mouse.up()
    return list(page.evaluate("window.times"))


def pages(page: Any, n: int = 20) -> list[float]:
    """Milliseconds from each press on "Next" to the paint of the next page of rows."""
    found = []
    for _ in range(n):
        found += page.evaluate(
            """async () => { const b = [...document.querySelectorAll('.dfe-x .dfe-rows button')].find(x => x.textContent.startsWith('Next')), text = () => document.querySelector('.dfe-x .dfe-where').textContent, was = text(), t0 = performance.now(); b.click();
            while (text() === was) await new Promise(requestAnimationFrame); await new Promise(ok => { const c = new MessageChannel(); c.port1.onmessage = ok; c.port2.postMessage(0); }); return [performance.now() - t0]; }"""
        )
        page.wait_for_timeout(200)
    return found


MEMORY = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"


def told(name: str, times: list[float]) -> None:
    """One line of the table."""
    ordered = sorted(times)
    print(
        f"| {name} | {statistics.median(ordered):.0f} | {ordered[int(0.95 * (len(ordered) - 1))]:.0f} | {len(ordered)} |",
        flush=True,
    )


def main() -> None:
    """Measure in JupyterLab and Notebook 7."""
    from playwright.sync_api import sync_playwright

    x = ".dfe-x "
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # users' modules are compiled once
    subprocess.run(
        [sys.executable, "-c", SETUP.replace("1_000_000", "1_000") + "ev.explore()._repr_mimebundle_()"], check=True
    )
    with tempfile.TemporaryDirectory() as name, hosts.server(Path(name)) as base, sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=hosts.chromium(), args=hosts.FLAGS)
        for host, opened in (("JupyterLab", hosts.open_lab), ("Notebook 7", hosts.open_notebook)):
            page = hosts.watch(browser.new_page(viewport={"width": 1500, "height": 1100}))
            hosts.notebook(
                Path(name) / "notebooks" / f"{host[0]}.ipynb",
                SETUP,
                f"{MEMORY}",
                "import time; t0 = time.time(); ex = ev.explore(by='region'); ex",
            )
            opened(page, base, f"{host[0]}.ipynb")
            page.wait_for_selector(x + ".dfe-rowtable")
            before = page.evaluate(
                "window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells[1].getOutputs()[0].text.toString().trim()"
            )
            started = float(hosts.python(page, "print(t0)"))
            shown = page.evaluate("performance.timeOrigin + performance.now()") / 1000
            print(f"{host}: displayed within {shown - started:.1f} s; largest message {max(page.sizes):,} bytes")
            page.wait_for_timeout(1500)
            told(f"{host}: one text (the floor)", floor(page))
            told(f"{host}: threshold by key", moves(page))
            told(f"{host}: threshold by dragging", drag(page))
            told(f"{host}: page of rows", pages(page))
            told(
                f"{host}: metric",
                changes(
                    page,
                    x + "select[aria-label=metric]",
                    ["recall", "precision"],
                    x + ".dfe-cohorts thead td.dfe-v",
                    20,
                ),
            )
            clicks = "[...document.querySelectorAll('.dfe-x .dfe-cohorts tbody .dfe-pick')]"
            times = []
            for i in range(20):
                times += page.evaluate(
                    f"""async (i) => {{ const b = {clicks}[i % 9], text = () => document.querySelector('.dfe-x .dfe-where').textContent, was = text(), t0 = performance.now(); b.click();
                    while (text() === was) await new Promise(requestAnimationFrame); await new Promise(ok => {{ const c = new MessageChannel(); c.port1.onmessage = ok; c.port2.postMessage(0); }}); return [performance.now() - t0]; }}""",
                    i,
                )
                page.wait_for_timeout(300)
            told(f"{host}: cohort to its rows", times)
            page.keyboard.press("Escape")
            told(
                f"{host}: dimension",
                changes(
                    page,
                    x + "select[aria-label='dimension 1']",
                    ['"kind"', '"region"'],
                    x + ".dfe-cohorts tbody .dfe-pick",
                    10,
                ),
            )
            hosts.python(page, "ex.state = {**ex.state, 'by': ['shop']}")
            page.wait_for_function(
                "document.querySelector('.dfe-x .dfe-cohorts .dfe-quiet').textContent === '10,000 cohorts'"
            )
            page.wait_for_timeout(1500)
            told(f"{host}: threshold by key, 10,000 cohorts", moves(page, n=20))
            score = "import time; ex.state = {**ex.state, 'by': ['region'], 'metric': 'roc_auc'}; c = time.process_time(); ex._answer('estimates', {}); print(round(1000 * (time.process_time() - c)))"
            print(f"{host}: 100 cohorts by roc_auc for the first time: {hosts.python(page, score)} ms of the processor")
            print(f"{host}: the kernel held at most {hosts.python(page, MEMORY)} MiB, {before} before the explorer")
            page.close()


if __name__ == "__main__":
    main()
