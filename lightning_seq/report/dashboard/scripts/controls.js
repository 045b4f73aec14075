const focus = new Map(), against = new Map();
const chosen = new Map(); // what is chosen in the menus of charts: a chart that is drawn again keeps it

for (const legend of document.querySelectorAll(".legend:not(.toggles)")) {
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
    await redraw(scope, (entry) => entry.choice);
    document.documentElement.dataset.against = radio.value;
  };
  radio.addEventListener("change", choose);
  if (radio.checked) against.set(scope, radio.value); // a browser may remember the choice over a reload
}
