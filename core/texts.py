"""Texts that whatever keeps or shows them can hold: no half character, no NUL, and names in a line.

What people and author code say in words is written anew where it enters (`writable`), as a text
that nothing can hold must not keep a "no" from being recorded. What is matched or digested is
refused instead: written anew it would be another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, overload

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, JsonValue
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function


@overload
def writable(said: str) -> str: ...
@overload
def writable(said: JsonValue) -> JsonValue: ...
def writable(said: JsonValue) -> JsonValue:
    r"""Answer a text, or every text of plain JSON data, as one that every document can hold.

    Half of a character (a lone surrogate, as the name of a file can have) and NUL, which
    PostgreSQL has no place for, are written as escapes: `\udce9`, `\x00`. Anything else is answered
    as it is.
    """
    if isinstance(said, str):
        if said.isascii() and "\0" not in said:
            return said
        return said.encode("utf-8", "backslashreplace").decode().replace("\0", r"\x00")
    if isinstance(said, dict):
        return {writable(name): writable(value) for name, value in said.items()}
    if isinstance(said, list):
        return [writable(item) for item in said]
    return said


@dataclass(frozen=True, slots=True)
class Without:
    r"""Refuses texts that have one of some characters; for the type of a model's field.

    Attributes:
        characters: Which, as they stand between the brackets of a regular expression: `\u0000`.
        sentence: Why, for whoever sent it.
    """

    characters: str
    sentence: str

    def held(self, text: str) -> str:
        """Answer the text as it is.

        Raises:
            ValueError: It has such a character.
        """
        if found := re.search(f"[{self.characters}]", text):
            raise ValueError(f"{self.sentence}, such as U+{ord(found[0]):04X} in it")
        return text

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Look after everything that stands before it."""
        return no_info_after_validator_function(self.held, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Say it in the schema, too."""
        return handler(schema) | {"pattern": f"^[^{self.characters}]*$"}


ONE_LINE: Final = Without(r"\u0000-\u001f\u007f-\u009f", "a name or id has no control character")
"""Refuses the characters of category Cc, among them NUL, tabs and ends of lines."""

NO_NUL: Final = Without(r"\u0000", "a text has no NUL")
"""Refuses NUL, which PostgreSQL has no place for."""

Name = Annotated[str, ONE_LINE]
"""A name or an id, without control characters."""
