const styled = { strong: "heat-strong", high: "heat-high" };

function layers(spec) {
  return (spec.layer || [spec]).flatMap((layer) => (layer === spec || !layer.layer ? [layer] : layers(layer)));
}

function prepared(box, entry, colour) {
  const spec = structuredClone(entry.spec);
  const axis = entry.choice && entry.choice[choiceFor(against, box, "")];
  if (axis)
    for (const layer of layers(spec))
      if (layer.encoding && layer.encoding.x && layer.encoding.x.field) layer.encoding.x = structuredClone(axis);
  const values = { focus: choiceFor(focus, box, ""), trial: 0, ...(entry.lines ? prepareLines(box, entry, spec) : {}) };
  for (const param of spec.params || []) {
    if (param.name in values) param.value = values[param.name];
    else if (param.bind) param.value = chosen.get(box.dataset.chart + param.name) ?? param.value;
    else if (typeof param.value === "string") param.value = colour(styled[param.name] || param.name);
  }
  if (spec.columns) { // small multiples: as many side by side as fit
    const { panel, margin } = spec.usermeta;
    spec.columns = Math.max(1, Math.min(spec.columns, Math.floor((box.clientWidth - margin) / panel)));
  }
  if (entry.lines) return spec;
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
    const entry = page.charts[box.dataset.chart];
    if (entry.lines) await readLines(box, entry, view);
    readTrials(box, view);
    offerToSave(box, entry.file, entry.title, { svg: () => picture(box), csv: () => csvOf(page.tables[entry.words ?? entry.table]) });
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

// Charts that a control changes are drawn again one after the other; what changes meanwhile is drawn once.
let redrawing = Promise.resolve(), redrawn = 0;
const changed = new Set();
function redraw(scope, concerned) {
  for (const box of views.keys()) if (scope.contains(box) && concerned(page.charts[box.dataset.chart])) changed.add(box);
  redrawing = redrawing.then(async () => {
    const boxes = Array.from(changed);
    changed.clear();
    for (const box of boxes) await drawChart(box);
    document.documentElement.dataset.redrawn = String(++redrawn);
  });
  return redrawing;
}

function draw() {
  generation++;
  for (const view of views.values()) view.finalize();
  views.clear();
  return drawWaiting(true);
}

for (const details of document.querySelectorAll("details"))
  details.addEventListener("toggle", () => { if (details.open && details.querySelector(".chart")) drawWaiting(true); });
