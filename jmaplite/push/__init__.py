"""State changes to clients (RFC 8620 §7)."""
