"""Messages on their way out, with real servers at the other end and a provider's whole range of bad days."""

import re
import time

import pytest

from keyward import Keyward
from sms import Exchange, Receiver
from smtp import PostOffice

EMAIL = "jon.smith@example.com"
PHONE = "+4917512345678"
SENDER = "keys@keyward.example"
PIN = "1234"
# Long enough for the second and third try of a message, short enough to wait for.
PATIENCE = 60


class World:
    """Providers and servers that end with the test, and the addresses and codes that no log may hold."""

    def __init__(self, folder):
        self.folder = folder
        self.ends = []
        self.secrets = {EMAIL, PHONE}
        self.keyward = None

    def office(self, security="none", login=None, up=True):
        office = PostOffice(security, login, self.folder)
        return self._provider(office, up)

    def exchange(self, up=True, **options):
        return self._provider(Exchange(**options), up)

    def receiver(self, up=True, **options):
        return self._provider(Receiver(**options), up)

    def _provider(self, provider, up):
        self.ends.append(provider.down)
        return provider.up() if up else provider

    def secret_file(self, name, text):
        path = self.folder / name
        path.write_text(text + "\n")
        path.chmod(0o600)
        return path

    def serve(self, *sections, switches=()):
        self.keyward = Keyward(self.folder, "\n".join(sections), switches).up()
        self.ends.append(self.keyward.down)
        return self.keyward

    # What an operator writes into keyward.toml.

    def smtp(self, office, header="[mail]", **more):
        lines = {"kind": "smtp", "host": "127.0.0.1", "port": office.port, "tls": office.security, "from": SENDER}
        if office.authority is not None:
            lines["ca_file"] = office.authority
        if office.login:
            lines["username"] = office.login[0]
            lines["password_file"] = self.secret_file(f"password-{office.port}", office.login[1])
        return section(header, lines | more)

    def twilio(self, exchange, header="[sms]", **more):
        lines = {
            "kind": "twilio",
            "url": exchange.url,
            "account_sid": exchange.sid,
            "auth_token_file": self.secret_file(f"token-{exchange.port}", exchange.secret),
            "from": "+15005550006",
        }
        return section(header, lines | more)

    def webhook(self, receiver, header="[sms]", **more):
        lines = {
            "kind": "webhook",
            "url": f"{receiver.url}/hook",
            "secret_file": self.secret_file(f"hook-{receiver.port}", receiver.secret.decode()),
        }
        return section(header, lines | more)

    # What a client does.

    def new_key(self):
        status, body = self.keyward.call("POST", "/v2/key", {"pin": PIN})
        assert status == 201, body
        return body["id"]

    def register(self, address, key=None):
        key = key or self.new_key()
        began = time.monotonic()
        status, body = self.keyward.call("POST", f"/v2/key/{key}/user", {"userId": address}, pin=PIN)
        assert (status, body) == (201, {"message": "Success"})
        assert time.monotonic() - began < 5, "the client waited for the provider"
        return key

    def verify(self, key, address, code):
        self.secrets.add(code)
        path = f"/v2/key/{key}/user/{address.replace('+', '%2B')}"
        return self.keyward.call("PUT", path, {"code": code, "op": "verify"})[0]


def section(header, lines):
    def value(given):
        return str(given).lower() if isinstance(given, bool) else given if isinstance(given, int) else f'"{given}"'

    return "\n".join([header, *(f"{key} = {value(given)}" for key, given in lines.items()), ""])


def code_in(text):
    runs = re.findall(r"(?<!\d)\d{6}(?!\d)", text)
    assert len(runs) == 1, f"exactly one run of six digits is wanted: {text!r}"
    return runs[0]


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    for end in reversed(world.ends):
        end()
    log = world.keyward.log.read_text(errors="replace")
    for secret in world.secrets:
        assert secret not in log, "a log holds an address or a code"


# Mail.


def test_a_code_arrives_in_a_text_part_and_in_an_html_part(world):
    office = world.office()
    world.serve(world.smtp(office))
    key = world.register(EMAIL)
    [letter] = office.wait_for_letters()
    assert letter.to == [EMAIL]
    assert letter.sender == SENDER
    assert letter.message["To"] == EMAIL
    assert SENDER in letter.message["From"]
    assert letter.message["Date"] is not None
    assert re.fullmatch(r"<[^<>@\s]+@[^<>@\s]+>", letter.id)
    assert letter.subject
    code = code_in(letter.part("plain"))
    html = letter.part("html")
    assert code_in(re.sub(r"<style.*?</style>|<[^>]*>", " ", html, flags=re.S)) == code
    assert world.verify(key, EMAIL, code) == 200


def test_lines_are_of_a_length_that_mail_allows(world):
    office = world.office()
    world.serve(world.smtp(office))
    world.register(EMAIL)
    [letter] = office.wait_for_letters()
    assert max(len(line) for line in letter.raw.split(b"\r\n")) <= 998


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_an_encrypted_connection_with_a_login(world, security):
    office = world.office(security, login=("keyward", "post-office-secret"))
    world.serve(world.smtp(office))
    key = world.register(EMAIL)
    [letter] = office.wait_for_letters()
    assert letter.encrypted
    assert letter.user == "keyward"
    assert world.verify(key, EMAIL, code_in(letter.part("plain"))) == 200


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_nobody_vouches_for_gets_nothing(world, security):
    office = world.office(security)
    stranger = world.office(security)
    office.authority = stranger.authority
    world.serve(world.smtp(office))
    world.register(EMAIL)
    time.sleep(5)
    assert (office.tries, office.letters) == (0, [])


def test_a_server_that_offers_no_encryption_gets_nothing_when_it_is_wanted(world):
    office = world.office("none")
    world.serve(world.smtp(office, tls="starttls"))
    world.register(EMAIL)
    time.sleep(5)
    assert (office.tries, office.letters) == (0, [])


def test_a_server_that_is_down_gets_the_message_once_it_is_back(world):
    office = world.office(up=False)
    world.serve(world.smtp(office))
    key = world.register(EMAIL)
    time.sleep(2)
    office.up()
    [letter] = office.wait_for_letters(seconds=PATIENCE)
    assert world.verify(key, EMAIL, code_in(letter.part("plain"))) == 200
    time.sleep(3)
    assert len(office.letters) == 1


def test_a_temporary_refusal_is_tried_again_and_delivered_once(world):
    office = world.office()
    office.mood = "later"
    world.serve(world.smtp(office))
    key = world.register(EMAIL)
    office.wait_for_tries(2, seconds=PATIENCE)
    office.mood = "accept"
    [letter] = office.wait_for_letters(seconds=PATIENCE)
    assert world.verify(key, EMAIL, code_in(letter.part("plain"))) == 200
    time.sleep(3)
    assert len(office.letters) == 1


@pytest.mark.parametrize("mood", ["never", "refuse-recipient"])
def test_a_refusal_for_good_is_not_tried_again_and_stops_nobody_else(world, mood):
    office = world.office()
    office.mood = mood
    world.serve(world.smtp(office))
    world.register(EMAIL)
    office.wait_for_tries(1)
    time.sleep(8)
    assert (office.tries, office.letters) == (1, [])
    office.mood = "accept"
    world.register("somebody.else@example.com")
    [letter] = office.wait_for_letters(seconds=PATIENCE)
    assert letter.to == ["somebody.else@example.com"]


def test_a_slow_server_does_not_slow_the_client(world):
    office = world.office()
    office.mood = "slow"
    office.slowness = 3
    world.serve(world.smtp(office))
    began = time.monotonic()
    key = world.register(EMAIL)
    assert time.monotonic() - began < 2.5
    [letter] = office.wait_for_letters()
    assert world.verify(key, EMAIL, code_in(letter.part("plain"))) == 200


def test_two_messages_to_one_address_keep_their_order(world):
    office = world.office()
    world.serve(world.smtp(office))
    key = world.register(EMAIL)
    [letter] = office.wait_for_letters()
    assert world.verify(key, EMAIL, code_in(letter.part("plain"))) == 200
    office.down()
    assert world.keyward.call("PUT", f"/v2/key/{key}", {"newPin": "5678"}, pin=PIN)[0] == 200
    assert world.keyward.call("GET", f"/v2/key/{key}/user/{EMAIL}/reset")[0] == 200
    time.sleep(1)
    office.up()
    _, notice, code = office.wait_for_letters(3, seconds=PATIENCE)
    assert re.findall(r"\d{6}", notice.part("plain")) == []
    world.secrets.add(code_in(code.part("plain")))
    assert notice.id != code.id


def test_a_code_that_a_newer_one_made_void_is_not_sent_any_more(world):
    office = world.office(up=False)
    world.serve(world.smtp(office))
    key = world.register(EMAIL)
    world.register(EMAIL, key)
    time.sleep(1)
    office.up()
    [letter] = office.wait_for_letters(seconds=PATIENCE)
    assert world.verify(key, EMAIL, code_in(letter.part("plain"))) == 200
    time.sleep(5)
    assert len(office.letters) == 1


def test_the_second_server_of_a_list_takes_over(world):
    first, second = world.office(up=False), world.office()
    world.serve(world.smtp(first, "[[mail.providers]]"), world.smtp(second, "[[mail.providers]]"))
    key = world.register(EMAIL)
    [letter] = second.wait_for_letters(seconds=PATIENCE)
    assert world.verify(key, EMAIL, code_in(letter.part("plain"))) == 200
    first.up()
    time.sleep(3)
    assert first.letters == []


# kill -9. Whoever has taken a message for sending has it for two minutes, so that two nodes never send it at once; the
# movable clock of development mode spares us the wait.

MOVABLE = ["--dev"]
AFTER_THE_LEASE = "121s"


def test_a_queued_message_outlives_kill_9(world):
    office = world.office(up=False)
    keyward = world.serve(world.smtp(office), switches=MOVABLE)
    key = world.register(EMAIL)
    keyward.kill()
    keyward.up()
    keyward.command("dev", "clock", "advance", AFTER_THE_LEASE)
    # Not before the clock has jumped: it would end the lease of a delivery that is under way.
    office.up()
    [letter] = office.wait_for_letters(seconds=PATIENCE)
    assert world.verify(key, EMAIL, code_in(letter.part("plain"))) == 200


def test_a_message_cut_off_while_it_is_sent_comes_again_under_the_same_id(world):
    office = world.office()
    office.mood = "hold"
    keyward = world.serve(world.smtp(office), switches=MOVABLE)
    key = world.register(EMAIL)
    office.wait_for_letters(1)
    keyward.kill()
    office.mood = "accept"
    keyward.up()
    keyward.command("dev", "clock", "advance", AFTER_THE_LEASE)
    first, again = office.wait_for_letters(2, seconds=PATIENCE)
    assert first.id == again.id
    assert first.part("plain") == again.part("plain")
    assert world.verify(key, EMAIL, code_in(again.part("plain"))) == 200
    time.sleep(3)
    assert len(office.letters) == 2


def test_a_connection_that_breaks_after_the_message_makes_a_duplicate_with_the_same_id(world):
    office = world.office()
    office.mood = "hang-up"
    world.serve(world.smtp(office))
    world.register(EMAIL)
    office.wait_for_letters(1)
    office.mood = "accept"
    first, again = office.wait_for_letters(2, seconds=PATIENCE)
    assert first.id == again.id


# Text messages.


def test_a_text_message_carries_the_code(world):
    exchange = world.exchange()
    world.serve(world.twilio(exchange))
    key = world.register(PHONE)
    [form] = exchange.wait_for()
    assert form["To"] == PHONE
    assert form["From"] == "+15005550006"
    assert world.verify(key, PHONE, code_in(form["Body"])) == 200
    assert exchange.complaints == []


def test_a_messaging_service_replaces_the_sender(world):
    exchange = world.exchange()
    service = "MG" + "0" * 31 + "2"
    world.serve(world.twilio(exchange).replace('from = "+15005550006"', f'messaging_service_sid = "{service}"'))
    world.register(PHONE)
    [form] = exchange.wait_for()
    assert form["MessagingServiceSid"] == service
    assert "From" not in form


@pytest.mark.parametrize("mood", ["busy", "broken"])
def test_an_exchange_in_trouble_is_tried_again(world, mood):
    exchange = world.exchange()
    exchange.mood = mood
    world.serve(world.twilio(exchange))
    key = world.register(PHONE)
    exchange.wait_for(2, seconds=PATIENCE, tries=True)
    exchange.mood = "accept"
    [form] = exchange.wait_for(seconds=PATIENCE)
    assert world.verify(key, PHONE, code_in(form["Body"])) == 200


def test_a_number_that_does_not_exist_is_not_tried_again(world):
    exchange = world.exchange()
    exchange.unreachable.add(PHONE)
    world.serve(world.twilio(exchange))
    world.register(PHONE)
    exchange.wait_for(1, tries=True)
    time.sleep(8)
    assert exchange.tries == 1


def test_a_signed_webhook_takes_over_from_an_exchange(world):
    exchange, receiver = world.exchange(up=False), world.receiver()
    world.serve(world.twilio(exchange, "[[sms.providers]]"), world.webhook(receiver, "[[sms.providers]]"))
    key = world.register(PHONE)
    [message] = receiver.wait_for(seconds=PATIENCE)
    assert message["to"] == PHONE
    assert world.verify(key, PHONE, code_in(message["body"])) == 200
    assert receiver.complaints == []


def test_a_webhook_that_was_down_gets_the_message_once_it_is_back(world):
    receiver = world.receiver(up=False)
    world.serve(world.webhook(receiver))
    key = world.register(PHONE)
    time.sleep(2)
    receiver.up()
    [message] = receiver.wait_for(seconds=PATIENCE)
    assert message["channel"] == "SMS"
    assert world.verify(key, PHONE, code_in(message["body"])) == 200
    time.sleep(3)
    assert len(receiver.taken) == 1


def test_mail_may_leave_by_a_webhook_too(world):
    receiver = world.receiver()
    world.serve(world.webhook(receiver, "[mail]"))
    key = world.register(EMAIL)
    [message] = receiver.wait_for()
    assert (message["channel"], message["to"]) == ("EMAIL", EMAIL)
    assert world.verify(key, EMAIL, code_in(message["body"])) == 200
