"""ManageSieve (RFC 5804): scripts kept by clients that do not speak JMAP."""

from jmaplite.delivery.managesieve.listening import ScriptKeeping
from jmaplite.delivery.managesieve.scripts import Desk, Refused

__all__ = ["Desk", "Refused", "ScriptKeeping"]
