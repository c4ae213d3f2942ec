// A transposed convolution in its three ways, product by product.

import { choice, make, matrix, paragraph } from "./elements.js";
import { largest, product, say } from "./numbers.js";

const WORDS = {
  stamps: "Each pixel of the input stamps the kernel, times its value, on the output. These are the pixels whose stamps cover this place, and the tap that each of them leaves here.",
  zeros: "Zeros are put between the pixels; then it is an ordinary convolution of stride 1, with the kernel turned round. Most products are with an inserted zero.",
  phases: "Of the kernel only the taps of this place's phase ever meet a pixel here: a small convolution of the input as it is, without a single inserted zero.",
};

/** The parts of the panel for one input channel; the view and the step are kept in what.memory. */
export function deconvolution(answer, step, group, what) {
  const box = make("div", {});
  const memory = what.memory;
  memory.view ??= "stamps";
  const draw = () => {
    const terms = ofChannel(answer.views[memory.view], group.channel);
    const count = terms.x.length;
    const at = Math.min(memory.step ?? count, count);
    const slider = make("input", { type: "range", min: 0, max: count, value: at, "aria-label": "Products so far", oninput: (event) => { memory.step = Number(event.target.value); update(); } });
    const body = make("div", {});
    const update = () => body.replaceChildren(...pictured(terms, Number(slider.value)));
    box.replaceChildren(
      make("h3", {}, "Three ways to the same number"),
      choice("View", Object.keys(WORDS), memory.view, (name) => { memory.view = name; memory.step = undefined; draw(); }),
      paragraph(make("span", { class: "muted" }, WORDS[memory.view])), slider, body);
    update();
  };
  draw();
  return [box];
}

function ofChannel(terms, channel) {
  const chosen = [...terms.x.keys()].filter((i) => terms.channel[i] === channel);
  return Object.fromEntries(Object.entries(terms).map(([name, values]) => [name, chosen.map((i) => values[i])]));
}

function pictured(terms, at) {
  const count = terms.x.length;
  if (!count) return [paragraph("Nothing of this channel reaches this place.")];
  const columns = new Set(terms.column).size;
  const done = Array.from({ length: count }, (_, i) => (i < at ? product(terms, i) : 0));
  const sum = done.reduce((total, term) => total + term, 0);
  const last = at - 1;
  const marks = new Set(at > 0 ? [last] : []);
  const zeros = new Set([...terms.x.keys()].filter((i) => terms.x[i] === 0));
  const words = at === 0 ? "no product yet" : `product ${at} of ${count}: ${say(terms.x[last])} \u00d7 ${say(terms.weight[last])} = ${say(product(terms, last))}; so far ${say(sum)}`;
  return [
    paragraph(words),
    make("div", { class: "matrices" },
      matrix(terms.x, columns, { caption: "input", marks, padding: zeros }), make("b", {}, "\u00d7"),
      matrix(terms.weight, columns, { caption: "taps", marks }), make("b", {}, "="),
      matrix(done, columns, { caption: `products so far: ${say(sum)}`, marks, scale: largest(terms.x.map((x, i) => x * terms.weight[i])) })),
  ];
}
