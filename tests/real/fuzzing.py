"""Starts a server of its own and lets Schemathesis loose on it, twice: on nothing, and on a key that exists.

Budgets against senders and guessers are switched off, or every answer would soon be the same 429. Whether an answer to bad input must
be a refusal is the goldens' business (the wire ignores unknown fields on purpose), so those checks are left out.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from collections import Counter

from enceeper_client import Client
from keyward import ROOT, Keyward
from wallet import Issuer, Phone

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
]
# This wire answers 404 to a method that it does not have, and says so.
METHODS = ("unsupported_method", "allow_header_conformance")
BUDGETS_OFF = """
[photon]
sends_per_user_hour = 0
sends_per_user_day = 0
sends_per_address_day = 0
sends_per_network_hour = 0
new_keys_per_network_hour = 0
max_failures = 1000000
max_failures_in_a_row = 0

[enceeper]
ip_requests_per_hour = 0
failed_proofs_per_ip = 0
failed_proofs_per_address = 0
pending_approvals_per_slot = 0

[enceeper.plans.Default]
reqs_per_hour = 0
total_keys = 1000000

[profile.ott]
resend_cooldown_seconds = 0
max_sends_per_process = 0
max_sends_per_operation_hour = 0
max_sends_per_address_hour = 0
max_sends_per_address_day = 0
max_sends_per_ip_hour = 0
max_attempts = 1000000

[profile.process]
max_failed = 1000000

[profile.password]
max_failed = 1000000

[cis]
rate_limits = false
max_keys_per_user = 0

[limits]
network_messages_hour = 0

[duo.passkey]
rp_id = "localhost"

[duo.hooks]
listen = "127.0.0.1:0"
"""
PIN = "1234"
PASSWORD = "correct horse battery"
ADDRESS = "jon.smith@example.com"


def known_names(keyward):
    """A key that exists, with a verified address, for the parameters of those names."""
    status, body = keyward.call("POST", "/v2/key", {"pin": PIN})
    assert status == 201, body
    key = body["id"]
    status, body = keyward.call("POST", f"/v2/key/{key}/user", {"userId": ADDRESS}, pin=PIN)
    assert status == 201, body
    code = keyward.command("dev", "mailbox", "--to", ADDRESS, "--code")
    status, body = keyward.call("PUT", f"/v2/key/{key}/user/{ADDRESS}", {"code": code, "op": "verify"})
    assert status == 200, body
    return {"key": key, "user": ADDRESS}


def vault(keyward):
    """Somebody with a session, a key and a slot for readers, and their ids by the names of parameters."""
    client = Client(f"{keyward.url}/api/v1/", ADDRESS, "secret")
    client.register()
    message = json.loads(keyward.command("dev", "mailbox", "--to", ADDRESS, "--json"))
    link = keyward.url + message["link"][message["link"].index("/api/v1/") :]
    urllib.request.urlopen(link, data=b"decision=confirm", timeout=30).close()
    client.sign_in()
    key = client.add_key("meta", "value")["key_id"]
    slot = client.add_slot(key, "slot")
    return client, {"keyid": key, "slotid": slot["slot_id"], "identifier": slot["identifier"]}


def account(keyward):
    """The access token of somebody who registered, and the id of a registration that is open."""

    def call(path, body=None):
        status, said = keyward.call("POST", f"/api/v1/{path}", body)
        assert status == 200, said
        return said

    def registering(key):
        process = call("registration", {"userKey": key})
        call(f"token/registration/{process['processingId']}")
        return process

    process = registering(ADDRESS)
    code = keyward.command("dev", "mailbox", "--to", ADDRESS, "--code")
    call("registration/verification", {**process, "oneTimeToken": code})
    call("registration/password", {**process, "password": PASSWORD})
    token = call("login", {"userKey": ADDRESS, "password": PASSWORD})["accessToken"]
    return token, {"processingid": registering("somebody.else@example.com")["processingId"]}


def token_of(keyward, client):
    """An access token of a client, as its back end gets it."""
    form = {"grant_type": "client_credentials", **{name: client[name] for name in ("client_id", "client_secret")}}
    request = urllib.request.Request(f"{keyward.url}/oidc/token", urllib.parse.urlencode(form).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["access_token"]


def device_keys(keyward):
    """Tokens of a tenant's manager and of an application's client, and ids by the names of parameters."""
    command = lambda *words: json.loads(keyward.command("admin", *words, "--json"))
    tenant = command("tenant", "create", "--name", "Fuzzed")
    app = command("app", "create", "--tenant", tenant["tenant_id"], "--name", "Fuzzed")
    user = command("user", "create", "--tenant", tenant["tenant_id"], "--app", app["app_id"], "--email", ADDRESS)
    known = {"app_id": app["app_id"], "client_id": app["client_id"], "user_id": user["user_id"], "key_id": "phone"}
    return token_of(keyward, tenant), token_of(keyward, app), known


def register(keyward, token, user):
    vectors = json.loads((ROOT / "crates/crypto/tests/vectors/device-keys-vectors.json").read_text())
    form = json.dumps({"key_id": "phone", "public_key": vectors["keys"][0]["public_key"]}).encode()
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    url = f"{keyward.url}/cis/v1/users/{user}/device-keys"
    urllib.request.urlopen(urllib.request.Request(url, form, headers), timeout=30).close()


def wallet(keyward, issuer):
    """A token of somebody with a device and a keyshare, and the device's key by the name of its parameter."""
    token, phone = issuer.token("ana"), Phone()

    def call(method, path, body=None):
        form = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        request = urllib.request.Request(f"{keyward.url}{path}", form, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    call("POST", "/auth/users/register")
    challenge = call("GET", f"/auth/devices/challenge/{phone.id}")["challenge"]
    call("POST", "/auth/devices/register", {"device_id": phone.id, "signature": phone.sign(challenge)})
    return token, {"verifyingkey": phone.id}


def parameters(keyward, surface, known):
    """Which of the description's path parameters take which known name."""
    status, description = keyward.call("GET", f"/openapi/{surface}.json")
    assert status == 200, description
    names = {name for path in description["paths"] for name in re.findall(r"\{([^}]*)\}", path)}
    assert names, "the description has no path with a parameter"
    return {name: value for name in names for word, value in known.items() if word in name.lower()}


def answers(report):
    """How many answers of each status there were."""
    return Counter(re.findall(r'"status_code": ?([0-9]{3})', report.read_text(errors="replace")))


def hunt(keyward, surface, seconds, folder, fixed=None, extra=()):
    config, report = folder / "schemathesis.toml", folder / "answers.ndjson"
    lines = ["[parameters]", *(f'"path.{name}" = "{value}"' for name, value in (fixed or {}).items())]
    config.write_text("\n".join(lines) + "\n")
    command = [
        str(ROOT / "target/venv/bin/schemathesis"),
        *("--config-file", str(config)),
        *("run", f"{keyward.url}/openapi/{surface}.json"),
        *("--url", keyward.url),
        *("--checks", ",".join(check for check in CHECKS if surface != "enceeper" or check not in METHODS)),
        *("--max-time", str(seconds)),
        *("--request-timeout", "10"),
        *("--generation-database", "none"),
        *("--suppress-health-check", "all"),
        *("--warnings", "off"),
        *("--report", "ndjson", "--report-ndjson-path", str(report)),
        *("--seed", os.environ.get("KEYWARD_FUZZ_SEED", "1")),
        "--continue-on-failure",
    ]
    if surface == "duo":
        # There are passkeys here, so there is no verifier of faces: one says so with 503, the other is not there.
        for path in ("/auth/face/register", "/auth/face/session-token"):
            command += ["--exclude-path", path]
    command += extra
    if fixed and surface == "photon":
        # The server ignores the user part, and Schemathesis wants one.
        command += ["--auth", f"anybody:{PIN}"]
        # What they leave behind is a key that this PIN no longer opens, or one without the address.
        command += ["--exclude-operation-id", "changePin", "--exclude-operation-id", "removeUser"]
    # It looks for settings and leaves files where it stands, so it stands where it is thrown away.
    finished = subprocess.run(command, cwd=folder, timeout=seconds * 3 + 120, stdin=subprocess.DEVNULL)
    seen = answers(report)
    print("answers:", ", ".join(f"{count} times {status}" for status, count in sorted(seen.items())), flush=True)
    # A hunt that never got past the door says nothing about what is behind it.
    inside = any(status.startswith("2") for status in seen)
    return finished.returncode == 0 and (inside or not fixed)


def main():
    # Whoever is told to stop cleans up first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    surfaces = sys.argv[1:] or ["photon", "enceeper", "profile", "cis", "duo"]
    seconds = int(os.environ.get("KEYWARD_FUZZ_SECONDS", "20"))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="keyward-fuzzing-"))
    issuer = Issuer()
    configuration = BUDGETS_OFF + issuer.configuration
    keyward = Keyward(folder, configuration, ["--dev", "--dev-fast-hash"])
    sound = True
    try:
        keyward.up()
        for surface in surfaces:
            sound &= hunt(keyward, surface, seconds, folder)
            if surface == "photon":
                known = known_names(keyward)
                sound &= hunt(keyward, surface, seconds, folder, parameters(keyward, surface, known))
                status, body = keyward.call("GET", f"/v2/key/{known['key']}", pin=PIN)
                assert status == 200, f"the right PIN is answered {status} {body} after the hunt"
            if surface == "enceeper":
                client, known = vault(keyward)
                # What they leave behind is a session that is over, or no key to speak of.
                spared = ("editUser", "deleteUser", "deleteKey", "deleteSlot")
                extra = ["--header", f"X-Enceeper-Auth: {client.token}"]
                extra += [word for name in spared for word in ("--exclude-operation-id", name)]
                sound &= hunt(keyward, surface, seconds, folder, parameters(keyward, surface, known), extra)
                assert client.keys()["keys"], "the vault is there after the hunt"
            if surface == "profile":
                token, known = account(keyward)
                # What it leaves behind is a session that is over.
                extra = ["--header", f"Authorization: Bearer {token}", "--exclude-operation-id", "logout"]
                sound &= hunt(keyward, surface, seconds, folder, parameters(keyward, surface, known), extra)
                login = {"userKey": ADDRESS, "password": PASSWORD}
                status, body = keyward.call("POST", "/api/v1/login", login)
                assert status == 200, f"the right password is answered {status} {body} after the hunt"
            if surface == "cis":
                manager, client, known = device_keys(keyward)
                register(keyward, client, known["user_id"])
                fixed = parameters(keyward, surface, known)
                # What they leave behind is no application, client, user or key to speak of.
                spared = ("deleteApplication", "deleteClient", "updateClient", "deleteUser", "removeUserFromApp")
                extra = [word for name in (*spared, "deleteDeviceKeys") for word in ("--exclude-operation-id", name)]
                for token in (client, manager):
                    header = ["--header", f"Authorization: Bearer {token}"]
                    sound &= hunt(keyward, surface, seconds, folder, fixed, [*header, *extra])
            if surface == "duo":
                token, known = wallet(keyward, issuer)
                extra = ["--header", f"Authorization: Bearer {token}"]
                sound &= hunt(keyward, surface, seconds, folder, parameters(keyward, surface, known), extra)
        assert keyward.process.poll() is None, "the server is gone"
    finally:
        keyward.down()
        issuer.close()
        log = keyward.log.read_text(errors="replace") if keyward.log.exists() else ""
        shutil.rmtree(folder, ignore_errors=True)
    if re.search(r"panicked at", log):
        print(log[-4000:])
        sound = False
    sys.exit(0 if sound else 1)


if __name__ == "__main__":
    main()
