// The browser of samples. All texts come from models and data: they are set as text, never as HTML.
(() => {
  const source = document.getElementById("samples-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const part = (name) => document.getElementById(`samples-${name}`);
  const VERDICTS = { 1: "right", 0: "wrong", [-1]: "not scored" };
  const FILTERS = {
    "right → wrong": (before, after) => before === 1 && after === 0,
    "wrong → right": (before, after) => before === 0 && after === 1,
    "wrong after": (before, after) => after === 0,
    "right after": (before, after) => after === 1,
    "all": () => true,
  };
  const MOST_LISTED = 1000;

  const bits = (text) => (text === null ? null : Uint8Array.from(atob(text), (one) => one.charCodeAt(0)));
  const has = (set, item) => set !== null && ((set[item >> 3] >> (item & 7)) & 1) === 1;

  for (const domain of data.domains) {
    domain.items = domain.tasks.flatMap(({ name, items }) =>
      (typeof items === "number" ? [...Array(items).keys()] : items).map((number) => ({ task: name, number })));
    domain.right = domain.right.map(bits);
    domain.unscored = domain.unscored.map(bits);
    domain.texts = new Map(domain.texts.map((one) => [one.item, one]));
  }
  const verdict = (domain, checkpoint, item) => {
    if (domain.right[checkpoint] === null || has(domain.unscored[checkpoint], item)) return -1;
    return has(domain.right[checkpoint], item) ? 1 : 0;
  };
  const made = (tag, text, className) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  const option = (text, value) => {
    const element = made("option", text);
    element.value = value;
    return element;
  };
  const chosen = () => ({
    domain: data.domains[Number(part("domain").value)],
    before: data.places[Number(part("before").value)],
    after: data.places[Number(part("after").value)],
  });
  const nameOf = (place) => (place.step === 0 ? "base" : `${place.method}, step ${place.step} (${place.label})`);

  const countOf = (domain, before, after, filter) =>
    domain.items.filter((_, item) => FILTERS[filter](verdict(domain, before, item), verdict(domain, after, item))).length;

  // The step that harmed the domain most: where the browser opens.
  const harmful = (domain) => {
    let best = { lost: -Infinity, before: 0, after: 0 };
    data.places.forEach((after, index) => {
      const before = data.places[index - 1];
      if (!before || before.method !== after.method) return;
      const [one, two] = [before.checkpoint, after.checkpoint];
      const lost = countOf(domain, one, two, "right → wrong") - countOf(domain, one, two, "wrong → right");
      if (lost > best.lost) best = { lost, before: index - 1, after: index };
    });
    return best;
  };

  const showDomain = () => {
    const { before, after } = harmful(chosen().domain);
    part("before").value = String(before);
    part("after").value = String(after);
    const { domain } = chosen();
    const lost = countOf(domain, data.places[before].checkpoint, data.places[after].checkpoint, "right → wrong");
    part("filter").value = lost ? "right → wrong" : "all";
    showList();
  };

  const showList = () => {
    const { domain, before, after } = chosen();
    const [one, two] = [before.checkpoint, after.checkpoint];
    const wrong = countOf(domain, one, two, "wrong after");
    const [lost, gained] = [countOf(domain, one, two, "right → wrong"), countOf(domain, one, two, "wrong → right")];
    part("counts").textContent = `${domain.name}: ${wrong} of ${domain.items.length} wrong after ${nameOf(after)}; ` +
      `${lost} flipped from right to wrong and ${gained} from wrong to right since ${nameOf(before)}.`;
    const wanted = FILTERS[part("filter").value];
    const found = [...domain.items.keys()].filter((item) => wanted(verdict(domain, one, item), verdict(domain, two, item)));
    const place = new Map([...domain.texts.keys()].map((item, index) => [item, index]));
    found.sort((a, b) => (place.get(a) ?? Infinity) - (place.get(b) ?? Infinity) || a - b);
    part("items").replaceChildren(...found.slice(0, MOST_LISTED).map((item) => {
      const { task, number } = domain.items[item];
      const named = domain.tasks.length > 1 ? `${task} ${number}` : String(number);
      const flip = [one, two].map((checkpoint) => VERDICTS[verdict(domain, checkpoint, item)]).join(" → ");
      return option(`${named}: ${flip}${domain.texts.has(item) ? "" : " (no text)"}`, String(item));
    }));
    const listed = Math.min(found.length, MOST_LISTED);
    const withTexts = found.filter((item) => domain.texts.has(item)).length;
    part("shown").textContent = `${listed} items, ${withTexts} with texts`;
    part("items").selectedIndex = found.length ? 0 : -1;
    showItem();
  };

  const answer = (domain, place, item) => {
    const own = verdict(domain, place.checkpoint, item);
    const box = made("div", undefined, VERDICTS[own].replace("not scored", "unscored"));
    box.append(made("h3", nameOf(place)));
    const given = domain.texts.get(item).answers[place.checkpoint];
    const score = given && given[1] !== null ? `, ${given[1]}` : "";
    box.append(made("p", `${VERDICTS[own]}${score}`));
    box.append(made("pre", given ? domain.texts.get(item).completions[given[0]] || "(empty)" : "–"));
    return box;
  };

  const showItem = () => {
    const { domain, before, after } = chosen();
    const pane = part("item");
    const selected = part("items").value;
    if (selected === "") {
      pane.replaceChildren(made("p", "No item."));
      return;
    }
    const item = Number(selected);
    const { task, number } = domain.items[item];
    const text = domain.texts.get(item);
    if (!text) {
      const command = made("code", `harness samples ${data.run} ${after.method} --seed ${data.seed} --step ${after.step}` +
        ` --domain ${domain.name} --item ${number} --against ${before.method}@${before.step}`);
      const line = made("p", "The texts of this item are not in this page. They are shown by ");
      line.append(command, ".");
      pane.replaceChildren(line);
      return;
    }
    const list = made("dl");
    for (const [name, value] of [[`Prompt of ${task} ${number}`, text.prompt], ["Target", text.target]]) {
      const definition = made("dd");
      definition.append(made("pre", value ?? "–"));
      list.append(made("dt", name), definition);
    }
    const pair = made("div", undefined, "samples-pair");
    pair.append(answer(domain, before, item), answer(domain, after, item));
    pane.replaceChildren(list, pair);
  };

  part("domain").append(...data.domains.map((domain, index) => option(domain.name, String(index))));
  for (const side of ["before", "after"]) {
    const groups = new Map();
    data.places.forEach((place, index) => {
      if (!groups.has(place.method)) {
        const group = made("optgroup");
        group.label = place.method;
        groups.set(place.method, group);
      }
      const text = place.step === 0 ? `${place.method}: base` : `${place.method}: ${place.step} ${place.label}`;
      groups.get(place.method).append(option(text, String(index)));
    });
    part(side).append(...groups.values());
  }
  part("filter").append(...Object.keys(FILTERS).map((name) => option(name, name)));
  part("domain").addEventListener("change", showDomain);
  for (const name of ["before", "after", "filter"]) part(name).addEventListener("change", showList);
  part("items").addEventListener("change", showItem);
  part("browser").hidden = false;
  showDomain();
})();
