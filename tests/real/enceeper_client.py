"""A client of the Enceeper API written from its documents alone: it shares no code with the server.

The password proof is plain big-integer arithmetic. What the real clients encrypt is opaque to the server, so here it is
plain text that says what it stands for.
"""

import hashlib
import json
import pathlib
import secrets
import unicodedata
import urllib.error
import urllib.request

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "crates/crypto/tests/vectors/enceeper-srp-vectors.json"
N = int(json.loads(VECTORS.read_text())["parameters"]["N"], 16)
G = 19
BYTES = 1024


def digest(*parts):
    return hashlib.sha512(b"".join(parts)).digest()


def number(octets):
    return int.from_bytes(octets, "big")


def pad(value):
    return value.to_bytes(BYTES, "big")


K = number(digest(pad(N), pad(G)))


def secret(email, password, salt):
    password = unicodedata.normalize("NFKC", password).encode()
    return number(digest(salt, digest(email.encode() + b":" + password)))


def credential(email, password):
    """What an account keeps instead of the password."""
    salt = secrets.token_bytes(32)
    return {"salt": salt.hex(), "verifier": pad(pow(G, secret(email, password, salt), N)).hex()}


def prove(email, password, challenge):
    """The answer to a challenge, and the server's proof to expect."""
    server = bytes.fromhex(challenge["B"])
    assert len(server) == BYTES and number(server) % N, "a B that a client must refuse"
    a = number(secrets.token_bytes(32))
    public = pad(pow(G, a, N))
    u = number(digest(public, server))
    x = secret(email, password, bytes.fromhex(challenge["salt"]))
    shared = pow(number(server) - K * pow(G, x, N), a + u * x, N)
    key = digest(pad(shared))
    proof = digest(public, server, key)
    return {"A": public.hex(), "M1": proof.hex(), "ref": challenge["ref"]}, digest(public, proof, key).hex()


class Refused(Exception):
    def __init__(self, status, message, headers):
        super().__init__(f"{status} {message}")
        self.status, self.message, self.headers = status, message, headers


class Client:
    """Somebody who uses the service."""

    def __init__(self, base, email, password):
        self.base, self.email, self.password = base, email, password
        self.token = None
        self.account = None

    def call(self, method, path, body=None):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["X-Enceeper-Auth"] = self.token
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=content, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, headers, text = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as refusal:
            status, headers, text = refusal.code, refusal.headers, refusal.read()
        envelope = json.loads(text)
        assert headers["Content-Type"] == "application/json"
        assert list(envelope) == ["outcome", "result", "enceeper", "errorMessage"], envelope
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert int(headers["X-RateLimit-Remaining"]) <= int(headers["X-RateLimit-Limit"])
        if envelope["outcome"] == "OK":
            assert status == 200 and envelope["errorMessage"] is None
            return envelope["result"]
        assert status >= 400 and envelope["result"] is None
        raise Refused(status, envelope["errorMessage"], headers)

    def auth(self):
        keys = {"v": 1, "kek": "kek under the password", "pub": f"public key of {self.email}", "prv": "private key under the kek"}
        return {"srp6a": credential(self.email, self.password), "scrypt": {"salt": "00" * 32}, "keys": keys}

    def register(self):
        assert self.call("POST", "user", {"email": self.email, "auth": self.auth()}) is None

    def sign_in(self):
        # As the library does after a password change: the old token is still in the header.
        challenge = self.call("POST", "user/challenge", {"email": self.email})["srp6a"]
        proof, expected = prove(self.email, self.password, challenge)
        result = self.call("POST", "user/login", {"srp6a": proof})
        assert result["srp6a"] == {"M2": expected}, "the server does not know the verifier"
        self.token = result["enceeper"]["authToken"]
        self.account = result
        return result

    def change_password(self, new):
        """As the library does: parts of the object, at the top of the body."""
        body = {"srp6a": credential(self.email, new), "keys": {"kek": "kek under the new password"}}
        self.call("PUT", "user", body)
        self.password = new
        return self.sign_in()

    def keys(self):
        return self.call("GET", "user/keys")

    def add_key(self, meta, value):
        return self.call("POST", "user/keys", {"slot": "own slot", "meta": meta, "value": value})["key"]

    def add_slot(self, key, value, notify=0):
        return self.call("POST", f"user/keys/{key}/slots", {"value": value, "notify": notify})["key"]["slots"][-1]

    def share(self, key, email):
        public = self.call("POST", "user/search", {"email": email})["sharePubKey"]
        body = {"email": email, "slot": f"slot boxed for {public}"}
        return self.call("POST", f"user/keys/{key}/share", body)["share"]
