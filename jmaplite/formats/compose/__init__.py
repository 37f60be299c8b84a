"""Messages put together from plain values: header fields from their parsed forms, bodies from a tree of parts.

What comes out is RFC 5322 and MIME as strict readers want it: lines of at most 78 characters where there is a place to
fold and never above 998, nothing of a value taken for syntax, no octet beyond US-ASCII but in addresses that have them
and in messages attached as they are.
"""

from jmaplite.formats.compose.bodies import TYPE_NAME, Entity, message
from jmaplite.formats.compose.fields import FORMS, field
from jmaplite.formats.compose.folding import NotWritable
from jmaplite.formats.compose.parameters import parameters, structured

__all__ = ["FORMS", "TYPE_NAME", "Entity", "NotWritable", "field", "message", "parameters", "structured"]
