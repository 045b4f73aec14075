for (const table of document.querySelectorAll("table:has(th.sort)")) {
  const body = table.tBodies[0];
  for (const head of table.querySelectorAll("th.sort")) {
    head.querySelector("button").addEventListener("click", () => {
      const column = Number(head.dataset.column);
      const up = head.getAttribute("aria-sort") === "descending" || (!head.hasAttribute("aria-sort") && head.dataset.first === "up");
      for (const other of table.querySelectorAll("th.sort")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => row.cells[column].dataset.value || "";
      const numeric = head.dataset.kind === "number";
      const compare = (a, b) => {
        const [p, q] = [key(a), key(b)];
        if (p === "" || q === "") return (p === "") - (q === "");
        return (up ? 1 : -1) * (numeric ? Number(p) - Number(q) : p.localeCompare(q));
      };
      body.append(...Array.from(body.rows).sort(compare));
    });
  }
}
