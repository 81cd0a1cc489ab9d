"""A relying party's back end with one person and one device: keys that sign, and the calls that check them."""

import base64
import hashlib
import json
import secrets
import time
import urllib.parse
import urllib.request

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from load import patient


class Shop:
    """A tenant of its own, made over the admin API of `node`."""

    def __init__(self, node):
        tenant = json.loads(node.command("admin", "tenant", "create", "--name", f"Shop {secrets.token_hex(4)}", "--json"))
        create = ["admin", "app", "create", "--tenant", tenant["tenant_id"], "--name", "A shop", "--json"]
        client = json.loads(node.command(*create))
        self.client, self.token = client, self.grant(node, client)
        self.manager = self.grant(node, tenant)
        self.pair = ec.generate_private_key(ec.SECP256R1())
        self.point = self.pair.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.id = hashlib.sha256(self.point).hexdigest()
        self.user = None

    @staticmethod
    def grant(node, client):
        """An access token."""
        form = {"grant_type": "client_credentials", **{name: client[name] for name in ("client_id", "client_secret")}}
        request = urllib.request.Request(f"{node.url}/oidc/token", urllib.parse.urlencode(form).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["access_token"]

    def call(self, caller, method, path, body=None):
        headers = {"authorization": f"Bearer {self.token}"}
        return patient(lambda: caller.call(method, f"/cis/v1/users{path}", body, headers=headers))

    def open(self, caller):
        """Adds the person and the device."""
        status, body = self.call(caller, "POST", "", {"email": f"{secrets.token_hex(6)}@example.com"})
        assert status == 201, (status, body)
        self.user = body["result"]["user_id"]
        form = {"key_id": self.id, "public_key": base64.b64encode(self.point).decode()}
        status, body = self.call(caller, "POST", f"/{self.user}/device-keys", form)
        assert status == 201, (status, body)
        return self

    def sign(self, text):
        """Both numbers of the signature, 32 bytes each."""
        r, s = utils.decode_dss_signature(self.pair.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def device(self, more=""):
        return f"/{self.user}/device-keys/{self.id}{more}"

    def challenge(self, caller):
        status, body = self.call(caller, "POST", self.device("/challenge"))
        assert status == 201, (status, body)
        return body["result"]["challenge"]

    def proof(self, challenge):
        return {"challenge": challenge, "signature": base64.b64encode(self.sign(challenge)).decode()}

    def validate(self, caller, proof):
        """Whether the device signed; None when nobody said."""
        status, body = self.call(caller, "POST", self.device("/validate"), proof)
        return body["result"] if status == 200 else None

    def block(self, caller):
        return self.call(caller, "PUT", self.device("/block"))[0]

    def assertion(self, caller, url):
        """The form of a client that signs instead of showing its secret (RFC 7523 §2.2)."""
        client = self.client["client_id"]
        key = {"kty": "EC", "crv": "P-256", "x": url64(self.point[1:33]), "y": url64(self.point[33:])}
        body = {"authentication_configuration": {"jwks": {"keys": [key]}}}
        headers = {"authorization": f"Bearer {self.manager}"}
        path = f"/cis/v1/applications/{self.client['app_id']}/clients/{client}"
        status, said = patient(lambda: caller.call("PUT", path, body, headers=headers))
        assert status == 200, (status, said)
        now = int(time.time())
        claims = {"iss": client, "sub": client, "aud": f"{url}/oidc/token", "iat": now, "exp": now + 60}
        claims["jti"] = secrets.token_hex(8)
        signed = ".".join(url64(json.dumps(part).encode()) for part in ({"alg": "ES256"}, claims))
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": f"{signed}.{url64(self.sign(signed))}",
        }


def url64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
