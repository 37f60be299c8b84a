"""Mail on its way: from the queues of this server's accounts to where it belongs."""

from jmaplite.delivery.outbox import Outbox

__all__ = ["Outbox"]
