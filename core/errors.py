"""Every error the domain can raise: a sentence about the domain, with its ids as attributes.

```
MutatorError
├── DefinitionError            a domain, policy or requirement is written wrongly (author's mistake)
├── InvalidValue               a value that no document can hold (NaN, an unserialisable object)
├── UnknownDigestScheme        a digest written under a scheme this version does not know
├── ChangeConflict             a change does not fit the value it is applied to
├── UnknownName                something is named that nobody registered
│   ├── UnknownDomain
│   ├── UnknownMutation
│   ├── UnknownState
│   └── UnknownRequest
├── InvalidParameters          a mutation's parameters, or a start payload, do not validate
├── TooLarge                   a value exceeds its bound
├── ExecutionTimeout           `apply` was later than its deadline
├── ExecutionCanceled          the run was cancelled
├── WrongType                  author code answered with something else than it must
├── InputAltered               author code altered what it was given, in place
├── PolicyConflict             a policy amends what the mutation, or another, changed differently
├── InvalidAmendment           a policy amends what the state does not have, or makes it invalid
├── InvalidTransition          the transition table does not allow this move
├── RequestIdReused            the request id belongs to other content
├── DecisionRefused            a message was read and does not count
│   ├── UnknownActor           the directory does not know who sent it
│   ├── Unauthenticated        the sender is not who they say they are
│   ├── NotAuthorised          the sender may not do this
│   ├── SelfApproval           the requester decided on their own request
│   ├── DuplicateDecision      the sender's answer stands already
│   ├── DecisionIdReused       the decision id belongs to other content
│   ├── NothingToWithdraw      the sender has no grant to take back
│   ├── OutdatedBinding        what was shown to the sender is no longer what would be done
│   ├── UnknownRequirement     no requirement of that id is part of the request
│   ├── NotFulfillable         the requirement is no callback check and no review
│   ├── StepNotOpen            the requirement's step has not opened yet
│   ├── ReasonRequired         the requirement asks for a reason
│   ├── DeadlinePassed         the decision came at or after the deadline
│   ├── RequestClosed          the request has ended
│   ├── NothingToRefresh       the request is not waiting
│   ├── NothingToDelegate      the sender has no right on the request to hand on
│   ├── NotSuperseding         the newer request may not take the older one's place
│   ├── TooManyComments        the request has all the comments it can have
│   ├── RequestFull            the request holds all the messages it can hold
│   └── MalformedMessage       the payload does not fit the message
├── DirectoryError             the directory of people cannot be read
└── StoreError                 the store of record
    ├── StoreUnavailable       it cannot be reached, or did not answer; nothing was written
    └── StoreOutdated          its schema is not the one this version needs
```

A caller who wants one question answered catches one class. The class name is the error's `type`
on the wire and never changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

AUTHORS: Final = (Exception, SystemExit)
"""What author code may raise, to be caught and named; an exit in it ends nothing else."""


class MutatorError(Exception):
    """Base of all errors of this project.

    Args:
        message: One sentence that names what was wrong and what to do.
        **details: The ids the sentence is about, kept as attributes and sent over the wire.
    """

    def __init__(self, message: str, **details: Any) -> None:
        """Keep the sentence and the ids it is about."""
        super().__init__(message)
        self.message = message
        self.details = details
        for name, value in details.items():
            setattr(self, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive pickling, whatever the signature of a subclass."""
        return (_rebuild, (type(self), self.message, self.details))

    @property
    def code(self) -> str:
        """The stable name of this error on the wire."""
        return type(self).__name__


def _rebuild(cls: type[MutatorError], message: str, details: dict[str, Any]) -> MutatorError:
    error = cls.__new__(cls)
    MutatorError.__init__(error, message, **details)
    return error


class DefinitionError(MutatorError):
    """A domain, policy or requirement is written wrongly; raised while it is being defined."""


class InvalidValue(MutatorError):
    """A value that no JSON document can hold; `path` says where."""

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message, path=path)


class UnknownDigestScheme(MutatorError):
    """A digest written under a scheme this version does not know."""

    def __init__(self, scheme: str) -> None:
        super().__init__(
            f"The digest scheme {scheme!r} is unknown here; a newer version wrote it.",
            scheme=scheme,
        )


class ChangeConflict(MutatorError):
    """A change does not fit the value it is applied to; `path` says where."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message, path=path)


class UnknownName(MutatorError):
    """Something is named that nobody registered."""


class UnknownDomain(UnknownName):
    """No domain of that name is registered with this worker."""

    def __init__(self, domain: str, known: tuple[str, ...] = ()) -> None:
        names = ", ".join(known) or "none"
        super().__init__(
            f"There is no domain {domain!r} here; registered are: {names}. "
            "Check the state id, or start the worker with --domain.",
            domain=domain,
        )


class UnknownMutation(UnknownName):
    """The domain has no mutation of that type and schema version."""

    def __init__(
        self, domain: str, mutation_type: str, version: int | None, known: tuple[str, ...] = ()
    ) -> None:
        wanted = mutation_type if version is None else f"{mutation_type} v{version}"
        super().__init__(
            f"The domain {domain!r} has no mutation {wanted}; "
            f"registered are: {', '.join(known) or 'none'}.",
            domain=domain,
            mutation_type=mutation_type,
            version=version,
        )


class UnknownState(UnknownName):
    """The state was never written and its domain gives no initial value for it."""

    def __init__(self, state_id: str) -> None:
        super().__init__(
            f"There is no state {state_id!r}: it was never written and its domain has no initial "
            "value for it. Check the key after the slash.",
            state_id=state_id,
        )


class UnknownRequest(UnknownName):
    """Neither Temporal nor the store knows the request."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"There is no request {request_id!r}. Check the id, or list what is open.",
            request_id=request_id,
        )


class InvalidParameters(MutatorError):
    """A mutation's parameters, or a start payload, do not validate."""


class TooLarge(MutatorError):
    """A value exceeds its bound; `limit` and `actual` are in bytes."""


class ExecutionTimeout(MutatorError):
    """`apply` was later than its deadline; both values are in seconds. Nothing was committed."""

    def __init__(self, timeout: float, elapsed: float) -> None:
        super().__init__(
            f"The mutation took {elapsed:.3f} s; its deadline was {timeout:g} s. "
            "Nothing was committed.",
            timeout=timeout,
            elapsed=elapsed,
        )


class ExecutionCanceled(MutatorError):
    """The run was cancelled before it could be committed."""

    def __init__(
        self, message: str = "The execution was cancelled; nothing was committed."
    ) -> None:
        super().__init__(message)


class WrongType(MutatorError):
    """Author code answered something else than it must; `apply`: not the state's type."""


class InputAltered(MutatorError):
    """Author code altered what it was given, in place, instead of answering something new."""

    def __init__(self, what: str, by: str, **details: Any) -> None:
        message = f"{by} altered {what} in place; it must answer something new instead."
        super().__init__(message, what=what, **details)


class PolicyConflict(MutatorError):
    """A policy amends what the mutation, or another policy, changed differently."""

    def __init__(self, policies: Sequence[str], path: str, *, with_mutation: bool = False) -> None:
        names, where = " and ".join(map(repr, policies)), path or "the whole state"
        if with_mutation:
            message = (
                f"What {names} made of {where} is not what the mutation made of it. "
                "Let the policy override, or deny."
            )
        elif len(policies) == 1:
            message = f"The policy {names} amends {where} in two ways at once; let it say one."
        else:
            message = (
                f"The policies {names} amend {where} differently. "
                "Let one of them override, or compose them."
            )
        super().__init__(message, policies=list(policies), path=path)


class InvalidAmendment(MutatorError):
    """A policy amends what the state does not have, or leaves it invalid; `path` says where."""

    def __init__(self, policies: Sequence[str], path: str, why: str) -> None:
        names, where = " and ".join(map(repr, policies)), path or "the whole state"
        super().__init__(
            f"The amendment of {names} to {where} cannot be made: {why}.",
            policies=list(policies),
            path=path,
        )


class InvalidTransition(MutatorError):
    """The transition table does not allow this move; nothing was changed."""

    def __init__(self, request_id: str, current: str, target: str) -> None:
        super().__init__(
            f"Request {request_id!r} is {current} and cannot become {target}.",
            request_id=request_id,
            current=current,
            target=target,
        )


class RequestIdReused(MutatorError):
    """The request id belongs to other content; nothing was started."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"The request id {request_id!r} belongs to a request with other content. "
            "Use a new id for a new wish.",
            request_id=request_id,
        )


class DecisionRefused(MutatorError):
    """A message was read, recorded, and does not count."""


class UnknownActor(DecisionRefused):
    """The directory does not know who sent the message."""


class Unauthenticated(DecisionRefused):
    """The sender did not prove who they are."""


class NotAuthorised(DecisionRefused):
    """The sender may not do this."""


class SelfApproval(DecisionRefused):
    """The requester decided on their own request."""


class DuplicateDecision(DecisionRefused):
    """The sender's answer stands already."""


class DecisionIdReused(DecisionRefused):
    """The decision id belongs to other content of the same sender."""


class NothingToWithdraw(DecisionRefused):
    """The sender has no grant to take back."""


class OutdatedBinding(DecisionRefused):
    """What was shown to the sender is no longer what would be done."""


class UnknownRequirement(DecisionRefused):
    """No requirement of that id is part of the request."""


class NotFulfillable(DecisionRefused):
    """The requirement is no callback check and no review; nobody answers it by `fulfil`."""


class StepNotOpen(DecisionRefused):
    """The requirement's step has not opened yet."""


class ReasonRequired(DecisionRefused):
    """The requirement asks for a reason and none was given."""


class DeadlinePassed(DecisionRefused):
    """The decision came at or after the deadline."""


class RequestClosed(DecisionRefused):
    """The request has ended."""


class NothingToRefresh(DecisionRefused):
    """The request is not waiting, so there is nothing to assess anew."""


class NothingToDelegate(DecisionRefused):
    """The sender has no right on the request to hand on, or not to that person."""


class NotSuperseding(DecisionRefused):
    """The newer request may not take the older one's place; the sentence says why."""


class TooManyComments(DecisionRefused):
    """The request has all the comments it can have."""


class RequestFull(DecisionRefused):
    """The request holds all the messages it can hold; it can be cancelled, and grants withdrawn."""


class MalformedMessage(DecisionRefused):
    """The payload does not fit the message."""


class DirectoryError(MutatorError):
    """The directory of people cannot be read."""


class StoreError(MutatorError):
    """The store of record."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or did not answer; nothing was written."""


class StoreOutdated(StoreError):
    """The store's schema is not the one this version needs."""
