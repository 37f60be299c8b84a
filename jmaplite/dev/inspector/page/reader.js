// One message: its HTML in a frame without scripts and without anything from elsewhere, text, parts, headers, raw.

import { attempt, button, copy, empty, failure, fill, fullTime, h, icon, roving, save, size, skeleton } from "./dom.js";
import { json } from "./json.js";

const TABS = [["html", "HTML"], ["text", "Text"], ["parts", "Parts"], ["headers", "Headers"], ["raw", "Raw"], ["json", "JSON"]];
const MOST_RAW = 400000, MOST_INLINE = 3e6;
const PROPERTIES = ["id", "blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt", "sentAt", "messageId", "inReplyTo", "references",
  "from", "to", "cc", "bcc", "replyTo", "sender", "subject", "hasAttachment", "preview", "headers", "bodyStructure", "bodyValues", "textBody", "htmlBody", "attachments"];

const decode = (octets) => new TextDecoder().decode(octets);

async function dataUrl(octets, type) {
  return new Promise((resolve, reject) => {
    const reading = new FileReader();
    reading.onload = () => resolve(reading.result);
    reading.onerror = () => reject(reading.error);
    reading.readAsDataURL(new Blob([octets], { type }));
  });
}

export function reader(app, { close, act }) {
  const client = app.client;
  const body = h("div.letter");
  const element = h("section.column.read", { "aria-label": "Message" }, body);
  let email = null, tab = app.stored.get("tab") || "html", turn = 0;
  const api = { element, current: null, open, clear, refresh, tab: choose, move: null };

  function clear() {
    email = null;
    api.current = null;
    turn += 1;
    fill(body, empty("mail", "No message chosen", "Choose one from the list. j and k go on and back."));
  }

  async function open(chosen) {
    const mine = ++turn;
    api.current = chosen;
    fill(body, skeleton(7));
    try {
      const [found] = await client.call(["Email/get", { accountId: app.accountId, ids: [chosen.id], properties: PROPERTIES, fetchAllBodyValues: true, maxBodyValueBytes: 2000000 }]);
      if (mine !== turn) return;
      if (!found.list.length) { fill(body, empty("mail", "It is gone", "This message is not there any more.")); return; }
      [email] = found.list;
      api.current = email;
      draw();
    } catch (error) {
      if (mine === turn) fill(body, failure(error, () => open(chosen)));
    }
  }

  async function refresh() {
    if (!email) return;
    const id = email.id;
    try {
      const [found] = await client.call(["Email/get", { accountId: app.accountId, ids: [id], properties: ["id", "keywords", "mailboxIds"] }]);
      if (!email || email.id !== id) return;
      if (!found.list.length) { fill(body, empty("mail", "It is gone", "This message is not there any more.")); email = null; api.current = null; return; }
      Object.assign(email, found.list[0]);
      actions();
    } catch { /* the list says so */ }
  }

  const bar = h("div.actions", { role: "toolbar", "aria-label": "Message" });
  function actions() {
    const seen = email.keywords.$seen, flagged = email.keywords.$flagged;
    const do_ = (what) => () => act(what, email);
    fill(bar, button("", close, { symbol: "back", kind: "quiet stacked", title: "Back to the list" }),
      button(seen ? "Mark unread" : "Mark read", do_("seen"), { symbol: "unread", kind: "quiet", title: "Read or unread (u)" }),
      button(flagged ? "Unflag" : "Flag", do_("flag"), { symbol: "flag", kind: flagged ? "quiet on" : "quiet", title: "Flag (f)" }),
      button("Move", () => api.move(email), { symbol: "move", kind: "quiet", title: "Move (m)" }),
      button("Delete", do_("delete"), { symbol: "trash", kind: "quiet", title: "Delete (#)" }),
      h("span.gap"), Object.keys(email.keywords).filter((one) => one !== "$seen").map((one) => h("span.tag", null, one)));
    roving(bar, "button");
  }

  const people = (list) => (list || []).map((one) => h("span.person", { title: one.email }, one.name ? [h("b", { dir: "auto" }, one.name), " ", h("span", null, `<${one.email}>`)] : one.email));

  const tabs = h("div.subtabs", { role: "tablist", "aria-label": "Views of the message" });
  roving(tabs, "button");
  const view = h("div.view", { role: "tabpanel" });

  function choose(name) {
    tab = name;
    app.stored.set("tab", name);
    if (email) drawTabs();
  }

  function available() {
    const has = { html: email.htmlBody.some((one) => one.type === "text/html"), parts: true };
    return TABS.filter(([name]) => name !== "html" || has.html);
  }

  function drawTabs() {
    const all = available();
    const now = all.some(([name]) => name === tab) ? tab : "text";
    fill(tabs, all.map(([name, label]) => h("button.subtab", {
      type: "button", role: "tab", "aria-selected": String(name === now), tabIndex: name === now ? 0 : -1, class: name === now ? "on" : "",
      onclick: () => choose(name),
    }, label, name === "parts" && email.attachments.length ? h("span.many", null, String(email.attachments.length)) : null)));
    fill(view);
    view.className = `view ${now}`;
    SHOW[now](view, turn);
  }

  function draw() {
    const line = (label, list) => (list && list.length ? [h("dt", null, label), h("dd", null, people(list))] : []);
    actions();
    fill(body, bar, h("header.about", null, h("h2", { dir: "auto" }, email.subject || "(no subject)"),
      h("dl", null, line("From", email.from), line("To", email.to), line("Cc", email.cc), line("Bcc", email.bcc),
        h("dt", null, "Received"), h("dd", null, fullTime(email.receivedAt), h("span.faint", null, ` · ${size(email.size)} · `), h("code", null, email.id)))),
    tabs, view);
    drawTabs();
    body.scrollTop = 0;
  }

  function valueOf(parts, type) {
    return parts.filter((one) => !type || one.type === type).map((one) => email.bodyValues[one.partId]?.value || "").join("\n");
  }

  // What an HTML body names by cid: is put into it; the rest has to come from elsewhere, which the frame is not let to.
  async function prepared(html) {
    let found = html;
    for (const part of email.attachments) {
      if (!part.cid || !part.type.startsWith("image/") || part.size > MOST_INLINE || !found.includes(`cid:${part.cid}`)) continue;
      const octets = await client.download(app.accountId, part.blobId, "image", part.type);
      found = found.replaceAll(`cid:${part.cid}`, await dataUrl(octets, part.type));
    }
    return found;
  }

  const SHOW = {
    async html(into, mine) {
      const html = valueOf(email.htmlBody, "text/html");
      const remote = /(?:src|background|srcset|poster|data)\s*=\s*["']?\s*(?:https?:)?\/\//i.test(html) || /url\(\s*["']?\s*(?:https?:)?\/\//i.test(html);
      const frame = h("iframe.frame", { sandbox: "", referrerpolicy: "no-referrer", title: "The message" });
      if (remote) into.append(h("p.notice", null, icon("junk"), "What this message would fetch from elsewhere stays away."));
      into.append(frame);
      try {
        const response = await fetch("/dev/frames/", { method: "POST", headers: { "Content-Type": "text/html" }, body: await prepared(html) });
        if (!response.ok) throw new Error(`HTTP ${response.status}`);
        const { url } = await response.json();
        if (mine === turn) frame.setAttribute("src", url);
      } catch (error) {
        if (mine === turn) fill(into, failure(error, drawTabs));
      }
    },
    text(into) {
      const text = email.textBody.map((one) => (one.type === "text/html" ? null : email.bodyValues[one.partId]?.value)).filter((one) => one !== null && one !== undefined).join("\n");
      if (text) into.append(h("pre.plain", { tabIndex: 0 }, text));
      else into.append(empty("mail", "No text", "This message has no part in plain text."));
    },
    parts(into) {
      const row = (part, level) => {
        const made = h("div.part", { role: "treeitem", "aria-level": String(level) },
          icon(part.subParts ? "folder" : "clip"), h("span.name", null, part.name || part.type, part.name ? h("span.faint", null, ` ${part.type}`) : null),
          h("span.faint", null, [part.partId, part.charset, part.disposition, part.cid ? `cid:${part.cid}` : null].filter(Boolean).join(" · ")),
          h("span.size", null, part.subParts ? "" : size(part.size)),
          part.blobId ? button("", () => attempt(async () => save(part.name || `part-${part.partId}`, await client.download(app.accountId, part.blobId, part.name || "part", part.type), "application/octet-stream")),
            { symbol: "download", kind: "quiet", title: `Download ${part.name || part.type}` }) : null);
        made.style.paddingLeft = `${(level - 1) * 20 + 8}px`;
        return [made, ...(part.subParts || []).flatMap((one) => row(one, level + 1))];
      };
      into.append(h("div.parts", { role: "tree", "aria-label": "Parts" }, row(email.bodyStructure, 1)));
    },
    headers(into) {
      into.append(h("div.scroll", { tabIndex: 0 }, h("table.headers", null, h("tbody", null, (email.headers || []).map((one) => h("tr", null, h("th", { scope: "row" }, one.name), h("td", null, one.value.trim())))))));
    },
    async raw(into, mine) {
      into.append(skeleton(5));
      try {
        const octets = await client.download(app.accountId, email.blobId, "message.eml", "message/rfc822");
        if (mine !== turn) return;
        const text = decode(octets.slice(0, MOST_RAW));
        fill(into, h("div.row", null, button("Download", () => save("message.eml", octets, "message/rfc822"), { symbol: "download" }),
          button("Copy", () => copy(text), { symbol: "copy" }), h("span.faint", null, size(octets.byteLength))),
        h("pre.plain", { tabIndex: 0 }, text, octets.byteLength > MOST_RAW ? "\n…" : ""));
      } catch (error) {
        if (mine === turn) fill(into, failure(error, drawTabs));
      }
    },
    json(into) {
      into.append(h("div.row", null, button("Copy", () => copy(JSON.stringify(email, null, 2)), { symbol: "copy" })), json(email));
    },
  };

  clear();
  return api;
}
