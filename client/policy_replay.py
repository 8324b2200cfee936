"""What today's policies would have said: recorded evaluations, run again from their record alone.

Every evaluation is stored with its inputs: mutations, context, facts, and the version of the state.
The state at that version is walked back to from the newest, by the inverses of its history. Nothing
is written, and nobody outside is asked.

What today's policies want to know and nobody looked up then is not made up: such an evaluation
cannot be replayed. Nor can one that ended, then or today, before its last mutation was ruled on.

What is secret was recorded as a keyed hash. It is known again where the state as it is now holds a
secret of that hash; an evaluation with another one cannot be replayed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel, JsonValue

from core import Domain, Engine
from core.audit import AuditEntry, MutationRecord
from core.changes import apply
from core.composition import Composition
from core.context import Mode
from core.digests import canonical
from core.engine import record
from core.errors import (
    DefinitionError,
    InputAltered,
    InvalidAmendment,
    InvalidValue,
    MutatorError,
    PolicyConflict,
)
from core.facts import Facts, Missing
from core.history import HistoryEntry
from core.model import Value
from core.mutation import Mutation
from core.policy import Policy, PolicyDecision, Question, Ruling, Verdict, deny, rule
from core.requirements import Strategy
from core.result import Outcome
from core.secrets import Redactor, replaced
from core.survey import Survey, survey
from store.records import Records

PAGE = 500
"""Entries read at once."""

CUT_SHORT = frozenset({Outcome.INVALID, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CANCELED})
"""Endings that may come before every policy has been heard on every mutation."""

SHOWN = 100
"""Characters of an amended value that are shown at most."""

_UNSAID: Any = object()


class Said(Value):
    """What all policies together said.

    Attributes:
        policies: Those whose verdict it is.
        requirements: What was demanded first, in words.
        reasons: What they gave as reasons; then, where it is no denial, what any policy amends,
            tells others, and names as strategy.
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
        changed: Whether the verdict would be another; or, where it is no denial, what is demanded
            first, what drift does, or what comes of amendments.
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
        then, now = _words(entry, domain, past)
    except MutatorError as error:
        return found.model_copy(update={"problem": error.message})
    update = {"then": _said(then.ruling), "now": _said(now.ruling), "changed": then.differs(now)}
    return found.model_copy(update=update)


@dataclass(frozen=True, slots=True)
class _Word:
    """What policies said, and what comes of it.

    Attributes:
        strategy: The strictest that they and the domain name.
        effect: The digest of the effect, amendments included.
    """

    ruling: Ruling
    strategy: Strategy
    effect: str | None

    def differs(self, other: _Word) -> bool:
        """Answer whether it decides otherwise; of what is denied nothing else comes."""
        if self.ruling.verdict is not other.ruling.verdict:
            return True
        if self.ruling.verdict is Verdict.DENY:
            return False
        return (
            _demands(self.ruling) != _demands(other.ruling)
            or self.strategy is not other.strategy
            # What a mutation of today makes otherwise is no word of a policy.
            or (self.effect != other.effect and _adds(self.ruling) != _adds(other.ruling))
        )


def _words(entry: AuditEntry, domain: Domain[Any], past: _Past) -> tuple[_Word, _Word]:
    """Answer what was said, and what is said now.

    Raises:
        MutatorError: It cannot be replayed; the sentence says why.
    """
    _check_heard(entry, f"It ended {entry.outcome.value} then")
    mutations = tuple(_read(domain, each, past) for each in entry.mutations)
    told = _told(entry.facts, {fact.name for fact in domain.facts_for(entry.mutations)})
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
        facts=told.unnoted(),
        policies=tuple(_listening(each, told) for each in domain.policies),
        subject=entry.subject,
        records=entry.mutations,
    )
    if told.asked:
        names = ", ".join(sorted(told.asked))
        raise InvalidValue(f"Policies need what was not looked up then: {names}.")
    if isinstance(result.error, InputAltered):  # and later policies were told what was altered
        raise InvalidValue(f"It ends failed today: {result.audit.error}")
    now = result.ruling
    if isinstance(result.error, PolicyConflict | InvalidAmendment):
        now = _refusing(result.error.details["policies"], result.audit.error or "")
    else:
        _check_heard(result.audit, f"It ends {result.outcome.value} today")
    return (
        _word(_ruling_then(entry), domain, entry.effect_digest),
        _word(now, domain, result.audit.effect_digest),
    )


def _word(ruling: Ruling, domain: Domain[Any], effect: str | None) -> _Word:
    return _Word(ruling, Strategy.strictest([domain.strategy, ruling.strategy]), effect)


def _check_heard(entry: AuditEntry, ended: str) -> None:
    """Refuse what ended before the policies were asked about the last mutation.

    Raises:
        InvalidValue: It did, or nothing tells that it did not.
    """
    last = len(entry.mutations) - 1
    heard = {decision.mutation for decision in entry.decisions}
    if entry.outcome is Outcome.INVALID:  # a mutation is checked after all were asked about it
        heard.add(0)
    if entry.outcome in CUT_SHORT and last not in heard:
        found = "; ".join(issue.message for issue in entry.issues if issue.is_error)
        raise InvalidValue(
            f"{ended}, and no policy was heard on its last mutation: "
            f"{entry.error or found or 'without a reason'}"
        )


def _ruling_then(entry: AuditEntry) -> Ruling:
    """Answer what was said then; amendments that could not be made were a refusal then as well."""
    ruling = rule(entry.decisions)
    if entry.outcome is Outcome.FAILED and entry.error:
        names = _contradicting(ruling, entry.error)
        return _refusing(names, entry.error) if names else ruling
    return ruling


def _contradicting(ruling: Ruling, recorded: str) -> list[str]:
    """Answer whose amendments could not be made, by the sentence that was recorded of it."""
    amending = sorted({each.policy for each in ruling.amendments})
    if recorded == InvalidAmendment.__name__:  # no more is recorded where there are secrets
        return amending
    if not any(recorded.startswith(_beginnings(name)) for name in amending):
        return []
    return [name for name in amending if repr(name) in recorded]


def _beginnings(policy: str) -> tuple[str, ...]:
    """Answer how sentences about amendments that cannot be made begin, up to the first policy."""
    sentences = (
        PolicyConflict([policy], ""),
        PolicyConflict([policy, policy], ""),
        PolicyConflict([policy], "", with_mutation=True),
        InvalidAmendment([policy], "", ""),
    )
    name = repr(policy)
    return tuple(each.message.partition(name)[0] + name for each in sentences)


def _refusing(policies: Iterable[str], told: str) -> Ruling:
    """Answer the refusal of policies whose amendments cannot be made."""
    return rule(deny(told).model_copy(update={"policy": name}) for name in policies)


class _Told(Facts):
    """The facts of then; it notes which a policy wants that are looked up only today.

    Attributes:
        unknown: Those.
        asked: Which of them any policy asked for, in whatever way.
    """

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.unknown: frozenset[str] = frozenset()
        self.asked: set[str] = set()

    def unnoted(self) -> Facts:
        """Answer the same facts, the very objects, for whoever asks without being noted."""
        same = copy(self)
        same.unknown = frozenset()
        return same

    def __getitem__(self, name: str) -> Any:
        self.asked |= self.unknown & {name}
        return super().__getitem__(name)

    def get(self, name: str, default: Any = _UNSAID) -> Any:
        self.asked |= self.unknown & {name}
        return super().get(name) if default is _UNSAID else super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.asked |= self.unknown & {name}
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        self.asked |= self.unknown
        return super().__iter__()

    def __len__(self) -> int:
        self.asked |= self.unknown
        return super().__len__()

    @property
    def missing(self) -> Mapping[str, Missing]:
        self.asked |= self.unknown
        return super().missing


def _told(recorded: Mapping[str, JsonValue], looked_up: AbstractSet[str]) -> _Told:
    """Answer the facts of then as today's domain would tell them.

    What it does not look up for these mutations is missing, as it is in the engine, whatever was
    known then: a policy that reads it denies everything from now on.

    Args:
        recorded: The facts in the record.
        looked_up: The names that the domain looks up today.

    Raises:
        InvalidValue: It is no record of facts.
    """
    known = recorded.get("looked_up")
    if isinstance(known, dict):
        gone = known.keys() - looked_up
        recorded = {name: value for name, value in recorded.items() if name not in gone}
        recorded["looked_up"] = {n: how for n, how in known.items() if n not in gone}
    facts = _Told.read(recorded)
    facts.unknown = frozenset(looked_up - set(facts))
    return facts


class _Listening(Policy):
    """A policy that is told its facts by somebody who notes what it asks for."""

    def __init__(self, policy: Policy, told: _Told) -> None:
        self._policy = policy
        self._told = told
        self.name = policy.name
        self.version = policy.version
        self.enforce = policy.enforce
        self.timeout = policy.timeout

    def applies(self, mutation: Mutation[Any]) -> bool:
        return self._policy.applies(mutation)

    def answer(self, question: Question) -> PolicyDecision | None:
        return self._policy.answer(replace(question, facts=self._told))

    def evaluate(self, *question: Any) -> PolicyDecision:
        return self._policy.evaluate(*question)


def _listening(policy: Policy, told: _Told) -> Policy:
    """Note what a policy asks for, unless it only observes, in each of its parts."""
    if not policy.enforce:
        return policy
    if not isinstance(policy, Composition):
        return _Listening(policy, told)
    composed = copy(policy)
    composed.parts = tuple(_listening(part, told) for part in policy.parts)
    return composed


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


def _adds(ruling: Ruling) -> frozenset[bytes]:
    """Answer what policies add to the effect, whoever of them says so."""
    amendments = (each.model_dump(exclude={"policy"}) for each in ruling.amendments)
    told = (each.model_dump(mode="json") for each in ruling.side_effects)
    return frozenset(canonical(each) for each in (*amendments, *told))


def _said(ruling: Ruling) -> Said:
    deciding = [d for d in ruling.decisions if d.enforced and d.verdict is ruling.verdict]
    more = () if ruling.verdict is Verdict.DENY else _besides(ruling)
    return Said(
        verdict=ruling.verdict,
        policies=ruling.determined_by,
        requirements=tuple(requirement.describe() for requirement in ruling.requirements),
        reasons=tuple(dict.fromkeys([*(d.reason for d in deciding if _has_reason(d)), *more])),
    )


def _has_reason(decision: PolicyDecision) -> bool:
    """Answer whether its reason is not just the paths that it amends, as it is by default."""
    paths = "; ".join(f"{each.op} {each.path}" for each in decision.amendments)
    return decision.reason not in {"", paths}


def _besides(ruling: Ruling) -> Sequence[str]:
    """Say in words what a ruling does besides to let it pass."""
    said = [
        f"{each.op} {each.path or 'the whole state'}"
        + (f" to {_short(each.value)}" if each.op == "set" else "")
        + (", overriding" if each.override else "")
        for each in ruling.amendments
    ]
    said += [f"tell {each.contract}" for each in ruling.side_effects]
    return [*said, f"on drift {ruling.strategy.value}"] if ruling.strategy else said


def _short(value: JsonValue) -> str:
    written = canonical(value).decode()
    return written if len(written) <= SHOWN else f"{written[: SHOWN - 3]}..."


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
