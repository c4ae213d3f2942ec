// Pictures that answer the mouse, the finger and the arrow keys: an array x, a kernel, and the y that a convolution
// ("window") or a transposed convolution ("stamp") makes of them. All is said by one list of products: x[i] times weight[k]
// goes into y[o]. Point at a y, and its products show which x and which weights made it; point at an x, and they show where
// it goes. The numbers of y are the library's own, not computed here. The third kind, "overlap", is a set of pixels that is
// moved over another.
"use strict";

for (const place of document.querySelectorAll("[data-kind]")) {
  const data = JSON.parse(place.querySelector("script").textContent);
  place.previousElementSibling.classList.add("still"); // the picture, which paper shows instead
  if (place.dataset.kind === "overlap") moveOverlap(place, data);
  else showProducts(place, data);
}

function showProducts(place, data) {
  const products = listProducts(place.dataset.kind, data);
  const said = Object.assign(document.createElement("output"), { className: "said" });
  const boards = document.createElement("div");
  boards.className = "boards";
  const tables = {};
  for (const name of ["x", "weight", "y"]) {
    tables[name] = drawTable(data[name], name === "weight" ? "kernel" : name, name !== "weight");
    boards.append(tables[name].block);
  }
  if (place.dataset.kind === "window") greyBorder(tables.x.cells, data.padding);
  place.append(boards, said);

  let pinned = null;
  const show = (name, cell) => point(tables, products, data, said, name, cell);
  const start = place.dataset.kind === "window" ? ["y", data.start] : ["x", data.start];
  const rest = () => show(...(pinned ?? start));
  for (const name of ["x", "y"]) {
    tables[name].cells.forEach((row, i) => row.forEach((td, j) => {
      td.addEventListener("mouseenter", () => show(name, [i, j]));
      td.addEventListener("focus", () => show(name, [i, j]));
      td.addEventListener("click", () => {
        const again = pinned && pinned[0] === name && String(pinned[1]) === String([i, j]);
        for (const other of place.querySelectorAll(".pinned")) other.classList.remove("pinned");
        pinned = again ? null : [name, [i, j]];
        td.classList.toggle("pinned", !again);
        rest();
      });
      td.addEventListener("keydown", (event) => {
        const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
        if (event.key === "Enter" || event.key === " ") td.click();
        else if (step) tables[name].cells[i + step[0]]?.[j + step[1]]?.focus();
        else return;
        event.preventDefault();
      });
    }));
  }
  boards.addEventListener("mouseleave", rest);
  rest();
}

// Every product as { x: [h, w], weight: [kh, kw], y: [oh, ow] }; x of a convolution is drawn with its padding.
function listProducts(kind, { x, weight, y, stride, padding }) {
  const list = [];
  const [small, large] = kind === "window" ? [y, x] : [x, y];
  const shift = kind === "window" ? 0 : padding; // a stamp's padding is cut off
  small.forEach((row, i) => row.forEach((_, j) => weight.forEach((line, kh) => line.forEach((_, kw) => {
    const there = [i * stride + kh - shift, j * stride + kw - shift];
    if (large[there[0]]?.[there[1]] === undefined) return;
    list.push(kind === "window" ? { x: there, weight: [kh, kw], y: [i, j] } : { x: [i, j], weight: [kh, kw], y: there });
  }))));
  return list;
}

function drawTable(values, name, active) {
  const block = document.createElement("figure");
  block.append(Object.assign(document.createElement("figcaption"), { textContent: name }));
  const table = document.createElement("table");
  table.className = `of-${name}`;
  const most = Math.max(...values.flat().map(Math.abs)) || 1;
  const cells = values.map((row) => {
    const tr = table.insertRow();
    return row.map((value) => {
      const td = tr.insertCell();
      td.textContent = written(value);
      td.style.background = value < 0 ? mixed([132, 188, 227], -value / most) : mixed([247, 192, 92], value / most);
      if (active) td.tabIndex = 0;
      return td;
    });
  });
  block.append(table);
  return { block, cells };
}

function greyBorder(cells, width) {
  const inside = (place, size) => width <= place && place < size - width;
  cells.forEach((row, i) => row.forEach((td, j) => {
    td.classList.toggle("padding", !inside(i, cells.length) || !inside(j, row.length));
  }));
}

function point(tables, products, data, said, name, cell) {
  for (const { cells } of Object.values(tables)) cells.flat().forEach((td) => td.classList.remove("here", "with"));
  tables[name].cells[cell[0]][cell[1]].classList.add("here");
  const own = products.filter((product) => String(product[name]) === String(cell));
  for (const product of own) {
    for (const other of ["x", "weight", "y"]) if (other !== name) mark(tables[other], product[other]);
  }
  said.textContent = name === "y" ? sumOf(own, data, cell) : usesOf(own, data, cell);
}

function mark(table, [row, column]) {
  table.cells[row][column].classList.add("with");
}

function sumOf(own, data, [oh, ow]) {
  const terms = own.map(({ x, weight }) => `${inSum(at(data.x, x))} · ${inSum(at(data.weight, weight))}`);
  return `y[${oh}, ${ow}] = ${terms.join(" + ") || "nothing"} = ${written(data.y[oh][ow])}`;
}

function usesOf(own, data, [h, w]) {
  const value = written(data.x[h][w]);
  const where = own.map(({ weight, y }) => `y[${y.join(", ")}] times ${inSum(at(data.weight, weight))}`);
  return `x = ${value} goes into ${where.join(", ") || "no y"}.`;
}

function at(values, [row, column]) {
  return values[row][column];
}

function written(value) {
  return String(Math.round(value * 100) / 100).replace("-", "−");
}

function inSum(value) {
  return value < 0 ? `(${written(value)})` : written(value);
}

function mixed(colour, strength) {
  return `rgb(${colour.map((channel) => Math.round(255 - strength * (255 - channel))).join(" ")})`;
}

// Truth and prediction as T, P and B (both), as in the still; the finger, the mouse or the arrow keys move the prediction.
function moveOverlap(place, { truth, prediction }) {
  const said = Object.assign(document.createElement("output"), { className: "said" });
  const board = drawTable(truth.map((row) => row.map(() => 0)), "drag the prediction", false);
  board.block.className = "boards overlap";
  board.block.tabIndex = 0;
  place.append(board.block, said);
  const ones = prediction.flatMap((row, i) => row.map((value, j) => value && [i, j])).filter(Boolean);
  const middle = [0, 1].map((axis) => Math.round(ones.reduce((sum, one) => sum + one[axis], 0) / ones.length));
  const size = [truth.length, truth[0].length];
  const bounds = [0, 1].map((axis) => ones.map((one) => one[axis])).map((places) => [Math.min(...places), Math.max(...places)]);
  let moved = [0, 0];

  const draw = () => {
    const there = new Set(ones.map((one) => String([one[0] + moved[0], one[1] + moved[1]])));
    const count = { T: 0, P: 0, B: 0 };
    board.cells.forEach((row, i) => row.forEach((td, j) => {
      const letter = there.has(String([i, j])) ? (truth[i][j] ? "B" : "P") : truth[i][j] ? "T" : "";
      td.textContent = letter;
      td.dataset.set = letter;
      if (letter) count[letter] += 1;
    }));
    const either = count.T + count.P + count.B;
    said.textContent = `intersection ${count.B}, union ${either}, IU = ${count.B} / ${either} = ${(count.B / either).toFixed(2)}`;
  };
  const move = (by) => {
    moved = by.map((step, axis) => Math.max(-bounds[axis][0], Math.min(size[axis] - 1 - bounds[axis][1], step)));
    draw();
  };
  const follow = (event) => {
    const td = document.elementFromPoint(event.clientX, event.clientY)?.closest?.("td");
    board.cells.forEach((row, i) => row.forEach((one, j) => { if (one === td) move([i - middle[0], j - middle[1]]); }));
  };
  board.block.addEventListener("pointerdown", follow);
  board.block.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
  board.block.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    move([moved[0] + step[0], moved[1] + step[1]]);
    event.preventDefault();
  });
  draw();
}
