//! Logins to a vault: what a wrong proof costs, whom it locks out, and what a reference is good for.

use std::time::Duration;

use crypto::srp::ClientHandshake;
use domain::policy::Policy;
use domain::vault::{Edit, LoginName, LoginProof, Welcome};
use domain::{Caller, Error, Refusal};

use crate::owner::{Outcome, caller, outcome};
use crate::vault::{ANN, User, applicant, object, open_kit, secret, trail};

const WRONG: Outcome = Outcome::Refused(Refusal::BadProof { left: None });
const EXPIRED: Outcome = Outcome::Refused(Refusal::Expired);

/// A caller from the network `192.0.2.N`.
fn from(network: u8) -> Caller {
    Caller {
        network: format!("192.0.2.{network}/32"),
        ..caller()
    }
}

fn limits(from_network: u32, from_anywhere: u32) -> impl FnOnce(&mut Policy) {
    move |policy| {
        policy.vault.failures_from_network.failures = from_network;
        policy.vault.failures_from_anywhere.failures = from_anywhere;
    }
}

fn is_locked<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Refused(Refusal::Exhausted { .. })))
}

impl User {
    /// Takes the first step of a login, and computes what the client answers with `password`.
    async fn answers(&self, password: u8) -> LoginProof {
        let challenge = self.vaults.start_login(self.name.clone()).await.unwrap();
        let client = ClientHandshake::new([password; 64], secret(9));
        let server = hex::decode(&challenge.public).unwrap();
        LoginProof {
            public: hex::encode(client.public().unwrap().as_slice()),
            proof: hex::encode(client.prove(&server).unwrap()),
            reference: challenge.reference,
        }
    }

    async fn finish(&self, caller: Caller, proof: &LoginProof) -> Result<Welcome, Error> {
        self.vaults.finish_login(caller, proof.clone()).await
    }

    /// A whole login with `password` from a network.
    async fn tries(&self, password: u8, network: u8) -> Result<Welcome, Error> {
        let proof = self.answers(password).await;
        self.finish(from(network), &proof).await
    }
}

#[tokio::test]
async fn a_right_proof_gives_a_session_the_plan_and_the_clients_object() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let welcome = ann.tries(7, 1).await.unwrap();
    assert_eq!(welcome.document, object(7));
    assert_eq!(welcome.plan.name, "Default");
    assert_eq!(welcome.proof.len(), 128);
    let second = User {
        token: welcome.token.clone(),
        ..ann.clone()
    };
    assert_ne!(welcome.token, ann.token, "each login has its own session");
    second.member().await;
    ann.member().await;
    let logins = trail(&kit).await;
    let logins = logins.iter().filter(|event| *event == "account.login done");
    assert_eq!(logins.count(), 2);
}

#[tokio::test]
async fn a_wrong_proof_is_refused_and_recorded() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    assert_eq!(outcome(ann.tries(8, 1).await), WRONG);
    let trail = trail(&kit).await;
    assert!(
        trail.contains(&"account.login wrong".to_owned()),
        "{trail:?}"
    );
    assert!(kit.courier.letters().is_empty(), "nobody is told");
}

#[tokio::test]
async fn a_name_without_an_account_is_answered_like_one_with_an_account() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let start = async |name: &str| {
        let name = LoginName::parse(name).unwrap();
        ann.vaults.start_login(name).await.unwrap()
    };
    let known = start(ANN).await;
    let unknown = start("nobody@example.org").await;
    // Clients choose their salts; this is the length that the known ones choose.
    assert_eq!(unknown.salt.len(), 64);
    assert_eq!(unknown.public.len(), known.public.len());
    assert_eq!(unknown.reference.len(), known.reference.len());
    let again = start("NOBODY@example.org").await;
    assert_eq!(again.salt, unknown.salt, "a salt never changes");
    assert_ne!(again.public, unknown.public);
    assert_ne!(again.reference, unknown.reference);
    assert_ne!(start("no.one@example.org").await.salt, unknown.salt);
    let nobody = User::of(&kit, "nobody@example.org", 7);
    assert_eq!(outcome(nobody.tries(7, 1).await), WRONG);
}

#[tokio::test]
async fn a_reference_is_good_for_one_proof() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let right = ann.answers(7).await;
    ann.finish(caller(), &right).await.unwrap();
    assert_eq!(outcome(ann.finish(caller(), &right).await), EXPIRED);
    let wrong = ann.answers(8).await;
    assert_eq!(outcome(ann.finish(caller(), &wrong).await), WRONG);
    assert_eq!(outcome(ann.finish(caller(), &wrong).await), EXPIRED);
}

#[tokio::test]
async fn of_two_uses_of_a_reference_at_once_one_logs_in() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let proof = ann.answers(7).await;
    let (one, other) = tokio::join!(ann.finish(from(1), &proof), ann.finish(from(2), &proof));
    let outcomes = [outcome(one), outcome(other)];
    assert!(outcomes.contains(&Outcome::Done), "{outcomes:?}");
    assert!(outcomes.contains(&EXPIRED), "{outcomes:?}");
}

#[tokio::test]
async fn a_reference_ends_with_its_time() {
    let kit = open_kit(|_| {}).await;
    let ann = User::joins(&kit, ANN).await;
    let life = testkit::kit::policy().vault.handshake_life;
    let (in_time, late) = (ann.answers(7).await, ann.answers(7).await);
    let last = Duration::from_millis(1);
    kit.clock.advance(life.checked_sub(last).unwrap());
    ann.finish(caller(), &in_time).await.unwrap();
    kit.clock.advance(last);
    assert_eq!(outcome(ann.finish(caller(), &late).await), EXPIRED);
}

#[tokio::test]
async fn a_malformed_answer_leaves_the_reference_and_counts_nothing() {
    let kit = open_kit(limits(1, 1)).await;
    let ann = User::joins(&kit, ANN).await;
    let right = ann.answers(7).await;
    let field = |result| match outcome(result) {
        Outcome::Refused(Refusal::Invalid { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    for proof in ["", "12", "x", &"g".repeat(128), &"0".repeat(127)] {
        let shown = LoginProof {
            proof: proof.to_owned(),
            ..right.clone()
        };
        assert_eq!(
            field(ann.finish(caller(), &shown).await),
            "proof",
            "{proof}"
        );
    }
    for public in ["", "1", "xy", &"00".repeat(1025)] {
        let shown = LoginProof {
            public: public.to_owned(),
            ..right.clone()
        };
        assert_eq!(
            field(ann.finish(caller(), &shown).await),
            "public",
            "{public}"
        );
    }
    for reference in ["", "x", &"0".repeat(32), &right.reference[1..]] {
        let shown = LoginProof {
            reference: reference.to_owned(),
            ..right.clone()
        };
        assert_eq!(
            outcome(ann.finish(caller(), &shown).await),
            EXPIRED,
            "{reference}"
        );
    }
    ann.finish(caller(), &right).await.unwrap();
}

#[tokio::test]
async fn a_public_number_that_srp_forbids_counts_as_a_wrong_proof() {
    let kit = open_kit(limits(1, 100)).await;
    let ann = User::joins(&kit, ANN).await;
    let forbidden = LoginProof {
        public: "00".to_owned(),
        ..ann.answers(7).await
    };
    assert_eq!(outcome(ann.finish(from(1), &forbidden).await), WRONG);
    assert!(is_locked(&ann.tries(7, 1).await));
}

#[tokio::test]
async fn wrong_proofs_lock_the_network_that_they_came_from() {
    let kit = open_kit(limits(2, 100)).await;
    let (ann, bob) = (
        User::joins(&kit, ANN).await,
        User::joins(&kit, "bob@example.org").await,
    );
    for _ in 0..2 {
        assert_eq!(outcome(ann.tries(8, 1).await), WRONG);
    }
    assert!(is_locked(&ann.tries(7, 1).await), "the right one too");
    ann.tries(7, 2).await.unwrap();
    bob.tries(7, 1).await.unwrap();
    ann.member().await;
    kit.clock.advance(Duration::from_secs(900));
    ann.tries(7, 1).await.unwrap();
}

#[tokio::test]
async fn wrong_proofs_from_many_networks_lock_the_name() {
    let kit = open_kit(limits(2, 10)).await;
    let ann = User::joins(&kit, ANN).await;
    // Strangers have seven tenths of the limit.
    for network in 1..=7 {
        assert_eq!(outcome(ann.tries(8, network).await), WRONG);
    }
    assert!(is_locked(&ann.tries(7, 8).await));
    kit.clock.advance(Duration::from_secs(900));
    ann.tries(7, 8).await.unwrap();
}

#[tokio::test]
async fn names_without_an_account_are_locked_alike() {
    let kit = open_kit(limits(2, 100)).await;
    let nobody = User::of(&kit, "nobody@example.org", 7);
    for _ in 0..2 {
        assert_eq!(outcome(nobody.tries(7, 1).await), WRONG);
    }
    assert!(is_locked(&nobody.tries(7, 1).await));
    assert_eq!(outcome(nobody.tries(7, 2).await), WRONG);
}

#[tokio::test]
async fn a_try_while_locked_leaves_the_reference() {
    let kit = open_kit(|policy| {
        limits(1, 100)(policy);
        policy.vault.failures_from_network.window = Duration::from_secs(60);
    })
    .await;
    let ann = User::joins(&kit, ANN).await;
    let right = ann.answers(7).await;
    assert_eq!(outcome(ann.tries(8, 1).await), WRONG);
    assert!(is_locked(&ann.finish(from(1), &right).await));
    kit.clock.advance(Duration::from_secs(60));
    ann.finish(from(1), &right).await.unwrap();
}

#[tokio::test]
async fn a_right_proof_costs_no_try_and_forgets_no_wrong_ones() {
    let kit = open_kit(limits(2, 100)).await;
    let ann = User::joins(&kit, ANN).await;
    for _ in 0..3 {
        ann.tries(7, 1).await.unwrap();
    }
    assert_eq!(outcome(ann.tries(8, 1).await), WRONG);
    ann.tries(7, 1).await.unwrap();
    assert_eq!(outcome(ann.tries(8, 1).await), WRONG);
    assert!(is_locked(&ann.tries(7, 1).await));
}

#[tokio::test]
async fn of_many_wrong_proofs_at_once_only_as_many_are_judged_as_the_limit_allows() {
    let kit = open_kit(limits(3, 100)).await;
    let ann = User::joins(&kit, ANN).await;
    let mut tries = Vec::new();
    for _ in 0..6 {
        let (ann, proof) = (ann.clone(), ann.answers(8).await);
        let attempt = async move { ann.finish(from(1), &proof).await };
        tries.push(tokio::spawn(attempt));
    }
    let (mut wrong, mut locked) = (0, 0);
    for attempt in tries {
        match outcome(attempt.await.unwrap()) {
            WRONG => wrong += 1,
            Outcome::Refused(Refusal::Exhausted { .. }) => locked += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((wrong, locked), (3, 3));
}

#[tokio::test]
async fn an_applicant_learns_that_the_address_is_unconfirmed_only_with_the_right_password() {
    let kit = testkit::Kit::builder().policy(limits(2, 100)).build().await;
    let (ann, token) = applicant(&kit, 7).await;
    let unconfirmed = Outcome::Refused(Refusal::Blocked);
    for _ in 0..3 {
        // It costs no try.
        assert_eq!(outcome(ann.tries(7, 1).await), unconfirmed);
    }
    assert_eq!(outcome(ann.tries(8, 1).await), WRONG);
    let told = trail(&kit).await;
    assert!(
        told.contains(&"account.login unconfirmed".to_owned()),
        "{told:?}"
    );
    let half_way = ann.answers(7).await;
    ann.vaults
        .confirm_application(caller(), token)
        .await
        .unwrap();
    let finished = outcome(ann.finish(from(1), &half_way).await);
    assert_eq!(finished, unconfirmed, "it was begun before");
    ann.tries(7, 1).await.unwrap();
}

#[tokio::test]
async fn a_login_that_was_begun_before_a_new_password_or_a_removal_is_over() {
    let kit = open_kit(|_| {}).await;
    let mut ann = User::joins(&kit, ANN).await;
    let half_way = ann.answers(7).await;
    ann.edit(Edit::Replace(object(8))).await.unwrap();
    assert_eq!(outcome(ann.finish(caller(), &half_way).await), EXPIRED);
    let half_way = ann.answers(8).await;
    ann.token = ann.tries(8, 1).await.unwrap().token;
    ann.delete().await;
    assert_eq!(outcome(ann.finish(caller(), &half_way).await), EXPIRED);
}
