//! Section 16 of the sheet: what a server must prove, on every database. Items 1, 2 and 8 are goldens.

#[path = "acceptance/time_lock.rs"]
mod time_lock;
