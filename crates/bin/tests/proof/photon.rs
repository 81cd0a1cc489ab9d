//! The key server's calls, as a client makes them.

use std::io;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::http::{Answer, Client, request};

/// A client of the key server.
pub(crate) struct Photon(Client);

impl Photon {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self(Client::new(address))
    }

    pub(crate) fn create(&mut self, pin: &str) -> io::Result<Answer> {
        self.0.send(&create(pin))
    }

    pub(crate) fn open(&mut self, key: &str, pin: &str) -> io::Result<Answer> {
        self.0.send(&open(key, pin))
    }

    pub(crate) fn change(&mut self, key: &str, pin: &str, new: &str) -> io::Result<Answer> {
        self.0.send(&change(key, pin, new))
    }

    pub(crate) fn add_user(&mut self, key: &str, pin: &str, user: &str) -> io::Result<Answer> {
        self.0.send(&add_user(key, pin, user))
    }

    pub(crate) fn verify(&mut self, key: &str, user: &str, code: &str) -> io::Result<Answer> {
        self.0.send(&verify(key, user, code))
    }

    pub(crate) fn ask_reset(&mut self, key: &str, user: &str) -> io::Result<Answer> {
        let path = format!("{}/reset", user_path(key, user));
        self.0.send(&request("GET", &path, &[], ""))
    }

    pub(crate) fn reset(
        &mut self,
        key: &str,
        user: &str,
        code: &str,
        new: &str,
    ) -> io::Result<Answer> {
        let body = json!({"code": code, "op": "reset-pin", "newPin": new}).to_string();
        self.0
            .send(&request("PUT", &user_path(key, user), &[], &body))
    }

    pub(crate) fn remove_user(&mut self, key: &str, pin: &str, user: &str) -> io::Result<Answer> {
        let bytes = request(
            "DELETE",
            &user_path(key, user),
            &[("Authorization", &basic(pin))],
            "",
        );
        self.0.send(&bytes)
    }

    pub(crate) fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.0.send(&request("GET", path, &[], ""))
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<Answer> {
        self.0.send(bytes)
    }

    /// A new key, for a test that only needs one.
    pub(crate) fn new_key(&mut self, pin: &str) -> String {
        let answer = self.create(pin).unwrap();
        assert_eq!(answer.status, 201, "a key is made");
        answer.field("id").unwrap()
    }

    /// The encryption key, for a test that knows the PIN.
    pub(crate) fn content(&mut self, key: &str, pin: &str) -> String {
        let answer = self.open(key, pin).unwrap();
        assert_eq!(answer.status, 200, "the key opens with its PIN");
        answer.field("encryptionKey").unwrap()
    }
}

pub(crate) fn create(pin: &str) -> Vec<u8> {
    request("POST", "/v2/key", &[], &json!({"pin": pin}).to_string())
}

pub(crate) fn open(key: &str, pin: &str) -> Vec<u8> {
    request(
        "GET",
        &format!("/v2/key/{key}"),
        &[("Authorization", &basic(pin))],
        "",
    )
}

pub(crate) fn change(key: &str, pin: &str, new: &str) -> Vec<u8> {
    let body = json!({"newPin": new}).to_string();
    request(
        "PUT",
        &format!("/v2/key/{key}"),
        &[("Authorization", &basic(pin))],
        &body,
    )
}

pub(crate) fn add_user(key: &str, pin: &str, user: &str) -> Vec<u8> {
    let body = json!({"userId": user}).to_string();
    let path = format!("/v2/key/{key}/user");
    request("POST", &path, &[("Authorization", &basic(pin))], &body)
}

pub(crate) fn verify(key: &str, user: &str, code: &str) -> Vec<u8> {
    let body = json!({"code": code, "op": "verify"}).to_string();
    request("PUT", &user_path(key, user), &[], &body)
}

pub(crate) fn basic(pin: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!(":{pin}")))
}

pub(crate) fn user_path(key: &str, user: &str) -> String {
    let user = user.replace('%', "%25").replace('@', "%40");
    format!("/v2/key/{key}/user/{}", user.replace('+', "%2B"))
}
