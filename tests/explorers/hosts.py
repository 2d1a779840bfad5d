"""A Jupyter server of the test's own, and a headless Chromium that opens notebooks in JupyterLab, Notebook 7 and Voila."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import TimeoutError as TimedOut

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--force-device-scale-factor=1",
]
LOCAL = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:", "about:", "chrome-error:")
PATIENT = int(os.environ.get("DFEVALS_PATIENCE", "90")) * 1000  # ms; a loaded machine is slow, not wrong


def chromium() -> str:
    """Path of a Chromium; an error if there is none, so that no run passes for want of a browser."""
    named = os.environ.get("DFEVALS_CHROMIUM")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    found = named or next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        raise RuntimeError(
            "The browser tests need Chromium. Install it (apt-get install chromium) or set DFEVALS_CHROMIUM to its path."
        )
    return found


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Address of a server with Lab, Notebook and Voila whose settings and notebooks live in `folder`."""
    home = folder / "home"
    (folder / "notebooks").mkdir(parents=True, exist_ok=True)
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTERLAB_SETTINGS_DIR")
    names += ("JUPYTERLAB_WORKSPACES_DIR", "MPLCONFIGDIR", "HOME")
    env = os.environ | {name: str(home / name.lower()) for name in names} | {"PYTHONWARNINGS": "ignore"}
    for name in names:
        Path(env[name]).mkdir(parents=True, exist_ok=True)
    news = Path(env["JUPYTERLAB_SETTINGS_DIR"]) / "@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false"}')
    extensions = {"jupyterlab": True, "notebook": True, "voila.server_extension": True, "jupyter_lsp": False}
    settings = {
        "ServerApp": {
            "jpserver_extensions": extensions,
            "token": "",
            "password": "",
            "open_browser": False,
            "disable_check_xsrf": True,
        },
        "IdentityProvider": {"token": ""},
        "LabApp": {
            "expose_app_in_browser": True,
            "news_url": None,
            "check_for_updates_class": "jupyterlab.handlers.announcements.NeverCheckForUpdate",
        },
        "JupyterNotebookApp": {"expose_app_in_browser": True},
    }
    (Path(env["JUPYTER_CONFIG_DIR"]) / "jupyter_server_config.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "jupyter_server", "--ip=127.0.0.1", "--port=0", "--allow-root", "--no-browser"]
    log = folder / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, f"--ServerApp.root_dir={folder / 'notebooks'}"], env=env, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if found:
            try:
                urllib.request.urlopen(f"{found[0]}/api", timeout=5).read()
                return found[0]
            except OSError:
                pass
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"The Jupyter server did not start:\n{log.read_text()[-3000:]}")


def notebook(path: Path, *cells: str) -> Path:
    """Write a notebook of code cells."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.write_text(nbformat.writes(made))
    return path


def watch(page: Any) -> Any:
    """Collect what the page asks of others and what it complains about."""
    page.foreign, page.complaints, page.sizes = [], [], []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: page.sizes.append(len(data))))
    page.on("request", lambda r: page.foreign.append(r.url) if not r.url.startswith(LOCAL) else None)
    page.on("console", lambda m: _complain(page, m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: page.complaints.append(f"page error: {e}"[:200]))
    page.set_default_timeout(PATIENT)
    return page


def _complain(page: Any, text: str) -> None:
    if "shared module is not a function" not in text:  # the host's own modules; see `ready`
        page.complaints.append(text[:200])


def open_lab(page: Any, base: str, name: str) -> None:
    """Open a notebook in JupyterLab and run all cells."""
    page.goto(f"{base}/lab/tree/{name}?reset", wait_until="domcontentloaded")
    _run(page)


def open_notebook(page: Any, base: str, name: str) -> None:
    """Open a notebook in Notebook 7 and run all cells."""
    page.goto(f"{base}/notebooks/{name}", wait_until="domcontentloaded")
    _run(page)


WIDGET = "import ipywidgets; ipywidgets.HTML('widgets are ready')"


def ready(page: Any, reopen: Callable[[], None], tries: int = 3) -> None:
    """Wait for the host's own widgets; open the page again where it has not loaded them.

    On a loaded machine Lab and Voila now and then fail to load their federated modules ("shared module is not a function").
    """
    for attempt in range(tries):
        try:
            page.wait_for_selector("text=widgets are ready >> visible=true", timeout=PATIENT // 2)
            return
        except TimedOut:
            if attempt == tries - 1:
                raise
            reopen()


def put(page: Any, *cells: str) -> None:
    """Replace the cells of the open notebook and run them."""
    page.evaluate(
        """(cells) => { const model = window.jupyterapp.shell.currentWidget.content.model.sharedModel;
        model.insertCells(model.cells.length, cells.map(source => ({cell_type: 'code', source, metadata: {trusted: true}})));
        model.deleteCellRange(0, model.cells.length - cells.length); }""",
        list(cells),
    )
    _run(page)


def _run(page: Any) -> None:
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    current = "window.jupyterapp?.shell?.currentWidget"
    page.wait_for_function(f"{current}?.sessionContext?.session?.kernel?.status === 'idle'")
    page.evaluate("async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    page.wait_for_function(
        f"""() => {{ const w = {current}; return w.sessionContext.session.kernel.status === 'idle'
        && [...w.content.model.cells].every(c => c.type !== 'code' || c.executionCount != null) }}"""
    )


def open_voila(page: Any, base: str, name: str) -> None:
    """Open a notebook in Voila."""
    page.goto(f"{base}/voila/render/{name}", wait_until="domcontentloaded")


def errors(page: Any) -> list[str]:
    """Errors of the notebook's cells."""
    found: list[str] = page.evaluate(
        """() => [...window.jupyterapp.shell.currentWidget.content.model.cells].flatMap(c => c.type === 'code'
        ? c.sharedModel.getOutputs().filter(o => o.output_type === 'error').map(o => o.ename + ': ' + o.evalue) : [])"""
    )
    return found


def python(page: Any, code: str) -> str:
    """Run code in the page's kernel and return what it prints; its errors are raised here."""
    reply = page.evaluate(
        """async (code) => {
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            const future = kernel.requestExecute({code, store_history: false}); let text = '', error = null;
            future.onIOPub = m => { if (m.header.msg_type === 'stream') text += m.content.text;
                if (m.header.msg_type === 'error') error = m.content.ename + ': ' + m.content.evalue; };
            await future.done; return [text, error]; }""",
        code,
    )
    if reply[1]:
        raise AssertionError(f"{code}\n{reply[1]}")
    return str(reply[0]).strip()
