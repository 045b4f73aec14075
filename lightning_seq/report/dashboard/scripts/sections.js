// The list of sections: it marks the section that is read; on a narrow screen it opens with a button.
const contents = document.querySelector("nav[aria-label=Sections]");

function markSection() {
  const links = Array.from(contents.querySelectorAll("a"));
  const above = links.filter((link) => document.getElementById(link.hash.slice(1)).getBoundingClientRect().top < 0.3 * window.innerHeight);
  const atEnd = window.scrollY + window.innerHeight >= document.documentElement.scrollHeight - 2 && window.scrollY > 0;
  const current = atEnd ? links[links.length - 1] : above[above.length - 1] || links[0];
  for (const link of links) {
    if (link !== current) link.removeAttribute("aria-current");
    else if (!link.hasAttribute("aria-current")) {
      link.setAttribute("aria-current", "location");
      contents.querySelector("button span").textContent = link.textContent;
      const list = contents.querySelector("ol"), row = link.parentElement;
      if (row.offsetTop < list.scrollTop || row.offsetTop + row.offsetHeight > list.scrollTop + list.clientHeight)
        list.scrollTop = row.offsetTop - list.clientHeight / 2;
    }
  }
}

if (contents && contents.querySelector("a")) {
  const button = contents.querySelector("button");
  const open = (opened) => button.setAttribute("aria-expanded", String(opened));
  button.hidden = false;
  button.addEventListener("click", () => open(button.getAttribute("aria-expanded") !== "true"));
  contents.addEventListener("click", (event) => { if (event.target.closest("a")) open(false); });
  contents.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || button.getAttribute("aria-expanded") !== "true") return;
    open(false);
    button.focus();
  });
  let asked = 0;
  const later = () => { if (!asked) asked = requestAnimationFrame(() => { asked = 0; markSection(); }); };
  for (const event of ["scroll", "resize"]) window.addEventListener(event, later, { passive: true });
  markSection();
}

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
