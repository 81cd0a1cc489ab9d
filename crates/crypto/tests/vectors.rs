//! Every published vector against the public interface of the crate. The files under `vectors/` come with
//! the protocol sheets; what made them is written in their `about` or `note`.

#[path = "vectors/device_key.rs"]
mod device_key;
#[path = "vectors/duo_auth.rs"]
mod duo_auth;
#[path = "vectors/srp.rs"]
mod srp;
#[path = "vectors/token.rs"]
mod token;

use serde_json::Value;

/// Parses one of the vector files.
fn read(file: &str) -> Value {
    serde_json::from_str(file).expect("a vector file is JSON")
}

/// The member `name`, a list.
fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name]
        .as_array()
        .unwrap_or_else(|| panic!("{name} is a list"))
}

/// The member `name`, a string.
fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} is a string"))
}

/// The bytes of the member `name`, hex text.
fn bytes(of: &Value, name: &str) -> Vec<u8> {
    hex::decode(text(of, name)).unwrap_or_else(|_| panic!("{name} is hex"))
}
