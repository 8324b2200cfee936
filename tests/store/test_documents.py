"""Values to text: what no document can hold is refused by name."""

from __future__ import annotations

import pytest

from core.errors import InvalidValue
from core.validation import Issue
from store import documents

HALF = "caf\udce9"


def test_g8_what_cannot_be_written_is_refused_by_name_and_so_never_tried_again() -> None:
    with pytest.raises(InvalidValue, match="A Issue cannot be written as a document"):
        documents.write(Issue(code="a", message=HALF))
    with pytest.raises(InvalidValue, match="A value cannot be written as a document"):
        documents.write_json({"a": HALF})
    with pytest.raises(InvalidValue, match="A value cannot be written as a document"):
        documents.write_json({HALF: 1})
