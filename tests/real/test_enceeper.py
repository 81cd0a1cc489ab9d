"""The Enceeper surface of the built server, walked by a client of our own, and its pages in a real browser."""

import functools
import http.server
import json
import os
import pathlib
import subprocess
import tempfile
import threading

import pytest

from enceeper_client import Client, Refused
from keyward import Keyward

HERE = pathlib.Path(__file__).resolve().parent
CONFIGURATION = """
[enceeper]
ip_requests_per_hour = 5000

[enceeper.plans.Default]
reqs_per_hour = 2000

[enceeper.plans.Small]
total_keys = 1
key_sharing = false
"""


@pytest.fixture(scope="module")
def keyward():
    server = Keyward(pathlib.Path(tempfile.mkdtemp(prefix="keyward-enceeper-")), CONFIGURATION, ["--dev", "--dev-fast-hash"])
    try:
        yield server.up()
    finally:
        server.stop()


def letter(keyward, to):
    return json.loads(keyward.command("dev", "mailbox", "--to", to, "--json"))


def page(keyward, link):
    """The link of a letter, at the address that the server has now."""
    return keyward.url + link[link.index("/api/v1/") :]


def press(keyward, link, decision):
    import urllib.error
    import urllib.request

    request = urllib.request.Request(page(keyward, link), data=f"decision={decision}".encode(), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as refusal:
        return refusal.code


def joined(keyward, email, password="correct horse: battery"):
    client = Client(f"{keyward.url}/api/v1/", email, password)
    client.register()
    with pytest.raises(Refused, match="400 The email address has not been confirmed"):
        client.sign_in()
    message = letter(keyward, email)
    assert message["operation"] == "ENCEEPER_CONFIRM" and message["channel"] == "EMAIL"
    assert press(keyward, message["link"], "confirm") == 200
    client.sign_in()
    return client


def refused(status, message, call, *arguments):
    with pytest.raises(Refused) as caught:
        call(*arguments)
    assert (caught.value.status, caught.value.message) == (status, message)


def test_the_whole_walk(keyward):
    alice, bob = joined(keyward, "alice@example.org", "pässword ﬁ"), joined(keyward, "Bob@example.org")
    plan = alice.account["enceeper"]["plan"]
    assert plan["name"] == "Default" and None not in plan.values()
    assert alice.account["keys"]["v"] == 1 and "verifier" not in json.dumps(alice.account)

    # The library's password change, then the documented one; each ends the other sessions.
    other = Client(alice.base, alice.email, alice.password)
    other.sign_in()
    account = alice.change_password("new password")
    assert account["keys"]["kek"] == "kek under the new password" and account["keys"]["prv"] == "private key under the kek"
    refused(400, "Password has expired, re-auth", other.keys)
    alice.password = "third password"
    alice.call("PUT", "user", {"auth": alice.auth()})
    alice.sign_in()
    alice.password = "new password"
    refused(400, "User authentication failed", alice.sign_in)
    alice.password = "third password"
    alice.sign_in()

    key = alice.add_key("meta of one", "value of one")
    assert key["slots"][0]["slot_id"] == -1 and not key["shared"] and key["with"] is None
    number = key["key_id"]
    edited = alice.call("PUT", f"user/keys/{number}", {"status": 0, "meta": "new meta"})["key"]
    assert (edited["meta"], edited["value"]) == ("new meta", "value of one")

    # Outside readers: at once, told of, asked for.
    reader = Client(alice.base, "", "")
    slot = alice.add_slot(number, "slot under a password")
    read = reader.call("GET", f"user/slots/{slot['identifier']}")
    assert read == {"ref": None, "ttl": None, "slot": "slot under a password", "meta": "new meta", "value": "value of one"}
    place = f"user/keys/{number}/slots/{slot['slot_id']}"
    alice.call("PUT", place, {"notify": 1, "status": 0})
    reader.call("GET", f"user/slots/{slot['identifier']}")
    told = letter(keyward, alice.email)
    assert told["operation"] == "ENCEEPER_SLOT_USED" and str(number) in told["body"] and slot["identifier"] not in told["body"]
    alice.call("PUT", place, {"notify": 2, "status": 0})
    for decision, wanted in (("approve", 200), ("deny", 404)):
        asked = reader.call("GET", f"user/slots/{slot['identifier']}")
        assert asked["ttl"] == 600 and asked["slot"] is None
        refused(428, "Waiting for approval", reader.call, "GET", f"user/slots/check/{asked['ref']}")
        question = letter(keyward, alice.email)
        assert question["operation"] == "ENCEEPER_SLOT_APPROVAL" and asked["ref"] not in question["body"]
        assert press(keyward, question["link"], decision) == 200
        assert press(keyward, question["link"], "approve") == 404
        if wanted == 200:
            assert reader.call("GET", f"user/slots/check/{asked['ref']}")["slot"] == "slot under a password"
        else:
            refused(404, "Slot not found", reader.call, "GET", f"user/slots/check/{asked['ref']}")
    alice.call("DELETE", place)
    refused(404, "Slot not found", reader.call, "GET", f"user/slots/{slot['identifier']}")

    # Sharing: rejected, taken back, accepted, given up.
    refused(404, "User not found", alice.share, number, "nobody@example.org")
    first = alice.share(number, "bob@example.org")
    assert (first["from"], first["pub"], first["to"], first["status"]) == (None, None, "Bob@example.org", "new")
    (seen,) = bob.keys()["shares"]
    assert (seen["from"], seen["pub"]) == ("alice@example.org", "public key of alice@example.org")
    bob.call("DELETE", f"user/keys/shares/{first['share_id']}")
    second = alice.share(number, "bob@example.org")
    alice.call("DELETE", f"user/keys/shares/{second['share_id']}")
    refused(404, "Share not found", bob.call, "POST", f"user/keys/shares/{second['share_id']}", {"slot": "bob's"})
    third = alice.share(number, "bob@example.org")
    received = bob.call("POST", f"user/keys/shares/{third['share_id']}", {"slot": "slot under bob's kek"})["key"]
    assert received["shared"] and received["with"] == "alice@example.org" and received["key_id"] == number
    assert [slot["value"] for slot in received["slots"]] == ["slot under bob's kek"]
    assert bob.keys() == {"keys": [received], "shares": []}

    # A server that dies as in a power cut knows everybody afterwards.
    keyward.kill()
    keyward.up()
    alice.base = bob.base = f"{keyward.url}/api/v1/"
    assert [slot["with"] for slot in alice.keys()["keys"][0]["slots"]] == [None, "Bob@example.org"]
    bob.call("DELETE", f"user/keys/{number}/slots/{received['slots'][0]['slot_id']}")
    assert bob.keys()["keys"] == []
    alice.share(number, "bob@example.org")
    alice.call("DELETE", "user")
    assert bob.keys() == {"keys": [], "shares": []}
    refused(403, "The auth token has expired", alice.keys)
    refused(400, "User authentication failed", alice.sign_in)


def test_the_operator_sees_the_outside_and_sets_the_plan(keyward):
    carol = joined(keyward, "carol@example.org")
    carol.add_key("meta", "value")
    state = json.loads(keyward.command("admin", "enceeper", "show", "carol@example.org", "--json"))
    assert (state["entries"], state["plan"], state["plan_is_default"]) == (1, "Default", True)
    keyward.command("admin", "enceeper", "plan", "CAROL@example.org", "Small", "--json")
    refused(400, "Your plan does not allow more keys", carol.add_key, "meta", "value")
    refused(400, "Your plan does not allow key sharing", carol.share, carol.keys()["keys"][0]["key_id"], "carol@example.org")
    assert carol.sign_in()["enceeper"]["plan"]["name"] == "Small"
    assert keyward.command("admin", "audit", "verify", "--json")
    keyward.command("admin", "enceeper", "delete", "carol@example.org", "--json")
    refused(403, "The auth token has expired", carol.keys)


def browser(*arguments):
    """Runs browser.mjs; what it prints last is JSON."""
    command = ["node", "--no-warnings", HERE / "browser.mjs", *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=180, cwd=HERE)
    assert finished.returncode == 0, finished.stderr[-4000:]
    return json.loads(finished.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def pictures():
    folder = pathlib.Path(os.environ.get("KEYWARD_PICTURES") or tempfile.mkdtemp(prefix="keyward-pictures-"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_pages_in_a_browser(keyward, pictures):
    """Each page by keyboard alone, wide and narrow, light and dark; no script, no sideways scrolling."""
    dora = Client(f"{keyward.url}/api/v1/", "dora@example.org", "secret")
    dora.register()
    link = page(keyward, letter(keyward, dora.email)["link"])
    shown = browser("decide", link, "Confirm this address", pictures / "confirm")
    assert shown["before"]["heading"] == "Confirm your email address" and shown["before"]["lang"] == "en"
    assert shown["after"]["heading"] == "Your address is confirmed." and not shown["before"]["sideways"]
    dora.sign_in()
    key = dora.add_key("meta", "value")["key_id"]
    slot = dora.add_slot(key, "slot", 2)
    for button, heading in (("Approve", "The reading is approved."), ("Deny", "The reading is denied.")):
        Client(dora.base, "", "").call("GET", f"user/slots/{slot['identifier']}")
        link = page(keyward, letter(keyward, dora.email)["link"])
        shown = browser("decide", link, button, pictures / button.lower())
        assert shown["before"]["buttons"] == ["Approve", "Deny"] and str(key) in shown["before"]["text"]
        assert shown["after"]["heading"] == heading and not shown["before"]["sideways"]
        assert browser("look", link, pictures / "gone")["status"] == 404
    token = dora.call("GET", "user/webauth")["token"]
    shown = browser("look", f"{keyward.url}/api/v1/user/login/{token}", pictures / "account")
    assert shown["status"] == 200 and shown["heading"] == "Your account" and not shown["sideways"]
    assert "dora@example.org" in shown["text"] and "1 of 1000" in shown["text"]
    for name in ("confirm", "approve", "deny", "account"):
        for form in ("wide", "narrow", "dark"):
            assert (pictures / f"{name}-{form}.png").stat().st_size > 4000


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_a_page_from_elsewhere_may_call(keyward, tmp_path):
    """A browser enforces the rules about other origins; this one must let every answer through, refusals included."""
    (tmp_path / "index.html").write_text((HERE / "cors.html").read_text())
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        origin = f"http://localhost:{server.server_address[1]}"
        seen = browser("cors", f"{origin}/index.html?base={keyward.url}/api/v1/")
        server.shutdown()
    assert seen["greeting"]["status"] == 200 and seen["greeting"]["body"]["outcome"] == "OK"
    assert int(seen["greeting"]["limit"]) > 0 and int(seen["greeting"]["reset"]) > 0
    assert seen["stale"]["status"] == 403 and seen["stale"]["body"]["errorMessage"] == "The auth token has expired"
    assert seen["put"]["status"] == 401 and seen["unknown"]["status"] == 404 and seen["bad"]["status"] == 400
    assert seen["page"] == "refused", "pages are not for other origins"
