"""Keeps what people say about requests; it decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from temporalio import activity

from core.errors import TooManyComments, UnknownRequest
from store.protocol import Comment
from wire.asks import CommentStored, StoreComment
from wire.errors import refusal_of
from wire.names import Activity

from .asked import ended
from .outside import Outside

MOST_COMMENTS: Final = 500
"""How many comments a request can have."""


@dataclass(frozen=True)
class Commenting:
    """The activity `store_comment`."""

    outside: Outside

    @activity.defn(name=Activity.STORE_COMMENT, no_thread_cancel_exception=True)
    def store_comment(self, ask: StoreComment) -> CommentStored:
        """Keep a comment, once, and answer how many the request has."""
        store = self.outside.store
        view = store.view(ask.request_id, "")
        if view.ended is not None:
            return ended(CommentStored, self.outside, view.ended)
        comment = Comment(
            request_id=ask.request_id,
            comment_id=ask.comment_id,
            actor_id=ask.actor_id,
            text=ask.text,
            at=ask.at,
        )
        try:
            number = store.add_comment(comment, most=MOST_COMMENTS)
        except UnknownRequest as unknown:  # it is not assessed yet; asking again would not help
            return CommentStored(refusal=refusal_of(unknown))
        if number is not None:
            return CommentStored(comments=number)
        full = TooManyComments(
            f"Request {ask.request_id!r} has {MOST_COMMENTS} comments, and can have no more.",
            request_id=ask.request_id,
            limit=MOST_COMMENTS,
        )
        return CommentStored(comments=MOST_COMMENTS, refusal=refusal_of(full))
