import { chart, cohortLegend, groups, redraw } from "./charts.mjs";
import { QUIET, h, name, rove, write } from "./elements.mjs";
import { answered, toggle } from "./confusion.mjs";
import { count, estimate, number, percent, pvalue } from "./format.mjs";

// Panes that the kernel answers: two models side by side, residuals, folds.

export function compare(store, el, signal) {
  const head = h("p", { class: "dfe-note" }), grid = h("div", { class: "dfe-cm dfe-two", role: "group", "aria-label": "two models; press a cell to read its rows" }), said = h("p", { class: "dfe-verdicts", role: "status" }), why = h("p", { class: "dfe-note" });
  const body = h("tbody"), gap = h("th", { scope: "col" }), box = h("div", { class: "dfe-scroll" }, h("table", { class: "dfe-plain" }, h("thead", {}, h("tr", {}, ...["cohort", "fixed", "broken"].map((t) => h("th", { scope: "col" }, t)), gap, ...["p corr.", "verdict"].map((t) => h("th", { scope: "col" }, t)))), body));
  el.append(head, grid, said, box, why);
  const order = ["both right", "fixed", "broken", "both wrong"], words = { "both right": "both right", fixed: "fixed", broken: "broken", "both wrong": "both wrong" };
  const cells = order.map((key, i) => { const cell = { kind: "comparison", value: key }, x = { key, cell, n: h("b"), share: h("small"), text: h("span") }; x.b = h("button", { type: "button", class: "dfe-cell", "data-cell": key, tabindex: i ? -1 : 0, ...QUIET, onclick: () => toggle(store, cell) }, x.text, x.n, x.share, h("i", { class: "dfe-fillbar", "aria-hidden": "true" })); return x; });
  const label = [0, 1, 2, 3].map(() => h("span"));
  grid.append(h("span"), label[0], label[1], label[2], cells[0].b, cells[1].b, label[3], cells[2].b, cells[3].b);
  rove(grid, ".dfe-cell");
  let counted, tested, drawn;
  answered(store, signal, "comparison", (s) => [s.model, s.against, s.threshold, s.by], (a, error, s) => {
    if (error) { write(head, error); return; }
    const right = a.tolerance === null ? "right" : `within ${number(a.tolerance)}`, wrong = a.tolerance === null ? "wrong" : `off by more`;
    const c = a.counts[store.place(s.selection.cohort)] ?? a.counts[a.counts.length - 1], n = c.reduce((x, y) => x + y, 0), at = (key) => c[a.names.indexOf(key)];
    label[0].replaceChildren(name(s.against), ` ${right}`); label[1].replaceChildren(name(s.against), ` ${wrong}`); label[2].replaceChildren(name(s.model), ` ${right}`); label[3].replaceChildren(name(s.model), ` ${wrong}`);
    for (const x of cells) {
      write(x.text, words[x.key]);
      write(x.n, count(at(x.key)));
      write(x.share, percent(at(x.key) / n));
      x.b.style.setProperty("--share", n ? at(x.key) / n : 0);
      x.b.setAttribute("aria-pressed", JSON.stringify(s.selection.cell) === JSON.stringify(x.cell));
    }
    head.replaceChildren("Rows that ", name(s.model), " has ", right, " where ", name(s.against), " has not are fixed; the other way round they are broken. Press a cell to read its rows.");
    counted = a;
    list(s);
  }, el);
  // The test arrives after the counts: it may take longer
  answered(store, signal, "verdicts", (s) => [s.model, s.against, s.threshold, s.by, s.metric, s.level], (a, error, s) => {
    tested = error ? null : a;
    write(why, error ?? `${a.why} ${a.test[0]}. Corrected for the number of cohorts (Holm).${a.cohorts || store.data.C === 0 ? "" : ` ${a.metric} is tested for all rows only; ev.compare(…, by=…) tests the cohorts.`}`);
    list(s);
  }, el);
  function list(s) {
    const t = tested?.metric === s.metric ? tested : null, at = (i) => (!t ? -1 : t.cohorts ? i : i === store.data.C ? t.difference.length - 1 : -1);
    const of = (i) => { const j = at(i); return j < 0 ? [NaN, NaN, NaN] : [t.difference[j] ?? NaN, t.ci_low[j] ?? NaN, t.ci_high[j] ?? NaN]; };
    const words = (i) => { const v = t?.verdict[at(i)]; return v === undefined ? [] : v === s.model || v === s.against ? [name(v), " is better"] : [v]; };
    const c = store.place(s.selection.cohort), mine = of(c);
    said.hidden = !t;
    said.replaceChildren(...(t ? [h("b", {}, t.metric), " of ", name(s.model), " less ", name(s.against), ", ", name(store.label(c)), `: ${estimate(mine)}, p ${pvalue(t.p_corrected[at(c)] ?? NaN)}; `, ...words(c)] : []));
    if (!counted || (drawn && drawn[0] === counted && drawn[1] === t)) return;
    drawn = [counted, t];
    const [f, b] = ["fixed", "broken"].map((key) => counted.names.indexOf(key)), rank = (x) => (Number.isNaN(x.e[0]) ? x.net : x.e[0]);
    const all = counted.counts.map((row, i) => ({ i, row, net: row[f] - row[b], e: of(i) })), sign = store.metric().better === "lower" && t ? -1 : 1;
    const kept = [all[all.length - 1], ...all.slice(0, -1).sort((x, y) => sign * (rank(x) - rank(y))).slice(0, 60)];
    gap.replaceChildren("Δ ", name(s.metric));
    body.replaceChildren(...kept.map((x) => { const note = t?.note[at(x.i)]; return h("tr", {}, h("th", { scope: "row" }, name(store.label(x.i))), h("td", {}, count(x.row[f])), h("td", {}, count(x.row[b])), h("td", {}, estimate(x.e).replace(", ", ",\u00a0")), h("td", {}, pvalue(t?.p_corrected[at(x.i)] ?? NaN)), h("td", { title: note || null }, ...words(x.i).slice(0, 1))); }));
  }
}

export function residuals(store, el, signal) {
  const keys = h("div"), box = h("div"), note = h("p", { class: "dfe-note" }, "Prediction less truth. Press a bar to read its rows; bars at the ends hold all beyond.");
  el.append(keys, box, note);
  answered(store, signal, "residuals", (s) => [s.model, s.by, s.selection.cohort, s.selection.compare], (a, error, s) => redraw(box, () => {
    if (error || !a.edges.length) { box.append(h("p", { class: "dfe-note" }, error ?? "There are no rows.")); return; }
    const E = [a.low, ...a.edges.slice(1, -1), a.high], shares = a.groups.map((g) => g.counts.map((v) => v / (g.n || 1))), top = Math.max(...shares.flat(), 1e-9);
    const c = chart(box, { label: "residuals", x: [a.low, a.high], y: [0, top * 1.05], xlabel: "prediction − truth", ylabel: "share of rows", yformat: percent });
    const names = Object.fromEntries(groups(store).map(([cls, , text, key]) => [key, [cls, text]]));
    keys.replaceChildren(cohortLegend(store, groups(store)));
    if (a.low < 0 && a.high > 0) c.body.append(h("line", { class: "dfe-diag", x1: c.px(0), x2: c.px(0), y1: c.py(0), y2: c.py(top * 1.05) }));
    a.groups.forEach((g, i) => { if (names[g.group]) c.line(`dfe-line ${names[g.group][0]}`, g.counts.flatMap((v, b) => [[E[b], shares[i][b]], [E[b + 1], shares[i][b]]])); });
    const mine = a.groups.find((g) => g.group === "cohort") ?? a.groups[0];
    const bars = h("g", { role: "group", "aria-label": "bars of the residuals" });
    mine.counts.forEach((v, b) => {
      const cell = { kind: "residual", low: a.edges[b], high: a.edges[b + 1] }, on = JSON.stringify(s.selection.cell) === JSON.stringify(cell), press = () => toggle(store, cell);
      bars.append(h("rect", { class: `dfe-hit${on ? " dfe-picked" : ""}`, x: c.px(E[b]), width: Math.max(0, c.px(E[b + 1]) - c.px(E[b])), y: c.py(top * 1.05), height: c.py(0) - c.py(top * 1.05), tabindex: b ? -1 : 0, role: "button", "aria-pressed": on, "aria-label": `${number(E[b])} to ${number(E[b + 1])}: ${count(v)} rows`, onclick: press, onkeydown: (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); press(); } } }, h("title", {}, `${number(E[b])} to ${number(E[b + 1])}: ${count(v)} rows`)));
    });
    rove(bars, ".dfe-hit");
    c.body.append(bars);
  }), el);
}

export function folds(store, el, signal) {
  const box = h("div"), note = h("p", { class: "dfe-note" });
  el.append(box, note);
  answered(store, signal, "folds", (s) => [s.model, s.metric, s.threshold, s.level, s.by, s.selection.cohort], (a, error, s) => redraw(box, () => {
    if (error) { write(note, error); return; }
    const n = a.folds.length, ends = [...a.value, ...a.ci_low, ...a.ci_high].filter((v) => v !== null);
    const whose = name(store.label(store.place(s.selection.cohort)));
    if (!ends.length) { note.replaceChildren(whose, `: ${s.metric} is undefined in every fold.`); return; }
    const lo = Math.min(...ends), hi = Math.max(...ends), pad = (hi - lo) * 0.05 || 0.05;
    const c = chart(box, { label: `${s.metric} per fold`, x: [lo - pad, hi + pad], y: [n + 0.5, 0.5], xlabel: s.metric, ylabel: "fold", height: Math.max(160, 60 + 20 * n), yticks: a.folds.map((_, i) => i + 1), yformat: (v) => a.folds[v - 1], right: 74 });
    const all = a.value[n];
    if (all !== null) c.body.append(h("line", { class: "dfe-diag", x1: c.px(all), x2: c.px(all), y1: c.py(n + 0.5), y2: c.py(0.5) }));
    const lacking = a.folds.filter((_, i) => a.value[i] === null);
    a.folds.forEach((f, i) => {
      const y = c.py(i + 1);
      c.body.append(h("text", { class: "dfe-tick", x: c.px(hi + pad) + 8, y: y + 4 }, `n ${count(a.n[i])}`));
      if (a.value[i] === null) return;
      const cell = { kind: "fold", value: f }, on = JSON.stringify(s.selection.cell) === JSON.stringify(cell), press = () => toggle(store, cell), text = `fold ${f}: ${estimate([a.value[i], a.ci_low[i] ?? NaN, a.ci_high[i] ?? NaN])}, ${count(a.n[i])} rows${a.note[i] ? `, ${a.note[i]}` : ""}`;
      if (a.ci_low[i] !== null) c.body.append(h("line", { class: "dfe-line dfe-l1", x1: c.px(a.ci_low[i]), x2: c.px(a.ci_high[i]), y1: y, y2: y }));
      c.body.append(h("circle", { class: `dfe-dot dfe-l1${on ? " dfe-picked" : ""}`, cx: c.px(a.value[i]), cy: y, r: 6, tabindex: 0, role: "button", "aria-pressed": on, "aria-label": text, onclick: press, onkeydown: (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); press(); } } }, h("title", {}, text)));
    });
    note.replaceChildren(whose, `, ${count(a.n[n])} rows. The dashed line is all folds together${all === null ? "" : `: ${estimate([all, a.ci_low[n] ?? NaN, a.ci_high[n] ?? NaN])}`}; each interval is of the rows of one fold, n per fold at the right.${lacking.length ? ` Undefined in fold ${lacking.join(", ")}.` : ""} Press a fold to read its rows.`);
  }), el);
}
