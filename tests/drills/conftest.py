"""Stores that outlive the worker that is killed."""

from __future__ import annotations

from tests.fixtures.postgres import postgres, postgres_url

__all__ = ["postgres", "postgres_url"]
