"""Who you are and which accounts you see: the port, and the drivers beside it."""

from jmaplite.directory.port import Directory, DirectoryUnavailable, KnowsCredentials, Principal

__all__ = ["Directory", "DirectoryUnavailable", "KnowsCredentials", "Principal"]
