"""State changes to clients (RFC 8620 §7)."""

from jmaplite.push.hub import Hub, TooMany, Visible
from jmaplite.push.news import News
from jmaplite.push.states import View, view
from jmaplite.push.watcher import Ended, Watcher

__all__ = ["Ended", "Hub", "News", "TooMany", "View", "Visible", "Watcher", "view"]
