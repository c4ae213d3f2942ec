// The strip: every step of the forward pass with its liveliest maps, and the skips as arcs.

import { drawMap } from "./colours.js";
import { make } from "./elements.js";
import { unpack } from "./numbers.js";

const SMALL = new Set(["ReLU", "Dropout", "Identity", "Flatten", "Scale"]);

export function sizeOf(step) {
  const [, C, H = 1, W = 1] = step.shape;
  return { C, H, W };
}

/** The shape in words, as (N, C, H, W). */
export function shapeText(step) {
  return step.shape.join(" \u00d7 ");
}

/** Draws the strip into its element: `shown` has for each step the channels and thumbnails to show, of its maps or of their
    gradients. pick(key, channel, row, column) is called on a click. */
export function drawStrip(strip, steps, shown, pick) {
  const kept = strip.scrollLeft;
  const row = make("div", { class: "row" });
  steps.forEach((step, number) => {
    const { channels, thumbs } = shown[number];
    const canvases = thumbs.map((thumb, i) => thumbCanvas(unpack(thumb), channels[i]));
    const card = make("button", {
      class: SMALL.has(step.kind) ? "card small" : "card", "data-key": step.key, title: `${step.key} (${step.kind}), ${shapeText(step)}`,
      onclick: (event) => clicked(event, step, pick),
    }, ...canvases, make("b", {}, step.key), make("i", {}, step.kind), make("i", {}, step.shape.slice(1).join("\u00d7")));
    row.append(card);
  });
  strip.replaceChildren(row);
  drawArcs(row, steps);
  strip.scrollLeft = kept;
}

export function thumbCanvas({ data, shape }, channel) {
  const canvas = make("canvas", { "data-channel": channel });
  drawMap(canvas, data, shape[0], shape[1], 127);
  return canvas;
}

/** On a thumbnail the click is a place; elsewhere on the card, or with the keyboard, it is the layer. */
function clicked(event, step, pick) {
  const { H, W } = sizeOf(step);
  if (event.target.dataset.channel === undefined) return pick(step.key);
  const box = event.target.getBoundingClientRect();
  const row = Math.min(H - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * H)));
  const column = Math.min(W - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * W)));
  return pick(step.key, Number(event.target.dataset.channel), row, column);
}

function drawArcs(row, steps) {
  const cards = [...row.querySelectorAll(".card")];
  const middle = (card) => card.offsetLeft + card.offsetWidth / 2;
  const paths = [];
  steps.forEach((step, number) => {
    for (const source of step.sources) {
      if (source === null || source === number - 1) continue;
      const from = middle(cards[source]), to = middle(cards[number]);
      const top = 40 - Math.min(34, 8 + (to - from) / 60);
      paths.push(`<path d="M${from} 44 C${from} ${top}, ${from} ${top}, ${from + 18} ${top} L${to - 18} ${top} C${to} ${top}, ${to} ${top}, ${to} 44"/>`);
    }
  });
  row.insertAdjacentHTML("beforeend", `<svg aria-hidden="true" width="${row.scrollWidth}">${paths.join("")}</svg>`);
}

/** Shows which step is chosen, and brings it into view. */
export function markStrip(strip, key) {
  for (const card of strip.querySelectorAll(".card")) {
    const chosen = card.dataset.key === key;
    card.setAttribute("aria-current", String(chosen));
    if (chosen && (card.offsetLeft < strip.scrollLeft || card.offsetLeft + card.offsetWidth > strip.scrollLeft + strip.clientWidth)) {
      strip.scrollLeft = card.offsetLeft - strip.clientWidth / 2;
    }
  }
}
