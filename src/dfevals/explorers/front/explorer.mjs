import { cohorts } from "./cohorts.mjs";
import { confusion, pairs } from "./confusion.mjs";
import { calibration, pr, roc } from "./curves.mjs";
import { QUIET, h, rove } from "./elements.mjs";
import { compare, folds, residuals } from "./estimates.mjs";
import { gains } from "./gains.mjs";
import { header } from "./header.mjs";
import { outcomes, rate } from "./outcomes.mjs";
import { rows } from "./rows.mjs";
import { scores } from "./scores.mjs";
import { makeStore } from "./store.mjs";
import { text } from "./text.mjs";

// The registry of tabs: a pane is a function of the store, its element and a signal that ends it.
const PANES = {
  confusion: ["Confusion", confusion], pairs: ["Confused pairs", pairs], roc: ["ROC", roc], pr: ["Precision–recall", pr], calibration: ["Calibration", calibration], gains: ["Gains", gains],
  residuals: ["Residuals", residuals], compare: ["Two models", compare], folds: ["Folds", folds], outcomes: ["Outcomes", outcomes], text: ["Text", text], rate: ["Rate", rate],
};
const KEYS = [["Tab", "next control"], ["↑ ↓ Home End", "move in the table of cohorts"], ["Enter", "select the cohort, or the cell"], ["Shift+Enter", "compare the cohort with the selected one"], ["← →", "move the threshold, or among tabs and cells"], ["PageUp PageDown", "page through the rows"], ["j k", "next row and row before, in the tab Text"], ["Ctrl+Z Ctrl+Shift+Z", "undo, redo"], ["Esc", "clear the selection"]];

function tabs(store, el, signal) {
  const bar = h("div", { role: "tablist", "aria-label": "views", class: "dfe-tabs" }), panel = h("div", { role: "tabpanel", class: "dfe-panel", tabindex: -1 });
  el.append(bar, panel);
  const buttons = store.info.views.map((view) => h("button", { type: "button", role: "tab", "data-view": view, ...QUIET, onclick: () => store.commit({ view }) }, PANES[view][0]));
  bar.append(...buttons);
  rove(bar, "[role=tab]");
  let shown, ending;
  signal.addEventListener("abort", () => ending?.abort());
  store.subscribe((s) => {
    if (s.view === shown) return;
    shown = s.view;
    for (const b of buttons) { const on = b.dataset.view === shown; b.setAttribute("aria-selected", on); b.tabIndex = on ? 0 : -1; }
    ending?.abort();
    ending = new AbortController();
    panel.replaceChildren();
    panel.className = `dfe-panel dfe-panel-${shown}`;
    panel.setAttribute("aria-label", PANES[shown][0]);
    PANES[shown][1](store, panel, ending.signal);
  }, signal);
}

/** The host says light or dark by its text colour, whatever it is called there. */
function theme(el, signal) {
  const look = () => { const [r, g, b] = (getComputedStyle(el).color.match(/[\d.]+/g) ?? [0, 0, 0]).map(Number); el.classList.toggle("dfe-dark", r + g + b > 384); };
  const watch = new MutationObserver(() => requestAnimationFrame(look));
  for (const node of [document.body, document.documentElement]) watch.observe(node, { attributes: true });
  signal.addEventListener("abort", () => watch.disconnect());
  requestAnimationFrame(look);
  setTimeout(look, 400);
}

function page(store, el, signal) {
  el.classList.add("dfe-x", "tex2jax_ignore", "mathjax_ignore");
  if (store.info.id) { // a copy beside the widget shows itself where no live page does
    el.dataset.dfeOf = store.info.id;
    store.subscribe(() => { if (store.data) el.dataset.dfeLive = ""; }, signal);
  }
  for (const [name, value] of Object.entries({ ...QUIET, role: "group", "aria-label": "explorer" })) el.setAttribute(name, value);
  theme(el, signal);
  el.addEventListener("keydown", (e) => {
    const typing = e.target.matches("input[type=text],input[type=search],textarea");
    if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "z" && !typing) { e.preventDefault(); e.shiftKey ? store.redo() : store.undo(); }
    if (e.key === "Escape" && !typing) { const s = store.state.selection; if (s.cohort || s.cell || s.compare) { e.preventDefault(); store.commit({ selection: { cohort: null, compare: null, cell: null }, rows: { page: 0 } }); } }
    e.stopPropagation();
  }, { signal });
  const parts = { header, cohorts, ...(store.info.task === "binary" ? { scores } : {}), views: tabs, rows }, grid = h("div", { class: `dfe-grid dfe-${store.info.task}` });
  el.append(grid);
  for (const [name, pane] of Object.entries(parts)) {
    const box = h("section", { class: `dfe-pane dfe-${name}`, "aria-label": name });
    grid.append(box);
    try { pane(store, box, signal); } catch (error) { box.append(h("p", { class: "dfe-error" }, `${error}`)); }
  }
  el.append(h("details", { class: "dfe-help" }, h("summary", { ...QUIET }, "Keys"), h("dl", {}, ...KEYS.flatMap(([k, v]) => [h("dt", {}, ...k.split(" ").map((key) => h("kbd", {}, key))), h("dd", {}, v)]))));
}

// Called once per widget: nothing is shared between widgets.
export default () => {
  let store;
  return {
    initialize({ model }) { store = makeStore(model); },
    render({ model, el }) {
      store ??= makeStore(model);
      const ending = new AbortController();
      page(store, el, ending.signal);
      return () => ending.abort();
    },
  };
};
