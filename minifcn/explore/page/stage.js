// A picture or a map that is looked at: dots below, marks above, and a pointer that names a place.

import { make } from "./elements.js";

/** A stage of H x W dots; pick(row, column) on a click, if there is one. */
export function makeStage(H, W, label, pick) {
  const dots = make("canvas", { role: "img", "aria-label": label });
  const marks = make("canvas", { "aria-hidden": "true" });
  dots.width = W;
  dots.height = H;
  const element = make("div", { class: pick ? "stage live" : "stage" }, dots, marks);
  if (pick) {
    element.onpointerdown = (event) => pick(...placeOf(event, element, H, W), event);
  }
  return { element, dots, marks, H, W };
}

export function placeOf(event, element, H, W) {
  const box = element.getBoundingClientRect();
  const row = Math.floor(((event.clientY - box.top) / box.height) * H);
  const column = Math.floor(((event.clientX - box.left) / box.width) * W);
  return [Math.max(0, Math.min(H - 1, row)), Math.max(0, Math.min(W - 1, column))];
}

/** Clears the marks and makes them sharp: several dots for each pixel. */
export function markPen(stage) {
  const finer = Math.max(1, Math.ceil(760 / stage.W));
  stage.marks.width = stage.W * finer;
  stage.marks.height = stage.H * finer;
  const pen = stage.marks.getContext("2d");
  pen.scale(finer, finer);
  pen.lineWidth = 2.4 / finer;
  pen.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--mark");
  return pen;
}

/** A frame around rows top .. bottom and columns left .. right. */
export function frame(pen, top, left, bottom, right) {
  const inside = pen.lineWidth / 2;
  pen.strokeRect(left + inside, top + inside, right - left + 1 - 2 * inside, bottom - top + 1 - 2 * inside);
}
