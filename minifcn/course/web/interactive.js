// Pictures that answer the mouse, the finger and the arrow keys: an array x, a kernel, and the y that a convolution
// ("window") or a transposed convolution ("stamp") makes of them. All is said by one list of products: x[i] times weight[k]
// goes into y[o]. Point at a y, and its products show which x and which weights made it; point at an x, and they show where
// it goes. The numbers of y are the library's own, not computed here.
"use strict";

for (const place of document.querySelectorAll("[data-kind]")) {
  const data = JSON.parse(place.querySelector("script").textContent);
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
  place.previousElementSibling.classList.add("still"); // the picture, which paper shows instead

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
  if (!own.length) return `This ${value} goes into no y.`;
  const where = own.map(({ weight, y }) => `${written(at(data.weight, weight))} times into y[${y.join(", ")}]`);
  return `This ${value} goes ${where.join(", ")}.`;
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
