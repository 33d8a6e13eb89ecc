"""Opens a trace in Perfetto's user interface in a browser, and compares what that has read with the file.

usage: read.py USER_INTERFACE TRACE BROWSER
"""

import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading

# Within this time, in seconds, the browser has started, and Perfetto has read a small trace.
LONGEST = 120

user_interface, trace, browser = map(pathlib.Path, sys.argv[1:])
answers = []
answered = threading.Event()


class Handler(http.server.SimpleHTTPRequestHandler):
    """The page, the user interface below /ui/, the trace, and the answer that the page posts."""

    def translate_path(self, path):
        path = path.split("?")[0]
        if path == "/":
            return str(pathlib.Path(__file__).with_name("read.html"))
        if path == "/trace.json":
            return str(trace)
        return str(user_interface / (path.removeprefix("/ui/") or "index.html"))

    def do_POST(self):
        answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()
        answered.set()

    def log_message(self, *_):
        pass


def what_perfetto_finds():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        command += ["--disable-background-networking", f"--user-data-dir={profile}"]
        command += [f"http://127.0.0.1:{server.server_port}/"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, **quiet) as process:
            answered.wait(LONGEST)
            process.terminate()
    if not answers:
        sys.exit(f"no answer within {LONGEST} s")
    return answers[0]


def what_the_file_says():
    events = json.loads(trace.read_text())["traceEvents"]
    processes = {(str(e["pid"]), e["args"]["name"]) for e in events if e["ph"] == "M"}
    told = [
        (e["name"], e["cat"], str(e["pid"]), str(e["tid"]), {k: v for k, v in e["args"].items() if v is not None})
        for e in events
        if e["ph"] == "i"
    ]
    return processes, told


def main():
    found = what_perfetto_finds()
    if "problem" in found:
        sys.exit(found["problem"])
    processes, told = what_the_file_says()
    arguments = {}
    for event, key, value in found["arguments"]:
        arguments.setdefault(event, {})[key.removeprefix("args.")] = value
    # In the order of the file, which is the order of time.
    events = sorted(found["events"], key=lambda event: (int(event[1]), int(event[0])))
    read = [(*event[2:], arguments.get(event[0], {})) for event in events]
    assert found["errors"] == [], found["errors"]
    assert {tuple(process) for process in found["processes"]} == processes, (found["processes"], processes)
    assert len(told) > 2 and read == told, (read, told)
    print(f"Perfetto has read {len(read)} events of {len(processes)} processes as they are in the file")


main()
