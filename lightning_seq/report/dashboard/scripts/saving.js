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
  if (entry.lines) await nameLines(box, entry, view);
  try { return await view.toSVG(); } finally { view.finalize(); }
}

// The page's style goes with a drawing of our own: on paper's colours, each shape holds what it looks like.
function inlined(svg) {
  const copy = svg.cloneNode(true);
  copy.setAttribute("xmlns", vector);
  for (const extra of copy.querySelectorAll(".cursor")) extra.remove();
  const shapes = (root) => [root, ...root.querySelectorAll(":not(.cursor)")];
  const looks = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "font-family", "font-size", "text-anchor"];
  onPaper(() => {
    const copies = shapes(copy);
    shapes(svg).forEach((shape, index) => {
      const seen = getComputedStyle(shape);
      for (const look of looks) copies[index].setAttribute(look, seen.getPropertyValue(look));
    });
  });
  return new XMLSerializer().serializeToString(copy);
}

// Twice the size, on white.
async function pngOf(svg) {
  const image = new Image(), canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(svg);
  await image.decode();
  [canvas.width, canvas.height] = [2 * image.width, 2 * image.height];
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

// As `printable.table_cell`: no spreadsheet takes a text for a formula.
const formula = /^'*[=+\-@＝＋－＠\t\n\r]/;

function csvOf(table) {
  const quoted = (value) => {
    let text = value === null || value === undefined ? "" : String(value);
    if (typeof value === "string" && formula.test(text)) text = "'" + text;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const rows = [table.columns, ...objects(table).map((row) => table.columns.map((name) => row[name]))];
  return rows.map((row) => row.map(quoted).join(",") + "\r\n").join("");
}

function save(blob, name) {
  const link = document.createElement("a");
  link.download = name;
  link.href = URL.createObjectURL(blob);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// Buttons behind a picture. make: how its drawing and its numbers are made.
function offerToSave(box, file, title, make) {
  if (box.parentElement.querySelector(".saves")) return;
  const formats = {
    SVG: async () => new Blob([await make.svg()], { type: "image/svg+xml" }),
    PNG: async () => pngOf(await make.svg()),
    CSV: async () => new Blob([make.csv()], { type: "text/csv" }),
  };
  const buttons = Object.entries(formats).map(([format, blob]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "save";
    button.textContent = format;
    button.setAttribute("aria-label", `Save ${title} as ${format}`);
    button.addEventListener("click", async () => save(await blob(), `${file}.${format.toLowerCase()}`));
    return button;
  });
  const group = document.createElement("div");
  group.className = "saves";
  group.append(...buttons);
  box.after(group);
}
