// Pictures with the attention of a word, or of a look, laid over them. The places' weights are blended between their centres.
const frameSide = 208, stripSide = 60, fineness = 8, strongestHeat = 0.8;
const chosenWord = new Map();

// What a label says of a picture, after the epoch that the reader chose; at: the chosen word, -1 if there is none.
function readPicture(box) {
  const group = page.maps[box.dataset.map];
  const picture = { ...group.pictures[Number(box.dataset.picture)] };
  picture.png ||= box.closest(".tested").querySelector("img").src.split(",")[1];
  const { label, grid, steps } = picture.runs[Number(box.dataset.index)];
  const until = group.epochs[chosenEpoch.get(box.dataset.map) ?? group.epochs.length - 1];
  const [epoch, words, code, things, shares, answer] = steps.filter((step) => step[0] <= until).pop() || steps[0];
  const wanted = chosenWord.get(box.closest("details")) ?? 0, at = wanted < words.length ? wanted : -1;
  const [rows, columns] = grid || [0, 0], places = rows * columns, most = group.levels.length - 1;
  const roots = (t) => Array.from(code.slice(t * places, (t + 1) * places), (level) => group.levels.indexOf(level) / most);
  return { picture, label, unit: group.unit, epoch, words, at, things, shares, answer, rows, columns, roots };
}

function sizeOfPng(png) {
  const head = Uint8Array.from(atob(png.slice(0, 32)), (letter) => letter.charCodeAt(0));
  const view = new DataView(head.buffer);
  return [view.getUint32(16), view.getUint32(20)];
}

// A small PNG whose opacity is the square root of the weights, smooth between the centres of the places.
function heatOf(roots, rows, columns) {
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  [canvas.width, canvas.height] = [columns * fineness, rows * fineness];
  const around = (index, count) => {
    const x = (index + 0.5) / fineness - 0.5, low = Math.min(Math.max(Math.floor(x), 0), count - 1);
    const part = Math.min(Math.max(x - low, 0), 1);
    return [low, Math.min(low + 1, count - 1), part * part * (3 - 2 * part)];
  };
  const image = pen.createImageData(canvas.width, canvas.height);
  for (let y = 0; y < canvas.height; y++)
    for (let x = 0; x < canvas.width; x++) {
      const [top, bottom, down] = around(y, rows), [left, right, along] = around(x, columns);
      const mixed = (row) => (1 - along) * roots[row * columns + left] + along * roots[row * columns + right];
      const value = (1 - down) * mixed(top) + down * mixed(bottom);
      image.data[4 * (y * canvas.width + x) + 3] = Math.round(255 * strongestHeat * value);
    }
  pen.putImageData(image, 0, 0);
  pen.globalCompositeOperation = "source-in";
  pen.fillStyle = resolved("attended");
  pen.fillRect(0, 0, canvas.width, canvas.height);
  return canvas.toDataURL();
}

// The picture, the attention of word t if it has any, and boxes: of all things, or of the word's alone.
function drawFrame(svg, read, t, side, all) {
  const [across, down] = sizeOfPng(read.picture.png), film = across > 4 * down;
  const scale = (film ? 4 : 1) * side / Math.max(across, down);
  const width = Math.round(across * scale), height = Math.round(down * scale);
  for (const [key, value] of Object.entries({ viewBox: `0 0 ${width} ${height}`, width, height })) svg.setAttribute(key, value);
  svg.replaceChildren();
  svg.classList.toggle("film", film);
  const whole = { x: 0, y: 0, width, height, preserveAspectRatio: "none" };
  const crisp = scale >= 1.5 ? { "image-rendering": "pixelated" } : {};
  shape(svg, "image", { ...whole, ...crisp, href: "data:image/png;base64," + read.picture.png });
  if (t >= 0 && read.rows) shape(svg, "image", { ...whole, class: "attention", href: heatOf(read.roots(t), read.rows, read.columns) });
  const named = t >= 0 ? read.things[t] : null;
  read.picture.things.forEach(([, left, top, right, bottom], index) => {
    const mine = index === named;
    if (!mine && !all) return;
    const box = { x: left * width, y: top * height, width: (right - left) * width, height: (bottom - top) * height };
    shape(svg, "rect", { class: mine ? "halo named" : "halo", ...box });
    shape(svg, "rect", { class: mine ? "box named" : "box", ...box });
  });
}

const percentOf = (share) => `${Math.round(100 * share)} %`;

// What the reader is told about the chosen word, under the picture.
function toldOf({ picture, unit, words, at, things, shares, rows, roots }) {
  if (!rows) return "This model has no attention.";
  if (at < 0) return words.length > 1 ? `It has ${words.length} ${unit}s.` : `It has ${words.length ? "one" : "no"} ${unit}.`;
  const word = unit === "word" ? `“${words[at]}”: ` : `${words[at]}: `;
  if (!picture.things.length) return `${word}${percentOf(Math.max(...roots(at)) ** 2)} at the strongest place`;
  if (things[at] === null || things[at] === undefined) return `${word}the reference has no box for this word`;
  const [name, left, top, right, bottom] = picture.things[things[at]];
  return `${word}${percentOf(shares[at])} in the box of “${name}” (equal weights: ${percentOf((right - left) * (bottom - top))})`;
}

function tableOfPicture(figure) {
  const { label, unit, epoch, words, rows, columns, roots } = readPicture(figure);
  const lines = words.flatMap((word, t) => rows ? roots(t).map((root, place) =>
    [label, epoch, t + 1, word, Math.floor(place / columns) + 1, (place % columns) + 1, Math.round(1000 * root ** 2) / 10]) : []);
  return { columns: ["label", "epoch", "position", unit, "row", "column", "percent"], rows: lines };
}

function chooseWord(figure, t) {
  const details = figure.closest("details"), slider = details.querySelector(".word input");
  const most = slider ? Number(slider.max) : 0;
  chosenWord.set(details, Math.min(Math.max(t, 0), most));
  if (slider) {
    slider.value = String(chosenWord.get(details));
    slider.nextElementSibling.textContent = String(chosenWord.get(details) + 1);
  }
  drawPictures(details.parentElement, details);
}

// Fold the picture of a figure, unfold the next or the last one, and go to the same label there.
function choosePicture(figure, by) {
  const details = figure.closest("details"), all = Array.from(details.parentElement.querySelectorAll("details"));
  const next = all[all.indexOf(details) + by];
  if (!next) return;
  details.open = false;
  next.open = true;
  drawPictures(next.parentElement, next);
  const same = next.querySelector(`figure[data-index="${figure.dataset.index}"]`) || next.querySelector("figure");
  same.querySelector("svg[role=img]").focus();
  same.scrollIntoView({ block: "nearest" });
}

function frameOf(figure) {
  const svg = document.createElementNS(vector, "svg");
  svg.setAttribute("role", "img");
  svg.setAttribute("tabindex", "0");
  svg.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    figure.querySelector(".note").setAttribute("aria-live", "polite");
    const slider = figure.closest(".picturing").querySelector("input.epoch");
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      chooseWord(figure, (chosenWord.get(figure.closest("details")) ?? 0) + by);
    } else if (slider) {
      slider.value = String(Number(slider.value) - by);
      slider.dispatchEvent(new Event("input"));
    } else choosePicture(figure, by);
  });
  figure.querySelector(".plot").replaceChildren(svg);
  return svg;
}

// A small picture for each word, with the part of the attention that is in the box of its thing.
function drawStrip(strip, read, choose) {
  const { words, at, shares, rows } = read;
  strip.replaceChildren(...(rows ? words : []).map((word, t) => {
    const frame = document.createElement("div"), small = document.createElementNS(vector, "svg"), name = document.createElement("span");
    frame.className = choose && t === at ? "frame now" : "frame";
    drawFrame(small, read, t, stripSide, false);
    name.textContent = word;
    frame.append(small, name);
    if (typeof shares[t] === "number") {
      const share = document.createElement("small");
      share.textContent = percentOf(shares[t]);
      frame.append(share);
    }
    if (choose) frame.addEventListener("click", () => choose(t));
    return frame;
  }));
}

function drawPicture(figure) {
  const read = readPicture(figure), { label, unit, epoch, words, at, shares, answer, rows } = read, told = toldOf(read);
  const svg = figure.querySelector("svg[role=img]") || frameOf(figure), after = epoch ? ` after epoch ${epoch}` : "";
  drawFrame(svg, read, at, frameSide, true);
  const place = at < 0 ? "" : `, ${unit} ${at + 1} of ${words.length}`;
  svg.setAttribute("aria-label", `${rows ? "Attention" : "Picture"} of ${label}${after}${place}, ${told}`);
  const known = shares.filter((share) => share !== null), mean = known.reduce((sum, share) => sum + share, 0) / known.length;
  const parts = [epoch ? `epoch ${epoch}` : "", known.length ? `${percentOf(mean)} in boxes` : ""];
  figure.querySelector("figcaption small").textContent = parts.filter(Boolean).join(" · ");
  figure.querySelector(".note").textContent = told;
  if (answer) figure.querySelector(".words").textContent = answer;
  if (unit === "word") figure.querySelector(".words").replaceChildren(...words.flatMap((word, t) => {
    const part = document.createElement(t === at && rows ? "mark" : "span");
    part.textContent = word;
    if (rows) part.addEventListener("click", () => chooseWord(figure, t));
    return t ? [" ", part] : [part];
  }));
  const strip = figure.querySelector(".frames");
  strip.setAttribute("aria-hidden", "true");
  drawStrip(strip, read, (t) => chooseWord(figure, t));
  const name = `attention-${label}-picture-${Number(figure.dataset.picture) + 1}`.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  offerToSave(strip, name, `picture of ${label}`, {
    svg: () => inlined(figure.querySelector(".plot svg")),
    csv: () => csvOf(tableOfPicture(figure)),
  });
}

// The figures of the pictures that are unfolded; only: of this one alone.
function drawPictures(scope, only) {
  for (const figure of scope.querySelectorAll("details[open] figure.pictured"))
    if (!only || only.contains(figure)) drawPicture(figure);
  document.documentElement.dataset.pictures = String(document.querySelectorAll("figure.pictured svg[role=img]").length);
}

function drawStrips(scope) {
  for (const strip of scope.querySelectorAll(".frames.alone:empty"))
    if (!strip.closest("details:not([open])")) drawStrip(strip, readPicture(strip));
}

for (const slider of document.querySelectorAll(".picturing input.epoch"))
  slider.addEventListener("input", () => {
    const name = slider.dataset.map, epoch = page.maps[name].epochs[Number(slider.value)];
    chosenEpoch.set(name, Number(slider.value));
    slider.nextElementSibling.textContent = String(epoch);
    slider.setAttribute("aria-valuetext", String(epoch));
    drawPictures(slider.closest(".picturing"));
  });
for (const slider of document.querySelectorAll(".picturing .word input"))
  slider.addEventListener("input", () => chooseWord(slider.closest("details").querySelector("figure"), Number(slider.value)));
for (const details of document.querySelectorAll(".picturing details"))
  details.addEventListener("toggle", () => { if (details.open) drawPictures(details.parentElement, details); });
for (const details of document.querySelectorAll("details:has(.frames.alone)"))
  details.addEventListener("toggle", () => { if (details.open) drawStrips(details); });
drawPictures(document);
drawStrips(document);
