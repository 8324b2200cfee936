"""One evaluation of a request on the state as it is; assess, resolve, execute, preview share it.

Author code runs in a thread of its own, without a handle on the store; at its deadline the
evaluation answers a time-out and drops what the thread brings.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel

from core.audit import MutationRecord, Subject
from core.checks import Callback
from core.context import Mode
from core.domain import Domain
from core.engine import Engine, record
from core.errors import (
    AUTHORS,
    DefinitionError,
    ExecutionTimeout,
    InputAltered,
    InvalidAmendment,
    InvalidParameters,
    InvalidValue,
    MutatorError,
    PolicyConflict,
    UnknownMutation,
    UnknownName,
)
from core.facts import Facts
from core.governance.alternatives import every
from core.governance.assessment import Assessment, CheckPlan, Plan, assess
from core.governance.people import Directory
from core.governance.request import MutationRequest, Rejection
from core.governance.waits import demands
from core.mutation import Mutation
from core.observers import Observer
from core.policy import digest_of_policies
from core.requirements import Requirement, RequirementKind
from core.result import ExecutionResult, Outcome
from core.secrets import told
from core.survey import survey
from store.protocol import StoredState

from .author_code import in_thread
from .looking import look
from .outside import Outside
from .states import declared_by, first_version, state_digest

log = logging.getLogger("mutator.evaluation")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A request read against its domain: everything an evaluation needs."""

    domain: Domain[Any]
    mutations: tuple[Mutation[Any], ...]
    records: tuple[MutationRecord, ...]
    state: BaseModel
    stored: StoredState


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation found: the run of the engine, and the assessment made of it."""

    loaded: Loaded
    facts: Facts
    result: ExecutionResult[Any]
    assessment: Assessment

    @property
    def held(self) -> str | None:
        """Answer why the request is better held than rejected, where it is; a "no" stays one."""
        if self.lacking is not None:
            return self.lacking
        if raised(self.result) and self.loaded.domain.on_error == "hold":
            return self.result.audit.error or "The mutation raised."
        return None

    @property
    def lacking(self) -> str | None:
        """Answer which facts were missing where policies could not do without."""
        rejection = self.assessment.rejection
        if self.result.outcome is not Outcome.BLOCKED or not self.facts.missing:
            return None
        if rejection is None or rejection.code != "policy_failed":
            return None
        missing = [f"{name} ({each.reason})" for name, each in self.facts.missing.items()]
        return f"Policies need what is missing now: {', '.join(missing)}."


def raised(result: ExecutionResult[Any]) -> bool:
    """Answer whether author code raised, which may pass; what policies contradict is a "no"."""
    contradicted = isinstance(result.error, PolicyConflict | InvalidAmendment)
    return result.outcome is Outcome.FAILED and not contradicted


def load(outside: Outside, request: MutationRequest, stored: StoredState | None) -> Loaded:
    """Read a request and the state it is about.

    Args:
        outside: The domains.
        request: What is asked for.
        stored: The state as the store has it; nothing when it was never opened.

    Raises:
        UnknownName: The domain, the mutation or the state is unknown.
        InvalidParameters: The parameters do not validate.
        InvalidValue: The state cannot be read, or a mutation reads differently than before.
    """
    domain = outside.domains.of(request.state_id)
    mutations = tuple(_read(outside, domain, each) for each in request.mutations)
    records = tuple(_written(outside, each) for each in mutations)
    for wished, read in zip(request.mutations, records, strict=True):
        # Before its assessment a request has what the caller wrote, who may leave defaults out.
        if request.snapshot is not None and wished.digest != read.digest:
            raise InvalidValue(
                f"{wished.type} v{wished.schema_version} is no longer read as it was when it was "
                "assessed. Register the form of then, or raise the schema version of the new one."
            )
    if stored is None:
        stored = first_version(outside, domain, request.state_id)
    state = domain.read_state(stored.document, stored.schema_version)
    if declared_by(domain).holds_secret:
        # What was stored may be of a form, or a key, of then.
        stored = stored.model_copy(update={"digest": state_digest(outside, domain, state)})
    return Loaded(domain, mutations, records, state, stored)


def with_deadline(request: MutationRequest, loaded: Loaded, *, own: bool) -> MutationRequest:
    """Answer a request before its assessment, with the deadline that it will have.

    Args:
        request: As it was submitted.
        loaded: Its domain says how long requests live that name no deadline.
        own: Whether it names one.
    """
    if own:
        return request
    expires_at = request.created_at + loaded.domain.expires_in
    return request.model_copy(update={"expires_at": expires_at})


def evaluate(
    outside: Outside,
    request: MutationRequest,
    loaded: Loaded,
    *,
    facts: Facts,
    mode: Mode,
    directory: Directory,
) -> Evaluation:
    """Run the engine on what was loaded; an exception of author code is tried once more.

    Args:
        outside: Time, ids, and what stands for secrets.
        request: What is asked for.
        loaded: See `load`.
        facts: What policies are told, looked up before; `facts.at` is the workflow's time.
        mode: How far to go.
        directory: Who could answer what is demanded.
    """
    domain = loaded.domain
    engine = _engine(outside, domain, domain.observers)
    subject = Subject(
        state_id=request.state_id,
        version=loaded.stored.version,
        request_id=request.request_id,
        kind=request.kind,
        round=request.round,
        metadata=request.metadata,
    )

    about: dict[str, Any] = {
        "context": request.context.in_mode(mode),
        "facts": facts,
        "subject": subject,
        "records": loaded.records,
        "state_digest": loaded.stored.digest,
    }
    on = loaded.mutations, loaded.state
    run = partial(engine.execute, *on, policies=domain.policies, **about)
    try:
        result = in_thread(run, domain.options.timeout)
        # What altered what was loaded would be run again on what it made of it.
        if raised(result) and not isinstance(result.error, InputAltered):
            result = in_thread(run, domain.options.timeout)
    except ExecutionTimeout as late:
        result = _engine(outside, domain).dropped(*on, error=late, **about)
        if domain.observers:
            lost = partial(engine.dropped, *on, error=late, **about)
            with suppress(ExecutionTimeout):  # it may be an observer that does not come back
                result = in_thread(lost, domain.options.timeout)
    for failure in result.observer_failures:
        log.warning("An observer of %s raised: %s", request.request_id, failure)
    assessment = assessment_of(request, loaded, result, directory)
    if assessment.rejection is None and (
        found := look(outside, request, assessment.requirements, facts.at)
    ):
        assessment = assessment.model_copy(update={"findings": found})
    return Evaluation(loaded, facts, result, assessment)


def _engine(outside: Outside, domain: Domain[Any], observers: Sequence[Observer] = ()) -> Engine:
    return Engine(
        clock=outside.clock,
        new_id=outside.new_id,
        options=domain.options,
        observers=observers,
        redactor=outside.redactor,
    )


def assessment_of(
    request: MutationRequest,
    loaded: Loaded,
    result: ExecutionResult[Any],
    directory: Directory,
) -> Assessment:
    """Make the assessment of a run."""
    domain = loaded.domain
    author_code = domain.options.timeout + domain.longest_lookup(loaded.records)
    assessment = assess(
        result,
        state_digest=loaded.stored.digest,
        policy_set_digest=digest_of_policies(domain.policies),
        strategy=domain.strategy,
        expires_in=domain.expires_in,
        directory=directory,
        requesters=request.requester_ids,
        plan=Plan(local=domain.is_local(loaded.records), timeout=min(author_code + 25, 60)),
        demands=demands(request),
        lifetimes=domain.lifetimes,
        on_state_moved=domain.on_state_moved,
    )
    checks = checks_of(domain, assessment.requirements)
    if not checks:
        return assessment
    plan = assessment.plan.model_copy(update={"checks": checks})
    return assessment.model_copy(update={"plan": plan})


def checks_of(domain: Domain[Any], requirements: Iterable[Requirement]) -> dict[str, CheckPlan]:
    """Answer how each check is asked that is demanded, and registered, by its name."""
    demanded = {r.check_name for r in every(requirements) if r.kind == RequirementKind.CHECK}
    registered = [check for name in sorted(demanded) if (check := domain.check(name)) is not None]
    return {
        check.name: CheckPlan(
            files=isinstance(check, Callback), timeout=check.timeout, retries=check.retries
        )
        for check in registered
    }


def stranger_of(request: MutationRequest, directory: Directory) -> Rejection | None:
    """Answer the rejection of a requester whom the directory does not know, or nothing."""
    actor = request.context.actor_id
    if directory.find(actor) is not None:
        return None
    message = (
        f"The directory does not know the requester {actor!r}. Check the id, or add them to it."
    )
    return Rejection(category="policy", code="unauthenticated", message=message)


def unknown_of(error: MutatorError) -> Rejection:
    """Answer the rejection of a request that names what cannot be read at submission."""
    code = "invalid_parameters"
    if isinstance(error, UnknownName):
        code = "unknown_mutation" if isinstance(error, UnknownMutation) else "unknown_state"
    return Rejection(category="validation", code=code, message=error.message)


def _read(outside: Outside, domain: Domain[Any], wished: MutationRecord) -> Mutation[Any]:
    """Make the mutation again, with the secrets that its parameters name.

    Raises:
        UnknownMutation: It is not registered.
        InvalidParameters: They do not validate, or a secret is not there.
        DefinitionError: It has secrets, and there is nowhere to find them.
    """
    mutation_type: type[Mutation[Any]] = domain.mutation(wished.type, wished.schema_version or None)
    declared = survey(mutation_type)
    if not declared.holds_secret:
        return domain.read_record(wished)
    if outside.secrets is None:
        raise DefinitionError(f"{wished.type} takes secrets, and there is no folder to find them.")
    mutation = domain.read_record(outside.secrets.opened(domain.name, wished, declared))
    try:
        outside.secrets.opened(domain.name, _written(outside, mutation), declared)
    except InvalidParameters as lost:
        raise InvalidParameters(
            f"{wished.type} has a secret that would not be found again once it was assessed: a "
            "default, or one that its model reads as another value than the file holds. Name every "
            "secret, and write each as it is read.",
            mutation_type=wished.type,
        ) from lost
    return mutation


def _written(outside: Outside, mutation: Mutation[Any]) -> MutationRecord:
    """Write the mutation as everybody may see it.

    Raises:
        DefinitionError: It has secrets and nothing stands for them.
        InvalidValue: It cannot be written.
    """
    try:
        return record(mutation, outside.redactor)
    except DefinitionError:
        raise
    except AUTHORS as error:
        raise InvalidValue(
            f"{mutation.name()} cannot be written: {told(error, [survey(type(mutation))])}"
        ) from error
