"""One call of the command line: its common options, what it reaches, what it prints."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console, RenderableType

from ..errors import NoStore
from .exits import Usage

if TYPE_CHECKING:
    from store.records import Records

    from ..mutator import Mutator

DEFAULT_STORE = "sqlite:///mutator.db"
"""Where a worker keeps its record when nothing else is said, in the folder it is started in."""

UNLIMITED = 10_000
"""Columns of an output that is no terminal: nothing is folded."""

_OPTIONS: Mapping[str, tuple[Any, Any, str]] = {
    "actor": (str | None, ("--as",), "Who acts [env: MUTATOR_ACTOR]."),
    "credential": (str | None, ("--credential",), "Their proof [env: MUTATOR_CREDENTIAL]."),
    "store": (
        str | None,
        ("--store",),
        f"Address of the store of record [env: MUTATOR_STORE_URL, else {DEFAULT_STORE}].",
    ),
    "as_json": (bool, ("--json",), "Print JSON; errors too, on standard error."),
}
_VARIABLES = {
    "actor": "MUTATOR_ACTOR",
    "credential": "MUTATOR_CREDENTIAL",
    "store": "MUTATOR_STORE_URL",
}


@dataclass
class Call:
    """What the common options said.

    Attributes:
        store: The address given; `None`: the default, where it exists.
    """

    actor: str | None = None
    credential: str | None = None
    store: str | None = None
    as_json: bool = False
    _records: Records | None = field(default=None, init=False)

    @property
    def who(self) -> str:
        """Answer who acts.

        Raises:
            Usage: Nobody said.
        """
        if not self.actor:
            raise Usage("Say who acts: --as NAME, or MUTATOR_ACTOR.")
        return self.actor

    async def mutator(self, *, needs_store: str = "", lazy: bool = False) -> Mutator:
        """Connect.

        Args:
            needs_store: What is asked that only the store can answer; else the default store is
                left out where there is none.
            lazy: Connect to the server only when it is asked.

        Raises:
            NoStore: It is needed, and neither given nor at its default place.
            StoreUnavailable: It was given and cannot be read.
            ServerUnavailable: No server answers.
        """
        self._records = self._open(needs_store)
        from ..mutator import Mutator  # noqa: PLC0415 - Temporal's SDK takes half a second

        return await Mutator.connect(self._records, lazy=lazy)

    def records(self, question: str) -> Records:
        """Open the store, and nothing else.

        Args:
            question: What is asked that only the store can answer.

        Raises:
            NoStore: It is neither given nor at its default place.
        """
        self._records = found = self._open(question)
        if found is None:
            raise NoStore(question)
        return found

    @property
    def has_records(self) -> bool:
        """Answer whether there is a store to read in."""
        return self._records is not None

    def say(self, shown: RenderableType, value: object = None) -> None:
        """Print: for people what is shown, with --json the value."""
        if self.as_json:
            sys.stdout.write(json.dumps(jsonable(value), ensure_ascii=False) + "\n")
            sys.stdout.flush()
        else:
            console().print(shown, soft_wrap=True)

    def close(self) -> None:
        """Give back the store."""
        if self._records is not None:
            self._records.close()

    def _open(self, needs_store: str) -> Records | None:
        if self.store is None and not Path(DEFAULT_STORE.removeprefix("sqlite:///")).exists():
            if needs_store:
                raise NoStore(needs_store)
            return None
        from store.records import open_records  # noqa: PLC0415 - as the SDK

        return open_records(self.store or DEFAULT_STORE)


def console() -> Console:
    """Answer where people read; without a terminal nothing is cut or folded."""
    made = Console(highlight=False, markup=False, emoji=False)
    return (
        made
        if made.is_terminal
        else Console(highlight=False, markup=False, emoji=False, width=UNLIMITED)
    )


def jsonable(value: object) -> object:
    """Answer a value as JSON holds it."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {key: jsonable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(each) for each in value]
    return value


def fields_of(value: BaseModel) -> dict[str, Any]:
    """Answer the fields of a value as JSON holds them."""
    return value.model_dump(mode="json")


def common(context: typer.Context, **given: Any) -> None:
    """Ask for changes to governed state, decide on them, and see what became of them."""
    context.obj = given


def command(
    app: typer.Typer, name: str
) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., Awaitable[None]]]:
    """Register a body `async def body(call, ...)` as a command that takes the common options."""

    def register(body: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        def run(context: typer.Context, **given: Any) -> None:
            before: dict[str, Any] = context.obj or {}
            said: dict[str, Any] = {key: given.pop(key) or before.get(key) for key in _OPTIONS}
            call = Call(**said)

            async def main() -> None:
                try:
                    await body(call, **given)
                finally:
                    call.close()

            asyncio.run(main())

        _, *own = inspect.signature(body, eval_str=True).parameters.values()
        _sign(run, own, with_variables=False)
        run.__doc__ = body.__doc__
        app.command(name)(run)
        return body

    return register


def register_common(app: typer.Typer) -> None:
    """Let the common options stand before the command as well, and in the environment."""
    _sign(common, [], with_variables=True)
    app.callback()(common)


def _sign(
    function: Callable[..., None], own: list[inspect.Parameter], *, with_variables: bool
) -> None:
    """Give a function the signature that typer reads: its own options and the common ones."""
    parameters = [
        inspect.Parameter(
            "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
        ),
        *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own),
    ]
    for name, (type_, flags, help_) in _OPTIONS.items():
        variable = _VARIABLES.get(name) if with_variables else None
        option = typer.Option(*flags, help=help_, envvar=variable, show_envvar=False)
        parameters.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=False if type_ is bool else None,
                annotation=Annotated[type_, option],
            )
        )
    function.__annotations__ = {p.name: p.annotation for p in parameters}
    vars(function)["__signature__"] = inspect.Signature(parameters)
