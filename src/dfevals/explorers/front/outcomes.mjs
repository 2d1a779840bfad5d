import { wilson, Z } from "./arithmetic.mjs";
import { QUIET, button, fill, h, menu, name, write } from "./elements.mjs";
import { answered, toggle } from "./confusion.mjs";
import { count, estimate, percent } from "./format.mjs";

// Outcomes of evaluators and people: passed and failed by cohort; and a pane in which a person rates rows.

export function outcomes(store, el, signal) {
  const pick = menu("outcome", [], (v) => store.commit({ outcome: v, selection: { cell: null } })), cells = h("div", { class: "dfe-three" }), body = h("tbody"), note = h("p", { class: "dfe-note" });
  el.append(h("div", { class: "dfe-bar" }, h("label", {}, "outcome ", pick)), cells, h("div", { class: "dfe-scroll" }, h("table", { class: "dfe-plain" }, h("thead", {}, h("tr", {}, ...["cohort", "failed", "of", "fail rate", "no verdict"].map((t) => h("th", { scope: "col" }, t)))), body)), note);
  const kinds = [["pass", "passed"], ["fail", "failed"], ["none", "no verdict"]].map(([value, text]) => { const x = { value, n: h("b"), share: h("small") }; x.b = h("button", { type: "button", class: "dfe-cell", "data-cell": value, ...QUIET, onclick: () => toggle(store, { kind: "outcome", column: store.state.outcome, value }) }, h("span", {}, text), x.n, x.share, h("i", { class: "dfe-fillbar", "aria-hidden": "true" })); return x; });
  cells.append(...kinds.map((x) => x.b));
  answered(store, signal, "outcomes", (s) => [s.model, s.by], (a, error, s) => {
    if (error) { write(note, error); return; }
    fill(pick, store.info.outcomes.map((o) => [o, o]), s.outcome);
    const o = a.outcomes.find((x) => x.column === s.outcome) ?? a.outcomes[0], z = Z[s.level];
    write(note, o.problem ?? "Press a number to read its rows. Rows without a verdict are counted on their own, never as failed.");
    cells.hidden = !!o.problem;
    if (o.problem) { body.replaceChildren(); return; }
    const c = o.counts[store.place(s.selection.cohort)] ?? o.counts[o.counts.length - 1], order = { pass: 0, fail: 1, none: 2 };
    for (const x of kinds) {
      const n = c[order[x.value]], total = c[0] + c[1] + c[2];
      write(x.n, count(n));
      write(x.share, percent(n / total));
      x.b.style.setProperty("--share", total ? n / total : 0);
      x.b.setAttribute("aria-pressed", JSON.stringify(s.selection.cell) === JSON.stringify({ kind: "outcome", column: s.outcome, value: x.value }));
    }
    const rate = (k) => wilson(k[1], k[0] + k[1], z), all = o.counts.map((k, i) => ({ i, k, e: rate(k) })), last = all.pop();
    all.sort((x, y) => Number.isNaN(x.e[0]) - Number.isNaN(y.e[0]) || y.e[0] - x.e[0]);
    body.replaceChildren(...[last, ...all.slice(0, 100)].map((x) => h("tr", {}, h("th", { scope: "row" }, name(store.label(x.i))), h("td", {}, count(x.k[1])), h("td", {}, count(x.k[0] + x.k[1])), h("td", {}, estimate(x.e)), h("td", {}, count(x.k[2])))));
  }, el);
}

const SCALES = { pass: [["pass", "pass", "p"], ["fail", "fail", "f"]], score: [1, 2, 3, 4, 5].map((v) => [v, String(v), String(v)]), better: [["a", "A is better", "a"], ["tie", "tie", "t"], ["b", "B is better", "b"]] };

export function rate(store, el, signal) {
  const kind = menu("kind of rating", [["pass", "pass or fail"], ["score", "1 to 5"], ["better", "better of two"]], (v) => store.commit({ rating: { kind: v } }));
  const column = (key) => menu(`column ${key.toUpperCase()}`, [], (v) => store.commit({ rating: { [key]: v || null } })), a = column("a"), b = column("b");
  const labels = [h("label", {}, "read ", a), h("label", {}, "and ", b)], texts = h("div", { class: "dfe-texts" }), bar = h("div", { class: "dfe-bar", role: "group", "aria-label": "rating" }), where = h("span", { role: "status" });
  const prev = button("‹ Row before", () => go(-1)), nxt = button("Next row ›", () => go(1));
  el.append(h("div", { class: "dfe-bar" }, h("label", {}, "rate by ", kind), ...labels), texts, bar, h("div", { class: "dfe-bar" }, prev, nxt, where), h("p", { class: "dfe-note" }, "Rates the rows of the rows pane, in its order. Ratings come back as the column “rating” of explorer.frame."));
  let at = 0, page = null, shown = "";
  const go = async (d) => { if (page) { at = Math.max(0, Math.min(page.total - 1, at + d)); await read(); } };
  const mark = (v) => { const row = current(); if (!row) return; const { [row.at]: old, ...others } = store.state.ratings; store.commit({ ratings: old === v ? others : { ...others, [row.at]: v } }); if (old !== v) go(1); };
  const current = () => page?.rows[at - page.page * page.size];
  el.addEventListener("keydown", (e) => {
    if (e.target.closest("select,input,textarea") || e.ctrlKey || e.metaKey || e.altKey) return;
    const hit = SCALES[store.state.rating.kind].find(([, , key]) => key === e.key);
    if (hit) { e.preventDefault(); e.stopPropagation(); mark(hit[0]); }
    if (e.key === "ArrowRight" || e.key === "ArrowLeft") { e.preventDefault(); go(e.key === "ArrowRight" ? 1 : -1); }
  }, { signal });
  async function read() {
    const s = store.state, wanted = [s.rating.a, s.rating.kind === "better" ? s.rating.b : null].filter(Boolean), { tags, ratings, ...rest } = s;
    const m = await store.ask("rate", { ask: "rows", state: { ...rest, rows: { ...s.rows, page: Math.floor(at / 20), columns: wanted.length ? wanted : s.rows.columns } } });
    if (!m || signal.aborted) return;
    if (m.error || m.answer.progress !== undefined) { write(where, m.error ?? "searching…"); return; }
    page = m.answer;
    at = Math.min(at, Math.max(0, page.total - 1));
    const row = current();
    if (!row) { texts.replaceChildren(h("p", { class: "dfe-note" }, "No rows are selected.")); draw(s); return; }
    const full = await Promise.all(page.columns.slice(0, wanted.length || 6).map(async (c, i) => (row.cells[i][1] ? (await store.ask(`rate ${c}`, { ask: "cell", at: row.at, column: c }))?.answer ?? row.cells[i][0] : row.cells[i][0])));
    texts.replaceChildren(...full.map((text, i) => h("section", { "aria-label": page.columns[i] }, h("h4", {}, name(`${wanted.length === 2 ? ["A · ", "B · "][i] : ""}${page.columns[i]}`)), h("div", { class: "dfe-long", dir: "auto" }, text))));
    draw(store.state);
  }
  function draw(s) {
    const row = current(), mine = row && s.ratings[row.at];
    bar.replaceChildren(...SCALES[s.rating.kind].map(([v, text, key]) => button(text, () => mark(v), { "aria-pressed": mine === v, "aria-keyshortcuts": key, title: `key ${key}`, disabled: !row })));
    write(where, page?.total ? `row ${count(at + 1)} of ${count(page.total)} · ${count(Object.keys(s.ratings).length)} rated` : "");
    prev.disabled = at === 0;
    nxt.disabled = !page || at + 1 >= page.total;
  }
  store.subscribe((s, live) => {
    if (live || !store.data) return;
    kind.value = s.rating.kind;
    const columns = [["", "columns below"], ...store.info.columns.map((c) => [c, c])];
    fill(a, columns, s.rating.a ?? "");
    fill(b, columns, s.rating.b ?? "");
    labels[1].hidden = s.rating.kind !== "better";
    const now = JSON.stringify([s.selection, s.by, s.model, s.threshold, s.rows.search, s.rows.sort, s.rows.down, s.rating]);
    if (now !== shown) { if (JSON.parse(shown || "[0]")[0] !== 0 && JSON.stringify(JSON.parse(shown).slice(0, 7)) !== JSON.stringify(JSON.parse(now).slice(0, 7))) at = 0; shown = now; read(); } else draw(s);
  }, signal);
}
