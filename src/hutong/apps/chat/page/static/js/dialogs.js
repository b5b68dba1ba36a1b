/** Menus, dialogs and the short message at the bottom. */

import { fill, h, icon, iconButton } from "./dom.js";
import { word } from "./words.js";

let menu = null;
let toastTimer = 0;

/**
 * Open a menu below `anchor`. Entries are {icon, text, note, bad, checked, act} or null for a line.
 * Arrow keys move, Escape closes, focus goes back to the anchor.
 */
export function openMenu(anchor, entries) {
  if (menu) return closeMenu();
  const buttons = entries.map((entry) => (entry ? menuButton(entry) : h("hr")));
  menu = { anchor, element: h("div", { class: "menu", role: "menu", onkeydown: walk }, ...buttons) };
  document.body.append(menu.element);
  anchor.setAttribute("aria-expanded", "true");
  place(menu.element, anchor.getBoundingClientRect());
  (menu.element.querySelector('[aria-checked="true"]') ?? menu.element.querySelector("button")).focus();
  setTimeout(() => document.addEventListener("pointerdown", outside), 0);
}

function menuButton({ icon: name, text, note, bad, checked, act }) {
  const radio = checked !== undefined;
  const attributes = { type: "button", role: radio ? "menuitemradio" : "menuitem", class: bad ? "bad" : null, "aria-checked": radio ? String(checked) : null };
  const words = note ? h("span", { class: "choice" }, text, h("small", {}, note)) : text;
  return h("button", { ...attributes, onclick: () => (closeMenu(), act()) }, name && icon(name), words, radio && icon("check"));
}

function place(element, { left, right, top, bottom }) {
  const { offsetWidth: width, offsetHeight: height } = element;
  const x = left + width + 8 > innerWidth ? right - width : left;
  const y = bottom + height + 8 > innerHeight ? Math.max(8, top - height - 6) : bottom + 6;
  element.style.left = `${Math.max(8, x)}px`;
  element.style.top = `${y}px`;
}

function walk(event) {
  const buttons = [...menu.element.querySelectorAll("button")], at = buttons.indexOf(document.activeElement);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) buttons.at((at + step + buttons.length) % buttons.length).focus();
  else if (event.key === "Escape" || event.key === "Tab") closeMenu();
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function outside(event) {
  if (!menu || menu.element.contains(event.target) || menu.anchor.contains(event.target)) return;
  closeMenu();
}

export function closeMenu() {
  if (!menu) return;
  const { element, anchor } = menu;
  menu = null;
  document.removeEventListener("pointerdown", outside);
  element.remove();
  anchor.setAttribute("aria-expanded", "false");
  anchor.focus();
}

/** Show a dialog with this title and content; it is gone when it closes. */
export function openDialog(title, ...content) {
  const dialog = h("dialog", { "aria-label": title, onclose: () => dialog.remove() });
  const head = h("header", {}, h("h2", {}, title), iconButton("close", word("close"), () => dialog.close()));
  fill(dialog, h("div", {}, head, ...content));
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Ask before something that cannot be undone. */
export function confirm(title, text, verb) {
  return new Promise((resolve) => {
    const dialog = openDialog(title, h("p", {}, text), h("div", { class: "ends" },
      h("button", { type: "button", class: "button", onclick: () => dialog.close() }, word("cancel")),
      h("button", { type: "button", class: "button bad", onclick: () => dialog.close("yes") }, verb)));
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"));
    dialog.querySelector(".ends .button").focus();
  });
}

/** Say something for some seconds. */
export function toast(text) {
  document.querySelector(".toast")?.remove();
  clearTimeout(toastTimer);
  document.body.append(h("div", { class: "toast", role: "status" }, text));
  toastTimer = setTimeout(() => document.querySelector(".toast")?.remove(), 5000);
}
