"""A mirror for the download tests: serves the bytes of FILE under paths that misbehave in different ways.

Usage: mirror.py FILE PORTFILE LOG. Listens on a free port of 127.0.0.1, writes it to PORTFILE, appends a line
"path range" for each request to LOG, and ends when its standard input is closed.
"""
import http.server
import os
import sys
import threading

FILE, PORTFILE, LOG = sys.argv[1:4]
with open(FILE, "rb") as f:
    CONTENT = f.read()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *args):
        pass

    def answer(self, status, body, length=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        kind = self.path.split("/")[1]
        wanted = self.headers.get("Range", "")
        with open(LOG, "a") as log:
            log.write(f"{kind} {wanted}\n")
        first = int(wanted[6:-1]) if wanted.startswith("bytes=") else 0
        half = len(CONTENT) // 2
        try:
            self.serve(kind, first, half)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client had seen enough

    def serve(self, kind, first, half):
        if kind == "good" and first > 0:
            span = f"bytes {first}-{len(CONTENT) - 1}/{len(CONTENT)}"
            self.answer(206, CONTENT[first:], Content_Range=span)
        elif kind in ("good", "noresume"):
            self.answer(200, CONTENT)
        elif kind == "wrong":
            self.answer(200, bytes(len(CONTENT)))
        elif kind == "html":
            self.answer(200, b"<html>this mirror has moved</html>")
        elif kind == "cut":  # promises all, sends half
            self.answer(200, CONTENT[:half], length=len(CONTENT))
        elif kind == "endless":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(bytes(65536))
        elif kind == "stall":
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:10])
            self.wfile.flush()
            threading.Event().wait(60)
        elif kind == "loop":
            self.answer(302, b"", Location=self.path)
        else:
            self.answer(404, b"no such file")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(PORTFILE + ".new", "w") as f:
    f.write(str(server.server_address[1]))
os.rename(PORTFILE + ".new", PORTFILE)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
