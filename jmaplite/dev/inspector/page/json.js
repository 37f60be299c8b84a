// JSON to look at: coloured, folded, as text nodes only.

import { h } from "./dom.js";

const SHORT = 72, LONG = 1500, MANY = 200;

function primitive(value) {
  if (typeof value === "string") {
    const text = JSON.stringify(value);
    if (text.length <= LONG) return h("span.j-string", null, text);
    const shown = h("span.j-string", null, `${text.slice(0, LONG)}…`);
    const more = h("button.j-more", { type: "button" }, `${(text.length - LONG).toLocaleString("en-GB")} more`);
    more.onclick = () => { shown.textContent = text; more.remove(); };
    return h("span", null, shown, more);
  }
  const kind = value === null ? "null" : typeof value;
  return h(`span.j-${kind}`, null, String(value));
}

const isLeaf = (value) => value === null || typeof value !== "object";

function inline(value) {
  if (isLeaf(value)) return primitive(value);
  const isList = Array.isArray(value);
  const parts = [];
  for (const [key, one] of Object.entries(value)) {
    if (parts.length) parts.push(", ");
    if (!isList) parts.push(h("span.j-key", null, JSON.stringify(key)), ": ");
    parts.push(inline(one));
  }
  return h("span", null, isList ? "[" : "{", ...parts, isList ? "]" : "}");
}

function fits(value) {
  if (isLeaf(value)) return true;
  const entries = Object.values(value);
  return entries.length <= 12 && entries.every((one) => isLeaf(one) || Object.keys(one).length < 3) && JSON.stringify(value).length <= SHORT;
}

// [name, arguments, call id] (RFC 8620 §3.2) reads as one thing.
const isInvocation = (value) => Array.isArray(value) && value.length === 3 && typeof value[0] === "string" && typeof value[2] === "string" && value[1] !== null && typeof value[1] === "object";

const isRun = (value) => Array.isArray(value) && value.length > 1 && value.every((one) => isLeaf(one) && String(one).length < 60);

function children(box, value) {
  const entries = Object.entries(value);
  const isList = Array.isArray(value);
  if (isRun(value)) {
    const line = h("div.j-run");
    box.append(line);
    const add = (from) => {
      const upTo = Math.min(value.length, from + 5 * MANY);
      for (let at = from; at < upTo; at++) line.append(h("span", null, primitive(value[at]), at < value.length - 1 ? "," : ""), " ");
      if (upTo < value.length) {
        const more = h("button.j-more", { type: "button" }, `${(value.length - upTo).toLocaleString("en-GB")} more`);
        more.onclick = () => { more.remove(); add(upTo); };
        line.append(more);
      }
    };
    add(0);
    return;
  }
  const add = (from) => {
    const upTo = Math.min(entries.length, from + MANY);
    for (let at = from; at < upTo; at++) {
      const [key, one] = entries[at];
      box.append(node(one, isList ? null : key, at < entries.length - 1 ? "," : "", box.depth + 1));
    }
    if (upTo < entries.length) {
      const more = h("button.j-more", { type: "button" }, `${(entries.length - upTo).toLocaleString("en-GB")} more`);
      more.onclick = () => { more.remove(); add(upTo); };
      box.append(more);
    }
  };
  add(0);
}

function node(value, key, comma, depth) {
  const label = key === null ? [] : [h("span.j-key", null, JSON.stringify(key)), ": "];
  if (isLeaf(value) || fits(value)) return h("div.j-line", null, ...label, inline(value), comma);
  if (isInvocation(value)) return folded(value[1], [...label, "[", h("span.j-call", null, JSON.stringify(value[0])), ", "], [", ", primitive(value[2]), "]", comma], depth);
  return folded(value, label, [comma], depth);
}

function folded(value, label, comma, depth) {
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const count = Object.keys(value).length;
  const box = h("div.j-box");
  box.depth = depth;
  const details = h("details.j-node", { open: depth < 5 && !(depth > 3 && count > 60) },
    h("summary", null, ...label, open, h("span.j-count", null, ` ${count} ${close}`)), box, h("div.j-line", null, close, ...comma));
  let made = false;
  const make = () => {
    if (details.open && !made) { made = true; children(box, value); }
  };
  details.addEventListener("toggle", make);
  make();
  return details;
}

export function json(value, label = "JSON") {
  if (typeof value === "string") return h("pre.json.plain", null, value.length > 200000 ? `${value.slice(0, 200000)}…` : value);
  return h("div.json", { tabIndex: 0, role: "region", "aria-label": label }, node(value, null, "", 0));
}

const TOKENS = /("(?:[^"\\\n]|\\.)*"?)(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b/g;

// The same text in colours, for the layer beneath an editor.
export function coloured(text) {
  const parts = [];
  let at = 0;
  if (text.length > 60000) return [text];
  for (const match of text.matchAll(TOKENS)) {
    parts.push(text.slice(at, match.index));
    const [whole, string, colon, number] = match;
    const kind = string !== undefined ? (colon !== undefined ? "key" : "string") : number !== undefined ? "number" : "null";
    parts.push(h(`span.j-${kind}`, null, string !== undefined ? string : whole));
    if (string !== undefined && colon) parts.push(colon);
    at = match.index + whole.length;
  }
  parts.push(text.slice(at));
  return parts;
}

// Like JSON.stringify, but what is short stays on one line.
export function pretty(value, indent = "") {
  if (fits(value)) return flat(value);
  const deeper = `${indent}  `;
  const isList = Array.isArray(value);
  if (isInvocation(value)) return `[${JSON.stringify(value[0])}, ${pretty(value[1], indent)}, ${JSON.stringify(value[2])}]`;
  if (isRun(value)) return `[${wrapped(value.map((one) => JSON.stringify(one)), deeper)}\n${indent}]`;
  const lines = Object.entries(value).map(([key, one]) => deeper + (isList ? "" : `${JSON.stringify(key)}: `) + pretty(one, deeper));
  return `${isList ? "[" : "{"}\n${lines.join(",\n")}\n${indent}${isList ? "]" : "}"}`;
}

function wrapped(parts, indent) {
  let text = "", line = "";
  for (const [index, part] of parts.entries()) {
    const one = part + (index < parts.length - 1 ? "," : "");
    if (line && indent.length + line.length + one.length > SHORT + 8) { text += `\n${indent}${line}`; line = ""; }
    line += (line ? " " : "") + one;
  }
  return `${text}\n${indent}${line}`;
}

function flat(value) {
  if (isLeaf(value)) return JSON.stringify(value);
  const parts = Object.entries(value).map(([key, one]) => (Array.isArray(value) ? flat(one) : `${JSON.stringify(key)}: ${flat(one)}`));
  return Array.isArray(value) ? `[${parts.join(", ")}]` : `{${parts.join(", ")}}`;
}
