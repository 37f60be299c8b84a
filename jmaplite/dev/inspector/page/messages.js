// The list of messages: of any length, with only what is seen in the document.

import { button, counted, debounce, empty, failure, fill, h, icon, skeleton, when } from "./dom.js";

const ROW = 62, PAGE = 50;
const PROPERTIES = ["id", "threadId", "mailboxIds", "keywords", "from", "to", "subject", "receivedAt", "preview", "hasAttachment", "size"];

// What is typed in the search box: from:x to:x subject:x is:unread has:attachment before:2030-01-31 larger:1000 words.
export function parseSearch(text) {
  const conditions = [];
  const words = [];
  const days = (value) => (/^\d{4}-\d\d-\d\d$/.test(value) ? `${value}T00:00:00Z` : value);
  for (const part of text.match(/[a-z]+:"[^"]*"|[a-z]+:\S+|"[^"]*"|\S+/gi) || []) {
    const [, name, given] = /^([a-z]+):(.*)$/i.exec(part) || [];
    const value = (given || "").replace(/^"|"$/g, "");
    switch (name && name.toLowerCase()) {
      case "from": case "to": case "cc": case "bcc": case "subject": case "body": conditions.push({ [name.toLowerCase()]: value }); break;
      case "is":
        if (value === "unread") conditions.push({ notKeyword: "$seen" });
        else if (value === "read") conditions.push({ hasKeyword: "$seen" });
        else conditions.push({ hasKeyword: value === "starred" || value === "flagged" ? "$flagged" : `$${value}` });
        break;
      case "has": conditions.push({ hasAttachment: true }); break;
      case "keyword": conditions.push({ hasKeyword: value }); break;
      case "header": conditions.push({ header: value.includes("=") ? [value.split("=")[0], value.split("=").slice(1).join("=")] : [value] }); break;
      case "before": conditions.push({ before: days(value) }); break;
      case "after": conditions.push({ after: days(value) }); break;
      case "larger": conditions.push({ minSize: Number(value) || 0 }); break;
      case "smaller": conditions.push({ maxSize: Number(value) || 0 }); break;
      default: words.push(part);
    }
  }
  if (words.length) conditions.push({ text: words.join(" ") });
  return conditions;
}

export function messageList(app, { open, gone, back }) {
  const client = app.client;
  const title = h("h2", null, "");
  const total = h("span.total", { role: "status" });
  const field = h("input.search", {
    type: "search", placeholder: "Search: words, from:, is:unread…", "aria-label": "Search",
    title: "words  from:  to:  subject:  body:  is:unread  is:flagged  has:attachment  keyword:  header:Name=text  before:2030-01-31  after:  larger:  smaller:",
    oninput: debounce(() => begin(), 250),
    onkeydown: (event) => { if (event.key === "ArrowDown") { event.preventDefault(); focusAt(0); } },
  });
  const filters = ["unread", "flagged", "attachment"].map((name) => h("button.toggle", {
    type: "button", "aria-pressed": "false", onclick: (event) => flip(event.currentTarget),
  }, { unread: "Unread", flagged: "Flagged", attachment: "With files" }[name]));
  const collapse = h("button.toggle", { type: "button", "aria-pressed": "true", title: "One row for each thread", onclick: (event) => flip(event.currentTarget) }, icon("threads"), "Threads");
  const spacer = h("div.spacer", { role: "presentation" });
  const rows = h("div.rows", { role: "listbox", "aria-label": "Messages", tabIndex: -1 }, spacer);
  const element = h("section.column.list", { "aria-label": "Messages" },
    h("div.head", null, button("", back, { symbol: "back", kind: "quiet stacked", title: "Mailboxes" }), title, total,
      button("", () => refresh(), { symbol: "reload", kind: "quiet", title: "Ask again" })),
    h("div.tools", null, h("div.field", null, icon("search"), field), h("div.toggles", null, collapse, filters)), rows);

  let box = null, count = 0, generation = 0, at = -1, selected = null;
  let pages = new Map();
  let emails = new Map();

  function flip(toggle) {
    toggle.setAttribute("aria-pressed", String(toggle.getAttribute("aria-pressed") !== "true"));
    begin();
  }
  const pressed = (toggle) => toggle.getAttribute("aria-pressed") === "true";

  function query(position) {
    const conditions = parseSearch(field.value);
    if (box?.id) conditions.unshift({ inMailbox: box.id });
    if (pressed(filters[0])) conditions.push({ notKeyword: "$seen" });
    if (pressed(filters[1])) conditions.push({ hasKeyword: "$flagged" });
    if (pressed(filters[2])) conditions.push({ hasAttachment: true });
    const filter = conditions.length === 0 ? null : conditions.length === 1 ? conditions[0] : { operator: "AND", conditions };
    return {
      accountId: app.accountId, filter, sort: [{ property: "receivedAt", isAscending: false }],
      collapseThreads: pressed(collapse), position, limit: PAGE, calculateTotal: true,
    };
  }

  async function fetchPage(number) {
    const mine = generation;
    pages.set(number, null);
    try {
      const [found, got] = await client.call(
        ["Email/query", query(number * PAGE)],
        ["Email/get", { accountId: app.accountId, "#ids": { resultOf: "0", name: "Email/query", path: "/ids" }, properties: PROPERTIES }],
      );
      if (mine !== generation) return;
      for (const one of got.list) emails.set(one.id, one);
      pages.set(number, found.ids);
      count = found.total;
      if (pressed(collapse)) await lengths(got.list, mine);
    } catch (error) {
      if (mine !== generation) return;
      pages.delete(number);
      count = -1;
      title.textContent = box?.name || "";
      total.textContent = "";
      fill(rows, failure(error, () => begin()));
      return;
    }
    if (mine === generation) draw();
  }

  async function lengths(found, mine) {
    const ids = [...new Set(found.map((one) => one.threadId))];
    const [threads] = await client.call(["Thread/get", { accountId: app.accountId, ids, properties: ["id", "emailIds"] }]);
    if (mine !== generation) return;
    const known = new Map(threads.list.map((one) => [one.id, one.emailIds.length]));
    for (const one of found) one.inThread = known.get(one.threadId) || 1;
  }

  function begin() {
    generation += 1;
    pages = new Map();
    emails = new Map();
    count = 0;
    at = -1;
    title.textContent = box ? box.name : "";
    total.textContent = "";
    fill(rows, skeleton(8, "row"));
    rows.scrollTop = 0;
    fetchPage(0);
  }

  // The same list again, without a flicker: what is seen is asked for anew.
  async function refresh() {
    if (!box) return;
    generation += 1;
    const first = Math.max(0, Math.floor(rows.scrollTop / ROW / PAGE));
    const old = pages;
    pages = new Map([...old].filter(([number, ids]) => ids && Math.abs(number - first) <= 1));
    const wanted = [...new Set([first, ...pages.keys()])];
    await Promise.all(wanted.map(fetchAgain));
  }
  async function fetchAgain(number) {
    const kept = pages.get(number);
    const work = fetchPage(number);
    if (kept) pages.set(number, kept);
    await work;
  }

  const idAt = (index) => pages.get(Math.floor(index / PAGE))?.[index % PAGE];

  function name(email) {
    const people = (["sent", "drafts"].includes(box?.role) ? email.to : email.from) || [];
    return people.map((one) => one.name || one.email).join(", ") || "(nobody)";
  }

  function row(index) {
    const email = emails.get(idAt(index));
    const made = h("div.message", {
      role: "option", id: `m-${index}`, "aria-posinset": String(index + 1), "aria-setsize": String(count),
      "aria-selected": String(Boolean(email && email.id === selected)), tabIndex: index === Math.max(at, 0) ? 0 : -1,
      class: email ? `${email.id === selected ? "on" : ""} ${email.keywords.$seen ? "" : "unread"}` : "bone row",
      onclick: () => choose(index, true), onkeydown: (event) => key(event, index),
    });
    made.style.transform = `translateY(${index * ROW}px)`;
    if (email) {
      made.append(
        h("span.dot", { "aria-label": email.keywords.$seen ? null : "unread" }),
        h("span.from", { dir: "auto" }, name(email)),
        h("span.when", null, when(email.receivedAt, app.now() * 1000)),
        h("span.subject", { dir: "auto" }, email.subject || "(no subject)", email.inThread > 1 ? h("span.many", { title: `${email.inThread} in this thread` }, String(email.inThread)) : null),
        h("span.marks", null, email.keywords.$flagged ? icon("flag", "flagged") : null, email.hasAttachment ? icon("clip") : null),
        h("span.preview", { dir: "auto" }, email.preview));
    }
    return made;
  }

  function draw() {
    title.textContent = box ? box.name : "";
    total.textContent = counted(count, pressed(collapse) ? "thread" : "message");
    if (count === 0) {
      const isSearch = field.value || filters.some(pressed);
      fill(rows, isSearch
        ? empty("search", "Nothing found", "No message is like that here.", button("Clear the search", clear))
        : empty(box?.role === "inbox" ? "inbox" : "folder", "Nothing here", "Deliver a message or make up some threads under Fixture.",
          button("Make up 20 threads", () => app.go("fixture", "mail"), { symbol: "tools" })));
      return;
    }
    if (!spacer.isConnected) fill(rows, spacer);
    const hadFocus = rows.contains(document.activeElement) ? at : -1;
    spacer.style.height = `${count * ROW}px`;
    const from = Math.max(0, Math.floor(rows.scrollTop / ROW) - 6);
    const upTo = Math.min(count, Math.ceil((rows.scrollTop + rows.clientHeight) / ROW) + 6);
    const shown = [];
    for (let index = from; index < upTo; index++) shown.push(row(index));
    fill(spacer, shown);
    if (hadFocus >= 0) spacer.querySelector(`#m-${hadFocus}`)?.focus({ preventScroll: true });
    for (let page = Math.floor(from / PAGE); page * PAGE < upTo; page++) if (!pages.has(page)) fetchPage(page);
  }
  rows.addEventListener("scroll", () => { if (spacer.isConnected) requestAnimationFrame(draw); });
  new ResizeObserver(() => { if (spacer.isConnected && count > 0) draw(); }).observe(rows);

  function clear() {
    field.value = "";
    for (const one of filters) one.setAttribute("aria-pressed", "false");
    begin();
  }

  function choose(index, focus) {
    const email = emails.get(idAt(index));
    at = index;
    if (!email) return;
    selected = email.id;
    draw();
    open(email, focus);
  }

  function focusAt(index) {
    if (count <= 0) return;
    at = Math.max(0, Math.min(count - 1, index));
    const top = at * ROW;
    if (top < rows.scrollTop) rows.scrollTop = top;
    else if (top + ROW > rows.scrollTop + rows.clientHeight) rows.scrollTop = top + ROW - rows.clientHeight;
    draw();
    spacer.querySelector(`#m-${at}`)?.focus({ preventScroll: true });
  }

  function key(event, index) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -1e9, End: 1e9 }[event.key];
    if (step) focusAt(index + step);
    else if (event.key === "Enter" || event.key === " ") choose(index, true);
    else return;
    event.preventDefault();
  }

  return {
    element,
    open(mailbox) { box = mailbox; selected = null; begin(); },
    wait() { box = null; generation += 1; fill(rows, skeleton(8, "row")); },
    refresh,
    current: () => emails.get(idAt(at)),
    step(by) { focusAt(at + by); choose(at, true); },
    search() { field.focus(); field.select(); },
  };
}
