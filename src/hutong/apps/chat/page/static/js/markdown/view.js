/**
 * Markdown that arrives piece by piece.
 *
 * Blocks that are complete are rendered once and never touched again; what is drawn anew with each frame is only the block
 * that is being written, and of a block of code not even that: its lines are added to one text node.
 */

import { closes, codeBlock, element, fenceOf, render, split } from "./blocks.js";

export class MarkdownView {
  /** Renders into `root`, which should be empty. */
  constructor(root) {
    this.root = root;
    this.tail = ""; // what is not rendered for good: the last block, up to the newest character
    this.live = []; // its elements
    this.code = null; // {fence, text} while a block of code is open
    this.frame = 0;
  }

  /** Take more text; it is drawn with the next frame. */
  append(text) {
    this.tail += text;
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  /** Nothing more comes: draw what is left. */
  end() {
    if (this.frame) cancelAnimationFrame(this.frame);
    this.draw();
  }

  /** Replace everything by this text, complete. */
  set(text) {
    this.root.replaceChildren();
    [this.tail, this.live, this.code] = [text, [], null];
    this.end();
  }

  draw() {
    this.frame = 0;
    while (this.code ? this.feedCode() : this.settle());
    if (this.code) return;
    this.show(render(this.tail.split("\n")));
  }

  show(elements) {
    for (const old of this.live) old.remove();
    this.live = elements;
    this.root.append(...elements);
  }

  /** Render for good what is complete; true if a block of code was opened, which goes on by itself. */
  settle() {
    const end = this.tail.lastIndexOf("\n");
    if (end < 0) return false;
    const lines = this.tail.slice(0, end).split("\n"), blocks = split(lines), last = blocks.at(-1);
    if (!last) return false;
    const opens = last.kind === "code" && fenceOf(lines[last.start]), done = blocks.slice(0, -1);
    if (!done.length && !opens) return false;
    this.show([]);
    this.root.append(...done.map((block) => element(block)));
    this.tail = [...lines.slice(opens ? last.start + 1 : last.start), this.tail.slice(end + 1)].join("\n");
    if (opens) this.openCode(opens);
    return Boolean(opens);
  }

  openCode({ fence, language }) {
    const { figure, text } = codeBlock(language, "");
    this.root.append(figure);
    this.code = { fence, text, partial: 0 };
  }

  /** Move complete lines into the open block of code; true if it was closed and something follows. */
  feedCode() {
    const lines = this.tail.split("\n"), { fence, text } = this.code;
    const close = lines.findIndex((line, at) => at < lines.length - 1 && closes(line, fence));
    const whole = lines.slice(0, close < 0 ? -1 : close);
    text.deleteData(text.length - this.code.partial, this.code.partial);
    if (whole.length) text.appendData(`${whole.join("\n")}\n`);
    this.tail = lines.slice(close < 0 ? -1 : close + 1).join("\n");
    if (close >= 0) {
      this.code = null;
      return true;
    }
    const partial = /^ {0,3}[`~]+\s*$/.test(this.tail) ? "" : this.tail; // this may become the closing fence
    text.appendData(partial);
    this.code.partial = partial.length;
    return false;
  }
}
