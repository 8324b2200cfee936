"""Reads states: version 0 as its domain gives it, digests, and states that requirements name."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, JsonValue, ValidationError

from core.digests import digest, jsonable
from core.domain import Domain, key_of, problems
from core.errors import AUTHORS, InvalidValue, UnknownState
from core.model import V
from core.secrets import redact, told
from core.survey import Survey, survey
from store.protocol import StoredState

from .outside import Outside


def declared_by(domain: Domain[Any]) -> Survey:
    """Answer what the model of a domain's states declares."""
    model: type[BaseModel] = domain.state
    return survey(model)


def state_digest(outside: Outside, domain: Domain[Any], state: object) -> str:
    """Digest a state as everybody may see it, as a secret that is guessed could be tried on it.

    Args:
        outside: What stands for secrets.
        domain: The state's.
        state: The state, or its document in the newest form.

    Raises:
        DefinitionError: It has secrets and nothing stands for them.
    """
    return digest(redact(jsonable(state), declared_by(domain), outside.redactor))


def first_version(outside: Outside, domain: Domain[Any], state_id: str) -> StoredState:
    """Answer version 0 of a state, as its domain gives it.

    Raises:
        UnknownState: The domain has no initial value for it.
        InvalidValue: The domain cannot say.
    """
    try:
        initial = None if domain.initial is None else domain.initial(key_of(state_id))
        document = None if initial is None else jsonable(initial)
    except AUTHORS as error:
        raise InvalidValue(
            f"The domain {domain.name!r} cannot give the initial value of {state_id!r}: "
            f"{told(error, [declared_by(domain)])}"
        ) from error
    if initial is None:
        raise UnknownState(state_id)
    return StoredState(
        state_id=state_id,
        version=0,
        document=document,
        schema_version=domain.schema_version,
        digest=state_digest(outside, domain, document),
    )


def document_of(outside: Outside, state_id: str) -> JsonValue:
    """Answer the document of a state as it is; one that was never opened is at version 0.

    Raises:
        UnknownName: No domain has such a state.
        InvalidValue: Its domain cannot give its initial value.
    """
    stored = outside.store.state(state_id)
    if stored is None:
        stored = first_version(outside, outside.domains.of(state_id), state_id)
    return stored.document


def read_as(outside: Outside, state_id: str, model: type[V]) -> V:
    """Answer a state that a requirement names, as what the requirement takes it for.

    Raises:
        UnknownName: No domain has such a state.
        InvalidValue: It is something else; the sentence names each field.
    """
    try:
        return model.model_validate(document_of(outside, state_id))
    except ValidationError as error:
        raise InvalidValue(
            f"The state {state_id!r} is no {model.__name__.lower()}: {problems(error)}."
        ) from error
