// jmap-jam against the server of SESSION_URL with TOKEN; what it found goes to standard output as JSON.
import { JamClient } from "jmap-jam";

const jam = new JamClient({ sessionUrl: process.env.SESSION_URL, bearerToken: process.env.TOKEN });
const accountId = await jam.getPrimaryAccount();

const [mailboxes] = await jam.api.Mailbox.get({ accountId, ids: null });
const inbox = mailboxes.list.find((mailbox) => mailbox.role === "inbox");

const [{ emails }] = await jam.requestMany((api) => {
  const found = api.Email.query({
    accountId,
    filter: { inMailbox: inbox.id },
    sort: [{ property: "receivedAt", isAscending: false }],
    limit: 5,
  });
  const emails = api.Email.get({
    accountId,
    ids: found.$ref("/ids"),
    properties: ["subject", "receivedAt", "bodyValues", "textBody"],
    fetchTextBodyValues: true,
  });
  return { found, emails };
});

const marked = emails.list[0].id;
await jam.api.Email.set({ accountId, update: { [marked]: { "keywords/$flagged": true } } });
const [after] = await jam.api.Email.get({ accountId, ids: [marked], properties: ["keywords"] });

const octets = new Uint8Array([0, 1, 2, 253, 254, 255]);
const blob = await jam.uploadBlob(accountId, octets);
const download = await jam.downloadBlob({
  accountId,
  blobId: blob.blobId,
  mimeType: "application/x-six-octets",
  fileName: "six octets.bin",
});

const refused = await jam.api.Email.get({ accountId, ids: "all" }).catch((error) => error);

console.log(
  JSON.stringify({
    username: (await jam.session).username,
    roles: mailboxes.list.map((mailbox) => mailbox.role),
    emails: emails.list,
    keywords: after.list[0].keywords,
    uploaded: { size: blob.size, type: blob.type },
    downloaded: [...new Uint8Array(await download.arrayBuffer())],
    downloadedType: download.headers.get("Content-Type"),
    refused: refused.type,
  }),
);
