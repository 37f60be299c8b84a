// Elements, and nothing else: whatever comes from a server becomes a text node or an attribute, never markup.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  mail: "M3 6h18v13H3zM3 7l9 7 9-7",
  log: "M4 6h16M4 12h10M4 18h13M18.5 10.5l2.5 2-2.5 2",
  console: "M4 5h16v14H4zM7.5 9.5l3 2.5-3 2.5M12.5 15H16",
  push: "M12 4a5 5 0 0 1 5 5c0 5 2 6 2 7H5c0-1 2-2 2-7a5 5 0 0 1 5-5zM10 19.5h4",
  tools: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5",
  inbox: "M4 13 6.5 5h11L20 13v6H4zM4 13h5l1.5 3h3L15 13h5",
  sent: "M4 12 20 5l-5 15-3.5-6zM11.500 14 20 5",
  drafts: "M5 19l1-4L16.500 4.500l3 3L9 18zM14 7l3 3",
  trash: "M5 7h14M9 7V4.500h6V7M7 7l1 13h8l1-13",
  junk: "M12 3.500 20.500 19h-17zM12 9.500v4.500M12 16.500v.5",
  archive: "M4 5h16v4H4zM5.500 9v10h13V9M10 12.500h4",
  folder: "M3.500 6h6l2 2.500h9V19h-17z",
  all: "M4 7h16M4 12h16M4 17h16",
  flag: "M6 20V4.500h11l-2.500 4L17 12.500H6",
  clip: "M18 10.500l-7 7a3.500 3.500 0 0 1-5-5l8-8a2.400 2.400 0 0 1 3.500 3.500l-7.500 7.500a1 1 0 0 1-1.500-1.500l6.500-6.500",
  back: "M14.500 5 8 12l6.500 7",
  close: "M6 6l12 12M18 6 6 18",
  search: "M10.500 4.500a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15 15l5 5",
  pause: "M8 5.500v13M16 5.500v13",
  play: "M7.500 5v14l11-7z",
  copy: "M9 9h11v11H9zM5.500 15H4V4h11v1.500",
  download: "M12 4v11M7.500 11l4.500 4.500L16.500 11M5 20h14",
  moon: "M19.500 14.500A8 8 0 0 1 9.500 4.500a8 8 0 1 0 10 10z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M18.700 5.300l-1.400 1.400M6.700 17.300l-1.400 1.400",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 7.500V12l3 2",
  bolt: "M13 3 5.500 13.500H11L10 21l7.500-10.500H12z",
  unread: "M3.500 7h11M3.500 7v12h17v-7M3.500 8l8.500 6 4-2.800M19 4.500a2 2 0 1 0 .01 0",
  move: "M4 6h6l2 2.500h8V19H4zM9 13.500h6M12.500 11l2.500 2.500-2.500 2.500",
  threads: "M5 6h10v7H9l-4 3.500zM15 9.500h4V18l-3-2h-6v-3",
  reload: "M19 12a7 7 0 1 1-2-5l2 2M19 4.500V9h-4.500",
};

export function h(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className += (element.className ? " " : "") + value;
    else if (key in element && typeof value !== "string" && key !== "list") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

export function icon(name, kind = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon ${kind}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name] || ICONS.folder);
  svg.append(path);
  return svg;
}

export function button(label, onclick, { kind = "", symbol = null, title = null, ...rest } = {}) {
  const shown = symbol ? [icon(symbol), label ? h("span", null, label) : null] : [label];
  return h("button", { type: "button", class: `button ${kind}`, onclick, title, "aria-label": label ? null : title, ...rest }, shown);
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

export function empty(symbol, title, text, ...more) {
  return h("div.empty", null, icon(symbol), h("h3", null, title), text ? h("p", null, text) : null, ...more);
}

export function failure(error, again) {
  return h("div.empty.failed", { role: "alert" }, icon("junk"), h("h3", null, "That did not work"), h("p", null, said(error)),
    again ? button("Try again", again, { symbol: "reload" }) : null);
}

export function skeleton(count, kind = "line") {
  return h("div.skeleton", { "aria-label": "Loading" }, Array.from({ length: count }, () => h(`div.bone.${kind}`)));
}

export const said = (error) => (error instanceof Error ? error.message : String(error));

// Messages that come and go at the edge of the page.
const toasts = h("div.toasts", { role: "status", "aria-live": "polite" });
export function toast(text, kind = "") {
  if (!toasts.isConnected) document.body.append(toasts);
  const one = h("div.toast", { class: kind }, text);
  toasts.append(one);
  while (toasts.childElementCount > 4) toasts.firstChild.remove();
  setTimeout(() => one.remove(), kind === "bad" ? 8000 : 3500);
}

export async function attempt(work, done) {
  try {
    const found = await work();
    if (done) toast(done);
    return found;
  } catch (error) {
    toast(said(error), "bad");
    return undefined;
  }
}

export async function copy(text, what = "Copied") {
  try {
    await navigator.clipboard.writeText(text);
    toast(what);
  } catch {
    const area = h("textarea.offstage", { readonly: true, "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    toast(done ? what : "The browser does not let the page copy.", done ? "" : "bad");
  }
}

export function save(name, octets, type) {
  const url = URL.createObjectURL(new Blob([octets], { type }));
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

export function dialog(title, ...children) {
  const made = h("dialog.dialog", { "aria-label": title },
    h("header", null, h("h2", null, title), button("", () => made.close(), { symbol: "close", title: "Close", kind: "quiet" })),
    h("div.body", null, ...children));
  made.addEventListener("close", () => made.remove());
  made.addEventListener("click", (event) => { if (event.target === made) made.close(); });
  document.body.append(made);
  made.showModal();
  return made;
}

// Up and down in what has the role of a list of options or tabs: one tab stop, arrows within.
export function roving(container, selector) {
  container.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step && event.key !== "Home" && event.key !== "End") return;
    const all = [...container.querySelectorAll(selector)];
    if (!all.length || !all.includes(document.activeElement)) return;
    const at = all.indexOf(document.activeElement);
    const next = event.key === "Home" ? 0 : event.key === "End" ? all.length - 1 : Math.min(all.length - 1, Math.max(0, at + step));
    event.preventDefault();
    all.forEach((one, index) => { one.tabIndex = index === next ? 0 : -1; });
    all[next].focus();
  });
}

export function debounce(work, milliseconds) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), milliseconds);
  };
}

const pad = (number) => String(number).padStart(2, "0");
export function clockTime(seconds) {
  const date = new Date(seconds * 1000);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

export function when(text, now = Date.now()) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return "";
  const today = new Date(now);
  if (date.toDateString() === today.toDateString()) return `${pad(date.getHours())}:${pad(date.getMinutes())}`;
  const options = date.getFullYear() === today.getFullYear() ? { day: "numeric", month: "short" } : { day: "numeric", month: "short", year: "numeric" };
  return date.toLocaleDateString("en-GB", options);
}

export function fullTime(text) {
  const date = new Date(text);
  return date.toLocaleString("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

export function size(octets) {
  if (octets < 1000) return `${octets} B`;
  if (octets < 1e6) return `${(octets / 1000).toFixed(octets < 1e4 ? 1 : 0)} kB`;
  return `${(octets / 1e6).toFixed(1)} MB`;
}

export const counted = (number, one, many = `${one}s`) => `${number.toLocaleString("en-GB")} ${number === 1 ? one : many}`;

export const quote = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;
