"""The transactions that write requests: to note one, to end one, to keep what goes with one.

What they write is made into rows first; then the request's row is locked, and what it says decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import JsonValue
from sqlalchemy import Connection, bindparam, case, func, select

from core.audit import AuditEntry
from core.governance.outcome import Ending
from core.governance.request import MutationRequest

from . import documents, rows, writing
from .database import Together
from .ending import committed_state, deliveries
from .protocol import (
    EXECUTE,
    Ask,
    Comment,
    Conflict,
    Ended,
    EndingOfPicture,
    Fenced,
    Noted,
    StoredState,
)
from .schema import comments
from .waiting import claims

_COMMENTED = select(
    func.count().label("number"),
    func.coalesce(
        func.max(
            case(
                (
                    (comments.c.actor == bindparam("actor"))
                    & (comments.c.comment_id == bindparam("comment_id")),
                    1,
                )
            )
        ),
        0,
    ).label("again"),
).where(comments.c.request_id == bindparam("request_id"))


def noting(
    request: MutationRequest,
    *,
    fence: int,
    ask: Ask | None,
    answer: JsonValue,
    audit: Sequence[AuditEntry],
    seed: StoredState | None,
) -> Callable[[Connection, Together], Noted | Ended | Fenced]:
    """Answer the transaction that keeps a picture; the arguments are those of `Store.note`."""
    picture = rows.picture_row(request)
    fresh = {**rows.request_row(request), **rows.without_key(picture), "fence": fence}
    waiting = rows.awaiting_rows(request)
    answered = rows.answer_row(ask, answer) if ask else None
    tried = rows.audit_rows(audit)
    opened = rows.state_row(seed) if seed else None
    claimed = claims(request)

    def transaction(at: Connection, together: Together) -> Noted | Ended | Fenced:
        row = writing.lock_request(at, fresh)
        stands = _already(at, request, row, fence=fence, ask=ask)
        if stands is not None:
            return stands
        kept = request
        if request.decision_number < row.decision_number:
            kept = writing.standing(at, request.request_id, ended=False)
        together()
        if kept is not request:
            writing.raise_fence(at, request.request_id, fence)
        else:
            if not row.new:
                writing.update_request(at, picture, fence=fence)
                writing.await_nobody(at, request.request_id)
            writing.await_them(at, waiting)
            if claimed:
                writing.follow(at, request.request_id, claimed)
        if answered:
            writing.add_answer(at, answered)
        writing.add_audit(at, tried)
        if opened:
            writing.write_state(at, opened, over=None)
        return Noted(answer=answer, request=kept)

    return transaction


def ending(ending: Ending) -> Callable[[Connection, Together], Ended | Fenced | Conflict]:
    """Answer the transaction that writes an ending, all of it or nothing."""
    request, commit = ending.request, ending.commit
    fresh = rows.request_row(request)
    picture = rows.picture_row(request)
    record = rows.ending_row(request)
    committed = committed_state(ending)
    state = rows.state_row(committed) if committed else None
    entry = rows.history_row(commit.history) if commit and commit.history else None
    tried = rows.audit_rows(ending.audit)
    left = rows.delivery_rows(deliveries(ending), request.execution_id or "")
    claimed = claims(request)
    executed_at = documents.moment(request.executed_at or request.updated_at)
    fence = ending.fence or 0
    ask = Ask(request_id=request.request_id, round=request.round, fence=fence, kind=EXECUTE)
    made_of = ending.made_of if isinstance(ending, EndingOfPicture) else None

    def transaction(at: Connection, together: Together) -> Ended | Fenced | Conflict:
        row = writing.lock_request(at, fresh)
        if row.ended:
            return Ended(writing.standing(at, request.request_id, ended=True))
        if made_of is not None and made_of < row.decision_number:
            return Conflict(row.decision_number)
        if commit:
            if fence < row.fence or _is_answered(at, ask, row):
                return Fenced(row.fence)
            has_room = not claimed or writing.reserved_by(at, request.request_id) >= {*claimed.held}
            over = commit.expected_version
            current = over if state else writing.lock_version(at, commit.state_id)
            if (
                not has_room
                or current != over
                or (state and not writing.write_state(at, state, over=over))
            ):
                current = writing.lock_version(at, commit.state_id)
                at.rollback()
                return Conflict(current)
        together()
        if entry:
            writing.add_history(at, entry)
        writing.add_audit(at, tried)
        writing.add_deliveries(at, left)
        writing.add_ending(at, record)
        writing.update_request(at, picture, fence=max(fence, row.fence))
        writing.await_nobody(at, request.request_id)
        # Without a commit its picture may be older than what it asked for.
        if claimed or not commit:
            held = claimed.held if claimed and commit else ()
            if held:
                writing.consume(at, request.request_id, held, consumed_at=executed_at)
            writing.leave(at, request.request_id, staying=held)
        return Ended(request)

    return transaction


def keeping(ask: Ask, answer: JsonValue) -> Callable[[Connection, Together], JsonValue]:
    """Answer the transaction that keeps the answer of an ask without a picture."""
    row = rows.answer_row(ask, answer)

    def transaction(at: Connection, _: Together) -> JsonValue:
        if writing.add_answer(at, row):
            return answer
        stored: JsonValue = documents.read_json(writing.answer_of(at, ask.model_dump()) or "null")
        return stored

    return transaction


def commenting(comment: Comment, *, most: int) -> Callable[[Connection, Together], int | None]:
    """Answer the transaction that keeps a comment, under the lock of the request's row."""
    key = rows.comment_key(comment)

    def transaction(at: Connection, together: Together) -> int | None:
        writing.lock_known(at, comment.request_id)
        found = at.execute(_COMMENTED, key).one()
        if found.again:
            return int(found.number)
        if found.number >= most:
            return None
        together()
        writing.add_comment(at, rows.comment_row(comment, found.number + 1))
        return int(found.number) + 1

    return transaction


def _already(
    at: Connection, request: MutationRequest, row: writing.Locked, *, fence: int, ask: Ask | None
) -> Noted | Ended | Fenced | None:
    """Answer what the locked row makes of a note that changes nothing; else nothing."""
    if row.ended:
        return Ended(writing.standing(at, request.request_id, ended=True))
    if fence < row.fence:
        return Fenced(row.fence)
    stored = writing.answer_of(at, ask.model_dump()) if ask and not row.new else None
    if stored is None:
        return None
    kept = writing.standing(at, request.request_id, ended=False)
    return Noted(answer=documents.read_json(stored), request=kept)


def _is_answered(at: Connection, ask: Ask, row: writing.Locked) -> bool:
    """Answer whether an ask has an answer; it came with its fence, so below that there is none."""
    may_be = not row.new and ask.fence == row.fence
    return may_be and writing.answer_of(at, ask.model_dump()) is not None
