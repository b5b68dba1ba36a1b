/** The list at the side: conversations by their day, search, the archive; below it the quota and who is signed in. */

import { fill, h, icon, iconButton } from "./dom.js";
import { confirm, openMenu, toast } from "./dialogs.js";
import { sentence } from "./failures.js";
import * as api from "./api.js";
import { meter } from "./panels.js";
import { number, short, word } from "./words.js";

const DAY = 86_400_000;
const PAUSE = 250; // milliseconds without a key before a search begins

export class Sidebar {
  /** @param panels {account, quota}: open the dialogs; `close` puts the drawer away */
  constructor(chat, panels, close) {
    Object.assign(this, { chat, panels, close });
    this.input = h("input", { type: "search", placeholder: word("search"), "aria-label": word("searchLabel"), oninput: () => this.searched(), onkeydown: (event) => this.key(event) });
    this.list = h("nav", { class: "list", "aria-label": word("conversations") });
    this.foot = h("div", { class: "foot" });
    const brand = h("div", { class: "brand" }, h("img", { src: "page/icon.svg", alt: "" }), word("title"), iconButton("close", word("closeList"), close));
    const fresh = h("button", { type: "button", class: "button new", onclick: () => this.fresh() }, icon("plus"), word("newChat"));
    const keys = /Mac|iP/.test(navigator.platform) ? "⌘K" : "Ctrl K";
    const search = h("div", { class: "search", role: "search" }, icon("search"), this.input, h("kbd", { "aria-hidden": "true" }, keys));
    this.element = h("aside", { class: "side", id: "side" }, brand, fresh, search, this.list, this.foot);
    for (const name of ["list", "open", "opened", "branch", "message"]) chat.addEventListener(name, () => this.draw());
    for (const name of ["me", "quota"]) chat.addEventListener(name, () => this.drawFoot());
    this.draw();
    this.drawFoot();
  }

  fresh() {
    location.hash = "#/";
    this.close();
    this.chat.tell("focus");
  }

  searched() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.chat.loadList({ q: this.input.value.trim() }), PAUSE);
  }

  key(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      if (this.input.value) {
        this.input.value = "";
        this.searched();
      } else {
        this.chat.tell("focus");
      }
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      this.list.querySelector("a")?.focus();
    }
  }

  // -- the list ---------------------------------------------------------------------------------------------------------------

  draw() {
    if (this.list.contains(document.activeElement) && document.activeElement.matches("input")) return; // a title is being written
    const { items, cursor, q, archived, loading, failure } = this.chat.list;
    const head = archived && h("h2", {}, h("button", { type: "button", class: "plain", onclick: () => this.chat.loadList({ archived: false }) }, `‹ ${word("back")}`), ` ${word("archivedOnes")}`);
    const more = cursor && h("button", { type: "button", class: "plain more", onclick: () => this.chat.loadMore() }, word("moreOnes"));
    const nothing = !items.length && !loading && h("p", { class: "none" }, failure ? word("listFailed") : word(q ? "noneFound" : archived ? "noneArchived" : "noneYet", { text: q }),
      failure && h("button", { type: "button", class: "plain", onclick: () => this.chat.loadList() }, word("tryAgain")));
    fill(this.list, head, ...groups(items).flatMap(([name, ones]) => [h("h2", {}, word(name)), h("ul", {}, ...ones.map((one) => this.row(one)))]), nothing, more);
  }

  row(one) {
    const here = this.chat.open.id === one.id, title = one.title || word("untitled");
    const link = h("a", { href: `#/c/${one.id}`, title, "aria-current": here ? "page" : null, onclick: () => this.close() },
      here && this.chat.isBusy && h("span", { class: "busy" }), title);
    const more = iconButton("more", word("optionsOf", { title }), () => openMenu(more, this.options(one, row)), { "aria-haspopup": "menu" });
    const row = h("li", { class: here ? "row here" : "row" }, link, more);
    return row;
  }

  /** What can be done with a conversation. */
  options(one, row) {
    const act = (work, done) => async () => {
      try {
        await work();
        if (done) toast(word(done));
      } catch (failure) {
        toast(sentence(failure));
      }
    };
    return [
      ...(row ? [{ icon: "edit", text: word("rename"), act: () => this.rename(one, row) }] : []),
      { icon: "archive", text: word(one.is_archived ? "unarchive" : "archive"), act: act(() => this.chat.setArchived(one.id, !one.is_archived), one.is_archived ? "unarchivedDone" : "archivedDone") },
      { icon: "up", text: word("exportMarkdown"), act: act(() => download(one.id, "markdown")) },
      { icon: "up", text: word("exportJson"), act: act(() => download(one.id, "json")) },
      null,
      { icon: "trash", text: word("remove"), bad: true, act: act(() => this.remove(one)) },
    ];
  }

  rename(one, row) {
    const input = h("input", { value: one.title, maxlength: 200, "aria-label": word("rename") });
    const finish = async (keep) => {
      input.onblur = null;
      input.remove();
      this.draw();
      const title = input.value.trim();
      if (keep && title && title !== one.title) await this.chat.rename(one.id, title).catch((failure) => toast(sentence(failure)));
    };
    input.onblur = () => finish(true);
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.stopPropagation();
      finish(event.key === "Enter" && !event.isComposing);
    });
    fill(row, input);
    input.focus();
    input.select();
  }

  async remove(one) {
    const title = one.title || word("untitled");
    if (await confirm(word("removeAsk"), word("removeLead", { title }), word("remove"))) await this.chat.remove(one.id);
  }

  // -- below it ---------------------------------------------------------------------------------------------------------------

  drawFoot() {
    const { me, quota } = this.chat;
    fill(this.foot, quota && this.meter(quota), me && h("button", { type: "button", class: "who", onclick: (event) => this.panels.account(event.currentTarget), "aria-haspopup": "menu" },
      h("span", { class: "face", "aria-hidden": "true" }, me.username.slice(0, 1)), h("b", {}, me.username), me.is_vip && h("span", { class: "vip" }, "VIP"), icon("more")));
  }

  meter(quota) {
    const line = (name, title, form) => {
      const { limit } = quota[name], used = quota[name].used + quota[name].reserved;
      return [h("p", {}, h("span", {}, word(title)), h("span", {}, limit === null ? form(used) : `${form(used)} / ${form(limit)}`)), meter(used, limit)];
    };
    return h("button", { type: "button", class: "quota", onclick: () => this.panels.quota(), "aria-label": word("quota") },
      ...line("daily_requests", "requestsToday", number), ...line("daily_tokens", "tokensToday", short));
  }
}

/** Conversations by how long ago they were last used. */
function groups(items) {
  const midnight = new Date().setHours(0, 0, 0, 0), found = { today: [], yesterday: [], week: [], older: [] };
  for (const one of items) {
    const age = midnight - new Date(one.updated_at).getTime();
    found[age <= 0 ? "today" : age <= DAY ? "yesterday" : age <= 6 * DAY ? "week" : "older"].push(one);
  }
  return Object.entries(found).filter(([, ones]) => ones.length);
}

async function download(id, format) {
  const { name, blob } = await api.exportConversation(id, format);
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
