/** Building elements without markup: everything that comes from outside becomes text, never HTML. */

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  plus: "M12 5v14M5 12h14",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4 4",
  menu: "M4 7h16M4 12h16M4 17h16",
  more: "M6 12h.01M12 12h.01M18 12h.01",
  copy: "M9 9h10v11H9zM5 15V4h10",
  check: "M5 12.5l4.5 4.5L19 7.5",
  edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  again: "M19 12a7 7 0 1 1-2.2-5.1M19 4v4h-4",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  close: "M6 6l12 12M18 6L6 18",
  left: "M14 7l-5 5 5 5",
  right: "M10 7l5 5-5 5",
  archive: "M4 5h16v4H4zM6 9v10h12V9M10 13h4",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  down: "M12 5v14M6 13l6 6 6-6",
  up: "M12 16V4M7 9l5-5 5 5M5 20h14",
  key: "M14 10a4 4 0 1 0-3.5 4L12 12.5h2V11h0zM20 4l-8 8M17 7l2 2",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.5 1.5M17.5 17.5L19 19M5 19l1.5-1.5M17.5 6.5L19 5",
  moon: "M20 14.5A8 8 0 1 1 9.5 4a6.5 6.5 0 0 0 10.5 10.5z",
  globe: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18",
  out: "M14 5H6v14h8M11 12h9M17 9l3 3-3 3",
  quill: "M5 19c2-8 7-13 15-14-1 8-6 12-12 12M5 19l5-5",
};

/**
 * An element with its attributes, listeners (`onclick`…) and children.
 * Children that are null, undefined or false are left out; strings become text.
 */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) set(element, key, value);
  element.append(...flat(children));
  return element;
}

function set(element, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
  else if (key === "class") element.className = value;
  else if (key === "value" || key === "checked" || key === "disabled") element[key] = value;
  else element.setAttribute(key, value === true ? "" : value);
}

function flat(children) {
  return children.flat().filter((child) => child !== null && child !== undefined && child !== false);
}

/** One of our own line drawings. It says nothing to a screen reader: what holds it carries the words. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button that shows an icon and says `label` to whoever points at it or listens. */
export function iconButton(name, label, onclick, attributes = {}) {
  const { class: extra = "", ...rest } = attributes;
  return h("button", { type: "button", class: `icon-button ${extra}`, title: label, "aria-label": label, onclick, ...rest }, icon(name));
}

/** Put these children in place of the present ones. */
export function fill(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

/** Put `text` into the clipboard and show on `button` for a moment that it is there. */
export async function copy(text, button) {
  await navigator.clipboard.writeText(text);
  const before = [...button.childNodes];
  button.replaceChildren(icon("check"));
  button.classList.add("done");
  setTimeout(() => {
    button.replaceChildren(...before);
    button.classList.remove("done");
  }, 1500);
}
