// The chosen map: large, with its neighbours among the channels, and the numbers around the cursor.

import { drawMap } from "./colours.js";
import { make, matrix, paragraph } from "./elements.js";
import { largest } from "./numbers.js";
import { frame, makeStage, markPen } from "./stage.js";
import { shapeText, sizeOf, thumbCanvas } from "./strip.js";

const AROUND = 3; // rows and columns to either side of the cursor

/** Draws the section. `what` has step, channel, row, column, values (H*W), title, box (marked places, or null), channels. */
export function drawChosen(element, what, actions) {
  const { step, channel, row, column, values } = what;
  const { C, H, W } = sizeOf(step);
  const stage = makeStage(H, W, `${what.title}, ${H} by ${W} numbers`, (r, c) => actions.place(r, c));
  drawMap(stage.dots, values, H, W, largest(values));
  const pen = markPen(stage);
  frame(pen, row, column, row, column);
  pen.globalAlpha = 0.45;
  pen.beginPath();
  pen.moveTo(column + 0.5, 0);
  pen.lineTo(column + 0.5, row);
  pen.moveTo(column + 0.5, row + 1);
  pen.lineTo(column + 0.5, H);
  pen.moveTo(0, row + 0.5);
  pen.lineTo(column, row + 0.5);
  pen.moveTo(column + 1, row + 0.5);
  pen.lineTo(W, row + 0.5);
  pen.stroke();
  const which = make("input", { type: "number", min: 0, max: C - 1, value: channel, "aria-label": "Channel", onchange: (event) => actions.channel(Number(event.target.value)) });
  element.replaceChildren(
    make("h2", {}, what.title),
    paragraph(make("span", { class: "shape" }, `${step.kind}, output (N, C, H, W) = ${shapeText(step)}${where(step)}`)),
    chips(what.channels, channel, actions.channel),
    stage.element,
    make("div", { class: "row-of" }, make("label", { class: "muted" }, "channel ", which), make("span", { class: "muted" }, `of ${C}, row ${row}, column ${column}`)),
    numbersAround(values, H, W, row, column, actions.place),
    what.extra ?? "",
  );
}

function where(step) {
  if (!step.place || step.kind === "picture") return "";
  return `; pixel i looks at ${line(step.place)}, and reads ${step.place[2]}`;
}

/** stride·i + offset, in words. */
export function line([stride, offset]) {
  const shift = offset === "0" ? "" : offset.startsWith("-") ? ` \u2212 ${offset.slice(1)}` : ` + ${offset}`;
  return `${stride === "1" ? "" : `${stride}\u00b7`}i${shift}`;
}

function chips(channels, chosen, pick) {
  return make("div", { class: "chips", role: "group", "aria-label": "Channels, those that vary the most first" },
    ...channels.map((thumb) => make("button", {
      "aria-pressed": String(thumb.channel === chosen), "aria-label": `channel ${thumb.channel}`, onclick: () => pick(thumb.channel),
    }, thumbCanvas(thumb, thumb.channel), String(thumb.channel))));
}

function numbersAround(values, H, W, row, column, pick) {
  const high = Math.min(2 * AROUND + 1, H), wide = Math.min(2 * AROUND + 1, W);
  const top = Math.max(0, Math.min(row - AROUND, H - high)), left = Math.max(0, Math.min(column - AROUND, W - wide));
  const at = (i) => [top + Math.floor(i / wide), left + (i % wide)];
  const numbers = Array.from({ length: high * wide }, (_, i) => values[at(i)[0] * W + at(i)[1]]);
  return matrix(numbers, wide, {
    caption: `rows ${top} to ${top + high - 1}, columns ${left} to ${left + wide - 1}`, scale: largest(values), marks: new Set([(row - top) * wide + column - left]),
    click: (i) => pick(...at(i)), spoken: (i) => `row ${at(i)[0]}, column ${at(i)[1]}`,
  });
}
