"""The JSON Schemas beside the documentation are those of the models."""

from __future__ import annotations

import json

import pytest

from tests.docs.pages import DOCS, blocks
from wire.schemas import ANSWERED, SENT, main, schemas, written

SCHEMAS = DOCS / "reference" / "schemas"
NAMES = [model.__name__ for model in (*SENT, *ANSWERED)]


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_current(name: str) -> None:
    file = SCHEMAS / f"{name}.json"

    assert file.read_text("utf-8") == written(schemas()[name]), (
        f"write it again: python -m wire.schemas {name} > {file.relative_to(DOCS.parent)}"
    )


def test_there_is_no_schema_without_a_model() -> None:
    assert {file.stem for file in SCHEMAS.iterdir()} == set(NAMES)


def test_every_field_of_an_example_is_in_its_schema() -> None:
    for block in blocks(DOCS / "reference" / "wire.md", "json"):
        for mark in block.marks:
            name = mark.removeprefix("model=")
            if name in NAMES:
                assert set(json.loads(block.text)) <= set(schemas()[name]["properties"])


def test_unknown_fields_are_ignored_so_no_schema_forbids_them() -> None:
    for name, schema in schemas().items():
        assert schema.get("additionalProperties", True) is True, name


def test_one_schema_is_printed_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["Start"]) == 0
    assert json.loads(capsys.readouterr().out) == schemas()["Start"]

    assert main([]) == 0
    assert json.loads(capsys.readouterr().out) == schemas()

    assert main(["Nothing"]) == 1
    assert "There is no schema 'Nothing'" in capsys.readouterr().err
