"""MIME read as it comes: octets of a message to plain values, for any octets, in linear time."""

from jmaplite.formats.mime.addressing import addresses, grouped_addresses
from jmaplite.formats.mime.dates import date, received_at
from jmaplite.formats.mime.excerpts import preview, search_text, texts
from jmaplite.formats.mime.fields import field_spans, header_fields, raw, text
from jmaplite.formats.mime.forms import FORMS, allowed_forms, message_ids, urls
from jmaplite.formats.mime.message import Message, dump, load, parse
from jmaplite.formats.mime.structure import Part
from jmaplite.formats.mime.subjects import base_subject, thread_subject
from jmaplite.formats.mime.transfer import decode
from jmaplite.formats.mime.values import body_value, part_octets

__all__ = [
    "FORMS",
    "Message",
    "Part",
    "addresses",
    "allowed_forms",
    "base_subject",
    "body_value",
    "date",
    "decode",
    "dump",
    "field_spans",
    "grouped_addresses",
    "header_fields",
    "load",
    "message_ids",
    "parse",
    "part_octets",
    "preview",
    "raw",
    "received_at",
    "search_text",
    "text",
    "texts",
    "thread_subject",
    "urls",
]
