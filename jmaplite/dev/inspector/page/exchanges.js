// The log of exchanges as they are made, and each with its request and response side by side.

import { attempt, button, clockTime, copy, debounce, empty, failure, fill, h, icon, quote, save, size, skeleton } from "./dom.js";
import { json } from "./json.js";

const MOST = 1000, DRAWN = 300;

export const isBad = (one) => one.status === 0 || one.status >= 400 || one.calls.some((call) => call.error);

// A command for a shell. Certificates here are of a CA that no program knows of.
export function curl(url, request, token, verb = "POST") {
  const parts = ["curl", "-sS", ...(url.startsWith("https:") ? ["-k"] : []), quote(url), "-H", quote(`Authorization: Bearer ${token}`)];
  if (request === undefined && verb === "POST") parts.push("-H", quote("Content-Type: application/octet-stream"), "--data-binary", "@FILE");
  else if (request === undefined && verb !== "GET") parts.push("-X", verb);
  if (request !== undefined) parts.push("-H", quote("Content-Type: application/json"), "--data-raw", quote(typeof request === "string" ? request : JSON.stringify(request)));
  return parts.join(" ");
}

const isLost = (one) => one.status === 0 || one.status >= 400;
const told = (one) => (one.status === 0 ? "–" : String(one.status));
const path = (one) => one.url.replace(/^\w+:\/\/[^/]+/, "");

function text(one) {
  return [one.user, one.transport, one.httpMethod, one.url, one.status, ...one.calls.flatMap((call) => [call.method, call.error, call.accountId]),
    ...one.faults, ...one.warnings.map((warning) => warning.rule)].join(" ").toLowerCase();
}

export function exchangesPane(app) {
  let all = [], fresh = [], paused = false, held = 0, chosen = null, unseen = 0, turn = 0;
  const only = { bad: false, warned: false, faulty: false };

  const field = h("input.search", { type: "search", placeholder: "Filter: method, user, error…", "aria-label": "Filter", oninput: debounce(() => draw(), 120) });
  const toggles = Object.entries({ bad: "Errors", warned: "Warnings", faulty: "Faults" }).map(([name, label]) => h("button.toggle", {
    type: "button", "aria-pressed": "false", onclick: (event) => {
      only[name] = !only[name];
      event.currentTarget.setAttribute("aria-pressed", String(only[name]));
      draw();
    },
  }, label));
  const pauseButton = button("Pause", () => pause(), { symbol: "pause", title: "Pause (p)" });
  const about = h("span.total", { role: "status" });
  const body = h("div.lines", { role: "listbox", "aria-label": "Exchanges", tabIndex: -1 });
  const detail = h("section.column.detail", { "aria-label": "Exchange" });
  const live = h("span.live", { title: "Told as it happens" }, h("i"), "live");
  const element = h("section.pane.split", { "data-stack": "list" },
    h("section.column.log", { "aria-label": "Log" },
      h("div.head", null, h("h2", null, "Exchanges"), live, about, h("span.gap"), pauseButton,
        button("Clear", () => clear(), { symbol: "trash", title: "Clear (x)" }),
        button("HAR", () => attempt(async () => save("exchanges.har", JSON.stringify(await app.control("GET", "/exchanges.har?limit=2000"), null, 1), "application/json")), { symbol: "download", title: "Export as an HTTP Archive" })),
      h("div.tools", null, h("div.field", null, icon("search"), field), h("div.toggles", null, toggles)),
      h("div.columns", { "aria-hidden": "true" }, ["time", "calls", "user", "status", "ms", "size"].map((one) => h(`span.${one}`, null, one))), body),
    detail);

  function fits(one) {
    if (only.bad && !isBad(one)) return false;
    if (only.warned && !one.warnings.length) return false;
    if (only.faulty && !one.faults.length) return false;
    const wanted = field.value.trim().toLowerCase();
    return !wanted || wanted.split(/\s+/).every((word) => text(one).includes(word));
  }

  function line(one) {
    const calls = one.calls.length
      ? one.calls.map((call) => h("span.call", { class: call.error ? "bad" : "", title: call.error || null }, call.method))
      : [h("span.path", { title: one.url }, `${one.transport === "http" ? one.httpMethod : one.transport} ${path(one)}`)];
    return h("div.line", {
      role: "option", tabIndex: -1, "data-id": String(one.id), "aria-selected": String(chosen === one.id), class: `${chosen === one.id ? "on" : ""} ${isBad(one) ? "bad" : ""}`,
      onclick: () => open(one), onkeydown: (event) => {
        const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (by) step(by);
        else if (event.key === "Enter" || event.key === " ") open(one);
        else return;
        event.preventDefault();
      },
    },
    h("span.time", null, clockTime(one.began)), h("span.calls", null, calls,
      one.warnings.length ? h("span.mark.warn", { title: one.warnings.map((warning) => warning.rule).join(", ") }, `${one.warnings.length} warning${one.warnings.length > 1 ? "s" : ""}`) : null,
      one.faults.length ? h("span.mark.fault", { title: one.faults.join(", ") }, icon("bolt"), one.faults.join(" ")) : null),
    h("span.user", { title: one.user }, one.user.split("@")[0] || "–"),
    h("span.status", { class: isLost(one) ? "bad" : "" }, one.transport === "websocket" && one.status === 200 ? "ws" : told(one)),
    h("span.ms", null, one.milliseconds.toFixed(one.milliseconds < 10 ? 1 : 0)), h("span.size", null, size(one.responseOctets)));
  }

  let seen = [];
  function draw() {
    seen = all.filter(fits);
    const latest = seen.slice(-DRAWN).reverse();
    about.textContent = `${seen.length}${seen.length === all.length ? "" : ` of ${all.length}`}${held ? ` · ${held} waiting` : ""}`;
    if (!latest.length) {
      fill(body, all.length ? empty("search", "Nothing like that", "No exchange fits the filter.")
        : empty("log", "No exchanges yet", "What clients ask shows up here as it happens; what this page itself asks does not, but for the console."));
      return;
    }
    const focused = body.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    fill(body, latest.map(line), seen.length > DRAWN ? h("p.faint.pad", null, `The newest ${DRAWN}; the filter finds earlier ones.`) : null);
    const stop = body.querySelector(`[data-id="${focused || chosen || latest[0].id}"]`) || body.firstElementChild;
    stop.tabIndex = 0;
    if (focused) stop.focus({ preventScroll: true });
  }
  const drawSoon = debounce(() => { if (app.shown === "exchanges") draw(); }, 60);

  function step(by) {
    const shown = seen.slice(-DRAWN).reverse();
    const at = shown.findIndex((one) => one.id === chosen);
    const next = shown[Math.max(0, Math.min(shown.length - 1, at + by))];
    if (next) { open(next, false); body.querySelector(`[data-id="${next.id}"]`)?.focus(); }
  }

  async function open(one, move = true) {
    const mine = ++turn;
    chosen = one.id;
    draw();
    if (move) element.dataset.stack = "detail";
    fill(detail, skeleton(8));
    try {
      const found = await app.control("GET", `/exchanges/${one.id}`);
      if (mine === turn) show(found);
    } catch (error) {
      if (mine === turn) fill(detail, failure(error, () => open(one)));
    }
  }

  async function asCurl(one) {
    const { token } = await app.control("POST", "/login", { user: one.user || app.client.user });
    const request = one.request === "" ? undefined : one.request;
    const url = one.transport === "websocket" ? `${location.origin}/jmap/` : new URL(one.url || "/jmap/", location.origin).href;
    if (request && request["@type"]) { delete request["@type"]; delete request.id; }
    await copy(curl(url, request, token, one.httpMethod), "Copied as curl");
  }

  function show(one) {
    const calls = h("table.calls-table", null, h("thead", null, h("tr", null, ["Method", "ms", "Old state", "New state", "Error"].map((label) => h("th", { scope: "col" }, label)))),
      h("tbody", null, one.calls.map((call) => h("tr", null, h("td", null, h("code", null, call.method)), h("td.number", null, call.milliseconds.toFixed(2)),
        h("td", null, h("code", null, call.oldState || "–")), h("td", null, h("code", null, call.newState || "–")), h("td", null, call.error ? h("span.tag.bad", null, call.error) : "–")))));
    const side = (label, value, octets) => h("section.side", { "aria-label": label }, h("header", null, h("h3", null, label), h("span.faint", null, size(octets)), h("span.gap"),
      button("", () => copy(typeof value === "string" ? value : JSON.stringify(value, null, 2)), { symbol: "copy", kind: "quiet", title: `Copy the ${label.toLowerCase()}` })),
    value === "" ? h("p.faint.pad", null, "Not kept, or empty.") : json(value, `${label} as JSON`));
    fill(detail, h("div.head", null, button("", () => { element.dataset.stack = "list"; }, { symbol: "back", kind: "quiet stacked", title: "Back to the list" }),
      h("h2", null, `#${one.id}`), h("span.faint", null, `${one.transport} · ${one.user || "nobody"} · ${clockTime(one.began)} · ${one.milliseconds.toFixed(2)} ms`),
      one.calls.length ? null : h("code.where", null, `${one.httpMethod} ${path(one)}`), h("span.gap"),
      h("span.tag", { class: isLost(one) ? "bad" : "good" }, one.status === 0 ? "no answer" : told(one)),
      one.transport === "push" ? null : button("curl", () => attempt(() => asCurl(structuredClone(one))), { symbol: "copy", title: "Copy as curl" }),
      one.calls.length ? button("Console", () => app.emit("edit", { methodCalls: one.request.methodCalls, using: one.request.using }), { symbol: "console", title: "Edit and send again" }) : null),
    one.warnings.map((warning) => h("p.notice.warn", null, icon("junk"), h("span", null, h("b", null, warning.rule), ` ${warning.text} `, h("span.faint", null, warning.section)))),
    one.faults.length ? h("p.notice.bad", null, icon("bolt"), h("span", null, "Fault ", h("b", null, one.faults.join(", ")), " has fired.")) : null,
    one.calls.length ? h("div.wide", null, calls) : null,
    h("div.sides", null, side("Request", one.request, one.requestOctets), side("Response", one.response, one.responseOctets)));
  }

  function pause() {
    paused = !paused;
    fill(pauseButton, icon(paused ? "play" : "pause"), h("span", null, paused ? "Resume" : "Pause"));
    live.classList.toggle("off", paused);
    if (!paused) load();
  }

  async function clear() {
    if (await attempt(() => app.control("DELETE", "/exchanges"), "Cleared") === undefined) return;
    all = [];
    nothing();
    draw();
  }

  function nothing() {
    chosen = null;
    turn += 1;
    fill(detail, empty("log", "No exchange chosen", "Choose one to see its calls, states, warnings, request and response."));
  }

  async function load() {
    held = 0;
    fresh = [];
    const found = (await app.control("GET", `/exchanges?limit=${MOST}`)).exchanges;
    const known = new Set(found.map((one) => one.id));
    all = [...found, ...fresh.filter((one) => !known.has(one.id))];
    draw();
  }

  // A browser has few connections to a host: pages that nobody looks at let go of theirs.
  let source = null;
  function listen() {
    if (source || document.hidden) return;
    source = new EventSource("/dev/api/exchanges/stream");
    source.onopen = () => { live.classList.remove("lost"); live.lastChild.textContent = "live"; if (!paused) attempt(load); };
    source.onerror = () => { live.classList.add("lost"); live.lastChild.textContent = "not connected"; };
    source.addEventListener("exchange", (event) => heard(JSON.parse(event.data)));
  }
  function leave() {
    source?.close();
    source = null;
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : listen()));
  addEventListener("pagehide", leave);
  addEventListener("pageshow", listen);
  listen();

  function heard(one) {
    if (app.shown !== "exchanges") app.badge("exchanges", ++unseen);
    if (paused) {
      held += 1;
      about.textContent = `${seen.length} · ${held} waiting`;
      return;
    }
    all.push(one);
    fresh.push(one);
    if (fresh.length > MOST) fresh.shift();
    if (all.length > MOST) all.shift();
    drawSoon();
  }
  app.on("reset", () => { all = []; nothing(); draw(); });
  nothing();
  draw();

  return {
    element,
    show() { unseen = 0; app.badge("exchanges", 0); draw(); },
    keys: {
      "/": () => field.focus(), p: pause, x: clear, j: () => step(1), k: () => step(-1),
      Escape: () => { element.dataset.stack = "list"; },
    },
  };
}
