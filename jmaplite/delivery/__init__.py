"""Mail on its way: in from other servers, and from the queues of this server's accounts to where it belongs."""

from jmaplite.delivery.courier import Courier
from jmaplite.delivery.filtering import filtering
from jmaplite.delivery.incoming import Arriving, Incoming
from jmaplite.delivery.office import Office
from jmaplite.delivery.outbox import Outbox
from jmaplite.delivery.outcomes import Schedule
from jmaplite.delivery.relay import NoRelay, Parcel, Relay, Reply

__all__ = [
    "Arriving",
    "Courier",
    "Incoming",
    "NoRelay",
    "Office",
    "Outbox",
    "Parcel",
    "Relay",
    "Reply",
    "Schedule",
    "filtering",
]
