"""The pure pipeline: observers, policies, check, apply, amendments, change set, observers, entries.

```python
engine = Engine(clock=time.monotonic, new_id=lambda: uuid4().hex)
result = engine.execute(IncreaseQuota(amount=20), Quota(limit=100), context=..., facts=...)
```

The engine stores nothing. A committed result carries the new state and its history entry; whoever
called decides what becomes of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Generic

from pydantic import JsonValue, ValidationError

from . import executor, policy
from .amendments import amended
from .audit import AuditEntry, MutationRecord, Subject
from .changes import ChangeSet, diff, identity_keys
from .context import ExecutionContext, Mode, MutationContext
from .digests import digest, jsonable
from .effects import Effect, EffectPreview, SideEffect
from .errors import ExecutionCanceled, ExecutionTimeout, MutatorError, WrongType
from .facts import Facts
from .history import HistoryEntry
from .metrics import Metrics
from .mutation import Intent, Mutation, S
from .observers import Observer, notify
from .options import DEFAULT, Options
from .policy import Policy, PolicyDecision, Question, Ruling, Verdict
from .result import ExecutionResult, Outcome
from .validation import Issue, errors_of


def _never() -> bool:
    return False


def record(mutation: Mutation[Any]) -> MutationRecord:
    """Write a mutation as a value: type, schema version, parameters, digest of the three."""
    parameters = jsonable(mutation)
    assert isinstance(parameters, dict)  # noqa: S101 - a model dumps to a mapping; for the type checker
    return MutationRecord.model_construct(
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
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        new_id: Callable[[], str],
        options: Options = DEFAULT,
        observers: Sequence[Observer] = (),
    ) -> None:
        """Keep what is handed in."""
        self._clock = clock
        self._new_id = new_id
        self._options = options
        self._observers = tuple(sorted(observers, key=lambda o: o.order))

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
        canceled: Callable[[], bool] = _never,
    ) -> ExecutionResult[S]:
        """Run one or several mutations on a state, as one change, all or nothing.

        Args:
            mutations: What to apply, in order; the policies see each with the state before it.
            state: The state before. It is not altered.
            context: Who asks and why; its mode says how far to go.
            facts: What the policies are told; `facts.at` is the time in the entries.
            policies: All are asked, whatever the others say.
            subject: What the run is about, copied into the entries.
            records: The mutations as values, when the caller has them already.
            canceled: Answers whether the run has been cancelled.

        Returns:
            A result for every ending. It never raises for what author code does.
        """
        many = (mutations,) if isinstance(mutations, Mutation) else tuple(mutations)
        run = ExecutionContext(
            execution_id=self._new_id(),
            started_at=self._clock(),
            timeout=self._options.timeout,
            clock=self._clock,
            canceled=canceled,
        )
        attempt = _Attempt(
            many,
            state,
            context=context,
            facts=facts,
            policies=policies,
            subject=subject or Subject(state_id=""),
            records=records,
            run=run,
            options=self._options,
        )
        failures: list[str] = []
        watching: list[Observer] = []
        notify(
            self._observers,
            lambda o: watching.append(o) if o.applies(attempt.intent, context) else None,
            failures,
        )
        notify(watching, lambda o: o.before(many, run), failures)
        result = attempt.finish()
        notify(watching[::-1], lambda o: _after(o, result, run), failures)
        return replace(result, observer_failures=tuple(failures)) if failures else result

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
    ) -> ExecutionResult[S]:
        """Answer the result of a run that never came back: timed out, nothing kept.

        Whoever runs the engine in a thread calls it after leaving that thread behind.
        """
        run = ExecutionContext(
            execution_id=self._new_id(),
            started_at=self._clock(),
            timeout=self._options.timeout,
            clock=self._clock,
        )
        attempt = _Attempt(
            mutations,
            state,
            context=context,
            facts=facts,
            policies=(),
            subject=subject,
            records=records,
            run=run,
            options=self._options,
        )
        return attempt.late(error)


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
        run: ExecutionContext,
        options: Options,
    ) -> None:
        self.mutations = mutations
        self.before = state
        self.context = context
        self.facts = facts
        self.policies = policies
        self.subject = subject
        self.records = tuple(records or ())
        self.run = run
        self.options = options
        self.intent = Intent(operation="unknown")
        self.unreadable: Exception | None = None
        self.stages: dict[str, float] = {}
        self.by_policy: dict[str, float] = {}
        self.asked = 0
        self.ruling = Ruling()
        self.issues: tuple[Issue, ...] = ()
        self.effect = Effect()
        self.side_effects: tuple[SideEffect, ...] = ()
        self.applied: S = state
        self.after: S = state
        self.document: JsonValue = None
        self.effect_digest: str | None = None
        self.changed = False
        try:
            if records is None:
                self.records = tuple(map(record, mutations))
            self.intent = Intent.united([m.intent for m in mutations])
        except Exception as error:  # noqa: BLE001 - author code may raise anything; it is an ending
            self.unreadable = error

    def finish(self) -> ExecutionResult[S]:
        """Go as far as the mode asks for and answer how it ended."""
        try:
            return self._result(self._go())
        except ExecutionTimeout as error:
            return self._result(Outcome.TIMED_OUT, error)
        except ExecutionCanceled as error:
            return self._result(Outcome.CANCELED, error)
        except Exception as error:  # noqa: BLE001 - author code may raise anything; it is an ending
            return self._result(Outcome.FAILED, error)

    def late(self, error: ExecutionTimeout) -> ExecutionResult[S]:
        """Answer that it took too long, without going anywhere."""
        return self._result(Outcome.TIMED_OUT, error)

    def _go(self) -> Outcome:
        mode = self.context.mode
        if self.unreadable is not None:
            raise self.unreadable
        self.run.raise_if_over()
        document = jsonable(self.before)
        if self._apply_all():
            return Outcome.BLOCKED if self.ruling.verdict is Verdict.DENY else Outcome.INVALID
        self._keep(document)
        self.run.raise_if_over()
        if self.options.check_determinism:
            self._apply_again(document)
        if mode is Mode.VALIDATE:
            return Outcome.VALIDATED
        if mode is Mode.SIMULATE:
            return Outcome.SIMULATED
        return Outcome.BLOCKED if self._unmet() else Outcome.COMMITTED

    def _apply_all(self) -> bool:
        """Ask, check and apply one mutation after the other; answer whether a "no" stopped it.

        What was said until then is kept, however it ends.
        """
        decisions: list[PolicyDecision] = []
        issues: list[Issue] = []
        checking = self.context.mode is not Mode.SIMULATE or self.options.always_validate
        state, state_type = self.before, type(self.before)
        try:
            for position, mutation in enumerate(self.mutations):
                self._ask_all(mutation, state, position, decisions)
                if checking:
                    issues.extend(self._timed("check", partial(_checked, mutation, state)))
                if errors_of(issues) or any(
                    d.enforced and d.verdict is Verdict.DENY for d in decisions
                ):
                    return True
                state, effects = self._timed(
                    "apply", partial(executor.run, mutation, state, state_type, self.run)
                )
                self.side_effects += effects
        finally:
            self.ruling = policy.rule(decisions)
            self.issues = tuple(issues)
        self.after = state
        return False

    def _ask_all(
        self, mutation: Mutation[S], state: S, position: int, decisions: list[PolicyDecision]
    ) -> None:
        began = self.run.clock()
        question = Question(mutation, state, self.context, self.facts, position, self.run.clock)
        for each in self.policies:
            started = self.run.clock() if self.options.detailed_metrics else 0.0
            decision = policy.ask(each, question)
            if decision is None:
                continue
            decisions.append(decision)
            self.asked += 1
            if self.options.detailed_metrics:
                spent = self.run.clock() - started
                self.by_policy[each.name] = self.by_policy.get(each.name, 0.0) + spent
        self.stages["policies"] = self.stages.get("policies", 0.0) + self.run.clock() - began

    def _keep(self, before: JsonValue) -> None:
        began = self.run.clock()
        document, state_type = _written(self.after), type(self.before)
        changes = diff(before, document, identity=identity_keys(state_type))
        if changes:
            read = _read_back(state_type, document)
            if type(self.after) is not state_type or read != self.after:
                # What will be read is not what was answered ("120" for 120): write what is read.
                document = _written(read)
                changes = diff(before, document, identity=identity_keys(state_type))
            self.after = read
        self.applied = self.after
        if self.ruling.amendments:
            document = self._amend(document, changes)
            changes = diff(before, document, identity=identity_keys(state_type))
        effects = (*self.side_effects, *self.ruling.side_effects)
        effect = Effect.model_construct(changes=changes, side_effects=effects)
        self.effect_digest = _digested(effect)
        self.effect, self.document, self.changed = effect, document, bool(changes)
        self.stages["changes"] = self.run.clock() - began

    def _amend(self, document: JsonValue, changes: ChangeSet) -> JsonValue:
        made = amended(type(self.before), document, changes, self.ruling.amendments)
        self.after = made.state
        self.issues += made.issues
        return made.document

    def _apply_again(self, document: JsonValue) -> None:
        if jsonable(self.before) != document:
            message = "The mutation altered the state it was given; answer a new one instead."
            raise WrongType(message)
        state = self.before
        side_effects: tuple[SideEffect, ...] = ()
        for mutation in self.mutations:
            state, effects = executor.run(mutation, state, type(self.before), self.run)
            side_effects += effects
        if type(self.before).model_validate(jsonable(state)) != self.applied or (
            side_effects != self.side_effects
        ):
            message = "The mutation gave another result the second time; `apply` must be pure."
            raise WrongType(message)

    def _timed(self, stage: str, call: Callable[[], Any]) -> Any:
        began = self.run.clock()
        try:
            return call()
        finally:
            self.stages[stage] = self.stages.get(stage, 0.0) + self.run.clock() - began

    def _unmet(self) -> tuple[Any, ...]:
        return self.ruling.unmet(self.facts.fulfilled)

    def _result(self, outcome: Outcome, error: Exception | None = None) -> ExecutionResult[S]:
        committed = outcome is Outcome.COMMITTED
        told = outcome.is_success or bool(self.effect.changes)
        version = self.subject.version + 1 if committed and self.changed else self.subject.version
        audit = AuditEntry.model_construct(
            schema_version=1,
            execution_id=self.run.execution_id,
            subject=self.subject,
            at=self.facts.at,
            version_before=self.subject.version,
            version_after=version if committed else None,
            state_digest=None,
            mutations=self.records,
            intent=self.intent,
            context=self.context,
            facts=self.facts.recorded(),
            decisions=self.ruling.decisions,
            issues=self.issues,
            effect_digest=self.effect_digest if told else None,
            effect=EffectPreview.of(self.effect) if told else None,
            outcome=outcome,
            error=None if error is None else _sentence(error),
        )
        history = None
        if committed and self.changed:
            history = HistoryEntry.model_construct(
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
        return ExecutionResult(
            outcome=outcome,
            execution_id=self.run.execution_id,
            intent=self.intent,
            ruling=self.ruling,
            audit=audit,
            state=self.after if shows else None,
            document=self.document if shows else None,
            effect=self.effect,
            issues=self.issues,
            unmet=self._unmet() if outcome is Outcome.BLOCKED else (),
            history=history,
            error=error,
            metrics=Metrics.model_construct(
                stages=self.stages,
                total=self.run.elapsed(),
                policies=self.asked,
                changes=len(self.effect.changes.changes),
                state_bytes=None,
                by_policy=self.by_policy,
            ),
        )


def _checked(mutation: Mutation[S], state: S) -> tuple[Issue, ...]:
    return tuple(mutation.check(state))


def _written(state: Any) -> JsonValue:
    """Write a state as plain data; a value its model does not allow is the mutation's mistake."""
    try:
        return jsonable(state)
    except MutatorError as error:
        message = f"`apply` answered a state that no document can hold: {error}"
        raise WrongType(message) from error


def _digested(effect: Effect) -> str:
    try:
        return effect.digest()
    except MutatorError as error:
        message = f"`apply` answered an effect that no document can hold: {error}"
        raise WrongType(message) from error


def _read_back(state_type: type[S], document: JsonValue) -> S:
    """Read the new state as the next request will: `model_copy(update=...)` does not validate."""
    try:
        return state_type.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "/".join(str(part) for part in first["loc"])
        message = (
            f"`apply` answered a {state_type.__name__} that does not validate: "
            f"{where or 'the whole'}: {first['msg']}"
        )
        raise WrongType(message) from error


def _sentence(error: Exception) -> str:
    text = str(error) if isinstance(error, MutatorError) else f"{type(error).__name__}: {error}"
    return text[:500]
