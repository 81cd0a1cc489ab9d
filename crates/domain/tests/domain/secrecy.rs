//! A stolen database: nothing in it is readable, and nothing can be tried against it without the key file.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use domain::Refusal;
use domain::policy::Policy;
use domain::port::roots::Root;
use testkit::{Backing, FixedRoots, Kit};

use crate::owner::{Outcome, Owner, outcome};

const CONTACTS: [&str; 3] = ["jon.smith@example.com", "+4917512345678", "new@example.org"];

/// Keys in every state: with letters waiting, codes out, locks running, PINs changed and wrong.
async fn busy(backing: &Backing) -> (Kit, Vec<Owner>, Vec<Vec<u8>>) {
    let unbounded = |policy: &mut Policy| {
        policy.guarded_key.sends_per_network.count = 0;
        policy.guarded_key.sends_per_address.count = 0;
    };
    let builder = Kit::builder().store(backing.store()).policy(unbounded);
    let kit = builder.build().await;
    let mut owners = Vec::new();
    let mut secrets: Vec<Vec<u8>> = Vec::new();
    for number in 0..20 {
        let (pin, new) = (format!("first PIN {number}"), format!("newer PIN {number}"));
        let owner = Owner::of(&kit, &pin).await;
        for contact in CONTACTS {
            owner.add_verified(&kit, &pin, contact).await;
        }
        owner.add(&pin, "unproved@example.net").await.unwrap();
        owner.open("a wrong PIN").await.unwrap_err();
        owner.start(CONTACTS[0]).await.unwrap();
        let code = kit.courier.code_to(CONTACTS[0]).unwrap();
        owner
            .recover(CONTACTS[0], &code, Some("a PIN of a reset"))
            .await
            .unwrap_err();
        owner.change(&pin, &new).await.unwrap();
        owner.start(CONTACTS[1]).await.unwrap();
        let content = owner.open(&new).await.unwrap();
        secrets.push(content.0.expose().to_vec());
        secrets.push(owner.key.0.as_bytes().to_vec());
        secrets.push(owner.key.0.to_string().into_bytes());
        secrets.extend([pin, new].map(String::into_bytes));
        owners.push(owner);
    }
    // The last codes and links wait in the outbox.
    kit.courier.deliver_by_jobs();
    for owner in &owners {
        owner.start(CONTACTS[2]).await.unwrap();
    }
    secrets.extend(
        ["a wrong PIN", "a PIN of a reset", "unproved@example.net"]
            .map(|text| text.as_bytes().to_vec()),
    );
    secrets.extend(CONTACTS.map(|text| text.as_bytes().to_vec()));
    for letter in kit.courier.letters() {
        secrets.extend(letter.message.code.map(String::into_bytes));
        let token = letter
            .message
            .link
            .map(|link| link.rsplit('/').next().unwrap().to_owned());
        secrets.extend(token.clone().map(String::into_bytes));
        secrets.extend(token.map(|token| hex::decode(token).unwrap()));
    }
    (kit, owners, secrets)
}

/// Every way in which somebody might have written `secret` down.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![
        secret.to_vec(),
        hex::encode(secret).into_bytes(),
        hex::encode_upper(secret).into_bytes(),
    ];
    // In base64 a text looks one of three ways, by where it begins; its edges depend on its neighbours.
    for skip in 0..3 {
        let mut shifted = vec![0; skip];
        shifted.extend_from_slice(secret);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&shifted);
            let from = if skip == 0 { 0 } else { skip + 1 };
            let to = text.len() - usize::from(shifted.len() % 3 != 0);
            all.push(text.as_bytes()[from..to].to_vec());
        }
    }
    // And as serde writes bytes into JSON.
    let list: Vec<_> = secret.iter().map(u8::to_string).collect();
    all.push(list.join(",").into_bytes());
    all
}

fn holds(file: &[u8], text: &[u8]) -> bool {
    file.windows(text.len()).any(|window| window == text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_readable_in_any_file_of_the_database() {
    let backing = Backing::file();
    let (kit, _owners, secrets) = busy(&backing).await;
    assert!(kit.services.upkeep.waiting_messages().await.unwrap() > 0);
    let copy = backing.copy();
    let folder = copy.path().unwrap().parent().unwrap();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        files.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    assert!(files.len() > 100_000, "the rows are there");
    // Six digits may stand in sealed bytes by chance, though hardly; longer texts cannot.
    let spellings: Vec<Vec<u8>> = secrets
        .iter()
        .flat_map(|secret| spellings(secret))
        .collect();
    let index = Index::of(&files);
    let found: Vec<_> = spellings
        .iter()
        .filter(|text| index.holds(&files, text))
        .collect();
    assert!(
        found.is_empty(),
        "{:?}",
        found
            .iter()
            .map(|text| String::from_utf8_lossy(text))
            .collect::<Vec<_>>()
    );
    // The search itself works: the names of kinds are in clear.
    assert!(index.holds(&files, b"guarded_key") && holds(&files, b"guarded_key"));
}

/// Where each pair of bytes begins, so that thousands of texts are looked for in one go.
struct Index(Vec<Vec<u32>>);

impl Index {
    fn of(file: &[u8]) -> Self {
        let mut starts = vec![Vec::new(); 1 << 16];
        for (at, pair) in file.windows(2).enumerate() {
            let at = u32::try_from(at).unwrap();
            starts[usize::from(u16::from_be_bytes([pair[0], pair[1]]))].push(at);
        }
        Self(starts)
    }

    fn holds(&self, file: &[u8], text: &[u8]) -> bool {
        let starts = &self.0[usize::from(u16::from_be_bytes([text[0], text[1]]))];
        starts
            .iter()
            .any(|at| file[*at as usize..].starts_with(text))
    }
}

/// The thief's own server over the stolen files: no limits on tries, and what key file he has.
async fn thief(stolen: &Backing, roots: FixedRoots) -> Kit {
    let unlimited = |policy: &mut Policy| {
        policy.guarded_key.guesses.failures = 0;
        policy.guarded_key.guesses.in_a_row = 0;
    };
    let builder = Kit::builder().store(stolen.store()).seed(666).roots(roots);
    builder.policy(unlimited).build().await
}

/// The rows of a key with the PIN 4711, in memory, where trying is fast.
async fn stolen() -> (Backing, Owner) {
    let backing = Backing::memory();
    let kit = Kit::builder().store(backing.store()).build().await;
    let owner = Owner::of(&kit, "4711").await;
    (backing, owner)
}

async fn opened_by(owner: &Owner, pins: impl Iterator<Item = u32>) -> (Vec<u32>, Vec<Outcome>) {
    let (mut right, mut others) = (Vec::new(), Vec::new());
    for pin in pins {
        match outcome(owner.open(&format!("{pin:04}")).await) {
            Outcome::Done => right.push(pin),
            other if others.contains(&other) => {}
            other => others.push(other),
        }
    }
    (right, others)
}

/// Who has the key file too finds the PIN: so the search below can find one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_key_file_a_four_digit_pin_is_found() {
    let (copy, owner) = stolen().await;
    let thief = owner.at(&thief(&copy, FixedRoots::default()).await);
    let (right, others) = opened_by(&thief, 4700..4720).await;
    assert_eq!(right, [4711]);
    assert_eq!(others, [Outcome::Refused(Refusal::BadProof { left: None })]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_another_key_file_no_pin_is_confirmed() {
    let (copy, owner) = stolen().await;
    let thief = owner.at(&thief(&copy, FixedRoots::new(2)).await);
    let (right, others) = opened_by(&thief, 0..10_000).await;
    assert_eq!(right, [0; 0]);
    assert_eq!(
        others,
        [Outcome::Refused(Refusal::UnknownSubject)],
        "not even the row is found"
    );
}

/// Even where every row opens, a PIN cannot be told from another without the pepper.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_pepper_no_pin_is_confirmed() {
    let (copy, owner) = stolen().await;
    let thief = owner.at(&thief(&copy, FixedRoots::default().with(Root::Pepper, 2)).await);
    let (right, others) = opened_by(&thief, 4000..6000).await;
    assert_eq!(right, [0; 0]);
    assert_eq!(others, [Outcome::Refused(Refusal::BadProof { left: None })]);
}

/// Without the key that wraps the data keys no row opens, and nothing pretends otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_data_key_no_row_opens() {
    let (copy, _owner) = stolen().await;
    let builder = Kit::builder().store(copy.store()).seed(666);
    let kit = builder
        .roots(FixedRoots::default().with(Root::Data, 2))
        .try_build()
        .await;
    assert!(kit.is_err(), "the default tenant's key does not open");
}
