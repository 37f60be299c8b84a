"""Mail on its way: in from other servers, and from the queues of this server's accounts to where it belongs."""

from jmaplite.delivery.incoming import Arriving, Incoming
from jmaplite.delivery.office import Office
from jmaplite.delivery.outbox import Outbox

__all__ = ["Arriving", "Incoming", "Office", "Outbox"]
