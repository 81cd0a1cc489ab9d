"""Every kind of thing that is good once, and how to hand it in: each is a function of the cluster that makes one and
returns what a racer sends, and which answer is the winner's."""

import base64
import http.client
import http.server
import json
import pathlib
import secrets
import sys
import threading
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

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

    # Device keys.

    def device_challenge(self):
        if self.shop is None:
            self.shop = Shop(self.cluster.nodes[0]).open(self.first)
        proof = self.shop.proof(self.shop.challenge(self.first))
        return True, lambda caller: self.shop.validate(caller, proof)

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

    # Wallets.

    def wallet_challenge(self):
        issuer = self.cluster.issuer
        headers = {"authorization": f"Bearer {issuer.token(secrets.token_hex(4))}"}
        assert self.first.call("POST", "/auth/users/register", headers=headers)[0] == 201
        pair = ec.generate_private_key(ec.SECP256R1())
        device = pair.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex()
        status, body = self.first.call("GET", f"/auth/devices/challenge/{device}", headers=headers)
        assert status == 200, (status, body)
        message = json.dumps({"challenge": body["challenge"]}, separators=(",", ":")).encode()
        proof = {"device_id": device, "signature": pair.sign(message, ec.ECDSA(hashes.SHA256())).hex()}
        return 201, lambda caller: caller.call("POST", "/auth/devices/register", proof, headers=headers)[0]


KINDS = {
    "address code": House.address_code,
    "reset code": House.reset_code,
    "link that stops a reset": House.stop_link,
    "challenge for a device key": House.device_challenge,
    "confirmation of an account": House.confirmation,
    "proof of a password": House.login_proof,
    "pass to the account's page": House.web_pass,
    "approval of a reading": House.approval,
    "challenge for a wallet's device": House.wallet_challenge,
}


def press(caller, path, decision):
    """A button of a page."""
    connection = http.client.HTTPConnection(caller.host, timeout=70)
    try:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        connection.request("POST", path, f"decision={decision}", headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


class Issuer:
    """An identity provider: a key set over HTTP, and tokens signed with it."""

    def __init__(self):
        self.key = rsa.generate_private_key(65537, 2048)
        numbers = self.key.public_key().public_numbers()
        modulus = numbers.n.to_bytes(256, "big")
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": url64(modulus), "e": "AQAB"}
        key_set = json.dumps({"keys": [key]}).encode()
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = key_set
                if self.path.endswith("openid-configuration"):
                    body = json.dumps({"issuer": issuer.url, "jwks_uri": f"{issuer.url}/jwks"}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def settings(self):
        return f'\n[[duo.jwt]]\nissuer = "{self.url}"\naudiences = ["duo-auth-api"]\n\n[duo.hooks]\nlisten = "127.0.0.1:0"\n'

    def token(self, user):
        now = int(time.time())
        claims = {"iss": self.url, "sub": user, "aud": "duo-auth-api", "iat": now, "exp": now + 3600}
        claims["scope"] = "write:devices read:devices"
        parts = [{"alg": "RS256", "typ": "JWT", "kid": "one"}, claims]
        signed = ".".join(url64(json.dumps(part).encode()) for part in parts)
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{url64(signature)}"


def url64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
