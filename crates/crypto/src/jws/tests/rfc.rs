//! The published examples: RFC 7515 appendix A, and RFC 8037 appendix A.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::jws::{Algorithm, Compact, PublicNumbers, VerifyingKey};

/// The payload of A.1, A.2, A.3 and A.5.
const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql\
    L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTB\
    EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9g\
    b54h4FRWyuXpoQ";
const RSA_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb\
    F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--x\
    i12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ\
    Ge77Rw";

const EC_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const EC_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const EC_SIGNATURE: &str =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

fn rsa(algorithm: Algorithm) -> VerifyingKey {
    let (n, e) = (bytes(RSA_N), vec![1, 0, 1]);
    VerifyingKey::new(algorithm, &PublicNumbers::Rsa { n, e }).expect("a key")
}

fn p256() -> VerifyingKey {
    let coordinate = |text| bytes(text).try_into().expect("32 bytes");
    let (x, y) = (coordinate(EC_X), coordinate(EC_Y));
    VerifyingKey::new(Algorithm::Es256, &PublicNumbers::P256 { x, y }).expect("a key")
}

fn verifies(key: &VerifyingKey, token: &str) -> bool {
    Compact::parse(token).is_some_and(|token| key.verifies(&token))
}

/// The token with one bit of its signature turned.
fn spoilt(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let mut signature = bytes(signature);
    signature[9] ^= 1;
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_2_rsassa_pkcs1_with_sha_256() {
    let token = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.{RSA_SIGNATURE}");
    assert!(verifies(&rsa(Algorithm::Rs256), &token));
    assert!(!verifies(&rsa(Algorithm::Rs256), &spoilt(&token)));
    assert!(!verifies(&rsa(Algorithm::Ps256), &token));
    assert!(!verifies(&p256(), &token));
}

#[test]
fn a_3_ecdsa_on_p_256_with_sha_256() {
    let token = format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}.{EC_SIGNATURE}");
    assert!(verifies(&p256(), &token));
    assert!(!verifies(&p256(), &spoilt(&token)));
    assert!(!verifies(&rsa(Algorithm::Rs256), &token));
}

#[test]
fn a_1_and_a_4_have_algorithms_that_nobody_may_ask_for() {
    let hs256 = format!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let es512 = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB\
        34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
    for token in [hs256.as_str(), es512] {
        let token = Compact::parse(token).expect("three parts");
        assert_eq!(token.header().algorithm(), None);
        assert!(!p256().verifies(&token) && !rsa(Algorithm::Rs256).verifies(&token));
    }
}

#[test]
fn a_5_is_not_signed_and_no_token() {
    let token = format!("eyJhbGciOiJub25lIn0.{PAYLOAD}.");
    assert!(Compact::parse(&token).is_none());
}

#[test]
fn rfc_8037_a_4_and_a_5_ed25519() {
    let x = bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let key = VerifyingKey::edwards(Algorithm::EdDsa, &x).expect("a key");
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR\
        4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert!(verifies(&key, token));
    assert!(!verifies(&key, &spoilt(token)));
}
