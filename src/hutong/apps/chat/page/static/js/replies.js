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

  /** Read the events that a request answers with, and follow the reply on if the connection breaks. */
  async read(conversation, events) {
    let id = null;
    try {
      for await (const event of events) {
        if (event.event === "started") {
          id = event.data.message.id;
          this.drop(id);
          this.readers.set(id, { conversation, seq: 0, by: "request", abort: null });
        }
        if (id === null || this.readers.get(id)?.by !== "request") return;
        if (this.take(id, Number(event.id) || 0, event.event, event.data)) return;
      }
    } catch (error) {
      if (id === null) throw error;
    }
    if (id !== null && this.readers.get(id)?.by === "request") this.follow(conversation, id, this.readers.get(id).seq);
  }

  /** Follow a reply that began elsewhere, from the event after `seq` on (0: from its beginning). */
  follow(conversation, id, seq = 0) {
    this.drop(id);
    const reader = { conversation, seq, by: this.socket.isOpen ? "socket" : "stream", abort: new AbortController() };
    this.readers.set(id, reader);
    if (reader.by === "socket") this.socket.attach(conversation, id, seq);
    else this.stream(conversation, id, reader);
  }

  /** The socket opened: what is read by streams may go on there, and what it read before has to be asked for again. */
  socketOpened() {
    for (const [id, reader] of this.readers) if (reader.by !== "request") this.follow(reader.conversation, id, reader.seq);
  }

  /** The socket is gone: go on with streams. */
  socketClosed() {
    for (const [id, reader] of this.readers) if (reader.by === "socket") this.follow(reader.conversation, id, reader.seq);
  }

  /** An event of the socket. */
  heard(id, seq, kind, data) {
    if (this.readers.get(id)?.by === "socket") this.take(id, seq, kind, data);
  }

  /** Stop reading everything of other conversations than this one. */
  keepOnly(conversation) {
    for (const [id, reader] of this.readers) if (reader.conversation !== conversation && reader.by !== "request") this.drop(id);
  }

  drop(id) {
    const reader = this.readers.get(id);
    this.readers.delete(id);
    reader?.abort?.abort();
    if (reader?.by === "socket") this.socket.detach(id);
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
