// A model without a kernel: it answers from what travelled with the page, and says of the rest that it needs the kernel.

export const ALONE = "Needs the kernel.";

const part = (state, path) => (path === "cut" ? state.threshold !== null : path.split(".").reduce((found, key) => found?.[key], state));

function bytes(text) {
  const raw = atob(text), out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

/** What `travel.py` packed. */
export async function unpack(text) {
  const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

/** The interface of a widget's model, over a copy. */
export function alone(copy) {
  const listeners = new Map(), traits = { state: copy.state, _info: copy.info };
  const known = new Map(copy.answers.map((found) => [JSON.stringify([found.ask, found.at]), found]));
  const hear = (name, ...args) => { for (const f of listeners.get(name) ?? []) f(...args); };
  return {
    copy,
    get: (name) => traits[name],
    set: (name, value) => { traits[name] = value; },
    save_changes: () => {},
    on: (name, f) => { listeners.set(name, [...(listeners.get(name) ?? []), f]); },
    off: (name, f) => { listeners.set(name, (listeners.get(name) ?? []).filter((x) => x !== f)); },
    send: ({ id, ask, state, ...rest }) => {
      const paths = copy.depends[ask], whole = Object.keys(rest).length === 0;
      const found = paths && whole ? known.get(JSON.stringify([ask, paths.map((path) => part({ ...traits.state, ...state }, path))])) : null;
      const reply = found ? { id, answer: found.answer } : { id, error: ask === "alive" ? null : ALONE };
      setTimeout(() => hear("msg:custom", reply, found?.bytes ? [new DataView(bytes(found.bytes).buffer)] : []), 0);
    },
  };
}

/** Shows the explorer in `el`, which holds the static copy until then. */
export async function start(el, text, widget) {
  const model = alone(await unpack(text)), { initialize, render } = widget();
  initialize({ model });
  const box = document.createElement("div");
  const end = render({ model, el: box });
  el.replaceChildren(box);
  return end;
}

const FIRST = 2500, NEXT = 1000, LOST = 600; // ms until the first look, ms between looks, looks without a place in the page

/** Beside a widget in a notebook: `begin` fills `el` while no live page of the same explorer is there. */
export function stand(el, id, begin) {
  let begun = false, lost = 0;
  const root = el.closest(".jp-OutputArea, .output, .cell, body") ?? document.body;
  const dead = (hide) => {
    const display = hide ? "none" : "";
    for (const node of document.querySelectorAll(`[data-dfe-of="${id}"]:not([data-dfe-live])`)) node.style.display = display;
    for (const node of root.querySelectorAll(".jp-OutputArea-child")) // what hosts say of a widget whose kernel is gone
      if (!node.contains(el) && node.textContent.length < 200 && /model not found|Loading widget/.test(node.textContent)) node.style.display = display;
  };
  const look = () => {
    if (!el.isConnected) { if (++lost > LOST) clearInterval(looking); return; }
    lost = 0;
    const alive = !!document.querySelector(`[data-dfe-of="${id}"][data-dfe-live]`);
    if (alive === el.hidden && (alive || begun)) return;
    el.hidden = alive;
    dead(!alive);
    if (alive) { begun = false; el.shadowRoot?.replaceChildren(); } else { begun = true; begin(); }
  };
  let looking;
  setTimeout(() => { look(); looking = setInterval(look, NEXT); }, FIRST); // a live page needs a moment to show itself
}
