//! Challenges for device keys: one signature, sent many times in parallel.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom as SigningRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::json;

use crate::arena::{Arena, By, Shop, only};
use crate::contest::one_winner;
use crate::table::{Ended, Round, Tried};

/// A challenge of the server works once, however many callers present the correct signature.
pub(crate) async fn challenge(arena: &Arc<Arena>) -> Tried {
    let before = arena.sent();
    let Shop { token, user } = arena.shop().await?;
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
        .map_err(|_| Ended::Skipped("a key pair could not be created".to_owned()))?;
    let point = pair.public_key().as_ref();
    let id = hex::encode(digest(&SHA256, point));
    let keys = format!("/cis/v1/users/{user}/device-keys");
    let form = json!({ "key_id": id, "public_key": STANDARD.encode(point) });
    let by = By::Token(&token);
    let answer = arena.insist(0, Method::POST, &keys, by, Some(&form)).await;
    if answer.status != 201 {
        return Err(Ended::Skipped(format!(
            "the device key was not registered: {}",
            answer.status
        )));
    }
    let path = format!("{keys}/{id}/challenge");
    let answer = arena.insist(1, Method::POST, &path, by, None).await;
    let Some(challenge) = answer.body["result"]["challenge"].as_str() else {
        return Err(Ended::Skipped(format!("no challenge: {}", answer.status)));
    };
    let signature = pair
        .sign(&SigningRandom::new(), challenge.as_bytes())
        .map_err(|_| Ended::Skipped("no signature".to_owned()))?;
    let proof = json!({ "challenge": challenge, "signature": STANDARD.encode(signature.as_ref()) });
    let path = format!("{keys}/{id}/validate");
    let answers = arena
        .race(arena.width, |arena, nth| {
            let (path, token, proof) = (path.clone(), token.clone(), proof.clone());
            async move {
                let by = By::Token(&token);
                arena.call(nth, Method::POST, &path, by, Some(&proof)).await
            }
        })
        .await;
    only(&answers, &[0, 200, 429, 503])?;
    let seen = one_winner(&answers, |answer| answer.body["result"] == json!(true))?;
    let again = arena.insist(0, Method::POST, &path, by, Some(&proof)).await;
    if again.body["result"] != json!(false) {
        return Err(Ended::Broken(
            "a used challenge was accepted again".to_owned(),
        ));
    }
    Ok(Round {
        requests: arena.sent() - before,
        seen,
    })
}
