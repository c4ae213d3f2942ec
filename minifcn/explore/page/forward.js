// Forward: what the chosen number is made of.

import { drawMap, ground } from "./colours.js";
import { deconvolution } from "./deconvolution.js";
import { make, matrix, paragraph, table } from "./elements.js";
import { line } from "./map.js";
import { largest, largestOf, product, say, sayBeside, sumOf } from "./numbers.js";

/** The terms of each (source, channel) together: [{source, channel, first, count, sum}], in their order. */
export function byChannel(terms) {
  const groups = [];
  for (let i = 0; i < terms.x.length; i++) {
    let group = groups.at(-1);
    if (!group || group.source !== terms.source[i] || group.channel !== terms.channel[i]) {
      group = { source: terms.source[i], channel: terms.channel[i], first: i, count: 0, sum: 0 };
      groups.push(group);
    }
    group.count += 1;
    group.sum += product(terms, i);
  }
  return groups;
}

/** The terms from `first` on, `count` of them, and some of their columns as grids. */
export function cut(terms, first, count) {
  const part = Object.fromEntries(Object.entries(terms).map(([name, values]) => [name, values.slice(first, first + count)]));
  return { ...part, columns: new Set(part.column).size, products: Array.from(part.x, (x, i) => x * part.weight[i]) };
}

/** Indices of the terms, the largest product first. */
export function bySize(terms, most) {
  return Array.from(terms.x.keys()).sort((a, b) => Math.abs(product(terms, b)) - Math.abs(product(terms, a))).slice(0, most);
}

export function heading(name, place, value) {
  return make("p", { class: "number" }, make("code", {}, `${name}[${place.channel}, ${place.row}, ${place.column}] = `),
    make("span", { id: "number" }, value));
}

/** Draws the panel. `what`: step, steps, place, answer, chosen (input channel), actions. */
export function drawForward(element, what) {
  const { step, place, answer } = what;
  const most = largestOf(answer.terms, answer.bias, answer.value);
  const parts = [heading(step.key, place, sayBeside(answer.value, most))];
  if (answer.stored !== undefined) parts.push(paragraph(make("span", { class: "muted" }, `stored in 16 bits as ${sayBeside(answer.stored, most)}`)));
  if (step.kind === "picture") parts.push(paragraph("A number that the network was given: the picture, prepared as it was for training. It is made of nothing else."));
  else if (answer.missing) parts.push(paragraph(answer.missing));
  else parts.push(together(answer, step, most), ...explained(what));
  parts.push(lines(step));
  element.replaceChildren(...parts);
}

function explained(what) {
  const { step, answer } = what;
  const special = { MaxPool2d: pooling, BatchNorm2d: normed, ReLU: rectified, Crop: cropped, PadTo: padded, Add: met, Concat: met };
  if (!step.known && !answer.isSum) {
    return [paragraph("This layer is no sum of products. Here is its tangent: each input times the derivative by it, and what is left over."), ...products(what)];
  }
  if (step.known || ["Crop", "PadTo", "Add", "Concat"].includes(step.kind)) {
    if (special[step.kind]) return special[step.kind](what);
  }
  return products(what);
}

function products(what) {
  const { step, answer, actions } = what;
  const { terms } = answer;
  const groups = byChannel(terms);
  if (!groups.length) return [paragraph("No product: nothing reaches this number.")];
  const loudest = groups.reduce((best, group, i) => (Math.abs(group.sum) > Math.abs(groups[best].sum) ? i : best), 0);
  const found = groups.findIndex((group) => group.channel === what.chosen && group.source === (what.chosenSource ?? group.source));
  const group = groups[found < 0 ? loudest : found];
  const source = sourceKey(what, group.source);
  const intro = paragraph(`${terms.x.length} product${terms.x.length === 1 ? "" : "s"} of a weight and a number of `, make("code", {}, source),
    groups.length > 1 ? `, from ${groups.length} channels. Each bar is one channel's part; pick one.` : ".");
  const parts = [intro];
  if (groups.length > 1) parts.push(bars(groups, group, (chosen) => actions.choose(chosen.channel)));
  if (answer.views) parts.push(...deconvolution(answer, step, group, what));
  else parts.push(windowed(step, terms, group, source), imcol(terms));
  parts.push(largestTerms(what, terms));
  return parts;
}

export function sourceKey(what, slot) {
  const number = what.step.sources[slot];
  return number === null || number === undefined ? "a line of the network's own" : what.steps[number].key;
}

/** A bar for each channel; a click picks one. */
function bars(groups, chosen, pick) {
  const canvas = make("canvas", { class: "bars", role: "img", "aria-label": `The parts of ${groups.length} channels; the chosen one is channel ${chosen.channel}, ${say(chosen.sum)}` });
  const W = (canvas.width = Math.max(600, groups.length)), H = (canvas.height = 108);
  const pen = canvas.getContext("2d");
  const most = Math.max(...groups.map((group) => Math.abs(group.sum))) || 1;
  const wide = W / groups.length;
  const styles = getComputedStyle(document.documentElement);
  groups.forEach((group, i) => {
    const high = (Math.abs(group.sum) / most) * (H / 2 - 4);
    pen.fillStyle = group === chosen ? styles.getPropertyValue("--mark") : ground(group.sum < 0 ? -0.8 : 0.8).background;
    pen.fillRect(i * wide, group.sum < 0 ? H / 2 : H / 2 - high, Math.max(1, wide - (wide > 4 ? 1.5 : 0)), Math.max(high, 1));
  });
  pen.fillStyle = styles.getPropertyValue("--muted");
  pen.fillRect(0, H / 2, W, 1);
  canvas.onclick = (event) => {
    const box = canvas.getBoundingClientRect();
    pick(groups[Math.min(groups.length - 1, Math.floor(((event.clientX - box.left) / box.width) * groups.length))]);
  };
  const named = make("select", { "aria-label": "Input channel", onchange: (event) => pick(groups[Number(event.target.value)]) },
    ...groups.map((group, i) => make("option", { value: i, selected: group === chosen }, `channel ${group.channel}: ${say(group.sum, 3)}`)));
  return make("div", {}, canvas, make("div", { class: "row-of" }, make("span", { class: "muted" }, "input"), named));
}

function windowed(step, terms, group, source) {
  const part = cut(terms, group.first, group.count);
  const inside = step.inputSize ?? [Infinity, Infinity];
  const padding = new Set([...part.x.keys()].filter((i) => part.row[i] < 0 || part.column[i] < 0 || part.row[i] >= inside[0] || part.column[i] >= inside[1]));
  const at = `rows ${part.row[0]} to ${part.row.at(-1)}, columns ${part.column[0]} to ${part.column.at(-1)}`.replace(/-/g, "\u2212");
  const words = padding.size ? `; ${padding.size} in the padding` : "";
  return make("div", {},
    make("h3", {}, `Channel ${group.channel} of ${source}: ${at}${words}`),
    make("div", { class: "matrices" },
      matrix(part.x, part.columns, { caption: "window of the input", padding }), make("b", {}, "\u00d7"),
      matrix(part.weight, part.columns, { caption: "kernel" }), make("b", {}, "="),
      matrix(part.products, part.columns, { caption: `products, together ${say(group.sum)}` })));
}

/** The im2col column, and the row of weights that it meets. */
function imcol(terms) {
  if (terms.x.length < 2) return "";
  const strips = [["x", terms.x], ["weight", terms.weight]].map(([name, values]) => {
    const canvas = make("canvas", { class: "column", role: "img", "aria-label": `${name}: ${values.length} numbers` });
    drawMap(canvas, values, 1, values.length, largest(values));
    return canvas;
  });
  return make("div", {}, make("h3", {}, `The same as a column of im2col (above, laid flat) under a row of weights (below): ${terms.x.length} numbers each`), ...strips);
}

function largestTerms(what, terms) {
  const chosen = bySize(terms, 6);
  const rows = chosen.map((i) => [
    String(terms.channel[i]), text(terms.row[i]), text(terms.column[i]), say(terms.weight[i]), say(terms.x[i]), say(product(terms, i)),
    go(what, terms.source[i], terms.channel[i], terms.row[i], terms.column[i]),
  ]);
  const rest = sumOf(terms) - chosen.reduce((sum, i) => sum + product(terms, i), 0);
  if (terms.x.length > chosen.length) rows.push([`${terms.x.length - chosen.length} more`, "", "", "", "", say(rest), ""]);
  return make("div", {}, make("h3", {}, "The largest products"), table(["channel", "row", "column", "weight", "x", "product", ""], rows));
}

const text = (number) => String(number).replace("-", "\u2212");

/** A button that opens a number of one of the inputs. */
function go(what, slot, channel, row, column) {
  const number = what.step.sources[slot];
  if (number === null || number === undefined) return "";
  const step = what.steps[number];
  const [, C, H = 1, W = 1] = step.shape;
  if (row < 0 || column < 0 || row >= H || column >= W || channel >= C) return "padding";
  return make("button", { "aria-label": `open ${step.key}, channel ${channel}, row ${row}, column ${column}`, onclick: () => what.actions.open(step.key, channel, row, column) }, "\u2192");
}

function pooling(what) {
  const { terms } = what.answer;
  const won = terms.weight.indexOf(1);
  const columns = new Set(terms.column).size;
  return [
    paragraph(`The largest of ${terms.x.length} numbers of `, make("code", {}, sourceKey(what, 0)), `: the one at row ${terms.row[won]}, column ${terms.column[won]} wins. On the way back it alone gets the gradient.`),
    make("div", { class: "matrices" }, matrix(terms.x, columns, {
      caption: `rows ${terms.row[0]} to ${terms.row.at(-1)}, columns ${terms.column[0]} to ${terms.column.at(-1)}`, marks: new Set([won]),
      click: (i) => what.actions.open(sourceKey(what, 0), terms.channel[i], terms.row[i], terms.column[i]),
      spoken: (i) => `row ${terms.row[i]}, column ${terms.column[i]}${i === won ? ", the winner" : ""}`,
    })),
  ];
}

function normed(what) {
  const four = what.answer.four;
  const rows = [
    ["x \u2212 mean", `${say(four.x)} \u2212 ${say(four.mean)}`, say(four.centred)],
    ["/ deviation", `${say(four.centred)} / ${say(four.deviation)}`, say(four.normalised)],
    ["\u00b7 weight", `${say(four.normalised)} \u00b7 ${say(four.weight)}`, say(four.scaled)],
    ["+ bias", `${say(four.scaled)} + ${say(four.bias)}`, say(four.y)],
  ];
  return [paragraph("Four steps, with the mean and the deviation that training has kept for this channel. Together they are one product and a bias."), table(["step", "", "gives"], rows)];
}

function rectified(what) {
  const { terms } = what.answer;
  const x = terms.x[0];
  return [paragraph(`max(x, 0): x is ${say(x)}, so it ${x > 0 ? "goes through as it is" : "is stopped, and so is its gradient"}.`), met(what)[0]];
}

function padded(what) {
  return what.answer.terms.x.length ? met(what) : [paragraph("Padding: a zero that was put around the picture, so that its sides divide.")];
}

/** Which numbers met here, and where each of them looks. */
function met(what) {
  const { terms } = what.answer;
  const rows = Array.from(terms.x, (x, i) => {
    const place = what.steps[what.step.sources[terms.source[i]]]?.place;
    return [sourceKey(what, terms.source[i]), `[${terms.channel[i]}, ${text(terms.row[i])}, ${text(terms.column[i])}]`, looks(place, terms.row[i]), say(x),
      go(what, terms.source[i], terms.channel[i], terms.row[i], terms.column[i])];
  });
  const places = new Set(rows.map((row) => row[2]));
  const words = places.size === 1 && !places.has("?") ? "Both look at the same place of the picture, or their sum would mean nothing." : "";
  return [table(["from", "place", "looks at row", "number", ""], rows), ...(terms.x.length > 1 ? [paragraph(`Two roads meet here. ${words}`)] : [])];
}

function looks(place, row) {
  if (!place) return "?";
  const value = fraction(place[0]) * row + fraction(place[1]);
  return say(Math.round(value * 1000) / 1000, 4).replace(/\.?0+$/, "");
}

export function fraction(words) {
  const [above, below = "1"] = words.split("/");
  return Number(above) / Number(below);
}

function cropped(what) {
  const { step, steps } = what;
  const before = steps[step.sources[0]];
  const why = [];
  if (before?.place && step.place) {
    const stride = fraction(step.place[0]), moved = fraction(step.place[1]) - fraction(before.place[1]);
    const pixels = moved / stride;
    why.push(paragraph(`Why ${pixels}? Pixel i of ${before.key} looks at row ${line(before.place)} of the picture. `
      + `Without its first ${pixels} rows and columns, pixel i looks at ${line(step.place)}: `
      + (partner(what) ?? "where pixel i of the picture lies, so scores and picture lie on each other.")));
  }
  return [...met(what), ...why];
}

/** The other road of the meeting that this crop is made for. */
function partner({ step, steps }) {
  const number = steps.indexOf(step);
  const meeting = steps.find((other) => other.sources.length > 1 && other.sources.includes(number));
  if (!meeting) return null;
  const others = meeting.sources.filter((source) => source !== number && source !== null).map((source) => steps[source].key);
  return `where ${others.join(" and ")} looks, which it meets in ${meeting.key}.`;
}

function together(answer, step, most) {
  const rest = !step.known && !answer.isSum ? "what is left over" : "bias";
  return make("p", { class: "together" }, `products ${sayBeside(sumOf(answer.terms), most)} + ${rest} ${sayBeside(answer.bias, most)} = `,
    make("b", { id: "sum" }, sayBeside(sumOf(answer.terms, answer.bias), most)),
    answer.stored === undefined ? "" : ` from 16-bit numbers; the true number is ${sayBeside(answer.value, most)}`);
}

export function lines(step) {
  return make("dl", { class: "lines" }, make("dt", {}, "minifcn"), make("dd", {}, make("code", {}, step.minifcn)),
    ...(step.torch ? [make("dt", {}, "PyTorch"), make("dd", {}, make("code", {}, step.torch))] : []));
}
