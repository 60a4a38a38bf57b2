"""How much of the machine the Ray of a test's command takes."""

from __future__ import annotations

# Tests run side by side: a worker more, of each, would import torch on a core that another uses.
ONE_CORE = {"RAY_OVERRIDE_RESOURCES": '{"CPU": 1}'}
ALL_CORES = {"RAY_OVERRIDE_RESOURCES": ""}
