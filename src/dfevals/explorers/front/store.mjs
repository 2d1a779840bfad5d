import { METRICS, Z, decode, few, looks, nearest, strictest } from "./arithmetic.mjs";

// One store per widget, shared by all its displays: the state, its past and future, the counts, and questions to the kernel.

const SETTLED = 200; // ms after the last key or move: one undo step, one message
const PATIENCE = 60000; // ms until an unanswered question is given up
const SLOW = 500; // ms until the reader is told what the kernel does, and may cancel it
const IDLE = 1500; // ms; a kernel that is idle twice and has not begun to answer no longer knows this widget
const GONE = "The kernel is gone. Run the cell again to read rows; what is drawn from counts still works.";
export const SILENT = "The kernel does not answer. Is it busy? Run the cell again if it was restarted.";
const NESTED = ["cost", "selection", "table", "rows", "rating", "text"];
export const merged = (state, patch) => {
  const out = { ...state, ...patch };
  for (const key of NESTED) if (patch[key]) out[key] = { ...state[key], ...patch[key] };
  return out;
};
const CANCELLED = "Cancelled.";
/** Failures of the moment: asked again when the state changes. */
const RETRIED = /^(The kernel|Cancelled)/;
/** What tells two states' counts apart. */
const source = (s) => JSON.stringify([s.by, s.model, s.threshold === null]);

export function makeStore(model, frame = requestAnimationFrame) {
  const estimates = new Map(), subscribers = new Set(), past = [], future = [], waiting = new Map(), channels = new Map();
  let state = { ...model.get("state") }, saved = state, loaded = null, next = 1, frameId = 0, quiet = true, settling, saving;
  const store = { data: null, problem: null, changed: false, busy: 0, copy: model.copy ?? null };

  // Telling the panes: at most once per frame, whatever the number of events
  const tell = (live) => {
    quiet &&= live;
    frameId ||= frame(() => { const l = quiet; frameId = 0; quiet = true; store.draws = (store.draws ?? 0) + 1; for (const f of [...subscribers]) if (subscribers.has(f)) f(state, l); }); // a pane may end another
  };
  store.tell = () => tell(false);
  store.subscribe = (f, signal) => { subscribers.add(f); signal?.addEventListener("abort", () => subscribers.delete(f)); f(state, false); };

  // The state and its history
  const save = () => {
    saved = state;
    for (const [key, found] of estimates) if (found.error && RETRIED.test(found.error)) estimates.delete(key);
    load();
    tell(false);
    clearTimeout(saving);
    saving = setTimeout(() => { model.set("state", state); try { model.save_changes(); } catch { store.problem = "gone"; tell(false); } }, 120); // questions go first
  };
  store.move = (patch) => { state = merged(state, patch); tell(true); };
  store.settle = () => { clearTimeout(settling); settling = setTimeout(() => store.commit({}), SETTLED); };
  store.commit = (patch) => {
    clearTimeout(settling);
    const wanted = merged(state, patch);
    if (JSON.stringify(wanted) === JSON.stringify(saved)) { state = wanted; return; }
    past.push(saved);
    if (past.length > 200) past.shift();
    future.length = 0;
    state = wanted;
    save();
  };
  store.undo = () => { clearTimeout(settling); if (past.length) { future.push(saved); state = past.pop(); save(); } };
  store.redo = () => { clearTimeout(settling); if (future.length) { past.push(saved); state = future.pop(); save(); } };
  store.can = () => [past.length > 0, future.length > 0];
  Object.defineProperties(store, { state: { get: () => state }, info: { get: () => model.get("_info") } });
  model.on("change:state", () => {
    const found = model.get("state");
    if (JSON.stringify(found) === JSON.stringify(saved)) return;
    past.push(saved);
    state = saved = { ...found };
    load();
    tell(false);
  });

  // Questions: each pane has a channel with one question on its way and at most one waiting, the latest
  const send = (body, resolve) => {
    if (store.problem === "gone" && body.ask !== "alive") { resolve({ error: GONE }); return; }
    const id = `${next++}`;
    let looks = 0;
    const idle = () => {
      const w = waiting.get(id);
      if (!w || w.began || body.ask === "alive" || !kernel()) return; // where the host does not tell of its kernel, patience decides
      looks = kernel().status === "idle" ? looks + 1 : 0;
      if (looks > 1) lost(); else timers.push(setTimeout(idle, IDLE));
    };
    const timers = [setTimeout(idle, IDLE), setTimeout(() => { const w = waiting.get(id); if (w && !w.began) { store.problem ??= "silent"; w.done({ error: SILENT }); } }, PATIENCE), setTimeout(() => tell(true), SLOW)];
    timers.forEach((t) => t.unref?.()); // Node's: a test ends without waiting for them
    waiting.set(id, { ask: body.ask, at: Date.now(), began: false, done: (m) => { timers.forEach(clearTimeout); waiting.delete(id); resolve(m); } });
    const { tags, ratings, ...rest } = state;
    try { model.send({ id, state: rest, ...body }); } catch { ended(); }
  };
  /** What takes long: the kind of question and whether the kernel has begun it; null for nothing. */
  store.slow = () => [...waiting.values()].filter((w) => w.ask !== "alive" && Date.now() - w.at >= SLOW - 5).sort((a, b) => b.began - a.began)[0] ?? null;
  /** Give up the slow questions; the kernel drops them, and never touches a cell of the user. */
  store.cancel = () => {
    for (const [id, w] of [...waiting].filter(([, x]) => Date.now() - x.at >= SLOW - 5)) {
      try { model.send({ ask: "cancel", id }); } catch { ended(); return; }
      w.done({ error: CANCELLED });
    }
  };
  /** The kernel that held the rows has ended: every question is answered so at once. */
  const ended = () => { store.problem = "gone"; for (const w of [...waiting.values()]) w.done({ error: GONE }); tell(false); };
  // A restarted kernel keeps the connection open and answers nothing: the host says so, or the kernel is idle and has not begun.
  // A last question shows whether it is true.
  const kernel = () => model.widget_manager?.kernel, lost = () => { ended(); send({ ask: "alive" }, () => {}); };
  model.on("comm_live_update", lost);
  kernel()?.statusChanged?.connect((_, status) => { if (["restarting", "autorestarting", "dead", "terminating"].includes(status)) ended(); });
  store.ask = (channel, body) => new Promise((resolve) => {
    const c = channels.get(channel) ?? { busy: false, then: null };
    channels.set(channel, c);
    const run = (b, done) => { c.busy = true; store.busy++; send(b, (m) => { store.busy--; c.busy = false; const t = c.then; c.then = null; done(m); if (t) run(...t); else tell(true); }); };
    if (c.busy) { c.then?.[1](null); c.then = [body, resolve]; } else run(body, resolve);
  });
  model.on("msg:custom", (m, buffers) => {
    if (m.refreshed) { loaded = null; estimates.clear(); load(); tell(false); return; }
    const asked = waiting.get(m.id);
    if (asked ? store.problem : store.problem === "silent") { store.problem = null; load(); tell(false); } // late, but it lives; of a kernel that is gone old answers may still be on their way
    if (!asked) return;
    if (m.began) { asked.began = true; return; }
    if (m.changed !== undefined && m.changed !== store.changed) { store.changed = m.changed; tell(false); }
    asked.done({ ...m, buffers });
  });

  // Counts of the cohorts, asked for when the dimension or the model changes
  async function load() {
    const want = source(state), missing = store.data?.edges && state.threshold !== null && store.data.edges[nearest(store.data.edges, state.threshold)] !== state.threshold;
    if (want === loaded && !missing) return;
    loaded = want;
    const m = await store.ask("counts", { ask: "counts" });
    if (!m || loaded !== want) return;
    if (m.error) {
      if (RETRIED.test(m.error)) loaded = null;
      store.fault = m.error;
      tell(false);
      return;
    }
    store.fault = null;
    const about = m.answer;
    store.data = { ...about, source: want, C: about.paths.length, tally: about.edges ? decode(m.buffers?.[0], about) : null, places: new Map(about.paths.map((p, i) => [JSON.stringify(p), i])) };
    tell(false);
  }
  store.load = load;
  /** Key of the threshold among the edges. */
  store.key = () => (state.threshold === null ? 1 : nearest(store.data.edges, state.threshold));
  /** Index of a cohort by its labels; overall (the last) for none. */
  store.place = (path) => (path ? store.data.places.get(JSON.stringify(path)) ?? store.data.C : store.data.C);
  store.label = (c) => (c === store.data.C ? "All rows" : store.data.paths[c].join(" × "));

  // Estimates: from the counts where a closed form gives them, else from the kernel, remembered
  const record = () => store.info.metrics.find((m) => m.name === state.metric) ?? { name: state.metric, live: false, range: [null, null], better: "none" };
  store.metric = record;
  let known = null;
  /** null where the page computes them; else the kernel's: of this state, or the latest of this metric while they are on their way. */
  store.estimates = (live) => {
    if (record().live && store.data?.tally) return null;
    if (!store.data) return undefined;
    const of = JSON.stringify([store.data.source, state.metric, state.level]), key = JSON.stringify([of, state.threshold]);
    if (!estimates.has(key) && !live && store.data.source === source(state)) {
      estimates.set(key, { pending: true });
      store.ask(`estimates ${key}`, { ask: "estimates" }).then((m) => { // a channel of its own: every answer is remembered
        if (estimates.size > 40) estimates.delete(estimates.keys().next().value);
        estimates.set(key, m.error ? { error: m.error } : m.answer);
        if (m.answer?.value) known = { of, ...m.answer };
        tell(false);
      });
    }
    const found = estimates.get(key);
    if (found?.value) known = { of, ...found };
    return found?.value || found?.error ? found : known?.of === of ? { ...known, pending: true } : { pending: true };
  };
  /** Value, interval, difference and corrected p of every cohort (overall last) as arrays. */
  store.table = (live = false) => {
    const { C, tally } = store.data, known = store.estimates(live), z = Z[state.level], n = C + 1;
    const out = { value: new Float64Array(n).fill(NaN), low: new Float64Array(n).fill(NaN), high: new Float64Array(n).fill(NaN), difference: new Float64Array(n).fill(NaN), p: new Float64Array(n).fill(NaN), few: new Uint8Array(n), note: null, pending: false, error: null };
    if (known === null) {
      const f = METRICS[state.metric], k = store.key(), cells = [];
      for (let c = 0; c <= C; c++) {
        const cell = tally.cells(c, k), e = f(cell, z);
        [out.value[c], out.low[c], out.high[c]] = e;
        out.few[c] = few(state.metric, cell);
        cells.push(cell);
      }
      out.p.set(looks(state.metric, cells.slice(0, C), cells[C], z, strictest(state.level, C)));
    } else if (known?.value && known.value.length === n) {
      const put = (to, from) => from?.forEach((v, i) => { to[i] = v ?? NaN; });
      put(out.value, known.value); put(out.low, known.ci_low); put(out.high, known.ci_high); put(out.p, known.p_corrected);
      out.note = known.note;
      known.few.forEach((some, i) => { out.few[i] = some; });
      out.pending = !!known.pending;
    } else { out.pending = !known?.error; out.error = known?.error; }
    for (let c = 0; c < C; c++) out.difference[c] = out.value[c] - out.value[C];
    return out;
  };
  load();
  return store;
}
