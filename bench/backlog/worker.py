"""A worker of an engine: python -m backlog.worker MODULE ADDRESS SETTINGS."""

from __future__ import annotations

import json
import sys
from importlib import import_module

from backlog.contract import Settings

if __name__ == "__main__":
    module, address, settings = sys.argv[1:]
    import_module(module).work(address, Settings(**json.loads(settings)))
