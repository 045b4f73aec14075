// Parallel coordinates of trials and the table next to them: each shows the trial that is pointed at in the other.
function showTrial(scope, number) {
  const view = views.get(scope.querySelector(".chart"));
  if (view) view.signal("trial", number).runAsync();
  const texts = (row) => Array.from(row.cells, (cell) => cell.firstChild.textContent);
  const heads = texts(scope.querySelector("thead tr"));
  for (const row of scope.querySelectorAll("tr[data-trial]")) {
    const chosen = Number(row.dataset.trial) === number;
    row.classList.toggle("on", chosen);
    if (chosen) scope.querySelector(".note").textContent = texts(row).map((text, place) => `${heads[place]} ${text}`).join(", ");
  }
  if (!number) scope.querySelector(".note").textContent = "";
}

for (const scope of document.querySelectorAll(".trials")) {
  for (const row of scope.querySelectorAll("tr[data-trial]")) {
    const show = () => showTrial(scope, Number(row.dataset.trial)), hide = () => showTrial(scope, 0);
    row.addEventListener("pointerenter", show);
    row.addEventListener("pointerleave", hide);
    row.querySelector("button").addEventListener("focus", show);
    row.querySelector("button").addEventListener("blur", hide);
  }
}

function readTrials(box, view) {
  const scope = box.closest(".trials");
  if (!scope) return;
  view.addEventListener("pointermove", (_, item) => showTrial(scope, (item && item.datum && item.datum.trial) || 0));
  box.onpointerleave = () => showTrial(scope, 0);
}
