//! The text forms of keys and signatures (device-keys sheet §5.2): base64 as browsers, Android and Apple
//! write it, and PEM.

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The text has none of the accepted forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Error;

/// What a PEM label says about the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// `PUBLIC KEY`: a `SubjectPublicKeyInfo`.
    Spki,
    /// `RSA PUBLIC KEY`: a PKCS#1 `RSAPublicKey`.
    Pkcs1,
}

/// Form 1. Carriage returns and line feeds are skipped anywhere, the alphabet is standard or URL-safe but not
/// both, padding is correct or absent, unused bits are zero, and there is at least one byte.
pub(crate) fn decode_base64(text: &str) -> Result<Vec<u8>, Error> {
    let digits = without_line_breaks(text);
    let padding = if digits.contains(&b'=') {
        DecodePaddingMode::RequireCanonical
    } else {
        DecodePaddingMode::RequireNone
    };
    // An engine has only one alphabet, so a mixed text fails with both.
    if digits.iter().any(|digit| matches!(digit, b'-' | b'_')) {
        decode(&digits, &URL_SAFE, padding)
    } else {
        decode(&digits, &STANDARD, padding)
    }
}

/// Form 2, if the text starts like PEM after white space; otherwise `None`.
///
/// One block with one of the two labels, lines ending in LF or CRLF, padded standard base64.
pub(crate) fn decode_pem(text: &str) -> Option<Result<(Label, Vec<u8>), Error>> {
    let block = text
        .trim_matches(|c: char| c.is_ascii_whitespace())
        .strip_prefix("-----BEGIN ")?;
    Some(decode_block(block))
}

/// `block` is everything after the opening `-----BEGIN `.
fn decode_block(block: &str) -> Result<(Label, Vec<u8>), Error> {
    let labelled = |name: &str| block.strip_prefix(name)?.strip_prefix("-----");
    let (label, rest, end) = if let Some(rest) = labelled("PUBLIC KEY") {
        (Label::Spki, rest, "-----END PUBLIC KEY-----")
    } else if let Some(rest) = labelled("RSA PUBLIC KEY") {
        (Label::Pkcs1, rest, "-----END RSA PUBLIC KEY-----")
    } else {
        return Err(Error);
    };
    let body = rest.strip_suffix(end).ok_or(Error)?;
    let framed = body.starts_with(['\n', '\r']) && body.ends_with('\n');
    if !framed || body.replace("\r\n", "\n").contains('\r') {
        return Err(Error);
    }
    let digits = without_line_breaks(body);
    let bytes = decode(&digits, &STANDARD, DecodePaddingMode::RequireCanonical)?;
    Ok((label, bytes))
}

fn without_line_breaks(text: &str) -> Vec<u8> {
    text.bytes()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect()
}

fn decode(
    digits: &[u8],
    alphabet: &Alphabet,
    padding: DecodePaddingMode,
) -> Result<Vec<u8>, Error> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(padding);
    match GeneralPurpose::new(alphabet, config).decode(digits) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => Err(Error),
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::*;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn padding_is_right_or_absent() {
        assert_eq!(decode_base64("AAE="), Ok(vec![0, 1]));
        assert_eq!(decode_base64("AAE"), Ok(vec![0, 1]));
        assert_eq!(decode_base64("AA=\n="), Ok(vec![0]));
        for wrong in [
            "", "\r\n", "=", "AA=", "AAE==", "AAEC=", "A", "AAF=", "AAF", "AA==AA==",
        ] {
            assert_eq!(decode_base64(wrong), Err(Error), "{wrong:?}");
        }
    }

    #[test]
    fn one_alphabet_at_a_time() {
        assert_eq!(decode_base64("+/+/"), decode_base64("-_-_"));
        assert_eq!(decode_base64("+_+_"), Err(Error));
        assert_eq!(decode_base64("AA A"), Err(Error));
        assert_eq!(decode_base64("AA\u{e9}A"), Err(Error));
    }

    #[test]
    fn pem_is_one_block_with_a_known_label() {
        let spki = |body: &str| {
            decode_pem(&format!(
                "-----BEGIN PUBLIC KEY-----{body}-----END PUBLIC KEY-----"
            ))
        };
        let good = Some(Ok((Label::Spki, vec![0, 1])));
        assert_eq!(spki("\nAAE=\n"), good);
        assert_eq!(spki("\r\nAA\r\nE=\r\n"), good);
        for wrong in [
            "AAE=",
            "\nAAE=",
            "AAE=\n",
            "\n\n",
            "\nAAE\n",
            "\nAA\rE=\n",
            " \nAAE=\n",
            "\n-_-_\n",
            "\rAAE=\n",
        ] {
            assert_eq!(spki(wrong), Some(Err(Error)), "{wrong:?}");
        }
        assert_eq!(
            decode_pem(" -----BEGIN RSA PUBLIC KEY-----\nAAE=\n-----END RSA PUBLIC KEY-----\t"),
            Some(Ok((Label::Pkcs1, vec![0, 1])))
        );
        assert_eq!(
            decode_pem("-----BEGIN RSA PUBLIC KEY-----\nAAE=\n-----END PUBLIC KEY-----"),
            Some(Err(Error))
        );
        assert_eq!(decode_pem("AAE="), None);
    }

    proptest! {
        #[test]
        fn every_spelling_gives_the_bytes_back(bytes in prop::collection::vec(any::<u8>(), 1..400)) {
            for text in [
                BASE64_STANDARD.encode(&bytes),
                BASE64_STANDARD_NO_PAD.encode(&bytes),
                BASE64_URL_SAFE.encode(&bytes),
                BASE64_URL_SAFE_NO_PAD.encode(&bytes),
            ] {
                let wrapped = text.as_bytes().chunks(76).map(|line| format!("{}\r\n", String::from_utf8_lossy(line)));
                prop_assert_eq!(decode_base64(&wrapped.collect::<String>()), Ok(bytes.clone()));
                prop_assert_eq!(decode_base64(&text), Ok(bytes.clone()));
            }
        }

        #[test]
        fn no_text_panics(text in "[A-Za-z0-9+/_= \r\n-]{0,64}|-----BEGIN (RSA )?PUBLIC KEY-----.{0,40}|.{0,64}") {
            let _ = decode_pem(&text);
            if let Ok(bytes) = decode_base64(&text) {
                let digits = String::from_utf8(without_line_breaks(&text)).expect("base64");
                let unpadded = BASE64_STANDARD_NO_PAD.encode(bytes);
                prop_assert_eq!(digits.trim_end_matches('=').replace('-', "+").replace('_', "/"), unpadded);
            }
        }
    }
}
