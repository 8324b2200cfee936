"""Texts that every document can hold, and names in a line."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import JsonValue, TypeAdapter, ValidationError

from core.texts import Name, writable

ANY_TEXT = st.text(st.characters() | st.characters(categories=["Cs", "Cc"]))


def is_held(text: str) -> bool:
    return "\0" not in text and not any(unicodedata.category(c) == "Cs" for c in text)


@given(ANY_TEXT)
@example("caf\udce9")
@example("a\0b")
def test_a_text_is_written_anew_exactly_where_nothing_could_hold_it(text: str) -> None:
    written = writable(text)

    assert is_held(written)
    assert (written == text) is is_held(text)
    assert writable(written) == written


def test_what_is_written_anew_can_still_be_told() -> None:
    assert writable("caf\udce9") == r"caf\udce9"
    assert writable("a\0b") == r"a\x00b"


def test_all_texts_of_data_are_written_anew_and_nothing_else() -> None:
    data: JsonValue = {"caf\udce9": ["\0", 1, None, True, {"a": "é\n"}]}

    assert writable(data) == {r"caf\udce9": [r"\x00", 1, None, True, {"a": "é\n"}]}


@given(ANY_TEXT)
@example("a\x85")
@example("a\n")
def test_a_name_has_no_control_character_and_its_schema_says_so(text: str) -> None:
    name: TypeAdapter[str] = TypeAdapter(Name)
    pattern = json.loads(json.dumps(name.json_schema()))["pattern"].removesuffix("$") + r"\Z"
    allowed = not any(unicodedata.category(c) == "Cc" for c in text)

    assert (re.match(pattern, text) is not None) is allowed
    if allowed:
        assert name.validate_python(text) == text
    else:
        with pytest.raises(ValidationError, match=r"control character, such as U\+00"):
            name.validate_python(text)
