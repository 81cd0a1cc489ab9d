//! A file instead of a provider, with one JSON line for each message: for tests, development, and programs that
//! read it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use domain::port::courier::{Delivery, Letter};

use super::line::Line;
use super::{FileOptions, Provider};
use crate::disk;

pub(super) struct Mailbox {
    path: PathBuf,
    /// Keeps the lines of this process separate even if a write is not atomic.
    turn: Arc<Mutex<()>>,
}

impl Mailbox {
    /// Creates the file and its folder if they do not exist.
    pub(super) fn new(options: FileOptions) -> Result<Self, String> {
        let path = options.path;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| explain(&path, &error))?;
        }
        open(&path).map_err(|error| explain(&path, &error))?;
        Ok(Self {
            path,
            turn: Arc::default(),
        })
    }
}

#[async_trait]
impl Provider for Mailbox {
    async fn carry(&self, letter: &Letter) -> Delivery {
        let mut line = Line::of(letter).json();
        line.push(b'\n');
        let path = self.path.clone();
        let turn = Arc::clone(&self.turn);
        let written = tokio::task::spawn_blocking(move || {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            append(&path, &line)
        });
        match written.await {
            Ok(Ok(())) => Delivery::Accepted,
            Ok(Err(error)) => Delivery::Later(explain(&self.path, &error)),
            Err(_) => Delivery::Later("the server is stopping".to_owned()),
        }
    }

    async fn probe(&self) -> Result<(), String> {
        open(&self.path)
            .map(|_| ())
            .map_err(|error| explain(&self.path, &error))
    }
}

/// The file is opened for each line, because a reader may remove it at any time.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    disk::private(&mut options);
    options.open(path)
}

/// One write call for each line, so that the lines of several processes do not mix.
fn append(path: &Path, line: &[u8]) -> io::Result<()> {
    let mut file = open(path)?;
    if ends_amid_a_line(&mut file)? {
        // An incomplete line, left by a killed process or a full disk, must not damage this one.
        file.write_all(b"\n")?;
    }
    file.write_all(line)?;
    file.flush()
}

fn ends_amid_a_line(file: &mut File) -> io::Result<bool> {
    let about = file.metadata()?;
    if !about.is_file() || about.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

fn explain(path: &Path, error: &io::Error) -> String {
    format!("cannot write the mailbox file {}: {error}", path.display())
}
