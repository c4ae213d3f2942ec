// Backward: what the gradient of the chosen number, or of a weight, is made of.

import { drawMap } from "./colours.js";
import { make, matrix, paragraph, table } from "./elements.js";
import { bySize, heading, lines } from "./forward.js";
import { largest, largestOf, product, say, sayBeside, sumOf } from "./numbers.js";

/** Draws the panel. `what`: step, steps, place, answer, start, weight (the opened weight or null), kernel, actions. */
export function drawBackward(element, what) {
  const { step, place, answer } = what;
  const most = largestOf(answer.terms, answer.value);
  const from = what.start ? `${what.startName}` : `the loss (${say(answer.loss)})`;
  element.replaceChildren(
    heading(`d ${step.key}`, place, sayBeside(answer.value, most)),
    paragraph(`The gradient of ${from} by this number: how much it would move if this number moved by 1.`),
    make("p", { class: "together" }, `${answer.terms.x.length} ${answer.terms.x.length === 1 ? "window reads it, and gives" : "windows read it, and together give"} `, make("b", { id: "sum" }, sayBeside(sumOf(answer.terms), most))),
    ...readers(what),
    ...weights(what),
    backLines(step),
  );
}

function readers(what) {
  const { terms } = what.answer;
  if (!terms.x.length) return [paragraph("Nothing that leads there has read this number: its gradient is zero.")];
  const sums = new Map();
  for (let i = 0; i < terms.x.length; i++) sums.set(terms.source[i], (sums.get(terms.source[i]) ?? 0) + product(terms, i));
  const count = (number) => terms.source.filter((source) => source === number).length;
  const name = (number) => ({ "-1": "where the pass began", "-2": "lines of the network's own" })[number] ?? what.steps[number].key;
  const chosen = bySize(terms, 12);
  const rows = chosen.map((i) => [
    name(terms.source[i]), terms.channel[i] < 0 ? "all of it" : `[${terms.channel[i]}, ${terms.row[i]}, ${terms.column[i]}]`,
    say(terms.weight[i]), say(terms.x[i]), say(product(terms, i)), goReader(what, terms, i),
  ]);
  const rest = terms.x.length - chosen.length;
  if (rest > 0) rows.push([`${rest} more`, "", "", "", say(sumOf(terms) - chosen.reduce((sum, i) => sum + product(terms, i), 0)), ""]);
  return [
    make("h3", {}, "Who read it"),
    table(["layer", "windows", "gradient"], [...sums].map(([number, sum]) => [name(number), String(count(number)), say(sum)])),
    make("h3", {}, "Each window: how much of this number it takes, times its own gradient"),
    table(["read by", "at", "takes", "its gradient", "product", ""], rows),
  ];
}

function goReader(what, terms, i) {
  if (terms.source[i] < 0 || terms.channel[i] < 0) return "";
  const { key } = what.steps[terms.source[i]];
  return make("button", { "aria-label": `open ${key}, channel ${terms.channel[i]}, row ${terms.row[i]}, column ${terms.column[i]}`, onclick: () => what.actions.open(key, terms.channel[i], terms.row[i], terms.column[i]) }, "\u2192");
}

/** The kernel that leads from one input channel to this one, and the gradient of one of its weights as a sum over places. */
function weights(what) {
  const { kernel, weight, step, actions } = what;
  if (!kernel) return [];
  const columns = kernel.columns;
  const parts = [
    make("h3", {}, `The kernel from input channel ${kernel.input} to channel ${kernel.output}: pick a weight`),
    matrix(kernel.values, columns, {
      caption: "", marks: new Set(weight ? [weight.tap] : []), click: (i) => actions.openWeight(i),
      spoken: (i) => `weight ${Math.floor(i / columns)}, ${i % columns}`,
    }),
  ];
  if (weight) {
    const { terms, value } = weight.answer;
    const [, , H, W] = step.shape;
    const places = new Float64Array(H * W);
    for (let i = 0; i < terms.x.length; i++) places[terms.row[i] * W + terms.column[i]] += product(terms, i);
    const canvas = make("canvas", { role: "img", style: "width:100%;max-width:260px", "aria-label": `The ${terms.x.length} products, each at its place` });
    drawMap(canvas, places, H, W, largest(places));
    parts.push(paragraph(`Its gradient is ${say(value, 5)}: the sum of ${terms.x.length} products, one for each place where the window stood, of the number under the weight and the gradient of the output there. Together `, make("b", { id: "weight-sum" }, say(sumOf(terms), 5)), "."), canvas);
  }
  return parts;
}

function backLines(step) {
  if (step.kind === "picture") return "";
  const name = step.key.split("#")[0];
  return lines({ minifcn: `dx = net.${name}.backward(dy)`, torch: step.torch ? "dx, = torch.autograd.grad(y, x, grad_outputs=dy)" : "" });
}
