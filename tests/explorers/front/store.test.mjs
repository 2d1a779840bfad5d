import assert from "node:assert/strict";
import test from "node:test";
import { makeStore, merged } from "../../../src/dfevals/explorers/front/store.mjs";

const STATE = { by: ["g"], model: "m", against: null, metric: "f1", threshold: 0.5, level: 0.95, cost: { fp: 1, fn: 1 }, selection: { cohort: null, compare: null, cell: null }, table: {}, rows: { page: 0 }, rating: {}, tags: {}, ratings: {} };
const about = { edges: [0, 0.5, 0.75], paths: [["a"], ["b"]], sizes: [8, 4, 12], overall: [3, 2, 1, 1, 2, 3], large: [], type: "uint8", notes: [], dropped: {}, names: ["g"] };
const bytes = () => new DataView(Uint8Array.of(2, 1, 1, 1, 1, 2, 1, 1, 0, 0, 1, 1).buffer);
const later = (ms = 0) => new Promise((ok) => setTimeout(ok, ms));

function fake() {
  const listeners = {}, sent = [], values = { state: structuredClone(STATE), _info: { metrics: [{ name: "f1", live: true, range: [0, 1] }, { name: "roc_auc", live: false, range: [0, 1] }] } };
  let saves = 0;
  const model = {
    get: (k) => values[k], set: (k, v) => { values[k] = v; }, save_changes: () => { saves++; }, send: (m) => { if (model.gone) throw new Error("gone"); sent.push(m); },
    on: (event, f) => { (listeners[event] ??= []).push(f); }, fire: (event, ...args) => listeners[event].forEach((f) => f(...args)),
  };
  return { model, sent, saves: () => saves, reply: (m, answer, buffers) => model.fire("msg:custom", { id: m.id, answer }, buffers) };
}
async function ready() {
  const f = fake(), store = makeStore(f.model, (g) => setTimeout(g, 0));
  f.reply(f.sent[0], about, [bytes()]);
  await later();
  return { ...f, store };
}

test("a patch of a nested key leaves the others", () => {
  assert.deepEqual(merged(STATE, { selection: { cohort: ["a"] } }).selection, { cohort: ["a"], compare: null, cell: null });
});
test("counts are asked for once and decoded", async () => {
  const { store, sent } = await ready();
  assert.equal(sent.length, 1);
  assert.equal(sent[0].state.tags, undefined);
  assert.deepEqual(store.data.tally.cells(0, store.key()), { tp: 3, fp: 2, fn: 1, tn: 2 });
  assert.equal(store.place(["b"]), 1);
  assert.equal(store.label(2), "All rows");
});
test("a run of moves is drawn once a frame and is one step to undo and one message", async () => {
  const { store, saves } = await ready();
  let drawn = 0;
  store.subscribe(() => { drawn++; });
  await later(5);
  drawn = 0;
  for (let i = 0; i < 50; i++) { store.move({ threshold: 0.75 }); store.settle(); }
  await later(20);
  assert.equal(drawn, 1);
  await later(400);
  assert.equal(saves(), 1);
  store.undo();
  assert.equal(store.state.threshold, 0.5);
  assert.deepEqual(store.can(), [false, true]);
  store.redo();
  assert.equal(store.state.threshold, 0.75);
});
test("what changes nothing is no step", async () => {
  const { store } = await ready();
  store.commit({ metric: "f1" });
  assert.deepEqual(store.can(), [false, false]);
});
test("of a burst of questions the first and the latest are asked, the others are told so, none is lost", async () => {
  const { store, sent, reply } = await ready();
  const answers = [];
  for (let i = 0; i < 20; i++) store.ask("rows", { ask: "rows", i }).then((m) => answers.push([i, m?.answer ?? null]));
  assert.equal(sent.length, 2);
  reply(sent[1], "first");
  await later();
  assert.equal(sent.length, 3);
  assert.equal(sent[2].i, 19);
  reply(sent[2], "latest");
  await later();
  assert.equal(answers.length, 20);
  assert.deepEqual(Object.fromEntries(answers)[0], "first");
  assert.deepEqual(Object.fromEntries(answers)[19], "latest");
  assert.equal(answers.filter(([, a]) => a === null).length, 18);
});
test("a kernel that is gone is said, and the view lives on", async () => {
  const { store, model } = await ready();
  model.gone = true;
  const m = await store.ask("rows", { ask: "rows" });
  assert.match(m.error, /kernel is gone/);
  assert.ok(store.table().value[0] > 0);
});
test("a state set by the kernel is taken over and can be undone", async () => {
  const { store, model } = await ready();
  model.set("state", { ...structuredClone(STATE), metric: "recall" });
  model.fire("change:state");
  assert.equal(store.state.metric, "recall");
  store.undo();
  assert.equal(store.state.metric, "f1");
});
test("a metric without a closed form is asked for once and remembered", async () => {
  const { store, sent, reply } = await ready();
  store.commit({ metric: "roc_auc" });
  assert.ok(store.table().pending);
  store.table();
  const asked = sent.filter((m) => m.ask === "estimates");
  assert.equal(asked.length, 1);
  reply(asked[0], { value: [0.8, 0.7, 0.75], ci_low: [0.7, null, 0.7], ci_high: [0.9, null, 0.8], difference: null, p_corrected: null, note: ["", "rare", ""], few: [false, true, false] });
  await later();
  const t = store.table();
  assert.deepEqual([...t.value], [0.8, 0.7, 0.75]);
  assert.ok(Number.isNaN(t.low[1]));
  assert.equal(+t.difference[0].toFixed(3), 0.05);
});
test("while the threshold moves, estimates of the kernel stay as they were and nothing is asked", async () => {
  const { store, sent, reply } = await ready();
  store.commit({ metric: "roc_auc" });
  store.table();
  reply(sent.at(-1), { value: [0.8, 0.7, 0.75], ci_low: [0.7, 0.6, 0.7], ci_high: [0.9, 0.8, 0.8], difference: null, p_corrected: null, note: ["", "", ""], few: [false, false, false] });
  await later();
  store.move({ threshold: 0.75 });
  const before = sent.length, t = store.table(true);
  assert.deepEqual([t.value[0], t.pending], [0.8, true]);
  assert.equal(sent.length, before);
  store.table();
  assert.equal(sent.length, before + 1);
});
test("a kernel that was restarted is said at once, and one that answers is believed", async () => {
  const { store, model, sent, reply } = await ready();
  const rows = store.ask("rows", { ask: "rows" });
  model.fire("comm_live_update");
  assert.match((await rows).error, /kernel is gone/);
  assert.equal(store.problem, "gone");
  const n = sent.length;
  assert.equal(sent.at(-1).ask, "alive");
  assert.match((await store.ask("rows", { ask: "rows" })).error, /kernel is gone/);
  assert.equal(sent.length, n); // nothing waits for a minute
  reply(sent.at(-1), {});
  assert.equal(store.problem, null);
});
test("counts that were lost on the way are asked for again once the kernel answers", async () => {
  const f = fake(), store = makeStore(f.model, (g) => setTimeout(g, 0));
  f.model.fire("comm_live_update"); // as hosts do once more after a restart
  await later();
  assert.equal(store.data, null);
  f.model.fire("msg:custom", { id: f.sent.at(-1).id, began: true });
  assert.equal(store.problem, null);
  assert.equal(f.sent.at(-1).ask, "counts");
  f.reply(f.sent.at(-1), about, [bytes()]);
  await later();
  assert.equal(store.fault, null);
  assert.equal(store.data.C, 2);
});
test("an idle kernel that does not begin to answer is gone, a busy one is waited for", async () => {
  const { store, model, sent } = await ready();
  model.widget_manager = { kernel: { status: "busy" } };
  const rows = store.ask("rows", { ask: "rows" });
  await later(3100);
  assert.equal(store.problem, null);
  model.widget_manager.kernel.status = "idle";
  assert.match((await rows).error, /kernel is gone/);
  assert.equal(sent.at(-1).ask, "alive");
});
test("a kernel that says it is busy and never begins is said once patience is over, and believed when it speaks", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const f = fake(), store = makeStore(f.model, (g) => g());
  f.reply(f.sent[0], about, [bytes()]);
  f.model.widget_manager = { kernel: { status: "busy" } };
  const rows = store.ask("rows", { ask: "rows" }), asked = f.sent.at(-1);
  t.mock.timers.tick(59000);
  assert.equal(store.problem, null);
  t.mock.timers.tick(2000);
  assert.match((await rows).error, /does not answer.*Run the cell again/);
  assert.equal(store.problem, "silent");
  f.model.fire("msg:custom", { id: asked.id, began: true }); // too late for the answer, but it lives
  assert.equal(store.problem, null);
});
test("a slow question is said and cancelled, with those that wait behind it", async () => {
  const { store, model, sent } = await ready();
  const first = store.ask("folds", { ask: "folds" }), second = store.ask("matrix", { ask: "matrix" });
  assert.equal(store.slow(), null);
  model.fire("msg:custom", { id: sent.at(-2).id, began: true });
  await later(520);
  assert.deepEqual([store.slow().ask, store.slow().began], ["folds", true]);
  const ids = sent.slice(-2).map((m) => m.id);
  store.cancel();
  assert.deepEqual([(await first).error, (await second).error], ["Cancelled.", "Cancelled."]);
  assert.deepEqual(sent.slice(-2), ids.map((id) => ({ ask: "cancel", id })));
  model.fire("msg:custom", { id: ids[0], error: "Cancelled." });
  assert.equal(store.slow(), null);
});
test("estimates that failed for the moment are asked for again with the next change, not in a circle", async () => {
  const { store, model, sent } = await ready();
  store.subscribe(() => store.table());
  store.commit({ metric: "roc_auc" });
  await later(20);
  model.fire("msg:custom", { id: sent.at(-1).id, error: "Cancelled." });
  await later(60);
  const n = sent.filter((m) => m.ask === "estimates").length;
  assert.equal(n, 1);
  assert.equal(store.table().error, "Cancelled.");
  store.commit({ level: 0.9 });
  store.undo();
  await later(30);
  assert.equal(sent.filter((m) => m.ask === "estimates").length, 2);
});
