"""Accounts of the built server, with a real SMTP server and a text provider at the other end, and the example front end."""

import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from keyward import ROOT, Keyward
from sms import Exchange
from smtp import PostOffice, free_port

HERE = pathlib.Path(__file__).resolve().parent
ANNA, BEN = "anna@example.com", "ben@example.net"
PHONE, NEW_PHONE = "+4915112345678", "+4915187654321"
PASSWORD, NEW_PASSWORD = "correct horse battery", "staple battery horse"
PHRASE = "blue-fox-7"


class World:
    """A server, and the two ways out of it."""

    def __init__(self, folder):
        self.office, self.exchange = PostOffice().up(), Exchange().up()
        token = folder / "token"
        token.write_text(self.exchange.secret)
        self.keyward = Keyward(
            folder,
            f"""
[mail]
kind = "smtp"
host = "127.0.0.1"
port = {self.office.port}
tls = "none"
from = "keys@keyward.example"

[sms]
kind = "twilio"
url = "{self.exchange.url}"
account_sid = "{self.exchange.sid}"
auth_token_file = "{token}"
from = "+15005550006"
""",
            # The real hash: this is the whole server as it is run.
            (),
        )
        self.read = 0
        self.heard = set()

    def up(self):
        self.keyward.up()
        return self

    def down(self):
        self.keyward.down()
        self.office.down()
        self.exchange.down()

    def call(self, path, body=None, session=None, method="POST", language=None):
        """Status and body of a call of the API."""
        headers = {"content-type": "application/json"} if body is not None else {}
        if session:
            headers["authorization"] = f"Bearer {session}"
        if language:
            headers["accept-language"] = language
        content = None if body is None else json.dumps(body).encode()
        url = f"{self.keyward.url}/api/v1/{path}"
        request = urllib.request.Request(url, data=content, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read())

    def ok(self, path, body=None, session=None, **more):
        status, said = self.call(path, body, session, **more)
        assert status == 200, (path, status, said)
        return said

    def refused(self, code, path, body=None, session=None):
        status, said = self.call(path, body, session)
        assert said.get("code") == code, (path, status, said)

    def next(self, to, seconds=30):
        """The next message to an address that no test has read yet: its text."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            mails = [(letter.to[0], letter.part("plain"), letter) for letter in self.office.letters]
            texts = [(form["To"], form["Body"], form) for form in self.exchange.taken]
            for address, text, message in mails + texts:
                if address == to and id(message) not in self.heard:
                    self.heard.add(id(message))
                    return message if isinstance(to, str) and "@" in to else text
            time.sleep(0.02)
        raise AssertionError(f"nothing came to {to}")

    def code(self, to):
        """The code in the next message that holds one."""
        while True:
            message = self.next(to)
            text = message if isinstance(message, str) else message.part("plain")
            runs = re.findall(r"(?<![\d+*])\d{6}(?!\d)", text)
            if runs:
                assert len(runs) == 1, text
                return runs[0]

    def skip(self, to):
        """Everything that came to an address so far counts as read."""
        self.heard |= {id(letter) for letter in self.office.letters if letter.to[0] == to}
        self.heard |= {id(form) for form in self.exchange.taken if form["To"] == to}

    def register(self, key, second_step=False, language=None):
        process = self.ok("registration", {"userKey": key}, language=language)
        self.ok(f"token/registration/{process['processingId']}", language=language)
        proof = {**process, "oneTimeToken": self.code(key), "isMfaEnabled": second_step}
        self.ok("registration/verification", proof)
        return self.ok("registration/password", {**process, "password": PASSWORD})["userId"]

    def log_in(self, key, password=PASSWORD, **addresses):
        """The session's tokens, after a code for each second step."""
        said = self.ok("login", {"userKey": key, "password": password})
        assert said["mfaRequired"] == bool(addresses)
        while said["mfaRequired"]:
            step = {"processingId": said["processingId"], "destination": said["mfaSteps"][0]}
            self.ok("token/login", step)
            step["oneTimeToken"] = self.code(addresses[step["destination"]])
            said = self.ok("login/verification", step)
        return said


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("profile"))
    try:
        yield world.up()
    finally:
        world.down()
    log = world.keyward.log.read_text(errors="replace")
    for secret in (ANNA, BEN, PHONE, NEW_PHONE, PASSWORD, NEW_PASSWORD, PHRASE):
        assert secret not in log, "a log holds an address, a password or an anti-phishing code"


def test_register_log_in_lose_the_phone_and_recover_it(world):
    person = world.register(ANNA, second_step=True)
    session = world.log_in(ANNA, EMAIL=ANNA)["accessToken"]
    details = world.ok("account/details", session=session, method="GET")
    assert (details["userId"], details["email"], details["mfaSteps"]) == (person, ANNA, ["EMAIL"])

    # The anti-phishing code: from now on in every letter, whoever writes it.
    world.ok("token/antiPhishing/adding", session=session)
    phrase = {"antiPhishingCode": PHRASE, "oneTimeToken": world.code(ANNA)}
    world.ok("account/antiPhishingCode", phrase, session)

    # A phone as another second step.
    world.ok(f"token/userKeys/adding/phoneNumber?newPhoneNumber={PHONE}", session=session)
    proof = {"newPhoneNumber": PHONE, "oneTimeToken": world.code(PHONE)}
    world.ok("userKeys/adding/phoneNumber", proof, session)
    world.ok("mfa/enabling", {"destination": "PHONE_NUMBER"}, session)
    for _ in ("added", "on"):
        letter = world.next(ANNA)
        assert PHRASE in letter.part("plain") and PHRASE in letter.part("html")
    tokens = world.log_in(ANNA, EMAIL=ANNA, PHONE_NUMBER=PHONE)
    session = tokens["accessToken"]

    # The phone is lost. Password and mailbox get another one in.
    world.skip(ANNA)
    world.skip(PHONE)
    process = world.ok("userKeys/recovery", {"userKey": ANNA, "password": PASSWORD, "keyType": "PHONE_NUMBER"})
    world.ok("token/userKeys/recovery/verification", process)
    letter = world.next(ANNA)
    assert PHRASE in letter.part("plain")
    [code] = re.findall(r"\b\d{6}\b", letter.part("plain"))
    world.ok("userKeys/recovery/verification", {**process, "oneTimeToken": code})
    world.ok("token/userKeys/recovery/newKey", {**process, "destination": NEW_PHONE})
    world.ok("userKeys/recovery/newKey", {**process, "oneTimeToken": world.code(NEW_PHONE)})
    # The mailbox, the new phone and the old phone hear of it; all sessions are over.
    assert PHRASE in world.next(ANNA).part("plain")
    for number in (NEW_PHONE, PHONE):
        assert PHRASE not in world.next(number)
    world.refused("UNAUTHORIZED", "logout", session=session)
    world.refused("REFRESH_TOKEN_INVALID", "login/refresh", {"refreshToken": tokens["refreshToken"]})

    # Whoever has the old phone gets nothing any more; the new one opens the account.
    session = world.log_in(NEW_PHONE, EMAIL=ANNA, PHONE_NUMBER=NEW_PHONE)["accessToken"]
    details = world.ok("account/details", session=session, method="GET")
    assert details["phoneNumber"] == NEW_PHONE and details["restrictedUntil"]
    world.refused("PERMISSION_RESTRICTED", "token/mfa/disabling", {"destination": "EMAIL"}, session)
    world.refused("BAD_CREDENTIALS", "login", {"userKey": PHONE, "password": PASSWORD})


def test_other_surfaces_show_the_anti_phishing_code_too(world):
    world.skip(ANNA)
    status, key = world.keyward.call("POST", "/v2/key", {"pin": "1234"})
    assert status == 201
    status, _ = world.keyward.call("POST", f"/v2/key/{key['id']}/user", {"userId": ANNA}, pin="1234")
    assert status == 201
    assert PHRASE in world.next(ANNA).part("plain")


def test_the_language_is_that_of_who_registered(world):
    world.register(BEN, language="de-AT,de;q=0.9,en;q=0.5")
    session = world.log_in(BEN)["accessToken"]
    world.skip(BEN)
    world.ok("token/password/changing", session=session)
    letter = world.next(BEN)
    assert "Passwort" in letter.part("plain"), letter.part("plain")
    preview = json.loads(
        world.keyward.command("admin", "messages", "preview", "PASSWORD_CHANGING", "--language", "de", "--json")
    )
    assert preview["subject"] == letter.subject


# The example front end.


class Mailbox:
    """Tells the browser what came: `GET /code?to=…` waits for the next code, `GET /text?to=…` for the next message."""

    def __init__(self, world):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path = urllib.parse.urlsplit(self.path)
                to = urllib.parse.parse_qs(path.query)["to"][0]
                if path.path == "/skip":
                    world.skip(to)
                    text = ""
                elif path.path == "/code":
                    text = world.code(to)
                else:
                    message = world.next(to)
                    text = message if isinstance(message, str) else message.part("plain")
                self.send_response(200)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


def test_the_example_front_end_in_chromium(world, tmp_path):
    port = free_port()
    page = subprocess.Popen(
        [sys.executable, ROOT / "examples/front-end/serve.py", "--keyward", world.keyward.url, "--port", str(port)],
        stdout=subprocess.PIPE,
    )
    mailbox = Mailbox(world)
    pictures = pathlib.Path(os.environ.get("KEYWARD_PICTURES", tmp_path))
    pictures.mkdir(parents=True, exist_ok=True)
    try:
        page.stdout.readline()
        finished = subprocess.run(
            ["node", HERE / "front_end.mjs", f"http://127.0.0.1:{port}/", mailbox.url, pictures],
            capture_output=True,
            text=True,
            timeout=180,
        )
    finally:
        page.terminate()
        page.wait()
        mailbox.server.shutdown()
    assert finished.returncode == 0, finished.stdout + finished.stderr
    seen = json.loads(finished.stdout.splitlines()[-1])
    assert seen["complaints"] == [], seen
    assert seen["details"]["Email"] == "clara@example.org"
    assert seen["details"]["Second steps"] == "Email, Authenticator app"
    assert seen["details"]["Anti-phishing code"] == "set"
    assert seen["recoveryCodes"] == 10
    assert "green-owl-3" in seen["letter"]
    assert seen["wide"] is False, "the page scrolls sideways on a small screen"
    assert len(list(pictures.glob("front-end-*.png"))) >= 8
