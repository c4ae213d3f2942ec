// What if: buttons that change the network for this page, and the list of what was changed.

import { make } from "./elements.js";
import { say } from "./numbers.js";

export function describe(change) {
  if (change.kind === "off") return `${change.key}: channel ${change.channel} is off`;
  if (change.kind === "skip") return `${change.key}: road ${change.slot + 1} is dropped`;
  if (change.kind === "turn") return `${change.key}: kernel ${change.first}, ${change.second} is turned`;
  return `${change.key}: weight ${change.index.join(", ")} moved by ${say(change.by, 3)}`;
}

/** The buttons for the chosen number; put(changes) makes them. `kernel` is [first, second, tap row, tap column] or null. */
export function drawWhatIf(step, channel, changes, kernel, put) {
  const key = step.key.split("#")[0];
  const add = (change) => put([...changes, change]);
  const button = (words, change) => make("button", { onclick: () => add(change) }, words);
  const buttons = [];
  if (step.kind !== "picture") buttons.push(button("switch this channel off", { kind: "off", key, channel }));
  if (kernel) {
    const [first, second, row, column] = kernel;
    buttons.push(button("turn this kernel", { kind: "turn", key, first, second }));
    for (const by of [-0.1, 0.1]) buttons.push(button(`weight ${by < 0 ? "\u2212" : "+"} 0.1`, { kind: "nudge", key, index: [first, second, row, column], by }));
  }
  if (["Add", "Concat"].includes(step.kind)) {
    step.sources.forEach((_, slot) => buttons.push(button(`drop road ${slot + 1}`, { kind: "skip", key, slot })));
  }
  const made = changes.map((change, i) =>
    make("button", { "aria-label": `take back: ${describe(change)}`, onclick: () => put(changes.filter((_, j) => j !== i)) }, `${describe(change)} \u2715`));
  return make("div", {}, make("h3", {}, "What if"), make("div", { class: "row-of" }, ...buttons),
    made.length ? make("div", { class: "row-of" }, ...made) : "");
}
