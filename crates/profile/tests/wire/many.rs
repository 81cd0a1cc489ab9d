//! Many at once, on one node and on two: what is single stays single, what is limited stays within.

use std::sync::Arc;

use serde_json::{Value, json};
use testkit::{Answer, Backing, Kit};

use crate::person::{Person, tally};

/// Two nodes on one database.
struct Nodes(Vec<Arc<Person>>);

impl Nodes {
    async fn over(backing: &Backing, day_messages: u32) -> Self {
        let builder =
            || Kit::builder().policy(|policy| policy.limits.day_messages.count = day_messages);
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

async fn pumping_stops_at_the_cap(backing: &Backing) {
    let Nodes(nodes) = Nodes::over(backing, 100).await;
    let asked = (0..400_u32).map(|nth| {
        let node = Arc::clone(&nodes[nth as usize % 2]);
        tokio::spawn(async move {
            let mut node = (*node).clone();
            let [_, _, high, low] = nth.to_be_bytes();
            node.client = node.client.from(std::net::IpAddr::from([10, 1, high, low]));
            let number = format!("+{}155512{nth:04}", 30 + nth % 50);
            let process = node
                .post("registration", json!({ "userKey": number }))
                .await
                .member("processingId");
            node.post(&format!("token/registration/{process}"), json!({}))
                .await
                .status
                .as_u16()
        })
    });
    let mut sent = 0;
    for asked in asked.collect::<Vec<_>>() {
        sent += usize::from(asked.await.unwrap() == 200);
    }
    assert_eq!((sent, nodes[0].kit.courier.letters().len()), (100, 100));
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
    pumping_stops_at_the_cap,
}
