import { focused, QUIET, button, fill, h, menu, name, write } from "./elements.mjs";
import { count } from "./format.mjs";

// The selected rows, a page at a time from the kernel: sorted, searched, unfolded, tagged.

const TAGS = ["mislabelled", "ambiguous"];

export function rows(store, el, signal) {
  const step = (d) => store.commit({ rows: { page: Math.max(0, (page?.page ?? store.state.rows.page) + d) } });
  const prev = button("‹ Previous", () => step(-1)), nxt = button("Next ›", () => step(1)), where = h("span", { role: "status", class: "dfe-where" });
  const sort = menu("sort rows by", [], (v) => store.commit({ rows: { sort: v || null, down: true, page: 0 } })), turn = button("↓", () => store.commit({ rows: { down: !store.state.rows.down, page: 0 } }), { "aria-label": "sort direction" });
  const search = h("input", { type: "search", placeholder: "search texts", title: "searches as typed, capitals and all", "aria-label": "search texts", ...QUIET, onchange: () => look(), onkeydown: (e) => { if (e.key === "Enter") look(); } });
  const look = () => { if (search.value !== store.state.rows.search) store.commit({ rows: { search: search.value, page: 0 } }); };
  const stop = button("Stop", () => { stopped = true; store.commit({ rows: { search: "", page: 0 } }); }, { hidden: true });
  const chooser = h("details", { class: "dfe-chooser" }, h("summary", { ...QUIET }, "Columns"));
  const chips = h("div", { class: "dfe-bar" });
  const box = h("div", { class: "dfe-scroll dfe-rowbox", role: "region", "aria-label": "rows", tabindex: 0, ...QUIET });
  el.append(h("h3", {}, "Rows"), chips, h("div", { class: "dfe-bar" }, prev, nxt, where, h("label", {}, "sort by ", sort), turn, search, stop, chooser), box);
  box.addEventListener("keydown", (e) => {
    if (e.target !== box) return;
    if (e.key === "PageDown" && !nxt.disabled) { e.preventDefault(); e.stopPropagation(); step(1); }
    if (e.key === "PageUp" && !prev.disabled) { e.preventDefault(); e.stopPropagation(); step(-1); }
  });
  let asked, page, stopped = false, tagsDrawn;
  const open = new Map();
  const want = (s) => JSON.stringify([s.by, s.model, s.against, s.threshold, s.selection.cohort, s.selection.cell, s.rows, store.data?.source]);

  async function read(now) {
    el.classList.add("dfe-busy");
    const m = await store.ask("rows", { ask: "rows" });
    if (!m || asked !== now || signal.aborted) return;
    if (m.error) { el.classList.remove("dfe-busy"); write(where, m.error); el.classList.add("dfe-stale"); asked = null; return; }
    if (m.answer.progress !== undefined) { stop.hidden = false; write(where, `searching, ${Math.round(m.answer.progress * 100)} %`); if (!stopped) read(now); return; }
    stop.hidden = true;
    el.classList.remove("dfe-busy", "dfe-stale");
    page = m.answer;
    show(store.state);
  }
  function show(s) {
    const { total, size } = page, first = page.page * size;
    prev.disabled = page.page === 0;
    nxt.disabled = first + size >= total;
    write(where, total ? `${count(first + 1)}–${count(Math.min(total, first + size))} of ${count(total)}` : "no rows");
    open.clear();
    const heads = page.columns.map((c, j) => h("th", { scope: "col", class: page.numeric[j] ? "dfe-r" : "", "aria-sort": s.rows.sort === c ? (s.rows.down ? "descending" : "ascending") : "none" }, h("button", { type: "button", class: "dfe-headbutton", ...QUIET, onclick: () => store.commit({ rows: { sort: c, down: s.rows.sort === c ? !store.state.rows.down : true, page: 0 } }) }, name(c))));
    const extra = page.extras.map((x) => h("th", { scope: "col", class: x.numeric ? "dfe-r" : "" }, x.name));
    const table = h("table", { class: "dfe-rowtable" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "row"), ...extra, ...heads, h("th", { scope: "col" }, "tag"))), h("tbody", {}, ...page.rows.map((r, i) => row(r, i, s))));
    box.replaceChildren(total ? table : h("p", { class: "dfe-note" }, "No rows are selected."));
    tagsDrawn = s.tags;
  }
  const reads = store.info.views.includes("text");
  const row = (r, i, s) => h("tr", { "data-at": r.at }, h("th", { scope: "row" }, reads ? button(name(r.index), () => store.commit({ view: "text", text: { at: r.at } }), { class: "dfe-link", title: "read this row in the tab Text" }) : name(r.index)), ...page.extras.map((x) => h("td", { class: x.numeric ? "dfe-r" : "" }, name(x.cells[i]))), ...r.cells.map((c, j) => cell(r, j, c)), h("td", {}, tag(r, s)));
  function cell(r, j, [text, more, structured]) {
    const td = h("td", { class: page.numeric[j] ? "dfe-r" : "" });
    if (!more) { td.append(h("span", { dir: "auto", class: "dfe-short" }, text)); return td; }
    const short = h("span", { dir: "auto", class: "dfe-short" }, `${text}${structured ? "" : "…"}`);
    const b = button("⋯", async () => {
      const was = td.querySelector(".dfe-whole");
      if (was) { was.remove(); short.hidden = false; b.setAttribute("aria-expanded", false); return; }
      const m = await store.ask(`cell ${r.at} ${j}`, { ask: "cell", at: r.at, column: page.columns[j] });
      if (!m || td.querySelector(".dfe-whole")) return;
      short.hidden = true;
      b.setAttribute("aria-expanded", true);
      td.append(h(structured ? "pre" : "div", { class: "dfe-whole dfe-long", dir: "auto", tabindex: 0 }, m.error ?? m.answer));
    }, { class: "dfe-more", "aria-expanded": false, "aria-label": `whole ${page.columns[j]}` });
    td.append(short, b);
    return td;
  }
  function tag(r, s) {
    const input = h("input", { type: "text", list: listId, value: s.tags[r.at] ?? "", placeholder: "tag", "aria-label": `tag of row ${r.index}`, class: "dfe-tag", ...QUIET, maxlength: 200, onchange: () => { const { [r.at]: _, ...others } = store.state.tags, v = input.value.trim(); store.commit({ tags: v ? { ...others, [r.at]: v } : others }); } });
    return input;
  }
  const listId = `dfe-tags-${Math.random().toString(36).slice(2)}`, list = h("datalist", { id: listId }, ...TAGS.map((t) => h("option", { value: t })));
  el.append(list);
  function tagged(s) {
    tagsDrawn = s.tags;
    for (const tr of box.querySelectorAll("tr[data-at]")) { const i = tr.querySelector(".dfe-tag"); if (focused(i) !== i) i.value = s.tags[tr.dataset.at] ?? ""; }
    list.replaceChildren(...[...new Set([...TAGS, ...Object.values(s.tags)])].slice(0, 40).map((t) => h("option", { value: t })));
  }
  let columns;
  function controls(s) {
    const special = [["", "as in the frame"], ["loss", "loss, greatest first"]];
    if (store.info.task !== "regression" && store.info.task !== "outcomes") special.push(["margin", "nearest to the decision"]);
    if (store.info.models.length > 1 && store.info.task !== "outcomes") special.push(["disagreement", "disagreement of the models"]);
    fill(sort, [...special, ...store.info.columns.map((c) => [c, c])], s.rows.sort ?? "");
    turn.hidden = !s.rows.sort;
    write(turn, s.rows.down ? "↓" : "↑");
    if (focused(search) !== search) search.value = s.rows.search;
    const c = s.selection, parts = [];
    const chip = (text, patch) => h("span", { class: "dfe-chip" }, h("bdi", {}, text), button("×", () => store.commit(patch), { "aria-label": `clear ${text}` }));
    if (c.cohort) parts.push(chip(c.cohort.join(" × "), { selection: { cohort: null, compare: null }, rows: { page: 0 } }));
    if (c.cell) parts.push(chip(words(c.cell), { selection: { cell: null }, rows: { page: 0 } }));
    if (s.rows.search) parts.push(chip(`“${s.rows.search}”`, { rows: { search: "", page: 0 } }));
    chips.replaceChildren(...(parts.length ? parts : [h("span", { class: "dfe-quiet" }, "All rows. Select a cohort or press a cell to narrow them.")]));
    if (!columns && chooser.open) build(s);
  }
  chooser.addEventListener("toggle", () => { if (chooser.open) build(store.state); });
  function build(s) {
    const now = new Set(s.rows.columns ?? page?.columns ?? []), find = h("input", { type: "search", placeholder: "find a column", "aria-label": "find a column", ...QUIET, oninput: () => { for (const l of labels) l.hidden = !l.textContent.toLowerCase().includes(find.value.toLowerCase()); } });
    const labels = store.info.columns.map((c) => h("label", {}, h("input", { type: "checkbox", ...QUIET, checked: now.has(c), onchange: (e) => { e.target.checked ? now.add(c) : now.delete(c); store.commit({ rows: { columns: now.size ? store.info.columns.filter((x) => now.has(x)) : null } }); } }), name(c)));
    columns?.remove();
    columns = h("div", { class: "dfe-columns", role: "group", "aria-label": "columns to show" }, find, ...labels);
    chooser.append(columns);
  }

  // Last of all: where the counts are already there it is called at once
  store.subscribe(async (s, live) => {
    if (live || !store.data) return;
    controls(s);
    const now = want(s);
    if (now === asked) { if (page && tagsDrawn !== s.tags) tagged(s); return; }
    asked = now;
    stopped = false;
    await read(now);
  }, signal);
}
const words = (cell) => ({ confusion: () => `true ${cell.true}, predicted ${cell.pred}`, comparison: () => cell.value, outcome: () => `${cell.column}: ${{ pass: "passed", fail: "failed", none: "no verdict" }[cell.value]}`, residual: () => `residual ${+cell.low.toPrecision(4)} to ${+cell.high.toPrecision(4)}`, score: () => (cell.high < 1e300 ? `score ${+cell.low.toPrecision(4)} to ${+cell.high.toPrecision(4)}` : `score from ${+cell.low.toPrecision(4)}`), fold: () => `fold ${cell.value}` })[cell.kind]();
