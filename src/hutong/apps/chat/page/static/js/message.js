/** One message on the page: what it says, what can be done with it, and how it ended. */

import { copy, fill, h, iconButton } from "./dom.js";
import { reasonOf } from "./failures.js";
import { MarkdownView } from "./markdown/view.js";
import { number, word } from "./words.js";

/**
 * @param actions {edit, regenerate, choose}: what the buttons do
 */
export class MessageView {
  constructor(message, actions) {
    this.actions = actions;
    this.id = message.id;
    this.role = message.role;
    this.shown = "";
    this.words = h("div", { class: message.role === "user" ? "words" : "words markdown" });
    this.after = h("div");
    this.acts = h("div", { class: "acts" });
    const by = h("h2", { class: "hidden" }, word(message.role === "user" ? "you" : "assistant"));
    this.element = h("li", { class: `said ${message.role}`, "data-id": message.id }, by, this.words, this.after, this.acts);
    this.markdown = message.role === "user" ? null : new MarkdownView(this.words);
  }

  /** Show the message as it is now; `versions` are the others in its place, `isLast` whether it ends the branch. */
  update(message, versions, isLast, isBusy) {
    this.message = message;
    this.element.classList.toggle("last", isLast);
    this.element.setAttribute("aria-busy", String(message.status === "streaming"));
    this.say(message);
    fill(this.after, this.ending(message, isLast && !isBusy));
    if (!this.editing) fill(this.acts, ...this.buttons(message, versions, isBusy));
  }

  /** Show what was added to the text, and only that. */
  say({ content, status }) {
    if (this.role === "user") {
      this.words.textContent = content;
    } else if (content.startsWith(this.shown)) {
      if (content.length > this.shown.length) this.markdown.append(content.slice(this.shown.length));
      if (status !== "streaming") this.markdown.end();
    } else {
      this.markdown.set(content);
    }
    this.shown = content;
  }

  ending(message, mayRetry) {
    if (message.status === "streaming") return message.content ? null : h("span", { class: "waiting" });
    const again = mayRetry && h("button", { type: "button", class: "plain", onclick: () => this.actions.regenerate(message.id) }, word("tryAgain"));
    if (message.status === "failed") return h("p", { class: "notice bad" }, h("span", {}, word("failed", { reason: reasonOf(message) })), again);
    if (message.status === "interrupted") return h("p", { class: "notice bad" }, h("span", {}, word("interrupted")), again);
    const note = message.status === "stopped" ? "stopped" : { length: "cutLength", content_filter: "filtered" }[message.finish_reason];
    return note ? h("p", { class: "notice" }, word(note)) : null;
  }

  buttons(message, versions, isBusy) {
    if (message.status === "streaming") return [];
    const copyButton = iconButton("copy", word("copy"), () => copy(message.content, copyButton));
    const own = message.role === "user"
      ? iconButton("edit", word("edit"), () => this.startEdit(message), { disabled: isBusy })
      : iconButton("again", word("again"), () => this.actions.regenerate(message.id), { disabled: isBusy });
    const spent = message.tokens_used ? h("span", { class: "spent" }, [message.model, word("tokens", { count: number(message.tokens_used) })].filter(Boolean).join(" · ")) : null;
    return [this.switcher(message, versions), message.content && copyButton, own, spent];
  }

  switcher(message, versions) {
    if (versions.length < 2) return null;
    const at = versions.findIndex((version) => version.id === message.id);
    const to = (place) => () => this.actions.choose(versions[place].id);
    return h("span", { class: "which" },
      iconButton("left", word("before"), to(at - 1), { disabled: at === 0 }),
      h("span", { "aria-label": word("which", { at: at + 1, of: versions.length }) }, `${at + 1}/${versions.length}`),
      iconButton("right", word("after"), to(at + 1), { disabled: at === versions.length - 1 }));
  }

  /** Let the user change the words; what is sent becomes another branch. */
  startEdit(message) {
    this.editing = true;
    const box = h("textarea", { rows: 2, "aria-label": word("edit") });
    box.value = message.content;
    const leave = () => {
      this.editing = false;
      form.replaceWith(this.words);
      this.actions.redraw();
    };
    const send = () => {
      const content = box.value.trim();
      leave();
      if (content && content !== message.content) this.actions.edit(message.id, content);
    };
    const form = h("form", { onsubmit: (event) => (event.preventDefault(), send()) }, box, h("p", {},
      h("button", { type: "button", class: "button", onclick: leave }, word("cancel")),
      h("button", { type: "submit", class: "button first" }, word("sendEdit"))));
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") leave();
      else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    this.words.replaceWith(form);
    fill(this.acts);
    box.focus();
    box.setSelectionRange(box.value.length, box.value.length);
  }
}

/** A question that is on its way. */
export function pendingElement(content) {
  const question = content === null ? null : h("li", { class: "said user" }, h("div", { class: "words" }, content));
  return [question, h("li", { class: "said assistant" }, h("span", { class: "waiting" }))];
}

