//! Many at once, on one node and on two: what is single stays single, what is limited stays within.

use std::sync::Arc;

use serde_json::{Value, json};
use testkit::{Answer, Backing, Kit};

use crate::person::{PASSWORD, Person, tally};

/// Two nodes on one database.
struct Nodes(Vec<Arc<Person>>);

impl Nodes {
    async fn over(backing: &Backing, day_messages: u32) -> Self {
        let builder = || {
            Kit::builder().policy(|policy| {
                policy.limits.day_messages.count = day_messages;
                policy.limits.country_messages.count = 12;
            })
        };
        let first = builder().store(backing.store()).seed(1).build().await;
        let second = builder()
            .store(backing.another_node())
            .seed(2)
            .clock(Arc::clone(&first.clock))
            .courier(Arc::clone(&first.courier))
            .build()
            .await;
        Self(vec![
            Arc::new(Person::at(&first)),
            Arc::new(Person::at(&second)),
        ])
    }

    fn one(&self) -> &Person {
        &self.0[0]
    }

    /// All bodies at once, in turns on both nodes.
    async fn all(&self, path: &'static str, bodies: Vec<Value>) -> Vec<Answer> {
        let asked = bodies.into_iter().enumerate().map(|(nth, body)| {
            let node = Arc::clone(&self.0[nth % self.0.len()]);
            tokio::spawn(async move { node.post(path, body).await })
        });
        let mut answers = Vec::new();
        for asked in asked.collect::<Vec<_>>() {
            answers.push(asked.await.unwrap());
        }
        answers
    }
}

async fn of_parallel_right_codes_one_wins(backing: &Backing) {
    let nodes = Nodes::over(backing, 0).await;
    let process = nodes.one().registering("anna@example.com").await;
    let right =
        json!({ "processingId": process, "oneTimeToken": nodes.one().code("anna@example.com") });
    let answers = nodes
        .all("registration/verification", vec![right; 40])
        .await;
    let tally = tally(&answers);
    assert_eq!(tally["200 "], 1, "{tally:?}");
    assert_eq!(
        tally.get("200 ").unwrap() + tally.get("409 PROCESS_STATE").unwrap_or(&0),
        40,
        "{tally:?}"
    );
}

async fn of_parallel_wrong_codes_no_more_than_the_limit_are_judged(backing: &Backing) {
    let nodes = Nodes::over(backing, 0).await;
    let process = nodes.one().registering("anna@example.com").await;
    let right = nodes.one().code("anna@example.com");
    let wrong =
        (0..60).map(|n| format!("{:06}", (right.parse::<u32>().unwrap() + 1 + n) % 1_000_000));
    let bodies = wrong
        .map(|code| json!({ "processingId": process, "oneTimeToken": code }))
        .collect();
    let answers = nodes.all("registration/verification", bodies).await;
    let judged = |left: u64| {
        answers
            .iter()
            .filter(|answer| answer.json()["attemptsLeft"] == left)
            .count()
    };
    assert_eq!([4, 3, 2, 1].map(judged), [1, 1, 1, 1]);
    // The fifth that burned it, and five more that the process counts without looking.
    assert_eq!(judged(0), 6);
    assert_eq!(tally(&answers)["404 PROCESS_NOT_FOUND"], 50);
}

async fn wrong_passwords_in_parallel_lock_exactly(backing: &Backing) {
    let nodes = Nodes::over(backing, 0).await;
    nodes.one().register("anna@example.com").await;
    let wrong = json!({ "userKey": "anna@example.com", "password": "not the password" });
    let answers = nodes.all("login", vec![wrong; 40]).await;
    let tally = tally(&answers);
    assert_eq!(tally["401 BAD_CREDENTIALS"], 5, "{tally:?}");
    assert_eq!(tally["429 TOO_MANY_ATTEMPTS"], 35, "{tally:?}");
}

/// Starts, and verifies, a registration of its own for each of `count`; all for one address.
async fn verified(nodes: &Nodes, count: usize) -> Vec<Value> {
    let mut bodies = Vec::new();
    for _ in 0..count {
        let process = nodes.one().registering("anna@example.com").await;
        let code = nodes.one().code("anna@example.com");
        let proof = json!({ "processingId": process, "oneTimeToken": code });
        let proved = nodes.one().post("registration/verification", proof).await;
        assert_eq!(proved.status, 200);
        bodies.push(json!({ "processingId": process, "password": PASSWORD }));
    }
    bodies
}

async fn of_parallel_registrations_of_an_address_one_wins(backing: &Backing) {
    let nodes = Nodes::over(backing, 0).await;
    let bodies = verified(&nodes, 5).await;
    let answers = nodes.all("registration/password", bodies.clone()).await;
    let seen = tally(&answers);
    assert_eq!(
        (seen["200 "], seen["409 USER_KEY_TAKEN"]),
        (1, 4),
        "{seen:?}"
    );
    // The processes of those who lost have failed.
    let again = nodes.all("registration/password", bodies).await;
    assert_eq!(tally(&again)["404 PROCESS_NOT_FOUND"], 5);
    nodes.one().log_in("anna@example.com").await;
}

async fn of_parallel_sends_no_more_than_the_limit_leave(backing: &Backing) {
    let nodes = Nodes::over(backing, 0).await;
    let process = json!({ "userKey": "anna@example.com" });
    let begun = nodes.all("registration", vec![process; 30]).await;
    let sends = begun.iter().enumerate().map(|(nth, begun)| {
        let node = Arc::clone(&nodes.0[nth % 2]);
        let path = format!("token/registration/{}", begun.member("processingId"));
        tokio::spawn(async move { node.post(&path, json!({})).await })
    });
    let mut answers = Vec::new();
    for send in sends.collect::<Vec<_>>() {
        answers.push(send.await.unwrap());
    }
    let seen = tally(&answers);
    assert_eq!(
        (seen["200 "], seen["429 RATE_LIMITED"]),
        (5, 25),
        "{seen:?}"
    );
    let letters = nodes.one().kit.courier.letters_to("anna@example.com");
    assert_eq!(letters.len(), 5);
}

/// Logins that wait for a code of the authenticator, and a code of it and its recovery codes.
async fn with_authenticator(nodes: &Nodes, logins: usize) -> (Vec<String>, String, String) {
    let anna = nodes.one();
    anna.register("anna@example.com").await;
    let (access, _) = anna.log_in("anna@example.com").await;
    let path = "account/googleAuthenticator";
    let drawn = anna.send(path, Some(&access), json!({})).await;
    let secret = crate::setting::base32(&drawn.member("secret"));
    let digits = || {
        let now = domain::port::Clock::now(anna.kit.clock.as_ref()).seconds();
        testkit::totp::digits(&secret, testkit::totp::step_at(now))
    };
    let path = "account/googleAuthenticator/verification";
    let proof = json!({ "oneTimeToken": digits() });
    let codes = anna.send(path, Some(&access), proof).await;
    anna.kit.clock.advance(std::time::Duration::from_secs(60));
    let login = json!({ "userKey": "anna@example.com", "password": PASSWORD });
    let begun = nodes.all("login", vec![login; logins]).await;
    let processes = begun.iter().map(|begun| begun.member("processingId"));
    let recovery = codes.json()["recoveryCodes"][0]
        .as_str()
        .unwrap()
        .to_owned();
    (processes.collect(), digits(), recovery)
}

async fn a_code_of_the_authenticator_opens_one_of_parallel_logins(backing: &Backing) {
    let nodes = Nodes::over(backing, 0).await;
    let (processes, digits, recovery) = with_authenticator(&nodes, 8).await;
    for code in [digits, recovery] {
        let proofs = processes.iter();
        let proofs = proofs.map(|process| json!({ "processingId": process, "oneTimeToken": code }));
        let answers = nodes.all("login/verification", proofs.collect()).await;
        let seen = tally(&answers);
        assert_eq!(seen["200 "], 1, "{seen:?}");
    }
}

async fn a_refresh_token_gives_one_pair_on_both_nodes(backing: &Backing) {
    let nodes = Nodes::over(backing, 0).await;
    nodes.one().register("anna@example.com").await;
    let (_, refresh) = nodes.one().log_in("anna@example.com").await;
    let body = json!({ "refreshToken": refresh });
    let answers = nodes.all("login/refresh", vec![body; 20]).await;
    let mut pairs: Vec<_> = answers.iter().map(Answer::text).collect();
    pairs.sort();
    pairs.dedup();
    assert_eq!(pairs.len(), 1, "{pairs:?}");
    assert_eq!(answers[0].status, 200);
    let access = answers[0].member("accessToken");
    assert_eq!(nodes.0[1].details(&access).await.status, 200);
}

async fn a_session_that_ended_on_one_node_is_over_on_the_other(backing: &Backing) {
    let nodes = Nodes::over(backing, 0).await;
    nodes.one().register("anna@example.com").await;
    let (access, refresh) = nodes.one().log_in("anna@example.com").await;
    assert_eq!(nodes.0[1].details(&access).await.status, 200);
    let out = nodes.one().send("logout", Some(&access), json!({})).await;
    assert_eq!(out.status, 200);
    assert_eq!(nodes.0[1].details(&access).await.status, 401);
    let again = nodes.0[1]
        .post("login/refresh", json!({ "refreshToken": refresh }))
        .await;
    assert_eq!(again.status, 401);
}

/// 10,000 numbers of 50 countries, on both nodes, from as many networks.
async fn pumping_stops_at_the_caps(backing: &Backing) {
    const NUMBERS: u32 = 10_000;
    let Nodes(nodes) = Nodes::over(backing, 500).await;
    let mut sent = std::collections::BTreeMap::<u32, usize>::new();
    for wave in (0..NUMBERS).collect::<Vec<_>>().chunks(250) {
        let asked = wave.iter().copied().map(|nth| {
            let node = Arc::clone(&nodes[nth as usize % 2]);
            tokio::spawn(async move {
                let mut node = (*node).clone();
                let [_, _, high, low] = nth.to_be_bytes();
                node.client = node.client.from(std::net::IpAddr::from([10, 1, high, low]));
                // Calling codes of three digits: 210 to 259.
                let country = 210 + nth % 50;
                let key = json!({ "userKey": format!("+{country}5512{nth:05}") });
                let process = node.post("registration", key).await.member("processingId");
                let path = format!("token/registration/{process}");
                (country, node.post(&path, json!({})).await.status == 200)
            })
        });
        for asked in asked.collect::<Vec<_>>() {
            let (country, leaves) = asked.await.unwrap();
            *sent.entry(country).or_default() += usize::from(leaves);
        }
    }
    assert_eq!(sent.values().sum::<usize>(), 500);
    assert!(sent.values().all(|sent| *sent <= 12), "{sent:?}");
    assert_eq!(nodes[0].kit.courier.letters().len(), 500);
}

macro_rules! on_every_engine {
    ($($name:ident,)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&testkit::Backing::memory()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let Some(backing) = testkit::Backing::postgres().await else { return };
                super::$name(&backing).await;
            })*
        }
    };
}

on_every_engine! {
    of_parallel_right_codes_one_wins,
    of_parallel_wrong_codes_no_more_than_the_limit_are_judged,
    wrong_passwords_in_parallel_lock_exactly,
    of_parallel_registrations_of_an_address_one_wins,
    of_parallel_sends_no_more_than_the_limit_leave,
    a_code_of_the_authenticator_opens_one_of_parallel_logins,
    a_refresh_token_gives_one_pair_on_both_nodes,
    a_session_that_ended_on_one_node_is_over_on_the_other,
    pumping_stops_at_the_caps,
}
