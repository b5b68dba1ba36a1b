/** Signing in and making an account. */

import * as api from "./api.js";
import { fill, h, icon, iconButton } from "./dom.js";
import { sentence } from "./failures.js";
import { isDark, turnLook } from "./preferences.js";
import { turnLanguage } from "./panels.js";
import { word } from "./words.js";

/** The door, which calls `inside` when somebody came in. */
export function door(inside, message = "") {
  const place = h("main", { class: "door" });
  draw(place, inside, false, message);
  return place;
}

function draw(place, inside, joins, message = "") {
  const error = h("p", { class: "error", role: "alert" }, message);
  const submit = h("button", { type: "submit", class: "button first" }, word(joins ? "register" : "signIn"));
  const form = h("form", { onsubmit: (event) => (event.preventDefault(), enter(form, submit, error, joins, inside)) }, ...fields(joins), error, submit);
  const turn = h("p", { class: "turn" }, word(joins ? "hasAccount" : "noAccount"), " ",
    h("button", { type: "button", class: "plain", onclick: () => draw(place, inside, !joins) }, word(joins ? "signIn" : "register")));
  const head = h("header", {}, h("img", { src: "page/icon.svg", alt: word("title") }), h("h1", {}, word(joins ? "join" : "welcome")), h("p", {}, word(joins ? "joinLead" : "welcomeLead")));
  fill(place, h("div", {}, head, form, turn, h("div", { class: "ways" }, lookButton(),
    h("button", { type: "button", class: "icon-button", onclick: turnLanguage, lang: "zh-CN" }, word("otherLanguage")))));
  form.querySelector("input").focus();
}

function lookButton() {
  const button = iconButton(isDark() ? "sun" : "moon", word(isDark() ? "light" : "dark"), () => {
    turnLook();
    fill(button, icon(isDark() ? "sun" : "moon"));
    button.title = word(isDark() ? "light" : "dark");
    button.setAttribute("aria-label", button.title);
  });
  return button;
}

function fields(joins) {
  const field = (label, attributes, hint) => h("label", { class: "field" }, label, h("input", { required: true, ...attributes }), hint && h("small", {}, hint));
  const name = field(word(joins ? "username" : "usernameOrMail"), { name: "username", autocomplete: "username", autocapitalize: "none", spellcheck: "false", maxlength: 254 });
  const mail = joins && field(word("email"), { name: "email", type: "email", autocomplete: "email", maxlength: 254 });
  const password = field(word("password"), { name: "password", type: "password", autocomplete: joins ? "new-password" : "current-password", maxlength: 128 }, joins && word("passwordHint"));
  return [name, mail, password];
}

async function enter(form, submit, error, joins, inside) {
  const { username, email, password } = Object.fromEntries(new FormData(form));
  submit.disabled = true;
  error.textContent = "";
  try {
    if (joins) await api.register(username.trim(), email.trim(), password);
    else await api.login(username.trim(), password);
    inside();
  } catch (failure) {
    error.textContent = sentence(failure);
    submit.disabled = false;
  }
}
