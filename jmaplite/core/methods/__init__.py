"""The six standard methods (RFC 8620 §5), each made from the description of a type."""

from jmaplite.core.methods.changes import changes
from jmaplite.core.methods.copy import copy
from jmaplite.core.methods.get import get
from jmaplite.core.methods.query import query
from jmaplite.core.methods.query_changes import query_changes
from jmaplite.core.methods.set import set_

STANDARD = {
    "get": get,
    "changes": changes,
    "set": set_,
    "copy": copy,
    "query": query,
    "queryChanges": query_changes,
}
"""What makes each standard method's handler of a type."""
