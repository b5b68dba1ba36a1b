/** The messages of the open conversation, and keeping the newest in sight while its reader wants that. */

import { fill, h, iconButton } from "./dom.js";
import { sentence } from "./failures.js";
import { MessageView, pendingElement } from "./message.js";
import { toast } from "./dialogs.js";
import { word } from "./words.js";

const NEAR = 80; // pixels from the end at which the newest text is followed

export class Thread {
  constructor(chat) {
    this.chat = chat;
    this.views = new Map();
    this.follows = true;
    this.list = h("ol");
    this.status = h("p", { class: "hidden", role: "status" });
    this.element = h("section", { class: "thread", "aria-label": word("title") });
    this.newest = iconButton("down", word("newest"), () => this.toEnd(), { class: "newest", hidden: true });
    this.element.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.actions = {
      regenerate: (id) => this.act(() => chat.regenerate(id)),
      edit: (id, content) => this.act(() => chat.edit(id, content)),
      choose: (id) => chat.choose(id),
      redraw: () => this.draw(),
    };
    chat.addEventListener("open", () => this.reopen());
    chat.addEventListener("branch", () => this.draw());
    chat.addEventListener("delta", ({ detail }) => this.grow(detail.id));
    chat.addEventListener("message", ({ detail }) => this.announce(detail.id));
    new ResizeObserver(() => this.keepUp()).observe(this.list);
    this.reopen();
  }

  async act(work) {
    this.follows = true;
    try {
      await work();
    } catch (failure) {
      toast(sentence(failure));
    }
  }

  reopen() {
    this.views.clear();
    fill(this.list);
    this.follows = true;
    this.draw();
  }

  draw() {
    const { open } = this.chat;
    if (open.loading) return void fill(this.element, h("div", { class: "loading", "aria-busy": "true" }, h("i"), h("i"), h("i")));
    if (open.failure) return void fill(this.element, this.failed(open.failure));
    const branch = open.tree.branch().filter((message) => message.role !== "system");
    if (!branch.length && !open.pending) return void fill(this.element, this.hello());
    if (!this.list.isConnected) fill(this.element, this.list, this.status);
    this.place(shownBefore(branch, open.pending), open.pending);
    this.keepUp();
  }

  place(branch, pending) {
    const isBusy = this.chat.isBusy, { tree } = this.chat.open;
    const elements = branch.map((message, at) => {
      const view = this.view(message);
      view.update(message, tree.versions(message), !pending && at === branch.length - 1, isBusy);
      return view.element;
    });
    const wanted = [...elements, ...(pending ? pendingElement(pending.content).filter(Boolean) : [])];
    for (const old of [...this.list.children]) if (!wanted.includes(old)) old.remove();
    wanted.forEach((element, at) => this.list.children[at] === element || this.list.insertBefore(element, this.list.children[at] ?? null));
  }

  view(message) {
    if (!this.views.has(message.id)) this.views.set(message.id, new MessageView(message, this.actions));
    return this.views.get(message.id);
  }

  grow(id) {
    const view = this.views.get(id), message = this.chat.open.tree.get(id);
    if (!view || !view.element.isConnected) return;
    view.say(message);
    if (view.after.firstChild) fill(view.after);
    if (this.status.textContent !== word("writing")) this.status.textContent = word("writing");
  }

  announce(id) {
    const status = this.chat.open.tree.get(id)?.status;
    this.status.textContent = word(status === "complete" ? "written" : status === "stopped" ? "stopped" : "interrupted");
  }

  // -- the end in sight -------------------------------------------------------------------------------------------------------

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.element;
    this.follows = scrollHeight - scrollTop - clientHeight < NEAR;
    this.newest.hidden = this.follows;
  }

  keepUp() {
    if (this.follows && this.list.isConnected) this.element.scrollTop = this.element.scrollHeight;
    this.scrolled();
  }

  toEnd() {
    this.follows = true;
    this.keepUp();
  }

  // -- nothing to show --------------------------------------------------------------------------------------------------------

  hello() {
    const ideas = word("ideas").map((text) => h("li", {}, h("button", { type: "button", onclick: () => this.chat.tell("idea", text) }, text)));
    return h("div", { class: "hello" }, h("h2", {}, word("hello")), h("p", {}, word("helloLead")), h("ul", {}, ...ideas));
  }

  failed(failure) {
    const again = () => {
      const { id } = this.chat.open;
      this.chat.show(id);
    };
    return h("div", { class: "hello" }, h("h2", {}, word("loadFailed")), h("p", {}, sentence(failure)),
      h("ul", {}, h("li", {}, h("button", { type: "button", onclick: again }, word("tryAgain")))));
  }
}

/** The part of a branch that stays while something is on its way: up to what it answers. */
function shownBefore(branch, pending) {
  if (!pending) return branch;
  const at = branch.findIndex((message) => message.id === pending.parent_id);
  return branch.slice(0, at + 1); // nothing of it, if it answers the system prompt or nothing
}
