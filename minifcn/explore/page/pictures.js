// The input, with the field of the chosen number and what reached it, and the prediction. The input can be painted over.

import { theme } from "./colours.js";
import { make, paragraph } from "./elements.js";
import { largest, say, unpack } from "./numbers.js";
import { frame, makeStage, markPen, placeOf } from "./stage.js";

export class Pictures {
  constructor(element, overview, actions) {
    const { data, shape: [H, W] } = unpack(overview.picture);
    this.rgb = data;
    this.actions = actions;
    this.painting = false;
    this.brush = make("input", { type: "color", value: "#e03030", "aria-label": "Colour of the brush" });
    this.input = makeStage(H, W, "The picture that the network is given", (row, column, event) => this.pressed(row, column, event));
    this.over = make("canvas", { "aria-hidden": "true" });
    this.input.element.insertBefore(this.over, this.input.marks);
    this.note = make("p", { class: "muted" });
    this.paint = make("button", { "aria-pressed": "false", onclick: () => this.togglePaint() }, "Paint");
    const tools = actions.paint ? make("div", { class: "row-of" }, this.paint, this.brush) : null;
    element.replaceChildren(
      make("div", {}, make("h2", {}, "Input"), paragraph(make("span", { class: "shape" }, `(N, C, H, W) = (1, 3, ${H}, ${W})`)), this.input.element),
      this.predicted(overview, H, W),
      make("div", { class: "wide" }, this.note, tools),
    );
    this.showPicture();
  }

  showPicture() {
    const { dots, H, W } = this.input;
    const image = new ImageData(W, H);
    for (let i = 0; i < H * W; i++) image.data.set([this.rgb[3 * i], this.rgb[3 * i + 1], this.rgb[3 * i + 2], 255], 4 * i);
    dots.getContext("2d").putImageData(image, 0, 0);
  }

  predicted(overview, H, W) {
    const box = make("div", {}, make("h2", {}, "Prediction"));
    if (!overview.prediction) {
      const best = overview.probabilities.map((part, i) => [part, overview.classes[i].name]).sort((a, b) => b[0] - a[0]).slice(0, 5);
      box.append(...best.map(([part, name]) => paragraph(`${name} ${say(100 * part, 3)} %`)));
      return box;
    }
    const { data, shape } = unpack(overview.prediction);
    const stage = makeStage(...shape, "The class that scores highest at each pixel", (row, column) => this.actions.pickScore(data[row * shape[1] + column], row, column));
    const image = new ImageData(shape[1], shape[0]);
    data.forEach((label, i) => image.data.set([...overview.classes[label].colour, 255], 4 * i));
    stage.dots.getContext("2d").putImageData(image, 0, 0);
    const seen = new Set(data);
    const legend = overview.classes.map(({ name, colour }, i) => seen.has(i)
      ? make("li", {}, make("span", { style: `background:rgb(${colour.join(" ")})` }), name) : null);
    const iu = overview.iu === null ? null : `mean IU ${say(overview.iu, 3)}`;
    const moved = overview.changes.length && overview.moved !== null ? `${say(100 * overview.moved, 3)} % of the pixels changed` : null;
    box.append(
      paragraph(make("span", { class: "shape", id: "measures" }, [iu, moved].filter(Boolean).join(", ") || "the highest score")),
      stage.element, make("ul", { class: "legend" }, ...legend));
    return box;
  }

  /** The field's box, and the influence over a fainter picture. */
  showField(box, influence, outside) {
    const { H, W } = this.input;
    const pen = markPen(this.input);
    this.over.width = W;
    this.over.height = H;
    if (influence && largest(influence)) this.showInfluence(influence, H, W);
    if (!box) {
      this.note.textContent = outside ?? "";
      return;
    }
    const [top, left, bottom, right] = box;
    frame(pen, Math.max(top, 0), Math.max(left, 0), Math.min(bottom, H - 1), Math.min(right, W - 1));
    const beyond = top < 0 || left < 0 || bottom >= H || right >= W;
    this.note.textContent = `Field: ${bottom - top + 1} \u00d7 ${right - left + 1} pixels, from (${top}, ${left})`.replace(/-/g, "\u2212")
      + (beyond ? "; what lies beyond the picture is padding." : ".")
      + (influence ? (largest(influence) ? " The darker, the less a pixel moves the number." : " No pixel moves the number.") : "");
  }

  showInfluence(influence, H, W) {
    const most = largest(influence);
    const image = new ImageData(W, H);
    const shade = theme() === "dark" ? 8 : 14;
    for (let i = 0; i < H * W; i++) {
      const part = (Math.abs(influence[i]) / most) ** 0.4;
      image.data.set([shade, shade, shade + 6, Math.round(175 * (1 - part))], 4 * i);
    }
    this.over.getContext("2d").putImageData(image, 0, 0);
  }

  togglePaint() {
    this.painting = !this.painting;
    this.paint.setAttribute("aria-pressed", String(this.painting));
    this.over.hidden = this.painting;
  }

  pressed(row, column, event) {
    if (!this.painting) return this.actions.pickInput(row, column);
    const { element, H, W } = this.input;
    element.setPointerCapture(event.pointerId);
    this.stroke(row, column);
    element.onpointermove = (moved) => this.stroke(...placeOf(moved, element, H, W));
    element.onpointerup = element.onpointercancel = () => {
      element.onpointermove = element.onpointerup = element.onpointercancel = null;
      this.input.dots.toBlob((blob) => this.actions.paint(blob), "image/png");
    };
    return undefined;
  }

  stroke(row, column) {
    const pen = this.input.dots.getContext("2d");
    const radius = Math.max(1.5, Math.min(this.input.H, this.input.W) / 24);
    pen.fillStyle = this.brush.value;
    pen.beginPath();
    pen.arc(column + 0.5, row + 0.5, radius, 0, 7);
    pen.fill();
  }
}
