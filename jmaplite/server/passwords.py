"""Passwords and tokens as they are kept in a configuration, for commands that write them."""

from jmaplite.directory.passwords import hash_password
from jmaplite.directory.tokens import hash_token, new_token

__all__ = ["hash_password", "hash_token", "new_token"]
