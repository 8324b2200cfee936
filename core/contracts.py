"""What side effects say, by contract: a payload model with a name and a version.

```python
class PriceChanged(Payload, contract="price.changed", version=2):
    product: str
    cents: int


SideEffect.of(PriceChanged(product="standard", cents=900))  # in `apply`

match Contracts([PriceChangedV1, PriceChanged]).read(effect):  # in whatever acts on it
    case PriceChanged(product=product, cents=cents): ...
    case PriceChangedV1(product=product): ...
    case dict() as unknown: ...
```

A payload carries no secrets: it is recorded, and handed to others, as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from pydantic import JsonValue, ValidationError

from .errors import DefinitionError, InvalidValue
from .model import Value
from .reading import read, require_readable
from .secrets import secret_paths
from .validation import Severity

if TYPE_CHECKING:
    from .effects import SideEffect

OnFailure: TypeAlias = Literal["record", "compensate"]

_NAME = re.compile(r"[^\s/]{1,200}")


@dataclass(frozen=True, slots=True)
class Contract:
    """What is agreed for the side effects of one kind.

    Attributes:
        name: What it is called, for whoever acts on it.
        version: The version of the payload's form, 1 or more; several can be in use.
        severity: How much it matters, unless the side effect says otherwise.
        requires_action: Whether somebody has to act on it; always where it is critical.
        on_failure: What a handler that fails for good leads to.
    """

    name: str
    version: int = 1
    severity: Severity = Severity.INFO
    requires_action: bool = False
    on_failure: OnFailure = "record"


class Payload(Value):
    """What a side effect says. Subclass it, and name the contract as a class argument.

    The class arguments are the attributes of `Contract`, its name as `contract`; a class without
    `contract` is a base for others. Fields that a reader does not know are ignored.

    Raises:
        DefinitionError: The name is empty or has spaces or slashes, or the version is below 1.
    """

    __contract__: ClassVar[Contract | None] = None

    def __init_subclass__(
        cls,
        *,
        contract: str | None = None,
        version: int = 1,
        severity: Severity = Severity.INFO,
        requires_action: bool = False,
        on_failure: OnFailure = "record",
        **kwargs: Any,
    ) -> None:
        """Keep what is agreed."""
        super().__init_subclass__(**kwargs)
        if contract is None:
            return
        if not _NAME.fullmatch(contract):
            raise DefinitionError(
                f"{cls.__name__}: {contract!r} is no contract name; it has 1 to 200 characters, "
                "without spaces and slashes."
            )
        if version < 1:
            raise DefinitionError(f"{cls.__name__}: a contract's first version is 1.")
        cls.__contract__ = Contract(contract, version, severity, requires_action, on_failure)


def contract_of(payload: type[Payload]) -> Contract:
    """Answer what is agreed for a payload model.

    Raises:
        DefinitionError: It names no contract, has secret fields, or would not be read as it is
            written.
    """
    if payload.__contract__ is None:
        raise DefinitionError(
            f"{payload.__name__} names no contract; write "
            f'class {payload.__name__}(Payload, contract="..."): ...'
        )
    if paths := secret_paths(payload):
        raise DefinitionError(
            f"{payload.__name__} has secret fields ({', '.join(paths)}), and a side effect is "
            "recorded and handed to others; say where the secret is kept instead."
        )
    require_readable(payload)
    return payload.__contract__


class Contracts:
    """The contracts that a reader of side effects knows; several versions of one at once.

    Args:
        payloads: The payload models.

    Raises:
        DefinitionError: Two are of the same contract and version, or one is none; see
            `contract_of`.
    """

    def __init__(self, payloads: Iterable[type[Payload]]) -> None:
        self._known: dict[tuple[str, int], type[Payload]] = {}
        for payload in payloads:
            contract = contract_of(payload)
            other = self._known.setdefault((contract.name, contract.version), payload)
            if other is not payload:
                raise DefinitionError(
                    f"{other.__name__} and {payload.__name__} are both {contract.name} "
                    f"v{contract.version}; give the newer form another version."
                )

    def read(self, side_effect: SideEffect) -> Payload | dict[str, JsonValue]:
        """Answer the payload of a known contract, and plain data of an unknown one.

        Raises:
            InvalidValue: The contract is known and the payload does not validate.
        """
        name = f"{side_effect.contract} v{side_effect.contract_version}"
        known = self._known.get((side_effect.contract, side_effect.contract_version))
        if known is None:
            return side_effect.payload
        try:
            return read(known, side_effect.payload)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the whole"
            message = f"The payload of {name} does not validate: {where}: {first['msg']}"
            raise InvalidValue(message) from error
