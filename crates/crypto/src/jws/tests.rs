mod rfc;

use super::*;

const SIGNING: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256];

fn pair(algorithm: Algorithm) -> (SigningKey, VerifyingKey) {
    let bytes = SigningKey::generate(algorithm).expect("a key");
    let key = SigningKey::from_pkcs8(algorithm, &bytes).expect("its own form");
    let public = VerifyingKey::new(algorithm, &key.public_numbers().expect("numbers"));
    (key, public.expect("its own numbers"))
}

fn header(algorithm: Algorithm) -> String {
    format!("{{\"alg\":\"{}\"}}", algorithm.name())
}

#[test]
fn each_algorithm_verifies_its_own_and_nothing_else() {
    let keys = SIGNING.map(pair);
    for ((key, own), algorithm) in keys.iter().zip(SIGNING) {
        let sign = |claimed, payload: &str| {
            let token = key.sign(header(claimed).as_bytes(), payload.as_bytes());
            token.expect("a token")
        };
        let token = sign(algorithm, "{\"a\":1}");
        let parts = Compact::parse(&token).expect("three parts");
        assert_eq!(parts.payload(), b"{\"a\":1}");
        for (_, public) in &keys {
            assert_eq!(public.verifies(&parts), public.algorithm() == algorithm);
        }
        let changed = sign(algorithm, "{\"a\":2}");
        let (signed, _) = changed.rsplit_once('.').expect("three parts");
        let (_, signature) = token.rsplit_once('.').expect("three parts");
        let forged = format!("{signed}.{signature}");
        assert!(!own.verifies(&Compact::parse(&forged).expect("three parts")));
        for claimed in Algorithm::ALL {
            let token = sign(claimed, "{}");
            let parts = Compact::parse(&token).expect("three parts");
            assert_eq!(own.verifies(&parts), claimed == algorithm, "{claimed:?}");
        }
    }
}

#[test]
fn nothing_signs_with_the_algorithms_of_others() {
    let bytes = SigningKey::generate(Algorithm::Rs256).expect("a key");
    for algorithm in Algorithm::ALL.iter().filter(|one| !SIGNING.contains(one)) {
        assert!(SigningKey::generate(*algorithm).is_err());
        assert!(SigningKey::from_pkcs8(*algorithm, &bytes).is_err());
    }
}

#[test]
fn weak_and_mismatched_keys_are_refused() {
    let (key, _) = pair(Algorithm::Rs256);
    let numbers = key.public_numbers().expect("numbers");
    assert!(VerifyingKey::new(Algorithm::Es256, &numbers).is_err());
    let PublicNumbers::Rsa { n, .. } = numbers else {
        unreachable!()
    };
    for (n, e) in [
        (n.clone(), vec![3]),
        (n[1..].to_vec(), vec![1, 0, 1]),
        (vec![1; 128], vec![1, 0, 1]),
    ] {
        assert!(VerifyingKey::new(Algorithm::Rs256, &PublicNumbers::Rsa { n, e }).is_err());
    }
    let off = PublicNumbers::P256 {
        x: [1; 32],
        y: [1; 32],
    };
    assert!(VerifyingKey::new(Algorithm::Es256, &off).is_err());
}

#[test]
fn a_point_has_one_spelling() {
    // The point of P-256 whose X is zero, which somebody could also spell as the prime of the field.
    let y = "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4";
    let prime = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
    let point = |x: &str| {
        let [x, y] = [x, y].map(|text| hex::decode(text).expect("hex"));
        VerifyingKey::point(Algorithm::Es256, &x, &y).is_ok()
    };
    assert!(point(&"00".repeat(32)));
    assert!(!point(prime), "not reduced");
    assert!(!point("00"), "too short");
    assert!(!point(""), "compressed");
}
