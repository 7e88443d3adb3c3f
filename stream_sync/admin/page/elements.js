// Makes elements. Text is always text: nothing from the service is ever read as HTML.

export function element(kind, attributes = {}, ...children) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export function byId(id) {
  return document.getElementById(id);
}

export function state(word, text = word) {
  return element("span", { class: `state ${word}` }, text);
}

export function pairs(entries) {
  return element("dl", {}, entries.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

// `columns`: [title, class]; on a phone a row becomes a card, with the titles beside the values.
export function table(columns, rows, label) {
  const heads = columns.map(([title, kind]) => element("th", { scope: "col", class: kind }, title));
  const cells = (row) => row.map((cell, n) => element("td", { "data-label": columns[n][0], class: columns[n][1] }, cell ?? ""));
  return element("table", { class: "cards", "aria-label": label },
    element("thead", {}, element("tr", {}, heads)),
    element("tbody", {}, rows.map((row) => element("tr", {}, cells(row)))));
}

const shown = new WeakMap();

// Replaces what `holder` shows, unless it is the same; who stands on a button in it keeps the place.
export function show(holder, ...children) {
  const fresh = element("div", {}, ...children);
  const written = fresh.innerHTML;
  if (shown.get(holder) === written) return;
  const focused = holder.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  holder.replaceChildren(...fresh.childNodes);
  shown.set(holder, written);
  if (focused) holder.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

export function say(text) {
  byId("said").textContent = text;
}
