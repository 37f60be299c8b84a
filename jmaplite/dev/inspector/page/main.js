// The frame of the page: who is looked at, which pane, shortcuts, theme.

import { attempt, button, clockTime, dialog, failure, fill, h, icon, said, skeleton, toast } from "./dom.js";
import { Bus, Client, control } from "./client.js";
import { mailPane } from "./mail.js";
import { exchangesPane } from "./exchanges.js";
import { consolePane } from "./console.js";
import { pushPane } from "./push.js";
import { fixturePane } from "./fixture.js";

const PANES = [
  ["mail", "Mail", "mail", mailPane],
  ["exchanges", "Exchanges", "log", exchangesPane],
  ["console", "Console", "console", consolePane],
  ["push", "Push", "push", pushPane],
  ["fixture", "Fixture", "tools", fixturePane],
];

const KEYS = [
  ["1 – 5", "go to a pane"], ["/", "search or filter"], ["t", "light, dark, or as the system has it"], ["?", "this sheet"],
  ["Esc", "back, or close"], ["j  k", "next, previous in a list"], ["Enter", "open"],
  ["u", "read or unread"], ["f", "flag"], ["m", "move"], ["#", "delete"], ["h", "headers"], ["r", "raw message"],
  ["p", "pause the exchanges"], ["x", "clear them"],
  ["Ctrl Enter", "send from the console"], ["Ctrl Space", "complete a name"], ["Alt ↑  Alt ↓", "earlier, later request"],
];

const app = new Bus();
app.client = new Client();
app.control = control;
app.overview = null;
app.types = { methods: {}, types: {}, capabilities: [] };
app.accountId = "";
app.panes = {};

const stored = {
  get(name) { try { return localStorage.getItem(`jmaplite.${name}`); } catch { return null; } },
  set(name, value) { try { localStorage.setItem(`jmaplite.${name}`, value); } catch { /* it is only comfort */ } },
};
app.stored = stored;

const THEMES = ["auto", "light", "dark"];
function theme(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  stored.set("theme", name);
  const dark = name === "dark" || (name === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  fill(themeButton, icon(dark ? "moon" : "sun"));
  themeButton.title = `Theme: ${name === "auto" ? "as the system" : name} (t)`;
  themeButton.setAttribute("aria-label", themeButton.title);
}
const nextTheme = () => theme(THEMES[(THEMES.indexOf(stored.get("theme") || "auto") + 1) % THEMES.length]);
const themeButton = button("", nextTheme, { symbol: "sun", kind: "quiet", title: "Theme" });

const userSelect = h("select.user", { "aria-label": "User", onchange: () => become(userSelect.value) });
const status = h("span.status", { role: "status" });
const clockChip = h("button.chip", { type: "button", onclick: () => go("fixture", "clock") });
const faultChip = h("button.chip.bad", { type: "button", hidden: true, onclick: () => go("fixture", "faults") });
const tabs = h("nav.tabs", { "aria-label": "Panes" });
const stage = h("main.stage", { id: "stage" });

function frame() {
  const links = PANES.map(([name, label, symbol], index) => h("a.tab", {
    href: `#${name}`, id: `tab-${name}`, title: `${label} (${index + 1})`,
  }, icon(symbol), h("span.label", null, label), h("span.badge", { hidden: true })));
  fill(tabs, links);
  fill(document.getElementById("app"),
    h("a.skip", { href: "#stage", onclick: (event) => { event.preventDefault(); stage.tabIndex = -1; stage.focus(); } }, "Skip to the pane"),
    h("header.bar", null,
      h("div.brand", null, h("img", { src: "icon.svg", alt: "", width: "20", height: "20" }), h("b", null, "jmaplite"), h("span", null, "inspector")),
      h("label.who", null, h("span.offstage", null, "User"), userSelect), status, h("span.gap"),
      faultChip, clockChip, themeButton,
      button("?", help, { kind: "quiet", title: "Keyboard shortcuts (?)" })),
    tabs, stage);
}

export function badge(name, count) {
  const found = document.querySelector(`#tab-${name} .badge`);
  if (!found) return;
  found.hidden = !count;
  found.textContent = count > 99 ? "99+" : String(count);
}
app.badge = badge;

function help() {
  dialog("Keyboard shortcuts", h("dl.keys", null, KEYS.map(([keys, text]) => [
    h("dt", null, keys.split("  ").map((one) => h("kbd", null, one))), h("dd", null, text),
  ])));
}

function go(name, ...more) {
  if (location.hash !== `#${name}`) history.pushState(null, "", `#${name}`);
  show(...more);
}
app.go = go;

let shown = "";
function show(...more) {
  const wanted = location.hash.slice(1).split("/")[0];
  const name = PANES.some(([one]) => one === wanted) ? wanted : "mail";
  for (const link of tabs.children) {
    const isIt = link.id === `tab-${name}`;
    link.classList.toggle("on", isIt);
    if (isIt) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${PANES.find(([one]) => one === name)[1]} · jmaplite inspector`;
  for (const [one, pane] of Object.entries(app.panes)) pane.element.hidden = one !== name;
  if (shown !== name) {
    shown = name;
    app.shown = name;
    app.emit("shown", name);
  }
  app.panes[name].show?.(...more);
}

// Everything that the control API says of the fixture, for the bar and the pane of the fixture.
app.look = async () => {
  const [overview, faults] = await Promise.all([control("GET", "/"), control("GET", "/faults")]);
  app.overview = overview;
  app.faults = faults.faults;
  app.clockAt = performance.now();
  const people = overview.users.filter((one) => one.kind !== "group");
  const names = people.map((one) => one.name);
  if (names.join(" ") !== [...userSelect.options].map((one) => one.value).join(" ")) {
    fill(userSelect, names.map((name) => h("option", { value: name }, name)));
    userSelect.value = app.client.user;
  }
  const active = app.faults.filter((one) => one.left !== 0).length;
  faultChip.hidden = !active;
  faultChip.setAttribute("aria-label", `Faults in force: ${active}`);
  fill(faultChip, icon("bolt"), h("span", null, String(active), h("span.word", null, active === 1 ? " fault" : " faults")));
  tick();
  app.emit("overview", overview);
  return overview;
};

app.now = () => {
  const clock = app.overview?.clock;
  if (!clock) return Date.now() / 1000;
  return clock.seconds + (clock.frozen ? 0 : (performance.now() - app.clockAt) / 1000);
};

function tick() {
  const clock = app.overview?.clock;
  if (!clock) return;
  const away = Math.abs(app.now() - Date.now() / 1000) > 2;
  clockChip.classList.toggle("warn", clock.frozen || away);
  const now = app.now();
  const day = away ? `${new Date(now * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" })} ` : "";
  fill(clockChip, icon("clock"), h("span", null, `${day}${clockTime(now)}${clock.frozen ? " frozen" : ""}`));
  clockChip.setAttribute("aria-label", `Clock of the server: ${clockTime(now)}${clock.frozen ? ", frozen" : ""}`);
}

async function become(user) {
  stored.set("user", user);
  userSelect.value = user;
  app.emit("leaving");
  try {
    await app.client.logIn(user);
  } catch (error) {
    toast(said(error), "bad");
    return;
  }
  app.types = await control("GET", "/types");
  app.accountId = app.client.session.primaryAccounts["urn:ietf:params:jmap:mail"] || Object.keys(app.client.session.accounts)[0] || "";
  app.emit("user", user);
}
app.become = become;

const STATUS = { open: "connected", connecting: "connecting…", lost: "reconnecting…", off: "not connected" };
app.client.on("status", (now) => {
  status.className = `status ${now}`;
  fill(status, h("i"), h("span", null, STATUS[now]));
});

function isTyping(target) {
  return target.matches?.("input, textarea, select, [contenteditable]");
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const pane = app.panes[shown];
  if (event.key === "Escape") {
    if (isTyping(event.target)) event.target.blur();
    else pane?.keys?.Escape?.();
    return;
  }
  if (isTyping(event.target)) return;
  const number = "12345".indexOf(event.key);
  const own = pane?.keys?.[event.key];
  if (event.key === "?") help();
  else if (event.key === "t") nextTheme();
  else if (number >= 0) {
    go(PANES[number][0]);
    document.getElementById(`tab-${PANES[number][0]}`).focus();
  } else if (own) own(event);
  else return;
  event.preventDefault();
});

async function begin() {
  frame();
  theme(stored.get("theme") || "auto");
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme(stored.get("theme") || "auto"));
  fill(stage, skeleton(6));
  try {
    const overview = await app.look();
    fill(stage);
    for (const [name, label, , make] of PANES) {
      const pane = make(app);
      pane.element.hidden = true;
      pane.element.setAttribute("aria-label", label);
      app.panes[name] = pane;
      stage.append(pane.element);
    }
    addEventListener("hashchange", () => show());
    addEventListener("popstate", () => show());
    show();
    const people = overview.users.filter((one) => one.kind !== "group").map((one) => one.name);
    const last = stored.get("user");
    if (people.length) await become(people.includes(last) ? last : people[0]);
    else toast("There is no user yet: make one under Fixture.");
  } catch (error) {
    fill(stage, failure(error, () => location.reload()));
    return;
  }
  setInterval(tick, 1000);
  setInterval(() => { if (!document.hidden) app.look().catch(() => {}); }, 5000);
  document.documentElement.dataset.ready = "yes";
}

window.inspector = app;
attempt(begin);
