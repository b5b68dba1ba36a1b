/**
 * The inside of a paragraph: emphasis, code, links. One pass over the text, with a stack of what is open.
 *
 * There is no way from a model's words to HTML: nodes are made by name, and everything else is text. A link leads to http,
 * https or mail, or it stays text. A picture becomes a link, for fetching it would tell a stranger that the reply was read.
 * Work is linear in the text: a search that found nothing is not made again, and a closing mark looks back a bounded way.
 */

import { h } from "../dom.js";

const FARTHEST = 64; // open marks that a closing one looks through
const LONGEST_TARGET = 2100;
const SCHEMES = new Set(["http:", "https:", "mailto:"]);
const TARGET = /^\(\s*(?:<([^<>\n]*)>|((?:[^\s()]|\([^\s()]*\))*))(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)/;
const ADDRESS = /https?:\/\/[^\s<>"'`\u3000-\u303f\uff00-\uffef]+/y;
const SPECIAL = /[\\`*_~[\]!<\nh]/g;
const PUNCTUATION = /[!-/:-@[-`{-~\p{P}\p{S}]/u;

/** The nodes that a text means. */
export function inline(text) {
  return new Inline(text).nodes();
}

/** The address as a link may have it, or null. */
export function safeAddress(address) {
  try {
    const url = new URL(address.trim());
    return SCHEMES.has(url.protocol) ? url.href : null;
  } catch {
    return null; // relative, or nothing
  }
}

/** A link that opens elsewhere and learns nothing of us. */
export function link(address, children) {
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}

class Inline {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.out = []; // nodes and strings
    this.open = []; // marks that may still be closed: {mark, count, index} where out[index] shows the mark
    this.unclosed = new Set(); // lengths of backtick runs that nothing closes
  }

  nodes() {
    while (this.at < this.text.length) this.step();
    return this.out;
  }

  step() {
    SPECIAL.lastIndex = this.at;
    const found = SPECIAL.exec(this.text);
    const next = found ? found.index : this.text.length;
    if (next > this.at) this.out.push(this.text.slice(this.at, next));
    this.at = next;
    if (found) this.special(found[0]);
  }

  special(mark) {
    if (mark === "\\") this.escape();
    else if (mark === "`") this.code();
    else if (mark === "\n") this.lineBreak();
    else if (mark === "[") this.bracket(1);
    else if (mark === "!") this.text[this.at + 1] === "[" ? this.bracket(2) : this.literal(1);
    else if (mark === "]") this.close();
    else if (mark === "<") this.angle();
    else if (mark === "h") this.address();
    else this.emphasis(mark);
  }

  literal(length) {
    this.out.push(this.text.slice(this.at, this.at + length));
    this.at += length;
  }

  escape() {
    const next = this.text[this.at + 1];
    if (next === "\n") {
      this.at += 1;
    } else if (next !== undefined && /[!-/:-@[-`{-~]/.test(next)) {
      this.out.push(next);
      this.at += 2;
    } else {
      this.literal(1);
    }
  }

  lineBreak() {
    this.out.push(h("br"));
    this.at += 1;
  }

  code() {
    const run = /`+/y;
    run.lastIndex = this.at;
    const length = run.exec(this.text)[0].length;
    const end = this.unclosed.has(length) ? -1 : this.closingRun(length);
    if (end < 0) {
      this.unclosed.add(length);
      this.literal(length);
      return;
    }
    const inside = this.text.slice(this.at + length, end).replaceAll("\n", " ");
    this.out.push(h("code", {}, /^ .*\S.* $/.test(inside) ? inside.slice(1, -1) : inside));
    this.at = end + length;
  }

  closingRun(length) {
    const runs = /`+/g;
    runs.lastIndex = this.at + length;
    for (let run = runs.exec(this.text); run; run = runs.exec(this.text)) if (run[0].length === length) return run.index;
    return -1;
  }

  bracket(length) {
    this.open.push({ mark: length === 2 ? "![" : "[", count: 1, index: this.out.length });
    this.literal(length);
  }

  close() {
    const place = this.open.findLastIndex((opener) => opener.mark.endsWith("["));
    const target = place < 0 ? null : TARGET.exec(this.text.slice(this.at + 1, this.at + LONGEST_TARGET));
    if (target) this.linkTo(target, place);
    else this.literal(1);
    if (place >= 0 && !target) this.open.splice(place, 1); // a bracket that leads nowhere is no bracket any more
  }

  linkTo(target, place) {
    const { index, mark } = this.open[place];
    this.open.length = place; // marks inside do not reach out
    this.at += 1 + target[0].length;
    const children = this.out.splice(index).slice(1), address = safeAddress(target[1] ?? target[2] ?? "");
    const label = children.length ? children : [address ?? ""];
    const shown = mark === "![" ? ["\u{1f5bc} ", ...label] : label;
    this.out.push(...(address && !holdsLink(children) ? [link(address, shown)] : children));
  }

  angle() {
    const found = /^<((?:https?:\/\/|mailto:)[^\s<>]{1,2000})>/.exec(this.text.slice(this.at, this.at + LONGEST_TARGET));
    const address = found && safeAddress(found[1]);
    if (!address) {
      this.literal(1);
      return;
    }
    this.out.push(link(address, [found[1].replace(/^mailto:/, "")]));
    this.at += found[0].length;
  }

  address() {
    ADDRESS.lastIndex = this.at;
    const inBracket = this.open.some((mark) => mark.mark === "[");
    const found = /[A-Za-z0-9]/.test(this.text[this.at - 1] ?? "") || inBracket ? null : ADDRESS.exec(this.text);
    if (!found) {
      this.literal(1);
      return;
    }
    const shown = trimmed(found[0]);
    const address = safeAddress(shown);
    this.out.push(address ? link(address, [shown]) : shown);
    this.at += shown.length;
  }

  emphasis(mark) {
    let end = this.at;
    while (this.text[end] === mark) end += 1;
    const run = { mark, count: end - this.at, ...this.flanks(mark, this.at, end) };
    this.at = end;
    if (run.closes) this.closeEmphasis(run);
    if (run.count > 0) this.openEmphasis(run);
  }

  /** Whether a run of marks may open and close emphasis. Source: CommonMark 0.31 §6.2. */
  flanks(mark, start, end) {
    const before = this.text[start - 1] ?? " ", after = this.text[end] ?? " ";
    const [spaceBefore, spaceAfter] = [/\s/.test(before), /\s/.test(after)];
    const [pointBefore, pointAfter] = [PUNCTUATION.test(before), PUNCTUATION.test(after)];
    const wide = /[\u3000-\u9fff\uff00-\uffef]/; // without spaces between words, its own punctuation does not part them
    const left = !spaceAfter && (!pointAfter || spaceBefore || pointBefore || wide.test(before));
    const right = !spaceBefore && (!pointBefore || spaceAfter || pointAfter || wide.test(after));
    if (mark !== "_") return { opens: left, closes: right };
    return { opens: left && (!right || pointBefore), closes: right && (!left || pointAfter) };
  }

  closeEmphasis(run) {
    while (run.count > 0) {
      const place = this.opener(run);
      if (place < 0) return;
      const opener = this.open[place];
      const used = run.mark === "~" ? 2 : Math.min(opener.count, run.count, 2);
      this.wrap(opener, run.mark === "~" ? "s" : used === 2 ? "strong" : "em", used);
      this.open.length = opener.count > 0 ? place + 1 : place;
      run.count -= used;
    }
  }

  opener(run) {
    const last = Math.max(0, this.open.length - FARTHEST);
    for (let place = this.open.length - 1; place >= last; place -= 1) {
      const { mark, count } = this.open[place];
      if (mark.endsWith("[")) return -1;
      if (mark === run.mark && (mark !== "~" || (count >= 2 && run.count >= 2))) return place;
    }
    return -1;
  }

  wrap(opener, name, used) {
    const inside = this.out.splice(opener.index + 1);
    opener.count -= used;
    if (opener.count > 0) this.out[opener.index] = opener.mark.repeat(opener.count);
    else this.out.splice(opener.index);
    this.out.push(h(name, {}, ...inside));
  }

  openEmphasis(run) {
    if (run.opens) this.open.push({ mark: run.mark, count: run.count, index: this.out.length });
    this.out.push(run.mark.repeat(run.count));
  }
}

function holdsLink(nodes) {
  return nodes.some((node) => node instanceof Element && (node.matches("a") || node.querySelector("a")));
}

/** An address without the punctuation that ends the sentence around it. */
function trimmed(address) {
  let end = address.length;
  while (/[.,;:!?*_~'\]]/.test(address[end - 1]) || (address[end - 1] === ")" && unbalanced(address.slice(0, end)))) end -= 1;
  return address.slice(0, end);
}

function unbalanced(text) {
  return text.split(")").length > text.split("(").length;
}
