// Requests by hand: an editor that knows JSON and the names of methods, arguments and properties.

import { attempt, button, copy, empty, failure, fill, h, said, skeleton, toast } from "./dom.js";
import { contextAt, suggestions, usingOf } from "./completion.js";
import { coloured, json, pretty } from "./json.js";
import { curl } from "./exchanges.js";

const MOST_HISTORY = 50;

const EXAMPLES = {
  "Open the inbox": (a) => [
    ["Mailbox/query", { accountId: a, filter: { role: "inbox" }, limit: 1 }, "0"],
    ["Email/query", { accountId: a, sort: [{ property: "receivedAt", isAscending: false }], collapseThreads: true, limit: 20, calculateTotal: true }, "1"],
    ["Email/get", { accountId: a, "#ids": { resultOf: "1", name: "Email/query", path: "/ids" }, properties: ["threadId", "mailboxIds", "keywords", "from", "subject", "receivedAt", "preview"] }, "2"],
  ],
  "All mailboxes": (a) => [["Mailbox/get", { accountId: a, ids: null, properties: ["name", "role", "parentId", "totalEmails", "unreadEmails"] }, "0"]],
  "Search for text": (a) => [["Email/query", { accountId: a, filter: { text: "harbour" }, limit: 10 }, "0"],
    ["SearchSnippet/get", { accountId: a, filter: { text: "harbour" }, "#emailIds": { resultOf: "0", name: "Email/query", path: "/ids" } }, "1"]],
  "Make a mailbox": (a) => [["Mailbox/set", { accountId: a, create: { new: { name: "A new one", parentId: null } } }, "0"]],
  "Identities": (a) => [["Identity/get", { accountId: a, ids: null }, "0"]],
  "Quotas": (a) => [["Quota/get", { accountId: a, ids: null }, "0"]],
  "Echo": () => [["Core/echo", { hello: true }, "0"]],
};

export function consolePane(app) {
  const client = app.client;
  let history = [], at = -1, open = [], pick = 0, span = null, last = null;
  try { history = JSON.parse(app.stored.get("history") || "[]"); } catch { /* it begins anew */ }

  const layer = h("pre.layer", { "aria-hidden": "true" });
  const area = h("textarea.code", {
    spellcheck: "false", autocapitalize: "off", autocomplete: "off", wrap: "off", "aria-label": "Method calls, or a whole Request object", "aria-describedby": "checked",
    "aria-autocomplete": "list", "aria-controls": "completions",
    oninput: () => { check(); complete(); }, onscroll: follow, onkeydown: key, onblur: () => setTimeout(hide, 150), onclick: hide,
  });
  const popup = h("ul.completions", { role: "listbox", id: "completions", hidden: true });
  const checked = h("span.checked", { id: "checked", role: "status" });
  const transport = h("select.transport", { "aria-label": "Transport" }, h("option", { value: "ws" }, "WebSocket"), h("option", { value: "http" }, "HTTP"));
  const examples = h("select", { "aria-label": "Examples", onchange: () => { if (examples.value) put(EXAMPLES[examples.value](app.accountId)); examples.value = ""; } },
    h("option", { value: "" }, "Examples…"), Object.keys(EXAMPLES).map((name) => h("option", { value: name }, name)));
  const past = h("select", { "aria-label": "History", onchange: () => { if (past.value) { set(history[Number(past.value)]); past.value = ""; } } });
  const sendButton = button("Send", send, { symbol: "play", kind: "primary", title: "Send (Ctrl Enter)" });
  const using = h("p.using", { tabIndex: 0 });
  const output = h("div.output");
  const came = h("span.offstage", { role: "status" });
  const answer = h("section.column.answer", { "aria-label": "Response" }, came, output);
  const element = h("section.pane.split.console", null,
    h("section.column.edit", { "aria-label": "Request" },
      h("div.head", null, h("h2", null, "Console"), examples, past, h("span.gap"), transport, sendButton),
      h("div.editor", null, layer, area, popup),
      h("div.foot", null, checked, h("span.gap"),
        button("Format", format, { kind: "quiet" }), button("curl", () => attempt(asCurl), { kind: "quiet", symbol: "copy", title: "Copy as curl" })),
      using),
    answer);

  function parsed() {
    const value = JSON.parse(area.value);
    const request = Array.isArray(value) ? { methodCalls: value.length && typeof value[0] === "string" ? [value] : value } : { ...value };
    if (!Array.isArray(request.methodCalls)) throw new Error("there are no methodCalls");
    if (!request.using) request.using = usingOf(request.methodCalls, app.types);
    return { using: request.using, ...request };
  }

  function check() {
    fill(layer, coloured(area.value), "\n");
    follow();
    try {
      const request = parsed();
      const unknown = request.methodCalls.map((call) => call?.[0]).filter((name) => app.types.methods && !app.types.methods[name]);
      checked.className = `checked ${unknown.length ? "warn" : "good"}`;
      checked.textContent = unknown.length ? `No method ${unknown[0]}` : `Valid JSON · ${request.methodCalls.length} call${request.methodCalls.length === 1 ? "" : "s"}`;
      fill(using, h("b", null, "using "), request.using.map((urn) => h("code", null, urn)));
      return true;
    } catch (error) {
      checked.className = "checked bad";
      const position = /position (\d+)/.exec(said(error));
      const before = position ? area.value.slice(0, Number(position[1])).split("\n") : null;
      checked.textContent = before ? `Line ${before.length}, column ${before.at(-1).length + 1}: ${said(error).replace(/ (in JSON )?at position.*$/s, "")}` : said(error);
      return false;
    }
  }

  function follow() { layer.style.transform = `translate(${-area.scrollLeft}px, ${-area.scrollTop}px)`; }

  function set(text) {
    area.value = text;
    check();
    hide();
  }
  function put(value) {
    set(pretty(value));
    area.focus();
  }
  function format() {
    try { set(pretty(JSON.parse(area.value))); } catch (error) { toast(said(error), "bad"); }
  }

  // Completion.

  const more = {
    accounts: () => Object.entries(client.session?.accounts || {}).map(([name, one]) => ({ name, about: one.name })),
    mailboxes: () => app.panes.mail.mailboxes().map((one) => ({ name: one.id, about: one.name })),
  };

  function complete(asked = false) {
    const context = contextAt(area.value, area.selectionStart);
    if (!context.string && !asked) return hide();
    const typed = context.string ? context.string.text : "";
    const wanted = typed.toLowerCase();
    const all = suggestions(context, app.types, more).filter(({ name, about }) => name.toLowerCase().includes(wanted) || (about && about.toLowerCase().startsWith(wanted) && wanted));
    all.sort((a, b) => Number(b.name.toLowerCase().startsWith(wanted)) - Number(a.name.toLowerCase().startsWith(wanted)));
    if (!all.length || (all.length === 1 && all[0].name === typed && !asked)) return hide();
    span = { from: context.string ? context.string.from : area.selectionStart, isOpen: Boolean(context.string), isKey: Boolean(context.top?.wantsKey) };
    open = all.slice(0, 60);
    pick = 0;
    offer();
    return undefined;
  }

  function offer() {
    fill(popup, open.map(({ name, about }, index) => h("li", {
      role: "option", id: `c-${index}`, "aria-selected": String(index === pick), class: index === pick ? "on" : "",
      onmousedown: (event) => { event.preventDefault(); take(index); },
    }, h("code", null, name), h("span", null, about))));
    popup.hidden = false;
    area.setAttribute("aria-activedescendant", `c-${pick}`);
    const before = area.value.slice(0, span.from).split("\n");
    const style = getComputedStyle(area);
    const line = parseFloat(style.lineHeight);
    const wide = measure();
    const left = parseFloat(style.paddingLeft) + before.at(-1).length * wide - area.scrollLeft;
    const top = parseFloat(style.paddingTop) + before.length * line - area.scrollTop + 2;
    popup.style.left = `${Math.max(4, Math.min(left, area.clientWidth - 270))}px`;
    const above = top + 220 > area.clientHeight && top > 240;
    popup.style.top = above ? "auto" : `${top}px`;
    popup.style.bottom = above ? `${area.clientHeight - top + line + 4}px` : "auto";
    popup.querySelector(".on")?.scrollIntoView({ block: "nearest" });
  }

  let width = 0;
  function measure() {
    if (!width) {
      const probe = h("span", null, "0".repeat(100));
      layer.append(probe);
      width = probe.getBoundingClientRect().width / 100;
      probe.remove();
    }
    return width;
  }

  function take(index) {
    const { name } = open[index];
    const rest = area.value.slice(area.selectionStart);
    const closes = /^"/.test(rest);
    let put = (span.isOpen ? "" : '"') + name + (closes ? "" : '"');
    if (span.isKey && !/^"?\s*:/.test(rest)) put += ": ";
    area.setRangeText(put, span.from, area.selectionStart, "end");
    if (closes && !put.endsWith(": ")) area.selectionStart = area.selectionEnd += 1;
    hide();
    check();
    area.focus();
  }

  function hide() {
    popup.hidden = true;
    open = [];
    area.removeAttribute("aria-activedescendant");
  }

  const PAIRS = { "{": "}", "[": "]" };
  function key(event) {
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") { event.preventDefault(); send(); return; }
    if (event.ctrlKey && event.key === " ") { event.preventDefault(); complete(true); return; }
    if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) { event.preventDefault(); recall(event.key === "ArrowUp" ? 1 : -1); return; }
    if (open.length) {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") { pick = (pick + (event.key === "ArrowDown" ? 1 : open.length - 1)) % open.length; offer(); event.preventDefault(); return; }
      if (event.key === "Enter" || event.key === "Tab") { take(pick); event.preventDefault(); return; }
      if (event.key === "Escape") { hide(); event.preventDefault(); return; }
    }
    const from = area.selectionStart, before = area.value.slice(0, from), after = area.value.slice(area.selectionEnd);
    if (event.key === "Enter") {
      const indent = /[^\n]*$/.exec(before)[0].match(/^\s*/)[0];
      const opens = /[{[]\s*$/.test(before), closes = /^\s*[}\]]/.test(after);
      area.setRangeText(`\n${indent}${opens ? "  " : ""}${opens && closes ? `\n${indent}` : ""}`, from, area.selectionEnd, "end");
      if (opens && closes) area.selectionStart = area.selectionEnd -= indent.length + 1;
    } else if (PAIRS[event.key] && !/^[\w"]/.test(after) && !contextAt(area.value, from).string) {
      area.setRangeText(event.key + PAIRS[event.key], from, area.selectionEnd, "start");
      area.selectionStart = area.selectionEnd = from + 1;
    } else return;
    event.preventDefault();
    check();
  }

  // Sending.

  function remember(text) {
    history = [text, ...history.filter((one) => one !== text)].slice(0, MOST_HISTORY);
    at = -1;
    app.stored.set("history", JSON.stringify(history));
    drawHistory();
  }
  function drawHistory() {
    const label = (text) => [...text.matchAll(/"([A-Z]\w+\/\w+)"/g)].map((match) => match[1]).filter((name, index, all) => all.indexOf(name) === index).join(", ").slice(0, 60) || text.slice(0, 40);
    fill(past, h("option", { value: "" }, `History (${history.length})`), history.map((text, index) => h("option", { value: String(index) }, label(text))));
    past.disabled = !history.length;
  }
  function recall(by) {
    if (!history.length) return;
    at = Math.max(0, Math.min(history.length - 1, at + by));
    set(history[at]);
  }

  async function send() {
    hide();
    if (!check()) { toast("This is no request yet: see below the editor.", "bad"); area.focus(); return; }
    const request = parsed();
    remember(area.value);
    sendButton.disabled = true;
    fill(output, skeleton(8));
    const began = performance.now();
    try {
      const isHttp = transport.value === "http";
      const found = isHttp ? await client.post(request) : { status: null, value: await client.send(request, { console: true }) };
      result(found, performance.now() - began, isHttp);
    } catch (error) {
      fill(output, failure(error, send));
    }
    sendButton.disabled = false;
    element.dataset.stack = "answer";
  }

  function result({ status, value }, milliseconds, isHttp) {
    last = value;
    const spoilt = value.garbled !== undefined || typeof value === "string";
    const failed = spoilt || (status !== null && status >= 400) || value["@type"] === "RequestError";
    const errors = (value.methodResponses || []).filter(([name]) => name === "error").length;
    const outcome = spoilt ? `${status || ""} no JSON` : failed ? `${status || value.status || ""} rejected` : errors ? `${errors} error${errors > 1 ? "s" : ""}` : isHttp ? "200" : "ok";
    came.textContent = `Response: ${outcome}`;
    fill(output, h("div.head", null, h("h2", null, "Response"), h("span.tag", { class: failed ? "bad" : errors ? "warn" : "good" }, outcome),
      h("span.faint", null, `${milliseconds.toFixed(1)} ms · ${isHttp ? "HTTP" : "WebSocket"}`), h("span.gap"),
      button("Copy", () => copy(JSON.stringify(last, null, 2)), { symbol: "copy" })), json(value.garbled ?? value));
  }

  async function asCurl() {
    await copy(curl(`${location.origin}/jmap/`, parsed(), client.token), "Copied as curl");
  }

  app.on("edit", ({ methodCalls, using: wanted }) => {
    const auto = usingOf(methodCalls, app.types).sort().join();
    put(wanted && [...wanted].sort().join() !== auto ? { using: wanted, methodCalls } : methodCalls);
    app.go("console");
  });
  app.on("account", () => { if (!area.value) set(pretty(EXAMPLES["Open the inbox"](app.accountId))); else check(); });
  drawHistory();
  fill(output, empty("console", "Nothing sent yet", "Write method calls and press Ctrl Enter. Names are completed as you type; using is filled in."));

  return {
    element,
    show() { check(); },
    keys: { "/": () => area.focus(), Escape() { area.blur(); } },
  };
}
