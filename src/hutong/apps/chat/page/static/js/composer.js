/** Where one writes. Enter sends, Shift+Enter makes a new line, Escape stops; what was written outlives a reload. */

import { fill, h, icon } from "./dom.js";
import { sentence } from "./failures.js";
import { toast } from "./dialogs.js";
import { word } from "./words.js";

const DRAFT = "hutong-chat:draft:";

export class Composer {
  constructor(chat, thread) {
    this.chat = chat;
    this.box = h("textarea", { rows: 1, placeholder: word("ask"), "aria-label": word("ask"), enterkeyhint: "send", oninput: () => this.typed() });
    this.button = h("button", { type: "submit", class: "send" });
    const form = h("form", { onsubmit: (event) => (event.preventDefault(), this.press()) }, this.box, this.button);
    this.element = h("div", { class: "ask" }, thread.newest, form, h("small", {}, word("askHint")));
    this.thread = thread;
    this.box.addEventListener("keydown", (event) => this.key(event));
    for (const name of ["branch", "open", "message", "delta"]) chat.addEventListener(name, () => this.draw());
    chat.addEventListener("open", () => this.restore());
    chat.addEventListener("idea", ({ detail }) => this.offer(detail));
    this.restore();
    this.draw();
  }

  get draftKey() {
    return DRAFT + (this.chat.open.id ?? "new");
  }

  restore() {
    this.box.value = sessionStorage.getItem(this.draftKey) ?? "";
    this.fit();
    this.draw();
    if (matchMedia("(hover: hover)").matches) this.box.focus(); // on a phone this would raise the keyboard
  }

  offer(text) {
    this.box.value = text;
    this.typed();
    this.box.focus();
  }

  typed() {
    if (this.box.value) sessionStorage.setItem(this.draftKey, this.box.value);
    else sessionStorage.removeItem(this.draftKey);
    this.fit();
    this.draw();
  }

  /** Browsers without `field-sizing` are told the height. */
  fit() {
    if (CSS.supports("field-sizing", "content")) return;
    this.box.style.height = "auto";
    this.box.style.height = `${this.box.scrollHeight}px`;
  }

  key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return; // 229: a word is being composed
    event.preventDefault();
    if (!this.chat.isBusy) this.send();
  }

  press() {
    if (this.chat.isBusy) this.stop();
    else this.send();
  }

  async stop() {
    try {
      await this.chat.stopReply();
    } catch (failure) {
      toast(sentence(failure));
    }
  }

  async send() {
    const content = this.box.value.trim();
    if (!content || this.chat.open.loading || this.chat.open.failure) return;
    const key = this.draftKey;
    this.box.value = "";
    sessionStorage.removeItem(key);
    this.fit();
    this.thread.follows = true;
    try {
      await this.chat.send(content);
    } catch (failure) {
      toast(sentence(failure));
      if (!this.box.value) this.offer(content);
    }
  }

  draw() {
    const busy = this.chat.isBusy, state = busy ? "stop" : "send";
    if (this.state !== state) {
      this.state = state;
      fill(this.button, icon(state));
      this.button.classList.toggle("stop", busy);
      this.button.title = word(state);
      this.button.setAttribute("aria-label", word(state));
    }
    this.button.disabled = !busy && !this.box.value.trim();
  }
}
