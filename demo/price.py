"""Knows prices. Nothing here knows of OpenTelemetry.

The argument is the port to listen on; 0 takes a free one.
"""

import sys
from wsgiref.simple_server import make_server

from flask import Flask

app = Flask(__name__)


@app.route("/price")
def price():
    return "3 euros"


with make_server("127.0.0.1", int(sys.argv[1]), app) as server:
    print("listening on http://127.0.0.1:%d" % server.server_port, flush=True)
    server.serve_forever()
