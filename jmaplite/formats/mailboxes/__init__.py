"""Mail in the files of other programs: mbox, Maildir and .eml trees, as octets, names and plain values."""

from jmaplite.formats.mailboxes.flags import (
    Flags,
    decode_export_block,
    encode_export_block,
    is_keyword,
    status_flags,
)
from jmaplite.formats.mailboxes.found import Folder, Found, Incoming, MailboxPath, Unreadable
from jmaplite.formats.mailboxes.lines import to_crlf, to_lf
from jmaplite.formats.mailboxes.maildir import (
    assign_letters,
    eml_flags,
    folder_of_path,
    format_keyword_letters,
    maildir_flags,
    maildir_info,
    maildir_time,
    parse_keyword_letters,
    path_of_folder,
)
from jmaplite.formats.mailboxes.mbox import MboxMessage, NotMbox, entry, may_be_entry, quotes, split, unquote
from jmaplite.formats.mailboxes.separator import Separator, parse_separator, separator_line

__all__ = [
    "Flags",
    "Folder",
    "Found",
    "Incoming",
    "MailboxPath",
    "MboxMessage",
    "NotMbox",
    "Separator",
    "Unreadable",
    "assign_letters",
    "decode_export_block",
    "eml_flags",
    "encode_export_block",
    "entry",
    "folder_of_path",
    "format_keyword_letters",
    "is_keyword",
    "maildir_flags",
    "maildir_info",
    "maildir_time",
    "may_be_entry",
    "parse_keyword_letters",
    "parse_separator",
    "path_of_folder",
    "quotes",
    "separator_line",
    "split",
    "status_flags",
    "to_crlf",
    "to_lf",
    "unquote",
]
