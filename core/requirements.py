"""What policies demand first, and the names that policies and domains use for it.

Their rules (who counts, when one is met, what survives drift) live in `core.governance`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, Field, JsonValue, ValidationError, field_validator

from .budgets import Budget, Quota
from .calendars import Calendar, Timing
from .digests import digest, jsonable
from .errors import DefinitionError, InvalidValue
from .model import Value
from .texts import ONE_LINE, Name

M = TypeVar("M", bound=Value)

EVERYTHING = ("",)
"""The `covers` of a requirement that answers for the whole effect."""


class RequirementKind(StrEnum):
    """The kinds this version knows; an unknown kind blocks."""

    APPROVAL = "approval"
    CHECK = "check"
    SCHEDULE = "schedule"
    DEPENDENCY = "dependency"
    QUOTA = "quota"
    REVIEW = "review"


BY_PEOPLE: Final = frozenset({RequirementKind.APPROVAL, RequirementKind.REVIEW})
"""The kinds that people answer, each from a seat; the others are looked at."""

LAST_STEP: Final = 1000
"""The step of what is taken last, when everything else is met: quota."""

LONGEST: Final = timedelta(days=3650)
"""How long a request may live, and so anything about it."""

_NAMING: Final = ("name", "key", "budget_id", "calendar_id")
"""Parameters that name something, which is asked for by this name."""

ANY: Final = "any"
"""The kind of a requirement that is met when one of its alternatives is; see `either`."""


class Strategy(StrEnum):
    """What happens when the state moved or the effect changed, strict to loose."""

    REJECT_STALE = "reject_stale"
    REQUIRE_RENEWED_APPROVAL = "require_renewed_approval"
    KEEP_IF_UNAFFECTED = "keep_if_unaffected"
    REVALIDATE_ON_LATEST = "revalidate_on_latest"

    @property
    def rank(self) -> int:
        """Answer the place in the order; the strictest is 0."""
        return list(Strategy).index(self)

    @staticmethod
    def strictest(strategies: Iterable[Strategy | None]) -> Strategy:
        """Answer the strictest of those named, or the default when none is."""
        named = [s for s in strategies if s is not None]
        return min(named, key=lambda s: s.rank, default=Strategy.KEEP_IF_UNAFFECTED)


class Who(Value):
    """Who may answer: people, roles, groups, any mix. Ids are compared in lower case."""

    people: tuple[Name, ...] = ()
    roles: tuple[Name, ...] = ()
    groups: tuple[Name, ...] = ()

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """Answer the names as they stand in search attributes: `user:ana`, `role:security`."""
        return tuple(
            dict.fromkeys(
                f"{kind}:{name}".lower()
                for kind, names in (
                    ("user", self.people),
                    ("role", self.roles),
                    ("group", self.groups),
                )
                for name in names
            )
        )

    def __bool__(self) -> bool:
        """Answer whether anybody is named."""
        return bool(self.people or self.roles or self.groups)

    def describe(self) -> str:
        """Answer the names for people to read."""
        return ", ".join(self.tokens) or "nobody"


def _bounded(span: timedelta) -> timedelta:
    if not timedelta(0) < span <= LONGEST:
        raise ValueError(
            f"give more than nothing and at most {LONGEST.days} days; no request lives longer, so "
            f"that is for what never ends; not {span}"
        )
    return span


Span = Annotated[timedelta, AfterValidator(_bounded)]
"""More than nothing, and at most `LONGEST`: whatever it is added to, there is such a time."""


class Requirement(Value):
    """Something a policy demands before a request may execute.

    Attributes:
        kind: One of `RequirementKind`; another one blocks.
        who: Who may answer (approval, review).
        needed: How many of them must.
        refusals: How many refusals reject the request; `None`: when the quorum cannot be reached.
        step: Those of one step run side by side; a later step opens when the earlier is done.
        duration: How long it may stay open; `None`: as long as the request.
        covers: Which part of the effect it answers for, as JSON Pointer prefixes.
        reason_required: Whether an answer must give a reason.
        title: What people read; not part of its identity.
        demanded_by: The policies that demand it; not part of its identity.
        parameters: What the other kinds need.
        lifetime: How long a grant counts; then it is asked again. `None`: see `Domain.lifetimes`.
        remind_before: How long before its deadline those who may answer are reminded.
        escalate_after: How long it may be open before others may answer it as well.
        escalate_to: Who they are.
        alternatives: Of kind `ANY`: sets of requirements, one of which has to be met whole. Its
            `step` is the earliest of theirs; within an alternative their steps go on in order.
    """

    kind: Name
    who: Who = Who()
    needed: Annotated[int, Field(ge=1, le=100)] = 1
    refusals: Annotated[int, Field(ge=1, le=100)] | None = 1
    step: Annotated[int, Field(ge=1, le=LAST_STEP)] = 1
    duration: Span | None = None
    covers: tuple[str, ...] = EVERYTHING
    reason_required: bool = False
    title: str = ""
    demanded_by: tuple[str, ...] = ()
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    lifetime: Span | None = None
    remind_before: Span | None = None
    escalate_after: Span | None = None
    escalate_to: Who = Who()
    alternatives: tuple[tuple[Requirement, ...], ...] = ()

    @field_validator("parameters")
    @classmethod
    def _names_in_a_line(cls, parameters: dict[str, JsonValue]) -> dict[str, JsonValue]:
        named = [parameters[each] for each in _NAMING if each in parameters]
        requests = parameters.get("requests")
        for name in (*named, *(requests if isinstance(requests, list) else ())):
            if isinstance(name, str):
                ONE_LINE.held(name)
        return parameters

    def retitled(self, say: Callable[[str], str]) -> Requirement:
        """Answer it, and with it its alternatives, under titles that are said otherwise."""
        alternatives = tuple(tuple(each.retitled(say) for each in way) for way in self.alternatives)
        return self.model_copy(update={"title": say(self.title), "alternatives": alternatives})

    @cached_property
    def id(self) -> str:
        """Answer the identity: a digest of what is demanded, not of who demands it or how."""
        demanded: dict[str, Any] = {
            "kind": self.kind,
            "who": sorted(self.who.tokens),
            "needed": self.needed,
            "refusals": self.refusals,
            "step": self.step,
            "covers": sorted(self.covers),
            "seconds": None if self.duration is None else self.duration.total_seconds(),
            "parameters": self.parameters,
        }
        times = {
            "lifetime": self.lifetime,
            "remind_before": self.remind_before,
            "escalate_after": self.escalate_after,
        }
        demanded |= {name: t.total_seconds() for name, t in times.items() if t is not None}
        if self.escalate_to:
            demanded["escalate_to"] = sorted(self.escalate_to.tokens)
        if self.alternatives:
            demanded["alternatives"] = [[r.id for r in way] for way in self.alternatives]
        return f"{self.kind}-{digest(demanded).rpartition(':')[2][:20]}"

    def answered_by(self, *, escalated: bool = False) -> tuple[str, ...]:
        """Answer the names of who may answer it; once it is escalated, of others as well."""
        if not escalated:
            return self.who.tokens
        return tuple(dict.fromkeys((*self.who.tokens, *self.escalate_to.tokens)))

    def is_met(self, fulfilled: Collection[str]) -> bool:
        """Answer whether it, or of kind `ANY` the whole of one of its alternatives, is fulfilled.

        Args:
            fulfilled: The ids of the requirements that have been met.
        """
        ways = [way for way in self.alternatives if way] if self.kind == ANY else []
        return self.id in fulfilled or any(all(r.is_met(fulfilled) for r in way) for way in ways)

    @staticmethod
    def approval(
        *,
        people: Iterable[str] = (),
        roles: Iterable[str] = (),
        groups: Iterable[str] = (),
        needed: int | None = None,
        refusals: int | None = 1,
        step: int = 1,
        duration: timedelta | None = None,
        covers: Iterable[str] = EVERYTHING,
        reason_required: bool = False,
        title: str = "",
        lifetime: timedelta | None = None,
        remind_before: timedelta | None = None,
        escalate_after: timedelta | None = None,
        escalate_to: Who | None = None,
    ) -> Requirement:
        """Demand that `needed` of the people, roles and groups grant the request.

        Raises:
            DefinitionError: Nobody is named, or `needed` is missing where more than one could
                decide, or more people are needed than are named and nobody else could; a bare
                text stands where names belong, or a name is empty; nothing is covered, or what is
                no JSON Pointer; a time is not above zero, or above `LONGEST`; an escalation names a
                time and nobody, or the reverse; a field is out of its bounds.
        """
        who = _who(people, roles, groups)
        if not who:
            message = "An approval names nobody; give people, roles or groups."
            raise DefinitionError(message)
        return _by_people(
            RequirementKind.APPROVAL,
            who,
            needed,
            refusals=refusals,
            step=step,
            duration=duration,
            covers=_pointers(covers),
            reason_required=reason_required,
            title=title,
            lifetime=lifetime,
            remind_before=remind_before,
            escalate_after=escalate_after,
            escalate_to=escalate_to or Who(),
        )

    @staticmethod
    def review(
        *,
        people: Iterable[str] = (),
        roles: Iterable[str] = (),
        groups: Iterable[str] = (),
        needed: int | None = None,
        step: int = 1,
        duration: timedelta | None = None,
        covers: Iterable[str] = EVERYTHING,
        reason_required: bool = True,
        title: str = "",
        lifetime: timedelta | None = None,
        remind_before: timedelta | None = None,
        escalate_after: timedelta | None = None,
        escalate_to: Who | None = None,
    ) -> Requirement:
        """Demand that reviewers look at the request and answer by `fulfil`, with their findings.

        One that fails rejects the request. People are matched to reviews and approvals together:
        one person has one seat.

        Raises:
            DefinitionError: As for `approval`.
        """
        who = _who(people, roles, groups)
        if not who:
            message = "A review names nobody; give people, roles or groups."
            raise DefinitionError(message)
        return _by_people(
            RequirementKind.REVIEW,
            who,
            needed,
            step=step,
            duration=duration,
            covers=_pointers(covers),
            reason_required=reason_required,
            title=title,
            lifetime=lifetime,
            remind_before=remind_before,
            escalate_after=escalate_after,
            escalate_to=escalate_to or Who(),
        )

    @staticmethod
    def check(
        name: str,
        *,
        parameters: Mapping[str, JsonValue] | None = None,
        people: Iterable[str] = (),
        roles: Iterable[str] = (),
        groups: Iterable[str] = (),
        bound_to: Literal["effect", "mutation"] = "effect",
        covers: Iterable[str] = EVERYTHING,
        step: int = 1,
        duration: timedelta | None = None,
        title: str = "",
    ) -> Requirement:
        """Demand that a check of the domain passes.

        Args:
            name: Of a `Check` or `Callback` of the domain.
            parameters: What the check is told besides the request.
            people: Who may answer a callback.
            roles: Likewise.
            groups: Likewise.
            bound_to: Whether it is asked again when the effect changed, or holds for the mutation.
            covers: Which part of the effect it judges.
            step: See `Requirement`.
            duration: How long it may take.
            title: What people read.

        Raises:
            DefinitionError: As for `approval`; or the check has no name, or its parameters no
                canonical form.
        """
        if not name:
            message = "A check has a name: that of a Check or Callback of the domain."
            raise DefinitionError(message)
        return _made(
            kind=RequirementKind.CHECK,
            who=_who(people, roles, groups),
            step=_step(step),
            duration=duration,
            covers=_pointers(covers),
            title=title,
            parameters={
                "name": name,
                "bound_to": bound_to,
                "given": dict(parameters or {}),
            },
        )

    @staticmethod
    def schedule(
        *,
        not_before: datetime | None = None,
        calendar: Calendar | str | None = None,
        duration: timedelta | None = None,
        title: str = "",
    ) -> Requirement:
        """Demand a moment: past an instant, in a window of a calendar and outside its freezes.

        It is looked at again whenever the request is about to execute.

        Args:
            not_before: The instant; aware.
            calendar: The calendar, or the id of a state that is one.
            duration: How long to wait for such a moment.
            title: What people read.

        Raises:
            DefinitionError: Nothing is demanded, or the instant has no offset.
        """
        by_id = isinstance(calendar, str)
        timing = _read(
            Timing,
            not_before=not_before,
            calendar=None if by_id else calendar,
            calendar_id=calendar if by_id else None,
        )
        return _made(
            kind=RequirementKind.SCHEDULE,
            duration=duration,
            title=title,
            parameters=_parameters(timing),
        )

    @staticmethod
    def dependency(
        *request_ids: str, duration: timedelta | None = None, title: str = ""
    ) -> Requirement:
        """Demand that other requests are Executed, and not compensated since.

        They must be in the record already, from before the request that depends on them, so that
        no circle can be written.

        Raises:
            DefinitionError: No request is named, or more than `MAX_REQUESTS`, or a name is empty.
        """
        named = sorted(set(request_ids))
        if not 1 <= len(named) <= MAX_REQUESTS:
            message = f"A dependency names 1 to {MAX_REQUESTS} requests, not {len(named)}."
            raise DefinitionError(message)
        if "" in named:
            message = "A dependency names no request in ''."
            raise DefinitionError(message)
        return _made(
            kind=RequirementKind.DEPENDENCY,
            duration=duration,
            title=title,
            parameters={"requests": [*named]},
        )

    @staticmethod
    def quota(
        key: str,
        budget: Budget | str,
        *,
        amount: int = 1,
        duration: timedelta | None = None,
        title: str = "",
    ) -> Requirement:
        """Demand room in a budget; it is taken last, and in the order of asking.

        Args:
            key: Which budget; whoever names the same key shares it, so whatever it is for stands
                in it, such as the state: `f"deploys/{facts['state_id']}"`.
            budget: The budget, or the id of a state that is one.
            amount: How much this request takes.
            duration: How long to wait for room.
            title: What people read.

        Raises:
            DefinitionError: The key is empty or longer than 200 characters, or the amount is out
                of its bounds.
        """
        by_id = isinstance(budget, str)
        quota = _read(
            Quota,
            key=key,
            amount=amount,
            budget=None if by_id else budget,
            budget_id=budget if by_id else None,
        )
        return _made(
            kind=RequirementKind.QUOTA,
            step=LAST_STEP,
            duration=duration,
            title=title,
            parameters=_parameters(quota),
        )

    @cached_property
    def is_whole(self) -> bool:
        """Answer whether something here can meet it: its kind is known, and it says what it needs.

        What a policy makes by hand, without a constructor, may not.
        """
        try:
            match self.kind:
                case RequirementKind.SCHEDULE:
                    return bool(self.timing)
                case RequirementKind.QUOTA:
                    return bool(self.wanted)
                case RequirementKind.CHECK:
                    return bool(self.check_name)
                case RequirementKind.DEPENDENCY:
                    return bool(self.requests)
                case _:
                    return self.kind in BY_PEOPLE or bool(self.alternatives)
        except ValidationError:
            return False

    @cached_property
    def timing(self) -> Timing:
        """Answer what a schedule demands."""
        return Timing.model_validate(self.parameters)

    @cached_property
    def wanted(self) -> Quota:
        """Answer what a quota demands."""
        return Quota.model_validate(self.parameters)

    @property
    def requests(self) -> tuple[str, ...]:
        """Answer the ids a dependency names."""
        named = self.parameters.get("requests")
        return tuple(str(each) for each in named) if isinstance(named, list) else ()

    @property
    def check_name(self) -> str:
        """Answer which check is demanded."""
        return str(self.parameters.get("name", ""))

    @property
    def is_bound_to_effect(self) -> bool:
        """Answer whether it is asked again when the part of the effect it covers changed."""
        return self.kind in BY_PEOPLE or (
            self.kind == RequirementKind.CHECK and self.parameters.get("bound_to") != "mutation"
        )

    def describe(self) -> str:
        """Answer in words what is demanded."""
        match self.kind:
            case _ if self.alternatives and not self.title:
                ways = (
                    " and ".join(
                        f"({r.describe()})" if r.alternatives else r.describe() for r in way
                    )
                    for way in self.alternatives
                )
                return f"either {'; or '.join(ways)}"
            case RequirementKind.APPROVAL:
                words = f"{self.needed} of {self.who.describe()}"
            case RequirementKind.REVIEW:
                words = f"review by {self.needed} of {self.who.describe()}"
            case _ if not self.is_whole:
                return self.title or self.kind
            case RequirementKind.CHECK:
                words = f"check {self.check_name}"
            case RequirementKind.SCHEDULE:
                words = self.timing.describe()
            case RequirementKind.DEPENDENCY:
                words = f"{_few(self.requests)} executed"
            case RequirementKind.QUOTA:
                words = self.wanted.describe()
            case _:
                return self.title or self.kind
        return f"{self.title}: {words}" if self.title else words


MAX_REQUESTS: Final = 200
"""How many requests one may depend on."""


def _by_people(kind: RequirementKind, who: Who, needed: int | None, **more: Any) -> Requirement:
    only_one = len(who.people) == 1 and not who.roles and not who.groups
    if needed is None and not only_one:
        message = f"Say how many of {who.describe()} are needed; there is no default."
        raise DefinitionError(message)
    if not who.roles and not who.groups and (needed or 1) > len(who.tokens):
        message = f"{needed} {kind}s cannot come from {who.describe()}."
        raise DefinitionError(message)
    if needed is not None and needed < 1:
        message = f"{kind.capitalize()} needs at least one person."
        raise DefinitionError(message)
    if (more["escalate_after"] is None) == bool(more["escalate_to"]):
        message = "An escalation needs both, escalate_after and escalate_to."
        raise DefinitionError(message)
    _step(more["step"])
    return _made(kind=kind, who=who, needed=needed or 1, **more)


def _made(**fields: Any) -> Requirement:
    """Make a requirement that can be told from others.

    Raises:
        DefinitionError: A field is out of its bounds, or what it says has no canonical form.
    """
    made = _read(Requirement, **fields)
    try:
        _ = made.id
    except InvalidValue as error:
        message = f"A requirement cannot be demanded so: {error.message}"
        raise DefinitionError(message) from error
    return made


def _who(people: Iterable[str], roles: Iterable[str], groups: Iterable[str]) -> Who:
    lists = {"people": people, "roles": roles, "groups": groups}
    for field, names in lists.items():
        _require_list(field, names)
    who = _read(Who, people=tuple(people), roles=tuple(roles), groups=tuple(groups))
    for field in lists:
        if "" in getattr(who, field):
            message = f"{field} names nobody in ''."
            raise DefinitionError(message)
    return who


def _pointers(covers: Iterable[str]) -> tuple[str, ...]:
    _require_list("covers", covers)
    covers = tuple(covers)
    if not covers or any(prefix and not prefix.startswith("/") for prefix in covers):
        message = f"covers takes JSON Pointers, at least one, not {covers!r}."
        raise DefinitionError(message)
    return covers


def _require_list(field: str, names: Iterable[str]) -> None:
    if isinstance(names, str):
        message = f"{field} takes a list of texts, not the text {names!r} alone."
        raise DefinitionError(message)


def _step(step: int) -> int:
    if not 1 <= step < LAST_STEP:
        message = f"A step is 1 to {LAST_STEP - 1}, not {step}."
        raise DefinitionError(message)
    return step


def _read(model: type[M], **fields: Any) -> M:
    try:
        return model(**fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        said = f"{where}: {what}" if where else what
        message = f"A {model.__name__.lower()} cannot be demanded so: {said}."
        raise DefinitionError(message) from error


def _parameters(value: Value) -> dict[str, JsonValue]:
    written = jsonable(value.model_dump(mode="json", exclude_defaults=True))
    assert isinstance(written, dict)  # noqa: S101 - a model is a mapping; this tells the type checker
    return written


def _few(names: Sequence[str], most: int = 3) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def united(requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    """Unite requirements by identity; one demanded by several policies names them all.

    The order is by step, then by id, so the order in which policies are asked changes nothing.
    """
    found: dict[str, Requirement] = {}
    for each in requirements:
        other = found.get(each.id)
        found[each.id] = each if other is None else _as_one(other, each)
    return tuple(sorted(found.values(), key=lambda r: (r.step, r.id)))


def either(sets: Iterable[Iterable[Requirement]]) -> tuple[Requirement, ...]:
    """Answer what is demanded where it suffices to meet the whole of any one set.

    A set that demands all that another does, and more, is no way that anybody needs. Where one
    way is left it is answered as it is, else one requirement of kind `ANY`. A set that is nothing
    but such a requirement counts as its alternatives, so nesting changes nothing.

    Args:
        sets: What each of several policies demands; an empty one demands nothing, so nothing is.
    """
    ways: dict[frozenset[str], tuple[Requirement, ...]] = {}
    for each in sets:
        demanded = united(each)
        alone = len(demanded) == 1 and demanded[0].alternatives
        for way in alone or (demanded,):
            ids = frozenset(r.id for r in way)
            ways[ids] = united((*ways.get(ids, ()), *way))
    least = [way for ids, way in ways.items() if not any(other < ids for other in ways)]
    if len(least) < 2:  # noqa: PLR2004 - an alternative is one of two
        return least[0] if least else ()
    every = [requirement for way in least for requirement in way]
    prefixes = {prefix for r in every for prefix in r.covers}
    return (
        Requirement(
            kind=ANY,
            step=min(r.step for r in every),
            covers=EVERYTHING if "" in prefixes else tuple(sorted(prefixes)),
            demanded_by=tuple(sorted({name for r in every for name in r.demanded_by})),
            alternatives=tuple(sorted(least, key=lambda way: [r.id for r in way])),
        ),
    )


def _as_one(one: Requirement, other: Requirement) -> Requirement:
    """Answer one of two requirements of the same identity."""
    return one.model_copy(
        update={
            "demanded_by": tuple(sorted({*one.demanded_by, *other.demanded_by})),
            "title": min(filter(None, (one.title, other.title)), default=""),
            "reason_required": one.reason_required or other.reason_required,
            "alternatives": tuple(
                tuple(map(_as_one, *ways))
                for ways in zip(one.alternatives, other.alternatives, strict=True)
            ),
        }
    )
