"""The one inbox: handlers append and never raise, the story takes one message at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from core.errors import MalformedMessage, MutatorError
from wire.asks import LookedAt, Refusal
from wire.errors import refusal_of
from wire.messages import Message, read_message
from wire.names import Signal, Update

TEMPORAL_CANCEL: Final = "temporal cancel"
"""How the inbox names Temporal's own cancellation of the workflow."""

LOOKED: Final = "looked"
"""How the inbox names what looking at a requirement brought."""

VERBS: Final[dict[str, str]] = {
    Signal.APPROVE: "approve",
    Signal.REJECT: "reject",
    Signal.WITHDRAW: "withdraw",
    Signal.CANCEL: "cancel",
    Update.FULFIL_REQUIREMENT: "fulfil",
    Update.CANCEL_REQUEST: "cancel",
    Update.REFRESH: "refresh",
}

_PREEMPTING = frozenset({"reject", "withdraw", "cancel", "supersede", TEMPORAL_CANCEL})


@dataclass
class Incoming:
    """One message on its way.

    Attributes:
        name: The signal or update as it came.
        at: When it counts as arrived; for a signal the time of delivery, until it is dated.
        signal: Its place among the run's signals, from 0; `None` for updates.
        message: What it says, when it could be read.
        refusal: Why it does not count.
        done: All it made possible has been done.
        looked: What looking brought, with the requirement that was looked at.
    """

    name: str
    at: datetime
    signal: int | None = None
    message: Message | None = None
    refusal: Refusal | None = None
    dated: bool = False
    done: bool = False
    looked: tuple[str, LookedAt] | None = None

    @property
    def verb(self) -> str:
        """Answer what it asks for, whichever way it came."""
        if self.name == Update.DECIDE and self.message is not None:
            return self.message.verdict or ""
        return VERBS.get(self.name, self.name)

    @property
    def preempts(self) -> bool:
        """Answer whether it is taken while an ask is under way."""
        return self.refusal is None and self.verb in _PREEMPTING


class Inbox:
    """Messages in the order of their arrival."""

    def __init__(self) -> None:
        """Begin empty."""
        self._items: list[Incoming] = []
        self.signals = 0

    def __len__(self) -> int:
        """Answer how many wait."""
        return len(self._items)

    def put_signal(self, name: str, payloads: Sequence[Any], at: datetime) -> None:
        """Append a signal; one that cannot be read is kept with what is wrong with it."""
        incoming = Incoming(name=name, at=at, signal=self.signals)
        self.signals += 1
        if name not in _KNOWN:
            known = ", ".join(sorted(_KNOWN))
            incoming.refusal = refusal_of(
                MalformedMessage(f"There is no signal {name!r}; there are: {known}.")
            )
        elif name != Signal.WAKE:
            try:
                incoming.message = read_message(name, payloads)
            except MutatorError as error:
                incoming.refusal = refusal_of(error)
        self._items.append(incoming)

    def put_update(self, name: str, message: Message, at: datetime) -> Incoming:
        """Append an update whose payload was read, and answer it to wait for."""
        incoming = Incoming(name=name, at=at, message=message, dated=True)
        self._items.append(incoming)
        return incoming

    def put_cancel(self, at: datetime) -> None:
        """Append Temporal's own cancellation."""
        self._items.append(Incoming(name=TEMPORAL_CANCEL, at=at, dated=True))

    def put_looked(self, requirement_id: str, answer: LookedAt, at: datetime) -> None:
        """Append what looking at a requirement brought."""
        looked = (requirement_id, answer)
        self._items.append(Incoming(name=LOOKED, at=at, dated=True, looked=looked))

    def put_back(self, incoming: Incoming) -> None:
        """Put a message back in front; it could not be taken yet."""
        self._items.insert(0, incoming)

    def has(self, wanted: Callable[[Incoming], bool]) -> bool:
        """Answer whether such a message waits."""
        return any(wanted(incoming) for incoming in self._items)

    def pop(self, wanted: Callable[[Incoming], bool] = lambda _: True) -> Incoming | None:
        """Take the first such message out."""
        for position, incoming in enumerate(self._items):
            if wanted(incoming):
                return self._items.pop(position)
        return None

    def undated(self) -> tuple[Incoming, ...]:
        """Answer the signals whose arrival is known only by their delivery."""
        return tuple(i for i in self._items if i.signal is not None and not i.dated)

    def date(self, times: Sequence[datetime]) -> None:
        """Give the signals the server's times, matched by their place in the history."""
        for incoming in self.undated():
            if incoming.signal is not None and incoming.signal < len(times):
                incoming.at = times[incoming.signal]
                incoming.dated = True


_KNOWN = frozenset(
    {
        Signal.APPROVE,
        Signal.REJECT,
        Signal.WITHDRAW,
        Signal.CANCEL,
        Signal.FULFIL,
        Signal.SUPERSEDE,
        Signal.DELEGATE,
        Signal.COMMENT,
        Signal.WAKE,
    }
)
