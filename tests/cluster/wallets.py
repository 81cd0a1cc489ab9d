"""What is good once for a wallet: challenges, scans of a face, passkeys; and the identity provider and the verifier of faces
that wallets need."""

import base64
import hashlib
import hmac
import http.server
import json
import secrets
import threading
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from load import Caller, patient
from shop import url64

AUDIENCE = "duo-auth-api"
SCOPE = "write:devices read:devices write:face read:face write:backup read:backup"
# Who passkeys belong to, and where their clients run.
PARTY, ORIGIN = "wallet.example.com", "https://wallet.example.com"
SECRET = "a secret of thirty-two bytes or so"


def serve(handle):
    """A server on loopback: `handle` gets a request's path, headers and body, and gives the answer's headers and object."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            sent = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers, body = handle(self.path, self.headers, sent)
            self.send_response(200)
            for name, value in {"content-type": "application/json", "content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


class Issuer:
    """An identity provider: a key set over HTTP, and tokens signed with it."""

    def __init__(self):
        self.key = rsa.generate_private_key(65537, 2048)
        modulus = self.key.public_key().public_numbers().n.to_bytes(256, "big")
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": url64(modulus), "e": "AQAB"}
        self.key_set = {"keys": [key]}
        self.url = serve(self.publish)
        self.verifier = serve(verify)

    def publish(self, path, _headers, _body):
        discovery = {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}
        return {}, json.dumps(discovery if path.endswith("openid-configuration") else self.key_set).encode()

    def settings(self, faces=False):
        """With passkeys, or with faces: a server has one of them."""
        face = f'[duo.face]\nkind = "webhook"\nurl = "{self.verifier}"\nwebhook_secret = "{SECRET}"\n'
        passkey = f'[duo.passkey]\nrp_id = "{PARTY}"\n'
        return f"""
[[duo.jwt]]
issuer = "{self.url}"
audiences = ["{AUDIENCE}"]

[duo.hooks]
listen = "127.0.0.1:0"

[duo.backup]
require_known_key = false

{face if faces else passkey}
"""

    def token(self, user):
        now = int(time.time())
        claims = {"iss": self.url, "sub": user, "aud": AUDIENCE, "iat": now, "exp": now + 3600, "scope": SCOPE}
        parts = [{"alg": "RS256", "typ": "JWT", "kid": "one"}, claims]
        signed = ".".join(url64(json.dumps(part).encode()) for part in parts)
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{url64(signature)}"


def verify(_path, headers, body):
    """A verifier of faces that knows everybody, so that nothing but the server itself can tell a scan that was used."""
    question = json.loads(body)
    decision = {"decision": "accept", "liveness": True, "matched": True}
    answer = json.dumps({"version": 1, "request_id": question["request_id"], **decision}).encode()
    message = f"v1r:{headers['x-face-verifier-request-id']}:".encode() + answer
    signature = hmac.new(SECRET.encode(), message, hashlib.sha256).hexdigest()
    return {"x-face-verifier-signature": f"v1={signature}"}, answer


def face():
    """What an app shows of its owner, another scan each time."""
    image = base64.b64encode(b"somebody").decode()
    scan = base64.b64encode(secrets.token_bytes(24)).decode()
    return {"face_scan": scan, "audit_trail_image": image, "low_quality_audit_trail_image": image, "user_agent": "app|1"}


def cbor(value):
    """As much of RFC 8949 as a passkey needs."""

    def head(major, number):
        if number < 24:
            return bytes([major << 5 | number])
        return bytes([major << 5 | 25]) + number.to_bytes(2, "big")

    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, dict):
        return head(5, len(value)) + b"".join(cbor(part) for pair in value.items() for part in pair)
    octets = value.encode() if isinstance(value, str) else value
    return head(3 if isinstance(value, str) else 2, len(octets)) + octets


class Passkey:
    """An authenticator that has recognised its owner (Web Authentication Level 3, §6.1, §6.5.4)."""

    def __init__(self):
        self.pair = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(16)

    def data(self, flags, made=b""):
        return hashlib.sha256(PARTY.encode()).digest() + bytes([flags]) + bytes(4) + made

    def response(self, kind, options, **more):
        said = {"type": kind, "challenge": options["challenge"], "origin": ORIGIN, "crossOrigin": False}
        told = json.dumps(said).encode()
        parts = {"clientDataJSON": told, **more}
        if "authenticatorData" in more:
            message = more["authenticatorData"] + hashlib.sha256(told).digest()
            parts["signature"] = self.pair.sign(message, ec.ECDSA(hashes.SHA256()))
        return {
            "id": url64(self.id),
            "rawId": url64(self.id),
            "type": "public-key",
            "response": {name: url64(value) for name, value in parts.items()},
        }

    def make(self, options):
        numbers = self.pair.public_key().public_numbers()
        x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
        key = cbor({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        made = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + key
        attestation = {"fmt": "none", "attStmt": {}, "authData": self.data(0x45, made)}
        return self.response("webauthn.create", options, attestationObject=cbor(attestation))

    def show(self, options):
        return self.response("webauthn.get", options, authenticatorData=self.data(0x05))


class Wallet:
    """Somebody with an app and a telephone that is not bound yet."""

    def __init__(self, house, url=None):
        self.first = Caller(url) if url else house.first
        self.key = secrets.token_hex(16)
        self.headers = {"authorization": f"Bearer {house.cluster.issuer.token(secrets.token_hex(4))}"}
        self.ok("POST", "/auth/users/register", {})

    def ok(self, method, path, body=None):
        status, said = patient(lambda: self.first.call(method, path, body, headers=self.headers))
        assert status in {200, 201}, (path, status, said)
        return said

    def race(self, path, body, won):
        return won, lambda caller: caller.call("POST", path, body, headers=self.headers)[0]

    def proof(self):
        """What binds the telephone."""
        pair = ec.generate_private_key(ec.SECP256R1())
        device = pair.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex()
        challenge = self.ok("GET", f"/auth/devices/challenge/{device}")["challenge"]
        message = json.dumps({"challenge": challenge}, separators=(",", ":")).encode()
        return {"device_id": device, "signature": pair.sign(message, ec.ECDSA(hashes.SHA256())).hex()}

    def back_up(self):
        self.ok("POST", "/v2/keyshare/backup", {"keyshares": [{"key_id": self.key, "encrypted_keyshare": "sealed by the app"}]})

    def new_passkey(self):
        """A passkey, and what makes it the wallet's."""
        passkey = Passkey()
        options = self.ok("POST", "/auth/passkey/register/challenge", {})["publicKey"]
        return passkey, {"credential": passkey.make(options)}


def device_challenge(house):
    wallet = Wallet(house)
    return wallet.race("/auth/devices/register", wallet.proof(), 201)


def scan(house):
    """On nodes of their own, which have a verifier of faces instead of passkeys."""
    beside = house.faces()
    wallet = Wallet(house, beside[house.first.url])
    wallet.ok("POST", "/auth/face/register", face())
    wallet.back_up()
    won, send = wallet.race("/v2/keyshare/recover", {"key_ids": [wallet.key], **face()}, 200)
    return won, lambda caller: send(Caller(beside[caller.url]))


def passkey_offer(house):
    wallet = Wallet(house)
    return wallet.race("/auth/passkey/register", wallet.new_passkey()[1], 201)


def passkey_call(house):
    wallet = Wallet(house)
    passkey, made = wallet.new_passkey()
    wallet.ok("POST", "/auth/passkey/register", made)
    wallet.back_up()
    options = wallet.ok("POST", "/v2/keyshare/recover/challenge", {"key_ids": [wallet.key]})["publicKey"]
    return wallet.race("/v2/keyshare/recover", {"key_ids": [wallet.key], "passkey": passkey.show(options)}, 200)


KINDS = {
    "challenge for a wallet's device": device_challenge,
    "scan of a face": scan,
    "challenge for a new passkey": passkey_offer,
    "challenge for a passkey": passkey_call,
}
