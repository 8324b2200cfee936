"""What today's policies would have said: recorded evaluations, run again from their record alone.

Every evaluation is stored with its inputs: mutations, context, facts, and the version of the state.
The state at that version is walked back to from the newest, by the inverses of its history. Nothing
is written, and nobody outside is asked.

What is secret was recorded as a keyed hash. It is known again where the state as it is now holds a
secret of that hash; an evaluation with another one cannot be replayed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from pydantic import BaseModel, JsonValue

from core import Domain, Engine
from core.audit import AuditEntry, MutationRecord
from core.changes import apply
from core.context import Mode
from core.engine import record
from core.errors import (
    DefinitionError,
    InvalidAmendment,
    InvalidValue,
    MutatorError,
    PolicyConflict,
)
from core.facts import Facts
from core.history import HistoryEntry
from core.model import Value
from core.mutation import Mutation
from core.policy import PolicyDecision, Ruling, Verdict, deny, rule
from core.result import Outcome
from core.secrets import Redactor, replaced
from core.survey import Survey, survey
from store.records import Records

PAGE = 500
"""Entries read at once."""

UNHEARD = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CANCELED})
"""Endings that may come before every policy has been heard."""


class Said(Value):
    """What all policies together said.

    Attributes:
        policies: Those whose verdict it is.
        requirements: What was demanded first, in words.
        reasons: What they gave as reasons.
    """

    verdict: Verdict
    policies: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


class Replayed(Value):
    """One recorded evaluation, and what policies would say of it today.

    Attributes:
        version: Of the state it was made on.
        mutations: Their types.
        then: What was said; `None` where not every policy was heard.
        now: What would be said; `None` where it cannot be replayed.
        changed: Whether the verdict, or what is demanded first, would be another.
        problem: Why it cannot be replayed.
    """

    execution_id: str
    request_id: str | None
    state_id: str
    version: int
    at: datetime
    mode: Mode
    mutations: tuple[str, ...]
    then: Said | None = None
    now: Said | None = None
    changed: bool = False
    problem: str | None = None


def replay(
    records: Records,
    domain: Domain[Any],
    *,
    redactor: Redactor | None = None,
    state_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[Replayed]:
    """Run the recorded evaluations of a domain again, state by state.

    Args:
        records: The store of record, read only.
        domain: With the policies of today.
        redactor: Under the key of the worker; needed where the domain has secrets.
        state_id: Only of this state; `None`: of every state of the domain.
        since: Only of this time or later.
        until: Only from before this time.

    Raises:
        DefinitionError: The domain has secrets and there is no key.
        StoreUnavailable: The store cannot be read.
    """
    state_type: type[BaseModel] = domain.state
    declared = [survey(model) for model in (state_type, *domain.mutations)]
    if redactor is None and any(each.holds_secret for each in declared):
        raise DefinitionError(
            f"The domain {domain.name!r} has secrets, and they are recorded as hashes; name the "
            "file of the worker's key: --secret-key-file."
        )
    for each in [state_id] if state_id else _states(records, domain.name):
        entries = [
            entry
            for entry in _audit(records, each)
            if (since is None or entry.at >= since) and (until is None or entry.at < until)
        ]
        past = _Past(
            records,
            each,
            down_to=min((e.version_before for e in entries), default=0),
            declared=declared[0],
            redactor=redactor,
        )
        for entry in sorted(entries, key=lambda e: e.version_before, reverse=True):
            yield _replayed(entry, domain, past)


def _replayed(entry: AuditEntry, domain: Domain[Any], past: _Past) -> Replayed:
    found = Replayed(
        execution_id=entry.execution_id,
        request_id=entry.subject.request_id,
        state_id=entry.subject.state_id,
        version=entry.version_before,
        at=entry.at,
        mode=entry.context.mode,
        mutations=tuple(each.type for each in entry.mutations),
    )
    try:
        then, now = _rulings(entry, domain, past)
    except MutatorError as error:
        return found.model_copy(update={"problem": error.message})
    changed = then.verdict is not now.verdict or _demands(then) != _demands(now)
    return found.model_copy(update={"then": _said(then), "now": _said(now), "changed": changed})


def _rulings(entry: AuditEntry, domain: Domain[Any], past: _Past) -> tuple[Ruling, Ruling]:
    """Answer what was said, and what is said now.

    Raises:
        MutatorError: It cannot be replayed; the sentence says why.
    """
    if entry.outcome in UNHEARD:
        raise InvalidValue(
            f"It ended {entry.outcome.value} then, before every policy was heard: "
            f"{entry.error or 'without a reason'}"
        )
    facts = Facts.read(entry.facts)
    mutations = tuple(_read(domain, each, past) for each in entry.mutations)
    state = domain.read_state(past.document(entry.version_before), past.schema_version)
    engine = Engine(
        clock=time.monotonic,
        new_id=lambda: entry.execution_id,
        options=domain.options,
        redactor=past.redactor,
    )
    result = engine.execute(
        mutations,
        state,
        context=entry.context,
        facts=facts,
        policies=domain.policies,
        subject=entry.subject,
        records=entry.mutations,
    )
    unasked = [f.name for f in domain.facts_for(entry.mutations) if f.name not in facts]
    if unasked and _fails(result.ruling.decisions):
        raise InvalidValue(f"Policies need what was not looked up then: {', '.join(unasked)}.")
    if isinstance(result.error, PolicyConflict | InvalidAmendment):
        return rule(entry.decisions), _refusing(result.error, result.audit.error or "")
    if result.outcome in UNHEARD:
        raise InvalidValue(f"It ends {result.outcome.value} today: {result.audit.error}")
    return rule(entry.decisions), result.ruling


def _fails(decisions: Iterable[PolicyDecision]) -> bool:
    """Answer whether one that decides, or a part of it, came to no answer."""
    return any(d.enforced and (d.failed or _fails(d.parts)) for d in decisions)


def _refusing(error: PolicyConflict | InvalidAmendment, told: str) -> Ruling:
    """Answer the refusal of policies whose amendments cannot be made."""
    names: list[str] = error.details["policies"]
    return rule(deny(told).model_copy(update={"policy": name}) for name in names)


def _read(domain: Domain[Any], recorded: MutationRecord, past: _Past) -> Mutation[Any]:
    mutation_type: type[BaseModel] = domain.mutation(recorded.type, recorded.schema_version or None)
    parameters = past.revealed(recorded.parameters, survey(mutation_type))
    mutation = domain.read_record(recorded.model_copy(update={"parameters": parameters}))
    if record(mutation, past.redactor).digest != recorded.digest:
        raise InvalidValue(
            f"{recorded.type} v{recorded.schema_version} is no longer read as it was then."
        )
    return mutation


def _demands(ruling: Ruling) -> frozenset[str]:
    return frozenset(requirement.id for requirement in ruling.requirements)


def _said(ruling: Ruling) -> Said:
    deciding = [d for d in ruling.decisions if d.enforced and d.verdict is ruling.verdict]
    return Said(
        verdict=ruling.verdict,
        policies=ruling.determined_by,
        requirements=tuple(requirement.describe() for requirement in ruling.requirements),
        reasons=tuple(dict.fromkeys(d.reason for d in deciding if d.reason)),
    )


class _Past:
    """A state at its versions, which are asked for from new to old.

    Its history shows secrets as hashes, so it is walked back as it is shown.
    """

    def __init__(
        self,
        records: Records,
        state_id: str,
        *,
        down_to: int,
        declared: Survey,
        redactor: Redactor | None,
    ) -> None:
        self.redactor = redactor
        self._declared = declared
        self._state_id = state_id
        self._known: dict[str, JsonValue] = {redactor(None): None} if redactor else {}
        stored = records.state(state_id)
        self._version = stored.version if stored else -1
        self._document = replaced(stored.document if stored else None, declared, self._hashed)
        self.schema_version = stored.schema_version if stored else 1
        self._history = {e.version: e for e in _history(records, state_id, after=down_to)}

    def document(self, version: int) -> JsonValue:
        """Walk back to a version.

        Raises:
            InvalidValue: The store does not reach to it.
            ChangeConflict: A change on the way back does not fit, as after a change of form.
        """
        if version > self._version:
            raise InvalidValue(f"The store has no version {version} of {self._state_id!r}.")
        while self._version > version:
            entry = self._history.get(self._version)
            if entry is None:
                raise InvalidValue(
                    f"The history of {self._state_id!r} has no version {self._version}."
                )
            self._document = apply(self._document, entry.changes.inverse())
            self._version -= 1
        return self.revealed(self._document, self._declared)

    def revealed(self, shown: JsonValue, declared: Survey) -> JsonValue:
        """Answer what was recorded with its secrets.

        Raises:
            InvalidValue: One is not known any more.
        """
        return replaced(shown, declared, self._secret)

    def _hashed(self, secret: JsonValue) -> str:
        assert self.redactor is not None  # noqa: S101 - `replay` refuses to begin; for the type checker
        shown = self.redactor(secret)
        self._known[shown] = secret
        return shown

    def _secret(self, shown: JsonValue) -> JsonValue:
        if not isinstance(shown, str) or shown not in self._known:
            raise InvalidValue(
                f"It was about a secret that {self._state_id!r} does not hold any more, or not "
                "under this key; only its keyed hash was recorded."
            )
        return self._known[shown]


def _states(records: Records, domain: str) -> Iterator[str]:
    first = after = f"{domain}/"
    while page := records.states(after=after):
        for state in page:
            if not state.state_id.startswith(first):
                return
            yield state.state_id
        after = page[-1].state_id


def _audit(records: Records, state_id: str) -> Iterator[AuditEntry]:
    after: str | None = None
    while page := records.audit(state_id=state_id, limit=PAGE, after=after):
        yield from page
        after = page[-1].execution_id


def _history(records: Records, state_id: str, *, after: int) -> Iterable[HistoryEntry]:
    while page := records.history(state_id, after=after, limit=PAGE):
        yield from page
        after = page[-1].version
