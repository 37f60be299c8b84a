"""Passwords as they are kept in a configuration, for commands that write one."""

from jmaplite.directory.passwords import hash_password

__all__ = ["hash_password"]
