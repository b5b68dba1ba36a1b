/**
 * What the page knows, and what can be done. Views listen to its events and never call the app themselves.
 *
 * Events: "list", "open" (another conversation, or how far it is loaded), "branch" (which messages are shown), "delta"
 * (detail {id, text}), "message" (detail {id}), "quota", "models", "connection", "me".
 */

import * as api from "./api.js";
import { lastModel, setLastModel } from "./preferences.js";
import { Replies } from "./replies.js";
import { Socket } from "./socket.js";
import { Tree } from "./tree.js";

export class Chat extends EventTarget {
  constructor() {
    super();
    this.me = null;
    this.models = [];
    this.quota = null;
    this.list = { items: [], cursor: null, q: "", archived: false, loading: true, failure: null };
    this.open = empty();
    this.connection = "opening"; // "live", "lost"
    this.socket = new Socket({
      opened: () => this.socketOpened(),
      closed: () => this.socketClosed(),
      heard: (frame) => this.heard(frame),
    });
    this.replies = new Replies((id, kind, data) => this.applied(id, kind, data), this.socket);
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  // -- beginning and end ------------------------------------------------------------------------------------------------------

  /** Load what every view needs. */
  async start() {
    this.me = await api.me();
    this.tell("me");
    this.socket.open();
    await Promise.all([this.loadModels(), this.loadQuota(), this.loadList()]);
  }

  /** Let go of everything; the page shows the door after this. */
  stop() {
    this.socket.close();
    this.replies.keepOnly(null);
  }

  async loadModels() {
    this.models = await api.models().catch(() => []);
    this.tell("models");
  }

  async loadQuota() {
    this.quota = await api.quota().catch(() => this.quota);
    this.tell("quota");
  }

  /** The model of the open conversation, or the one that a new one will have. */
  get model() {
    const names = this.models.map((model) => model.id);
    return this.open.conversation?.model || [this.open.model, lastModel()].find((name) => names.includes(name)) || names[0] || "";
  }

  async chooseModel(name) {
    setLastModel(name);
    this.open.model = name;
    if (this.open.conversation) this.update(await api.changeConversation(this.open.id, { model: name }));
    this.tell("models");
  }

  // -- the list ---------------------------------------------------------------------------------------------------------------

  /** Load the list from its beginning. */
  async loadList(change = {}) {
    Object.assign(this.list, change, { loading: true, failure: null, cursor: null });
    this.listAbort?.abort();
    this.listAbort = new AbortController();
    this.tell("list");
    await this.addPage(this.listAbort.signal, []);
  }

  /** Load the next page of it. */
  async loadMore() {
    await this.addPage(this.listAbort.signal, this.list.items);
  }

  async addPage(signal, before) {
    const { q, archived, cursor } = this.list;
    try {
      const page = await api.conversations({ q, archived, cursor }, signal);
      const known = new Set(before.map((one) => one.id));
      Object.assign(this.list, { items: [...before, ...page.items.filter((one) => !known.has(one.id))], cursor: page.next_cursor });
    } catch (error) {
      if (error.name === "AbortError") return;
      Object.assign(this.list, { items: before, failure: error });
    }
    this.list.loading = false;
    this.tell("list");
  }

  /** Show a conversation as it is now, in the list and above the messages. */
  update(conversation) {
    const items = this.list.items.filter((one) => one.id !== conversation.id);
    if (!this.list.q && Boolean(conversation.is_archived) === this.list.archived) items.push(conversation);
    else if (this.list.q && items.length < this.list.items.length) items.push(conversation);
    items.sort((one, other) => (one.updated_at < other.updated_at ? 1 : -1));
    this.list.items = items;
    if (this.open.id === conversation.id) this.open.conversation = { ...this.open.conversation, ...conversation };
    this.tell("list");
    if (this.open.id === conversation.id) this.tell("models");
  }

  async rename(id, title) {
    this.update(await api.changeConversation(id, { title }));
  }

  async setArchived(id, is_archived) {
    this.update(await api.changeConversation(id, { is_archived }));
  }

  async remove(id) {
    await api.removeConversation(id);
    this.forget(id);
  }

  forget(id) {
    this.list.items = this.list.items.filter((one) => one.id !== id);
    if (this.open.id === id) {
      this.show(null);
      this.tell("opened", { id: null });
    }
    this.tell("list");
  }

  async importFile(text) {
    const answer = await api.importConversations(JSON.parse(text));
    await this.loadList({ q: "", archived: false });
    return answer;
  }

  // -- one conversation -------------------------------------------------------------------------------------------------------

  /** Open a conversation; null for a new one. */
  async show(id) {
    if (this.open.id === id && !this.open.failure) return;
    const opened = (this.open = { ...empty(), id, loading: Boolean(id) });
    this.replies.keepOnly(id);
    this.tell("open");
    if (id) await this.load(opened);
  }

  async load(opened) {
    try {
      const [conversation, messages] = await Promise.all([api.conversation(opened.id), api.messages(opened.id)]);
      opened.conversation = conversation;
      for (const message of messages) opened.tree.put(message);
      if (conversation.leaf_id) opened.tree.show(conversation.leaf_id);
    } catch (error) {
      opened.failure = error;
    }
    opened.loading = false;
    if (this.open !== opened) return;
    this.followAll();
    this.tell("open");
  }

  /** Follow every reply of the open conversation that is being written, from its beginning: a reader that is there began before
   * the messages were loaded, and what it had so far is gone. */
  followAll() {
    const { id, tree } = this.open;
    for (const message of tree.messages.values()) if (message.status === "streaming") this.replies.follow(id, message.id);
  }

  /** The reply that is being written in the open conversation. */
  get running() {
    return [...this.open.tree.messages.values()].find((message) => message.status === "streaming") ?? null;
  }

  get isBusy() {
    return Boolean(this.open.pending || this.running);
  }

  /** Ask. Nothing is lost if it fails: the failure is thrown, and the words stay where they were. */
  async send(content) {
    const opened = this.open;
    opened.pending = { content, parent_id: opened.tree.branch().at(-1)?.id ?? null };
    this.tell("branch");
    try {
      if (!opened.id) await this.create(opened);
      const wishes = { content, parent_id: opened.pending.parent_id, model: this.model || undefined }, key = freshKey();
      await this.replies.read(opened.id, () => api.ask(opened.id, wishes, key));
    } finally {
      opened.pending = null;
      if (this.open === opened) this.tell("branch");
    }
  }

  async create(opened) {
    const wishes = { model: this.model || undefined, system_prompt: opened.system || undefined };
    opened.conversation = await api.createConversation(wishes);
    opened.id = opened.conversation.id;
    if (opened.system) for (const message of await api.messages(opened.id)) opened.tree.put(message);
    opened.pending.parent_id = opened.conversation.leaf_id;
    this.update(opened.conversation);
    this.tell("opened", { id: opened.id });
  }

  /** Have the newest reply, or any other, written again beside it. */
  async regenerate(id) {
    const key = freshKey(), conversation = this.open.id, wishes = { model: this.model || undefined };
    await this.begin(id, () => api.regenerate(conversation, id, wishes, key));
  }

  /** Put another wording beside a message of the user. */
  async edit(id, content) {
    const key = freshKey(), wishes = { model: this.model || undefined };
    await this.begin(id, () => api.edit(id, content, wishes, key), content);
  }

  async begin(id, make, content = null) {
    const opened = this.open, parent_id = opened.tree.get(id).parent_id ?? null;
    opened.pending = { content, parent_id };
    this.tell("branch");
    try {
      await this.replies.read(opened.id, make);
    } finally {
      opened.pending = null;
      if (this.open === opened) this.tell("branch");
    }
  }

  /** Stop the reply that is being written; one that has not begun is stopped when it does. */
  async stopReply() {
    const running = this.running;
    if (running) await api.stop(this.open.id, running.id);
    else if (this.open.pending) this.open.pending.stop = true;
  }

  /** Show another version of a message. */
  choose(id) {
    this.open.tree.show(id);
    this.tell("branch");
  }

  /** What the model is told first, in a conversation that has not begun. */
  setSystem(text) {
    this.open.system = text;
  }

  get system() {
    const first = [...this.open.tree.messages.values()].find((message) => message.role === "system");
    return first?.content ?? this.open.system;
  }

  // -- what happens to replies ------------------------------------------------------------------------------------------------

  applied(id, kind, data) {
    if (kind === "started") this.began(data);
    else if (kind === "delta") this.grew(id, data.text);
    else this.ended(data);
  }

  began({ user_message, message }) {
    const opened = this.open;
    api.conversation(message.conversation_id).then((one) => this.update(one), () => null); // it may have got its title by this
    if (message.conversation_id !== opened.id) return;
    const known = opened.tree.get(message.id);
    if (user_message) opened.tree.put(user_message);
    if (known) return;
    opened.tree.put(message);
    opened.tree.show(message.id);
    const stop = opened.pending?.stop;
    opened.pending = null;
    this.tell("branch");
    if (stop) this.stopReply();
  }

  grew(id, text) {
    const message = this.open.tree.get(id);
    if (!message) return;
    message.content = (message.streamed ? message.content : "") + text; // what was saved before is in the stream, too
    message.streamed = true;
    this.tell("delta", { id });
  }

  ended({ message, error }) {
    const known = message && this.open.tree.get(message.id);
    this.loadQuota();
    if (!known) return;
    const { content, ...rest } = message;
    Object.assign(known, rest, { failure: error ?? null }, content === null || content === undefined ? {} : { content });
    this.tell("message", { id: known.id });
    this.tell("branch");
  }

  // -- what other tabs do -----------------------------------------------------------------------------------------------------

  socketOpened() {
    const again = this.connection === "lost";
    this.connection = "live";
    this.replies.socketOpened();
    this.tell("connection");
    if (again) this.refresh();
  }

  socketClosed() {
    if (this.connection !== "lost") this.replies.socketClosed();
    this.connection = "lost";
    this.tell("connection");
  }

  /** Nobody told us what happened while the connection was lost. */
  async refresh() {
    await this.loadList();
    const opened = this.open;
    if (!opened.id || opened.loading) return;
    const messages = await api.messages(opened.id).catch(() => []);
    if (this.open !== opened) return;
    for (const message of messages) {
      if (this.replies.has(message.id)) continue;
      opened.tree.put({ ...message, streamed: false });
      if (message.status === "streaming") this.replies.follow(opened.id, message.id);
    }
    this.tell("branch");
  }

  heard({ type, message_id: id, seq = 0, ...data }) {
    if (type === "attached") this.replies.attached(id);
    else if (["started", "delta", "done", "error"].includes(type)) id && this.replies.heard(id, seq, type, data);
    else if (type === "missed") this.refresh();
    else if (type === "reply.ended") this.fetchEnd(id, data.conversation_id);
  }

  /** A reply ended that nobody here reads: show how. */
  async fetchEnd(id, conversation) {
    const opened = this.open;
    if (conversation !== opened.id || this.replies.has(id) || opened.tree.get(id)?.status !== "streaming") return;
    const message = (await api.messages(conversation).catch(() => [])).find((one) => one.id === id);
    if (message) this.ended({ message });
  }
}

/** Names a request, so that it may be sent again without being carried out twice. */
function freshKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join(""); // randomUUID needs https
}

function empty() {
  return { id: null, conversation: null, model: "", system: "", tree: new Tree(), loading: false, failure: null, pending: null };
}
