// The page: what is chosen, who draws it, and the keyboard.

import { drawBackward } from "./backward.js";
import { startTheme } from "./colours.js";
import { make } from "./elements.js";
import { byChannel, drawForward } from "./forward.js";
import { drawChosen } from "./map.js";
import { Pictures } from "./pictures.js";
import { ServerSource } from "./source.js";
import { storedSource } from "./stored.js";
import { drawStrip, markStrip, sizeOf } from "./strip.js";
import { drawWhatIf } from "./whatif.js";

const byId = (id) => document.getElementById(id);
const run = Number(new URLSearchParams(location.search).get("run") ?? 0);
const source = storedSource() ?? new ServerSource(run);
const linked = window.parent === window ? null : new BroadcastChannel("minifcn explore"); // the other half of two.html
const state = { key: "", channel: 0, row: 0, column: 0, direction: "forward", start: "", input: null, tap: null, memory: {}, turn: 0 };
const SOON = 30; // milliseconds
let overview, pictures;

const stepOf = (key) => overview.steps.find((step) => step.key === key);

/** Runs something that asks the source; what goes wrong is said. */
async function trying(work) {
  try {
    byId("say").textContent = "";
    return await work();
  } catch (error) {
    byId("say").textContent = error.message;
    return undefined;
  }
}

function takeOverview(found) {
  overview = found;
  for (const step of overview.steps) {
    const before = overview.steps[step.sources[0]];
    if (before) step.inputSize = before.shape.slice(2);
  }
  byId("about").textContent = `${overview.network}: ${overview.name}`;
  pictures = new Pictures(byId("pictures"), overview, {
    paint: source.can.change ? takePicture : null,
    pickInput: (row, column) => choose({ key: "input", channel: 0, row, column }),
    pickScore,
  });
  fillStarts();
  return showStrip();
}

/** The strip of maps or, on the way back, of their gradients; and what is chosen. */
async function showStrip() {
  delete document.body.dataset.drawn;
  const shown = state.direction === "backward" ? await trying(() => source.gradientThumbs(state.start)) : overview.steps;
  if (shown) drawStrip(byId("strip"), overview.steps, shown, (key, channel, row, column) => choose({ key, channel, row, column }));
  return choose({}, false);
}

/** Another picture, for the other network too. */
function takePicture(blob, tell = true) {
  if (tell) linked?.postMessage({ blob });
  return trying(async () => takeOverview(await source.picture(blob)));
}

/** A click on the prediction: its score is chosen or, on the way back, the pass begins there. */
function pickScore(channel, row, column) {
  const { key } = overview.steps.at(-1);
  return state.direction === "forward" ? choose({ key, channel, row, column }) : setStart([key, channel, row, column].join("|"));
}

function setStart(start) {
  state.start = start;
  fillStarts();
  return showStrip();
}

function fillStarts() {
  const last = overview.steps.at(-1);
  const { H, W } = sizeOf(last);
  const row = H >> 1, column = W >> 1;
  const scores = last.shape.length === 4 ? overview.classes.slice(0, sizeOf(last).C) : [];
  const options = [["", "the loss"], ...scores.map(({ name }, i) => [`${last.key}|${i}|${row}|${column}`, `${name} at (${row}, ${column})`])];
  if (state.start && !options.some(([value]) => value === state.start)) options.push([state.start, nameOf(state.start)]);
  options.push(["here", "this number"]);
  byId("start").replaceChildren(...options.map(([value, words]) => make("option", { value, selected: value === state.start }, words)));
}

function nameOf(start) {
  const [key, ...place] = start.split("|");
  return `${key}[${place.join(", ")}]`;
}

/** Chooses a number: what is not given stays, and a place is brought inside of its map. */
function choose(change, tell = true) {
  const wanted = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
  const moved = wanted.key !== undefined && wanted.key !== state.key;
  const before = stepOf(state.key);
  Object.assign(state, wanted);
  const step = stepOf(state.key) ?? overview.steps[Math.min(1, overview.steps.length - 1)];
  state.key = step.key;
  const { C, H, W } = sizeOf(step);
  if (moved) {
    state.input = state.tap = null;
    state.memory = {};
    if (wanted.channel === undefined) state.channel = step.channels[0];
    if (wanted.row === undefined && before) {
      const old = sizeOf(before);
      state.row = Math.floor(((state.row + 0.5) / old.H) * H);
      state.column = Math.floor(((state.column + 0.5) / old.W) * W);
    }
  }
  const within = (value, count) => Math.max(0, Math.min(count - 1, Math.round(value) || 0));
  Object.assign(state, { channel: within(state.channel, C), row: within(state.row, H), column: within(state.column, W) });
  if (tell) linked?.postMessage({ key: state.key, channel: state.channel, row: state.row, column: state.column, H, W });
  markStrip(byId("strip"), state.key);
  return trying(draw);
}

/** Asks for all that is chosen, and draws it, unless something else was chosen meanwhile. */
async function draw() {
  const turn = (state.turn += 1), began = performance.now();
  const step = stepOf(state.key), place = { key: state.key, channel: state.channel, row: state.row, column: state.column };
  const isBack = state.direction === "backward";
  delete document.body.dataset.drawn;
  const [values, forward, back, channels] = await Promise.all([
    isBack ? source.gradient(place.key, place.channel, state.start) : source.map(place.key, place.channel),
    source.forward(place), isBack ? source.backward(place, state.start) : null, source.channels(place.key),
  ]);
  const kernel = await kernelOf(step, forward.terms);
  if (turn !== state.turn) return;
  const actions = { open: (key, channel, row, column) => choose({ key, channel, row, column }), choose: (input) => choose({ input }), openWeight: (tap) => choose({ tap }) };
  const what = { step, steps: overview.steps, place, actions, chosen: state.input, memory: state.memory };
  const put = (changes) => trying(async () => takeOverview(await source.change(changes)));
  drawChosen(byId("map"), {
    step, ...place, values: values.data, channels, title: `${isBack ? "d " : ""}${step.key}, channel ${place.channel}`,
    extra: source.can.change ? drawWhatIf(step, place.channel, overview.changes, kernel && index(kernel), put) : null,
  }, { place: (row, column) => choose({ row, column }), channel: (channel) => choose({ channel }) });
  if (isBack) {
    const weight = kernel && state.tap !== null ? { tap: state.tap, answer: await source.weight(place.key, index(kernel), state.start) } : null;
    if (turn !== state.turn) return;
    drawBackward(byId("panel"), { ...what, answer: back, start: state.start, startName: nameOf(state.start), kernel, weight });
  } else drawForward(byId("panel"), { ...what, answer: forward });
  pictures.showField(forward.box, null, "No pixel of the picture reaches this number.");
  document.body.dataset.drawn = `${state.direction}|${Object.values(place).join("|")}`;
  document.body.dataset.ms = (performance.now() - began).toFixed(0);
  if (!source.can.influence) return;
  await new Promise((later) => setTimeout(later, SOON));
  if (turn !== state.turn) return; // a key is held down: a whole backward pass for each place on the way would be waited for
  const influence = await source.influence(place);
  if (turn === state.turn) pictures.showField(forward.box, influence.data, "No pixel of the picture reaches this number.");
}

/** The kernel between the chosen channel and one of the input's, of a convolution, transposed or not. */
async function kernelOf(step, terms) {
  const groups = byChannel(terms);
  if (!["Conv2d", "ConvTranspose2d"].includes(step.kind) || !step.known || !groups.length) return null;
  const loudest = groups.reduce((best, group) => (Math.abs(group.sum) > Math.abs(best.sum) ? group : best));
  const input = groups.some((group) => group.channel === state.input) ? state.input : loudest.channel;
  return { input, output: state.channel, ...(await source.kernel(step.key, state.channel, input)) };
}

function index(kernel) {
  const tap = state.tap ?? Math.floor(kernel.values.length / 2);
  return [kernel.first, kernel.second, Math.floor(tap / kernel.columns), tap % kernel.columns];
}

function setDirection(direction) {
  state.direction = direction;
  for (const name of ["forward", "backward"]) byId(name).setAttribute("aria-pressed", String(name === direction));
  byId("starts").hidden = direction !== "backward";
  return showStrip();
}

function nextLayer(by) {
  const at = overview.steps.findIndex((step) => step.key === state.key) + by;
  const step = overview.steps[Math.max(0, Math.min(overview.steps.length - 1, at))];
  return choose({ key: step.key });
}

const KEYS = {
  ArrowUp: () => choose({ row: state.row - 1 }), ArrowDown: () => choose({ row: state.row + 1 }),
  ArrowLeft: () => choose({ column: state.column - 1 }), ArrowRight: () => choose({ column: state.column + 1 }),
  "[": () => choose({ channel: state.channel - 1 }), "]": () => choose({ channel: state.channel + 1 }),
  ",": () => nextLayer(-1), ".": () => nextLayer(1),
  b: () => source.can.backward && setDirection(state.direction === "forward" ? "backward" : "forward"),
};

function start() {
  startTheme(() => overview && takeOverview(overview));
  document.onkeydown = (event) => {
    const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName);
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key]();
  };
  byId("forward").onclick = () => setDirection("forward");
  byId("backward").onclick = () => setDirection("backward");
  byId("start").onchange = (event) => {
    setStart(event.target.value === "here" ? [state.key, state.channel, state.row, state.column].join("|") : event.target.value);
  };
  byId("file").onchange = (event) => event.target.files[0] && takePicture(event.target.files[0]);
  if (!source.can.backward) byId("directions").hidden = true;
  if (!source.can.change) byId("load").hidden = true;
  if (linked) linked.onmessage = ({ data }) => (data.blob ? takePicture(data.blob, false) : follow(data));
  trying(async () => {
    const found = await source.overview();
    Object.assign(state, opening(found));
    takeOverview(found);
  });
}

/** The other page's cursor: the same layer where there is one, at the same place of it. */
function follow({ key, channel, row, column, H, W }) {
  const step = overview && stepOf(key);
  if (!step) return;
  const own = sizeOf(step);
  choose({ key, channel, row: Math.floor(((row + 0.5) / H) * own.H), column: Math.floor(((column + 0.5) / W) * own.W) }, false);
}

/** What is chosen first: the middle of the liveliest map of a convolution whose maps still look like the picture. */
function opening(found) {
  const [, , high] = found.steps[0].shape;
  const kernels = found.steps.filter((step) => step.kind === "Conv2d" && step.shape[2] > high / 5);
  const step = kernels[Math.floor(kernels.length / 2)] ?? found.steps.at(-1);
  const { H, W } = sizeOf(step);
  return { key: step.key, channel: step.channels[0], row: H >> 1, column: W >> 1 };
}

start();
