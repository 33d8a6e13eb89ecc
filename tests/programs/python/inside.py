"""Prints what a Python sees of itself and of a child; must run on 2.7."""

import json
import os
import subprocess
import sys

if len(sys.argv) > 1:
    __import__(sys.argv[1])

facts = {
    "agent": "_opentelemetry_injector.opentelemetry.sdk.trace" in sys.modules,
    "environment": dict(os.environ),
    "environment_type": type(os.environ).__name__,
    "child": subprocess.check_output(["env"]).decode().splitlines(),
    "path": sys.path,
    "finders": [str(finder) for finder in sys.meta_path if "injector" in str(finder)],
    "modules": {
        name: getattr(sys.modules[name], "__file__", None)
        for name in sorted(sys.modules)
        if "sitecustomize" in name or name.startswith("opentelemetry") or name in sys.argv
    },
}
print(json.dumps(facts, sort_keys=True))
