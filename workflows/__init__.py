"""The workflows: the story of a request, the dispatcher of side effects, the reconciler."""

from .dispatcher import SideEffectDispatcherWorkflow
from .mutation_request import MutationRequestWorkflow
from .reconciler import ReconcilerWorkflow

ALL_WORKFLOWS = (MutationRequestWorkflow, SideEffectDispatcherWorkflow, ReconcilerWorkflow)

__all__ = [
    "ALL_WORKFLOWS",
    "MutationRequestWorkflow",
    "ReconcilerWorkflow",
    "SideEffectDispatcherWorkflow",
]
