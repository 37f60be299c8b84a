// Mailboxes, the list of messages, and the reader, as panes side by side that become a stack.

import { attempt, counted, debounce, dialog, failure, fill, h, icon, roving, skeleton, toast } from "./dom.js";
import { messageList } from "./messages.js";
import { reader } from "./reader.js";

const ROLES = { inbox: "inbox", sent: "sent", drafts: "drafts", trash: "trash", junk: "junk", archive: "archive", all: "all" };
const DEEPEST = 6;
const ORDER = ["inbox", "drafts", "sent", "archive", "junk", "trash"];

export function mailPane(app) {
  const client = app.client;
  const tree = h("div.tree", { role: "tree", "aria-label": "Mailboxes" });
  const accounts = h("select.account", { "aria-label": "Account", onchange: () => choose(accounts.value) });
  let boxes = [];
  let current = null;

  const boxColumn = h("section.column.boxes", { "aria-label": "Accounts and mailboxes" }, h("div.head", null, accounts), tree);
  const read = reader(app, { close: () => stack("list"), act });
  const list = messageList(app, {
    open: (email, focus) => { stack("read", focus); read.open(email); },
    gone: () => { read.clear(); stack("list"); },
    back: () => stack("boxes"),
  });
  const element = h("section.pane.mail", { "data-stack": "list" }, boxColumn, list.element, read.element);

  function stack(name) { element.dataset.stack = name; }

  function sorted(parentId) {
    const rank = (box) => (ORDER.includes(box.role) ? ORDER.indexOf(box.role) : 99);
    return boxes.filter((one) => one.parentId === parentId)
      .sort((a, b) => a.sortOrder - b.sortOrder || rank(a) - rank(b) || a.name.localeCompare(b.name));
  }

  function row(box, level) {
    const isOn = current?.id === box.id;
    const count = box.unreadThreads || 0;
    const made = h("div.box", {
      role: "treeitem", "aria-level": String(level), "aria-selected": String(isOn), tabIndex: isOn ? 0 : -1, class: isOn ? "on" : "",
      "data-id": box.id, title: box.id ? `${box.name} · ${counted(box.totalEmails, "message")}, ${box.unreadEmails} unread · ${box.id}` : box.name,
      onclick: () => select(box, true),
      onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); select(box, true); } },
    }, icon(ROLES[box.role] || "folder"), h("span.name", { dir: "auto" }, box.name),
    h("span.count", null, count ? h("b", { "aria-label": `${count} unread threads` }, String(count)) : null, h("span", null, box.totalEmails ? box.totalEmails.toLocaleString("en-GB") : "")));
    made.style.paddingLeft = `${8 + Math.min(level - 1, DEEPEST) * 14}px`;
    return [made, ...sorted(box.id || "none").flatMap((one) => row(one, level + 1))];
  }

  const everything = { id: null, name: "All mail", role: "all" };
  function draw() {
    const focused = document.activeElement?.closest?.(".tree") ? document.activeElement.dataset.id : null;
    fill(tree, row(everything, 1), sorted(null).flatMap((one) => row(one, 1)));
    if (focused) [...tree.children].find((one) => one.dataset.id === focused)?.focus();
    app.badge("mail", boxes.find((one) => one.role === "inbox")?.unreadThreads || 0);
  }
  roving(tree, ".box");

  function select(box, move) {
    current = box;
    draw();
    list.open(box);
    read.clear();
    if (move) stack("list");
  }

  async function load() {
    const [found] = await client.call(["Mailbox/get", { accountId: app.accountId, ids: null }]);
    boxes = found.list;
  }

  async function choose(accountId) {
    app.accountId = accountId;
    accounts.value = accountId;
    current = null;
    fill(tree, skeleton(6, "thin"));
    read.clear();
    try {
      await load();
    } catch (error) {
      fill(tree, failure(error, () => choose(accountId)));
      return;
    }
    select(boxes.find((one) => one.role === "inbox") || everything, false);
    tree.querySelector(".on")?.scrollIntoView({ block: "nearest" });
    app.emit("account", accountId);
  }

  const again = debounce(async () => {
    const before = app.accountId;
    try {
      await load();
    } catch { return; }
    if (before !== app.accountId) return;
    if (current?.id) current = boxes.find((one) => one.id === current.id) || everything;
    draw();
    list.refresh();
    read.refresh();
  }, 120);

  async function act(what, email, to) {
    const update = {};
    const has = (keyword) => Boolean(email.keywords[keyword]);
    if (what === "seen") update["keywords/$seen"] = has("$seen") ? null : true;
    if (what === "flag") update["keywords/$flagged"] = has("$flagged") ? null : true;
    if (what === "move") update.mailboxIds = { [to]: true };
    const trash = boxes.find((one) => one.role === "trash");
    const isGone = what === "delete" && (!trash || email.mailboxIds[trash.id]);
    if (what === "delete" && !isGone) update.mailboxIds = { [trash.id]: true };
    const given = isGone ? { destroy: [email.id] } : { update: { [email.id]: update } };
    await attempt(async () => {
      const [found] = await client.call(["Email/set", { accountId: app.accountId, ...given }]);
      const failed = found.notUpdated?.[email.id] || found.notDestroyed?.[email.id];
      if (failed) throw new Error(`${failed.type}${failed.description ? `: ${failed.description}` : ""}`);
      if (what === "delete") toast(isGone ? "Destroyed" : "Moved to the trash");
      if (what === "move") toast(`Moved to ${boxes.find((one) => one.id === to)?.name}`);
      again();
    });
  }

  function move(email) {
    if (!email) return;
    const made = dialog("Move to", h("div.choices", null, boxes.filter((one) => !email.mailboxIds[one.id]).map((one) => h("button.choice", {
      type: "button", onclick: () => { made.close(); act("move", email, one.id); },
    }, icon(ROLES[one.role] || "folder"), one.name))));
  }
  read.move = move;

  app.on("leaving", () => { fill(tree, skeleton(6, "thin")); list.wait(); read.clear(); });
  app.on("user", () => {
    const all = Object.entries(client.session.accounts);
    fill(accounts, all.map(([id, one]) => h("option", { value: id, title: id }, `${one.name}${one.isPersonal ? "" : " (shared)"}`)));
    choose(app.accountId);
  });
  client.on("state", ({ changed }) => { if (changed[app.accountId]) again(); });
  client.on("status", (now) => { if (now === "open" && boxes.length) again(); });
  app.on("restored", () => { if (client.session) again(); });
  fill(tree, skeleton(6, "thin"));

  const on = (what) => () => { const email = read.current || list.current(); if (email) act(what, email); };
  return {
    element,
    mailboxes: () => boxes,
    keys: {
      j: () => list.step(1), k: () => list.step(-1), "/": () => list.search(), u: on("seen"), f: on("flag"), "#": on("delete"), Delete: on("delete"),
      m: () => move(read.current || list.current()), h: () => read.tab("headers"), r: () => read.tab("raw"),
      Escape: () => stack({ read: "list", list: "boxes" }[element.dataset.stack] || "boxes"),
    },
  };
}
