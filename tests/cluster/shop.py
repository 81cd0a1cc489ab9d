"""A relying party's back end with one person and one device: keys that sign, and the calls that check them."""

import base64
import hashlib
import json
import secrets
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
        form = {"grant_type": "client_credentials", **{name: client[name] for name in ("client_id", "client_secret")}}
        request = urllib.request.Request(f"{node.url}/oidc/token", urllib.parse.urlencode(form).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            self.token = json.load(answer)["access_token"]
        self.pair = ec.generate_private_key(ec.SECP256R1())
        self.point = self.pair.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.id = hashlib.sha256(self.point).hexdigest()
        self.user = None

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

    def sign(self, challenge):
        r, s = utils.decode_dss_signature(self.pair.sign(challenge.encode(), ec.ECDSA(hashes.SHA256())))
        return base64.b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()

    def device(self, more=""):
        return f"/{self.user}/device-keys/{self.id}{more}"

    def challenge(self, caller):
        status, body = self.call(caller, "POST", self.device("/challenge"))
        assert status == 201, (status, body)
        return body["result"]["challenge"]

    def proof(self, challenge):
        return {"challenge": challenge, "signature": self.sign(challenge)}

    def validate(self, caller, proof):
        """Whether the device signed; None when nobody said."""
        status, body = self.call(caller, "POST", self.device("/validate"), proof)
        return body["result"] if status == 200 else None

    def block(self, caller):
        return self.call(caller, "PUT", self.device("/block"))[0]
