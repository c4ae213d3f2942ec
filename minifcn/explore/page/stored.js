// Where the answers come from in an exported file: 16-bit weights and maps, and the formulas of the layers, forward.
// A page that a server serves has nothing stored.

import { largest } from "./numbers.js";

const HANDED_ON = new Set(["ReLU", "Dropout", "Identity", "Scale", "Crop", "PadTo", "Add", "Concat", "Flatten"]);
const MISSING = "What this kind of layer does is not in the file; minifcn explore, which has the network, shows it.";

export function storedSource() {
  const element = document.getElementById("stored");
  return element ? new StoredSource(JSON.parse(element.textContent)) : null;
}

class StoredSource {
  can = { backward: false, influence: false, change: false };

  constructor(content) {
    this.content = content;
    this.steps = content.overview.steps;
    this.numbers = new Map(this.steps.map((step, number) => [step.key, number]));
    this.made = new Map();
  }

  async overview() {
    this.arrays = await unpackArrays(this.content);
    return this.content.overview;
  }

  /** A step's maps: those that were stored, or with `exact` the true ones. What only hands numbers on is done again. */
  maps(number, exact = false) {
    const name = `${number} ${exact}`;
    if (!this.made.has(name)) this.made.set(name, this.make(number, exact));
    return this.made.get(name);
  }

  make(number, exact) {
    const step = this.steps[number], extra = this.content.steps[number];
    const [, C, H = 1, W = 1] = step.shape;
    const stored = this.arrays.get(`map ${number}`);
    if (stored) {
      const rest = exact ? this.arrays.get(`rest ${number}`) : null;
      return { C, H, W, data: rest ? stored.map((value, i) => value + rest[i]) : stored };
    }
    const inputs = step.sources.map((source) => this.maps(source, exact));
    const data = new Float32Array(C * H * W);
    for (let c = 0, i = 0; c < C; c++) for (let h = 0; h < H; h++) for (let w = 0; w < W; w++, i++) {
      for (const [slot, channel, row, column, weight] of handedOn(step, extra, inputs, c, h, w)) data[i] += weight * at(inputs[slot], channel, row, column);
    }
    return { C, H, W, data };
  }

  async map(key, channel) {
    const { data, H, W } = this.maps(this.numbers.get(key));
    return { data: data.subarray(channel * H * W, (channel + 1) * H * W), shape: [H, W] };
  }

  async channels(key) {
    const number = this.numbers.get(key);
    const { H, W } = this.maps(number);
    return Promise.all(this.content.steps[number].channels.map(async (channel) => {
      const { data } = await this.map(key, channel);
      const most = largest(data) || 1;
      return { channel, data: data.map((value) => (127 * value) / most), shape: [H, W] };
    }));
  }

  async kernel(key, channel, input) {
    const number = this.numbers.get(key), step = this.steps[number];
    const [first, second] = step.kind === "ConvTranspose2d" ? [input, channel % step.weight[1]] : [channel, input % step.weight[1]];
    const [, CG, KH, KW] = step.weight, from = (first * CG + second) * KH * KW;
    return { first, second, values: this.arrays.get(`weight ${number}`).subarray(from, from + KH * KW), columns: KW };
  }

  async forward({ key, channel, row, column }) {
    const number = this.numbers.get(key), step = this.steps[number];
    const value = at(this.maps(number, true), channel, row, column), stored = at(this.maps(number), channel, row, column);
    const answer = { value, stored, bias: 0, isSum: true, box: this.field(number, row, column), terms: columns([]) };
    if (step.kind === "picture") return { ...answer, bias: value };
    const formula = FORMULAS[step.kind];
    if (!formula && !HANDED_ON.has(step.kind)) return { ...answer, missing: MISSING };
    const inputs = step.sources.map((source) => this.maps(source));
    const found = formula ? formula(this, number, inputs, channel, row, column) : { rows: handedOn(step, this.content.steps[number], inputs, channel, row, column) };
    const filled = (rows) => columns(rows.map((term) => [...term, at(inputs[term[0]], term[1], term[2], term[3])]));
    const views = found.zeros && { stamps: filled(found.rows), zeros: columns(found.zeros), phases: filled(found.rows) };
    return { ...answer, bias: found.bias ?? 0, terms: filled(found.rows), four: found.four, views };
  }

  /** The receptive field, as fields.py finds it. */
  field(number, row, column) {
    const boxes = new Map([[number, [row, column, row, column]]]);
    for (let at = number; at > 0; at--) {
      if (!boxes.has(at)) continue;
      const [top, left, bottom, right] = boxes.get(at), { reach } = this.content.steps[at];
      for (const source of this.steps[at].sources) {
        const [, , H = 1, W = 1] = this.steps[source].shape;
        const rows = reach ? span(reach[0], top, bottom) : [0, H - 1], sides = reach ? span(reach[1], left, right) : [0, W - 1];
        if (source > 0) { // what lies in the padding on the way is left out
          [rows[0], rows[1], sides[0], sides[1]] = [Math.max(rows[0], 0), Math.min(rows[1], H - 1), Math.max(sides[0], 0), Math.min(sides[1], W - 1)];
          if (rows[0] > rows[1] || sides[0] > sides[1]) continue;
        }
        const old = boxes.get(source) ?? [rows[0], sides[0], rows[1], sides[1]];
        boxes.set(source, [Math.min(old[0], rows[0]), Math.min(old[1], sides[0]), Math.max(old[2], rows[1]), Math.max(old[3], sides[1])]);
      }
    }
    return boxes.get(0) ?? null;
  }
}

function span([stride, offset, field], first, last) {
  return [Math.floor(stride * first + offset - field / 2 + 1e-9) + 1, Math.ceil(stride * last + offset + field / 2 - 1e-9) - 1];
}

function at({ data, C, H, W }, channel, row, column) {
  return row < 0 || column < 0 || row >= H || column >= W || channel >= C ? 0 : data[(channel * H + row) * W + column];
}

/** Rows [source, channel, row, column, weight, x] as columns. */
function columns(rows) {
  const names = ["source", "channel", "row", "column", "weight", "x"];
  return Object.fromEntries(names.map((name, i) => [name, rows.map((term) => term[i])]));
}

/** The terms [slot, channel, row, column, weight] of a layer that hands numbers on. */
function handedOn(step, extra, inputs, c, h, w) {
  if (step.kind === "ReLU") return [[0, c, h, w, at(inputs[0], c, h, w) > 0 ? 1 : 0]];
  if (step.kind === "Scale") return [[0, c, h, w, extra.factor]];
  if (step.kind === "Crop") return [[0, c, h + extra.offset, w + extra.offset, 1]];
  if (step.kind === "Add") return inputs.map((_, slot) => [slot, c, h, w, 1]);
  if (step.kind === "PadTo") {
    const { H, W } = inputs[0], row = h - extra.margin, column = w - extra.margin;
    return row >= 0 && column >= 0 && row < H && column < W ? [[0, c, row, column, 1]] : [];
  }
  if (step.kind === "Flatten") {
    const { H, W } = inputs[0];
    return [[0, Math.floor(c / (H * W)), Math.floor(c / W) % H, c % W, 1]];
  }
  if (step.kind === "Concat") {
    let slot = 0;
    while (c >= inputs[slot].C) c -= inputs[slot++].C;
    return [[slot, c, h, w, 1]];
  }
  return [[0, c, h, w, 1]];
}

/** Where the taps of a window lie: [tap, place], and which of them meet a pixel of a transposed convolution's input. */
const window1 = ([K, S, P, D], o) => Array.from({ length: K }, (_, k) => [k, o * S - P + k * D]);
const readers1 = ([K, S, P, D], o) => Array.from({ length: K }, (_, k) => [k, (o + P - k * D) / S]);

const FORMULAS = {
  Conv2d(source, number, inputs, c, h, w) {
    const [O, CG, KH, KW] = source.steps[number].weight, { axes, groups } = source.content.steps[number];
    const weight = source.arrays.get(`weight ${number}`), from = Math.floor(c / (O / groups)) * CG, rows = [];
    for (let k = 0; k < CG; k++) for (const [kh, row] of window1(axes[0], h)) for (const [kw, column] of window1(axes[1], w)) {
      rows.push([0, from + k, row, column, weight[((c * CG + k) * KH + kh) * KW + kw]]);
    }
    return { rows, bias: source.arrays.get(`bias ${number}`)?.[c] };
  },
  ConvTranspose2d(source, number, inputs, c, h, w) {
    const [C, OG, KH, KW] = source.steps[number].weight, { axes, groups } = source.content.steps[number];
    const weight = source.arrays.get(`weight ${number}`), CG = C / groups, rows = [], zeros = [];
    for (let k = 0; k < CG; k++) for (const [kh, row] of readers1(axes[0], h).reverse()) for (const [kw, column] of readers1(axes[1], w).reverse()) {
      const channel = Math.floor(c / OG) * CG + k, factor = weight[((channel * OG + (c % OG)) * KH + kh) * KW + kw];
      const inside = Number.isInteger(row) && Number.isInteger(column) && row >= 0 && column >= 0 && row < inputs[0].H && column < inputs[0].W;
      if (inside) rows.push([0, channel, row, column, factor]);
      zeros.push([0, channel, Math.round(row * axes[0][1]), Math.round(column * axes[1][1]), factor, inside ? at(inputs[0], channel, row, column) : 0]);
    }
    return { rows, zeros, bias: source.arrays.get(`bias ${number}`)?.[c] };
  },
  MaxPool2d(source, number, inputs, c, h, w) {
    const { axes } = source.content.steps[number], { H, W } = inputs[0], rows = [];
    for (const [, row] of window1(axes[0], h)) for (const [, column] of window1(axes[1], w)) {
      if (row >= 0 && column >= 0 && row < H && column < W) rows.push([0, c, row, column, 0]);
    }
    const won = rows.reduce((best, term) => (at(inputs[0], c, term[2], term[3]) > at(inputs[0], c, best[2], best[3]) ? term : best));
    won[4] = 1;
    return { rows };
  },
  BatchNorm2d(source, number, inputs, c, h, w) {
    const [mean, deviation, weight, bias] = source.content.steps[number].norm.map((values) => values[c]);
    const x = at(inputs[0], c, h, w), normalised = (x - mean) / deviation, scaled = weight * normalised;
    const four = { x, mean, centred: x - mean, deviation, normalised, weight, scaled, bias, y: scaled + bias };
    return { rows: [[0, c, h, w, weight / deviation]], bias: bias - (mean * weight) / deviation, four };
  },
  Linear(source, number, inputs, c) {
    const weight = source.arrays.get(`weight ${number}`), { C } = inputs[0];
    return { rows: Array.from({ length: C }, (_, k) => [0, k, 0, 0, weight[c * C + k]]), bias: source.arrays.get(`bias ${number}`)?.[c] };
  },
};

/** The arrays, as export.py packs them: bytes that were deflated, all high halves, all low ones, and eight bits more for each number of a map. */
async function unpackArrays({ arrays, bytes: count, data }) {
  const stream = new Blob([base85(data).slice(0, count)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const half = arrays.reduce((sum, [, size]) => sum + size, 0);
  const found = new Map();
  let from = 0, tail = 2 * half;
  for (const [name, size, step] of arrays) {
    const values = new Float32Array(size), rest = name.startsWith("map") ? new Float32Array(size) : null;
    for (let i = 0; i < size; i++) {
      const bits = (bytes[from + i] << 8) | bytes[half + from + i], root = bits < 0x8000 ? bits : bits - 0x10000;
      values[i] = step * root * Math.abs(root);
      if (rest) {
        const whole = root + (bytes[tail++] - 127) / 254;
        rest[i] = step * whole * Math.abs(whole) - values[i];
      }
    }
    found.set(name, values);
    if (rest) found.set(name.replace("map", "rest"), rest);
    from += size;
  }
  return found;
}

/** Five letters for four bytes, in the alphabet of RFC 1924. The last word may be filled up with zeros. */
function base85(text) {
  const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
  const digit = new Uint8Array(128);
  for (let i = 0; i < 85; i++) digit[alphabet.charCodeAt(i)] = i;
  const bytes = new DataView(new ArrayBuffer((text.length / 5) * 4));
  for (let i = 0, j = 0; i < text.length; i += 5, j += 4) {
    let word = 0;
    for (let k = 0; k < 5; k++) word = word * 85 + digit[text.charCodeAt(i + k)];
    bytes.setUint32(j, word);
  }
  return bytes.buffer;
}
