import { focused, QUIET, button, fill, h, menu, name, write } from "./elements.mjs";
import { count } from "./format.mjs";

// One row to be read: prompt, context, answers with their marks, verdicts with reasons, steps. The kernel says what is marked.

const ROLES = { prompt: "prompt", context: "context", response: "response", other: "second response", reference: "reference", tool_calls: "tool calls", expected_tool_calls: "expected tool calls", trajectory: "messages or steps" };
const SIGNS = { passed: "✓", failed: "✗", error: "!", "no verdict": "–" };
const LONG = 900; // characters that are shown without being folded
const REASON = 240;

/** Place among the selected rows some rows on, and the row there; as far as the answer tells. */
export const neighbour = (answer, ordinal, by) => {
  const last = answer.start + answer.window.length - 1, wanted = Math.max(answer.start, Math.min(last, ordinal + by));
  return { ordinal: wanted, at: answer.window[wanted - answer.start] };
};
/** Whether a text of so many characters and lines is folded at first. */
export const long = (blocks) => {
  const text = blocks.flatMap((b) => b.pieces.map((p) => (typeof p === "string" ? p : p[0]))).join("");
  return text.length > LONG || text.split("\n").length > 16 || blocks.length > 4;
};
/** What a screen reader is told of the row. */
export const summary = (answer) => answer.verdicts.map((v) => `${v.name}${v.letter ? ` of ${v.letter}` : ""} ${v.verdict}`).join(", ");

export function text(store, el, signal) {
  const prev = button("‹ Row before", () => go(-1), { "aria-keyshortcuts": "k ArrowLeft" }), next = button("Next row ›", () => go(1), { "aria-keyshortcuts": "j ArrowRight" });
  const where = h("span", { class: "dfe-facts" }), said = h("span", { role: "status", class: "dfe-sr" });
  const against = menu("beside the answer of", [], (v) => store.commit({ against: v })), rival = h("label", {}, "beside ", against);
  const differ = h("input", { type: "checkbox", ...QUIET, onchange: () => store.commit({ text: { differences: differ.checked } }) }), differs = h("label", { class: "dfe-check" }, differ, " differing words");
  const chooser = h("details", { class: "dfe-chooser" }, h("summary", { ...QUIET }, "Columns")), roles = h("div", { class: "dfe-columns", role: "group", "aria-label": "columns of the texts" });
  const body = h("div", { class: "dfe-row" });
  const root = h("div", { role: "region", "aria-label": "text of one row; j and k, or the arrow keys, go to the next row and the row before", tabindex: 0, class: "dfe-reader", ...QUIET }, h("div", { class: "dfe-bar" }, prev, next, where, rival, differs, chooser, said), body);
  chooser.append(roles);
  el.append(root);

  let asked, askedAt, last, ordinal = 0;
  const go = (by) => {
    if (!last?.total) return;
    const there = neighbour(last, ordinal, by);
    if (there.ordinal === ordinal) return;
    ordinal = there.ordinal;
    place();
    store.move({ text: { at: there.at } });
    store.settle();
  };
  root.addEventListener("keydown", (e) => {
    if (e.target.closest("select,input,textarea") || e.ctrlKey || e.metaKey || e.altKey) return;
    const by = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 }[e.key];
    if (!by) return;
    e.preventDefault();
    go(by);
  }, { signal });

  const want = (s) => JSON.stringify([s.by, s.model, s.against, s.threshold, s.selection.cohort, s.selection.cell, s.rows.search, s.rows.sort, s.rows.down, s.text, store.data?.source]);
  store.subscribe((s, live) => {
    if (!store.data || (live && s.text.at === askedAt)) return;
    controls(s);
    const now = want(s);
    if (now === asked) return;
    asked = now;
    askedAt = s.text.at;
    read(now);
  }, signal);

  async function read(now) {
    root.classList.add("dfe-busy");
    const m = await store.ask("text", { ask: "text" });
    if (!m || asked !== now || signal.aborted) return;
    if (m.error) { root.classList.remove("dfe-busy"); asked = null; body.replaceChildren(h("p", { class: "dfe-error" }, m.error)); return; }
    if (m.answer.progress !== undefined) { write(where, `searching, ${Math.round(m.answer.progress * 100)} %`); read(now); return; }
    root.classList.remove("dfe-busy");
    last = m.answer;
    ordinal = last.ordinal ?? 0;
    const inside = body.contains(focused(body));
    show(last);
    if (inside) root.focus({ preventScroll: true });
  }
  function place() {
    write(where, last.total ? `row ${count(ordinal + 1)} of ${count(last.total)}` : "no rows");
    prev.disabled = !last.total || ordinal === 0;
    next.disabled = !last.total || ordinal + 1 >= last.total;
  }
  function controls(s) {
    const models = store.info.models.map((m) => m.name).filter((m) => m !== s.model);
    fill(against, models.map((m) => [m, m]), s.against ?? "");
    rival.hidden = !models.length || store.info.task !== "outcomes"; // elsewhere the header has this menu
    differ.checked = s.text.differences;
  }
  function choose(a) {
    const now = Object.fromEntries(a.roles.map((r) => [r.role, r])), options = [["", "none"], ...store.info.columns.map((c) => [c, c])];
    if (!roles.children.length) roles.append(...Object.entries(ROLES).map(([role, label]) => {
      const select = menu(`column of the ${label}`, [], (v) => store.commit({ text: { columns: { ...store.state.text.columns, [role]: v || null } } }), { "data-role": role });
      return h("label", {}, h("span", {}, label), select, h("small", { class: "dfe-quiet" }));
    }), button("As found", () => store.commit({ text: { columns: {} } }), { title: "from what the evaluators read and the names of the columns" }));
    for (const select of roles.querySelectorAll("select")) {
      const found = now[select.dataset.role];
      fill(select, options, found?.column ?? "");
      write(select.nextSibling, found?.why ?? "");
    }
  }
  function show(a) {
    choose(a);
    place();
    if (!a.total) { body.replaceChildren(h("p", { class: "dfe-note" }, "No rows are selected.")); write(said, "No rows are selected."); return; }
    write(said, `row ${ordinal + 1} of ${a.total}${a.verdicts.length ? `: ${summary(a)}` : ""}`);
    where.append(" · index ", name(a.index));
    differs.hidden = a.answers.length < 2;
    const parts = a.parts.map((p) => section(p.role, p.column, p, a.at)), answers = a.answers.map((x) => section(x.title, x.column, x, x.at, x.letter));
    const two = answers.length > 1, empty = !parts.length && !answers.length && !a.steps.length;
    body.replaceChildren(
      ...(a.verdicts.length ? [verdicts(a.verdicts)] : []),
      h("div", { class: "dfe-side" }, ...parts, ...(two ? [] : answers)),
      ...(two ? [h("div", { class: "dfe-side dfe-two" }, ...answers)] : []),
      ...[a.compared, ...a.notes].filter(Boolean).map((t) => h("p", { class: "dfe-note" }, t)),
      ...(a.steps.length ? [h("div", { class: "dfe-side" }, ...a.steps.map(steps))] : []),
      ...(empty ? [h("p", { class: "dfe-note" }, "No column of texts is known here. Choose one under Columns.")] : []),
    );
  }
  const heading = (title, column, letter) => h("h4", {}, ...(letter ? [h("b", {}, `${letter} · `)] : []), name(title), ...(title === column ? [] : [h("small", { class: "dfe-quiet" }, " · ", name(column))]));

  // What evaluators said
  function verdicts(all) {
    const lettered = all.some((v) => v.letter), scored = all.some((v) => v.score), reasoned = all.some((v) => v.error || v.reason);
    const heads = ["evaluator", ...(lettered ? ["of"] : []), "verdict", ...(scored ? ["score"] : []), ...(reasoned ? ["reason"] : [])];
    const line = (v) => h("tr", { role: "row" }, h("th", { scope: "row", role: "rowheader" }, name(v.name)), ...(lettered ? [h("td", { role: "cell" }, v.letter || "row")] : []), h("td", { role: "cell", class: `dfe-v-${v.verdict.replace(" ", "-")}` }, h("span", { "aria-hidden": "true" }, `${SIGNS[v.verdict]} `), v.verdict), ...(scored ? [h("td", { role: "cell" }, name(v.score))] : []), ...(reasoned ? [why(v)] : []));
    return h("div", { class: "dfe-scrollx" }, h("table", { class: "dfe-verdicts", role: "table", "aria-label": "verdicts of the evaluators on this row" }, h("thead", {}, h("tr", {}, ...heads.map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, ...all.map(line))));
  }

  function why(v) {
    const words = v.error || v.reason, td = h("td", { role: "cell", class: "dfe-why", dir: "auto" });
    if (words.length <= REASON) { td.append(words); return td; }
    const short = h("span", {}, `${words.slice(0, REASON)}…`), b = button("⋯", () => { const on = b.getAttribute("aria-expanded") === "true"; write(short, on ? `${words.slice(0, REASON)}…` : words); b.setAttribute("aria-expanded", !on); }, { class: "dfe-more", "aria-expanded": false, "aria-label": `whole reason of ${v.name}` });
    td.append(short, " ", b);
    return td;
  }

  // A text with its marks, folded where it is long, its rest on request
  function section(title, column, part, at, letter) {
    const box = h("section", { "aria-label": `${letter ? `${letter} ` : ""}${title}` }, heading(title, column, letter)), lines = h("div", { class: "dfe-read" });
    if (part.missing) { box.append(h("p", { class: "dfe-quiet" }, "– (missing)")); return box; }
    const marks = [];
    add(lines, part, marks);
    box.append(lines);
    let unfold = () => {};
    if (long(part.blocks)) {
      const b = button("Show all", () => { const on = lines.classList.toggle("dfe-folded"); b.setAttribute("aria-expanded", !on); write(b, on ? "Show all" : "Fold"); }, { "aria-expanded": false, "aria-label": `show all of ${title}` });
      lines.classList.add("dfe-folded");
      unfold = () => { if (lines.classList.contains("dfe-folded")) b.click(); };
      box.append(b);
    }
    rest(box, lines, part, { at, column, role: title === "context" ? "context" : "response" }, unfold);
    if (part.listed.length) box.append(h("ul", { class: "dfe-listed" }, ...part.listed.map((m) => h("li", {}, button(m.words, () => { unfold(); marks.find(([n]) => n === m.label)?.[1].scrollIntoView({ block: "nearest" }); }, { class: "dfe-link" })))));
    return box;
  }
  function add(lines, part, marks) {
    for (const block of part.blocks) {
      let line = lines.querySelector(`[data-block="${block.block}"]`);
      if (!line) lines.append(line = h("div", { class: "dfe-block", dir: "auto", "data-block": block.block }, ...(part.of > 1 ? [h("b", { class: "dfe-number" }, `${block.block + 1} `)] : [])));
      for (const piece of block.pieces) line.append(typeof piece === "string" ? piece : marked(piece, block.marks, marks));
    }
  }
  function marked([words, number, apart, ends], of, marks) {
    const mark = number === null ? null : of[number], node = h(mark ? "mark" : "span", { class: `${mark ? `dfe-m dfe-m-${mark.kind}` : ""}${apart ? " dfe-apart" : ""}`, title: mark?.words ?? "not in the other answer at this place" }, words);
    if (mark && ends) node.append(h("sup", { "aria-hidden": "true" }, mark.label), ...(mark.kind === "supported" ? [] : [h("span", { class: "dfe-sr" }, ` (${mark.words})`)]));
    if (mark) marks.push([mark.label, node]);
    return node;
  }
  function rest(box, lines, part, body, unfold) {
    if (!part.more) return;
    const { block, start, left } = part.more;
    const b = button(`Show more (${count(left)} characters left)`, async () => {
      b.disabled = true;
      const m = await store.ask(`more ${body.at} ${body.column}`, { ask: "text_more", ...body, block, start });
      if (!m || !b.isConnected) return;
      if (m.error) { b.replaceWith(h("p", { class: "dfe-error" }, m.error)); return; }
      unfold();
      add(lines, m.answer, []);
      const after = h("div");
      b.replaceWith(after);
      rest(after, lines, m.answer, body, unfold);
      after.querySelector("button")?.focus();
    });
    box.append(b);
  }

  // What an agent did
  function steps(x) {
    const list = h("ol", { class: "dfe-steps" }), scroll = h("div", { class: "dfe-stepbox", role: "region", tabindex: 0, "aria-label": "list of the steps", ...QUIET }, list), box = h("section", { "aria-label": `steps${x.letter ? ` of ${x.letter}` : ""}` }, heading(x.title || "steps", x.column, x.letter));
    if (x.problem) box.append(h("p", { class: "dfe-error" }, x.problem));
    if (x.raw) { box.append(h("div", { class: "dfe-read dfe-long", dir: "auto", tabindex: 0, ...QUIET }, x.raw)); return box; }
    if (!x.total) box.append(h("p", { class: "dfe-quiet" }, x.missing ? "– (missing)" : "No step was taken."));
    if (x.steps.length) box.append(scroll);
    onward(x, list, scroll);
    return box;
  }
  function onward(x, list, box) {
    list.append(...x.steps.map((s, i) => step(s, x.begin + i, x)));
    const shown = x.begin + x.steps.length;
    if (shown >= x.total || !x.steps.length) return;
    const b = button(`Show more (${count(x.total - shown)} steps left)`, async () => {
      b.disabled = true;
      const m = await store.ask(`steps ${x.at}`, { ask: "text_steps", at: x.at, begin: shown });
      if (!m || !b.isConnected) return;
      b.remove();
      m.error ? box.append(h("p", { class: "dfe-error" }, m.error)) : onward(m.answer, list, box);
    });
    box.append(b);
  }
  function step(s, number, x) {
    const whole = (words, more, label) => { const short = h("span", { dir: "auto", class: "dfe-value" }, words); return more ? [short, button("⋯", async (e) => { const m = await store.ask(`step ${x.at} ${number} ${label}`, { ask: "text_steps", at: x.at, step: number, argument: typeof label === "number" ? label : null }); if (m) { short.textContent = m.error ?? m.answer; e.target.remove(); } }, { class: "dfe-more", "aria-label": `all of ${typeof label === "number" ? s.arguments[label][0] : label} of step ${number + 1}` })] : [short]; };
    if (s.kind === "said" || s.kind === "result") return h("li", { class: "dfe-saying", value: number + 1 }, h("span", { class: "dfe-who" }, name(s.name || s.kind)), " ", ...(s.text ? whole(...s.text, s.kind) : []));
    const right = s.right === null ? "dfe-v-open" : s.right ? "dfe-v-passed" : "dfe-v-failed";
    return h("li", { value: number + 1, class: s.kind === "missing" ? "dfe-lacking" : "" }, h("code", {}, name(s.name)), ...(s.verdict ? [" ", h("span", { class: right }, h("span", { "aria-hidden": "true" }, s.right === null ? "○ " : s.right ? "✓ " : "✗ "), s.verdict)] : []),
      ...(s.arguments?.length ? [h("dl", { class: "dfe-arguments" }, ...s.arguments.flatMap(([key, [words, more]], i) => [h("dt", {}, name(key)), h("dd", {}, ...whole(words, more, i))]))] : []),
      ...(s.text ? [h("details", {}, h("summary", { ...QUIET }, "result"), h("div", { class: "dfe-read dfe-result" }, ...whole(...s.text, "the result")))] : []));
  }
}
