// StateChange objects as they come, with what was known before and what has changed since.

import { attempt, button, clockTime, counted, empty, fill, h, icon } from "./dom.js";

const MOST = 300;

export function pushPane(app) {
  const client = app.client;
  let events = [], known = {}, unseen = 0;
  const body = h("div.events");
  const about = h("span.total", { role: "status" });
  const element = h("section.pane.push", null, h("div.column", null,
    h("div.head", null, h("h2", null, "Push"), h("span.faint", null, "StateChange by WebSocket (RFC 8887 §4.3.5)"), about, h("span.gap"),
      button("Clear", () => { events = []; fill(body); draw(); }, { symbol: "trash" })), body));

  async function changes(type, accountId, since, into, pressed) {
    pressed.disabled = true;
    const found = await attempt(() => client.call([`${type}/changes`, { accountId, sinceState: since }]));
    pressed.disabled = false;
    if (!found) return;
    const [{ created, updated, destroyed, hasMoreChanges }] = found;
    const part = (label, ids) => (ids.length ? [h("dt", null, `${label} ${ids.length}`), h("dd", null, ids.slice(0, 40).map((id) => h("code", null, id)), ids.length > 40 ? "…" : null)] : []);
    fill(into, h("dl.changes", null, part("created", created), part("updated", updated), part("destroyed", destroyed)),
      created.length + updated.length + destroyed.length ? null : h("p.faint", null, "Nothing that this user sees."), hasMoreChanges ? h("p.faint", null, "… and more") : null);
  }

  function card({ at, value, since }) {
    const made = h("article.event", { tabIndex: 0, "aria-label": `Change at ${clockTime(at)}` }, h("header", null, icon("push"), h("b", null, clockTime(at)), value.pushState ? h("code.faint", null, value.pushState) : null));
    for (const [accountId, types] of Object.entries(value.changed)) {
      const name = client.session?.accounts[accountId]?.name || accountId;
      const rows = Object.entries(types).map(([type, state]) => {
        const before = since[accountId]?.[type];
        const box = h("div");
        const canAsk = before && app.types.methods[`${type}/changes`];
        return h("div.change", null, h("span.type", null, type), h("span.states", null, h("code", null, before || "?"), " → ", h("code", null, state)),
          canAsk ? button("What changed", (event) => changes(type, accountId, before, box, event.currentTarget), { kind: "quiet small" }) : null, box);
      });
      made.append(h("div.account", null, h("h3", null, name, " ", h("code.faint", null, accountId)), rows));
    }
    return made;
  }

  function draw() {
    about.textContent = events.length ? counted(events.length, "event") : "";
    if (events.length) { body.setAttribute("role", "feed"); body.setAttribute("aria-label", "Push events"); return; }
    body.removeAttribute("role");
    body.removeAttribute("aria-label");
    fill(body, empty("push", "Nothing has changed yet", "As soon as anything changes in an account of this user, it is told here: mark a message, or deliver one under Fixture."));
  }

  client.on("state", (value) => {
    const since = structuredClone(known);
    for (const [accountId, types] of Object.entries(value.changed)) known[accountId] = { ...known[accountId], ...types };
    const one = { at: app.now(), value, since };
    if (!events.length) fill(body);
    events.unshift(one);
    body.prepend(card(one));
    if (events.length > MOST) { events.pop(); body.lastElementChild.remove(); }
    draw();
    if (app.shown !== "push") app.badge("push", ++unseen);
  });

  // What the states are before anything changes, so that the first change can tell since when.
  app.on("user", () => attempt(async () => {
    known = {};
    const types = Object.keys(app.types.types).filter((type) => app.types.methods[`${type}/get`] && !app.types.types[type].userLevel);
    for (const accountId of Object.keys(client.session.accounts)) {
      const owned = client.session.accounts[accountId].accountCapabilities;
      const calls = types.filter((type) => app.types.types[type].capability in owned).map((type) => [`${type}/get`, { accountId, ids: [] }]);
      for (let at = 0; at < calls.length; at += 8) {
        const found = await client.call(...calls.slice(at, at + 8));
        for (const [index, one] of found.entries()) known[accountId] = { ...known[accountId], [calls[at + index][0].split("/")[0]]: one.state };
      }
    }
  }));
  app.on("leaving", () => { events = []; fill(body); draw(); });
  draw();

  return { element, show() { unseen = 0; app.badge("push", 0); }, keys: { x: () => { events = []; fill(body); draw(); } } };
}
