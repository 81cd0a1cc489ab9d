"""Serves this folder, and hands /api/ on to a running Keyward, so that page and API have one origin.

    python3 serve.py [--keyward http://127.0.0.1:8080] [--port 3000]

In production a reverse proxy does this. Nothing here is needed beyond it.
"""

import argparse
import functools
import http.client
import http.server
import pathlib
import urllib.parse

FOLDER = pathlib.Path(__file__).resolve().parent
PASSED_ON = ("content-type", "authorization", "accept-language")
PASSED_BACK = ("content-type", "cache-control", "retry-after", "www-authenticate", "x-ott-expires-in", "x-ott-resend-after")
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'"


class Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, keyward, *arguments):
        self.keyward = keyward
        super().__init__(*arguments, directory=FOLDER)

    def do_GET(self):
        if self.path.startswith("/api/"):
            self.hand_on()
        else:
            super().do_GET()

    def do_POST(self):
        self.hand_on()

    def end_headers(self):
        self.send_header("content-security-policy", POLICY)
        self.send_header("x-content-type-options", "nosniff")
        super().end_headers()

    def log_message(self, *arguments):
        pass

    def hand_on(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name: self.headers[name] for name in PASSED_ON if self.headers[name]}
        connection = http.client.HTTPConnection(self.keyward.netloc, timeout=30)
        try:
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        self.send_response(answer.status)
        for name in PASSED_BACK:
            if answer.headers[name]:
                self.send_header(name, answer.headers[name])
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def server(keyward, port):
    handler = functools.partial(Handler, urllib.parse.urlsplit(keyward))
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keyward", default="http://127.0.0.1:8080")
    parser.add_argument("--port", type=int, default=3000)
    given = parser.parse_args()
    print(f"http://127.0.0.1:{given.port}/ for {given.keyward}", flush=True)
    server(given.keyward, given.port).serve_forever()
