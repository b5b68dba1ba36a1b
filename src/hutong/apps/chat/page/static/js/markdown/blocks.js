/**
 * From lines to blocks: paragraphs, headings, lists, quotes, tables, code. What is not one of them is a paragraph.
 *
 * A block that another one follows never changes when more text comes: no form here reaches back over its end (no headings
 * that are underlined later, no definitions of links). `view.js` rests on that.
 */

import { inline } from "./inline.js";
import { copy, h, icon } from "../dom.js";
import { word } from "../words.js";

const DEEPEST = 12; // quotes and lists in one another; deeper, they are text
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])(?:(\s+)(.*)|\s*)$/;
const DELIMITERS = /^ {0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

/** Whether a line opens a block of code; its fence and language. */
export function fenceOf(line) {
  const found = FENCE.exec(line);
  return found ? { fence: found[1], language: found[2].slice(0, 40) } : null;
}

/** Whether a line closes the block of code that `fence` opened. */
export function closes(line, fence) {
  const text = line.trim();
  return text.length >= fence.length && text === fence[0].repeat(text.length) && /^ {0,3}\S/.test(line);
}

/** The blocks of these lines: {kind, lines, …}, each with the number of its first line and of the one after its last. */
export function split(lines) {
  const blocks = [];
  for (let at = 0; at < lines.length; ) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const block = begin(lines, at);
    blocks.push({ ...block, start: at });
    at = block.end;
  }
  return blocks;
}

function begin(lines, at) {
  const line = lines[at];
  const fence = fenceOf(line);
  if (fence) return code(lines, at, fence);
  if (HEADING.test(line)) return { kind: "heading", lines: [line], end: at + 1 };
  if (RULE.test(line)) return { kind: "rule", lines: [line], end: at + 1 };
  if (QUOTE.test(line)) return quote(lines, at);
  if (ITEM.test(line)) return list(lines, at);
  if (isTable(lines, at)) return table(lines, at);
  return paragraph(lines, at);
}

function code(lines, at, { fence, language }) {
  let end = at + 1;
  while (end < lines.length && !closes(lines[end], fence)) end += 1;
  return { kind: "code", language, lines: lines.slice(at + 1, end), end: Math.min(end + 1, lines.length) };
}

function quote(lines, at) {
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end])) end += 1;
  return { kind: "quote", lines: lines.slice(at, end).map((line) => line.replace(QUOTE, "")), end };
}

function isTable(lines, at) {
  return lines[at].includes("|") && at + 1 < lines.length && lines[at + 1].includes("-") && DELIMITERS.test(lines[at + 1]);
}

function table(lines, at) {
  let end = at + 2;
  while (end < lines.length && lines[end].trim() && lines[end].includes("|")) end += 1;
  return { kind: "table", lines: lines.slice(at, end), end };
}

function paragraph(lines, at) {
  let end = at + 1;
  while (end < lines.length && lines[end].trim() && !interrupts(lines, end)) end += 1;
  return { kind: "paragraph", lines: lines.slice(at, end), end };
}

function interrupts(lines, at) {
  const line = lines[at];
  return Boolean(fenceOf(line)) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || begins(line) || isTable(lines, at);
}

/** A list may follow a paragraph without an empty line, if its item says something; a year at a line's start is no list. */
function begins(line) {
  const found = ITEM.exec(line);
  return Boolean(found && found[4] && (!/\d/.test(found[2]) || /^1[.)]$/.test(found[2])));
}

function list(lines, at) {
  const first = ITEM.exec(lines[at]);
  const sort = kindOf(first[2]), items = [];
  let inner = 0, end = at, blanks = 0;
  for (; end < lines.length; end += 1) {
    const line = lines[end], found = ITEM.exec(line), indent = /^\s*/.exec(line)[0].length;
    if (!line.trim()) {
      blanks += 1;
      continue;
    }
    if (found && (!items.length || indent < inner) && kindOf(found[2]) === sort && !RULE.test(line)) {
      inner = found[1].length + found[2].length + (found[4] ? Math.min(found[3].length, 4) : 1);
      items.push({ lines: [line.slice(inner)], loose: blanks > 0 });
    } else if (indent >= inner) {
      items.at(-1).lines.push(...Array(blanks).fill(""), line.slice(inner));
    } else if (blanks || found || interrupts(lines, end)) {
      break;
    } else {
      items.at(-1).lines.push(line.trimStart());
    }
    blanks = 0;
  }
  return { kind: "list", ordered: sort !== "*", first: parseInt(first[2], 10) || 1, items, end: end - blanks };
}

function kindOf(mark) {
  return /\d/.test(mark) ? mark.at(-1) : "*";
}

/** The elements of these lines. */
export function render(lines, depth = 0) {
  if (depth >= DEEPEST) return [h("p", {}, lines.join("\n"))];
  return split(lines).map((block) => element(block, depth));
}

/** The element of one block. */
export function element(block, depth = 0) {
  return MAKERS[block.kind](block, depth);
}

const MAKERS = {
  paragraph: ({ lines }) => h("p", {}, ...inline(lines.map((line) => line.trim()).join("\n"))),
  heading: ({ lines }) => {
    const [, marks, text = ""] = HEADING.exec(lines[0]);
    return h(`h${Math.min(marks.length + 2, 6)}`, {}, ...inline(text)); // the page itself has h1 and h2
  },
  rule: () => h("hr"),
  quote: ({ lines }, depth) => h("blockquote", {}, ...render(lines, depth + 1)),
  list: ({ ordered, first, items }, depth) => {
    const attributes = ordered && first !== 1 ? { start: first } : {};
    return h(ordered ? "ol" : "ul", attributes, ...items.map((item) => itemElement(item, depth)));
  },
  code: ({ language, lines }) => codeBlock(language, lines.length ? `${lines.join("\n")}\n` : "").figure,
  table: ({ lines }) => tableElement(lines),
};

function itemElement({ lines }, depth) {
  const task = /^\[([ xX])\]\s+/.exec(lines[0]);
  const children = render(task ? [lines[0].slice(task[0].length), ...lines.slice(1)] : lines, depth + 1);
  const box = task && h("input", { type: "checkbox", disabled: true, checked: task[1] !== " ", "aria-label": word("task") });
  const inside = children[0]?.matches("p") ? [...children[0].childNodes, ...children.slice(1)] : children;
  return h("li", task ? { class: "task" } : {}, box, ...inside);
}

function tableElement(lines) {
  const aligned = cells(lines[1]).map((cell) => (cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "right") : ""));
  const row = (line, name) => {
    const found = cells(line);
    return h("tr", {}, ...aligned.map((side, at) => h(name, { class: side }, ...inline(found[at] ?? ""))));
  };
  const body = lines.slice(2).map((line) => row(line, "td"));
  return h("div", { class: "table", tabindex: "0", role: "region", "aria-label": word("table") },
    h("table", {}, h("thead", {}, row(lines[0], "th")), h("tbody", {}, ...body)));
}

function cells(line) {
  const text = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return text.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** A block of code with its language and a copy button; `text` is the node that holds the code. */
export function codeBlock(language, content) {
  const text = document.createTextNode(content);
  const button = h("button", { type: "button", class: "copy", onclick: () => copy(text.data, button) }, icon("copy"), word("copy"));
  const head = h("figcaption", {}, h("span", {}, language || word("code")), button);
  return { figure: h("figure", { class: "code" }, head, h("pre", { tabindex: "0" }, h("code", {}, text))), text };
}
