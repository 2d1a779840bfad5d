import { h, name, rove, write, QUIET } from "./elements.mjs";
import { count, percent } from "./format.mjs";

// Confusion matrix: a press on a cell shows its rows. Two classes are drawn from the counts, more from the kernel's.

const pressed = (s, cell) => JSON.stringify(s.selection.cell) === JSON.stringify(cell);
export const toggle = (store, cell) => store.commit({ selection: { cell: pressed(store.state, cell) ? null : cell }, rows: { page: 0 } });

export function confusion(store, el, signal) {
  (store.info.task === "binary" ? two : many)(store, el, signal);
}

function two(store, el, signal) {
  const [no, yes] = store.info.labels;
  const cell = (key, label, t, p) => {
    const c = { key, cell: { kind: "confusion", true: t, pred: p }, n: h("b"), share: h("small") };
    c.b = h("button", { type: "button", class: "dfe-cell", "data-cell": key, tabindex: key === "tp" ? 0 : -1, ...QUIET, onclick: () => toggle(store, c.cell) }, h("span", {}, label), c.n, c.share, h("i", { class: "dfe-fillbar", "aria-hidden": "true" }));
    return c;
  };
  const all = [cell("tp", "true positive", yes, yes), cell("fn", "false negative", yes, no), cell("fp", "false positive", no, yes), cell("tn", "true negative", no, no)];
  const grid = h("div", { class: "dfe-cm", role: "group", "aria-label": "confusion matrix; press a cell to read its rows" },
    h("span"), h("span", { class: "dfe-cmh" }, "predicted ", name(yes)), h("span", { class: "dfe-cmh" }, "predicted ", name(no)),
    h("span", { class: "dfe-cmv" }, "true ", name(yes)), all[0].b, all[1].b, h("span", { class: "dfe-cmv" }, "true ", name(no)), all[2].b, all[3].b);
  rove(grid, ".dfe-cell");
  const note = h("p", { class: "dfe-note" });
  el.append(grid, note);
  store.subscribe((s) => {
    const { data } = store;
    if (!data?.tally) return;
    const c = data.tally.cells(store.place(s.selection.cohort), store.key()), of = { tp: c.tp + c.fn, fn: c.tp + c.fn, fp: c.fp + c.tn, tn: c.fp + c.tn };
    const at = store.place(s.selection.cohort);
    if (note.dataset.of !== `${at} ${data.source}`) { note.dataset.of = `${at} ${data.source}`; note.replaceChildren(name(store.label(at)), `, ${count(data.sizes[at])} rows. Press a cell to read its rows below.`); }
    for (const x of all) {
      const share = c[x.key] / of[x.key];
      write(x.n, count(c[x.key]));
      write(x.share, of[x.key] ? `${percent(share)} of true ${x.key === "tp" || x.key === "fn" ? yes : no}` : "–");
      x.b.style.setProperty("--share", Number.isFinite(share) ? share : 0);
      x.b.setAttribute("aria-pressed", pressed(s, x.cell));
    }
  }, signal);
}

/** Ask again whenever what the answer depends on has changed; `draw` gets the answer or an error. */
export function answered(store, signal, ask, wants, draw, el) {
  let asked, last;
  store.subscribe(async (s, live) => {
    if (live || !store.data) return;
    const want = JSON.stringify([wants(s), store.data.source]);
    if (want !== asked) {
      asked = want;
      el.classList.add("dfe-busy");
      const m = await store.ask(ask, { ask });
      if (!m || asked !== want || signal.aborted) return;
      el.classList.remove("dfe-busy");
      if (m.error) { asked = null; last = null; draw(null, m.error, store.state); return; }
      last = m.answer;
    }
    if (last && want === asked) draw(last, null, store.state);
  }, signal);
}

function many(store, el, signal) {
  const box = h("div", { class: "dfe-scrollx" }), note = h("p", { class: "dfe-note" });
  el.append(box, note);
  let shown, buttons = [];
  answered(store, signal, "matrix", (s) => [s.model, s.threshold, s.selection.cohort, s.by], (m, error, s) => {
    if (error) { box.replaceChildren(h("p", { class: "dfe-error" }, error)); return; }
    if (m !== shown) {
      shown = m;
      const sums = m.counts.map((r) => r.reduce((a, b) => a + b, 0));
      buttons = [];
      const short = m.labels.length > 6;
      const rows = m.counts.map((r, i) => h("tr", {}, h("th", { scope: "row", title: m.labels[i] }, name(m.labels[i])), ...r.map((n, j) => {
        const cell = { kind: "confusion", true: m.labels[i], pred: m.labels[j] }, share = sums[i] ? n / sums[i] : 0;
        const b = h("button", { type: "button", class: `dfe-mc${i === j ? " dfe-diagonal" : ""}`, tabindex: i || j ? -1 : 0, ...QUIET, style: `--share:${share}`, onclick: () => toggle(store, cell), title: `true ${m.labels[i]}, predicted ${m.labels[j]}: ${count(n)} rows, ${percent(share)} of the true class`, "aria-label": `true ${m.labels[i]}, predicted ${m.labels[j]}: ${count(n)} rows` }, n ? count(n) : "·");
        buttons.push([b, cell]);
        return h("td", {}, b);
      })));
      const table = h("table", { class: `dfe-matrix${short ? " dfe-small" : ""}`, role: "grid", "aria-label": "confusion matrix; press a cell to read its rows" }, h("thead", {}, h("tr", {}, h("th", {}, "true \\ predicted"), ...m.labels.map((l) => h("th", { scope: "col", class: short ? "dfe-slant" : "", title: l }, h("span", {}, name(l)))))), h("tbody", {}, ...rows));
      rove(table, ".dfe-mc");
      box.replaceChildren(table);
      note.replaceChildren(name(store.label(store.place(s.selection.cohort))), `: ${count(m.errors)} errors in ${count(m.n)} rows. Press a cell to read its rows.${m.hidden ? ` ${m.hidden} rarer classes are not shown.` : ""}`);
    }
    for (const [b, cell] of buttons) b.setAttribute("aria-pressed", pressed(s, cell));
  }, el);
}

export function pairs(store, el, signal) {
  const body = h("tbody"), note = h("p", { class: "dfe-note" });
  el.append(h("div", { class: "dfe-scroll" }, h("table", { class: "dfe-plain dfe-pairs" }, h("thead", {}, h("tr", {}, ...["true", "predicted as", "rows", "share of true", "share of errors"].map((t) => h("th", { scope: "col" }, t)))), body)), note);
  let shown, lines = [];
  answered(store, signal, "matrix", (s) => [s.model, s.threshold, s.selection.cohort, s.by], (m, error, s) => {
    if (error) { write(note, error); return; }
    if (m !== shown) {
      shown = m;
      lines = m.pairs.map((p) => { const cell = { kind: "confusion", true: p.true, pred: p.pred }, b = h("button", { type: "button", class: "dfe-link", ...QUIET, onclick: () => toggle(store, cell) }, name(p.true)); return [h("tr", {}, h("td", {}, b), h("td", {}, name(p.pred)), h("td", {}, count(p.count)), h("td", {}, percent(p.count / p.of)), h("td", {}, percent(p.count / m.errors))), b, cell]; });
      body.replaceChildren(...lines.map(([tr]) => tr));
      note.replaceChildren(name(store.label(store.place(s.selection.cohort))), m.pairs.length ? `: the most frequent confusions among ${count(m.errors)} errors in ${count(m.n)} rows. Press one to read its rows.` : `: no errors in ${count(m.n)} rows.`);
    }
    for (const [tr, b, cell] of lines) { const on = pressed(s, cell); b.setAttribute("aria-pressed", on); tr.classList.toggle("dfe-on", on); }
  }, el);
}
