"use strict";
// Sorts tables; searches, filters and chooses columns on a protocol's page; searches protocols on the first page.
// Without this script every table is shown as it is. A choice is kept in the page's address, after the #.
(() => {
  const MISSING = "–";
  const NUMBER = /^[+−-]?[\d,]*\.?\d+(e[+−-]?\d+)?/;
  const order = new Intl.Collator("en", { numeric: true });
  const byId = (id) => document.getElementById(id);

  const numberOf = (text) => {
    const found = NUMBER.exec(text);
    return found ? Number(found[0].replaceAll("−", "-").replaceAll(",", "")) : NaN;
  };

  // Returns a row's sort key: a number where the cell has one, null for what is missing.
  const keyOf = (row, index) => {
    const cell = row.cells[index];
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    const text = cell.textContent.trim();
    if (text === MISSING || text === "") return null;
    const number = index > 0 ? numberOf(text) : NaN;
    return Number.isNaN(number) ? text : number;
  };

  const sortRows = (table, index, descending) => {
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => [keyOf(row, index), row]);
    const numeric = keyed.every(([key]) => key === null || typeof key === "number");
    const compare = numeric ? (a, b) => a - b : (a, b) => order.compare(a, b);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return descending ? compare(b, a) : compare(a, b);
    });
    body.append(...keyed.map(([, row]) => row));
  };

  const sortable = (table, changed) => {
    const headers = [...table.tHead.rows[0].cells];
    const sort = (index, direction) => {
      for (const other of headers) other.removeAttribute("aria-sort");
      headers[index].setAttribute("aria-sort", direction);
      sortRows(table, index, direction === "descending");
    };
    if (table.tBodies[0].rows.length > 1) {
      headers.forEach((header, index) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = header.textContent.trim();
        header.replaceChildren(button);
        button.addEventListener("click", () => {
          const first = header.dataset.first ?? "ascending";
          const second = first === "ascending" ? "descending" : "ascending";
          sort(index, header.getAttribute("aria-sort") === first ? second : first);
          changed?.();
        });
      });
    }
    return { headers, sort };
  };

  const matches = (element, words) => words.every((word) => element.dataset.words.includes(word));
  const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

  const board = (table) => {
    const rows = [...table.tBodies[0].rows];
    const boxes = [...document.querySelectorAll("input[data-column]")];
    const controls = { q: byId("search"), group: byId("group"), recovery: byId("recovery") };
    const { headers, sort } = sortable(table, () => { ranked(); save(); });
    const places = new Map(headers.map((header, index) => [header.dataset.key, index]));

    const ranked = () => {
      const sorted = headers.find((header) => header.hasAttribute("aria-sort"));
      table.classList.toggle("ranked", !sorted || (sorted.dataset.key === "rank" && sorted.ariaSort === "ascending"));
    };
    const filter = () => {
      const words = wordsOf(controls.q.value);
      const group = controls.group?.value ?? "";
      const recovery = controls.recovery?.value ?? "";
      let shown = 0;
      for (const row of rows) {
        const used = row.dataset.recovery.split(" ").filter(Boolean);
        const recovered = recovery === "" || (recovery === " none" ? used.length === 0 : used.includes(recovery));
        row.hidden = !(matches(row, words) && (group === "" || row.dataset.group === group) && recovered);
        shown += !row.hidden;
      }
      byId("count").textContent = `${shown} of ${rows.length} rows`;
      byId("nothing").hidden = shown > 0;
    };
    const choose = (key, on) => {
      const index = places.get(key);
      if (index === undefined || headers[index].hidden === !on) return;
      for (const row of table.rows) row.cells[index].hidden = !on;
    };
    const columns = () => {
      for (const box of boxes) choose(box.dataset.column, box.checked);
      table.classList.toggle("means", !byId("intervals").checked);
    };

    const save = () => {
      const state = new URLSearchParams();
      for (const [name, control] of Object.entries(controls)) if (control?.value) state.set(name, control.value);
      for (const box of boxes) if (box.checked !== box.defaultChecked) state.append(box.checked ? "show" : "hide", box.dataset.column);
      if (!byId("intervals").checked) state.set("intervals", "no");
      const sorted = headers.find((header) => header.hasAttribute("aria-sort"));
      if (sorted) state.set("sort", `${sorted.dataset.key} ${sorted.ariaSort}`);
      const text = state.toString();
      try {
        history.replaceState(null, "", text ? `#?${text}` : "#");
      } catch { /* the address stays as it is where a browser forbids this for files */ }
    };
    const load = () => {
      if (!location.hash.startsWith("#?")) return;
      const state = new URLSearchParams(location.hash.slice(2));
      for (const [name, control] of Object.entries(controls)) if (control && state.has(name)) control.value = state.get(name);
      for (const box of boxes) {
        if (state.getAll("show").includes(box.dataset.column)) box.checked = true;
        if (state.getAll("hide").includes(box.dataset.column)) box.checked = false;
      }
      byId("intervals").checked = state.get("intervals") !== "no";
      const words = (state.get("sort") ?? "").split(" ");
      const direction = words.pop();
      const index = places.get(words.join(" "));
      if (index !== undefined && ["ascending", "descending"].includes(direction)) sort(index, direction);
    };
    const reset = () => {
      for (const control of Object.values(controls)) if (control) control.value = "";
      for (const box of boxes) box.checked = box.defaultChecked;
      byId("intervals").checked = true;
      for (const header of headers) header.removeAttribute("aria-sort");
      table.tBodies[0].append(...rows);
      update();
    };
    const update = () => { filter(); columns(); ranked(); save(); };

    controls.q.addEventListener("input", () => { filter(); save(); });
    for (const control of [controls.group, controls.recovery]) control?.addEventListener("change", () => { filter(); save(); });
    for (const box of [...boxes, byId("intervals")]) box.addEventListener("change", () => { columns(); save(); });
    byId("reset").addEventListener("click", reset);
    byId("all").addEventListener("click", () => { reset(); controls.q.focus(); });
    load();
    filter();
    columns();
    ranked();
  };

  const index = (list) => {
    const search = byId("search");
    const filter = () => {
      const items = [...list.children];
      for (const item of items) item.hidden = !matches(item, wordsOf(search.value));
      const shown = items.filter((item) => !item.hidden).length;
      byId("count").textContent = `${shown} of ${items.length}`;
    };
    search.addEventListener("input", filter);
    filter();
  };

  // A menu closes with Escape, and by a click outside it.
  for (const menu of document.querySelectorAll("details.columns")) {
    const summary = menu.querySelector("summary");
    menu.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && menu.open) { menu.open = false; summary.focus(); }
    });
    document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
  }
  for (const controls of document.querySelectorAll(".controls")) controls.hidden = false;
  for (const table of document.querySelectorAll("table.sortable")) sortable(table);
  if (byId("board")) board(byId("board"));
  if (byId("boards")) index(byId("boards"));
})();
