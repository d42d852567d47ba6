"""A raw look at the core table: its items as plain values, whatever row each of them is."""

from chalicelib.platform.settings import settings
from chalicelib.platform.usage_table import Table

core = Table(lambda: settings().core_table)
