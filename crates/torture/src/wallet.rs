//! Races for challenges of wallet devices. The installation itself is the identity provider, with its own accounts.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom as SigningRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use reqwest::Method;
use serde_json::{Value, json};

use crate::account::Person;
use crate::arena::{Arena, By, Made};
use crate::contest::{Content, Holder, Ticket, contest};
use crate::spend::expect;
use crate::table::{Ended, Round, Tried};

/// A challenge registers one device, however many callers present the correct signature.
pub(crate) async fn challenge(arena: &Arc<Arena>) -> Tried {
    let before = arena.sent();
    let (_, id, session) = Person::logged_in(arena).await?;
    let by = By::Token(&session);
    let path = "/auth/users/register";
    let answer = arena
        .insist(0, Method::POST, path, by, Some(&json!({})))
        .await;
    if matches!(answer.status, 401 | 404) {
        return Err(Ended::Skipped(
            "wallets take no tokens of its own accounts (duo.enabled, duo.accounts.accepted), and no other \
             identity provider can be asked"
                .to_owned(),
        ));
    }
    arena.made(Made::Wallet(id)).await;
    expect(&answer, 201, "registering a wallet's user")?;
    let unusable = |_| Ended::Skipped("a key pair or a signature could not be created".to_owned());
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(unusable)?;
    let device = hex::encode(pair.public_key().as_ref());
    let path = format!("/auth/devices/challenge/{device}");
    let answer = arena.insist(1, Method::GET, &path, by, None).await;
    expect(&answer, 200, "a challenge for a wallet's device")?;
    let message = json!({ "challenge": answer.body["challenge"] }).to_string();
    let signature = pair
        .sign(&SigningRandom::new(), message.as_bytes())
        .map_err(unusable)?;
    let proof: Value = json!({ "device_id": device, "signature": hex::encode(signature.as_ref()) });
    let ticket = Ticket {
        method: Method::POST,
        path: "/auth/devices/register".to_owned(),
        holder: Holder::Bearer(session),
        content: Content::Json(proof),
        won: 201,
        lost: &[401, 409],
    };
    let seen = contest(arena, arena.width, &ticket).await?;
    Ok(Round {
        requests: arena.sent() - before,
        seen,
    })
}
