// Maps of attention: a path for each shade, so that colours follow the page's style by themselves.
const cellSize = 16, longestToken = 14;
const chosenEpoch = new Map();
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

// The map of a figure after the epoch that the reader chose. level, percent: of the weight of a target's source token.
function readMap(figure) {
  const group = page.maps[figure.dataset.map];
  const { source, maps } = group.sentences[Number(figure.dataset.sentence)];
  const { label, steps } = maps[Number(figure.dataset.index)];
  const until = group.epochs[chosenEpoch.get(figure.dataset.map) ?? group.epochs.length - 1];
  const [epoch, target, code] = steps.filter((step) => step[0] <= until).pop() || steps[0];
  const most = group.levels.length - 1;
  const level = (t, s) => group.levels.indexOf(code[t * source.length + s]);
  return { label, epoch, source, target, most, level, percent: (t, s) => Math.round(100 * (level(t, s) / most) ** 2) };
}

function tableOfMap(figure) {
  const { label, epoch, source, target, percent } = readMap(figure);
  const rows = target.flatMap((token, t) => source.map((word, s) => [label, epoch, t + 1, token, s + 1, word, percent(t, s)]));
  return { columns: ["label", "epoch", "target position", "target", "source position", "source", "percent"], rows };
}

function drawMap(figure) {
  const { label, epoch, source, target, most, level, percent } = readMap(figure);
  const S = source.length, T = target.length;
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
    placeTip(cursor.getBoundingClientRect());
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
  const name = `attention-${label}-sentence-${Number(figure.dataset.sentence) + 1}`.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  offerToSave(figure.querySelector(".plot"), name, `attention of ${label}`, {
    svg: () => inlined(figure.querySelector(".plot svg")),
    csv: () => csvOf(tableOfMap(figure)),
  });
}

function drawMaps(scope) {
  for (const figure of scope.querySelectorAll("details[open] figure.map:not(.pictured)")) drawMap(figure);
  document.documentElement.dataset.maps = String(document.querySelectorAll("figure.map:not(.pictured) svg[role=img]").length);
}

for (const slider of document.querySelectorAll(".attending .epochs input[type=range]")) {
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
