import { order } from "./arithmetic.mjs";
import { focused, QUIET, button, fill, h, menu, set, write } from "./elements.mjs";
import { count, estimate, number, places, pvalue, signed } from "./format.mjs";

// The table of cohorts: a window of pooled rows over any number of cohorts; spacers keep the scroll bar true.

const ROW = 26, W = 120;
export const KINDS = [["", "all rows"], ["named", "named cohorts…"]];

export function cohorts(store, el, signal) {
  el.append(h("h3", {}, "Cohorts"));
  dimensions(store, el, signal);
  const search = h("input", { type: "search", placeholder: "find a cohort", "aria-label": "find a cohort", ...QUIET, oninput: () => { store.move({ table: { search: search.value } }); store.settle(); redo(); } });
  const least = h("input", { type: "number", min: 0, step: 1, "aria-label": "least number of rows", ...QUIET, onchange: () => store.commit({ table: { min_n: Math.max(0, Math.round(+least.value) || 0) } }) });
  const found = h("span", { class: "dfe-quiet", role: "status" });
  el.append(h("div", { class: "dfe-bar" }, search, h("label", {}, "n ≥ ", least), found));
  const heads = {}, head = (key, text, cls) => (heads[key] = h("th", { scope: "col", class: cls }, button(text, () => sort(key))));
  const sort = (key) => store.commit({ table: { sort: key, down: store.state.table.sort === key ? !store.state.table.down : key !== "cohort" } });
  const axis = h("th", { scope: "col", class: "dfe-w" });
  const value = head("value", "value", "dfe-v");
  const columns = [head("cohort", "cohort", "dfe-c"), head("n", "n", "dfe-n"), axis, value, head("difference", "Δ all", "dfe-d"), head("p", "p corr.", "dfe-p")];
  heads.difference.title = "difference to all rows";
  heads.p.title = "cohort against the other rows, corrected for the number of cohorts (Holm)";
  const above = h("tr", { "aria-hidden": "true" }), below = h("tr", { "aria-hidden": "true" });
  const all = line(), lines = [];
  const body = h("tbody", {}, above, below), table = h("table", { class: "dfe-fixed" }, h("thead", {}, h("tr", {}, ...columns), all.tr), body);
  const box = h("div", { class: "dfe-scroll dfe-window", role: "region", "aria-label": "table of cohorts", tabindex: -1 }, table);
  const note = h("p", { class: "dfe-note" });
  el.append(box, note);
  let rows = [], focus = 0, view = null, lo = 0, hi = 1, stale = true, seen = "";
  const redo = () => { stale = true; store.tell(); };

  function line() {
    const l = { ci: h("line", { class: "dfe-ci", y1: 8, y2: 8 }), dot: h("circle", { cy: 8, r: 3.4 }), ref: h("line", { class: "dfe-ref", y1: 0, y2: 16 }), n: h("td"), v: h("td", { class: "dfe-v" }), d: h("td", { class: "dfe-d" }), p: h("td", { class: "dfe-p" }), text: h("bdi") };
    l.pick = h("button", { type: "button", class: "dfe-pick", tabindex: -1, ...QUIET, onclick: (e) => pick(l.c, e.shiftKey) }, l.text);
    l.tr = h("tr", { onclick: (e) => { if (!e.target.closest("button")) pick(l.c, e.shiftKey); } }, h("th", { scope: "row", class: "dfe-c" }, l.pick), l.n, h("td", { class: "dfe-w" }, h("svg", { viewBox: `0 0 ${W} 16`, "aria-hidden": "true" }, l.ref, l.ci, l.dot)), l.v, l.d, l.p);
    return l;
  }
  const pick = (c, compare) => {
    const s = store.state.selection, { C, paths } = store.data, path = c === C ? null : paths[c], same = (p) => p && store.place(p) === c;
    if (compare && c !== C && s.cohort && !same(s.cohort)) store.commit({ selection: { compare: same(s.compare) ? null : path } });
    else store.commit({ selection: { cohort: same(s.cohort) ? null : path, compare: null }, rows: { page: 0 } });
  };
  box.addEventListener("keydown", (e) => {
    const to = { ArrowDown: focus + 1, ArrowUp: focus - 1, PageDown: focus + 10, PageUp: focus - 10, Home: -1, End: rows.length - 1 }[e.key];
    if (e.target.closest("thead tr:first-child")) return;
    if (e.key === "Enter" && e.shiftKey) { e.preventDefault(); pick(focus < 0 ? store.data.C : rows[focus], true); }
    if (to === undefined) return;
    e.preventDefault();
    e.stopPropagation();
    focus = Math.max(-1, Math.min(rows.length - 1, to));
    if (focus >= 0) { const y = focus * ROW, h0 = box.clientHeight - 2 * ROW; if (y < box.scrollTop) box.scrollTop = y; else if (y + ROW > box.scrollTop + h0) box.scrollTop = y + ROW - h0; }
    draw();
    (focus < 0 ? all : lines.find((l) => l.at === focus))?.pick.focus();
  });
  box.addEventListener("scroll", () => { if (view) draw(); }, { passive: true });

  function fill1(l, c, at) {
    const s = store.state.selection, t = view, x = (v) => 5 + (W - 10) * Math.min(1, Math.max(0, (v - lo) / (hi - lo || 1)));
    if (l.c !== c || l.data !== store.data) { l.c = c; l.data = store.data; const label = store.label(c); write(l.text, label); l.pick.title = label; write(l.n, count(store.data.sizes[c])); }
    l.at = at;
    const on = store.place(s.cohort) === c, compared = s.compare && store.place(s.compare) === c, e = [t.value[c], t.low[c], t.high[c]], ok = Number.isFinite(e[0]);
    l.tr.classList.toggle("dfe-on", on && (c !== store.data.C || !s.cohort));
    l.tr.classList.toggle("dfe-second", !!compared);
    l.pick.setAttribute("aria-pressed", on || !!compared);
    l.pick.tabIndex = at === focus ? 0 : -1;
    const d = places(...e);
    write(l.v, ok ? number(e[0], d) : t.pending ? "…" : "–");
    l.tr.classList.toggle("dfe-few", !!t.few[c]);
    const why = t.note?.[c] || (t.few[c] ? "too few events for the interval to hold its level" : "") || (ok || t.pending ? "" : "undefined: nothing to divide by");
    l.v.title = ok ? `${estimate(e)}${why ? ` · ${why}` : ""}` : why;
    write(l.d, c === store.data.C ? "" : signed(t.difference[c], d));
    write(l.p, c === store.data.C ? "" : pvalue(t.p[c]));
    l.p.classList.toggle("dfe-strong", t.p[c] < 1 - store.state.level);
    l.dot.style.display = ok ? "" : "none";
    l.ci.style.display = Number.isFinite(e[1]) ? "" : "none";
    const base = t.value[store.data.C];
    l.ref.style.display = Number.isFinite(base) ? "" : "none";
    if (Number.isFinite(base)) set(l.ref, { x1: x(base), x2: x(base) });
    if (ok) l.dot.setAttribute("cx", x(e[0]));
    if (Number.isFinite(e[1])) set(l.ci, { x1: x(e[1]), x2: x(e[2]) });
  }
  function draw() {
    const n = rows.length, size = Math.min(Math.ceil(box.clientHeight / ROW) + 6, n), first = Math.max(0, Math.min(n - size, Math.floor(box.scrollTop / ROW) - 3));
    while (lines.length < size) { const l = line(); lines.push(l); below.before(l.tr); }
    lines.forEach((l, i) => { l.tr.hidden = i >= size; });
    above.style.height = `${first * ROW}px`;
    below.style.height = `${(n - first - size) * ROW}px`;
    fill1(all, store.data.C, -1);
    for (let i = 0; i < size; i++) { lines[i].tr.setAttribute("aria-rowindex", first + i + 3); fill1(lines[i], rows[first + i], first + i); }
  }
  function arrange(s) {
    const { C, paths, sizes } = store.data, t = s.table, text = t.search.toLowerCase();
    let kept = [...Array(C).keys()];
    if (text || t.min_n) kept = kept.filter((c) => sizes[c] >= t.min_n && (!text || paths[c].join(" × ").toLowerCase().includes(text)));
    const values = { cohort: () => kept.map((c) => store.label(c)), n: () => kept.map((c) => sizes[c]), value: () => kept.map((c) => view.value[c]), difference: () => kept.map((c) => view.difference[c]), p: () => kept.map((c) => view.p[c]) }[t.sort]();
    rows = order(values, t.down).map((i) => kept[i]);
    focus = Math.min(focus, rows.length - 1);
    box.style.setProperty("--rows", Math.max(rows.length, 1) + 2);
    box.style.setProperty("--digits", Math.max(5, count(sizes[C]).length));
    box.style.setProperty("--grow", rows.length > 13 ? 1 : 0); // few cohorts need no empty room
    for (const [key, th] of Object.entries(heads)) th.setAttribute("aria-sort", key === t.sort ? (t.down ? "descending" : "ascending") : "none");
    table.setAttribute("aria-rowcount", rows.length + 2);
    write(found, rows.length === C ? `${count(C)} cohort${C === 1 ? "" : "s"}` : `${count(rows.length)} of ${count(C)} cohorts`);
    scale();
  }
  function scale() {
    const [bottom, top] = store.metric().range, ends = rows.map((c) => [view.low[c], view.high[c], view.value[c]]).flat().filter(Number.isFinite);
    const base = view.value[store.data.C];
    if (Number.isFinite(base)) ends.push(base);
    let a = Infinity, b = -Infinity;
    for (const v of ends) { if (v < a) a = v; if (v > b) b = v; }
    if (!(a <= b)) [a, b] = [0, 1];
    const pad = (b - a) * 0.04 || 0.05;
    lo = Math.max(bottom ?? -Infinity, a - pad);
    hi = Math.min(top ?? Infinity, b + pad);
    if (!(hi > lo)) hi = lo + 0.1;
    const d = Math.max(0, 1 - Math.floor(Math.log10(hi - lo)));
    axis.replaceChildren(h("small", {}, number(lo, d)), h("small", {}, number(hi, d)));
    write(value.firstChild, store.state.metric);
    value.firstChild.title = `${store.state.metric} with ${Math.round(store.state.level * 100)} % interval. ${store.metric().doc ?? ""}`;
  }
  store.subscribe((s, live) => {
    el.classList.toggle("dfe-busy", !store.data || store.busy > 0);
    if (!store.data) return;
    view = store.table(live);
    const now = JSON.stringify([s.table, store.data.source, s.metric, s.level, view.pending && !Number.isFinite(view.value[store.data.C])]);
    if (!live || stale || now !== seen) {
      if (!live || now !== seen) arrange(s); // rows keep their place while the threshold moves
      stale = false;
      seen = now;
      if (focused(search) !== search) search.value = s.table.search;
      if (focused(least) !== least) least.value = s.table.min_n;
      const some = rows.some((c) => view.few[c]) ? "○ too few events for the interval to hold its level" : "", second = s.selection.cohort ? "Shift-click another cohort to compare it." : "";
      write(note, view.error ?? [...store.data.notes, some, second].filter(Boolean).join(" · "));
      note.classList.toggle("dfe-error", !!view.error);
    }
    draw();
  }, signal);
}

// Which dimensions divide the rows: one to three of them, or named expressions.
function dimensions(store, el, signal) {
  const offers = () => store.info.dimensions, text = (value) => JSON.stringify(value);
  const menus = [0, 1, 2].map((i) => menu(`dimension ${i + 1}`, [], (v) => change(i, v)));
  const named = h("div", { class: "dfe-named" });
  el.append(h("div", { class: "dfe-bar" }, ...menus), named);
  const isNamed = (by) => by && !Array.isArray(by) && !by.each;
  const clear = { selection: { cohort: null, compare: null, cell: null }, rows: { page: 0 } };
  const change = (i, v) => {
    if (i === 0 && v === "named") { open = true; store.tell(); return; }
    open = false;
    const kept = Array.isArray(store.state.by) ? [...store.state.by] : [];
    if (v === "") kept.splice(i, 1); else kept[i] = JSON.parse(v);
    const by = kept.filter((x) => x != null);
    store.commit({ by: by.length ? by : null, ...clear });
  };
  let open = false, shown = "";
  const label = h("input", { type: "text", placeholder: "name", "aria-label": "name of the cohort", ...QUIET, maxlength: 80 });
  const expression = h("input", { type: "text", placeholder: "age < 30 and sex == 'Female'", "aria-label": "expression of the cohort", spellcheck: "false", ...QUIET, oninput: () => check() });
  const verdict = h("span", { role: "status", class: "dfe-verdict" });
  const add = button("Add", () => {
    const by = isNamed(store.state.by) ? { ...store.state.by } : {};
    by[label.value.trim() || expression.value.trim()] = expression.value.trim();
    store.commit({ by, ...clear });
    label.value = expression.value = "";
    write(verdict, "");
    add.disabled = true;
  }, { disabled: true });
  const form = h("form", { onsubmit: (e) => { e.preventDefault(); if (!add.disabled) add.click(); } }, label, expression, add, verdict);
  let timer;
  const check = () => {
    add.disabled = true;
    clearTimeout(timer);
    const asked = expression.value.trim();
    if (!asked) { write(verdict, ""); return; }
    timer = setTimeout(async () => {
      const m = await store.ask("expression", { ask: "expression", text: asked });
      if (!m || asked !== expression.value.trim()) return;
      const wrong = m.error?.replace(/^\w+: /, "");
      write(verdict, wrong ?? `${count(m.answer.rows)} rows`);
      verdict.classList.toggle("dfe-error", !!wrong);
      add.disabled = !!wrong;
    }, 150);
  };
  store.subscribe((s, live) => {
    if (live) return;
    const now = JSON.stringify([s.by, open, store.info.dimensions.length]);
    if (now === shown) return;
    shown = now;
    const list = isNamed(s.by), chosen = Array.isArray(s.by) ? s.by : [];
    menus.forEach((m, i) => {
      const options = offers().map((o) => [text(o.value), o.label]);
      const mine = chosen[i] === undefined ? "" : text(chosen[i]);
      if (mine && !options.some(([v]) => v === mine)) options.unshift([mine, words(chosen[i])]);
      const first = i === 0 ? [["", "all rows"], ["named", "named cohorts…"]] : [["", i === 1 ? "× …" : "× …"]];
      if (i === 0 && s.by?.each) { options.unshift(["each", "each of several"]); }
      fill(m, [...first, ...options], i === 0 && (list || open) ? "named" : i === 0 && s.by?.each ? "each" : mine);
      m.hidden = i > 0 && (list || open || chosen.length < i);
    });
    named.hidden = !list && !open;
    if (named.hidden) return;
    const entries = list ? Object.entries(s.by) : [];
    const remove = (key) => { const { [key]: _, ...by } = store.state.by; store.commit({ by: Object.keys(by).length ? by : null, ...clear }); };
    named.replaceChildren(...entries.map(([key, code]) => h("div", { class: "dfe-chip" }, h("bdi", {}, key), h("code", {}, h("bdi", {}, code)), button("×", () => remove(key), { "aria-label": `remove the cohort ${key}` }))), form);
  }, signal);
}
/** A dimension in words. */
export function words(value) {
  if (typeof value !== "object") return String(value);
  if (value.bins !== undefined) return `${value.bins} in bins`;
  if (value.quantiles !== undefined) return `${value.quantiles} in ${Array.isArray(value.q) ? value.q.length + 1 : value.q} groups`;
  return value.period !== undefined ? `${value.period} by ${value.grain}` : `${value.top} (${value.k} most frequent)`;
}
