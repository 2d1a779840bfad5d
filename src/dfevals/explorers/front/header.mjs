import { button, fill, h, menu, write, QUIET } from "./elements.mjs";
import { count } from "./format.mjs";
import { SILENT } from "./store.mjs";

// What is on view: models, metric, level, rows shown and dropped, history, and a warning where the frame has changed.

const DOING = { estimates: "the estimates", verdicts: "the comparison", comparison: "the comparison", rows: "the rows", counts: "the counts", ranking: "the area under the curve", bands: "the bands", matrix: "the matrix", folds: "the folds" };

export function header(store, el, signal) {
  const info = () => store.info;
  const model = menu("model", [], (v) => store.commit({ model: v, against: v === store.state.against ? store.state.model : store.state.against, threshold: start(v) }));
  const against = menu("compared with", [], (v) => store.commit({ against: v }));
  const metric = menu("metric", [], (v) => store.commit({ metric: v }));
  const level = menu("level of the intervals", [], (v) => store.commit({ level: +v }));
  const facts = h("span", { class: "dfe-facts" }), undo = button("↶ Undo", () => store.undo(), { title: "Ctrl+Z" }), redo = button("↷ Redo", () => store.redo(), { title: "Ctrl+Shift+Z" });
  const copy = button("Copy code", async () => {
    const s = store.state, chosen = s.selection.cohort || s.selection.cell || s.rows.search;
    const m = await store.ask("code", { ask: "code", kind: s.view === "text" ? "view" : chosen ? "rows" : "table" });
    if (!m) return;
    shown.hidden = false;
    shown.value = m.error ?? m.answer;
    write(said, m.error ? "" : await clip(shown) ? "Copied" : "Select the code to copy it");
  });
  const shown = h("textarea", { class: "dfe-code", readonly: true, rows: 2, hidden: true, "aria-label": "code of what is on view", spellcheck: "false", ...QUIET });
  const said = h("span", { role: "status" });
  const slow = h("div", { class: "dfe-progress", role: "status", hidden: true }), doing = h("span");
  slow.append(doing, button("Cancel", () => store.cancel()));
  const warning = h("div", { class: "dfe-warning", role: "alert", hidden: true });
  const copied = h("p", { class: "dfe-copied dfe-note", hidden: !store.copy }, store.copy ? alone(store.copy) : "");
  const hint = h("p", { class: "dfe-hint dfe-note" }, `Click a cohort,${info().task === "binary" ? " drag the threshold," : ""} press a cell or a bar: the rows below follow. Shift-click compares two cohorts; Ctrl+Z takes back.`);
  const label = (text, control) => h("label", {}, h("span", {}, text), control);
  const rival = label("against", against);
  const start = (name) => { const m = info().models.find((x) => x.name === name); return m.threshold && !m.predicted ? store.state.threshold ?? 0.5 : null; };
  el.append(label("model", model), rival, label("metric", metric), label("interval", level), facts, h("span", { class: "dfe-tools" }, undo, redo, copy, said), shown, slow, warning, copied, hint);
  let warned;
  store.subscribe((s, live) => {
    const w = store.slow();
    slow.hidden = !w;
    if (w) write(doing, w.began ? `The kernel computes ${DOING[w.ask] ?? "an answer"} … ` : "Waiting for the kernel, which is busy … ");
    if (live) return;
    const models = info().models.map((m) => [m.name, m.name]);
    fill(model, models, s.model);
    rival.hidden = models.length < 2 || info().task === "outcomes";
    fill(against, models.filter(([m]) => m !== s.model), s.against);
    const names = info().metrics.map((m) => [m.name, m.name + ({ higher: " ↑", lower: " ↓" }[m.better] ?? "")]);
    if (!names.some(([n]) => n === s.metric)) names.unshift([s.metric, s.metric]);
    fill(metric, names, s.metric);
    metric.title = store.metric().doc ?? "";
    fill(level, info().levels.map((l) => [String(l), `${Math.round(l * 100)} %`]), String(s.level));
    const d = store.data, dropped = d ? Object.entries(d.dropped) : [];
    if (d) {
      const lost = dropped.reduce((a, [, n]) => a + n, 0);
      write(facts, `${count(d.sizes[d.C])} rows${lost ? ` · ${count(lost)} dropped` : ""}${info().weighted ? " · weighted" : ""}`);
      facts.title = dropped.map(([why, n]) => `${count(n)}: ${why}`).join("\n");
    }
    hint.hidden = store.can()[0] || !!(s.selection.cohort || s.selection.cell); // for the first use
    [undo.disabled, redo.disabled] = store.can().map((x) => !x);
    shown.hidden ||= !!warned && JSON.stringify(s) !== warned;
    warned = JSON.stringify(s);
    const problem = store.problem === "silent" ? SILENT : store.problem ? "The kernel was restarted or has ended, and the rows are gone with it. Run the cell again to go on, or reload the page; what is drawn from counts still works." : store.fault;
    warning.hidden = !problem && !store.changed;
    if (problem) warning.replaceChildren(problem);
    else if (store.changed) warning.replaceChildren("The frame has changed since this explorer was made; it still shows the rows as they were. ", button("Refresh", () => store.ask("refresh", { ask: "refresh" })));
  }, signal);
}

const alone = (copy) => `A copy without a kernel: thresholds, cohorts and what is drawn from counts answer${copy.rows ? "; of the rows, the page that was on view" : "; rows did not travel"}. For the rest, open the notebook and run the cell.${copy.left_out.length ? ` Too large to travel: ${copy.left_out.join(", ")}.` : ""}`;

async function clip(area) {
  try { await navigator.clipboard.writeText(area.value); return true; } catch { /* not allowed here: select it for the reader */ }
  area.focus();
  area.select();
  try { return document.execCommand("copy"); } catch { return false; }
}
