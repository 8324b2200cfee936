"""A change made in a document that has moved on keeps later edits, or names every conflict."""

from __future__ import annotations

import copy
import json
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from core.changes import Change, ChangeSet, Identity, apply, diff
from core.digests import canonical
from core.errors import DefinitionError
from core.secrets import HmacRedactor, redact
from core.survey import Secret, Survey, survey
from core.threeway import three_way

ITEMS = Survey(fields={"items": Survey("id")})

leaves: st.SearchStrategy[Any] = st.sampled_from([None, True, 0, 1, "a", [], [1], {}, {"x": 1}])
names = st.sampled_from(["a", "b", "/", "~"])
ids = ["c", "/", "e", "b", "d"]


def in_order(chosen: set[str]) -> st.SearchStrategy[Any]:
    """Items in one order, so that they only come, go and change."""
    return st.tuples(
        *(st.fixed_dictionaries({"id": st.just(i), "v": leaves}) for i in ids if i in chosen)
    ).map(list)


documents = st.fixed_dictionaries(
    {},
    optional={
        "items": st.sets(st.sampled_from(ids)).flatmap(in_order) | leaves,
        "map": st.dictionaries(names, leaves, max_size=4),
        "other": leaves,
    },
)


def same(one: Any, other: Any) -> bool:
    return canonical(one) == canonical(other)


def unordered(document: Any) -> Any:
    """Put the items of the keyed list in one order: where they stand is no part of a change."""
    items = document.get("items")
    if isinstance(items, list) and all(isinstance(item, dict) for item in items):
        return {**document, "items": sorted(items, key=canonical)}
    return document


def apart(changes: ChangeSet, other: ChangeSet) -> ChangeSet:
    """Answer the changes that lie neither at, nor above, nor below those of the other set."""
    kept = [
        change
        for change in changes.changes
        if not any(
            f"{change.path}/".startswith(f"{path}/") or f"{path}/".startswith(f"{change.path}/")
            for path in other.paths
        )
    ]
    return ChangeSet(changes=tuple(kept), keyed=changes.keyed)


def found(document: Any, path: str, *, keyed: bool = True) -> Any:
    """Look a path up by the letter; `...` where nothing is there, an error where nothing can be."""
    for number, token in enumerate(path.split("/")[1:]):
        name = token.replace("~1", "/").replace("~0", "~")
        if document is ...:
            return ...
        if keyed and number == 1 and path.startswith("/items/"):
            assert isinstance(document, list)
            keys = [item["id"] for item in document]
            assert len(set(keys)) == len(keys)
            document = dict(zip(keys, document, strict=True))
        assert isinstance(document, dict)
        document = document.get(name, ...)
    return document


def fits(change: Change, document: Any, *, keyed: bool) -> bool:
    """Say what `three_way` should, in a few slow lines."""
    before = ... if change.op == "added" else change.before
    after = ... if change.op == "removed" else change.after
    try:
        now = found(document, change.path, keyed=keyed)
        above = found(document, change.path.rpartition("/")[0], keyed=keyed)
    except (AssertionError, KeyError, TypeError):
        return False
    if now is ... and before is ...:
        return above is not ...
    if now is ...:
        return after is ...
    return any(each is not ... and same(now, each) for each in (before, after))


# The laws.


@given(documents, documents)
def test_on_the_unmoved_document_it_is_what_apply_does(before: Any, after: Any) -> None:
    changes = diff(before, after, identity=ITEMS)

    made = three_way(before, changes)

    assert made.conflicts == ()
    assert same(made.document, apply(before, changes))
    assert made.fitting == changes


@given(documents, documents, documents)
def test_disjoint_change_sets_commute(base: Any, one: Any, other: Any) -> None:
    mine = diff(base, one, identity=ITEMS)
    theirs = apart(diff(base, other, identity=ITEMS), mine)

    here = three_way(three_way(base, mine).document, theirs)
    there = three_way(three_way(base, theirs).document, mine)

    assert here.conflicts == there.conflicts == ()
    assert same(unordered(here.document), unordered(there.document))


@given(documents, documents, documents)
def test_undoing_a_change_keeps_later_edits_elsewhere(base: Any, one: Any, other: Any) -> None:
    mine = diff(base, one, identity=ITEMS)
    later = apart(diff(base, other, identity=ITEMS), mine)
    moved_on = three_way(one, later).document

    undone = three_way(moved_on, mine.inverse())

    assert undone.conflicts == ()
    assert same(unordered(undone.document), unordered(apply(base, later)))


@given(documents, documents, documents)
def test_it_agrees_with_a_naive_model_on_any_document(before: Any, after: Any, now: Any) -> None:
    changes = diff(before, after, identity=ITEMS)

    made = three_way(now, changes)

    assert [conflict.path for conflict in made.conflicts] == [
        change.path
        for change in changes.changes
        if not fits(change, now, keyed="/items" in changes.keyed)
    ]


@given(documents, documents, documents)
def test_all_is_made_or_nothing(before: Any, after: Any, now: Any) -> None:
    changes = diff(before, after, identity=ITEMS)
    kept = json.dumps(now)

    made = three_way(now, changes)

    assert json.dumps(now) == kept
    if made.conflicts:
        assert made.document is now
        assert not {c.path for c in made.conflicts} & set(made.fitting.paths)
    else:
        assert same(apply(now, made.fitting), made.document)
        assert same(apply(made.document, changes.covered([])), made.document)
        for change in changes.changes:
            wanted = ... if change.op == "removed" else change.after
            there = found(made.document, change.path, keyed="/items" in changes.keyed)
            assert there is wanted if wanted is ... else same(there, wanted)


@given(documents, documents, documents)
def test_made_once_more_it_changes_nothing(before: Any, after: Any, other: Any) -> None:
    changes = diff(before, after, identity=ITEMS)
    now = apply(before, apart(diff(before, other, identity=ITEMS), changes))
    made = three_way(now, changes)

    again = three_way(made.document, changes)

    assert made.conflicts == again.conflicts == ()
    assert again.fitting.is_empty
    assert again.document is made.document


# Cases.

BEFORE: Any = {"limit": 100, "plan": {"name": "free", "seats": 1}}
AFTER: Any = {"limit": 120, "plan": {"name": "pro", "seats": 1}}
UNDO = diff(BEFORE, AFTER).inverse()


@pytest.mark.parametrize(
    ("edits", "paths"),
    [
        ({}, []),
        ({"note": "later"}, []),
        ({"limit": 100}, []),
        ({"limit": 130}, ["/limit"]),
        ({"plan": {"name": "pro", "seats": 9}}, []),
        ({"plan": {"name": "gold", "seats": 1}}, ["/plan/name"]),
        ({"limit": 130, "plan": {"name": "gold"}}, ["/limit", "/plan/name"]),
        ({"plan": {"seats": 1}}, ["/plan/name"]),
        ({"plan": None}, ["/plan/name"]),
        ({"plan": "pro"}, ["/plan/name"]),
    ],
)
def test_a_conflict_is_named_and_an_edit_elsewhere_is_kept(edits: Any, paths: list[str]) -> None:
    current = {**copy.deepcopy(AFTER), **edits}

    undone = three_way(current, UNDO)

    assert [conflict.path for conflict in undone.conflicts] == paths
    assert all(conflict.message.endswith(".") for conflict in undone.conflicts)
    if paths:
        assert undone.document == current
    else:
        wanted = copy.deepcopy(current)
        wanted["limit"], wanted["plan"]["name"] = 100, "free"
        assert undone.document == wanted


def test_an_edit_below_what_would_go_is_a_conflict() -> None:
    undo = diff({}, {"plan": {"name": "pro"}}).inverse()

    assert three_way({"plan": {"name": "pro"}}, undo).document == {}
    assert [c.path for c in three_way({"plan": {"name": "gold"}}, undo).conflicts] == ["/plan"]


def test_what_is_gone_already_with_all_around_it_need_not_go() -> None:
    undo = diff({"plan": {}}, {"plan": {"name": "pro"}}).inverse()

    assert three_way({"limit": 1}, undo).document == {"limit": 1}


def test_what_held_the_value_must_be_there_for_it_to_come_back() -> None:
    undo = diff({"plan": {"name": "pro"}}, {"plan": {}}).inverse()

    assert [c.path for c in three_way({"limit": 1}, undo).conflicts] == ["/plan/name"]


def listed(*each: str, **fields: object) -> Any:
    return {"items": [{"id": i, **fields} for i in each]}


def test_items_are_met_by_their_key_wherever_they_stand_now() -> None:
    undo = diff(listed("a", "b", v=1), listed("a", v=1), identity=ITEMS).inverse()

    assert three_way(listed("z", "a", v=2), undo).document == {
        "items": [{"id": "z", "v": 2}, {"id": "b", "v": 1}, {"id": "a", "v": 2}]
    }


@pytest.mark.parametrize("now", [{"items": None}, {"items": [1]}, listed("a", "a")])
def test_a_list_that_is_keyed_no_more_is_a_conflict(now: Any) -> None:
    undo = diff(listed("a", v=1), listed("a", v=2), identity=ITEMS).inverse()

    assert [conflict.path for conflict in three_way(now, undo).conflicts] == ["/items/a/v"]


def test_the_whole_document_can_be_what_changed() -> None:
    undo = diff(1, 2).inverse()

    assert three_way(2, undo).document == 1
    assert three_way(1, undo).document == 1
    assert [conflict.path for conflict in three_way(3, undo).conflicts] == [""]


# Secrets: they can be compared and not brought back.


class Key(BaseModel):
    id: str
    token: Annotated[str, Secret()]


class Account(BaseModel):
    name: str = "ana"
    token: Annotated[str, Secret()] = "t0"
    keys: Annotated[list[Key], Identity("id")] = Field(default_factory=list)


DECLARED = survey(Account)
REDACTOR = HmacRedactor(b"k" * 32)


def recorded(before: Account, after: Account) -> ChangeSet:
    """Answer the change set as a history holds it."""
    shown = [redact(each.model_dump(), DECLARED, REDACTOR) for each in (before, after)]
    return diff(*shown, identity=DECLARED)


def undone(before: Account, after: Account, **edits: Any) -> Any:
    current = after.model_copy(update=edits).model_dump()
    changes = recorded(before, after).inverse()
    return three_way(current, changes, declared=DECLARED, redactor=REDACTOR)


def test_a_restore_over_a_secret_is_a_conflict_that_names_it() -> None:
    made = undone(Account(token="old", name="a"), Account(token="new", name="b"))

    assert [conflict.path for conflict in made.conflicts] == ["/token"]
    assert "secret" in made.conflicts[0].message
    assert made.document["name"] == "b"


def test_a_secret_that_is_the_wanted_one_again_is_in_nobodys_way() -> None:
    made = undone(Account(token="old", name="a"), Account(token="new", name="b"), token="old")

    assert made.conflicts == ()
    assert made.document == Account(token="old", name="a").model_dump()


def test_what_changed_beside_a_secret_is_restored_and_the_secret_stays_in_clear() -> None:
    made = undone(Account(name="a"), Account(name="b"), token="later")

    assert made.document == Account(name="a", token="later").model_dump()


def test_an_item_that_came_with_its_secret_can_go_and_one_that_went_cannot_come_back() -> None:
    none, one = Account(), Account(keys=[Key(id="k", token="hush")])

    assert undone(none, one).document == none.model_dump()
    back = undone(one, none)
    assert [conflict.path for conflict in back.conflicts] == ["/keys/k"]
    rotated = undone(none, one, keys=[Key(id="k", token="other")])
    assert [conflict.path for conflict in rotated.conflicts] == ["/keys/k"]


def test_secrets_without_a_redactor_are_not_compared() -> None:
    with pytest.raises(DefinitionError, match="redactor"):
        three_way(Account().model_dump(), ChangeSet(), declared=DECLARED)
