const page = JSON.parse(document.getElementById("page-data").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const views = new Map();
const drawing = new Set();
let generation = 0;

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

const vector = "http://www.w3.org/2000/svg";

// A box with the numbers at a place of a picture.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("aria-live", "polite");
document.body.append(tip);

// Below a mark of the picture if there is room, else above it.
function placeTip(mark) {
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const x = Math.min(Math.max(4, mark.left), document.documentElement.clientWidth - box.width - 4);
  const below = mark.bottom + 8 + box.height < window.innerHeight;
  tip.style.left = `${Math.max(4, x)}px`;
  tip.style.top = `${below ? mark.bottom + 8 : mark.top - box.height - 8}px`;
}
