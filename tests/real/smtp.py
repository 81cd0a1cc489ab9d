"""A real SMTP server on loopback whose mood a test can set.

Plain, with STARTTLS or with TLS from the start (a throw-away certificate authority), with or without a log-in. It can
be down, slow, say "later" (451) or "never" (550), or take a message and then hold its answer back or hang up.

By itself: python smtp.py [--port N] [--security none|starttls|tls] prints each message as a line of JSON.
"""

import argparse
import asyncio
import json
import pathlib
import ssl
import sys
import threading
import time
from email import message_from_bytes, policy

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from ports import free_port  # noqa: E402


class Letter:
    """One message as it was taken: envelope, headers and parts."""

    def __init__(self, envelope, encrypted, user):
        self.sender = envelope.mail_from
        self.to = list(envelope.rcpt_tos)
        self.encrypted = encrypted
        self.user = user
        self.raw = envelope.original_content
        self.message = message_from_bytes(self.raw, policy=policy.default)
        self.id = self.message["Message-ID"]
        self.subject = self.message["Subject"]

    def part(self, kind):
        body = self.message.get_body(preferencelist=(kind,))
        return None if body is None else body.get_content()


class PostOffice:
    """The server. `mood` is one of accept, later, never, refuse-recipient, slow, hold, hang-up; it may be changed at any time."""

    def __init__(self, security="none", login=None, folder=None, port=None):
        self.security = security
        self.login = login
        self.port = port or free_port()
        self.mood = "accept"
        self.slowness = 3600.0
        self.letters = []
        self.tries = 0
        self._changed = threading.Condition()
        self._controller = None
        self._context = None
        self.authority = None
        if security != "none":
            self._certificates(pathlib.Path(folder))

    def _certificates(self, folder):
        authority = trustme.CA()
        self.authority = folder / f"authority-{self.port}.pem"
        authority.cert_pem.write_to_path(self.authority)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(self._context)

    def up(self):
        options = {}
        if self.login:
            options.update(
                authenticator=self._authenticate, auth_required=True, auth_require_tls=self.security == "starttls"
            )
        if self.security == "starttls":
            options.update(tls_context=self._context, require_starttls=True)
        implicit = self._context if self.security == "tls" else None
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, ssl_context=implicit, server_hostname="localhost", **options
        )
        self._controller.start()
        return self

    def down(self):
        """Refuses connections from now on, and drops those that are open."""
        if self._controller is not None:
            self._controller.stop(no_assert=True)
            self._controller = None

    def _authenticate(self, server, session, envelope, mechanism, data):
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        given = (data.login.decode(), data.password.decode())
        session.keyward_user = given[0]
        return AuthResult(success=given == self.login, handled=False)

    def _note(self, letter=None):
        with self._changed:
            self.tries += letter is None
            if letter is not None:
                self.letters.append(letter)
            self._changed.notify_all()

    async def handle_RCPT(self, server: SMTP, session, envelope, address, options):
        if self.mood == "refuse-recipient":
            self._note()
            return "550 5.1.1 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session, envelope):
        self._note()
        if self.mood == "later":
            return "451 4.3.0 come back later"
        if self.mood == "never":
            return "550 5.7.1 not wanted"
        if self.mood == "slow":
            await asyncio.sleep(self.slowness)
        encrypted = session.ssl is not None or self.security == "tls"
        self._note(Letter(envelope, encrypted, getattr(session, "keyward_user", None)))
        if self.mood == "hold":
            await asyncio.sleep(self.slowness)
        if self.mood == "hang-up":
            server.transport.abort()
            return "250 OK, which nobody hears"
        return "250 OK"

    def _wait(self, seconds, what, done):
        deadline = time.monotonic() + seconds
        with self._changed:
            while not done():
                left = deadline - time.monotonic()
                assert left > 0, f"no {what} within {seconds} s; {self.tries} tries, {len(self.letters)} letters"
                self._changed.wait(left)

    def wait_for_tries(self, count, seconds=30):
        self._wait(seconds, f"try number {count}", lambda: self.tries >= count)

    def wait_for_letters(self, count=1, seconds=30):
        self._wait(seconds, f"letter number {count}", lambda: len(self.letters) >= count)
        return list(self.letters)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int)
    parser.add_argument("--security", choices=["none", "starttls", "tls"], default="none")
    parser.add_argument("--folder", default=".", help="where the authority's certificate goes")
    arguments = parser.parse_args()
    office = PostOffice(arguments.security, folder=arguments.folder, port=arguments.port).up()
    print(json.dumps({"port": office.port, "ca_file": str(office.authority or "")}), flush=True)
    seen = 0
    while True:
        office.wait_for_letters(seen + 1, seconds=10**9)
        letter = office.letters[seen]
        seen += 1
        print(json.dumps({"to": letter.to, "id": letter.id, "subject": letter.subject, "text": letter.part("plain")}), flush=True)


if __name__ == "__main__":
    main()
