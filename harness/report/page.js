"use strict";
// Every table gets a button in each header: a click, Enter or Space sorts by its column, a second one turns the order.
(() => {
  const MISSING = "–";
  const NUMBER = /^[+−-]?[\d,]*\.?\d+(e[+−-]?\d+)?/;

  const textOf = (row, index) => row.cells[index].textContent.trim();
  const numberOf = (text) => {
    const found = NUMBER.exec(text);
    return found ? Number(found[0].replaceAll("−", "-").replaceAll(",", "")) : NaN;
  };

  const sorted = (rows, index, descending) => {
    const known = rows.filter((row) => ![MISSING, ""].includes(textOf(row, index)));
    const missing = rows.filter((row) => !known.includes(row));
    const numeric = index > 0 && known.every((row) => !Number.isNaN(numberOf(textOf(row, index))));
    const compare = numeric
      ? (a, b) => numberOf(textOf(a, index)) - numberOf(textOf(b, index))
      : (a, b) => textOf(a, index).localeCompare(textOf(b, index), "en", { numeric: true });
    known.sort((a, b) => (descending ? compare(b, a) : compare(a, b)));
    return [...known, ...missing];
  };

  for (const table of document.querySelectorAll("table")) {
    const body = table.tBodies[0];
    const headers = [...table.tHead.rows[0].cells];
    if (body.rows.length < 2) continue;
    headers.forEach((header, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = header.textContent.trim();
      header.replaceChildren(button);
      button.addEventListener("click", () => {
        const descending = header.getAttribute("aria-sort") === "ascending";
        headers.forEach((other) => other.removeAttribute("aria-sort"));
        header.setAttribute("aria-sort", descending ? "descending" : "ascending");
        body.append(...sorted([...body.rows], index, descending));
      });
    });
  }
})();
