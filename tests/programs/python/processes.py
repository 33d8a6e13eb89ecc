"""Starts children by every method of multiprocessing."""

import multiprocessing
import os
import sys


def look(queue):
    injected = "_opentelemetry_injector.opentelemetry.sdk.trace" in sys.modules
    leaked = [name for name in os.environ if name.startswith("OTEL_") or name == "PYTHONPATH"]
    queue.put((injected, leaked))


if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        process = context.Process(target=look, args=(queue,))
        process.start()
        print(method, *queue.get(timeout=60))
        process.join()
