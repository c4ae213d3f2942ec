// Making elements, and the few shapes that all panels are made of.

import { ground } from "./colours.js";
import { brief, largest } from "./numbers.js";

/** make("p", {class: "muted", onclick: f}, "text", child): attributes that are functions become properties. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element[name] = value;
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A table of numbers (rows x columns) as cells, coloured from the largest; see-through lines are padding.
    options: caption, marks (Set of numbers of cells), padding (Set), scale, click(i), spoken(i) */
export function matrix(values, columns, options = {}) {
  const scale = options.scale ?? largest(values);
  const dense = columns > 9;
  const cells = make("div", { class: dense ? "cells dense" : "cells", style: `grid-template-columns:repeat(${columns},auto)` });
  for (let i = 0; i < values.length; i++) {
    const { background, color } = ground(scale ? values[i] / scale : 0);
    const kinds = [options.padding?.has(i) && "padding", options.marks?.has(i) && "here"].filter(Boolean).join(" ");
    const attributes = { style: `background-color:${background};color:${color}`, title: String(values[i]), class: kinds || undefined };
    const text = dense ? "" : brief(values[i]);
    if (options.click) {
      cells.append(make("button", { ...attributes, "aria-label": `${options.spoken(i)}: ${text || brief(values[i])}`, onclick: () => options.click(i) }, text));
    } else cells.append(make("span", attributes, text));
  }
  return make("figure", {}, make("figcaption", {}, options.caption ?? ""), make("div", { class: "scroll", tabindex: dense ? 0 : undefined }, cells));
}

/** A table: the heads, and rows of texts or elements. */
export function table(heads, rows) {
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell))));
  return make("div", { class: "scroll", tabindex: 0 }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)));
}

export function paragraph(...children) {
  return make("p", {}, ...children);
}

/** Buttons of which one is pressed. */
export function choice(label, names, chosen, pick) {
  const buttons = names.map((name) =>
    make("button", { "aria-pressed": String(name === chosen), onclick: () => pick(name) }, name));
  return make("div", { class: "switch", role: "group", "aria-label": label }, ...buttons);
}
