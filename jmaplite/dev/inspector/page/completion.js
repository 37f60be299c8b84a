// Where in a request the caret is, and which names could stand there, from the descriptions of the types.

// What the text before the caret opens and has not closed: [{list, key, index, method}], and the string under way.
export function contextAt(text, caret) {
  const stack = [];
  let top = null, string = null, wasKey = null;
  for (let at = 0; at < caret; at++) {
    const sign = text[at];
    if (sign === '"') {
      const from = at + 1;
      at += 1;
      while (at < caret && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
      if (at >= caret) { string = { from, text: text.slice(from, caret) }; break; }
      const value = text.slice(from, at);
      if (top && !top.list && top.wantsKey) wasKey = value;
      else if (top) {
        if (top.list && top.index === 0) top.first = value;
        if (!top.list) top.values[top.key] = value;
      }
    } else if (sign === "{" || sign === "[") {
      top = { list: sign === "[", index: 0, key: null, wantsKey: sign === "{", values: {}, keys: [] };
      stack.push(top);
    } else if (sign === "}" || sign === "]") {
      stack.pop();
      top = stack.at(-1) || null;
    } else if (sign === ":" && top && !top.list) {
      top.key = wasKey;
      top.keys.push(wasKey);
      top.wantsKey = false;
    } else if (sign === "," && top) {
      if (top.list) top.index += 1;
      else { top.wantsKey = true; top.key = null; }
    }
  }
  return { stack, top, string };
}

const names = (all, about) => Object.entries(all).map(([name, one]) => ({ name, about: about(one) }));

const REFERENCE = { resultOf: "String", name: "String", path: "String" };
const COMPARATOR = { property: "String", isAscending: "Boolean", collation: "String", keyword: "String" };

// The call that the caret is in: from its array on, [method, arguments, id].
function callOf(stack) {
  if (stack[0].list && typeof stack[0].first === "string" && /^[A-Z]\w*\//.test(stack[0].first)) return { depth: 0, frame: stack[0] };
  for (let depth = 0; depth < stack.length; depth++) {
    const frame = stack[depth], outer = stack[depth - 1];
    if (frame.list && outer && outer.list) return { depth, frame };
  }
  return null;
}

export function suggestions({ stack, top }, types, more) {
  if (!top) return [];
  const call = callOf(stack);
  if (!call) {
    const outer = stack[0];
    if (outer && !outer.list && stack.length === 1 && top.wantsKey) return names({ using: "String[]", methodCalls: "Invocation[]", createdIds: "Id[Id]" }, String);
    if (outer && outer.list && stack.length === 1) return names(types.methods, (one) => one.capability.split(":").at(-1));
    if (outer && !outer.list && outer.key === "using") return types.capabilities.map((name) => ({ name, about: "" }));
    return [];
  }
  const inside = stack.slice(call.depth + 1);
  if (!inside.length) {
    if (call.frame.index !== 0) return [];
    return names(types.methods, (one) => one.capability.split(":").at(-1));
  }
  const method = types.methods[call.frame.first];
  const type = types.types[method?.type];
  const [given, ...deeper] = inside;
  if (!deeper.length && given.wantsKey) {
    const all = names(method?.arguments || {}, (one) => one.kind + (one.required ? ", required" : ""));
    return [...all, ...all.filter(({ name }) => name !== "accountId").map(({ name, about }) => ({ name: `#${name}`, about: `a reference for ${about}` }))]
      .filter(({ name }) => !given.keys.includes(name));
  }
  const argument = given.key;
  if (!argument) return [];
  if (argument === "accountId" || argument === "fromAccountId") return more.accounts();
  if (argument[0] === "#") return top.wantsKey ? names(REFERENCE, String) : top.key === "name" ? names(types.methods, () => "") : [];
  if (!type) return [];
  const properties = () => names(type.properties, (one) => one.kind);
  if (argument === "properties") return properties();
  if (argument === "filter") {
    if (top.wantsKey) return [...names(type.filter, String), ...names({ operator: "AND, OR, NOT", conditions: "Filter[]" }, String)].filter(({ name }) => !top.keys.includes(name));
    if (top.key === "operator") return ["AND", "OR", "NOT"].map((name) => ({ name, about: "" }));
    if (/^(inMailbox|parentId)/.test(top.list ? stack.at(-2)?.key : top.key)) return more.mailboxes();
    return [];
  }
  if (argument === "sort") {
    if (top.wantsKey) return names(COMPARATOR, String);
    return top.key === "property" ? type.sort.map((name) => ({ name, about: "" })) : [];
  }
  if (argument === "create" || argument === "update") {
    if (deeper.length === 2 && top.wantsKey) return properties().filter(({ name }) => argument === "update" || !type.properties[name].serverSet);
    if (deeper[1]?.key === "mailboxIds" || deeper[1]?.key === "parentId") return more.mailboxes();
  }
  return [];
}

// Which capabilities a list of calls needs.
export function usingOf(calls, types) {
  const found = new Set(["urn:ietf:params:jmap:core"]);
  for (const call of Array.isArray(calls) ? calls : []) {
    const method = types.methods[call?.[0]];
    if (method) found.add(method.capability);
  }
  return [...found];
}
