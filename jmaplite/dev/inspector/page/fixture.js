// Clock, faults, snapshots, mail, users and settings of the fixture, at a click.

import { attempt, button, clockTime, counted, dialog, fill, h, icon, said, toast, when } from "./dom.js";
import { coloured } from "./json.js";

const PRESETS = [
  ["503 once", { effect: { status: 503, retryAfter: 5 }, times: 1 }],
  ["429, Retry-After", { effect: { status: 429, retryAfter: 2 }, times: 1 }],
  ["serverFail", { match: { method: "Email/*" }, effect: { methodError: "serverFail" }, times: 1 }],
  ["cannotCalculateChanges", { match: { method: "*/changes" }, effect: { methodError: "cannotCalculateChanges" }, times: 1 }],
  ["accountNotFound", { effect: { methodError: "accountNotFound" }, times: 1 }],
  ["stateMismatch", { match: { method: "*/set" }, effect: { methodError: "stateMismatch" }, times: 1 }],
  ["overQuota", { match: { method: "Email/set" }, effect: { setError: "overQuota", of: "create" }, times: 1 }],
  ["forbidden updates", { match: { method: "Email/set" }, effect: { setError: "forbidden", of: "update" }, times: 1 }],
  ["Slow, 2 s", { effect: { delay: 2 } }],
  ["Every third fails", { match: { every: 3 }, effect: { status: 500 } }],
  ["One in ten fails", { match: { probability: 0.1 }, effect: { methodError: "serverUnavailable" } }],
  ["Cut connection", { effect: { cut: true }, times: 1 }],
  ["Half an answer", { effect: { truncate: 0.5 }, times: 1 }],
  ["No JSON", { effect: { garble: true }, times: 1 }],
  ["Lost push", { effect: { push: "drop" }, times: 1 }],
  ["Push twice", { effect: { push: "repeat" }, times: 1 }],
  ["Late push", { effect: { push: "delay", delay: 10 }, times: 1 }],
  ["Dropped stream", { effect: { dropStream: true }, times: 1 }],
];

const MESSAGE = `From: Ada Adler <ada@adler.example>
To: alice@example.org
Subject: A message by hand
Message-ID: <by-hand@adler.example>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

Good morning.
`;

export function fixturePane(app) {
  const control = app.control;
  const act = async (work, done) => {
    const found = await attempt(work, done);
    if (found !== undefined) await attempt(() => app.look());
    return found;
  };
  const card = (id, symbol, title, ...children) => h("section.card", { id: `card-${id}`, tabIndex: -1, "aria-labelledby": `title-${id}` }, h("header", null, icon(symbol), h("h2", { id: `title-${id}` }, title)), ...children);
  const people = (label) => h("select", { "aria-label": label });
  const labelled = (text, input) => h("label.labelled", null, h("span", null, text), input);

  // The clock.
  const face = h("div.face", { role: "timer" });
  const setTo = h("input", { type: "datetime-local", step: "1", "aria-label": "Time to set" });
  const freeze = button("Freeze", () => clock({ frozen: !app.overview.clock.frozen }), { symbol: "pause" });
  const clock = (given) => act(() => control("POST", "/clock", given));
  const clockCard = card("clock", "clock", "Clock", face,
    h("div.row", null, freeze, button("+1 min", () => clock({ advance: 60 })), button("+1 h", () => clock({ advance: 3600 })), button("+1 d", () => clock({ advance: 86400 })), button("−1 d", () => clock({ advance: -86400 }))),
    h("div.row", null, setTo, button("Set", () => { if (setTo.value) clock({ set: new Date(setTo.value).toISOString().replace(/\.\d+Z$/, "Z") }); else toast("Choose a time first.", "bad"); }), button("Real time", () => clock({ reset: true }))));

  // Faults.
  const faults = h("div.faults");
  const layer = h("pre.layer", { "aria-hidden": "true" });
  const rule = h("textarea.code", { rows: "7", spellcheck: "false", wrap: "off", "aria-label": "Rule as JSON", oninput: () => checkRule(), onscroll: () => { layer.style.transform = `translate(${-rule.scrollLeft}px, ${-rule.scrollTop}px)`; } });
  const ruleSays = h("span.checked", { role: "status" });
  function checkRule() {
    fill(layer, coloured(rule.value), "\n");
    try { JSON.parse(rule.value); ruleSays.textContent = ""; return true; } catch (error) { ruleSays.className = "checked bad"; ruleSays.textContent = said(error); return false; }
  }
  const presets = h("div.presets", { role: "group", "aria-label": "Presets" }, PRESETS.map(([name, one]) => h("button.toggle", { type: "button", onclick: () => { rule.value = JSON.stringify(one, null, 2); checkRule(); rule.scrollTop = 0; } }, name)));
  const addRule = async () => {
    if (!checkRule()) return;
    const made = await act(() => control("POST", "/faults", JSON.parse(rule.value)));
    if (made) toast(`Rule ${made.id} is in force`);
  };
  const faultCard = card("faults", "bolt", "Faults", presets, h("div.editor.small", null, layer, rule),
    h("div.row", null, button("Add the rule", addRule, { kind: "primary", symbol: "bolt" }), button("Remove all", () => act(() => control("DELETE", "/faults"))), ruleSays), faults);
  rule.value = JSON.stringify(PRESETS[0][1], null, 2);

  function drawFaults() {
    const all = app.faults || [];
    fill(faults, all.length ? all.map((one) => h("div.rule", { class: one.left === 0 ? "spent" : "" },
      h("div.item", null, h("code", null, h("b", null, one.id)), h("span.tag", { title: `It has fired ${one.fired} of ${one.seen} times that it matched` }, `fired ${one.fired} of ${one.seen}`), h("span.tag", { class: one.left === 0 ? "" : "warn" }, one.left === null ? "standing" : one.left ? `${one.left} left` : "used up"),
        h("span.gap"), button("", () => act(() => control("DELETE", `/faults/${encodeURIComponent(one.id)}`)), { symbol: "close", kind: "quiet", title: `Remove ${one.id}` })),
      h("p", null, h("code", null, one.match && Object.keys(one.match).length ? JSON.stringify(one.match) : "everything"), " → ", h("code", null, JSON.stringify(one.effect))))) : h("p.faint", null, "No rules: the server behaves."));
  }

  // Reset and snapshots.
  const snapshots = h("div.items");
  const snapshotName = h("input", { type: "text", placeholder: "name", "aria-label": "Name of the snapshot" });
  const after = (text) => async () => { toast(text); app.emit("restored"); };
  const reset = () => {
    const made = dialog("Reset everything?", h("p", null, "Mail, users, clock, faults, options and the log go back to the beginning."),
      h("div.row", null, button("Reset", async () => { made.close(); if (await act(() => control("POST", "/reset", {}))) { app.emit("reset"); after("Everything is as at the beginning")(); if (!app.overview.users.some((one) => one.name === app.client.user)) app.become(app.overview.users.find((one) => one.kind !== "group").name); } }, { kind: "danger" }), button("Cancel", () => made.close())));
  };
  const stateCard = card("state", "archive", "State", h("div.row", null, button("Reset", reset, { kind: "danger", symbol: "reload" }), snapshotName,
    button("Take a snapshot", () => act(() => control("PUT", `/snapshots/${encodeURIComponent(snapshotName.value.trim() || "snapshot")}`), "Taken"))), snapshots);
  function drawSnapshots() {
    fill(snapshots, app.overview.snapshots.map((name) => h("div.item", null, h("code", null, name), h("span.gap"),
      button("Restore", async () => { if (await act(() => control("POST", `/snapshots/${encodeURIComponent(name)}/restore`, {}))) after(`${name} is back`)(); }),
      name === "initial" ? null : button("", () => act(() => control("DELETE", `/snapshots/${encodeURIComponent(name)}`)), { symbol: "close", kind: "quiet", title: `Throw away ${name}` }))));
  }

  // Mail.
  const forMail = people("Account for new mail"), count = h("input", { type: "number", min: "1", max: "10000", value: "20", "aria-label": "How many threads" });
  const seed = h("input", { type: "text", placeholder: "seed", "aria-label": "Seed" }), box = h("input", { type: "text", placeholder: "inbox, or Archive/2030", "aria-label": "Mailbox" });
  const text = h("textarea.code.raw", { rows: "9", spellcheck: "false", "aria-label": "Raw message" });
  text.value = MESSAGE;
  const file = h("input", { type: "file", accept: ".eml,message/rfc822,text/plain", "aria-label": "A message from a file", onchange: () => attempt(async () => {
    const [one] = file.files;
    if (one) await deliver({ base64: await base64(one) });
    file.value = "";
  }) });
  const where = () => ({ account: forMail.value, ...(box.value.trim() ? { mailbox: box.value.trim() } : {}) });
  async function deliver(what) {
    const found = await act(() => control("POST", "/deliver", { ...where(), ...what }));
    if (found) toast(found.outcome === "imported" ? "Delivered" : `The message is ${found.outcome === "present" ? "there already" : found.outcome}`);
  }
  const mailCard = card("mail", "mail", "Mail", h("div.row", null, labelled("Account", forMail), labelled("Mailbox", box)),
    h("div.row", null, labelled("Threads", count), labelled("Seed", seed), button("Make them up", async () => {
      const found = await act(() => control("POST", "/generate", { ...where(), threads: Number(count.value) || 0, ...(seed.value ? { seed: seed.value } : { seed: String(Date.now()) }) }));
      if (found) toast(`${counted(found.messages, "message")} made`);
    }, { symbol: "threads" })),
    text, h("div.row", null, button("Deliver", () => deliver({ text: text.value }), { kind: "primary", symbol: "inbox" }), file));

  // What was sent to elsewhere.
  const outbox = h("div.items");
  const outboxCard = card("outbox", "sent", "Outbox", h("p.faint", null, "Mail to other servers is captured here and goes nowhere."), outbox,
    h("div.row", null, button("Look again", () => attempt(lookOutbox), { symbol: "reload" }), button("Clear", () => attempt(async () => { await control("DELETE", "/outbox"); await lookOutbox(); }), { symbol: "trash" })));
  async function lookOutbox() {
    const { messages } = await control("GET", "/outbox");
    fill(outbox, messages.length ? messages.slice(-50).reverse().map((one) => h("button.choice", { type: "button", onclick: () => captured(one) },
      h("span.captured", null, h("b", null, one.subject || "(no subject)"), h("span.faint", null, `to ${one.recipients.map(({ address }) => address).join(", ")}`)),
      h("span.faint", null, when(one.sentAt, app.now() * 1000)))) : h("p.faint", null, "Nothing was sent yet."));
  }
  function captured(one) {
    const facts = [["from", one.from], ["to", one.recipients.map(({ address }) => address).join(", ")], ["sent", one.sentAt], ["parameters", JSON.stringify(one.parameters)]];
    dialog(one.subject || "(no subject)", h("dl.facts", null, facts.flatMap(([name, value]) => [h("dt", null, name), h("dd", null, h("code", null, value))])), h("pre.plain.captured-text", { tabIndex: 0 }, one.text.slice(0, 200000)));
  }

  // Users.
  const users = h("div.items");
  const newName = h("input", { type: "text", placeholder: "carol@example.org", "aria-label": "Name of a new user" });
  const userCard = card("users", "threads", "Users", users, h("div.row", null, newName, button("Make a user", async () => {
    const made = await act(() => control("POST", "/users", newName.value.trim() ? { name: newName.value.trim() } : {}));
    if (!made) return;
    newName.value = "";
    dialog("A new user", h("dl.facts", null, Object.entries(made).flatMap(([name, value]) => [h("dt", null, name), h("dd", null, h("code", null, value))])));
  })));
  function drawUsers() {
    fill(users, app.overview.users.map((one) => h("div.item", null, h("b", null, one.name), one.kind === "group" ? h("span.tag", null, "group") : null, h("code.faint", null, one.accountId), h("span.gap"),
      one.kind === "group" || one.name === app.client.user ? null : button("Look as", () => app.become(one.name), { kind: "small", title: `Look as ${one.name}` }))));
  }

  // Settings.
  const profiles = h("select", { "aria-label": "Profile" });
  const option = h("input", { type: "text", placeholder: "jmap.protocol.get.max-objects", "aria-label": "Option" }), value = h("input", { type: "text", placeholder: "5", "aria-label": "Value" });
  const chosen = h("div.items"), profileSays = h("p.faint");
  const settings = (given, done) => act(() => control("PATCH", "/settings", given), done);
  const settingsCard = card("settings", "tools", "Settings", h("div.row", null, labelled("Be like", profiles), button("Apply", () => settings({ profile: profiles.value }, `Now like ${profiles.value}`))), profileSays,
    h("div.row", null, option, value, button("Set", () => {
      let given;
      try { given = JSON.parse(value.value); } catch { given = value.value; }
      if (option.value.trim()) settings({ options: { [option.value.trim()]: given } }, "Set");
    })), chosen);
  profiles.addEventListener("change", () => { profileSays.textContent = app.overview.profiles[profiles.value] || ""; });
  function drawSettings() {
    if (!profiles.options.length) {
      fill(profiles, Object.keys(app.overview.profiles).map((name) => h("option", { value: name }, name)));
      profileSays.textContent = app.overview.profiles[profiles.value] || "";
    }
    fill(chosen, Object.entries(app.overview.options).map(([name, one]) => h("div.item", null, h("code", null, name), h("span.gap"), h("code", null, JSON.stringify(one)),
      button("", () => settings({ options: { [name]: null } }), { symbol: "close", kind: "quiet", title: `Back to what ${name} was` }))));
  }

  const element = h("section.pane.fixture", null, h("div.cards", null, h("div.pile", null, clockCard, stateCard, userCard), h("div.pile", null, faultCard, settingsCard), h("div.pile", null, mailCard, outboxCard)));

  function tick() {
    if (!app.overview) return;
    const now = new Date(app.now() * 1000);
    fill(face, h("b", null, clockTime(now / 1000)), h("span", null, now.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "long", year: "numeric" })), app.overview.clock.frozen ? h("span.tag.warn", null, "frozen") : null);
    fill(freeze, icon(app.overview.clock.frozen ? "play" : "pause"), h("span", null, app.overview.clock.frozen ? "Resume" : "Freeze"));
  }
  function draw() {
    tick();
    drawFaults();
    drawSnapshots();
    drawUsers();
    drawSettings();
    const names = app.overview.users.map((one) => one.name);
    if (names.join() !== [...forMail.options].map((one) => one.value).join()) {
      const before = forMail.value || app.client.user;
      fill(forMail, names.map((name) => h("option", { value: name }, name)));
      if (names.includes(before)) forMail.value = before;
    }
  }
  let drawn = "";
  app.on("overview", () => {
    const now = JSON.stringify([app.overview.users, app.overview.snapshots, app.overview.options, app.faults, app.client.user]);
    if (now !== drawn && app.overview.profiles) { drawn = now; draw(); }
    tick();
  });
  app.on("user", (user) => { forMail.value = user; drawn = ""; draw(); });
  setInterval(() => { if (!element.hidden) tick(); }, 500);
  checkRule();
  draw();

  return {
    element,
    show(id) {
      lookOutbox().catch(() => {});
      if (!id) return;
      const found = element.querySelector(`#card-${id}`);
      found?.scrollIntoView({ block: "start" });
      found?.focus();
    },
    keys: {},
  };
}

async function base64(file) {
  const octets = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < octets.length; at += 32768) text += String.fromCharCode(...octets.subarray(at, at + 32768));
  return btoa(text);
}
