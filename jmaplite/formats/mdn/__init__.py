"""Message disposition notifications: what became of a message, as its recipient tells the sender (RFC 8098)."""

from jmaplite.formats.mdn.building import build
from jmaplite.formats.mdn.parsing import parse
from jmaplite.formats.mdn.values import ACTION_MODES, SENDING_MODES, TYPES, Disposition, Notification

__all__ = ["ACTION_MODES", "SENDING_MODES", "TYPES", "Disposition", "Notification", "build", "parse"]
