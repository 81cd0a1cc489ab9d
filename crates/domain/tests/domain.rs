//! The services from outside: what must hold whatever is asked of it, in whatever order, and whatever breaks.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "domain/audit.rs"]
mod audit;
#[path = "domain/crash.rs"]
mod crash;
#[path = "domain/guarded_key.rs"]
mod guarded_key;
#[path = "domain/guarded_key_contact.rs"]
mod guarded_key_contact;
#[path = "domain/guarded_key_nodes.rs"]
mod guarded_key_nodes;
#[path = "domain/guarded_key_pin.rs"]
mod guarded_key_pin;
#[path = "domain/guarded_key_recovery.rs"]
mod guarded_key_recovery;
#[path = "domain/model.rs"]
mod model;
#[path = "domain/outbox.rs"]
mod outbox;
#[path = "domain/owner.rs"]
mod owner;
#[path = "domain/owners_share.rs"]
mod owners_share;
#[path = "domain/person.rs"]
mod person;
#[path = "domain/person_change.rs"]
mod person_change;
#[path = "domain/person_code.rs"]
mod person_code;
#[path = "domain/person_entry.rs"]
mod person_entry;
#[path = "domain/person_operator.rs"]
mod person_operator;
#[path = "domain/person_race.rs"]
mod person_race;
#[path = "domain/person_recovery.rs"]
mod person_recovery;
#[path = "domain/person_rule.rs"]
mod person_rule;
#[path = "domain/person_session.rs"]
mod person_session;
#[path = "domain/properties.rs"]
mod properties;
#[path = "domain/resealing.rs"]
mod resealing;
#[path = "domain/rollback.rs"]
mod rollback;
#[path = "domain/rollback_login.rs"]
mod rollback_login;
#[path = "domain/secrecy.rs"]
mod secrecy;
#[path = "domain/tenant.rs"]
mod tenant;
#[path = "domain/tenant_assertion.rs"]
mod tenant_assertion;
#[path = "domain/tenant_key.rs"]
mod tenant_key;
#[path = "domain/tenant_model.rs"]
mod tenant_model;
#[path = "domain/tenant_nodes.rs"]
mod tenant_nodes;
#[path = "domain/tenant_operator.rs"]
mod tenant_operator;
#[path = "domain/tenant_token.rs"]
mod tenant_token;
#[path = "domain/vault.rs"]
mod vault;
#[path = "domain/vault_entry.rs"]
mod vault_entry;
#[path = "domain/vault_login.rs"]
mod vault_login;
#[path = "domain/vault_message.rs"]
mod vault_message;
#[path = "domain/vault_model.rs"]
mod vault_model;
#[path = "domain/vault_race.rs"]
mod vault_race;
#[path = "domain/vault_session.rs"]
mod vault_session;
#[path = "domain/vault_slot.rs"]
mod vault_slot;
#[path = "domain/wallet.rs"]
mod wallet;
#[path = "domain/wallet_device.rs"]
mod wallet_device;
#[path = "domain/wallet_nodes.rs"]
mod wallet_nodes;
#[path = "domain/wallet_operator.rs"]
mod wallet_operator;
#[path = "domain/wallet_passkey.rs"]
mod wallet_passkey;
#[path = "domain/wallet_share.rs"]
mod wallet_share;
#[path = "domain/wallet_step_up.rs"]
mod wallet_step_up;
#[path = "domain/ways_around_keys.rs"]
mod ways_around_keys;
#[path = "domain/ways_around_people.rs"]
mod ways_around_people;
