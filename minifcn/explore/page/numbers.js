// Numbers: unpacked from text, and written as text.

const KINDS = { f8: Float64Array, f4: Float32Array, i4: Int32Array, i1: Int8Array, u1: Uint8Array };

/** What packing.py packed: {data, shape}. */
export function unpack(packed) {
  const text = atob(packed.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return { data: new KINDS[packed.dtype](bytes.buffer), shape: packed.shape };
}

/** Terms of a sum: one typed array for each of source, channel, row, column, weight and x. */
export function unpackTerms(packed) {
  return Object.fromEntries(Object.entries(packed).map(([name, column]) => [name, unpack(column).data]));
}

/** A number with so many digits, and a true minus. */
export function say(value, digits = 4) {
  if (value === null || value === undefined) return "?";
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  const text = value === 0 ? "0" : size >= 1e5 || size < 1e-4 ? value.toExponential(digits - 1) : value.toPrecision(digits);
  return text.replace(/-/g, "\u2212");
}

/** A sum, to the fourth digit of the largest of its terms: what lies below is rounding, where they cancel each other. */
export function sayBeside(value, largestTerm) {
  if (value === null || !largestTerm || !Number.isFinite(value)) return say(value, 5);
  const last = Math.floor(Math.log10(largestTerm)) - 4;
  const rounded = Number((value / 10 ** last).toFixed(0)) * 10 ** last;
  return rounded === 0 ? "0" : say(rounded, Math.max(1, Math.floor(Math.log10(Math.abs(rounded)) + 1e-9) - last + 1));
}

/** For a narrow cell. */
export function brief(value) {
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size >= 1000 || size < 0.001) return value.toExponential(0).replace(/-/g, "\u2212").replace("e+", "e");
  return (size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(size >= 1 ? 2 : 3)).replace("-", "\u2212");
}

export function largest(values) {
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (size > most && size < Infinity) most = size;
  }
  return most;
}

export function product(terms, i) {
  return terms.weight[i] * terms.x[i];
}

/** The largest of the terms, the bias and the number that they make. */
export function largestOf(terms, ...others) {
  const sizes = Array.from(terms.x, (_, i) => Math.abs(product(terms, i)));
  return [...sizes, ...others.map(Math.abs)].reduce((most, size) => (size > most ? size : most), 0);
}

/** The sum of all products, added up as NumPy does not: one after the other, with what rounding lost kept beside. */
export function sumOf(terms, bias = 0) {
  let sum = bias, lost = 0;
  for (let i = 0; i < terms.x.length; i++) {
    const term = product(terms, i), next = sum + term;
    lost += Math.abs(sum) >= Math.abs(term) ? sum - next + term : term - next + sum;
    sum = next;
  }
  return sum + lost;
}
