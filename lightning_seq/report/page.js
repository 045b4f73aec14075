(() => {
"use strict";
const page = JSON.parse(document.getElementById("page-data").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
let views = [];
let generation = 0;
const focus = new Map();

// A legend speaks for the charts that stand beside it.
function focused(box) {
  for (const [scope, label] of focus) if (scope.contains(box)) return label;
  return "";
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

function style() {
  const [ink, muted, line] = ["ink", "muted", "line"].map(colour);
  const font = getComputedStyle(document.body).fontFamily;
  return {
    background: "transparent",
    font,
    view: { stroke: null },
    axis: {
      labelColor: muted, titleColor: muted, gridColor: line, domainColor: line, tickColor: line,
      labelFontSize: 11, titleFontSize: 12, titleFontWeight: 500, titlePadding: 8, labelPadding: 5,
    },
    range: {
      category: Array.from({ length: 8 }, (_, index) => colour("c" + index)),
      heatmap: [colour("heat-low"), colour("heat-high")],
    },
  };
}

function objects(table) {
  return table.rows.map((row) => {
    const item = {};
    table.columns.forEach((name, index) => {
      const names = table.names && table.names[name];
      item[name] = names ? names[row[index]] : row[index];
    });
    return item;
  });
}

// Words are named from the most frequent down (ends of arrows first), on the side where the name covers no other.
function placeWords(box, spec, table, arrowTable) {
  const margin = 14;
  const width = box.clientWidth - 10, height = Math.max(420, Math.min(560, width * 0.95));
  const words = objects(table);
  const ends = new Set(arrowTable.rows.flat());
  const bounds = (axis) => {
    const values = words.map((word) => word[axis]);
    const low = Math.min(...values), high = Math.max(...values);
    return [low, high > low ? high : low + 1];
  };
  const [left, right] = bounds("x"), [bottom, top] = bounds("y");
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = "11px " + getComputedStyle(document.body).fontFamily;
  words.forEach((word, index) => {
    word.end = ends.has(index);
    word.x = (margin + ((word.x - left) / (right - left)) * (width - 2 * margin)) / width;
    word.y = (margin + ((word.y - bottom) / (top - bottom)) * (height - 2 * margin)) / height;
  });
  const taken = [];
  const apart = (p, q) => p[1] < q[0] || p[0] > q[1] || p[3] < q[2] || p[2] > q[3];
  const order = words.map((_, index) => index).sort((a, b) => words[b].end - words[a].end || words[b].count - words[a].count);
  for (const index of order) {
    const word = words[index];
    const x = word.x * width, y = (1 - word.y) * height, size = pen.measureText(word.word).width;
    const sides = {
      right: [x - 2, x + size + 9, y - 7, y + 7], left: [x - size - 9, x + 2, y - 7, y + 7],
      above: [x - size / 2, x + size / 2, y - 19, y + 2], below: [x - size / 2, x + size / 2, y - 2, y + 19],
    };
    word.side = Object.keys(sides).find((side) => {
      const area = sides[side];
      return area[0] >= 0 && area[1] <= width && taken.every((other) => apart(area, other));
    }) || "";
    taken.push(word.side ? sides[word.side] : [x - 2, x + 2, y - 2, y + 2]);
  }
  const arrows = arrowTable.rows.map(([from, to]) => {
    const a = words[from], b = words[to];
    const dx = (b.x - a.x) * width, dy = (b.y - a.y) * height, length = Math.hypot(dx, dy) || 1;
    const back = Math.min(6, length / 2) / length;
    return {
      x: a.x, y: a.y, x2: b.x, y2: b.y, tip_x: b.x - (b.x - a.x) * back, tip_y: b.y - (b.y - a.y) * back,
      angle: (Math.atan2(dx, dy) * 180) / Math.PI,
    };
  });
  spec.height = height;
  return { words, arrows };
}

function prepared(box, entry) {
  const spec = structuredClone(entry.spec);
  for (const param of spec.params || []) {
    if (param.name === "focus") param.value = focused(box);
    else param.value = colour(param.name === "strong" ? "heat-strong" : param.name);
  }
  if (entry.words !== undefined) {
    const { words, arrows } = placeWords(box, spec, page.tables[entry.words], page.tables[entry.arrows]);
    spec.datasets = { [entry.words]: words, [entry.arrows]: arrows };
  } else {
    spec.datasets = { [entry.table]: objects(page.tables[entry.table]) };
  }
  return spec;
}

async function draw() {
  const mine = ++generation;
  for (const { view } of views) view.finalize();
  views = [];
  const config = style();
  for (const box of document.querySelectorAll(".chart[data-chart]")) {
    try {
      const spec = prepared(box, page.charts[box.dataset.chart]);
      const result = await window.vegaEmbed(box, spec, { mode: "vega-lite", renderer: "svg", actions: false, config });
      if (mine !== generation) { result.view.finalize(); return; }
      views.push({ box, view: result.view });
    } catch (error) {
      const line = document.createElement("p");
      line.className = "failed";
      line.textContent = "This chart could not be drawn: " + error.message;
      box.replaceChildren(line);
    }
  }
  document.documentElement.dataset.drawn = String(views.length);
}

for (const legend of document.querySelectorAll(".legend")) {
  const scope = legend.parentElement, buttons = legend.querySelectorAll("button");
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const label = page.labels[Number(button.dataset.label)];
      focus.set(scope, focus.get(scope) === label ? "" : label);
      for (const other of buttons) {
        const pressed = focus.get(scope) !== "" && page.labels[Number(other.dataset.label)] === focus.get(scope);
        other.setAttribute("aria-pressed", String(pressed));
      }
      for (const { box, view } of views) {
        if (!scope.contains(box)) continue;
        try { view.signal("focus", focus.get(scope)).runAsync(); } catch (error) { continue; }
      }
    });
  }
}

for (const table of document.querySelectorAll("table.compare")) {
  const body = table.tBodies[0];
  for (const head of table.querySelectorAll("th.sort")) {
    head.querySelector("button").addEventListener("click", () => {
      const column = Number(head.dataset.column);
      const up = head.getAttribute("aria-sort") === "descending" || (!head.hasAttribute("aria-sort") && head.dataset.first === "up");
      for (const other of table.querySelectorAll("th.sort")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => row.cells[column].dataset.value || "";
      const numeric = head.dataset.kind === "number";
      const compare = (a, b) => {
        const [p, q] = [key(a), key(b)];
        if (p === "" || q === "") return (p === "") - (q === "");
        return (up ? 1 : -1) * (numeric ? Number(p) - Number(q) : p.localeCompare(q));
      };
      body.append(...Array.from(body.rows).sort(compare));
    });
  }
}

const main = document.querySelector("main");
let width = main.clientWidth, waiting;
new ResizeObserver(() => {
  if (main.clientWidth === width) return;
  width = main.clientWidth;
  clearTimeout(waiting);
  waiting = setTimeout(draw, 150);
}).observe(main);
dark.addEventListener("change", draw);
draw();
})();
