/** The WebSocket: opened with a ticket, opened again when it is lost, and what goes over it. */

import { socketAddress, socketTicket } from "./api.js";

const FIRST_PAUSE = 500, LONGEST_PAUSE = 30_000; // milliseconds before the next try

export class Socket {
  /** @param listener {opened, closed, heard}: `heard` gets every frame but the one that says that the socket is ready */
  constructor(listener) {
    this.listener = listener;
    this.socket = null;
    this.isOpen = false;
    this.wanted = false;
    this.pause = FIRST_PAUSE;
    addEventListener("online", () => this.again());
  }

  async open() {
    this.wanted = true;
    try {
      const ticket = await socketTicket();
      if (this.wanted) this.connect(ticket);
    } catch {
      this.lost();
    }
  }

  /** The ticket goes into the first frame: an address is written into logs on its way. */
  connect(ticket) {
    const socket = (this.socket = new WebSocket(socketAddress()));
    socket.onopen = () => this.send({ type: "hello", ticket });
    socket.onmessage = ({ data }) => this.frame(JSON.parse(data));
    socket.onclose = () => this.socket === socket && this.lost();
  }

  close() {
    this.wanted = false;
    clearTimeout(this.timer);
    this.socket?.close();
    this.isOpen = false;
  }

  lost() {
    this.isOpen = false;
    this.socket = null;
    if (!this.wanted) return;
    this.listener.closed();
    const wait = this.pause * (0.5 + Math.random() / 2); // so that not all tabs come back at once
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), navigator.onLine ? wait : LONGEST_PAUSE);
  }

  /** The network is back: do not wait. */
  again() {
    if (!this.wanted || this.socket) return;
    clearTimeout(this.timer);
    this.pause = FIRST_PAUSE;
    this.open();
  }

  frame(frame) {
    if (frame.type !== "ready") return this.listener.heard(frame);
    this.isOpen = true;
    this.pause = FIRST_PAUSE;
    this.listener.opened();
  }

  send(frame) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  /** Ask for the events of a reply after `seq`. */
  attach(id, seq) {
    this.send({ type: "attach", message_id: id, after: seq });
  }

  /** Hear no more of a reply. */
  detach(id) {
    this.send({ type: "detach", message_id: id });
  }
}
