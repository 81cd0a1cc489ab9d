//! The messages to one address, read in their order.

use serde_json::Value;

use crate::arena::{Arena, address};
use crate::table::Ended;

pub(crate) struct Mail {
    pub(crate) address: String,
    /// The number of messages that were read.
    known: usize,
}

impl Mail {
    /// A new address. Fails if messages cannot be read, before anything is created.
    pub(crate) async fn fresh(arena: &Arena) -> Result<Self, Ended> {
        let address = address();
        arena.letters_to(&address).await?;
        Ok(Self { address, known: 0 })
    }

    /// Marks all messages so far as read.
    pub(crate) async fn skip(&mut self, arena: &Arena) -> Result<(), Ended> {
        self.known = arena.letters_to(&self.address).await?.len();
        Ok(())
    }

    /// The code in the next message that contains one.
    pub(crate) async fn code(&mut self, arena: &Arena) -> Result<String, Ended> {
        let code = self.next(arena, "oneTimeToken").await?;
        Ok(code.as_str().unwrap_or_default().to_owned())
    }

    /// The path of the next link, which begins with `start`.
    pub(crate) async fn link(&mut self, arena: &Arena, start: &str) -> Result<String, Ended> {
        let link = self.next(arena, "link").await?;
        let link = link.as_str().unwrap_or_default();
        match link.find(start) {
            Some(at) => Ok(link[at..].to_owned()),
            None => Err(Ended::Skipped(format!(
                "a link that does not begin with {start}: {link}"
            ))),
        }
    }

    /// The value of a field in the first unread message that has it.
    async fn next(&mut self, arena: &Arena, field: &str) -> Result<Value, Ended> {
        loop {
            arena.letter(&self.address, self.known).await?;
            let letters = arena.letters_to(&self.address).await?;
            for letter in letters.iter().skip(self.known) {
                self.known += 1;
                if letter[field].is_string() {
                    return Ok(letter[field].clone());
                }
            }
        }
    }
}
