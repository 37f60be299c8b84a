// jmap-client-ts against the server of SESSION_URL with TOKEN; what it found goes to standard output as JSON.
// It has no upload and no download of its own.
import { Client } from "jmap-client-ts";
import { FetchTransport } from "jmap-client-ts/lib/utils/fetch-transport.js";

const types = [];
const noting = (url, init) => {
  if (init.method === "POST") types.push(new Request(url, init).headers.get("Content-Type"));
  return fetch(url, init);
};
const client = new Client({
  sessionUrl: process.env.SESSION_URL,
  accessToken: process.env.TOKEN,
  transport: new FetchTransport(noting),
});
await client.fetchSession();
const accountId = client.getSession().primaryAccounts["urn:ietf:params:jmap:mail"];

const mailboxes = await client.mailbox_get({ accountId, ids: null });
const inbox = mailboxes.list.find((mailbox) => mailbox.role === "inbox");
const drafts = mailboxes.list.find((mailbox) => mailbox.role === "drafts");

const found = await client.email_query({
  accountId,
  filter: { inMailbox: inbox.id },
  sort: [{ property: "receivedAt", isAscending: false }],
  limit: 5,
});
const emails = await client.email_get({
  accountId,
  ids: found.ids,
  properties: ["subject", "receivedAt", "bodyValues", "textBody"],
  fetchTextBodyValues: true,
});

const marked = emails.list[0].id;
await client.email_set({ accountId, update: { [marked]: { "keywords/$flagged": true } } });
const after = await client.email_get({ accountId, ids: [marked], properties: ["keywords"] });

const before = after.state;
const set = await client.email_set({
  accountId,
  create: {
    draft: {
      mailboxIds: { [drafts.id]: true },
      keywords: { $draft: true },
      subject: "Written by jmap-client-ts",
      bodyValues: { text: { value: "Hello" } },
      textBody: [{ partId: "text", type: "text/plain" }],
    },
  },
});
const changes = await client.email_changes({ accountId, sinceState: before });

console.log(
  JSON.stringify({
    username: client.getSession().username,
    types: [...new Set(types)],
    roles: mailboxes.list.map((mailbox) => mailbox.role),
    emails: emails.list,
    keywords: after.list[0].keywords,
    draft: set.created.draft.id,
    created: changes.created,
  }),
);
