"""Doubles of the HTTP providers, on loopback, whose mood a test can set.

`Exchange` answers `POST /2010-04-01/Accounts/{sid}/Messages.json` as the messages API that text providers copy does, and
is as strict: form fields To, Body and one of From and MessagingServiceSid, log-in by Basic. `Receiver` takes the signed
JSON of the generic webhook at `/hook` and checks the signature. Both can be down, slow, out of order, or busy.
"""

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from smtp import free_port


class Double:
    """What both have in common: a port that can be closed, a list of what was taken, and a mood."""

    def __init__(self, port=None):
        self.port = port or free_port()
        self.mood = "accept"
        self.taken = []
        self.tries = 0
        self.complaints = []
        self._changed = threading.Condition()
        self._server = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def up(self):
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_POST(self):
                length = int(self.headers.get("content-length") or 0)
                double._handle(self, self.rfile.read(length))

            def answer(self, status, body, **headers):
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(content)

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def down(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _handle(self, request, body):
        self._note(tried=True)
        if self.mood == "busy":
            return request.answer(429, self._error(429, 20429, "Too Many Requests"), retry_after="1")
        if self.mood == "broken":
            return request.answer(503, self._error(503, 20503, "Service Unavailable"))
        if self.mood == "slow":
            time.sleep(self.slowness)
        refusal, message = self.judge(request, body)
        if refusal is not None:
            self.complaints.append(refusal[1]["message"])
            return request.answer(*refusal)
        self._note(message=message)
        return request.answer(*self.accepted(message))

    slowness = 3600.0

    @staticmethod
    def _error(status, code, message):
        return {"code": code, "message": message, "more_info": "", "status": status}

    def _note(self, tried=False, message=None):
        with self._changed:
            self.tries += tried
            if message is not None:
                self.taken.append(message)
            self._changed.notify_all()

    def wait_for(self, count=1, seconds=30, tries=False):
        deadline = time.monotonic() + seconds
        with self._changed:
            while (self.tries if tries else len(self.taken)) < count:
                left = deadline - time.monotonic()
                assert left > 0, f"no number {count} within {seconds} s; {self.tries} tries, complaints {self.complaints}"
                self._changed.wait(left)
            return list(self.taken)


class Exchange(Double):
    """The messages API."""

    def __init__(self, sid="AC" + "0" * 31 + "1", secret="exchange-secret", user=None, port=None):
        super().__init__(port)
        self.sid = sid
        self.user = user or sid
        self.secret = secret
        # A number that the provider refuses for good.
        self.unreachable = set()

    def judge(self, request, body):
        path = request.path
        if path != f"/2010-04-01/Accounts/{self.sid}/Messages.json":
            return (404, self._error(404, 20404, f"The requested resource {path} was not found")), None
        expected = base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return (401, self._error(401, 20003, "Authenticate")), None
        kind = (request.headers.get("content-type") or "").split(";")[0]
        if kind != "application/x-www-form-urlencoded":
            return (400, self._error(400, 21600, f"not a form: {kind}")), None
        form = {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True).items()}
        problem = self._problem(form)
        if problem:
            return (400, self._error(400, *problem)), None
        return None, form

    def _problem(self, form):
        if not re.fullmatch(r"\+[1-9][0-9]{1,14}", form.get("To", "")):
            return 21211, f"Invalid 'To' Phone Number: {form.get('To')}"
        if form["To"] in self.unreachable:
            return 21614, "'To' number is not a valid mobile number"
        if "From" not in form and "MessagingServiceSid" not in form:
            return 21603, "A 'From' phone number is required"
        if not form.get("Body"):
            return 21602, "Message body is required"
        if len(form["Body"]) > 1600:
            return 21617, "The concatenated message body exceeds the 1600 character limit"
        return None

    def accepted(self, form):
        answer = {
            "sid": "SM" + hashlib.md5(str(len(self.taken)).encode()).hexdigest(),
            "account_sid": self.sid,
            "to": form["To"],
            "from": form.get("From"),
            "messaging_service_sid": form.get("MessagingServiceSid"),
            "body": form["Body"],
            "status": "queued",
            "error_code": None,
            "error_message": None,
        }
        return 201, answer


class Receiver(Double):
    """The generic webhook: it takes what is signed, with its time and its id, by who knows the secret."""

    TOLERANCE = 300

    def __init__(self, secret="hook-secret-of-at-least-32-bytes!", port=None):
        super().__init__(port)
        self.secret = secret.encode()

    def sign(self, timestamp, identity, body):
        signed = f"v1:{timestamp}:{identity}:".encode() + body
        return "v1=" + hmac.new(self.secret, signed, hashlib.sha256).hexdigest()

    def judge(self, request, body):
        if request.path != "/hook":
            return (404, {"message": "no such hook"}), None
        problem = self._unsigned(request.headers, body)
        if problem:
            return (401, {"message": problem}), None
        try:
            message = json.loads(body)
        except ValueError as error:
            return (400, {"message": str(error)}), None
        if message.get("id") != request.headers.get("x-keyward-message-id"):
            return (400, {"message": "the signed id is another than the body's"}), None
        return None, message

    def _unsigned(self, headers, body):
        timestamp = headers.get("x-keyward-timestamp", "")
        if not re.fullmatch(r"[0-9]{1,12}", timestamp):
            return f"no time: {timestamp!r}"
        age = time.time() - int(timestamp)
        if abs(age) > self.TOLERANCE:
            return f"the signature is {age:.0f} s old"
        expected = self.sign(timestamp, headers.get("x-keyward-message-id", ""), body)
        if not hmac.compare_digest(expected, headers.get("x-keyward-signature", "")):
            return "the signature is wrong"
        return None

    def accepted(self, message):
        return 200, {"message": "accepted"}
