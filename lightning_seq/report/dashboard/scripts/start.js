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
  drawPictures(document);
  drawStrips(document);
  drawWaiting(false);
});
window.addEventListener("afterprint", () => {
  for (const details of unfolded) details.open = false;
  printing = false;
});

draw();
reveal();
