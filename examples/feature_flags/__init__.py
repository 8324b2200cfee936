"""Feature flags on real input: the state is a flag file of OpenFeature's flagd.

```
feature_flags/web    DisableFlag(flag="dark-mode")                       unattended
                     ChangeRollout("dark-mode", "on", percentage=25)     one of its team
                     ChangeRollout("dark-mode", "on", percentage=75)     two release managers
                     anything on "new-checkout", a critical flag         two of the same three
                     ChangeRollout("recommendations", "on", 5), twice    the second after a while
```

The set begins as `MUTATOR_FLAGS_SEED` has it; after each commit it is published into
`MUTATOR_FLAGS_DIR`, where flagd, or an OpenFeature provider in file mode, reads it.
"""

from __future__ import annotations

from core import Domain

from .flags import Flag, FlagFile, seed
from .mutations import PUBLISH, ChangeRollout, ChangeVariant, DisableFlag, EnableFlag
from .policies import (
    a_rollout_soaks_before_its_next_step,
    in_a_freeze_flags_are_only_disabled,
    the_team_approves_medium_risk,
    two_of_three_decide_on_critical_flags,
    two_release_managers_approve_high_risk,
)
from .publishing import publish, published_version

__all__ = [
    "PUBLISH",
    "ChangeRollout",
    "ChangeVariant",
    "DisableFlag",
    "EnableFlag",
    "Flag",
    "FlagFile",
    "domain",
    "publish",
    "published_version",
    "seed",
]

domain = Domain(
    name="feature_flags",
    state=FlagFile,
    mutations=[EnableFlag, DisableFlag, ChangeVariant, ChangeRollout],
    policies=[
        the_team_approves_medium_risk,
        two_release_managers_approve_high_risk,
        two_of_three_decide_on_critical_flags,
        in_a_freeze_flags_are_only_disabled,
        a_rollout_soaks_before_its_next_step,
    ],
    initial=seed,
    handlers={PUBLISH: publish},
)
