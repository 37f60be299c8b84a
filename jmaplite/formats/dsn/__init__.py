"""Delivery status notifications: written and read (RFC 3464, RFC 6522), with what SMTP says of them (RFC 3461)."""

from jmaplite.formats.dsn.reading import Report, Status, address, groups, read, returned_message_id
from jmaplite.formats.dsn.writing import Action, Notice, Told, report
from jmaplite.formats.dsn.xtext import from_unitext, from_xtext, to_xtext

__all__ = [
    "Action",
    "Notice",
    "Report",
    "Status",
    "Told",
    "address",
    "from_unitext",
    "from_xtext",
    "groups",
    "read",
    "report",
    "returned_message_id",
    "to_xtext",
]
