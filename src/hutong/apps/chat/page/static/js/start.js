/** Puts the page together: the door for whoever is not signed in, else the list, the conversation and the place to write. */

import { Chat } from "./chat.js";
import { Composer } from "./composer.js";
import { closeMenu, openMenu, toast } from "./dialogs.js";
import { door } from "./door.js";
import { fill, h, iconButton } from "./dom.js";
import { sentence } from "./failures.js";
import { Panels } from "./panels.js";
import { applyLook, language } from "./preferences.js";
import * as session from "./session.js";
import { Sidebar } from "./sidebar.js";
import { Thread } from "./thread.js";
import { word } from "./words.js";

let chat = null;

applyLook();
document.documentElement.lang = language();
document.title = word("title");
session.onEnd((wished) => chat && showDoor(wished ? "" : word("signedOut")));
if (session.isSignedIn()) enter();
else showDoor();

function showDoor(message = "") {
  chat?.stop();
  chat = null;
  closeMenu();
  document.querySelectorAll("dialog").forEach((dialog) => dialog.close());
  document.body.classList.remove("drawer");
  fill(document.body, door(enter, message));
  document.querySelector(".door input").focus();
}

function enter() {
  const entered = (chat = new Chat());
  const panels = new Panels(chat), thread = new Thread(chat), composer = new Composer(chat, thread);
  const sidebar = new Sidebar(chat, panels, closeDrawer);
  const main = h("main", { class: "main" }, head(chat, panels, sidebar), banner(chat), thread.element, composer.element);
  const veil = h("button", { type: "button", class: "veil", "aria-label": word("closeList"), onclick: closeDrawer });
  fill(document.body, h("div", { class: "frame" }, sidebar.element, veil, main));
  chat.addEventListener("focus", () => composer.box.focus());
  chat.addEventListener("opened", ({ detail }) => history.replaceState(null, "", detail.id ? `#/c/${detail.id}` : "#/"));
  document.onkeydown = (event) => key(event, sidebar, composer);
  window.onhashchange = follow;
  follow();
  composer.box.focus();
  entered.start().catch((failure) => chat === entered && (failure.status === 401 ? showDoor(word("signedOut")) : toast(sentence(failure))));
}

/** Open what the address names. */
function follow() {
  const id = /^#\/c\/([0-9a-f-]{36})$/.exec(location.hash)?.[1] ?? null;
  if (chat && id !== chat.open.id) chat.show(id);
}

function head(chat, panels, sidebar) {
  const title = h("h1"), picker = h("button", { type: "button", class: "picker", "aria-haspopup": "menu", onclick: () => panels.models(picker) });
  const more = iconButton("more", word("options"), () => openMenu(more, options(chat, panels, sidebar)), { "aria-haspopup": "menu" });
  const draw = () => {
    const { conversation } = chat.open, known = chat.models.find((model) => model.id === chat.model);
    title.textContent = conversation ? conversation.title || word("untitled") : "";
    document.title = conversation?.title ? `${conversation.title} · ${word("title")}` : word("title");
    fill(picker, h("span", {}, known?.name ?? (chat.model || word("noModels"))));
    picker.setAttribute("aria-label", `${word("chooseModel")}: ${picker.textContent}`);
  };
  for (const name of ["open", "opened", "models", "list", "branch"]) chat.addEventListener(name, draw);
  draw();
  const drawer = iconButton("menu", word("openList"), openDrawer, { class: "menu-button", "aria-controls": "side" });
  const fresh = iconButton("plus", word("newChat"), () => sidebar.fresh(), { class: "menu-button" });
  return h("header", { class: "head" }, drawer, title, picker, fresh, more);
}

function options(chat, panels, sidebar) {
  const { conversation } = chat.open;
  const system = { icon: "quill", text: word("systemPrompt"), act: () => panels.system() };
  if (!conversation) return [system];
  const row = sidebar.list.querySelector(".row.here");
  return [system, null, ...sidebar.options(conversation, innerWidth > 800 ? row : null)];
}

/** What holds for the whole page: no network, or no connection to the server. */
function banner(chat) {
  const place = h("div", { class: "banner", role: "status" });
  let lost = 0;
  const draw = () => {
    clearTimeout(lost);
    if (!navigator.onLine) fill(place, word("offline"));
    else if (chat.connection !== "lost") fill(place);
    else lost = setTimeout(() => chat.connection === "lost" && fill(place, word("reconnecting")), 2000);
  };
  chat.addEventListener("connection", draw);
  window.ononline = window.onoffline = draw;
  draw();
  return place;
}

function key(event, sidebar, composer) {
  if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
    event.preventDefault();
    openDrawer();
    sidebar.input.focus();
    sidebar.input.select();
  } else if (event.key === "Escape" && !event.isComposing && !document.querySelector("dialog[open]")) {
    if (document.body.classList.contains("drawer")) closeDrawer();
    else if (chat?.isBusy) composer.stop();
  }
}

function openDrawer() {
  document.body.classList.add("drawer");
}

function closeDrawer() {
  document.body.classList.remove("drawer");
}
