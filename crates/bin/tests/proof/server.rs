//! One server process on a data directory: started, stopped, killed, and asked by the command line.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::photon::Photon;
use crate::wait::{Watch, until};

/// Limits that only stand in the way of a storm from one address.
const OPEN: [(&str, &str); 5] = [
    ("KEYWARD_PHOTON__NEW_KEYS_PER_NETWORK_HOUR", "0"),
    ("KEYWARD_PHOTON__SENDS_PER_NETWORK_HOUR", "0"),
    ("KEYWARD_PHOTON__SENDS_PER_USER_HOUR", "0"),
    ("KEYWARD_PHOTON__SENDS_PER_USER_DAY", "0"),
    ("KEYWARD_PHOTON__SENDS_PER_ADDRESS_DAY", "0"),
];

/// A data directory, and how the server on it is run.
pub(crate) struct House {
    folder: TempDir,
    data: PathBuf,
    settings: Vec<(String, String)>,
    flags: Vec<String>,
}

impl House {
    /// Development mode with cheap hashes, without limits per network.
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            data: folder.path().join("data"),
            folder,
            settings: OPEN.iter().map(own).collect(),
            flags: vec!["--dev".to_owned(), "--dev-fast-hash".to_owned()],
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn flags(mut self, flags: &[&str]) -> Self {
        self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self
    }

    pub(crate) fn data_in(mut self, data: &Path) -> Self {
        data.clone_into(&mut self.data);
        self
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// A folder that is gone with the test, beside the data.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.data.join("keyward.keys")
    }

    /// Everything the servers of this house said.
    pub(crate) fn log(&self) -> String {
        let read = |name| std::fs::read(self.folder.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&[read("out"), read("err")].concat()).into_owned()
    }

    pub(crate) fn assert_no_panic(&self) {
        let log = self.log();
        let panic = log.lines().find(|line| line.contains("panicked"));
        assert_eq!(panic, None, "nothing panics");
    }

    /// `keyward serve` as a command, for those who start it in their own way.
    pub(crate) fn command(&self) -> Command {
        self.wrapped(Command::new(env!("CARGO_BIN_EXE_keyward")))
    }

    /// The same behind another program that ends by running it.
    pub(crate) fn wrapped(&self, mut command: Command) -> Command {
        let stream = |name| {
            let path = self.folder.path().join(name);
            OpenOptions::new().append(true).create(true).open(path)
        };
        command
            .arg("serve")
            .arg("--data")
            .arg(&self.data)
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .args(&self.flags)
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(stream("out").unwrap())
            .stderr(stream("err").unwrap());
        command
    }

    pub(crate) fn start(&self) -> Server {
        self.started(self.command())
    }

    pub(crate) fn started(&self, mut command: Command) -> Server {
        let child = Running(command.spawn().unwrap());
        self.ready(child)
    }

    /// Waits until a process of this house says where it listens.
    pub(crate) fn ready(&self, mut child: Running) -> Server {
        let told = until("server.json", || {
            if let Some(status) = child.0.try_wait().unwrap() {
                panic!("the server ended with {status}: {}", tail(&self.log()));
            }
            let text = std::fs::read(self.data.join("server.json")).ok()?;
            let told: Value = serde_json::from_slice(&text).ok()?;
            (told["pid"] == child.0.id()).then_some(told)
        });
        let address = |name: &str| -> SocketAddr {
            let url = told[name].as_str().unwrap();
            url.strip_prefix("http://").unwrap().parse().unwrap()
        };
        Server {
            child,
            public: address("public"),
            admin: address("admin"),
            token: told["token"].as_str().unwrap().to_owned(),
        }
    }

    /// Starts a server that must refuse: its exit status and what it said on standard error.
    pub(crate) fn refused(&self) -> Ended {
        ended(self.command())
    }

    /// `keyward COMMAND… --data DATA`.
    pub(crate) fn keyward(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
        command.args(arguments).arg("--data").arg(&self.data);
        ended(command)
    }

    /// Moves the development clock.
    pub(crate) fn advance(&self, span: &str) {
        let moved = self.keyward(&["dev", "clock", "advance", span]);
        assert!(moved.status.success(), "the clock moves: {}", moved.err);
    }

    /// Walks the audit chain and asserts that it is whole; how many events it has.
    pub(crate) fn verify_audit(&self) -> u64 {
        let verdict = self.keyward(&["admin", "audit", "verify", "--json"]);
        assert!(
            verdict.status.success(),
            "the audit chain is whole: {} {}",
            verdict.out,
            verdict.err
        );
        let verdict: Value = serde_json::from_str(&verdict.out).unwrap();
        assert_eq!(verdict["findings"], serde_json::json!([]), "no findings");
        verdict["events"].as_u64().unwrap()
    }
}

/// What a command that ended left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Asserts that the command refused, and said each of `words`.
    pub(crate) fn says(&self, words: &[&str]) {
        assert!(
            !self.status.success() && self.status.code().is_some(),
            "it ends with a status that says no: {self:?}"
        );
        let err = self.err.to_lowercase();
        for word in words {
            assert!(
                err.contains(&word.to_lowercase()),
                "says {word:?}: {self:?}"
            );
        }
        assert!(
            !err.contains("panicked"),
            "refuses, but does not panic: {self:?}"
        );
    }
}

/// `keyward COMMAND…`.
pub(crate) fn command(arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command.args(arguments);
    ended(command)
}

/// Runs a command to its end; one that does not end fails the test.
pub(crate) fn ended(mut command: Command) -> Ended {
    let folder = TempDir::new().unwrap();
    let path = |name| folder.path().join(name);
    command
        .stdin(Stdio::null())
        .stdout(File::create(path("out")).unwrap())
        .stderr(File::create(path("err")).unwrap());
    let mut child = Running(command.spawn().unwrap());
    let status = child.wait();
    let read = |name| {
        let mut bytes = Vec::new();
        let mut file = File::open(path(name)).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ended {
        status,
        out: read("out"),
        err: read("err"),
    }
}

/// A process that does not outlive its test.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("a process to end", || self.0.try_wait().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only when the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that answers.
pub(crate) struct Server {
    child: Running,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) token: String,
}

impl Server {
    pub(crate) fn photon(&self) -> Photon {
        Photon::new(self.public)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.0.kill().unwrap();
        self.child.0.wait().unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        let mut command = Command::new("kill");
        command.arg(format!("-{name}")).arg(self.pid().to_string());
        assert!(command.status().unwrap().success(), "the signal is sent");
    }

    /// Waits for the end of a server that was told to stop.
    pub(crate) fn stopped(mut self) -> ExitStatus {
        self.child.wait()
    }

    /// A stop as an operator's: it must end well.
    pub(crate) fn stop(self) {
        self.signal("TERM");
        let status = self.stopped();
        assert!(status.success(), "a stop ends well: {status}");
    }

    /// Memory in use, in KiB.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.unwrap().split_whitespace().next().unwrap();
        number.parse().unwrap()
    }

    /// `/readyz`: ready, or not.
    pub(crate) fn is_ready(&self) -> bool {
        let answer = self.photon().get("/readyz");
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// How long it takes until `/readyz` answers `ready`.
    pub(crate) fn until_ready(&self) -> std::time::Duration {
        let watch = Watch::start();
        until("readiness", || self.is_ready().then_some(()));
        watch.elapsed()
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().rev().take(15).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
