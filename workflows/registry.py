"""Every workflow a worker registers."""

from .dispatcher import SideEffectDispatcherWorkflow
from .mutation_request import MutationRequestWorkflow
from .reconciler import ReconcilerWorkflow

ALL_WORKFLOWS = (MutationRequestWorkflow, SideEffectDispatcherWorkflow, ReconcilerWorkflow)
