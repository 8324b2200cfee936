"""Change sets lead from one document to another, back again, and into JSON Patch."""

from __future__ import annotations

import copy
import json
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, JsonValue, RootModel, ValidationError

from core.change_set import change_of
from core.changes import Change, ChangeSet, Identity, KeyedList, apply, diff
from core.digests import canonical, jsonable
from core.errors import ChangeConflict, DefinitionError, InvalidValue
from core.reading import read
from core.survey import NOTHING_DECLARED, Survey, survey

names = st.sampled_from(["", "a", "b", "/", "~", "~1", "a/b", "0", "-", "é", "items"])
leaves: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, 0, 1, 1.0, 0.0, -0.0, 1.5, "", "1", "a", [], [1], [True], [1.0], {}]
)
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)

# Lists at /items keyed by "id", with lists at /items/*/parts keyed by "n"; wrong keys too.
ITEMS = Survey(fields={"items": Survey("id", items=Survey(fields={"parts": Survey("n")}))})
parts = st.lists(
    st.fixed_dictionaries({"n": st.integers(0, 4)}, optional={"v": leaves}), max_size=4
)
items = st.lists(
    st.fixed_dictionaries(
        {"id": st.sampled_from(["a", "b", "c/d", "~", "", "1", 1, True, None])},
        optional={"v": leaves, "parts": parts},
    ),
    max_size=5,
    unique_by=lambda item: str(item["id"]),
) | st.lists(leaves | st.fixed_dictionaries({"id": names}), max_size=3)


def in_order(ids: list[Any], key: str, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists that keep one order, so that items only come, go and change."""
    return st.sets(st.sampled_from(ids)).flatmap(
        lambda chosen: st.tuples(
            *(
                st.fixed_dictionaries({key: st.just(each), "v": st.integers(0, 1)}, optional=more)
                for each in ids
                if each in chosen
            )
        ).map(list)
    )


tidy_items = in_order(["c", "/", "e", "b", "d"], "id", parts=in_order([3, 1, 4, 2], "n"))
keyed_documents = st.fixed_dictionaries({}, optional={"items": tidy_items | items, "other": leaves})


def same(one: JsonValue, other: JsonValue) -> bool:
    """Compare as JSON, orders of lists included."""
    return canonical(one) == canonical(other)


def naive_diff(before: Any, after: Any, path: str = "") -> set[tuple[str, str]]:
    """Say what `diff` should find, in a few slow lines, for documents without keyed lists."""
    if same(before, after):
        return set()
    if not isinstance(before, dict) or not isinstance(after, dict):
        return {("replaced", path)}
    found: set[tuple[str, str]] = set()
    for name in before.keys() | after.keys():
        at = path + "/" + name.replace("~", "~0").replace("/", "~1")
        if name not in after:
            found.add(("removed", at))
        elif name not in before:
            found.add(("added", at))
        else:
            found |= naive_diff(before[name], after[name], at)
    return found


def patched(document: Any, patch: list[dict[str, Any]]) -> Any:
    """Interpret JSON Patch by the letter of RFC 6902."""
    # Through text, since a copy would keep one object that is in two places one object.
    root = {"": json.loads(json.dumps(document))}
    for operation in json.loads(json.dumps(patch)):
        holder: Any = root
        last = ""
        for token in operation["path"].split("/")[1:]:
            holder = holder[int(last)] if isinstance(holder, list) else holder[last]
            last = token.replace("~1", "/").replace("~0", "~")
        op = operation["op"]
        if isinstance(holder, list):
            index = int(last)
            assert str(index) == last
            assert 0 <= index <= len(holder) - (op != "add")
            if op == "add":
                holder.insert(index, operation["value"])
            elif op == "remove":
                holder.pop(index)
            elif op == "replace":
                holder[index] = operation["value"]
            else:
                assert same(holder[index], operation["value"])
            continue
        assert op == "add" or last in holder
        if op == "remove":
            del holder[last]
        elif op == "test":
            assert same(holder[last], operation["value"])
        else:
            holder[last] = operation["value"]
    return root[""]


# The laws


@given(documents, documents)
def test_applying_the_difference_gives_the_new_state(before: Any, after: Any) -> None:
    assert same(apply(before, diff(before, after)), after)


@given(documents, documents)
def test_the_inverse_restores_the_state(before: Any, after: Any) -> None:
    assert same(apply(after, diff(before, after).inverse()), before)


@given(keyed_documents, keyed_documents)
def test_keyed_lists_keep_both_laws_and_their_order(before: Any, after: Any) -> None:
    changes = diff(before, after, identity=ITEMS)

    assert same(apply(before, changes), after)
    assert same(apply(after, changes.inverse()), before)


@given(documents, documents)
def test_the_difference_agrees_with_a_naive_model(before: Any, after: Any) -> None:
    changes = diff(before, after).changes

    assert {(change.op, change.path) for change in changes} == naive_diff(before, after)
    assert len({change.path for change in changes}) == len(changes)


@given(documents, documents)
def test_nothing_changed_exactly_when_the_canonical_forms_are_one(before: Any, after: Any) -> None:
    assert diff(before, after).is_empty is same(before, after)
    assert diff(before, copy.deepcopy(before)).is_empty


@given(keyed_documents, keyed_documents)
def test_a_keyed_list_unchanged_as_json_is_no_change(before: Any, after: Any) -> None:
    assert diff(before, after, identity=ITEMS).is_empty is same(before, after)


@given(keyed_documents, keyed_documents)
def test_the_inverse_is_the_difference_the_other_way(before: Any, after: Any) -> None:
    there, back = diff(before, after, identity=ITEMS), diff(after, before, identity=ITEMS)

    assert there.inverse().digest() == back.digest()
    assert there.inverse().inverse() == there


@given(keyed_documents, keyed_documents)
def test_neither_argument_is_altered(before: Any, after: Any) -> None:
    kept = json.dumps([before, after])

    changes = diff(before, after, identity=ITEMS)
    written = changes.model_dump_json()
    apply(before, changes)
    apply(after, changes.inverse())

    assert json.dumps([before, after]) == kept
    assert changes.model_dump_json() == written


@given(keyed_documents, keyed_documents)
def test_a_change_set_survives_the_wire(before: Any, after: Any) -> None:
    changes = diff(before, after, identity=ITEMS)

    read = ChangeSet.model_validate_json(changes.model_dump_json())

    assert read == changes
    assert read.digest() == changes.digest()
    assert same(apply(before, read), after)


@given(keyed_documents, keyed_documents, st.booleans())
def test_the_json_patch_gives_the_new_state(before: Any, after: Any, tests: bool) -> None:
    patch = diff(before, after, identity=ITEMS).to_json_patch(before=before, tests=tests)

    assert same(patched(before, patch), after)


@given(documents, documents)
def test_the_json_patch_needs_no_document_without_keyed_lists(before: Any, after: Any) -> None:
    assert same(patched(before, diff(before, after).to_json_patch(tests=True)), after)


@given(keyed_documents, keyed_documents, keyed_documents)
def test_on_another_state_a_change_fits_or_names_its_conflict(
    before: Any, after: Any, other: Any
) -> None:
    changes = diff(before, after, identity=ITEMS)
    try:
        result = apply(other, changes)
    except ChangeConflict as conflict:
        path = conflict.path  # type: ignore[attr-defined]
        assert any(f"{changed}/".startswith(f"{path}/") for changed in changes.paths)
        return
    # What fits can be taken back; where items stand is then the only thing that may differ.
    assert diff(other, apply(result, changes.inverse())).paths in ((), ("/items",))


# Paths and order


def test_changes_are_in_the_order_of_their_paths() -> None:
    changes = diff({"c": 1, "a": 1, "b": {"z": 1}}, {"b": {"y": 1}, "d": 1, "a": 2})

    assert changes.paths == ("/a", "/b/y", "/b/z", "/c", "/d")
    assert [change.op for change in changes.changes] == [
        "replaced",
        "added",
        "removed",
        "removed",
        "added",
    ]


@pytest.mark.parametrize(
    ("before", "after"), [(1, True), (0, False), ([1], [True]), ([{"a": [0]}], [{"a": [False]}])]
)
def test_a_number_is_not_a_boolean(before: Any, after: Any) -> None:
    assert diff(before, after).paths == ("",)
    assert diff({"x": before}, {"x": after}).paths == ("/x",)
    with pytest.raises(ChangeConflict):
        apply({"x": after}, diff({"x": before}, {"x": 5}))


@pytest.mark.parametrize(("before", "after"), [(1, 1.0), ([1], [1.0]), (0, -0.0)])
def test_equal_numbers_are_no_change(before: Any, after: Any) -> None:
    assert not diff({"x": before}, {"x": after})


def test_null_is_a_value_and_not_an_absence() -> None:
    changes = diff({"a": None}, {"b": None})

    assert [(c.op, c.path) for c in changes.changes] == [("removed", "/a"), ("added", "/b")]
    assert apply({"a": None}, changes) == {"b": None}


def test_a_list_without_identity_is_one_value() -> None:
    assert diff({"a": [1, 2]}, {"a": [1, 3]}).paths == ("/a",)


def test_what_did_not_change_is_shared() -> None:
    before: Any = {"a": {"x": 1}, "items": [{"id": "a", "v": [1]}, {"id": "b"}]}
    after: Any = {"a": {"x": 1}, "items": [{"id": "a", "v": [1]}, {"id": "b", "v": 1}]}

    result: Any = apply(before, diff(before, after, identity=ITEMS))

    assert result["a"] is before["a"]
    assert result["items"][0] is before["items"][0]
    assert apply(before, ChangeSet()) is before


# Keyed lists


def listed(*ids: object, **fields: object) -> Any:
    return {"items": [{"id": each, **fields} for each in ids]}


def test_an_item_is_named_by_its_key() -> None:
    changes = diff(listed("a", "b/c", v=1), listed("a", "b/c", v=2), identity=ITEMS)

    assert changes.paths == ("/items/a/v", "/items/b~1c/v")
    assert changes.keyed == {"/items": KeyedList(key="id")}


def test_items_come_and_go_where_they_stand() -> None:
    before, after = listed("a", "b", "c"), listed("y", "a", "x", "c", "b2")

    changes = diff(before, after, identity=ITEMS)

    assert changes.paths == ("/items/b", "/items/b2", "/items/x", "/items/y")
    assert changes.keyed["/items"].positions == {"b": 1, "y": 0, "x": 2, "b2": 4}
    assert apply(before, changes) == after
    assert apply(after, changes.inverse()) == before


def test_the_position_of_an_item_is_not_in_the_digest() -> None:
    here = diff(listed("a"), listed("a", "x"), identity=ITEMS)
    there = diff(listed("a", "b"), listed("a", "b", "x"), identity=ITEMS)

    assert here.digest() == there.digest()
    assert here != there


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (listed("a", "b"), listed("b", "a")),
        (listed("a", "b"), listed("b", "a", "c")),
        (listed("a"), listed("a", "a")),
        (listed("1"), listed("1", 1)),
        (listed(True), listed(True, "a")),
        (listed("a"), {"items": [{"id": "a"}, {}]}),
        (listed("a"), {"items": [{"id": "a"}, 7]}),
        (listed("a"), {"items": {"a": 1}}),
    ],
)
def test_a_list_whose_order_or_keys_cannot_be_kept_is_replaced(before: Any, after: Any) -> None:
    changes = diff(before, after, identity=ITEMS)

    assert [(c.op, c.path) for c in changes.changes] == [("replaced", "/items")]
    assert changes.keyed == {}


def test_a_keyed_list_can_be_the_whole_document() -> None:
    before: Any = [{"id": "a", "v": 1}]
    after: Any = [{"id": "b"}, {"id": "a", "v": 2}]

    changes = diff(before, after, identity=Survey("id"))

    assert changes.paths == ("/a/v", "/b")
    assert apply(before, changes) == after
    assert patched(before, changes.to_json_patch(before=before)) == after


def test_a_change_set_keeps_later_edits_of_a_keyed_list() -> None:
    undo = diff(listed("a", "b"), listed("a"), identity=ITEMS).inverse()

    assert apply(listed("a", "later"), undo) == listed("a", "b", "later")
    assert apply(listed(), undo) == listed("b")


def test_items_that_come_without_a_position_come_at_the_end() -> None:
    changes = ChangeSet(
        changes=tuple(
            Change(op="added", path=f"/items/{name}", after={"id": name}) for name in "bac"
        ),
        keyed={"/items": KeyedList(key="id")},
    )

    assert apply(listed("z"), changes) == listed("z", "a", "b", "c")


def test_a_part_of_a_keyed_list_is_found_by_its_key_when_it_is_taken_alone() -> None:
    changes = diff(listed("a", "b", v=1), listed("a", "b", v=2), identity=ITEMS)

    part = changes.covered(["/items/b"])

    assert part.keyed == changes.keyed
    assert apply(listed("a", "b", v=1), part) == {
        "items": [{"id": "a", "v": 1}, {"id": "b", "v": 2}]
    }


def test_json_patch_can_test_what_stood_there_before_it_goes() -> None:
    changes = diff({"a": 1, "b": 2}, {"b": 3, "c": 4})

    assert changes.to_json_patch(tests=True) == [
        {"op": "test", "path": "/a", "value": 1},
        {"op": "remove", "path": "/a"},
        {"op": "test", "path": "/b", "value": 2},
        {"op": "replace", "path": "/b", "value": 3},
        {"op": "add", "path": "/c", "value": 4},
    ]
    assert [each["op"] for each in changes.to_json_patch()] == ["remove", "replace", "add"]


def test_json_patch_of_a_keyed_list_asks_for_the_document() -> None:
    changes = diff(listed("a", v=1), listed("a", v=2), identity=ITEMS)

    others: list[Any] = [None, {}, {"items": [{"id": "other"}]}, {"items": [{}]}]
    for wrong in others:
        with pytest.raises(ChangeConflict):
            changes.to_json_patch(before=wrong)


def test_json_patch_counts_indices_as_they_are_at_each_step() -> None:
    before: Any = listed("a", "b", "c", parts=[{"n": 1}, {"n": 2}])
    after: Any = listed("z", "y", "c", parts=[{"n": 2}, {"n": 3}])

    patch = diff(before, after, identity=ITEMS).to_json_patch(before=before)

    assert [(operation["op"], operation["path"]) for operation in patch] == [
        ("remove", "/items/2/parts/0"),
        ("add", "/items/2/parts/1"),
        ("remove", "/items/1"),
        ("remove", "/items/0"),
        ("add", "/items/0"),
        ("add", "/items/1"),
    ]
    assert patched(before, patch) == after


def test_json_patch_puts_a_newcomer_of_a_shrunken_list_at_its_end() -> None:
    changes = diff(listed("a", "b"), listed("a", "b", "c"), identity=ITEMS)

    assert changes.to_json_patch(before=listed("a")) == [
        {"op": "add", "path": "/items/1", "value": {"id": "c"}}
    ]


# Conflicts


@pytest.mark.parametrize(
    ("state", "path"),
    [
        ({}, "/a/b"),
        ({"a": 1}, "/a"),
        ({"a": {}}, "/a/b"),
        ({"a": {"b": 2, "gone": 0}}, "/a/b"),
        ({"a": {"b": 1}}, "/a/gone"),
        ({"a": {"b": 1, "gone": 1}}, "/a/gone"),
        ({"a": {"b": 1, "gone": 0, "new": 0}}, "/a/new"),
        (None, ""),
        ([], ""),
    ],
)
def test_a_change_that_does_not_fit_names_the_path(state: Any, path: str) -> None:
    changes = diff({"a": {"b": 1, "gone": 0}}, {"a": {"b": 2, "new": 1}})

    with pytest.raises(ChangeConflict) as conflict:
        apply(state, changes)

    assert conflict.value.path == path  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("state", "change", "sentence"),
    [
        (
            {"a": 1},
            Change(op="added", path="/a", after=1),
            "There is a value at /a already.",
        ),
        (
            {},
            Change(op="added", path="/a/b", after=1),
            "There is no /a for it.",
        ),
        (
            {},
            Change(op="removed", path="/a", before=1),
            "There is nothing at /a any more.",
        ),
        (
            {"a": 2},
            Change(op="removed", path="/a", before=1),
            "The value at /a is another than expected.",
        ),
        (
            3,
            Change(op="replaced", path="", before=1, after=2),
            "The value at the root is another than expected.",
        ),
        (
            {"a": 1},
            Change(op="replaced", path="/a/b", before=1, after=2),
            "There is no map at /a.",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(state: Any, change: Change, sentence: str) -> None:
    with pytest.raises(ChangeConflict) as conflict:
        apply(state, ChangeSet(changes=(change,)))

    assert str(conflict.value) == sentence


@pytest.mark.parametrize("state", [{"items": {}}, {"items": [1]}, listed("a", "a"), listed("b")])
def test_a_keyed_list_that_is_none_any_more_is_a_conflict(state: Any) -> None:
    changes = diff(listed("a", v=1), listed("a", v=2), identity=ITEMS)

    with pytest.raises(ChangeConflict):
        apply(state, changes)


def test_a_whole_document_is_replaced_only_if_it_is_the_one() -> None:
    assert apply(1, diff(1, 2)) == 2
    with pytest.raises(ChangeConflict):
        apply(3, diff(1, 2))


# What is covered


@pytest.mark.parametrize(
    ("prefixes", "paths"),
    [
        ([""], ("/a", "/ab/c", "/b/c/d")),
        ([], ()),
        (["/a"], ("/a",)),
        (["/ab"], ("/ab/c",)),
        (["/b/c"], ("/b/c/d",)),
        (["/b/c/d/e"], ("/b/c/d",)),
        (["/a/deep", "/b"], ("/a", "/b/c/d")),
        (["/c"], ()),
        (["/"], ()),
    ],
)
def test_a_prefix_covers_what_lies_under_it_and_what_contains_it(
    prefixes: list[str], paths: tuple[str, ...]
) -> None:
    changes = diff({"a": 1, "ab": {"c": 1}, "b": {"c": {"d": 1}}}, {"ab": {}, "b": {"c": {}}})

    assert changes.covered(prefixes).paths == paths


def test_the_whole_document_contains_every_part() -> None:
    assert diff(1, 2).covered(["/a"]).paths == ("",)


def test_a_prefix_that_is_no_pointer_is_refused() -> None:
    with pytest.raises(InvalidValue):
        ChangeSet().covered(["flags"])


@given(keyed_documents, keyed_documents, st.sampled_from(["", "/items", "/items/a", "/other"]))
def test_a_covered_part_applies_on_its_own(before: Any, after: Any, prefix: str) -> None:
    covered = diff(before, after, identity=ITEMS).covered([prefix])

    changed = apply(before, covered)

    assert diff(before, changed, identity=ITEMS).digest() == covered.digest()


# What people read


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            Change(op="replaced", path="/flags/a/state", before="OFF", after="ON"),
            '/flags/a/state: "OFF" -> "ON"',
        ),
        (Change(op="added", path="/a", after={"b": 1, "a": None}), '/a: added {"a": null, "b": 1}'),
        (Change(op="removed", path="/a", before=True), "/a: removed true"),
        (Change(op="replaced", path="", before=1, after=None), "(all): 1 -> null"),
        (Change(op="added", path="/é", after="ü"), '/é: added "ü"'),
        (Change(op="added", path="/a\nb", after="\n"), '/a\\nb: added "\\n"'),
        (Change(op="added", path="/a", after="\u202eNO"), '/a: added "\\u202eNO"'),
    ],
)
def test_a_change_is_said_in_one_line_that_hides_nothing(change: Change, line: str) -> None:
    assert change.describe() == line


def test_a_long_value_is_cut() -> None:
    change = Change(op="replaced", path="/" + "p" * 900, before="x" * 900, after=1)

    assert len(change.describe(width=20)) <= 2 * 20 + 20 + len(":  -> 1")
    assert "…" in change.describe(width=20)


def test_a_preview_is_bounded_and_says_what_it_left_out() -> None:
    changes = diff({}, {"a": "x" * 900, "b": 1, "c": 2})

    first, both = changes.preview(1, width=10), changes.preview(3, width=10)

    assert (first.total, first.truncated, len(first.changes)) == (3, True, 1)
    assert first.changes[0].after == '"xxxxxxxx…'
    assert (both.truncated, len(both.changes)) == (True, 3)
    assert changes.preview(3, width=1000).truncated is False
    assert changes.preview(0).changes == ()
    assert ChangeSet().preview(5).truncated is False


def test_what_a_preview_does_not_cut_it_shows_as_it_is() -> None:
    changes = diff({"a": 1, "b": [1], "c": "x" * 900}, {"b": {"c": None}, "d": True})

    shown = changes.preview(4, width=1000)

    assert shown.changes == changes.changes
    assert changes.preview(4, width=10).changes[2].before == '"xxxxxxxx…'


def test_what_just_fits_is_not_cut() -> None:
    fits, long = "x" * (200 - 2), "x" * (200 - 1)

    def preview(value: str) -> Any:
        return diff({}, {"a": value}).preview(1)

    assert (preview(fits).changes[0].after, preview(fits).truncated) == (fits, False)
    assert (len(preview(long).changes[0].after), preview(long).truncated) == (200, True)
    line = Change(op="added", path="/a", after="x" * (80 - 2)).describe()
    assert line == f'/a: added "{"x" * 78}"'
    cut = Change(op="added", path="/a", after="x" * (80 - 1)).describe()
    assert cut == f'/a: added "{"x" * 78}…'


# Values


def test_a_change_set_written_by_hand_is_sorted() -> None:
    changes = ChangeSet(
        changes=(Change(op="added", path="/b", after=1), Change(op="added", path="/a", after=1))
    )

    assert changes.paths == ("/a", "/b")


@pytest.mark.parametrize("paths", [("/a", "/a"), ("/a", "/a!", "/a/b"), ("", "/a/b")])
def test_changes_do_not_overlap(paths: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        ChangeSet(changes=tuple(Change(op="added", path=path, after={}) for path in paths))


@pytest.mark.parametrize("path", ["a", "/~", "/~2", "a/b", "//~"])
def test_a_path_is_a_json_pointer(path: str) -> None:
    with pytest.raises(ValidationError):
        Change(op="added", path=path)


def test_a_change_made_fast_is_a_change_made_well() -> None:
    fast = change_of("replaced", "/a", 1, [2])
    well = Change(op="replaced", path="/a", before=1, after=[2])

    assert fast == well
    assert hash(change_of("added", "/a", 1, 2)) == hash(
        Change(op="added", path="/a", before=1, after=2)
    )
    assert fast.model_dump() == well.model_dump()
    assert fast.model_fields_set == well.model_fields_set
    assert repr(fast) == repr(well)
    assert copy.deepcopy(fast) == well
    assert fast.model_copy(update={"after": 3}).after == 3
    with pytest.raises(ValidationError):
        fast.path = "/b"  # type: ignore[misc]  # that it is refused is the point


def test_a_change_set_made_fast_is_a_change_set_made_well() -> None:
    fast = diff(listed("a", v=1), listed("a", "b", v=2), identity=ITEMS)
    well = ChangeSet(changes=fast.changes, keyed=fast.keyed)

    assert fast == well
    assert fast.model_fields_set == well.model_fields_set
    assert repr(fast) == repr(well)
    assert copy.deepcopy(fast) == well
    with pytest.raises(ValidationError):
        fast.changes = ()  # type: ignore[misc]  # that it is refused is the point


def test_an_empty_change_set_is_false() -> None:
    assert not ChangeSet()
    assert ChangeSet().is_empty
    assert diff(1, 2)


# Identity keys of models


class Part(BaseModel):
    n: int
    v: int = 0


class Item(BaseModel):
    id: str
    parts: Annotated[tuple[Part, ...], Identity("n")] = ()
    children: Annotated[list[Item], Identity("id")] = Field(default_factory=list)


class Root(RootModel[Annotated[list[Item], Identity("id")]]):
    pass


class Other(BaseModel):
    id: str
    parts: list[int] = Field(default_factory=list)


class Model(BaseModel):
    items: Annotated[list[Item], Identity("id")] = Field(default_factory=list)
    plain: list[Item] = Field(default_factory=list)
    by_name: dict[str, Item] = Field(default_factory=dict)
    lists: dict[str, Annotated[list[Part], Identity("n")]] = Field(default_factory=dict)
    maybe: Annotated[list[Part], Identity("n")] | None = None
    old_maybe: Optional[Annotated[list[Part], Identity("n")]] = None  # noqa: UP045
    either: Union[Item, Other, None] = None  # noqa: UP007
    whole: Root = Root([])
    renamed: Annotated[list[Part], Identity("n")] = Field(
        default_factory=list, serialization_alias="reNamed"
    )
    free: JsonValue = None
    number: int = 0
    codes: frozenset[int] = frozenset()
    pair: tuple[Literal["x"], int] = ("x", 1)


def test_nothing_is_keyed_where_nothing_says_so() -> None:
    class Plain(BaseModel):
        a: list[Part] = Field(default_factory=list)
        b: JsonValue = None

    keys = survey(Plain)

    assert (keys.key, keys.fields, keys.items) == (None, {}, None)
    assert NOTHING_DECLARED.parts() == []


def test_a_model_is_surveyed_once() -> None:
    assert survey(Model) is survey(Model)


PART: Any = [{"n": 1, "v": 0}], [{"n": 1, "v": 5}, {"n": 2}]
ITEM: Any = {"id": "x", "parts": PART[0]}, {"id": "x", "parts": PART[1]}


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        ({"items": [ITEM[0]]}, {"items": [ITEM[1]]}, ("/items/x/parts/1/v", "/items/x/parts/2")),
        ({"plain": [ITEM[0]]}, {"plain": [ITEM[1]]}, ("/plain",)),
        (
            {"by_name": {"k": ITEM[0]}},
            {"by_name": {"k": ITEM[1]}},
            ("/by_name/k/parts/1/v", "/by_name/k/parts/2"),
        ),
        ({"lists": {"k": PART[0]}}, {"lists": {"k": PART[1]}}, ("/lists/k/1/v", "/lists/k/2")),
        ({"maybe": PART[0]}, {"maybe": PART[1]}, ("/maybe/1/v", "/maybe/2")),
        ({"old_maybe": PART[0]}, {"old_maybe": PART[1]}, ("/old_maybe/1/v", "/old_maybe/2")),
        ({"maybe": None}, {"maybe": PART[1]}, ("/maybe",)),
        ({"either": ITEM[0]}, {"either": ITEM[1]}, ("/either/parts/1/v", "/either/parts/2")),
        (
            {"either": {"id": "x", "parts": [1]}},
            {"either": {"id": "x", "parts": [2]}},
            ("/either/parts",),
        ),
        ({"whole": [ITEM[0]]}, {"whole": [ITEM[1]]}, ("/whole/x/parts/1/v", "/whole/x/parts/2")),
        ({"reNamed": PART[0]}, {"reNamed": PART[1]}, ("/reNamed/1/v", "/reNamed/2")),
        ({"renamed": PART[0]}, {"renamed": PART[1]}, ("/renamed/1/v", "/renamed/2")),
        (
            {"items": [{"id": "x", "children": [{"id": "y", "children": [ITEM[0]]}]}]},
            {"items": [{"id": "x", "children": [{"id": "y", "children": [ITEM[1]]}]}]},
            ("/items/x/children/y/children/x/parts/1/v", "/items/x/children/y/children/x/parts/2"),
        ),
        ({"free": [ITEM[0]]}, {"free": [ITEM[1]]}, ("/free",)),
        ({"unknown": [ITEM[0]]}, {"unknown": [ITEM[1]]}, ("/unknown",)),
    ],
)
def test_a_declared_key_holds_wherever_the_model_can_be(
    before: Any, after: Any, paths: tuple[str, ...]
) -> None:
    changes = diff(before, after, identity=survey(Model))

    assert changes.paths == paths
    assert apply(before, changes) == after
    assert apply(after, changes.inverse()) == before
    assert patched(before, changes.to_json_patch(before=before, tests=True)) == after


def test_a_root_model_is_keyed_as_its_root() -> None:
    changes = diff([ITEM[0]], [ITEM[1]], identity=survey(Root))

    assert changes.paths == ("/x/parts/1/v", "/x/parts/2")


def test_an_identity_that_cannot_be_is_the_authors_mistake() -> None:
    class NoSuchField(BaseModel):
        items: Annotated[list[Part], Identity("name")]

    class NoList(BaseModel):
        items: Annotated[dict[str, Part], Identity("n")]

    class TwoKeys(BaseModel):
        items: Annotated[list[Part], Identity("n")] | Annotated[list[Other], Identity("id")]

    for wrong in (NoSuchField, NoList, TwoKeys):
        with pytest.raises(DefinitionError):
            survey(wrong)


def test_an_identity_is_a_value() -> None:
    assert Identity("id") == Identity("id")
    assert Identity("id") != Identity("n")
    assert len({Identity("id"), Identity("id")}) == 1


# Models of every shape


class Leaf(BaseModel):
    name: str
    price: Decimal = Decimal(0)
    days: frozenset[date] = frozenset()


class Tree(BaseModel):
    leaves: Annotated[list[Leaf], Identity("name")] = Field(default_factory=list)
    branches: dict[str, Tree] = Field(default_factory=dict)
    since: datetime | None = None
    lasts: timedelta = timedelta(0)
    rank: float = Field(default=0.0, alias="order")
    big: int = Field(default=0, validation_alias="large")
    strict: Annotated[date, Field(strict=True)] = date(2026, 1, 1)
    flags: set[str] = Field(default_factory=set)
    pair: tuple[int, bool] = (0, False)
    free: JsonValue = None


leaf_models = st.builds(
    Leaf,
    name=st.sampled_from(["a", "b", "c/d", "~"]),
    price=st.decimals(allow_nan=False, allow_infinity=False, places=2, max_value=10, min_value=-10),
    days=st.frozensets(st.dates(date(2026, 1, 1), date(2026, 1, 4)), max_size=3),
)


def trees(branches: st.SearchStrategy[dict[str, Tree]]) -> st.SearchStrategy[Tree]:
    return st.builds(
        Tree,
        leaves=st.lists(leaf_models, max_size=4, unique_by=lambda leaf: leaf.name),
        branches=branches,
        since=st.none() | st.datetimes(timezones=st.just(UTC)),
        lasts=st.timedeltas(timedelta(0), timedelta(days=2)),
        order=st.floats(allow_nan=False, allow_infinity=False),
        large=st.sampled_from([0, 1, 2**53 - 1, 2**53, -(2**80)]),
        flags=st.sets(st.sampled_from("abc")),
        pair=st.tuples(st.integers(0, 1), st.booleans()),
        strict=st.dates(),
        free=documents,
    )


tree_models = trees(
    st.dictionaries(names, trees(st.just({})), max_size=2),
)


@given(tree_models, tree_models)
def test_models_of_every_shape_keep_the_laws(before: Tree, after: Tree) -> None:
    old, new = jsonable(before), jsonable(after)

    changes = diff(old, new, identity=survey(Tree))
    kept = ChangeSet.model_validate_json(changes.model_dump_json())

    assert same(apply(old, kept), new)
    assert read(Tree, apply(old, kept)) == after
    assert read(Tree, apply(new, kept.inverse())) == before
    assert same(patched(old, kept.to_json_patch(before=old, tests=True)), new)
    assert changes.is_empty is same(old, new)


# Size


def nested(levels: int, leaf: JsonValue) -> Any:
    value: Any = leaf
    for _ in range(levels):
        value = {"a": value, "b": [1]}
    return value


def test_two_hundred_levels_are_no_problem() -> None:
    before, after = nested(200, 1), nested(200, 2)

    changes = diff(before, after)

    assert changes.paths == ("/a" * 200,)
    assert apply(before, changes) == after
    assert patched(before, changes.to_json_patch()) == after


def test_two_hundred_levels_of_lists_are_no_problem() -> None:
    before, after = 1, 1.5
    for _ in range(200):
        before, after = [before], [after]  # type: ignore[assignment]

    assert diff({"a": before}, {"a": after}).paths == ("/a",)


@pytest.mark.parametrize("make", ["leaves", "maps", "items"])
def test_ten_thousand_keys_take_time_in_proportion(make: str) -> None:
    def state(size: int, value: int) -> Any:
        if make == "leaves":
            return {f"key-{n}": n + value for n in range(size)}
        if make == "maps":
            return {f"key-{n}": {"v": n + value} for n in range(size)}
        return {"items": [{"id": f"key-{n}", "v": n + value} for n in range(size)]}

    def seconds(size: int) -> float:
        before, after = state(size, 0), state(size, 1)
        began = time.process_time()  # whatever else the machine does meanwhile
        changes = diff(before, after, identity=ITEMS)
        assert len(changes.changes) == size
        assert apply(before, changes) == after
        return time.process_time() - began

    small = min(seconds(1000) for _ in range(5))

    assert min(seconds(10_000) for _ in range(3)) < 40 * small
