"""Asks a server of its own for a page, which yields a span where an agent is at work."""

import http.server
import threading
import urllib.request

server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
server.RequestHandlerClass.log_message = lambda *_: None
threading.Thread(target=server.serve_forever, daemon=True).start()
try:
    urllib.request.urlopen("http://127.0.0.1:%d/not-there" % server.server_port)
except urllib.error.HTTPError as error:
    # An open one would be closed by the garbage collector, which prints an error where it closes the inner file
    # first (Python 3.11, tempfile.py).
    with error:
        print(error.code)
