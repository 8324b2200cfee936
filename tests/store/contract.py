"""The contract of `store.protocol`: each store fills it in with a fixture `store`, always empty.

A new promise goes in here first.
"""

from __future__ import annotations

from tests.store.contract_endings import Endings
from tests.store.contract_notes import Notes
from tests.store.contract_outbox import Outbox, Turns
from tests.store.contract_quota import Quotas
from tests.store.contract_reading import Reading
from tests.store.contract_waits import Waits


class Contract(Notes, Endings, Reading, Outbox, Turns, Waits, Quotas):
    """All that a store promises."""
