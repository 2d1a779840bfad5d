// The only way that nodes are made: text never becomes markup.

const SVG = new Set(["svg", "line", "circle", "path", "rect", "g", "text", "title"]);
export function h(tag, attributes = {}, ...kids) {
  const el = SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    const told = name.startsWith("aria-"); // these say true and false in words
    if (value == null || (value === false && !told)) continue;
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else el.setAttribute(name, value === true && !told ? "" : value);
  }
  el.append(...kids.filter((k) => k != null));
  return el;
}
export const set = (el, attributes) => { for (const [name, value] of Object.entries(attributes)) el.setAttribute(name, value); };
/** Only touch the page where the text is another one. */
export const write = (el, text) => { if (el.textContent !== text) el.textContent = text; };
/** A control of the host's page would steal keys of ours without this. */
export const QUIET = { "data-lm-suppress-shortcuts": "true" };
export const name = (text) => h("bdi", {}, text);
export const button = (label, onclick, more = {}) => h("button", { type: "button", onclick, ...QUIET, ...more }, label);

/** A labelled menu; `options` are [value, label]. */
export function menu(label, options, onpick, more = {}) {
  const select = h("select", { ...QUIET, "aria-label": label, onchange: () => onpick(select.value), ...more });
  fill(select, options);
  return select;
}
export function fill(select, options, value = select.value) {
  const key = JSON.stringify(options);
  if (select.dataset.options !== key) { select.dataset.options = key; select.replaceChildren(...options.map(([v, l]) => h("option", { value: v }, l))); }
  select.value = value;
}
/** Arrow keys, Home and End move the focus among siblings, of which one is in the tab order. */
export function rove(box, selector, horizontal = true) {
  box.addEventListener("keydown", (e) => {
    const steps = horizontal ? { ArrowRight: 1, ArrowLeft: -1 } : { ArrowDown: 1, ArrowUp: -1 }, all = [...box.querySelectorAll(selector)];
    const at = all.indexOf(e.target.closest(selector));
    const next = e.key === "Home" ? 0 : e.key === "End" ? all.length - 1 : e.key in steps ? (at + steps[e.key] + all.length) % all.length : -1;
    if (at < 0 || next < 0) return;
    e.preventDefault();
    e.stopPropagation();
    all.forEach((el, i) => el.setAttribute("tabindex", i === next ? 0 : -1));
    all[next].focus();
  });
}

/** What has the focus around an element: inside a shadow tree the document knows its host only. */
export const focused = (el) => el.getRootNode().activeElement ?? null;
