"""A `keyward serve` of its own for a test: free ports, a data folder that is thrown away, and the command line."""

import base64
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests"))
from ports import free_ports  # noqa: E402

BINARY = ROOT / os.environ.get("KEYWARD_BIN", "target/debug/keyward")


class Keyward:
    """The server, with some configuration beyond its listeners. It survives `kill` and `up` on the same data."""

    def __init__(self, folder, configuration="", switches=()):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.configuration = configuration
        self.switches = switches
        self.log = self.folder / "log"
        self.process = None
        self.url = None

    def up(self, seconds=30):
        listen, admin = free_ports(2)
        config = self.folder / "keyward.toml"
        config.write_text(
            f'[server]\nlisten = "127.0.0.1:{listen}"\n\n[admin]\nlisten = "127.0.0.1:{admin}"\n\n{self.configuration}'
        )
        self.url = f"http://127.0.0.1:{listen}"
        arguments = [BINARY, "serve", "--config", config, "--data", self.data, *self.switches]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=2):
                    return self
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"keyward did not become ready:\n{self.log.read_text(errors='replace')}")

    def kill(self):
        """Ends it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def down(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError("keyward did not stop within 20 s of SIGTERM") from None

    def command(self, *arguments):
        command = [BINARY, *arguments, "--data", self.data]
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=self.folder, timeout=60).stdout.strip()

    def call(self, method, path, body=None, pin=None):
        """Status and JSON body."""
        headers = {"content-type": "application/json"}
        if pin is not None:
            headers["authorization"] = "Basic " + base64.b64encode(f":{pin}".encode()).decode()
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=content, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            text = refusal.read()
            return refusal.code, json.loads(text) if text else None

    def stop(self):
        self.down()
        shutil.rmtree(self.folder, ignore_errors=True)
