"""jmaplite: a JMAP server in one file (RFC 8620, RFC 8621)."""

__version__ = "0.1.0"
