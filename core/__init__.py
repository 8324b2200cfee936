"""The pure engine of mutations: values and rules, without I/O, clock, chance or Temporal.

Everything a domain author needs is imported from here.
"""

from .audit import Subject
from .batch import BatchResult, execute_batch
from .budgets import Budget
from .calendars import Calendar, Window
from .changes import Change, ChangeSet, Identity, diff
from .checks import Callback, Check, CheckAnswer, CheckQuestion, failed, not_yet, passed
from .composition import all_of, any_of, first_decisive
from .context import ActorType, ExecutionContext, Mode, MutationContext
from .contracts import Contracts, Payload
from .domain import Dispatch, Domain, Domains
from .effects import Effect, SideEffect
from .engine import Engine
from .errors import MutatorError
from .facts import Fact, FactQuestion, Facts, Lookup, Missing
from .history import HistoryEntry
from .metrics import Collector
from .mutation import Applied, BlastRadius, Intent, Mutation, RiskLevel
from .observers import LoggingObserver, Observer
from .options import Options
from .policy import Policy, PolicyDecision, Verdict, allow, amend, deny, policy, require
from .recorder import Recorder
from .requirements import Requirement, RequirementKind, Strategy, Who
from .result import ExecutionResult, Outcome
from .secrets import HmacRedactor
from .survey import Secret, survey
from .threeway import three_way
from .validation import Issue, Severity

__all__ = [
    "ActorType",
    "Applied",
    "BatchResult",
    "BlastRadius",
    "Budget",
    "Calendar",
    "Callback",
    "Change",
    "ChangeSet",
    "Check",
    "CheckAnswer",
    "CheckQuestion",
    "Collector",
    "Contracts",
    "Dispatch",
    "Domain",
    "Domains",
    "Effect",
    "Engine",
    "ExecutionContext",
    "ExecutionResult",
    "Fact",
    "FactQuestion",
    "Facts",
    "HistoryEntry",
    "HmacRedactor",
    "Identity",
    "Intent",
    "Issue",
    "LoggingObserver",
    "Lookup",
    "Missing",
    "Mode",
    "Mutation",
    "MutationContext",
    "MutatorError",
    "Observer",
    "Options",
    "Outcome",
    "Payload",
    "Policy",
    "PolicyDecision",
    "Recorder",
    "Requirement",
    "RequirementKind",
    "RiskLevel",
    "Secret",
    "Severity",
    "SideEffect",
    "Strategy",
    "Subject",
    "Verdict",
    "Who",
    "Window",
    "all_of",
    "allow",
    "amend",
    "any_of",
    "deny",
    "diff",
    "execute_batch",
    "failed",
    "first_decisive",
    "not_yet",
    "passed",
    "policy",
    "require",
    "survey",
    "three_way",
]
