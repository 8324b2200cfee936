"""Every error is a sentence with its ids, stands in the one tree, and survives a journey."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import pytest

from core import errors
from core.errors import MutatorError

CLASSES = {
    name: each
    for name, each in vars(errors).items()
    if inspect.isclass(each) and issubclass(each, Exception)
}


def drawn() -> dict[str, str]:
    """Answer the tree of the module's docstring: each class with the one above it."""
    tree = (errors.__doc__ or "").split("```")[1]
    above: list[str] = []
    parents: dict[str, str] = {}
    for line in filter(str.strip, tree.splitlines()):
        name = line.lstrip("│├└─ ").split()[0]
        depth = (len(line) - len(line.lstrip("│├└─ "))) // 4
        above[depth:] = [name]
        parents[name] = above[depth - 1] if depth else ""
    return parents


def test_every_error_stands_in_the_tree_of_the_docstring_and_nothing_else_does() -> None:
    assert drawn() == {
        name: "" if each is MutatorError else each.__bases__[0].__name__
        for name, each in CLASSES.items()
    }


def test_every_error_says_what_it_is_for() -> None:
    assert all(each.__doc__ for each in CLASSES.values())


@pytest.mark.parametrize("name", CLASSES)
def test_an_error_keeps_its_sentence_and_ids_through_pickling(name: str) -> None:
    error = made(CLASSES[name])

    again = pickle.loads(pickle.dumps(error))

    assert type(again) is type(error)
    assert str(again) == str(error) == error.message
    assert again.details == error.details
    assert error.code == name
    for detail, value in error.details.items():
        assert getattr(again, detail) == value


def made(error: type[Any]) -> MutatorError:
    """Make an error of a class, whatever it asks for."""
    wanted = inspect.signature(error.__init__).parameters
    values = {
        "message": "It is so.",
        "timeout": 1.0,
        "elapsed": 2.0,
        "version": 1,
    }
    given = [
        values.get(name, "x")
        for name, parameter in list(wanted.items())[1:]
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        and parameter.default is parameter.empty
    ]
    made_ = error(*given)
    assert isinstance(made_, MutatorError)
    return made_


def test_details_are_attributes() -> None:
    error = errors.NotAuthorised("You may not.", request_id="r1", actor_id="ben")

    assert error.details == {"request_id": "r1", "actor_id": "ben"}
    assert error.actor_id == "ben"  # type: ignore[attr-defined]
