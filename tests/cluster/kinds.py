"""Every kind of thing that is good once, and how to hand it in: each is a function of the house that makes one and
returns which answer is the winner's, and what a racer sends.

Not here, and why:

- The code that ends a PIN reset once its lock has opened is raced in `crates/bin/tests/proof/nodes.rs`, where clocks can be
  moved by thirty days.
- A code of the app that switches the app off, or joins the recovery of a user key, is judged where that of a login is. So
  is a passkey, or a scan of a face, for a new device where that for a recovery is.
- A challenge that the caller of a device key made is the caller's to use once; this server never saw it before. Where an
  application takes no others, a challenge of the server is the one that is raced here.
- The button that denies a reading takes the same link as the one that approves it.
- Good for a while and not once: access tokens, sessions, the reference to an approved reading, the permission to make keys
  that a signing server asks for, the admin API's token. Decisions about the use of keys are answered anew each time.
- There is no such thing: a link in a letter about an account or a wallet, a reset of a vault's password.
"""

import http.client
import itertools
import pathlib
import secrets
import sys
import urllib.parse

import accounts
import wallets
from cluster import OPEN
from linear import Letters
from load import Caller, patient
from shop import Shop

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "real"))
from enceeper_client import Client, prove  # noqa: E402


class House:
    """The cluster, and what several kinds need."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.letters = Letters(cluster.mailbox)
        self.first = Caller(cluster.nodes[0].url)
        self.shop = None

    def letter(self, address, field, known=0):
        found, known = self.letters.next(address, known, field)
        assert found is not None, f"no letter with a {field} to {address}"
        return found, known

    def faces(self):
        """Nodes with a verifier of faces, beside those of the cluster."""
        if self.cluster.faces is None:
            self.cluster.faces = self.cluster.beside(OPEN + self.cluster.issuer.settings(faces=True))
        return self.cluster.faces

    # The guarded key.

    def owned(self):
        key, address = patient(lambda: self.first.create("2468"))[1], f"{secrets.token_hex(6)}@example.org"
        assert self.first.add_user(key, "2468", address) == 201
        code, known = self.letter(address, "oneTimeToken")
        return key, address, code, known

    def address_code(self):
        key, address, code, _ = self.owned()
        return 200, lambda caller: caller.verify(key, address, {"op": "verify", "code": code})[0]

    def proving(self):
        key, address, code, known = self.owned()
        assert self.first.verify(key, address, {"op": "verify", "code": code})[0] == 200
        assert self.first.ask_reset(key, address) == 200
        code, known = self.letter(address, "oneTimeToken", known)
        return key, address, {"op": "reset-pin", "code": code, "newPin": "9999"}, known

    def reset_code(self):
        key, address, body, _ = self.proving()
        return 423, lambda caller: caller.verify(key, address, body)[0]

    def stop_link(self):
        key, address, body, known = self.proving()
        assert self.first.verify(key, address, body)[0] == 423
        link, _ = self.letter(address, "link", known)
        path = urllib.parse.urlsplit(link).path
        return 200, lambda caller: caller.call("POST", path)[0]

    # Device keys, and the clients that use them.

    def open_shop(self):
        if self.shop is None:
            self.shop = Shop(self.cluster.nodes[0]).open(self.first)

    def device_challenge(self):
        self.open_shop()
        proof = self.shop.proof(self.shop.challenge(self.first))
        return True, lambda caller: self.shop.validate(caller, proof)

    def assertion(self):
        self.open_shop()
        form = self.shop.assertion(self.first, self.cluster.url)
        return 200, lambda caller: submit(caller, "/oidc/token", form)

    # Vaults.

    def member(self):
        client = Client(f"{self.cluster.nodes[0].url}/api/v1/", f"{secrets.token_hex(6)}@example.org", "a password")
        client.register()
        link, known = self.letter(client.email, "link")
        return client, urllib.parse.urlsplit(link).path, known

    def joined(self):
        client, path, known = self.member()
        assert press(self.first, path, "confirm") == 200
        client.sign_in()
        return client, known

    def confirmation(self):
        _, path, _ = self.member()
        return 200, lambda caller: press(caller, path, "confirm")

    def login_proof(self):
        client, _ = self.joined()
        challenge = client.call("POST", "user/challenge", {"email": client.email})["srp6a"]
        body = {"srp6a": prove(client.email, client.password, challenge)[0]}
        return 200, lambda caller: caller.call("POST", "/api/v1/user/login", body)[0]

    def web_pass(self):
        client, _ = self.joined()
        issued = client.call("GET", "user/webauth")
        token = next(value for value in issued.values() if isinstance(value, str))
        path = urllib.parse.urlsplit(token).path if "/" in token else f"/api/v1/user/login/{token}"
        return 200, lambda caller: caller.call("GET", path)[0]

    def approval(self):
        client, known = self.joined()
        key = client.add_key("meta", "value")["key_id"]
        slot = client.add_slot(key, "slot", notify=2)
        asked = Client(client.base, "", "").call("GET", f"user/slots/{slot['identifier']}")
        assert asked["ref"], asked
        link, _ = self.letter(client.email, "link", known)
        path = urllib.parse.urlsplit(link).path
        return 200, lambda caller: press(caller, path, "approve")

    def share(self):
        """Accepted and rejected by the one who was asked, and taken back by the other: it is one of these."""
        (alice, _), (bob, _) = self.joined(), self.joined()
        number = alice.share(alice.add_key("meta", "value")["key_id"], bob.email)["share_id"]
        path, turns = f"/api/v1/user/keys/shares/{number}", itertools.count()

        def send(caller):
            method, who = [("POST", bob), ("DELETE", bob), ("DELETE", alice)][next(turns) % 3]
            return caller.call(method, path, {"slot": "slot under bob's kek"}, headers={"X-Enceeper-Auth": who.token})[0]

        return 200, send


KINDS = {
    "address code": House.address_code,
    "reset code": House.reset_code,
    "link that stops a reset": House.stop_link,
    "challenge for a device key": House.device_challenge,
    "confirmation of an account": House.confirmation,
    "proof of a password": House.login_proof,
    "pass to the account's page": House.web_pass,
    "approval of a reading": House.approval,
    "answer to a shared entry": House.share,
    "assertion of a client": House.assertion,
    **accounts.KINDS,
    **wallets.KINDS,
}


def press(caller, path, decision):
    """A button of a page."""
    return submit(caller, path, {"decision": decision})


def submit(caller, path, fields):
    """A form."""
    connection = http.client.HTTPConnection(caller.host, timeout=70)
    try:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        connection.request("POST", path, urllib.parse.urlencode(fields), headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
