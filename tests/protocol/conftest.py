"""How hard the generated examples of this folder try."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# No database and no deadline: what a test does must not depend on the last run or on a busy machine.
settings.register_profile(
    "protocol",
    max_examples=int(os.environ.get("FLOWCAGE_FUZZ_EXAMPLES", "25")),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("protocol")
