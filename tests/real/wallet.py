"""An issuer of tokens that publishes its key, and a phone, for tests of wallets."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NAME = "https://stamp.example.test"
SCOPE = "write:devices read:devices write:face read:face write:backup read:backup read:transactions"


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Serves its key set as long as it is open."""

    def __init__(self):
        self.key = rsa.generate_private_key(65537, 2048)
        numbers = self.key.public_key().public_numbers()
        number = lambda value: encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))
        jwk = {"kty": "RSA", "kid": "stamp", "use": "sig", "n": number(numbers.n), "e": number(numbers.e)}
        keys = json.dumps({"keys": [jwk]}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(keys)))
                self.end_headers()
                self.wfile.write(keys)

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def configuration(self):
        url = f"http://127.0.0.1:{self.server.server_port}/jwks"
        return f'[[duo.jwt]]\nissuer = "{NAME}"\naudiences = ["wallet"]\njwks_url = "{url}"\n'

    def token(self, subject):
        now = int(time.time())
        claims = {"iss": NAME, "aud": "wallet", "sub": subject, "scope": SCOPE, "iat": now, "exp": now + 3600}
        part = lambda value: encode(json.dumps(value).encode())
        signed = f"{part({'alg': 'RS256', 'kid': 'stamp'})}.{part(claims)}"
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{encode(signature)}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Phone:
    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex()

    def sign(self, challenge):
        message = json.dumps({"challenge": challenge}, separators=(",", ":")).encode()
        return self.key.sign(message, ec.ECDSA(hashes.SHA256())).hex()
