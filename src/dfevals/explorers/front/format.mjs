// The text of numbers, as the tables of the package write them. No DOM.

export const NONE = "–";

/** Decimal places that the uncertainty justifies: two significant digits of the half-width. */
export function places(value, low = NaN, high = NaN) {
  const arms = [low, high].map((e) => Math.abs(e - value)).filter(Number.isFinite);
  const half = arms.length ? arms.reduce((a, b) => a + b) / arms.length : 0;
  if (half > 0) return Math.max(0, 1 - Number(half.toExponential(1).split("e")[1]));
  if (value === 0 || !Number.isFinite(value)) return 3;
  const magnitude = Math.floor(Math.log10(Math.abs(value)));
  return magnitude >= 0 ? Math.max(0, 3 - magnitude) : Math.max(3, 2 - magnitude);
}
export function number(value, decimals = places(value)) {
  if (value == null || Number.isNaN(value)) return NONE;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value && (decimals > 6 || Math.abs(value) >= 1e7)) return value.toExponential(3);
  const text = value.toFixed(Math.min(decimals, 6));
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}
/** With thousands separators; whole numbers without places. */
export const count = (n) => (Number.isFinite(n) ? n.toLocaleString("en", { maximumFractionDigits: Number.isInteger(n) || n >= 1000 ? 0 : 1 }) : NONE);
export function estimate([value, low, high]) {
  const d = places(value, low, high);
  return Number.isFinite(low) ? `${number(value, d)} [${number(low, d)}, ${number(high, d)}]` : number(value, d);
}
export function signed(value, decimals) {
  const text = number(value, decimals);
  return value > 0 && Number(text) !== 0 ? `+${text}` : text;
}
export function percent(share) {
  if (!Number.isFinite(share)) return NONE;
  if (share > 0 && share < 0.005) return "<1 %";
  return share >= 0.995 && share < 1 ? ">99 %" : `${Math.round(share * 100)} %`;
}
export const pvalue = (p) => (Number.isNaN(p) || p == null ? NONE : p < 0.001 ? "<0.001" : p < 0.0995 ? p.toFixed(3) : p.toFixed(2));
/** Rising round ticks within [low, high]. */
export function ticks(low, high, most = 6) {
  if (!(high > low)) return [low];
  const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * (1 - 1e-9)), out = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) out.push(Number((i * step).toPrecision(12)));
  return out;
}
