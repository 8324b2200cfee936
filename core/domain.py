"""What an author hands to a worker: a state type, its mutations, its policies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Literal

from pydantic import JsonValue, ValidationError

from .audit import MutationRecord
from .checks import Callback, Check
from .effects import SideEffect
from .errors import (
    AUTHORS,
    DefinitionError,
    InvalidParameters,
    InvalidValue,
    UnknownDomain,
    UnknownMutation,
)
from .facts import LONGEST_LOOKUP, Fact
from .model import Value
from .mutation import Mutation, RiskLevel, S
from .observers import Observer
from .options import DEFAULT, Options
from .policy import Policy, check_names
from .reading import read, require_readable
from .requirements import LONGEST, Strategy
from .secrets import told
from .survey import NOTHING_DECLARED, Survey, survey

NAME = re.compile(r"^[a-z][a-z0-9_.-]{0,63}\Z")
STATE_ID = re.compile(r"^[a-z][a-z0-9_.-]{0,63}/[^\s/][^\s]{0,134}\Z")

DEFAULT_EXPIRY = timedelta(days=14)

QUICK = 0.5
"""Seconds of looking up that leave a workflow task time for the rest; more is done remotely."""


class Dispatch(Value):
    """What a side-effect handler is given besides the side effect.

    Attributes:
        key: The idempotency key: the same at every attempt, another for every side effect.
        request_id: The request that caused it.
        state_id: The state it is about.
        version: The version the request's commit led to.
        current_version: The version of `state`; may be newer when handlers lag behind.
        state: The state's document as it is now.
        at: When it was committed.
        attempt: 1 for the first.
    """

    key: str
    request_id: str
    state_id: str
    version: int
    current_version: int
    state: JsonValue
    at: datetime
    attempt: int = 1


SideEffectHandler = Callable[[SideEffect, Dispatch], None]
Initial = Callable[[str], S | None]
Upgrade = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Domain(Generic[S]):
    """A state type with everything that may happen to it.

    Args:
        name: The part of the state id before the slash; lower case.
        state: The state's model.
        mutations: Its mutations; several schema versions of one type may be registered.
        policies: The rules; names are unique.
        initial: Answers the value at version 0 for a key, or nothing where no state may begin.
        handlers: Side-effect handlers by contract name; run after the commit, at least once.
        strategy: What drift does to approvals; requests can only be stricter.
        expires_in: The deadline of a request that names none; at most `LONGEST` away.
        options: How the engine runs this domain's code.
        on_error: What an exception of author code does at execution: end the request, or hold it.
        run: Whether the author's code is tried in the workflow task first, for a second, or runs
            remotely from the start: where it is slow, or must not run twice at once in a process.
            What needs a fact that can take longer than `QUICK` runs remotely in any case.
        facts: What is looked up outside before policies are asked; names are unique.
        schema_version: The version of the state's document form.
        upgrades: Lifts a document of an older form, by the version it lifts from.
        checks: Checks by other systems that policies demand by name; names are unique.
        lifetimes: How long a grant counts where its requirement does not say, by the risk; each at
            most `LONGEST`, and a risk that is left out lets none lapse.
        on_state_moved: What becomes of open requests when their state moves: they wait and are
            resolved against it, or are superseded; a request may say otherwise.
        may_supersede: Answers whether an actor may let a newer request take an older one's place,
            besides its requester and operators.
        observers: Watch every run of the engine for this domain: assessments, resolutions and
            commits, more than one for a request. They are called from several threads at once, and
            what they take counts into the time that a worker waits for a run.

    Raises:
        DefinitionError: A name is malformed or used twice, something is missing, a policy is never
            asked, or the state or a mutation would not be read as it is written.
    """

    name: str
    state: type[S]
    mutations: Sequence[type[Mutation[S]]]
    policies: Sequence[Policy] = ()
    initial: Initial[S] | None = None
    handlers: Mapping[str, SideEffectHandler] | None = None
    strategy: Strategy = Strategy.KEEP_IF_UNAFFECTED
    expires_in: timedelta = DEFAULT_EXPIRY
    options: Options = DEFAULT
    on_error: Literal["reject", "hold"] = "reject"
    run: Literal["local_first", "remote"] = "local_first"
    schema_version: int = 1
    upgrades: Mapping[int, Upgrade] | None = None
    facts: Sequence[Fact] = ()
    checks: Sequence[Check | Callback] = ()
    lifetimes: Mapping[RiskLevel, timedelta] | None = None
    on_state_moved: Literal["wait", "supersede"] = "wait"
    may_supersede: Callable[[str, str], bool] | None = None
    observers: Sequence[Observer] = ()

    def __post_init__(self) -> None:
        """Refuse what could only fail later."""
        if not NAME.match(self.name):
            message = f"The domain name {self.name!r} must match {NAME.pattern}."
            raise DefinitionError(message)
        for name in ("mutations", "policies", "facts", "checks", "observers"):
            # They are gone through more than once; an iterator would be exhausted by then.
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.mutations:
            message = f"The domain {self.name!r} has no mutations."
            raise DefinitionError(message)
        seen: set[tuple[str, int]] = set()
        for mutation in self.mutations:
            self._check_mutation(mutation)
            key = (mutation.name(), mutation.schema_version)
            if key in seen:
                message = f"The domain {self.name!r} registers {key[0]} v{key[1]} twice."
                raise DefinitionError(message)
            seen.add(key)
        survey(self.state)
        require_readable(self.state)
        check_names(self.policies)
        self._check_asked(self.policies)
        self._check_observers(self.observers)
        self._check_facts()
        self._check_waits()
        if not timedelta(0) < self.expires_in <= LONGEST:
            message = (
                f"The domain {self.name!r} lets requests expire before they begin, or later than "
                f"after {LONGEST.days} days; that is the longest."
            )
            raise DefinitionError(message)
        for version in range(1, self.schema_version):
            if version not in (self.upgrades or {}):
                message = (
                    f"The domain {self.name!r} has state documents of version {version} "
                    "and no upgrade from it."
                )
                raise DefinitionError(message)

    def mutation(self, name: str, version: int | None = None) -> type[Mutation[S]]:
        """Answer the mutation of that type; without a version the newest.

        Raises:
            UnknownMutation: It is not registered.
        """
        of_name = sorted(
            (m for m in self.mutations if m.name() == name), key=lambda m: m.schema_version
        )
        if version is None and of_name:
            return of_name[-1]
        for candidate in of_name:
            if candidate.schema_version == version:
                return candidate
        known = tuple(sorted({f"{m.name()} v{m.schema_version}" for m in self.mutations}))
        raise UnknownMutation(self.name, name, version, known)

    def facts_for(self, mutations: Iterable[MutationRecord]) -> tuple[Fact, ...]:
        """Answer the facts that are looked up for a request of these mutations.

        Raises:
            UnknownMutation: One is not registered.
        """
        if not self.facts:
            return ()
        types = [self.mutation(each.type, each.schema_version or None) for each in mutations]
        return tuple(fact for fact in self.facts if fact.applies(types))

    def longest_lookup(self, mutations: Iterable[MutationRecord]) -> float:
        """Answer the seconds that looking up can take; facts are looked up side by side.

        Raises:
            UnknownMutation: One is not registered.
        """
        longest = [f.longest(self.options.fact_timeout) for f in self.facts_for(mutations)]
        return max(longest, default=0.0)

    def is_local(self, mutations: Iterable[MutationRecord]) -> bool:
        """Answer whether a request of these mutations is tried in the workflow task first.

        Raises:
            UnknownMutation: One is not registered.
        """
        return self.run == "local_first" and self.longest_lookup(mutations) <= QUICK

    def read_mutation(
        self, name: str, parameters: Mapping[str, JsonValue], version: int | None = None
    ) -> Mutation[S]:
        """Make a mutation of its parameters.

        Raises:
            UnknownMutation: It is not registered.
            InvalidParameters: They do not validate; the sentence names each field.
        """
        mutation_type = self.mutation(name, version)
        declared = survey(mutation_type)
        try:
            return read(mutation_type, parameters)
        except ValidationError as error:
            message = f"The parameters of {name} do not validate: {problems(error, declared)}."
            raise InvalidParameters(message, mutation_type=name) from error
        except AUTHORS as error:
            message = f"The parameters of {name} cannot be read: {told(error, [declared])}."
            raise InvalidParameters(message, mutation_type=name) from error

    def read_record(self, record: MutationRecord) -> Mutation[S]:
        """Make a mutation of its stored record; see `read_mutation`.

        Version 0 stands in a wish that names none, until it is assessed: then the newest is meant.
        """
        return self.read_mutation(record.type, record.parameters, record.schema_version or None)

    def read_state(self, document: JsonValue, schema_version: int) -> S:
        """Make a state of its stored document, lifting older forms.

        Raises:
            InvalidValue: The document cannot be read; the state is then held, not guessed.
        """
        if schema_version > self.schema_version:
            message = (
                f"A state of {self.name!r} was written in form {schema_version}; "
                f"this worker knows forms up to {self.schema_version}."
            )
            raise InvalidValue(message)
        declared = survey(self.state)
        try:
            for version in range(schema_version, self.schema_version):
                if not isinstance(document, dict):
                    break
                document = (self.upgrades or {})[version](document)
            return read(self.state, document)
        except ValidationError as error:
            message = f"A state of {self.name!r} cannot be read: {problems(error, declared)}."
            raise InvalidValue(message) from error
        except AUTHORS as error:
            message = f"A state of {self.name!r} cannot be lifted: {told(error, [declared])}"
            raise InvalidValue(message) from error

    def check(self, name: str) -> Check | Callback | None:
        """Answer the check of that name, or nothing: then whatever demands it waits."""
        return next((each for each in self.checks if each.name == name), None)

    def _check_mutation(self, mutation: Any) -> None:
        """Refuse what cannot be made, or not be made again of its record."""
        if not (isinstance(mutation, type) and issubclass(mutation, Mutation)):
            message = f"The domain {self.name!r} registers {mutation!r}, which is no mutation type."
            raise DefinitionError(message)
        if missing := sorted(mutation.__abstractmethods__):
            message = (
                f"The domain {self.name!r} registers {mutation.name()}, which is abstract: "
                f"it has no {' and no '.join(missing)}."
            )
            raise DefinitionError(message)
        survey(mutation)
        require_readable(mutation)

    def _check_asked(self, policies: Iterable[Policy]) -> None:
        for each in policies:
            if each.applies_to == ():
                message = (
                    f"The policy {each.name!r} of {self.name!r} applies to no mutation, so nobody "
                    "would ask it; leave it out, or say None for all."
                )
                raise DefinitionError(message)
            self._check_asked(each.parts)

    def _check_waits(self) -> None:
        names = [each.name for each in self.checks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = f"The domain {self.name!r} declares the check {twice[0]!r} twice."
            raise DefinitionError(message)
        for risk, lifetime in (self.lifetimes or {}).items():
            if not timedelta(0) < lifetime <= LONGEST:
                message = (
                    f"The domain {self.name!r} lets grants of risk {risk} never count, or for more "
                    f"than {LONGEST.days} days; leave the risk out where none lapses."
                )
                raise DefinitionError(message)

    def _check_observers(self, observers: Iterable[object]) -> None:
        for each in observers:
            if not isinstance(each, Observer):
                message = f"The domain {self.name!r} has an observer {each!r} that is none."
                raise DefinitionError(message)

    def _check_facts(self) -> None:
        seen: set[str] = set()
        for fact in self.facts:
            if fact.name in seen:
                message = f"The domain {self.name!r} declares the fact {fact.name!r} twice."
                raise DefinitionError(message)
            seen.add(fact.name)
            longest = fact.longest(self.options.fact_timeout)
            if longest > LONGEST_LOOKUP:
                message = (
                    f"The fact {fact.name!r} of {self.name!r} can take {longest:g} s with all its "
                    f"attempts; at most {LONGEST_LOOKUP:g} s. Give it less time, or fewer retries."
                )
                raise DefinitionError(message)


class Domains:
    """The domains of one worker, by name."""

    def __init__(self, domains: Iterable[Domain[Any]]) -> None:
        """Register each.

        Raises:
            DefinitionError: Two have the same name.
        """
        self._domains: dict[str, Domain[Any]] = {}
        for domain in domains:
            if domain.name in self._domains:
                message = f"Two domains are named {domain.name!r}."
                raise DefinitionError(message)
            self._domains[domain.name] = domain

    def __iter__(self) -> Any:
        """Iterate over the domains by name."""
        return iter(sorted(self._domains.values(), key=lambda d: d.name))

    def of(self, state_id: str) -> Domain[Any]:
        """Answer the domain of a state.

        Raises:
            UnknownDomain: None of that name is registered.
        """
        name = state_id.partition("/")[0]
        try:
            return self._domains[name]
        except KeyError:
            raise UnknownDomain(name, tuple(sorted(self._domains))) from None


def key_of(state_id: str) -> str:
    """Answer the part of a state id after the first slash."""
    return state_id.partition("/")[2]


def problems(error: ValidationError, declared: Survey = NOTHING_DECLARED, *, limit: int = 5) -> str:
    """Answer what pydantic found, one phrase a field, without the values given.

    Args:
        error: What it raised.
        declared: What the model declares; where anything is secret only the kinds of problems are
            told, as the words of the author's validators may quote it.
        limit: The most phrases.
    """
    found = error.errors(include_url=False, include_input=False, include_context=False)
    phrases = [
        f"{_where(each['loc'], declared)}: {each['type'] if declared.holds_secret else each['msg']}"
        for each in found[:limit]
    ]
    if len(found) > limit:
        phrases.append(f"and {len(found) - limit} more")
    return "; ".join(phrases)


def _where(way: tuple[str | int, ...], declared: Survey) -> str:
    """Write where a problem is; the keys in a secret are part of it."""
    here = declared
    for length, part in enumerate(map(str, way)):
        if here.secret:
            return ".".join(map(str, way[:length])) or "the whole"
        here = here.below(part) or NOTHING_DECLARED
    return ".".join(map(str, way)) or "the whole"
