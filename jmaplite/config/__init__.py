"""TOML becomes frozen values: every option is declared once, in `table`."""

from jmaplite.config.addresses import Address
from jmaplite.config.kinds import UNLIMITED, Rate
from jmaplite.config.load import examine, load, parse
from jmaplite.config.mistakes import ConfigError, Mistake
from jmaplite.config.table import Config

__all__ = ["UNLIMITED", "Address", "Config", "ConfigError", "Mistake", "Rate", "examine", "load", "parse"]
