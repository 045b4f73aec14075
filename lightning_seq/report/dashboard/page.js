(() => {
"use strict";
const page = JSON.parse(document.getElementById("page-data").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const views = new Map();
const drawing = new Set();
let generation = 0;
const focus = new Map();
const against = new Map();
const chosen = new Map(); // what is chosen in the menus of charts: a chart that is drawn again keeps it

// A legend is for the charts in the same part of the page.
function choiceFor(choices, box, otherwise) {
  for (const [scope, value] of choices) if (scope.contains(box)) return value;
  return otherwise;
}

function scopeOf(control) {
  return (control.closest(".bar") || control).parentElement;
}

// On the page a colour is a name that the style resolves, so that it follows light, dark and paper by itself.
function named(name) {
  return `var(--${name})`;
}

function resolved(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

// What a picture that leaves the page is drawn with: the colours of paper, as colours.
function onPaper(make) {
  const root = document.documentElement;
  root.classList.add("paper");
  try { return make(resolved); } finally { root.classList.remove("paper"); }
}

function style(colour) {
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
      heatmap: [resolved("heat-low"), resolved("heat-high")],
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

const styled = { strong: "heat-strong", high: "heat-high" };

function layers(spec) {
  return (spec.layer || [spec]).flatMap((layer) => (layer === spec || !layer.layer ? [layer] : layers(layer)));
}

function prepared(box, entry, colour) {
  const spec = structuredClone(entry.spec);
  for (const param of spec.params || []) {
    if (param.name === "focus") param.value = choiceFor(focus, box, "");
    else if (param.bind) param.value = chosen.get(box.dataset.chart + param.name) ?? param.value;
    else if (typeof param.value === "string") param.value = colour(styled[param.name] || param.name);
  }
  if (spec.columns) { // small multiples: as many side by side as fit
    const { panel, margin } = spec.usermeta;
    spec.columns = Math.max(1, Math.min(spec.columns, Math.floor((box.clientWidth - margin) / panel)));
  }
  const axis = entry.choice && entry.choice[choiceFor(against, box, "")];
  if (axis)
    for (const layer of layers(spec)) if (layer.encoding && layer.encoding.x) layer.encoding.x = structuredClone(axis);
  if (entry.words !== undefined) {
    const { words, arrows } = placeWords(box, spec, page.tables[entry.words], page.tables[entry.arrows]);
    spec.datasets = { [entry.words]: words, [entry.arrows]: arrows };
  } else {
    spec.datasets = { [entry.table]: objects(page.tables[entry.table]) };
  }
  return spec;
}

const embedding = { mode: "vega-lite", renderer: "svg", actions: false };

async function drawChart(box) {
  const mine = generation;
  if (views.has(box)) views.get(box).finalize();
  views.delete(box);
  drawing.add(box);
  try {
    const spec = prepared(box, page.charts[box.dataset.chart], named);
    const { view } = await window.vegaEmbed(box, spec, { ...embedding, config: style(named) });
    if (mine !== generation) { view.finalize(); return; }
    if (!views.size) performance.mark("first chart");
    views.set(box, view);
    for (const { name } of (spec.params || []).filter((param) => param.bind))
      view.addSignalListener(name, (_, value) => chosen.set(box.dataset.chart + name, value));
    for (const button of document.querySelectorAll(`button.save[data-chart="${box.dataset.chart}"]`))
      button.hidden = false;
  } catch (error) {
    const line = document.createElement("p");
    line.className = "failed";
    line.textContent = "This chart could not be drawn: " + error.message;
    box.replaceChildren(line);
  } finally {
    drawing.delete(box);
  }
}

// Charts in folded parts wait until they are unfolded. Between charts the page answers, but not while it is printed.
function waiting() {
  return Array.from(document.querySelectorAll(".chart[data-chart]")).filter(
    (box) => !views.has(box) && !box.querySelector(".failed") && !box.closest("details:not([open])"));
}

async function drawWaiting(pause) {
  const mine = generation;
  for (const box of waiting()) {
    if (!views.has(box) && !drawing.has(box)) await drawChart(box);
    if (mine !== generation) return;
    if (pause) await new Promise((resume) => setTimeout(resume));
  }
  document.documentElement.dataset.drawn = String(views.size);
}

function draw() {
  generation++;
  for (const view of views.values()) view.finalize();
  views.clear();
  return drawWaiting(true);
}

for (const details of document.querySelectorAll("details"))
  details.addEventListener("toggle", () => { if (details.open && details.querySelector(".chart")) drawWaiting(true); });

for (const legend of document.querySelectorAll(".legend")) {
  const scope = scopeOf(legend), buttons = legend.querySelectorAll("button");
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const label = page.labels[Number(button.dataset.label)];
      focus.set(scope, focus.get(scope) === label ? "" : label);
      for (const other of buttons) {
        const pressed = focus.get(scope) !== "" && page.labels[Number(other.dataset.label)] === focus.get(scope);
        other.setAttribute("aria-pressed", String(pressed));
      }
      for (const [box, view] of views) {
        if (!scope.contains(box)) continue;
        try { view.signal("focus", focus.get(scope)).runAsync(); } catch (error) { continue; }
      }
    });
  }
}

for (const radio of document.querySelectorAll(".against input")) {
  const scope = scopeOf(radio.closest(".against"));
  const choose = async () => {
    against.set(scope, radio.value);
    for (const box of Array.from(views.keys()))
      if (scope.contains(box) && page.charts[box.dataset.chart].choice) await drawChart(box);
    document.documentElement.dataset.against = radio.value;
  };
  radio.addEventListener("change", choose);
  if (radio.checked) against.set(scope, radio.value); // a browser may remember the choice over a reload
}

// A saved picture has no page around it: it gets a heading, and a key to the colours instead of the page's buttons.
function standalone(box, entry, colour) {
  const spec = prepared(box, entry, colour);
  spec.title = { text: (spec.title || {}).text || entry.title, anchor: "start", color: colour("ink"), fontSize: 13 };
  if (spec.width === "container") {
    spec.width = Math.max(320, box.clientWidth);
    spec.autosize = { type: "fit-x", contains: "padding" };
  }
  const columns = Math.max(1, Math.floor((box.clientWidth || 600) / 170));
  const key = { title: null, orient: "bottom", columns, labelColor: colour("ink"), labelLimit: 150, symbolOpacity: 1 };
  for (const layer of layers(spec))
    for (const channel of ["color", "strokeDash", "shape"]) {
      const encoding = layer.encoding && layer.encoding[channel];
      if (encoding && encoding.field === "label" && encoding.legend === null) encoding.legend = key;
    }
  return spec;
}

async function picture(box) {
  const entry = page.charts[box.dataset.chart], aside = document.createElement("div");
  const [spec, config] = onPaper((colour) => [standalone(box, entry, colour), style(colour)]);
  const { view } = await window.vegaEmbed(aside, spec, { ...embedding, config });
  try { return await view.toSVG(); } finally { view.finalize(); }
}

// The page's style goes with a drawing of our own: on paper's colours, each shape holds what it looks like.
function inlined(svg) {
  const copy = svg.cloneNode(true);
  copy.setAttribute("xmlns", vector);
  for (const extra of copy.querySelectorAll(".cursor")) extra.remove();
  const shapes = (root) => [root, ...root.querySelectorAll(":not(.cursor)")];
  const looks = ["fill", "fill-opacity", "stroke", "stroke-width", "font-family", "font-size", "text-anchor"];
  onPaper(() => {
    const copies = shapes(copy);
    shapes(svg).forEach((shape, index) => {
      const seen = getComputedStyle(shape);
      for (const look of looks) copies[index].setAttribute(look, seen.getPropertyValue(look));
    });
  });
  return new XMLSerializer().serializeToString(copy);
}

function save(svg, name) {
  const link = document.createElement("a");
  link.download = name + ".svg";
  link.href = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

for (const button of document.querySelectorAll("button.save[data-chart]"))
  button.addEventListener("click", async () => {
    const box = document.querySelector(`.chart[data-chart="${button.dataset.chart}"]`);
    save(await picture(box), page.charts[button.dataset.chart].file);
  });

for (const table of document.querySelectorAll("table:has(th.sort)")) {
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

// Maps of attention: a path for each shade, so that colours follow the page's style by themselves.
const vector = "http://www.w3.org/2000/svg";
const cellSize = 16, longestToken = 14;
const chosenEpoch = new Map();
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("aria-live", "polite");
document.body.append(tip);

function shape(parent, name, attributes, text) {
  const made = document.createElementNS(vector, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function short(token) {
  const letters = Array.from(token);
  return letters.length > longestToken ? letters.slice(0, longestToken - 1).join("") + "…" : token;
}

function drawMap(figure) {
  const group = page.maps[figure.dataset.map];
  const { source, maps } = group.sentences[Number(figure.dataset.sentence)];
  const { label, steps } = maps[Number(figure.dataset.index)];
  const until = group.epochs[chosenEpoch.get(figure.dataset.map) ?? group.epochs.length - 1];
  const [epoch, target, code] = steps.filter((step) => step[0] <= until).pop() || steps[0];
  const S = source.length, T = target.length, most = group.levels.length - 1;
  const level = (t, s) => group.levels.indexOf(code[t * S + s]);
  const percent = (t, s) => Math.round(100 * (level(t, s) / most) ** 2);
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = "12px " + getComputedStyle(document.body).fontFamily;
  const widest = (tokens) => Math.max(12, ...tokens.map((token) => pen.measureText(short(token)).width));
  const left = Math.ceil(widest(target)) + 8, slope = widest(source);
  const top = Math.ceil(slope * Math.sin(Math.PI / 3)) + 12, over = Math.ceil(slope * Math.cos(Math.PI / 3));
  const width = left + S * cellSize + Math.max(4, over - 4), height = top + Math.max(1, T) * cellSize + 4;

  const svg = document.createElementNS(vector, "svg");
  for (const [key, value] of Object.entries({ viewBox: `0 0 ${width} ${height}`, width, height, tabindex: 0, role: "img" }))
    svg.setAttribute(key, value);
  const strongest = target.map((token, t) => {
    const s = source.reduce((best, _, at) => (level(t, at) > level(t, best) ? at : best), 0);
    return `${token} ← ${source[s]} ${percent(t, s)} %`;
  });
  svg.setAttribute("aria-label", `Attention of ${label} after epoch ${epoch}, strongest: ${strongest.join("; ")}`);
  shape(svg, "rect", { class: "ground", x: left, y: top, width: S * cellSize, height: T * cellSize });
  const shades = new Map();
  for (let t = 0; t < T; t++)
    for (let s = 0; s < S; s++) {
      const found = level(t, s), x = left + s * cellSize, y = top + t * cellSize;
      if (found > 0) shades.set(found, (shades.get(found) || "") + `M${x} ${y}h${cellSize}v${cellSize}h-${cellSize}z`);
    }
  for (const [found, d] of shades) shape(svg, "path", { class: "heat", d, "fill-opacity": (found / most).toFixed(3) });
  let grid = "";
  for (let s = 1; s < S; s++) grid += `M${left + s * cellSize} ${top}v${T * cellSize}`;
  for (let t = 1; t < T; t++) grid += `M${left} ${top + t * cellSize}h${S * cellSize}`;
  shape(svg, "path", { class: "grid", d: grid });
  source.forEach((token, s) => {
    const x = left + (s + 0.65) * cellSize, y = top - 5;
    shape(svg, "text", { x, y, transform: `rotate(-60 ${x} ${y})` }, short(token));
  });
  target.forEach((token, t) => {
    shape(svg, "text", { x: left - 6, y: top + (t + 0.74) * cellSize, "text-anchor": "end" }, short(token));
  });
  const cursor = shape(svg, "rect", { class: "cursor", width: cellSize, height: cellSize, visibility: "hidden" });

  let at = null;
  const show = (t, s) => {
    at = [t, s];
    cursor.setAttribute("x", left + s * cellSize);
    cursor.setAttribute("y", top + t * cellSize);
    cursor.setAttribute("visibility", "visible");
    tip.textContent = `${target[t]} ← ${source[s]}  ${percent(t, s)} %`;
    tip.hidden = false;
    const mark = cursor.getBoundingClientRect(), box = tip.getBoundingClientRect();
    const x = Math.min(Math.max(4, mark.left), document.documentElement.clientWidth - box.width - 4);
    const below = mark.bottom + 8 + box.height < window.innerHeight;
    tip.style.left = `${Math.max(4, x)}px`;
    tip.style.top = `${below ? mark.bottom + 8 : mark.top - box.height - 8}px`;
  };
  const hide = () => {
    cursor.setAttribute("visibility", "hidden");
    tip.hidden = true;
  };
  const point = (event) => {
    const box = svg.getBoundingClientRect();
    const s = Math.floor((event.clientX - box.left - left) / cellSize);
    const t = Math.floor((event.clientY - box.top - top) / cellSize);
    if (s >= 0 && s < S && t >= 0 && t < T) show(t, s);
    else hide();
  };
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", (event) => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (event.key === "Escape") hide();
    if (!move || !T) return;
    event.preventDefault();
    const [t, s] = at ? [at[0] + move[0], at[1] + move[1]] : [0, 0];
    const plot = figure.querySelector(".plot");
    show(Math.min(Math.max(t, 0), T - 1), Math.min(Math.max(s, 0), S - 1));
    const mark = cursor.getBoundingClientRect(), frame = plot.getBoundingClientRect();
    if (mark.right > frame.right || mark.left < frame.left) {
      plot.scrollLeft += mark.left - frame.left - frame.width / 2;
      show(...at);
    }
  });
  figure.querySelector("figcaption small").textContent = `epoch ${epoch}`;
  figure.querySelector(".plot").replaceChildren(svg);
  if (!figure.querySelector("button.save")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "save";
    button.textContent = "Save as SVG";
    const name = `attention-${label}-sentence-${Number(figure.dataset.sentence) + 1}`;
    button.addEventListener("click", () =>
      save(inlined(figure.querySelector(".plot svg")), name.toLowerCase().replace(/[^a-z0-9]+/g, "-")));
    figure.append(button);
  }
}

function drawMaps(scope) {
  for (const figure of scope.querySelectorAll("details[open] figure.map")) drawMap(figure);
  document.documentElement.dataset.maps = String(document.querySelectorAll("figure.map svg[role=img]").length);
}

for (const slider of document.querySelectorAll(".epochs input[type=range]")) {
  slider.addEventListener("input", () => {
    const name = slider.dataset.map, epoch = page.maps[name].epochs[Number(slider.value)];
    chosenEpoch.set(name, Number(slider.value));
    slider.nextElementSibling.textContent = String(epoch);
    slider.setAttribute("aria-valuetext", String(epoch));
    tip.hidden = true;
    drawMaps(slider.closest(".attending"));
  });
}
for (const details of document.querySelectorAll(".attending details"))
  details.addEventListener("toggle", () => { if (details.open) drawMaps(details.parentElement); });
drawMaps(document);

const main = document.querySelector("main");
let width = main.clientWidth, later, printing = false;
new ResizeObserver(() => {
  if (main.clientWidth === width || printing) return;
  width = main.clientWidth;
  clearTimeout(later);
  later = setTimeout(draw, 150);
}).observe(main);

dark.addEventListener("change", () => { if (!printing) draw(); });

// On paper nothing is folded.
let unfolded = [];
window.addEventListener("beforeprint", () => {
  printing = true;
  unfolded = Array.from(document.querySelectorAll("details:not([open])"));
  for (const details of unfolded) details.open = true;
  drawMaps(document);
  drawWaiting(false);
});
window.addEventListener("afterprint", () => {
  for (const details of unfolded) details.open = false;
  printing = false;
});

// A link to a run opens what it is folded into, in browsers too that do not do that by themselves.
function reveal() {
  const target = location.hash.startsWith("#run-") && document.getElementById(location.hash.slice(1));
  if (!target) return;
  for (let part = target.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
  target.focus({ preventScroll: true });
  target.scrollIntoView({ block: "center" });
}
window.addEventListener("hashchange", reveal);
for (const link of document.querySelectorAll('a[href^="#run-"]'))
  link.addEventListener("click", () => { if (link.hash === location.hash) reveal(); });

draw();
reveal();
})();
