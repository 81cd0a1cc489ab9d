//! The server under load: the built binary on free ports with a data directory that is thrown away.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_keyward");

pub(crate) struct Server {
    process: Child,
    pub(crate) folder: PathBuf,
    pub(crate) address: String,
}

impl Server {
    /// Starts it with these environment settings and waits until it can write.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Self {
        Self::with(&[], settings)
    }

    /// Ends it and starts it anew on the same data.
    pub(crate) fn again(mut self, settings: &[(&str, &str)]) -> Self {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
        std::fs::remove_file(self.folder.join("server.json")).expect("it was there");
        let folder = std::mem::take(&mut self.folder);
        Self::on(folder, &[], settings)
    }

    pub(crate) fn with(arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let number = Instant::now().elapsed().as_nanos() + u128::from(std::process::id());
        let folder =
            std::env::temp_dir().join(format!("keyward-bench-{number}-{}", settings.len()));
        // A leftover of an earlier run is of no use to anybody.
        let _ = std::fs::remove_dir_all(&folder);
        Self::on(folder, arguments, settings)
    }

    fn on(folder: PathBuf, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let process = Command::new(BINARY)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--admin-listen",
                "127.0.0.1:0",
                "--data",
            ])
            .arg(&folder)
            .args(arguments)
            .env("KEYWARD_SERVER__LOG_FILTER", "error")
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary starts");
        let address = wait(&folder);
        Self {
            process,
            folder,
            address,
        }
    }

    /// Resident memory.
    pub(crate) fn resident_megabytes(&self) -> f64 {
        self.status("VmRSS:") / 1024.0
    }

    /// CPU seconds used so far, user and system.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.process.id());
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let fields: Vec<f64> = text
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .map(|field| field.parse().unwrap_or(0.0))
            .collect();
        // Fields 14 and 15 of the line, in ticks of a hundredth of a second.
        fields
            .get(11..13)
            .map_or(0.0, |times| times.iter().sum::<f64>() / 100.0)
    }

    fn status(&self, name: &str) -> f64 {
        let path = format!("/proc/{}/status", self.process.id());
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_default();
        line.split_whitespace()
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or(0.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is only a bench: nothing of it is kept.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if !self.folder.as_os_str().is_empty() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// The public address, once the server has written it down.
fn wait(folder: &std::path::Path) -> String {
    let begun = Instant::now();
    loop {
        if let Ok(text) = std::fs::read_to_string(folder.join("server.json")) {
            let running: serde_json::Value =
                serde_json::from_str(&text).expect("server.json is JSON");
            let url = running["public"].as_str().expect("an address").to_owned();
            return url.trim_start_matches("http://").to_owned();
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "the server does not start"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}
