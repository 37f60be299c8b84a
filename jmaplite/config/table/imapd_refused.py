"""Options of Cyrus that this server cannot honour, each with the reason."""

from __future__ import annotations

_CALENDARS = "calendars are not served"
_CONTACTS = "contacts are not served"
_DAV = "WebDAV, CalDAV and CardDAV are not served"
_EVENTS = "there is no notify daemon: clients are told of changes by JMAP itself"
_IMAP = "IMAP, POP and NNTP are not served"
_NO_ANNOTATIONS = "messages have no annotations: what they hold is worked out when a message comes in"
_COPIES = "a message in several mailboxes is one Email, however many they are"
_TEXT_ONLY = "text is searched, and attachments of other types by their names"
_ROLES = "roles are those of RFC 8621 §2, and [jmap.folders] says which mailboxes a new account has"
_TOKENS = "bearer tokens are made with `jmaplite token`"

REASONS: dict[str, str] = {
    "jmap_max_size_blob_set": "maxSizeBlobSet is maxSizeUpload here: set jmap_max_size_upload",
    "jmap_max_catenate_items": "maxDataSources is fixed here",
    "jmap_max_calendareventnotifs": _CALENDARS,
    "jmap_preview_annot": _NO_ANNOTATIONS,
    "jmap_imagesize_annot": _NO_ANNOTATIONS,
    "jmap_inlinedcids_annot": _NO_ANNOTATIONS,
    "jmapaccess_url": _IMAP,
    "conversations_max_guidexists": _COPIES,
    "conversations_max_guidinfolder": _COPIES,
    "conversations_max_guidrecords": _COPIES,
    "httplogheaders": "headers are not logged: they hold passwords",
    "httpdocroot": "no files are served",
    "httpallowedurls": "no files are served",
    "http_h2_altsvc": "write an Alt-Svc header into jmap.http.headers",
    "http_jwt_key_dir": _TOKENS,
    "http_jwt_max_age": _TOKENS,
    "search_maxsize": "how much of a message is searched is fixed here",
    "search_skiphtml": "HTML is searched by its text",
    "search_index_parts": "a message is searched as a whole",
    "search_query_language": "words are searched as they are, in any language",
    "search_stopword_path": "no words are left out",
    "search_attachment_extractor_url": _TEXT_ONLY,
    "search_attachment_extractor_request_timeout": _TEXT_ONLY,
    "search_attachment_extractor_idle_timeout": _TEXT_ONLY,
    "search_index_skip_users": "every account can be searched",
    "search_index_skip_domains": "every account can be searched",
    "event_groups": _EVENTS,
    "event_notifier": _EVENTS,
    "event_extra_params": _EVENTS,
    "event_exclude_specialuse": _EVENTS,
    "event_exclude_flags": _EVENTS,
    "event_content_inclusion_mode": _EVENTS,
    "event_content_size": _EVENTS,
    "sieve_extensions": "is the other way round here: see sieve.untrusted.disable-capabilities",
    "sieve_mdn_private": "is not known here",
    "sieve_mdn_original_recipient_header": "is not known here",
    "sievenotifier": "sieve.untrusted.notification-uris says by what schemes scripts may notify",
    "calendarprefix": _CALENDARS,
    "addressbookprefix": _CONTACTS,
    "davdriveprefix": _DAV,
    "davnotificationsprefix": _DAV,
    "notesmailbox": "notes are not served",
    "icalendar_max_size": _CALENDARS,
    "vcard_max_size": _CONTACTS,
    "mailbox_maxmessages_email": "a mailbox has no limit of its own: give the account a quota",
    "mailbox_maxmessages_calendar": _CALENDARS,
    "mailbox_maxmessages_addressbook": _CONTACTS,
    "webdav_attachments_baseurl": _DAV,
    "imipnotifier": _CALENDARS,
    "zoneinfo_dir": _CALENDARS,
    "smtp_auth_realm": "is part of the name to log in with: smtp_auth_authname",
    "sendmail": "mail leaves by SMTP: set smtp_backend to host, and smtp_host",
    "boundary_limit": "how deep parts may stand within each other is fixed here",
    "specialuse_protect": "only the Inbox cannot be destroyed",
    "specialuse_extra": _ROLES,
    "specialuse_nochildren": _ROLES,
    "admins": "is not needed: whoever may write this file administers",
    "configdirectory": "[store] path says where mail is kept; bring the mail in with `jmaplite import`",
    "defaultpartition": "[store] path says where mail is kept",
    "hashimapspool": "the store has its own layout",
    "fulldirhash": "the store has its own layout",
    "unixhierarchysep": _IMAP,
    "altnamespace": _IMAP,
    "virtdomains": "users are named in full, with their domain, and the directory knows them",
    "defaultdomain": "users are named in full, with their domain, and the directory knows them",
    "loginrealms": "users are named in full, with their domain, and the directory knows them",
    "tls_server_cert": 'is cert in [certificate."NAME"], which server.listener.NAME.tls.certificate names',
    "tls_server_key": 'is private-key in [certificate."NAME"]',
    "tls_versions": "is server.tls.protocols",
    "tls_ciphers": "is server.tls.ciphers",
    "reject8bit": "8-bit mail is accepted (RFC 6152)",
    "munge8bit": "mail is kept as it came",
    "postmaster": "bounces come from postmaster at server.hostname",
    "servername_domain": "is server.hostname",
    "umask": "is the service manager's: see UMask= in what `jmaplite print-unit` writes",
    "syslog_prefix": "[log] says what is logged",
    "debug": "is log.level here",
}

UNKNOWN = "is not known here"
"""Said of what may as well be a slip of the pen: what it may have been meant to be is told instead."""

_BEGINNINGS: dict[str, str] = {
    UNKNOWN: "conversations_ http jmap_ search sieve",
    "mail is not moved to another place by age": "archive",
    _NO_ANNOTATIONS: "annotation",
    "an account is made with the first log-in or delivery, with the mailboxes of [jmap.folders]": (
        "anysievefolder autocreate autosievefolders autosubscribe createonpost generate_compiled_sieve_script "
        "mailbox_default_options mailbox_initial_flags"
    ),
    "`jmaplite backup` does it": "backup xbackup",
    "is the backup's business: `jmaplite backup`": "restore_ sync_",
    _CALENDARS: "cal ischedule icalendar zoneinfo",
    _CONTACTS: "carddav vcard",
    _DAV: "dav webdav",
    "feeds are not served": "rss_",
    "push is that of RFC 8620 §7": "aps_",
    _IMAP: (
        "allowallsubscribe allowapop allowdeleted allownewnews altprefix autoexpunge commandmintimer "
        "disable_shared_namespace disable_user_namespace disconnect_on_vanished_mailbox fastmailsharing "
        "flushseenstate foolstupidclients idle ignorereference imap improved_mboxlist_sort literalminus maxquoted "
        "maxword netscapeurl news nntp outbox_sendlater partition-news pop sharedprefix specialusealways "
        "suppress_capabilities telemetry timeout uidl_format unicodeheaders userprefix xlist"
    ),
    "who may see an account is said by groups in the directory": (
        "acl_ allowsetacl allowusermoves anyoneuseracl defaultacl delete_unsubscribe deleteright "
        "implicit_owner_rights loginuseacl reverseacls unix_group_enable userdeny"
    ),
    "what is destroyed is gone": "deletedprefix",
    "there is no murder of servers, and no replica": (
        "client_ defaultserver force_sasl_client_mech hostname_ mupdate proxy readonly replicaonly "
        "serverlist submitservers"
    ),
    "the store has one kind of files, and a layout of its own": (
        "caringo debug_writefail duplicate_db lock_debugtime mailbox_legacy mboxkey mboxlist mboxname "
        "object_storage openio proc_path reverseuniqueids seenstate singleinstancestore skiplist sortcache statuscache "
        "sub_db subscription_db tlscache_db"
    ),
    "[store] path says where mail is kept": "metapartition partition- partition_",
    "[log] says what is logged": "auditlog chatty debug_ iolog logtimestamps syslog_",
    "is for the service manager: see what `jmaplite print-unit` writes": "cyrus_ cyrusmaster master_ srvtab",
    "jmap.rate-limit slows down whoever guesses or asks too often": "failedloginpause maxlogins plaintextlogin soft_",
    'users in LDAP stand in [directory."NAME"] with type = "ldap"': "ldap_",
    'users in a database stand in [directory."NAME"] with type = "sql"': "sql_",
    "groups stand in the directory": "afspts auth_mech pts ptloader",
    'who may log in stands in [directory."NAME"]; Basic and Bearer are spoken': "sasl_",
    "names are what the directory says": "crossdomains normalizeuid username_tolower",
    'mail comes in by a listener with protocol = "lmtp", and this cannot be chosen there': "lmtp",
    'is bind = "unix:PATH" of a listener with protocol = "lmtp"': "lmtpsocket",
    "mail that comes in is taken as real mail is": "maxheaderlines rfc2046 rfc2047 rfc3028",
    "there are no mailboxes that everybody may post to": "postspec postuser",
    _EVENTS: "mailnotifier notify",
    'health and metrics are served on a listener with protocol = "admin"': "prometheus",
    "quotas stand in the directory": "quota",
    "mail leaves by [relay], under the address of its sender": "sendmail_ srs_",
    "is left to the system": "qosmarking",
    "is always on: who has gone without a word is noticed in some minutes": "tcp_keepalive",
    "TLS is set in [server.listener.NAME.tls] and [certificate.NAME]": "tls_",
    "mailboxes have a depth and a length of their names: [jmap.mailbox]": "user_folder_limit",
    "is for a mail transfer agent, which stands in front of this server": "virusscan",
}

PREFIXES: dict[str, str] = {
    prefix: reason for reason, prefixes in _BEGINNINGS.items() for prefix in sorted(prefixes.split())
}
"""What else may stand in an imapd.conf, by the beginning of the name, with the reason; the longest one counts."""
