/**
 * Replies that are being written, each read from one place: the answer to its own request, the socket, or, without a socket,
 * a stream of its own. Never two at once, for both may join deltas in different places.
 *
 * A reader knows the number of the last event that it had, so whoever takes over goes on exactly there.
 */

import * as api from "./api.js";

const PAUSES = [500, 1000, 2000, 4000, 8000]; // milliseconds before the next try

export class Replies {
  /**
   * @param apply called with (message's id, kind, data) for each event: started, delta, done, error
   * @param socket follows replies where it is open
   */
  constructor(apply, socket) {
    this.apply = apply;
    this.socket = socket;
    this.readers = new Map(); // message's id → {conversation, seq, by: "request" | "socket" | "stream", abort}
  }

  /** Whether somebody reads this reply. */
  has(id) {
    return this.readers.has(id);
  }

  /**
   * Make a request, read the events that it answers with, and follow the reply on if the connection breaks.
   * Before the first event the request is made again: its key keeps it from being carried out twice.
   */
  async read(conversation, make) {
    for (const pause of [...PAUSES.slice(0, 2), null]) {
      const id = { known: null };
      try {
        return await this.readOnce(conversation, make(), id);
      } catch (error) {
        if (id.known !== null) return this.takeOver(conversation, id.known);
        if (error.status !== 0 || pause === null) throw error;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  async readOnce(conversation, events, id) {
    for await (const { id: seq, event, data } of events) {
      if (id.known === null) {
        id.known = data.message.id;
        if (!this.readers.has(id.known)) this.readers.set(id.known, { conversation, seq: 0, by: "request" }); // or the socket was first
      }
      if (this.readers.get(id.known)?.by !== "request") return;
      if (this.take(id.known, Number(seq) || 0, event, data)) return;
    }
    if (id.known !== null) this.takeOver(conversation, id.known);
  }

  takeOver(conversation, id) {
    const reader = this.readers.get(id);
    if (reader?.by === "request") this.follow(conversation, id, reader.seq);
  }

  /** Follow a reply that began elsewhere, from the event after `seq` on (0: from its beginning). */
  follow(conversation, id, seq = 0) {
    this.drop(id);
    const reader = { conversation, seq, by: this.socket.isOpen ? "socket" : "stream", isAttached: false, abort: new AbortController() };
    this.readers.set(id, reader);
    if (reader.by === "socket") this.socket.attach(id, seq);
    else this.stream(conversation, id, reader);
  }

  /** The socket opened: what is read by streams may go on there, and what it read before has to be asked for again. */
  socketOpened() {
    for (const [id, reader] of [...this.readers]) if (reader.by !== "request") this.follow(reader.conversation, id, reader.seq);
  }

  /** The socket is gone: go on with streams. */
  socketClosed() {
    for (const [id, reader] of [...this.readers]) if (reader.by === "socket") this.follow(reader.conversation, id, reader.seq);
  }

  /** The socket begins with what was asked of it: whatever it said of this reply before was for somebody else. */
  attached(id) {
    const reader = this.readers.get(id);
    if (reader?.by === "socket") reader.isAttached = true;
  }

  /** An event of the socket, which tells of every reply of the user that begins. */
  heard(id, seq, kind, data) {
    if (kind === "started" && !this.readers.has(id)) this.readers.set(id, { conversation: data.message.conversation_id, seq: 0, by: "socket", isAttached: true });
    const reader = this.readers.get(id);
    if (reader?.by === "socket" && reader.isAttached) this.take(id, seq, kind, data);
  }

  /** Stop reading everything of other conversations than this one. */
  keepOnly(conversation) {
    for (const [id, reader] of [...this.readers]) if (reader.conversation !== conversation && reader.by !== "request") this.drop(id);
  }

  drop(id) {
    const reader = this.readers.get(id);
    this.readers.delete(id);
    reader?.abort?.abort();
    if (reader?.by === "socket" && this.socket.isOpen) this.socket.detach(id);
  }

  /** Hand an event on, once; true if it was the last one. */
  take(id, seq, kind, data) {
    const reader = this.readers.get(id);
    if (seq && seq <= reader.seq) return false;
    reader.seq = Math.max(seq, reader.seq);
    const last = kind === "done" || kind === "error";
    if (last) this.readers.delete(id);
    this.apply(id, kind, data);
    return last;
  }

  async stream(conversation, id, reader) {
    for (const pause of [0, ...PAUSES, ...PAUSES]) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      if (this.readers.get(id) !== reader) return;
      try {
        for await (const event of api.follow(conversation, id, reader.seq, reader.abort.signal)) {
          if (this.readers.get(id) !== reader) return;
          if (this.take(id, Number(event.id) || 0, event.event, event.data)) return;
        }
      } catch (error) {
        if (error.name === "AbortError") return;
        if (error.status >= 400 && error.status < 500 && error.status !== 429) break;
      }
    }
    if (this.readers.get(id) === reader) this.readers.delete(id);
  }
}
