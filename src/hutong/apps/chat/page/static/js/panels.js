/** The dialogs of the account: quota, API keys, system prompt, import; and the menu that opens them. */

import * as api from "./api.js";
import { copy, fill, h, iconButton } from "./dom.js";
import { confirm, openDialog, openMenu, toast } from "./dialogs.js";
import { sentence } from "./failures.js";
import { isDark, language, setLanguage, turnLook } from "./preferences.js";
import { number, when, word } from "./words.js";

const COUNTERS = { daily_requests: "requestsToday", daily_tokens: "tokensToday", monthly_requests: "requestsMonth", monthly_tokens: "tokensMonth" };

export class Panels {
  constructor(chat) {
    this.chat = chat;
  }

  account(anchor) {
    openMenu(anchor, [
      { icon: "quill", text: word("quota"), act: () => this.quota() },
      { icon: "key", text: word("keys"), act: () => this.keys() },
      null,
      { icon: "archive", text: word("showArchived"), act: () => this.chat.loadList({ archived: true }) },
      { icon: "down", text: word("importOnes"), act: () => this.importFile() },
      null,
      ...lookEntries(),
      null,
      { icon: "out", text: word("signOut"), act: () => api.logout() },
    ]);
  }

  async quota() {
    const body = h("dl", { class: "counters" });
    openDialog(word("quota"), h("p", {}, word("quotaLead")), body);
    await this.chat.loadQuota();
    const { quota } = this.chat;
    if (quota) fill(body, ...Object.entries(COUNTERS).map(([name, title]) => counter(word(title), quota[name])));
  }

  async keys() {
    const list = h("ul", { class: "keys" }), fresh = h("div"), error = h("p", { class: "error", role: "alert" });
    const name = h("input", { name: "name", required: true, maxlength: 60, autocomplete: "off" });
    const make = async (event) => {
      event.preventDefault();
      await attempt(error, async () => {
        showSecret(fresh, await api.makeKey(name.value.trim()));
        name.value = "";
        await this.listKeys(list, error);
      });
    };
    const form = h("form", { onsubmit: make }, h("div", { class: "line" }, h("label", { class: "field" }, word("keyName"), name), h("button", { type: "submit", class: "button first" }, word("makeKey"))));
    openDialog(word("keys"), h("p", {}, word("keysLead", { url: api.compatibleBase() })), form, fresh, error, list);
    await this.listKeys(list, error);
  }

  async listKeys(list, error) {
    await attempt(error, async () => {
      const keys = await api.keys();
      fill(list, ...(keys.length ? keys.map((key) => this.keyRow(key, list, error)) : [h("li", {}, h("small", {}, word("noKeys")))]));
    });
  }

  keyRow(key, list, error) {
    const revoke = async () => {
      if (!(await confirm(word("revoke", { name: key.name }), word("revokeAsk"), word("remove")))) return;
      await attempt(error, () => api.revokeKey(key.id));
      await this.listKeys(list, error);
    };
    const used = key.last_used_at ? word("keyUsed", { when: when(key.last_used_at) }) : word("keyUnused");
    return h("li", {}, h("b", {}, key.name), h("small", {}, [key.hint ?? key.prefix, used].filter(Boolean).join(" · ")), iconButton("trash", word("revoke", { name: key.name }), revoke));
  }

  /** What the model is told first. It can be written until the conversation begins, and read ever after. */
  system() {
    const { open, system } = this.chat, begun = Boolean(open.id);
    const box = h("textarea", { placeholder: begun ? word("systemNone") : word("systemHint"), maxlength: 32_000, "aria-label": word("systemPrompt"), readonly: begun });
    box.value = system;
    const save = (event) => {
      event.preventDefault();
      if (!begun) this.chat.setSystem(box.value.trim());
      dialog.close();
    };
    const dialog = openDialog(word("systemPrompt"), h("form", { onsubmit: save }, h("p", {}, word(begun ? "systemBegun" : "systemLead")), h("div", { class: "field" }, box),
      h("div", { class: "ends" }, h("button", { type: "submit", class: "button first" }, word(begun ? "close" : "save")))));
    box.focus();
  }

  importFile() {
    const input = h("input", { type: "file", accept: ".json,application/json" });
    input.addEventListener("change", async () => {
      try {
        const answer = await this.chat.importFile(await input.files[0].text());
        toast(word("imported", { created: number(answer.created), skipped: number(answer.skipped) }));
      } catch (failure) {
        toast(failure instanceof SyntaxError ? word("unexpected") : sentence(failure));
      }
    });
    input.click();
  }

  /** Which model answers. */
  models(anchor) {
    const { models, model } = this.chat;
    const entries = models.map((one) => ({ text: one.id, note: noteOf(one), checked: one.id === model, act: () => this.chat.chooseModel(one.id).catch((failure) => toast(sentence(failure))) }));
    if (entries.length) openMenu(anchor, entries);
  }
}

/** Entries of a menu for the look and the language; both draw the page anew. */
export function lookEntries() {
  return [
    { icon: isDark() ? "sun" : "moon", text: word(isDark() ? "light" : "dark"), act: turnLook },
    { icon: "globe", text: word("otherLanguage"), act: turnLanguage },
  ];
}

export function turnLanguage() {
  setLanguage(language() === "en" ? "zh-CN" : "en");
  location.reload();
}

function noteOf({ context_window, vip }) {
  return [word("window", { count: number(context_window) }), vip && "VIP"].filter(Boolean).join(" · ");
}

function counter(title, { used, reserved, limit, resets_at }) {
  return h("div", {}, h("dt", {}, title), h("dd", {}, h("b", {}, number(used)), " ", limit === null ? word("noLimit") : word("ofLimit", { limit: number(limit) })),
    meter(used + reserved, limit),
    h("small", {}, resets_at ? word("resets", { when: when(resets_at) }) : ""));
}

/** A bar that shows how much of a limit is used; none where there is no limit. */
export function meter(used, limit) {
  const value = limit ? Math.min(1, used / limit) : 1;
  return limit === null ? null : h("meter", { min: 0, max: 1, low: 0.8, high: 0.95, optimum: 0, value, "aria-hidden": "true" });
}

function showSecret(place, answer) {
  const secret = answer.secret ?? answer.key;
  const button = iconButton("copy", word("copy"), () => copy(secret, button));
  fill(place, h("p", {}, word("keyOnce")), h("div", { class: "secret" }, h("code", {}, secret), button));
}

async function attempt(error, work) {
  error.textContent = "";
  try {
    await work();
    return true;
  } catch (failure) {
    error.textContent = sentence(failure);
    return false;
  }
}
