"""Names that Stalwart's documents have and this server does not honour, each with the reason.

What is beneath a name is refused with it, as far as no option is declared there.
"""

from __future__ import annotations

_ACME = "certificates are not fetched: name the files that an ACME client such as certbot writes"
_PURGE = "needs no time: what has expired is cleared away all the while"
_STORES = "everything is kept in one place: [store] path says where"
_TOKENS = "there is no OAuth server here: clients log in with a password or a bearer token"
_SEARCH = "search treats all languages alike: words are not reduced to stems"
_AT_REST = "messages are not encrypted at rest: encrypt the disk"
_NOT_MAIL = "is for a mail transfer agent, which stands in front of this server"
_LOG = "is not known here: [log] says what is logged"
_LINGER = "would hold up everybody else: what is under way when the server stops is let end"
_MANAGED = "everything that is set stands in this file"
_TLS_RESOLVED = "is the other way round here: tls.sni of a listener names a certificate for a subject"

REFUSED: dict[str, str] = {
    "acme": _ACME,
    "server.listener.<id>.tls.acme": _ACME,
    "server.tls.acme": _ACME,
    "certificate.<id>.subjects": _TLS_RESOLVED,
    "server.tls.sni": "belongs to a listener: server.listener.NAME.tls.sni",
    "server.listener.<id>.greeting": "is not said by any protocol here but as the standard wants it",
    "server.listener.<id>.hostname": "is the same for all listeners: server.hostname",
    "server.listener.<id>.socket.linger": _LINGER,
    "server.socket.linger": _LINGER,
    "server.listener.<id>.tls.disable-ciphers": "is the other way round here: tls.ciphers says which may be used",
    "server.tls.disable-ciphers": "is the other way round here: tls.ciphers says which may be used",
    "server.http.url": "is an expression in Stalwart: write scheme, host and port as server.url",
    "server.http.allowed-endpoint": "is not needed: each listener serves its own protocol and nothing else",
    "server.run-as": "is for the service manager: see User= in what `jmaplite print-unit` writes",
    "server.allowed-ip": "is for a firewall",
    "server.blocked-ip": "is for a firewall",
    "server.fail2ban": "is not there: jmap.rate-limit.authentication slows down whoever guesses",
    "http.url": "is an expression in Stalwart: write scheme, host and port as server.url",
    "http.allowed-endpoint": "is not needed: each listener serves its own protocol and nothing else",
    "jmap.account.purge": _PURGE,
    "jmap.session.purge": _PURGE,
    "jmap.purge": _PURGE,
    "jmap.fts": _SEARCH,
    "jmap.sieve": "is [sieve.untrusted] here, as in later versions",
    "jmap.principal.allow-lookups": "is not there: Principals (RFC 9670) are not served",
    "jmap.protocol.calendar": "is not there: calendars are not served",
    "jmap.folders.shared": "is a folder of IMAP: to a client of JMAP, what is shared is an account beside its own",
    "jmap.email.encryption": _AT_REST,
    "storage.data": _STORES,
    "storage.blob": _STORES,
    "storage.fts": f"{_STORES}, and {_SEARCH}",
    "storage.full-text": _SEARCH,
    "storage.lookup": _STORES,
    "storage.encryption": _AT_REST,
    "storage.cluster": "is not needed: processes share a store",
    "store.<id>.disable": "is not there: a directory may be switched off",
    "store.<id>.purge": _PURGE,
    "store.<id>.pool.workers": "is not needed: pool.max-connections is how many questions are asked at once",
    "oauth": _TOKENS,
    "authentication": "there is no master user: accounts are shared by groups, and commands bring mail in and out",
    "directory.<id>.endpoint": _TOKENS,
    "directory.<id>.auth": _TOKENS,
    "directory.<id>.fields": _TOKENS,
    "directory.<id>.attributes.secret-changed": "is not needed: secrets are asked for again after a while",
    "queue.outbound": "is [[relay]] here",
    "queue.strategy": "is [[relay]] here",
    "queue.quota": "is not known here: jmap.submission.max-queued limits what may wait",
    "queue.throttle": "is not known here: jmap.submission.rate-limit limits what may be sent",
    "queue.path": "is not needed: what waits stands in the store",
    "remote": "is [[relay]] here",
    "session.auth": _NOT_MAIL,
    "session.connect": _NOT_MAIL,
    "session.data": "is not known here: jmap.email.max-size limits a message",
    "session.ehlo": _NOT_MAIL,
    "session.extensions": _NOT_MAIL,
    "session.mail": _NOT_MAIL,
    "session.mta-sts": _NOT_MAIL,
    "session.hook": _NOT_MAIL,
    "session.milter": _NOT_MAIL,
    "session.throttle": _NOT_MAIL,
    "session.timeout": _NOT_MAIL,
    "session.transfer-limit": _NOT_MAIL,
    "session.duration": _NOT_MAIL,
    "session.rcpt.directory": "is jmap.directory here",
    "session.rcpt.relay": "whatever the directory does not know is refused",
    "session.rcpt.script": "is not there: users have scripts of their own (RFC 9661)",
    "session.rcpt.errors": _NOT_MAIL,
    "session.rcpt.rewrite": _NOT_MAIL,
    "sieve.trusted": "is not there: users have scripts of their own (RFC 9661)",
    "auth": _NOT_MAIL,
    "signature": _NOT_MAIL,
    "report": _NOT_MAIL,
    "resolver": "the resolver of the system is used",
    "spam-filter": _NOT_MAIL,
    "spam": _NOT_MAIL,
    "imap": "IMAP is not served",
    "pop3": "POP3 is not served",
    "global": _LOG,
    "tracer": _LOG,
    "tracing": _LOG,
    "metrics": "is served on a listener whose protocol is admin",
    "cluster": "is not needed: processes share a store",
    "enterprise": "there is one edition",
    "config": _MANAGED,
    "version": _MANAGED,
    "webadmin": _MANAGED,
    "macros": "are not there: use %{env:NAME}% and %{file:PATH}%",
    "lookup": "is not there: directory.NAME.lookup.domains names the domains that are at home here",
}
