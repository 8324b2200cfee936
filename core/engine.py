"""The pure pipeline: observers, policies, check, apply, amendments, change set, observers, entries.

```python
engine = Engine(clock=time.monotonic, new_id=lambda: uuid4().hex)
result = engine.execute(IncreaseQuota(amount=20), Quota(limit=100), context=..., facts=...)
```

The engine stores nothing. A committed result carries the new state and its history entry; whoever
called decides what becomes of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, Generic

from pydantic import BaseModel, JsonValue

from . import executor, policy, states
from .amendments import amended
from .audit import AuditEntry, MutationRecord, Subject
from .changes import ChangeSet, diff
from .context import ExecutionContext, Mode, MutationContext, never
from .digests import canonical, digest, jsonable
from .effects import Effect, EffectPreview, SideEffect
from .errors import (
    AUTHORS,
    DefinitionError,
    ExecutionCanceled,
    ExecutionTimeout,
    InputAltered,
    MutatorError,
    PolicyConflict,
    WrongType,
)
from .facts import Facts
from .handed import Handed
from .history import HistoryEntry
from .metrics import Metrics
from .model import V, built
from .mutation import Intent, Mutation, S
from .observers import Observer, notify
from .options import DEFAULT, Options
from .policy import Policy, PolicyDecision, Question, Ruling, Verdict
from .result import ExecutionResult, Outcome
from .secrets import Mask, Redactor, redact, redact_given, require_redactor, told
from .survey import Survey, survey
from .texts import writable
from .validation import Issue, errors_of

_UNKNOWN: Final = Intent(operation="unknown")
_NO_RULING: Final = Ruling()
_NO_EFFECT: Final = Effect()
_NOTHING_HANDED: Final = Handed({})
_SOMEBODY: Final = "A policy, `check` or `apply`"
_UNREAD: Final = (Survey(secret=True),)
_QUOTING_NOTHING: Final = (
    *(DefinitionError, ExecutionCanceled, ExecutionTimeout, InputAltered, PolicyConflict),
)
"""Errors whose texts are made of names, paths and durations."""


def record(mutation: Mutation[Any], redactor: Redactor | None = None) -> MutationRecord:
    """Write a mutation as a value: type, schema version, parameters, digest of the three.

    Raises:
        DefinitionError: A parameter is secret and there is no redactor.
    """
    parameters = redact(jsonable(mutation), survey(type(mutation)), redactor)
    assert isinstance(parameters, dict)  # noqa: S101 - a model dumps to a mapping; for the type checker
    return built(
        MutationRecord,
        type=mutation.name(),
        schema_version=mutation.schema_version,
        parameters=parameters,
        digest=digest([mutation.name(), mutation.schema_version, parameters]),
    )


class Engine:
    """Runs mutations. Pure: time and ids are handed in, nothing is stored.

    Args:
        clock: Monotonic seconds, for durations and deadlines only.
        new_id: Answers a new execution id.
        options: Deadlines and checks; see `Options`.
        observers: Watch every run.
        redactor: Stands for secrets in everything but the new state; needed where there are any.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        new_id: Callable[[], str],
        options: Options = DEFAULT,
        observers: Sequence[Observer] = (),
        redactor: Redactor | None = None,
    ) -> None:
        """Keep what is handed in."""
        self._redactor = redactor
        self._clock = clock
        self._new_id = new_id
        self._options = options
        self._observers = tuple(sorted(observers, key=lambda o: o.order))

    @property
    def options(self) -> Options:
        """Answer the deadlines and checks it was given."""
        return self._options

    def execute(
        self,
        mutations: Mutation[S] | Sequence[Mutation[S]],
        state: S,
        *,
        context: MutationContext,
        facts: Facts,
        policies: Sequence[Policy] = (),
        subject: Subject | None = None,
        records: Sequence[MutationRecord] | None = None,
        state_digest: str | None = None,
        canceled: Callable[[], bool] = never,
    ) -> ExecutionResult[S]:
        """Run one or several mutations on a state, as one change, all or nothing.

        Args:
            mutations: What to apply, in order; the policies see each with the state before it.
            state: The state before. It is not altered.
            context: Who asks and why; its mode says how far to go.
            facts: What the policies are told; `facts.at` is the time in the entries.
            policies: All are asked about a mutation, whatever the others say; where one of them
                denies, or the check refuses, nobody is asked about the mutations after it.
            subject: What the run is about, copied into the entries.
            records: The mutations as values, when the caller has them already. Those that have
                secrets are written again, without them.
            state_digest: The digest of the state before, when the caller has it, for the entry.
            canceled: Answers whether the run has been cancelled.

        Returns:
            A result for every ending. It never raises for what author code does.
        """
        many = (mutations,) if isinstance(mutations, Mutation) else tuple(mutations)
        attempt = _Attempt(
            many,
            state,
            context=context,
            facts=facts,
            policies=policies,
            subject=subject or Subject(state_id=""),
            records=records,
            state_digest=state_digest,
            run=self._begin(canceled),
            options=self._options,
            redactor=self._redactor,
        )
        if not self._observers:
            return attempt.finish()
        failures: list[str] = []
        watching = self._watching(attempt, failures)
        notify(watching, lambda o: o.before(many, attempt.run), failures, attempt.secret)
        # The time that observers take is none of the run's.
        attempt.run = replace(attempt.run, started_at=self._clock())
        return _watched(attempt, attempt.finish(), watching, failures)

    def _begin(self, canceled: Callable[[], bool] = never) -> ExecutionContext:
        return ExecutionContext(
            execution_id=self._new_id(),
            started_at=self._clock(),
            timeout=self._options.timeout,
            clock=self._clock,
            canceled=canceled,
        )

    def dropped(
        self,
        mutations: Sequence[Mutation[S]],
        state: S,
        *,
        context: MutationContext,
        facts: Facts,
        subject: Subject,
        records: Sequence[MutationRecord],
        error: ExecutionTimeout,
        state_digest: str | None = None,
    ) -> ExecutionResult[S]:
        """Answer the result of a run that never came back: timed out, nothing kept.

        Whoever runs the engine in a thread calls it after leaving that thread behind. Observers
        have seen that run begin; they see it fail here.
        """
        attempt = _Attempt(
            mutations,
            state,
            context=context,
            facts=facts,
            policies=(),
            subject=subject,
            records=records,
            state_digest=state_digest,
            run=self._begin(),
            options=self._options,
            redactor=self._redactor,
        )
        failures: list[str] = []
        watching = self._watching(attempt, failures)
        return _watched(attempt, attempt.late(error), watching, failures)

    def _watching(self, attempt: _Attempt[S], failures: list[str]) -> list[Observer]:
        """Answer the observers that want to see this run."""
        watching: list[Observer] = []
        notify(
            self._observers,
            lambda o: watching.append(o) if o.applies(attempt.intent, attempt.context) else None,
            failures,
            attempt.secret,
        )
        return watching


def _watched(
    attempt: _Attempt[S], result: ExecutionResult[S], watching: list[Observer], failures: list[str]
) -> ExecutionResult[S]:
    """Show how a run ended, last first, and answer it with what observers raised."""
    if watching:
        _ = result.document  # what an observer made of the state would be written otherwise
    notify(watching[::-1], lambda o: _after(o, result, attempt.run), failures, attempt.secret)
    return replace(result, observer_failures=tuple(failures)) if failures else result


def _after(observer: Observer, result: ExecutionResult[Any], run: ExecutionContext) -> None:
    match result.outcome:
        case Outcome.BLOCKED:
            observer.blocked(result, run)
        case Outcome.INVALID:
            observer.invalid(result, run)
        case Outcome.FAILED | Outcome.TIMED_OUT | Outcome.CANCELED:
            observer.failed(result, run)
        case _:
            observer.after(result, run)


class _Attempt(Generic[S]):
    """One run's working memory; lives as long as `Engine.execute`."""

    def __init__(
        self,
        mutations: Sequence[Mutation[S]],
        state: S,
        *,
        context: MutationContext,
        facts: Facts,
        policies: Sequence[Policy],
        subject: Subject,
        records: Sequence[MutationRecord] | None,
        state_digest: str | None,
        run: ExecutionContext,
        options: Options,
        redactor: Redactor | None,
    ) -> None:
        self.mutations = mutations
        self.before = state
        self.context = context
        self.facts = facts
        self.policies = policies
        self.subject = subject
        self.state_digest = state_digest
        self.records: tuple[MutationRecord, ...] = ()
        # What holds secrets; until the models have been read, anything might.
        self.secret: tuple[Survey, ...] = _UNREAD
        self.run = run
        self.options = options
        self.redactor = redactor
        self.intent = _UNKNOWN
        self.unreadable: BaseException | None = None
        self.handed = _NOTHING_HANDED
        self.stages: dict[str, float] = {}
        self.by_policy: dict[str, float] = {}
        self.asked = 0
        self.ruling = _NO_RULING
        self.issues: tuple[Issue, ...] = ()
        self.effect = _NO_EFFECT
        self.side_effects: tuple[SideEffect, ...] = ()
        self.after: S = state
        self.effect_digest: str | None = None
        self.changed = False
        try:
            if len({each.name for each in policies}) < len(policies):
                policy.check_names(policies)
            declared = survey(type(state))
            written = [survey(type(m)) for m in mutations]
            self.secret = tuple(each for each in (declared, *written) if each.holds_secret)
            require_redactor(redactor, declared)
            if records is None or any(each.holds_secret for each in written):
                records = [record(m, redactor) for m in mutations]
            self.records = tuple(records)
            self.intent = Intent.united([_intent(m) for m in mutations])
            self.handed = self._hand(state, *mutations)
        except AUTHORS as error:  # author code may raise anything; it is an ending
            self.unreadable = error

    def finish(self) -> ExecutionResult[S]:
        """Go as far as the mode asks for and answer how it ended."""
        try:
            return self._result(self._go())
        except ExecutionTimeout as error:
            return self._result(Outcome.TIMED_OUT, error)
        except ExecutionCanceled as error:
            return self._result(Outcome.CANCELED, error)
        except AUTHORS as error:  # author code may raise anything; it is an ending
            return self._result(Outcome.FAILED, error)

    def late(self, error: ExecutionTimeout) -> ExecutionResult[S]:
        """Answer that it took too long, without going anywhere."""
        return self._result(Outcome.TIMED_OUT, error)

    def _go(self) -> Outcome:
        mode = self.context.mode
        if self.unreadable is not None:
            raise self.unreadable
        self.run.raise_if_over()
        try:
            stopped = self._apply_all()
        except InputAltered:
            raise
        except AUTHORS:
            _hold(self.handed, _SOMEBODY)
            raise
        _hold(self.handed, _SOMEBODY)
        if stopped:
            return Outcome.BLOCKED if self.ruling.verdict is Verdict.DENY else Outcome.INVALID
        self._keep()
        self.run.raise_if_over()
        if mode is Mode.VALIDATE:
            return Outcome.VALIDATED
        if mode is Mode.SIMULATE:
            return Outcome.SIMULATED
        return Outcome.BLOCKED if self._unmet() else Outcome.COMMITTED

    def _apply_all(self) -> bool:
        """Ask, check and apply one mutation after the other; answer whether a "no" stopped it.

        What was said until then is kept, however it ends.
        """
        clock = self.run.clock
        decisions: list[PolicyDecision] = []
        issues: list[Issue] = []
        checking = self.context.mode is not Mode.SIMULATE or self.options.always_validate
        strict = self.options.check_determinism
        state, state_type = self.before, type(self.before)
        stage, began = "policies", clock()
        try:
            for position, mutation in enumerate(self.mutations):
                handed = self._hand(state, mutation) if strict else _NOTHING_HANDED
                self._ask_all(mutation, state, position, decisions)
                _hold(handed, "A policy", mutation)
                stage, began = self._timed(stage, began, "check")
                if checking:
                    issues.extend(_found(mutation, state))
                    _hold(handed, f"{mutation.name()}.check", mutation)
                if errors_of(issues) or any(
                    d.verdict is Verdict.DENY and d.enforced for d in decisions
                ):
                    return True
                stage, began = self._timed(stage, began, "apply")
                given = state
                state, effects = executor.run(mutation, given, state_type, self.run)
                self.side_effects += effects
                if strict:
                    _hold(handed, f"{mutation.name()}.apply", mutation)
                    again = executor.run(mutation, given, state_type, self.run)
                    _hold(handed, f"{mutation.name()}.apply", mutation)
                    if again[1] != effects or jsonable(again[0]) != jsonable(state):
                        message = (
                            f"{mutation.name()}.apply gave another result the second time; "
                            "it must be pure."
                        )
                        raise WrongType(message, mutation_type=mutation.name())
                if position + 1 < len(self.mutations):  # the next is given what would be read
                    state, _ = states.settle(given, state)
                stage, began = self._timed(stage, began, "policies")
        finally:
            self._timed(stage, began, stage)
            self.ruling = policy.rule(decisions)
            self.issues = tuple(issues)
            self.after = state
        return False

    def _timed(self, stage: str, began: float, following: str) -> tuple[str, float]:
        """Add what a stage took since it began; answer the one that follows, beginning now."""
        now = self.run.clock()
        self.stages[stage] = self.stages.get(stage, 0.0) + now - began
        return following, now

    def _hand(self, state: S, *mutations: Mutation[S]) -> Handed:
        """Keep what author code is handed as it is."""
        asked = {f"the parameters of {each.name()}": each for each in mutations}
        told = {f"the fact {name!r}": self.facts.get(name, None) for name in self.facts}
        said = {"the context's metadata": self.context.metadata}
        return Handed({"the state": state, **asked, **said, **told})

    def _ask_all(
        self, mutation: Mutation[S], state: S, position: int, decisions: list[PolicyDecision]
    ) -> None:
        question = Question(mutation, state, self.context, self.facts, position, self.run.clock)
        for each in self.policies:
            began = self.run.clock() if self.options.detailed_metrics else 0.0
            decision = policy.ask(each, question)
            if decision is None:
                continue
            decisions.append(decision)
            self.asked += 1
            if self.options.detailed_metrics:
                spent = self.run.clock() - began
                self.by_policy[each.name] = self.by_policy.get(each.name, 0.0) + spent

    def _keep(self) -> None:
        """Find out what changed, amendments included, and what the new state is read as."""
        began = self.run.clock()
        self.after, changes = states.settle(self.before, self.after)
        if self.ruling.amendments:
            changes = self._amend(changes)
        self.changed = bool(changes)
        effect = built(
            Effect,
            changes=self._shown(changes),
            side_effects=_masked((*self.side_effects, *self.ruling.side_effects), self._mask()),
        )
        self.effect_digest = _digested(effect)
        self.effect = effect
        self._timed("changes", began, "changes")

    def _amend(self, changes: ChangeSet) -> ChangeSet:
        """Make the policies' changes in the new state, and answer all changes."""
        made = amended(type(self.before), jsonable(self.after), changes, self.ruling.amendments)
        self.after = made.state
        self.issues += made.issues
        return diff(jsonable(self.before), made.document, identity=survey(type(self.before)))

    def _shown(self, changes: ChangeSet) -> ChangeSet:
        """Answer the changes as everybody may see them: compared again where there are secrets."""
        declared = survey(type(self.before))
        if not declared.holds_secret:
            return changes
        before, after = (
            redact(jsonable(each), declared, self.redactor) for each in (self.before, self.after)
        )
        return diff(before, after, identity=declared)

    def _unmet(self) -> tuple[Any, ...]:
        return self.ruling.unmet(self.facts.fulfilled)

    def _sentence(self, error: BaseException) -> str:
        ours = MutatorError if not self.secret else _QUOTING_NOTHING
        said = str(error) if isinstance(error, ours) else told(error, self.secret)
        return writable(said)[:500]

    def _mask(self) -> Mask | None:
        """Answer what finds this run's secrets in words; nothing where it has none."""
        if not self.secret or self.redactor is None:
            return None
        mask = Mask(self.redactor)
        run: tuple[BaseModel, ...] = (self.before, self.after, *self.mutations)
        for each in run:
            with suppress(Exception):  # what cannot be written stands nowhere
                mask.look_for(jsonable(each), survey(type(each)))
        return mask

    def _hide(self, mask: Mask) -> None:
        """Replace the secrets in what author code said: at their places, and where it quotes them.

        What a requirement's identity is made of stays, or an answer to it would be lost.
        """
        self.issues = tuple(
            issue.model_copy(
                update={
                    "message": mask.text(issue.message),
                    "attempted": None
                    if issue.attempted is None
                    else mask.data(self._given(issue.attempted, issue.path)),
                }
            )
            for issue in self.issues
        )
        self.ruling = self.ruling.model_copy(
            update={
                "decisions": tuple(self._hidden(each, mask) for each in self.ruling.decisions),
                "requirements": tuple(r.retitled(mask.text) for r in self.ruling.requirements),
            }
        )
        said = self.intent.model_dump(mode="json")
        if (hidden := mask.data(said)) != said:
            self.intent = Intent.model_validate(hidden)

    def _hidden(self, decision: PolicyDecision, mask: Mask) -> PolicyDecision:
        amendments = (
            each.model_copy(update={"value": mask.data(self._given(each.value, each.path))})
            if each.op == "set"
            else each
            for each in decision.amendments
        )
        return decision.model_copy(
            update={
                "reason": mask.text(decision.reason),
                "metadata": mask.data(decision.metadata),
                "amendments": tuple(amendments),
                "requirements": tuple(r.retitled(mask.text) for r in decision.requirements),
                "side_effects": _masked(decision.side_effects, mask),
                "parts": tuple(self._hidden(each, mask) for each in decision.parts),
            }
        )

    def _given(self, value: JsonValue, path: str) -> JsonValue:
        return redact_given(value, path, self.secret, self.redactor)

    def _result(self, outcome: Outcome, error: BaseException | None = None) -> ExecutionResult[S]:
        committed = outcome is Outcome.COMMITTED
        shows_effect = outcome.is_success or bool(self.effect.changes)
        facts = self.facts.recorded()
        if mask := self._mask():
            self._hide(mask)
            facts = {name: mask.data(value) for name, value in facts.items()}
        version = self.subject.version + 1 if committed and self.changed else self.subject.version
        audit = built(
            AuditEntry,
            schema_version=1,
            execution_id=self.run.execution_id,
            subject=self.subject,
            at=self.facts.at,
            version_before=self.subject.version,
            version_after=version if committed else None,
            state_digest=self.state_digest,
            mutations=self.records,
            intent=self.intent,
            context=self.context,
            facts=facts,
            decisions=self.ruling.decisions,
            issues=self.issues,
            effect_digest=self.effect_digest if shows_effect else None,
            effect=EffectPreview.of(self.effect) if shows_effect else None,
            outcome=outcome,
            error=None if error is None else self._sentence(error),
        )
        history = None
        if committed and self.changed:
            history = built(
                HistoryEntry,
                schema_version=1,
                state_id=self.subject.state_id,
                version=version,
                execution_id=self.run.execution_id,
                subject=self.subject,
                at=self.facts.at,
                mutations=self.records,
                intent=self.intent,
                context=self.context,
                changes=self.effect.changes,
                side_effects=self.effect.side_effects,
                decisions=self.ruling.decisions,
            )
        shows = outcome in {Outcome.COMMITTED, Outcome.SIMULATED}
        size = None
        if shows and self.options.detailed_metrics:
            size = len(canonical(self.after))
        return ExecutionResult(
            outcome=outcome,
            execution_id=self.run.execution_id,
            intent=self.intent,
            ruling=self.ruling,
            audit=audit,
            state=self.after if shows else None,
            effect=self.effect,
            issues=self.issues,
            unmet=self._unmet() if outcome is Outcome.BLOCKED else (),
            history=history,
            error=error,
            metrics=built(
                Metrics,
                stages=self.stages,
                total=self.run.elapsed(),
                policies=self.asked,
                changes=len(self.effect.changes.changes),
                state_bytes=size,
                by_policy=self.by_policy,
            ),
        )


def _hold(handed: Handed, who: str, mutation: Mutation[Any] | None = None) -> None:
    """Refuse what altered its input.

    Raises:
        InputAltered: It names what is another than it was, and, where it is known, of whom.
    """
    if what := handed.altered():
        raise InputAltered(what, who, mutation_type=mutation.name() if mutation else None)


def _intent(mutation: Mutation[Any]) -> Intent:
    """Answer the intent of a mutation, in words that can be written.

    Raises:
        WrongType: It is none.
    """
    intent: Any = mutation.intent
    if not isinstance(intent, Intent):
        message = (
            f"{mutation.name()}.intent answered {type(intent).__name__}; it must answer an Intent."
        )
        raise WrongType(message, mutation_type=mutation.name())
    words = {
        "operation": writable(intent.operation),
        "category": writable(intent.category),
        "description": writable(intent.description),
        "tags": tuple(map(writable, intent.tags)),
        "metadata": writable(intent.metadata),
    }
    return _saying(intent, words)


def _found(mutation: Mutation[S], state: S) -> Iterator[Issue]:
    """Yield what the check finds, in words that can be written.

    Raises:
        WrongType: It answers something else than issues.
    """
    answer: Any = mutation.check(state)
    for each in answer if isinstance(answer, Iterable) else (answer,):
        if not isinstance(each, Issue):
            message = (
                f"{mutation.name()}.check answered a {type(each).__name__}; "
                "it must answer issues, as in `yield Issue(...)`."
            )
            raise WrongType(message, mutation_type=mutation.name())
        words = {
            "code": writable(each.code),
            "message": writable(each.message),
            "path": writable(each.path),
            "attempted": writable(each.attempted),
        }
        yield _saying(each, words)


def _saying(said: V, words: Mapping[str, Any]) -> V:
    """Answer a value with these words; itself where it has them already."""
    if all(getattr(said, name) == value for name, value in words.items()):
        return said
    return said.model_copy(update=words)


def _masked(effects: Iterable[SideEffect], mask: Mask | None) -> tuple[SideEffect, ...]:
    """Answer side effects whose payloads quote no secret."""
    if mask is None:
        return tuple(effects)
    return tuple(e.model_copy(update={"payload": mask.data(e.payload)}) for e in effects)


def _digested(effect: Effect) -> str:
    try:
        return effect.digest()
    except MutatorError as error:
        message = f"`apply` answered an effect that no document can hold: {error}"
        raise WrongType(message) from error
