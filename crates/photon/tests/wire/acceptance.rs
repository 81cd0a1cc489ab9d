//! Section 16 of the sheet: what a server must prove, on every database. Items 1, 2 and 8 are goldens.

#[path = "acceptance/away.rs"]
mod away;
#[path = "acceptance/import.rs"]
mod import;
#[path = "acceptance/limit.rs"]
mod limit;
#[path = "acceptance/log.rs"]
mod log;
#[path = "acceptance/parallel.rs"]
mod parallel;
#[path = "acceptance/sending.rs"]
mod sending;
#[path = "acceptance/time_lock.rs"]
mod time_lock;
