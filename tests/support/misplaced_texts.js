// Returns the number of visible texts within a root, and what is wrong with them: outside of their box or of the page,
// cut off, or on one another. A table that scrolls by itself may be wider than the page.
const [root] = arguments;
const near = 1.5;
const told = new Set();
const name = (one) => `${one.tagName.toLowerCase()}.${one.className} "${one.textContent.trim().slice(0, 40)}"`;
const BOXES = ".panel, .row, fieldset, li, dd, dt, p, button, label, figcaption, summary";
const CELLS = ".panel span, .panel .title, .panel h3, .legend li, td, th, th button";

const lines = (one) => {
  const range = document.createRange();
  range.selectNodeContents(one);
  return [...range.getClientRects()].filter((box) => box.width > 0 && box.height > 0);
};
const isText = (one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
const texts = [...document.querySelectorAll(`${root} *`)]
  .filter((one) => !(one instanceof SVGElement) && one.checkVisibility() && !one.closest("#tip, .skip") && isText(one))
  .map((one) => ({ one, boxes: lines(one) }));

for (const { one, boxes } of texts) {
  if (one.closest(".scroll, pre")) continue;
  const box = (one.closest(BOXES) ?? one.parentElement).getBoundingClientRect();
  if (boxes.some((line) => line.left < -near || line.right > innerWidth + near)) {
    told.add(`outside of the page: ${name(one)}`);
  }
  if (boxes.some((line) => line.left < box.left - 12 || line.right > box.right + 12)) {
    told.add(`outside of its box: ${name(one)}`);
  }
  if (one.scrollWidth > one.clientWidth + near && getComputedStyle(one).overflowX !== "visible") {
    told.add(`cut off: ${name(one)}`);
  }
}

const sticks = (one) => [one, one.closest("th")].some((part) => part && getComputedStyle(part).position === "sticky");
const overlap = (a, b) => a.left < b.right - near && b.left < a.right - near && a.top < b.bottom - near
  && b.top < a.bottom - near;
const groups = new Map();
for (const text of texts) {
  const group = text.one.closest(".panel, table, .legend");
  if (!group || !text.one.matches(CELLS) || sticks(text.one)) continue;
  for (const other of groups.get(group) ?? []) {
    if (other.one.contains(text.one) || text.one.contains(other.one)) continue;
    if (text.boxes.some((a) => other.boxes.some((b) => overlap(a, b)))) {
      told.add(`on one another: ${name(other.one)} and ${name(text.one)}`);
    }
  }
  groups.set(group, [...(groups.get(group) ?? []), text]);
}
return [texts.length, [...told]];
