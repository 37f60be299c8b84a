// What the page asks: JMAP over a WebSocket (RFC 8887) or HTTP, and the control API of the fixture.

export const MAIL = "urn:ietf:params:jmap:mail";

export class Bus extends EventTarget {
  on(name, heard) { this.addEventListener(name, (event) => heard(event.detail)); }
  emit(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }
}

export class JMAPError extends Error {
  constructor(details, method = "") {
    const type = String(details.type || "error").replace("urn:ietf:params:jmap:error:", "");
    super(`${method ? `${method}: ` : ""}${type}${details.description || details.detail ? `: ${details.description || details.detail}` : ""}`);
    this.details = details;
  }
}

async function answered(response) {
  const text = await response.text();
  let value = text;
  try { value = text ? JSON.parse(text) : null; } catch { /* it is text */ }
  if (!response.ok) throw new Error((value && (value.detail || value.title)) || `HTTP ${response.status}`);
  return value;
}

export async function control(method, path, body) {
  let response;
  try {
    response = await fetch(`/dev/api${path}`, {
      method, headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch { throw new Error("The server does not answer."); }
  return answered(response);
}

// URLs of the session are for its clients; the page reaches the server at the origin that it came from.
function here(text) {
  const url = new URL(text, location.href);
  return location.origin + url.pathname + url.search;
}

export class Client extends Bus {
  constructor() {
    super();
    this.user = "";
    this.token = "";
    this.session = null;
    this.socket = null;
    this.status = "off";
    this.serial = 0;
    this.waiting = new Map();
    this.pushState = null;
    this.wanted = 0;
  }

  headers(more = {}) { return { Authorization: `Bearer ${this.token}`, ...more }; }

  async logIn(user) {
    const attempt = ++this.wanted;
    this.drop();
    this.pushState = null;
    this.user = user;
    const { token } = await control("POST", "/login", { user });
    if (attempt !== this.wanted) return;
    this.token = token;
    await this.refresh();
    await this.connect(attempt);
  }

  async refresh() {
    this.session = await answered(await fetch("/.well-known/jmap", { headers: this.headers() }));
    this.emit("session", this.session);
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    if (socket) socket.close();
    this.fail(new Error("The connection was closed."));
  }

  fail(error) {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }

  tell(status) {
    this.status = status;
    this.emit("status", status);
  }

  async connect(attempt) {
    this.tell("connecting");
    const { ticket } = await answered(await fetch("/jmap/ticket/", { method: "POST", headers: this.headers() }));
    if (attempt !== this.wanted) return;
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/jmap/ws/?ticket=${encodeURIComponent(ticket)}`, "jmap");
    this.socket = socket;
    socket.onmessage = (event) => { if (socket === this.socket) this.heard(event.data); };
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onclose = () => reject(new Error("The WebSocket could not be opened."));
    });
    socket.onclose = () => { if (socket === this.socket) this.lost(attempt); };
    this.tell("open");
    const enable = { "@type": "WebSocketPushEnable", dataTypes: null };
    if (this.pushState) enable.pushState = this.pushState;
    socket.send(JSON.stringify(enable));
  }

  lost(attempt, wait = 500) {
    this.socket = null;
    this.fail(new Error("The connection was lost."));
    this.tell("lost");
    setTimeout(async () => {
      if (attempt !== this.wanted) return;
      try {
        await this.connect(attempt);
      } catch {
        // The token may be of a server that is no more.
        try {
          this.token = (await control("POST", "/login", { user: this.user })).token;
        } catch { /* it is down */ }
        this.lost(attempt, Math.min(wait * 2, 8000));
      }
    }, wait);
  }

  heard(text) {
    let value;
    try { value = JSON.parse(text); } catch {
      this.emit("garbled", text);
      return;
    }
    if (value["@type"] === "StateChange") {
      this.pushState = value.pushState || this.pushState;
      this.emit("state", value);
      return;
    }
    const waiter = this.waiting.get(value.requestId);
    this.waiting.delete(value.requestId);
    if (waiter) waiter.resolve(value);
  }

  // A whole request, as the console has it: answers the document that came back, whatever it is.
  async send(request, { console = false } = {}) {
    const socket = this.socket;
    if (!socket || socket.readyState !== 1) throw new Error("There is no connection at the moment.");
    const id = `${console ? "console" : "page"}-${++this.serial}`;
    return new Promise((resolve, reject) => {
      const garbled = (event) => { if (console && this.waiting.delete(id)) resolve({ garbled: event.detail }); };
      this.waiting.set(id, { resolve, reject });
      if (console) this.addEventListener("garbled", garbled, { once: true });
      socket.send(JSON.stringify({ "@type": "Request", id, ...request }));
    });
  }

  async post(request) {
    const response = await fetch(here(this.session.apiUrl), {
      method: "POST", headers: this.headers({ "Content-Type": "application/json" }), body: JSON.stringify(request),
    });
    const text = await response.text();
    try { return { status: response.status, value: JSON.parse(text) }; } catch { return { status: response.status, value: text }; }
  }

  // Method calls of the page itself: answers the arguments of each response, in order. Raises JMAPError.
  async call(...calls) {
    const methodCalls = calls.map(([name, given], index) => [name, given, String(index)]);
    const using = Object.keys(this.session.capabilities);
    const answer = await this.send({ using, methodCalls });
    if (answer["@type"] === "RequestError") throw new JMAPError(answer);
    const found = [];
    for (const [name, given, at] of answer.methodResponses) {
      if (name === "error") throw new JMAPError(given, calls[Number(at)][0]);
      if (found[Number(at)] === undefined) found[Number(at)] = given;
    }
    return found;
  }

  async download(accountId, blobId, name = "blob", type = "application/octet-stream") {
    const url = this.session.downloadUrl.replace("{accountId}", encodeURIComponent(accountId))
      .replace("{blobId}", encodeURIComponent(blobId)).replace("{name}", encodeURIComponent(name).replaceAll(".", "%2E"))
      .replace("{type}", encodeURIComponent(type));
    const response = await fetch(here(url), { headers: this.headers() });
    if (!response.ok) throw new Error(`The download was refused: HTTP ${response.status}`);
    return response.arrayBuffer();
  }
}
