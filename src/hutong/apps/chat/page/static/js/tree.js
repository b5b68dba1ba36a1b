/** The messages of a conversation as a tree: what answers what, and which branch is shown. Nothing here touches the page. */

export class Tree {
  constructor() {
    this.messages = new Map();
    this.chosen = new Map(); // parent's id ("" at the top) → id of the child that is shown
  }

  /** Add a message, or replace what is known of it. */
  put(message) {
    const known = this.messages.get(message.id);
    this.messages.set(message.id, known ? Object.assign(known, message) : { ...message });
    return this.messages.get(message.id);
  }

  get(id) {
    return this.messages.get(id);
  }

  /** What answers a message (null: how the conversation begins), the oldest first. */
  children(parentId) {
    const found = [...this.messages.values()].filter((message) => (message.parent_id ?? null) === (parentId ?? null));
    return found.sort((one, other) => (one.created_at < other.created_at ? -1 : one.created_at > other.created_at ? 1 : one.id < other.id ? -1 : 1));
  }

  /** Other versions of a message, and itself: of the same role, in answer to the same. */
  versions(message) {
    return this.children(message.parent_id).filter((other) => other.role === message.role);
  }

  /** Show the branch that a message is on. */
  show(id) {
    for (let message = this.get(id); message; message = this.get(message.parent_id)) this.chosen.set(message.parent_id ?? "", message.id);
  }

  /** The messages that are shown, from the first to the last. */
  branch() {
    const byParent = new Map();
    for (const message of this.messages.values()) {
      const parent = message.parent_id ?? "";
      byParent.set(parent, [...(byParent.get(parent) ?? []), message]);
    }
    const shown = [];
    for (let at = ""; byParent.has(at); at = shown.at(-1).id) {
      const children = byParent.get(at), wanted = this.chosen.get(at);
      shown.push(children.find((child) => child.id === wanted) ?? newest(children));
    }
    return shown;
  }
}

function newest(messages) {
  return messages.reduce((one, other) => (other.created_at >= one.created_at ? other : one));
}
