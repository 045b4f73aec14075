// Learning curves: the reader hides labels, smooths lines, takes logarithms, and reads all labels at one place.
const unchanged = { hidden: new Set(), log: false, width: 1 };
const lineChoices = new Map();
const nameHeight = 13, longestName = 120;

// A mean of so many points around each one; at the ends of as many as there are on both sides.
function average(values, width) {
  return values.map((_, place) => {
    const reach = Math.min((width - 1) / 2, place, values.length - 1 - place);
    const near = values.slice(place - reach, place + reach + 1);
    return near.includes(null) ? null : near.reduce((sum, value) => sum + value, 0) / near.length;
  });
}

function linesOf(rows) {
  const lines = new Map();
  for (const row of rows) {
    const key = JSON.stringify([row.label, row.seed]);
    if (!lines.has(key)) lines.set(key, []);
    lines.get(key).push(row);
  }
  return Array.from(lines.values());
}

function shownRows(box, entry) {
  const { hidden, width } = choiceFor(lineChoices, box, unchanged);
  const lines = linesOf(objects(page.tables[entry.table]).filter((row) => !hidden.has(row.label)));
  if (width > 1)
    for (const line of lines)
      for (const name of ["value", "sd"]) {
        const values = average(line.map((row) => row[name]), width);
        line.forEach((row, place) => { row[name] = values[place]; });
      }
  return lines.flat();
}

// A label's line: the mean of its seeds, or its only seed, by what is on the x axis.
function mainLines(box, entry) {
  const axis = choiceFor(against, box, "epoch"), mine = new Map();
  for (const line of linesOf(shownRows(box, entry))) {
    const points = line.filter((row) => row[axis] !== null).map((row) => ({ ...row, x: row[axis] }));
    if (points.length && (!mine.has(line[0].label) || line[0].seed === null)) mine.set(line[0].label, points);
  }
  return mine;
}

function widthOfNames(box, lines) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = "11px " + getComputedStyle(document.body).fontFamily;
  const widest = Math.max(0, ...Array.from(lines.keys(), (label) => pen.measureText(label).width));
  return Math.ceil(Math.min(widest, longestName, 0.3 * box.clientWidth)) + 2;
}

// Changes the chart to what the reader chose, and returns values of its parameters.
function prepareLines(box, entry, spec) {
  const rows = shownRows(box, entry), { log, width } = choiceFor(lineChoices, box, unchanged);
  const main = mainLines(box, entry), room = widthOfNames(box, main);
  const least = rows.reduce((found, row) => Math.min(found, row.value), Infinity), logarithmic = log && least > 0;
  spec.datasets = { [entry.table]: rows, ends: Array.from(main.values(), (points) => ({ ...points[points.length - 1], place: nameHeight })) };
  if (!rows.length) spec.usermeta = { embedOptions: { logLevel: 1 } }; // no warning that there is nothing to draw
  spec.padding = { left: 5, top: 8, bottom: 5, right: room + 18 };
  if (width > 1) spec.layer = spec.layer.filter((layer) => layer.mark.type !== "circle");
  if (logarithmic)
    for (const { encoding } of spec.layer)
      if (encoding.y && encoding.y.scale) encoding.y.scale = { type: "log", nice: false };
  return { least: logarithmic ? least : -Number.MAX_VALUE, room };
}

// Writes names at the ends of lines, each as near to its line as the others allow.
async function nameLines(box, entry, view) {
  const y = view.scale("y"), bottom = view.height();
  let ends = Array.from(mainLines(box, entry).values(), (points) => points[points.length - 1]);
  ends = ends.map((end) => ({ ...end, place: y(end.value) })).sort((a, b) => a.place - b.place);
  ends = ends.slice(0, Math.floor(bottom / nameHeight));
  ends.forEach((end, index) => { end.place = Math.max(end.place, index ? ends[index - 1].place + nameHeight : nameHeight / 2); });
  for (let index = ends.length - 1, limit = bottom - nameHeight / 2 + 6; index >= 0; index--, limit -= nameHeight)
    ends[index].place = Math.min(ends[index].place, limit);
  await view.data("ends", ends).runAsync();
}

function valueAt(points, x) {
  const after = points.findIndex((point) => point.x >= x);
  if (after < 0 || (after === 0 && points[0].x > x)) return null;
  const next = points[after], last = points[after - 1];
  if (next.x === x) return next;
  const share = (x - last.x) / (next.x - last.x);
  const between = (name) => (next[name] === null || last[name] === null ? null : last[name] + share * (next[name] - last[name]));
  return { value: between("value"), sd: between("sd") };
}

function written(number) {
  return number.toLocaleString("en", { maximumSignificantDigits: 4 });
}

function listValues(title, found, labels) {
  const head = document.createElement("b");
  head.textContent = title;
  const rows = found.map(([label, { value, sd }]) => {
    const row = document.createElement("div"), swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.setProperty("--c", `var(--c${labels.indexOf(label) % 8})`);
    row.append(swatch, ` ${label} ${written(value)}${sd === null ? "" : ` ± ${written(sd)}`}`);
    return row;
  });
  tip.replaceChildren(head, ...rows);
}

// A line across a chart, moved by pointer or arrow keys, and the values of all labels there.
async function readLines(box, entry, view) {
  await nameLines(box, entry, view);
  const lines = mainLines(box, entry), axis = choiceFor(against, box, "epoch");
  const places = Array.from(new Set(Array.from(lines.values()).flat().map((point) => point.x))).sort((a, b) => a - b);
  const cursor = document.createElement("div");
  cursor.className = "crosshair";
  cursor.hidden = true;
  box.append(cursor);
  const left = () => box.querySelector("svg").getBoundingClientRect().left + view.origin()[0];
  let at = -1;
  const hide = () => { cursor.hidden = tip.hidden = true; };
  const show = (index) => {
    at = Math.min(Math.max(index, 0), places.length - 1);
    const x = places[at], found = Array.from(lines, ([label, points]) => [label, valueAt(points, x)]).filter(([, point]) => point);
    cursor.hidden = false;
    cursor.style.left = `${left() - box.getBoundingClientRect().left + view.scale("x")(x)}px`;
    cursor.style.height = `${view.height()}px`;
    cursor.style.top = `${view.origin()[1]}px`;
    found.sort(([, a], [, b]) => b.value - a.value);
    listValues(`${axis} ${x.toLocaleString("en", { maximumFractionDigits: 2 })}`, found, page.tables[entry.table].names.label);
    placeTip(cursor.getBoundingClientRect());
  };
  const point = (event) => {
    const x = event.clientX - left();
    if (!places.length || x < -8 || x > view.width() + 8) return hide();
    const wanted = view.scale("x").invert(x);
    show(places.reduce((best, place, index) => (Math.abs(place - wanted) < Math.abs(places[best] - wanted) ? index : best), 0));
  };
  const key = (event) => {
    const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: places.length - 1 };
    if (event.key === "Escape") hide();
    if (!(event.key in moves) || !places.length) return;
    event.preventDefault();
    show(moves[event.key]);
  };
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", `${entry.title}: arrow keys read all labels`);
  Object.assign(box, { onpointermove: point, onpointerdown: point, onpointerleave: hide, onblur: hide, onkeydown: key });
}

for (const bar of document.querySelectorAll(".bar:has(.toggles)")) {
  const scope = bar.parentElement, choices = { ...unchanged, hidden: new Set() };
  lineChoices.set(scope, choices);
  const labels = Array.from(bar.querySelectorAll(".toggles button[data-label]"));
  const change = (button, shown) => {
    button.setAttribute("aria-pressed", String(shown));
    choices.hidden[shown ? "delete" : "add"](page.labels[Number(button.dataset.label)]);
  };
  const update = () => redraw(scope, (entry) => entry.lines);
  for (const button of labels)
    button.addEventListener("click", () => { change(button, button.getAttribute("aria-pressed") !== "true"); update(); });
  for (const button of bar.querySelectorAll("button[data-all]"))
    button.addEventListener("click", () => { for (const each of labels) change(each, button.dataset.all === "true"); update(); });
  const log = bar.querySelector("input.log"), smooth = bar.querySelector("input.smooth");
  if (log) log.addEventListener("change", () => { choices.log = log.checked; update(); });
  smooth.addEventListener("input", () => {
    choices.width = smooth.value === "0" ? 1 : 2 ** Number(smooth.value) + 1;
    const text = choices.width > 1 ? `${choices.width} points` : "off";
    smooth.nextElementSibling.textContent = text;
    smooth.setAttribute("aria-valuetext", text);
    update();
  });
}
