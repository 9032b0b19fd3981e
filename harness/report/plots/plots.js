"use strict";
// Plots: tooltips by pointer and by arrow keys, views, names of stages, and methods that are highlighted or hidden.
(() => {
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.setAttribute("role", "status");
  document.body.append(tip);
  let marked = null;

  const show = (mark) => {
    if (marked) marked.classList.remove("at");
    marked = mark;
    tip.textContent = mark ? mark.dataset.tip : "";
    if (!mark) return;
    mark.classList.add("at");
    const box = mark.getBoundingClientRect();
    const own = tip.getBoundingClientRect();
    const wide = document.documentElement.clientWidth;
    const left = Math.min(Math.max(box.left + box.width / 2 - own.width / 2, 8), wide - own.width - 8);
    const above = box.top - own.height - 8;
    tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(above < 8 ? box.bottom + 8 : above)}px)`;
  };
  document.addEventListener("pointerover", (event) => show(event.target.closest("[data-tip]")));
  document.addEventListener("scroll", () => { if (marked && !marked.closest(":focus")) show(null); }, { passive: true });

  // The arrow keys go from mark to mark of the drawing that has the focus, the keys Home and End to its ends.
  const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  for (const drawing of document.querySelectorAll(".drawing")) {
    drawing.addEventListener("keydown", (event) => {
      if (event.target !== drawing) return;
      if (event.key === "Escape") return show(null);
      if (!(event.key in STEPS) && event.key !== "Home" && event.key !== "End") return;
      const marks = [...drawing.querySelectorAll("[data-tip]")].filter((mark) => mark.checkVisibility());
      if (!marks.length) return;
      event.preventDefault();
      const last = marks.length - 1;
      const place = marks.indexOf(marked);
      const next = event.key === "Home" ? 0 : event.key === "End" ? last : place < 0 ? 0 : place + STEPS[event.key];
      const mark = marks[Math.min(Math.max(next, 0), last)];
      mark.scrollIntoView({ block: "nearest", inline: "nearest" });
      show(mark);
    });
    drawing.addEventListener("blur", () => show(null));
  }

  // Names of stages lie level where the words of all of them fit, and stand upright elsewhere.
  const level = () => {
    const all = [...document.querySelectorAll(".names")].filter((names) => names.checkVisibility());
    all.forEach((names) => names.classList.add("level"));
    const fits = all.map((names) => [...names.children].every((one) => one.scrollWidth <= one.clientWidth + 1 && one.scrollHeight < 64));
    all.forEach((names, place) => names.classList.toggle("level", fits[place]));
  };
  level();
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; level(); } });
  addEventListener("beforeprint", level);
  addEventListener("afterprint", level);

  for (const choice of document.querySelectorAll(".choice")) {
    choice.hidden = false;
    const views = choice.parentElement.querySelectorAll(".view");
    choice.addEventListener("change", (event) => {
      show(null);
      views.forEach((view, place) => { view.hidden = String(place) !== event.target.value; });
      level();
    });
  }

  // One rule of style hides or fades every part of a method, wherever it is on the page.
  const rules = document.createElement("style");
  document.head.append(rules);
  const hidden = new Set();
  let lit = null;
  const style = () => {
    const parts = [...hidden].map((method) => `main [data-m="${method}"]:not(button)`);
    const faded = lit === null || hidden.has(lit) ? "" : `main [data-m]:not([data-m="${lit}"]):not(button) { opacity: .18; }`;
    rules.textContent = (parts.length ? `${parts.join(",")} { display: none; }` : "") + faded;
  };
  const light = (method) => { if (method !== lit) { lit = method; style(); } };
  const bar = document.querySelector(".methods");
  if (!bar) return;
  bar.hidden = false;
  const buttons = [...bar.querySelectorAll("button")];
  const press = (button, shown) => {
    button.setAttribute("aria-pressed", String(shown));
    if (shown) hidden.delete(button.dataset.m);
    else hidden.add(button.dataset.m);
  };
  for (const button of buttons) {
    button.addEventListener("click", () => { press(button, button.getAttribute("aria-pressed") === "false"); style(); });
    button.addEventListener("pointerenter", () => light(button.dataset.m));
    button.addEventListener("pointerleave", () => light(null));
    button.addEventListener("focus", () => light(button.dataset.m));
    button.addEventListener("blur", () => light(null));
  }
  document.addEventListener("pointerover", (event) => {
    const part = event.target.closest(".legend [data-m], .stages [data-m], svg.area g[data-m], .row[data-m]");
    if (part) light(part.dataset.m);
    else if (!event.target.closest(".methods")) light(null);
  });
  bar.querySelector("input").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const button of buttons) press(button, button.textContent.toLowerCase().includes(wanted));
    style();
  });
})();
