//! The adapters from outside: key file, clock, providers on loopback, and every template.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "outside/composer.rs"]
mod composer;
#[path = "outside/failover.rs"]
mod failover;
#[path = "outside/key_sets.rs"]
mod key_sets;
#[path = "outside/keys.rs"]
mod keys;
#[path = "outside/letters.rs"]
mod letters;
#[path = "outside/liveness.rs"]
mod liveness;
#[path = "outside/mail_server.rs"]
mod mail_server;
#[path = "outside/mailbox.rs"]
mod mailbox;
#[path = "outside/seeded.rs"]
mod seeded;
#[path = "outside/sms.rs"]
mod sms;
#[path = "outside/smtp.rs"]
mod smtp;
#[path = "outside/web_server.rs"]
mod web_server;
