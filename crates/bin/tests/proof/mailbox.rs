//! The development mailbox: a file of JSON lines, read on from where the last look ended.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::server::House;
use crate::wait::until;

/// A message with a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) id: String,
    pub(crate) code: String,
}

/// What lies in the mailbox.
pub(crate) struct Mailbox {
    path: PathBuf,
    read: u64,
    codes: HashMap<String, Vec<Code>>,
}

impl Mailbox {
    pub(crate) fn of(data: &Path) -> Self {
        Self {
            path: data.join("mailbox.jsonl"),
            read: 0,
            codes: HashMap::new(),
        }
    }

    /// The codes sent to an address: every letter once, in order. One id must always be one letter.
    pub(crate) fn codes(&mut self, to: &str) -> &[Code] {
        self.read_on();
        self.codes.get(to).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn newest(&mut self, to: &str) -> Option<String> {
        self.codes(to).last().map(|code| code.code.clone())
    }

    /// The only code to an address, in whichever mailbox. Of several nodes each may take a letter, also
    /// one that another node has just answered for, so it is waited for.
    pub(crate) fn first_of(houses: &[House], to: &str) -> String {
        let mut mailboxes: Vec<Self> = houses.iter().map(|house| Self::of(house.data())).collect();
        let mut look = || mailboxes.iter_mut().find_map(|mailbox| mailbox.newest(to));
        until("a letter", &mut look)
    }

    /// Every line about an address, as it is.
    pub(crate) fn raw(&self, to: &str) -> String {
        let bytes = std::fs::read(&self.path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(to)).collect();
        lines.join("\n")
    }

    fn read_on(&mut self) {
        let Ok(mut file) = File::open(&self.path) else {
            return;
        };
        let mut fresh = Vec::new();
        file.seek(SeekFrom::Start(self.read)).unwrap();
        file.read_to_end(&mut fresh).unwrap();
        let whole = fresh
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        self.read += u64::try_from(whole).unwrap();
        for line in fresh[..whole].split(|byte| *byte == b'\n') {
            // A line that was being written when the process was killed is no message.
            let Ok(line) = serde_json::from_slice::<Value>(line) else {
                continue;
            };
            self.take(&line);
        }
    }

    fn take(&mut self, line: &Value) {
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        let (Some(to), Some(id), Some(code)) = (text("to"), text("id"), text("oneTimeToken"))
        else {
            return;
        };
        let codes = self.codes.entry(to).or_default();
        match codes.iter().find(|known| known.id == id) {
            Some(known) => assert_eq!(known.code, code, "a duplicate is the same letter"),
            None => codes.push(Code { id, code }),
        }
    }
}
