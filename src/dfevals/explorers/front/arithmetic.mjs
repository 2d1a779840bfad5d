// Arithmetic on counts: closed forms only, no DOM. Key k means: score >= edges[k] is predicted positive.

export const Z = { 0.8: 1.2815515655446004, 0.9: 1.6448536269514722, 0.95: 1.959963984540054, 0.99: 2.5758293035489004 };
const ARRAYS = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, float64: Float64Array };

/** Counts per cohort × class × key (overall last) as sums from each key upwards. */
export function decode(view, about) {
  const K = about.edges.length, C = about.sizes.length - 1, Type = ARRAYS[about.type];
  const raw = view ? new Type(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)) : new Type(0);
  const up = new Float64Array((C + 1) * 2 * (K + 1));
  const at = (c, y, k) => (c * 2 + y) * (K + 1) + k;
  const large = new Map();
  for (let i = 0; i < about.large.length; i += 2) large.set(about.large[i], about.large[i + 1]);
  for (let c = 0; c <= C; c++) for (let y = 0; y < 2; y++) {
    let sum = 0;
    for (let k = K - 1; k >= 0; k--) {
      const flat = (c * 2 + y) * K + k;
      sum += c === C ? about.overall[y * K + k] : raw[flat] || (large.get(flat) ?? 0);
      up[at(c, y, k)] = sum;
    }
  }
  const cells = (c, k) => {
    const tp = up[at(c, 1, k)], fp = up[at(c, 0, k)];
    return { tp, fp, fn: up[at(c, 1, 0)] - tp, tn: up[at(c, 0, 0)] - fp };
  };
  /** Rows of class y at or above key k. */
  const above = (c, y, k) => up[at(c, y, k)];
  const density = (c, y, cuts) => cuts.slice(1).map((k, i) => up[at(c, y, cuts[i])] - up[at(c, y, k)]);
  return { cohorts: C, keys: K, edges: about.edges, cells, above, density };
}

/** The key whose edge is nearest to v, and of equally near ones the lower. */
export function nearest(edges, v) {
  let a = 0, b = edges.length - 1;
  while (a < b) { const m = (a + b) >> 1; edges[m] < v ? (a = m + 1) : (b = m); }
  return a > 0 && v - edges[a - 1] <= edges[a] - v ? a - 1 : a;
}

/** The first key at or above v (edges.length if none). */
export function from(edges, v) {
  let a = 0, b = edges.length;
  while (a < b) { const m = (a + b) >> 1; edges[m] < v ? (a = m + 1) : (b = m); }
  return a;
}

/** Wilson 1927: [share, low, high] of x of n. */
export function wilson(x, n, z = Z[0.95]) {
  if (!(n > 0)) return [NaN, NaN, NaN];
  const p = x / n, d = 1 + (z * z) / n, m = (p + (z * z) / (2 * n)) / d;
  const h = (z / d) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return [p, x === 0 ? 0 : Math.max(0, m - h), x === n ? 1 : Math.min(1, m + h)];
}

const total = (c) => c.tp + c.fp + c.fn + c.tn;
/** Metric → cells → [rows that count, rows of which they are a share]. */
const SHARES = {
  f1: (c) => [c.tp, c.tp + c.fp + c.fn], // on the scale of the Jaccard index
  precision: (c) => [c.tp, c.tp + c.fp],
  recall: (c) => [c.tp, c.tp + c.fn],
  fpr: (c) => [c.fp, c.fp + c.tn],
  accuracy: (c) => [c.tp + c.tn, total(c)],
  specificity: (c) => [c.tn, c.tn + c.fp],
  npv: (c) => [c.tn, c.tn + c.fn],
  fnr: (c) => [c.fn, c.fn + c.tp],
  fdr: (c) => [c.fp, c.fp + c.tp],
  jaccard: (c) => [c.tp, c.tp + c.fp + c.fn],
  error_rate: (c) => [c.fp + c.fn, total(c)],
  selection_rate: (c) => [c.tp + c.fp, total(c)],
  base_rate: (c) => [c.tp + c.fn, total(c)],
};
const SCALES = { f1: (j) => (2 * j) / (1 + j) };
/** Metric → (cells, z) → [value, low, high]. */
export const METRICS = Object.fromEntries(Object.entries(SHARES).map(([name, share]) => {
  const scale = SCALES[name];
  const estimate = scale ? (c, z) => wilson(...share(c), z).map(scale) : (c, z) => wilson(...share(c), z);
  return [name, Object.assign(estimate, { share: !scale, counts: share })];
}));
/** Fewer than five events on either side: no interval is honest. */
export const few = (metric, c) => { const [x, n] = SHARES[metric](c); return n > 0 && Math.min(x, n - x) < 5; };
export const cost = (c, price) => (c.fp * price.fp + c.fn * price.fn) / total(c);
/** Standard error of the mean cost per row: digits beyond it say nothing. */
export const costError = (c, price) => Math.sqrt(Math.max(0, (c.fp * price.fp ** 2 + c.fn * price.fn ** 2) / total(c) - cost(c, price) ** 2) / total(c));
export const rest = (all, c) => ({ tp: all.tp - c.tp, fp: all.fp - c.fp, fn: all.fn - c.fn, tn: all.tn - c.tn });

/** Distance from the difference of two independent estimates to its bound on the side of zero (MOVER; Newcombe's hybrid). */
const half = (a, b) => (a[0] > b[0] ? Math.hypot(a[0] - a[1], b[2] - b[0]) : Math.hypot(a[2] - a[0], b[0] - b[1]));
/**
 * Two-sided p of the difference of two cohorts' estimates: the level at which its interval touches zero. Half-widths are taken
 * at `z` and, for what lies beyond, at `strict`; in between they grow in proportion.
 */
export function differ(f, one, other, z, strict = NaN) {
  const a = f(one, z), b = f(other, z), gap = Math.abs(a[0] - b[0]);
  if (Number.isNaN(gap)) return NaN;
  if (gap === 0) return 1;
  const near = half(a, b);
  if (!(near > 0)) return NaN;
  if (f.share) return Math.max(twoSided(touching(f, one, other, gap, (gap / near) * z)), dealt(f.counts(one), f.counts(other)));
  if (gap > near && strict > z) {
    const far = half(f(one, strict), f(other, strict));
    if (far > near) return twoSided(z + ((strict - z) * (gap - near)) / (far - near));
  }
  return twoSided((gap / near) * z);
}
const LIGHT = 0.02; // skewness up to which Newcombe's interval holds its level; as in estimates/means.py
/** p of the difference of two shares when all rows are dealt to both sides by chance, where it is skewed; else 0. See estimates/dealt.py. */
function dealt([x, n], [y, m]) {
  const all = n + m, p = x / n, q = y / m, gap = p - q, u = p * (1 - p) * n, v = q * (1 - q) * m, each = 1 / n + 1 / m;
  const skew = ((u * (1 - 2 * p) + v * (1 - 2 * q)) / (u + v) ** 1.5) * Math.sqrt(all) * ((1 / n ** 2 - 1 / m ** 2) / each ** 1.5);
  if (!(Math.abs(skew) >= LIGHT)) return 0;
  const error = Math.sqrt(((u + v + (n * m * gap * gap) / all) / (all - 1)) * each);
  const size = Math.abs(skew), shape = 4 / size ** 2, bend = Math.min(size, 1) / 6, t = (gap / error) * Math.sign(skew); // the long tail is above 0
  if (t > 0) return Math.min(1, 2 * upperGamma(shape, shape + t * Math.sqrt(shape)));
  const at = t - bend * (t * t - 1), one = twoSided(at);
  return Math.min(1, at < 0 ? one : 2 - one);
}
/** The upper tail of a gamma distribution of this shape: a series below its middle, a continued fraction (Lentz) above. */
export function upperGamma(shape, x) {
  if (!(x > 0)) return 1;
  const front = Math.exp(shape * Math.log(x) - x - logGamma(shape));
  if (x < shape + 1) {
    let term = 1 / shape, sum = term;
    for (let k = 1; k < 10000 && term > sum * 1e-16; k++) { term *= x / (shape + k); sum += term; }
    return 1 - front * sum;
  }
  let b = x + 1 - shape, c = 1e300, d = 1 / b, f = d;
  for (let k = 1; k < 10000; k++) {
    const a = -k * (k - shape);
    b += 2;
    d = 1 / (a * d + b);
    c = b + a / c;
    f *= c * d;
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return front * f;
}
/** Stirling's series, shifted to where it is exact. */
function logGamma(x) {
  let shift = 0;
  for (; x < 20; x++) shift -= Math.log(x);
  return shift + (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5);
}
/** Distance from a share p of n to its Wilson bound below. */
const below = (p, n, z) => ((z * z * (p - 0.5)) / n + z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n))) / (1 + (z * z) / n);
/**
 * The quantile at which the interval of the difference of two shares touches zero: half-widths grow nearly as a power of it,
 * so secants on logarithms meet the gap in a few steps.
 */
function touching(f, one, other, gap, z) {
  let [x, n] = f.counts(one), [y, m] = f.counts(other);
  if (x / n < y / m) [x, n, y, m] = [y, m, x, n];
  const p = x / n, q = 1 - y / m; // what lies below the greater and above the lesser
  let slope = 1, at = Math.log(z), before = NaN, miss = NaN;
  for (let i = 0; i < 60; i++) {
    z = Math.exp(at);
    const now = Math.log(Math.hypot(below(p, n, z), below(q, m, z)) / gap);
    if (i > 0 && now !== miss) slope = Math.max(0.05, (now - miss) / (at - before));
    if (!(Math.abs(now) > 1e-10 * slope)) break;
    [before, miss, at] = [at, now, at - now / slope];
  }
  return z;
}
/** The quantile at which one of n cohorts must differ (Bonferroni); NaN for fewer than two. */
export function strictest(level, n) {
  if (n < 2) return NaN;
  const alpha = (1 - level) / n;
  let low = 0, high = 40;
  for (let i = 0; i < 80; i++) { const m = (low + high) / 2; twoSided(m) > alpha ? (low = m) : (high = m); }
  return (low + high) / 2;
}

/** 2 (1 − Φ(z)): a series near 0, a continued fraction beyond. */
export function twoSided(z) {
  const x = Math.abs(z) / Math.SQRT2;
  if (Number.isNaN(x)) return NaN;
  if (x < 2) {
    let term = x, sum = x;
    for (let n = 1; n < 80 && Math.abs(term) > 1e-18; n++) { term *= (-x * x) / n; sum += term / (2 * n + 1); }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let f = 0;
  for (let n = 60; n > 0; n--) f = n / 2 / (x + f);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + f);
}

/** Holm 1979; NaN is not a test. */
export function holm(p) {
  const order = [...p.keys()].filter((i) => !Number.isNaN(p[i])).sort((a, b) => p[a] - p[b]), out = new Float64Array(p.length).fill(NaN);
  let worst = 0;
  order.forEach((i, rank) => { worst = Math.max(worst, Math.min(1, p[i] * (order.length - rank))); out[i] = worst; });
  return out;
}

/**
 * Corrected p of every cohort's difference to the rest, as the kernel has them: cohorts with fewer than ten rows are no
 * tests; those with too few events for a verdict count as tests that find nothing.
 */
export function looks(metric, cells, all, z, strict) {
  const none = new Uint8Array(cells.length);
  const p = Float64Array.from(cells, (cell, c) => {
    const others = rest(all, cell), found = differ(METRICS[metric], cell, others, z, strict);
    const support = Math.min(SHARES[metric](cell)[1], SHARES[metric](others)[1]);
    none[c] = !Number.isNaN(found) && (support < 10 || few(metric, cell) || few(metric, others));
    return none[c] ? (support < 10 ? NaN : 1) : found;
  });
  return holm(p).map((value, c) => (none[c] ? 1 : value));
}

/** Points of the ROC curve from (1, 1) to (0, 0), one per key. */
export function roc(t, c) {
  const pos = t.above(c, 1, 0), neg = t.above(c, 0, 0), out = [];
  for (let k = 0; k <= t.keys; k++) out.push([t.above(c, 0, k) / neg, t.above(c, 1, k) / pos]);
  return out;
}

/** Points (recall, precision), one per key with predicted positives. */
export function pr(t, c) {
  const pos = t.above(c, 1, 0), out = [];
  for (let k = 0; k < t.keys; k++) { const tp = t.above(c, 1, k), n = tp + t.above(c, 0, k); if (n > 0) out.push([tp / pos, tp / n]); }
  return out;
}

/** Share of the rows taken from the top against the share of positives found, one point per key, from (0, 0). */
export function gains(t, c) {
  const pos = t.above(c, 1, 0), n = pos + t.above(c, 0, 0), out = [[0, 0]];
  for (let k = t.keys - 1; k >= 0; k--) out.push([(t.above(c, 1, k) + t.above(c, 0, k)) / n, t.above(c, 1, k) / pos]);
  return out;
}

/** Greatest gap of the two classes' shares over the keys: [gap, key]. */
export function ks(t, c) {
  const pos = t.above(c, 1, 0), neg = t.above(c, 0, 0);
  let best = [0, 0];
  for (let k = 0; k < t.keys; k++) { const gap = Math.abs(t.above(c, 1, k) / pos - t.above(c, 0, k) / neg); if (gap > best[0]) best = [gap, k]; }
  return best;
}

/** Bins of equal width in score: {low, high, n, observed: [share, low, high], mean}; `mean` is exact to a key's width. */
export function calibration(t, c, bins, z) {
  const out = [], lo = t.edges[0], hi = Math.max(t.edges[t.keys - 1], lo + 1e-12);
  for (let b = 0; b < bins; b++) {
    const low = from(t.edges, lo + ((hi - lo) * b) / bins - 1e-12), high = b === bins - 1 ? t.keys : from(t.edges, lo + ((hi - lo) * (b + 1)) / bins - 1e-12);
    if (high <= low) continue;
    const x = t.above(c, 1, low) - t.above(c, 1, high), n = x + t.above(c, 0, low) - t.above(c, 0, high);
    if (!(n > 0)) continue;
    let sum = 0;
    for (let k = low; k < high; k++) {
      const rows = t.above(c, 0, k) - t.above(c, 0, k + 1) + t.above(c, 1, k) - t.above(c, 1, k + 1);
      sum += (rows * (t.edges[k] + (k + 1 < t.keys ? t.edges[k + 1] : t.edges[k]))) / 2;
    }
    out.push({ low: t.edges[low], high: high < t.keys ? t.edges[high] : Infinity, n, observed: wilson(x, n, z), mean: sum / n });
  }
  return out;
}

/** Order of the cohorts; what has no value comes last, ties keep their place. */
export function order(values, down) {
  const at = [...values.keys()], text = typeof values[0] === "string";
  const compare = text ? (a, b) => values[a].localeCompare(values[b], undefined, { numeric: true }) : (a, b) => values[a] - values[b];
  const missing = (i) => !text && Number.isNaN(values[i]);
  return at.sort((a, b) => missing(a) - missing(b) || (missing(a) ? 0 : (down ? -1 : 1) * compare(a, b)) || a - b);
}
