//! Every template in every language over every channel, and what an operator may change.

use std::fs;
use std::path::Path;

use domain::message::{Channel, MessageKind};
use domain::port::Composer;
use domain::port::courier::Words;
use outside::{ComposerOptions, TemplateComposer};

use crate::letters::message;

const CODE: &str = "042137";
const CHANNELS: [Channel; 2] = [Channel::Email, Channel::Sms];
/// The letters of GSM 03.38: a text with any other takes half as many characters a part.
const GSM: &str = "@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞ ÆæßÉ!\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

fn composer() -> TemplateComposer {
    TemplateComposer::new(&ComposerOptions::default()).unwrap()
}

fn overriding(folder: &Path) -> Result<TemplateComposer, String> {
    let options = ComposerOptions {
        overrides: Some(folder.to_owned()),
        ..ComposerOptions::default()
    };
    TemplateComposer::new(&options)
}

fn put(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Runs of six or more digits.
fn runs(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter(|run| run.len() >= 6)
        .collect()
}

fn each(composer: &TemplateComposer, mut look: impl FnMut(&str, Channel, &str)) {
    for operation in composer.operations() {
        for language in composer.languages() {
            for channel in CHANNELS {
                look(operation, channel, language);
            }
        }
    }
}

/// Without a template of its own an operation gets the general notice, which does not say what it is about.
#[test]
fn every_operation_of_an_account_has_words_of_its_own() {
    let composer = composer();
    let notices = [
        "anti_phishing_changed",
        "key_added",
        "key_attempt",
        "key_changed",
        "key_recovered",
        "key_removed",
        "mfa_failed",
        "mfa_off",
        "mfa_on",
        "password_set",
        "registration_attempt",
    ];
    let tokens =
        domain::proof::token::Operation::ALL.map(|operation| operation.name().to_lowercase());
    for operation in notices.into_iter().chain(tokens.iter().map(String::as_str)) {
        assert!(composer.operations().contains(&operation), "{operation}");
    }
}

#[test]
fn every_template_is_there_in_english_and_german() {
    let composer = composer();
    assert_eq!(composer.languages(), ["de", "en"]);
    for operation in composer.operations() {
        for language in composer.languages() {
            for kind in ["txt", "sms.txt"] {
                let file = format!(
                    "{}/templates/{language}/{operation}.{kind}",
                    env!("CARGO_MANIFEST_DIR")
                );
                assert!(Path::new(&file).exists(), "{file}");
            }
        }
    }
}

#[test]
fn every_template_renders_and_holds_its_code_once() {
    let composer = composer();
    each(&composer, |operation, channel, language| {
        let words = composer.preview(operation, language, channel).unwrap();
        let name = format!("{language} {operation} {channel:?}: {words:?}");
        assert!(
            !words.subject.is_empty() && !words.text.is_empty(),
            "{name}"
        );
        assert!(words.subject.chars().count() <= 78, "{name}");
        let token =
            |token: &domain::proof::token::Operation| token.name().eq_ignore_ascii_case(operation);
        let of_code = ["verify_contact", "reset_pin", "notice"].contains(&operation)
            || domain::proof::token::Operation::ALL.iter().any(token);
        let expected: &[&str] = if of_code { &[CODE] } else { &[] };
        assert_eq!(runs(&words.text), expected, "{name}");
        assert!(runs(&words.subject).is_empty(), "{name}");
        assert!(
            !words.text.contains("{{") && !words.text.contains("{%"),
            "{name}"
        );
        match channel {
            Channel::Email => {
                assert!(words.text.contains("blue-fox-7"), "{name}");
                assert!(words.html.contains("blue-fox-7"), "{name}");
                assert_eq!(runs(&words.html), expected, "{name}");
                assert!(
                    words.html.contains(&format!("<html lang=\"{language}\">")),
                    "{name}"
                );
                for outside in ["<img", "<script", "<link", "url(", "@import", "src="] {
                    assert!(!words.html.contains(outside), "{outside} in {name}");
                }
            }
            Channel::Operator => unreachable!("no program is written to in words"),
            Channel::Sms => {
                assert!(words.html.is_empty(), "{name}");
                assert!(!words.text.contains("blue-fox-7"), "{name}");
            }
        }
    });
}

#[test]
fn every_template_reads_well_without_any_facts() {
    let composer = composer();
    each(&composer, |operation, channel, language| {
        let mut message = message(channel);
        operation.clone_into(&mut message.operation);
        language.clone_into(&mut message.language);
        message.anti_phishing_code = None;
        let words = composer.compose(&message);
        for text in [&words.subject, &words.text] {
            for gap in [
                "  -",
                " .",
                " ,",
                ": .",
                "()",
                "\n\n\n",
                "sample",
                "undefined",
            ] {
                assert!(
                    !text.contains(gap),
                    "{gap:?} in {language} {operation}: {text}"
                );
            }
        }
    });
}

#[test]
fn an_sms_fits_one_part_unless_it_has_a_link() {
    let composer = composer();
    each(&composer, |operation, _, language| {
        let mut message = message(Channel::Sms);
        operation.clone_into(&mut message.operation);
        language.clone_into(&mut message.language);
        for (name, value) in [
            ("until", "2020-12-16T13:56:45.848Z"),
            ("contact", "j***@example.com"),
        ] {
            message.facts.insert(name.to_owned(), value.to_owned());
        }
        let text = composer.compose(&message).text;
        assert!(
            text.chars().count() <= 160,
            "{} in {language} {operation}: {text}",
            text.chars().count()
        );
        let strange: Vec<char> = text.chars().filter(|c| !GSM.contains(*c)).collect();
        assert!(strange.is_empty(), "{strange:?} in {language} {operation}");
    });
}

#[test]
fn the_words_of_a_code_are_these() {
    let mut message = message(Channel::Email);
    message.facts.insert("valid".to_owned(), "3600s".to_owned());
    let words = composer().compose(&message);
    assert_eq!(words.subject, "Your code to confirm this address");
    let expected = "\
Somebody, most likely you, wants to use this address to recover a key backup at
Keyward.

To confirm it, enter this code in the app:

042137

The code works once and is valid for 1 hour.

If it was not you, ignore this message and give the code to nobody. Without it
nothing happens.

Your anti-phishing code: blue-fox-7

Every genuine e-mail from Keyward shows this code, which you chose yourself. If it
is missing or different in a message, do nothing that the message asks for.";
    assert_eq!(words.text, expected);
}

#[test]
fn a_time_and_the_days_left_come_in_the_language() {
    let mut message = message(Channel::Email);
    message.kind = MessageKind::Notice;
    message.operation = "recovery_reminder".to_owned();
    message.code = None;
    message.link = Some("https://keyward.example/stop/042137042137".to_owned());
    message
        .facts
        .insert("until".to_owned(), "2020-12-16T13:56:45.848Z".to_owned());
    message.facts.insert("left".to_owned(), "7".to_owned());
    let english = composer().compose(&message);
    assert!(english.subject.starts_with("7 days left: "), "{english:?}");
    assert!(
        english
            .text
            .contains("from 16 December 2020, 13:56 UTC on (7 days left)")
    );
    assert!(
        english
            .text
            .contains("\n\nhttps://keyward.example/stop/042137042137\n\n")
    );
    assert!(english.html.contains(">Open the page</a>"));
    message.language = "de-AT".to_owned();
    let german = composer().compose(&message);
    assert!(german.subject.starts_with("Noch 7 Tage: "), "{german:?}");
    assert!(
        german
            .text
            .contains("ab dem 16. Dezember 2020, 13:56 Uhr (UTC) ersetzt")
    );
    assert!(
        german.html.contains("<html lang=\"de\">") && german.html.contains(">Seite öffnen</a>")
    );
}

#[test]
fn an_unknown_language_is_english_and_an_unknown_operation_a_notice() {
    let mut message = message(Channel::Email);
    let english = composer().compose(&message);
    for language in ["", "xx", "EN-us", "en_GB", "../../etc"] {
        language.clone_into(&mut message.language);
        assert_eq!(composer().compose(&message), english, "{language}");
    }
    for operation in [
        "SOMETHING_NEW",
        "",
        "_anti_phishing",
        "../layout",
        "notice.sms",
    ] {
        operation.clone_into(&mut message.operation);
        message.language = "DE".to_owned();
        let words = composer().compose(&message);
        assert_eq!(words.subject, "Ihr Code", "{operation}");
        assert_eq!(runs(&words.text), [CODE]);
    }
}

#[test]
fn values_can_break_out_of_nothing() {
    let hostile = "<b onclick=\"x\">'&\r\nBcc: eve@example.com\r\n\r\n{{ code }} 123456 \u{202e}";
    let composer = composer();
    each(&composer, |operation, channel, language| {
        let mut message = message(channel);
        operation.clone_into(&mut message.operation);
        language.clone_into(&mut message.language);
        message.anti_phishing_code = Some("654321".to_owned());
        message.link = Some("https://keyward.example/?a=\"><script>&b='".to_owned());
        for name in ["contact", "until", "left", "valid", "subject", "text", "at"] {
            message.facts.insert(name.to_owned(), hostile.to_owned());
        }
        let words = composer.compose(&message);
        let name = format!("{language} {operation} {channel:?}: {words:?}");
        assert!(!words.subject.contains(char::is_control), "{name}");
        assert!(runs(&words.text).iter().all(|run| *run == CODE), "{name}");
        assert!(runs(&words.text).len() <= 1, "{name}");
        assert!(
            !words.text.contains('\u{202e}') && !words.text.contains('\r'),
            "{name}"
        );
        for tag in ["<b ", "<script", "onclick=\""] {
            assert!(!words.html.contains(tag), "{tag} in {name}");
        }
        if channel == Channel::Email {
            assert!(words.text.contains("654 321"), "{name}");
        }
    });
}

#[test]
fn a_link_that_is_not_of_the_web_is_never_a_button() {
    let mut message = message(Channel::Email);
    message.operation = "recovery_started".to_owned();
    message.code = None;
    message.link = Some("javascript:alert(1)".to_owned());
    let words = composer().compose(&message);
    assert!(!words.html.contains("href"), "{}", words.html);
}

#[test]
fn an_operators_file_takes_the_place_of_the_built_in_one() {
    let folder = tempfile::tempdir().unwrap();
    put(
        folder.path(),
        "en/verify_contact.txt",
        "Subject: Hi from {{ product }}\n\nCode:\n\n{{ code }}\n",
    );
    put(
        folder.path(),
        "fr/verify_contact.txt",
        "Subject: Votre code\n\nVoici :\n\n{{ code }}\n",
    );
    put(folder.path(), ".hidden", "x");
    let options = ComposerOptions {
        product: "Vault & Co".to_owned(),
        overrides: Some(folder.path().to_owned()),
    };
    let composer = TemplateComposer::new(&options).unwrap();
    assert_eq!(composer.languages(), ["de", "en", "fr"]);
    let mut message = message(Channel::Email);
    message.anti_phishing_code = None;
    let words = composer.compose(&message);
    assert_eq!(words.subject, "Hi from Vault & Co");
    assert_eq!(words.text, "Code:\n\n042137");
    assert!(words.html.contains("Vault &amp; Co"));
    message.language = "fr".to_owned();
    assert_eq!(composer.compose(&message).subject, "Votre code");
    message.operation = "reset_pin".to_owned();
    assert!(
        composer
            .compose(&message)
            .subject
            .starts_with("Somebody asked")
    );
    message.language = "de".to_owned();
    assert!(composer.compose(&message).text.contains("Vault & Co"));
}

#[test]
fn a_wrong_file_is_refused_with_its_name_and_line() {
    let good = "Subject: Hi\n\nCode:\n\n{{ code }}\n";
    let cases = [
        ("en/verify_contact.txt", "Hi\n\n{{ code }}\n", "line 1"),
        (
            "en/verify_contact.txt",
            "Subject: \n\n{{ code }}\n",
            "line 1",
        ),
        (
            "en/verify_contact.txt",
            "Subject: Hi\n{{ code }}\n",
            "line 2",
        ),
        ("en/verify_contact.txt", "Subject: Hi\n\n", "line 3"),
        (
            "en/verify_contact.txt",
            "Subject: Hi\n\n\n{{ code }\n",
            "line 4",
        ),
        (
            "en/verify_contact.txt",
            "Subject: {{ nobody }}\n\n{{ code }}\n",
            "line 1",
        ),
        (
            "en/verify_contact.txt",
            "Subject: Hi\n\n{{ code }}\n{{ cod }}\n",
            "line 4",
        ),
        (
            "en/verify_contact.txt",
            "Subject: Hi\n\n{{ code|strange }}\n",
            "line 3",
        ),
        (
            "en/verify_contact.txt",
            "Subject: Hi\n\nNo code\n",
            "must contain {{ code }}",
        ),
        (
            "en/verify_contact.txt",
            "Subject: Hi\n\n{{ code }} {{ code }}\n",
            "once",
        ),
        (
            "en/verify_contact.txt",
            "Subject: Hi\n\n{{ code }} call 555123456\n",
            "once",
        ),
        (
            "en/verify_contact.sms.txt",
            "No code\n",
            "must contain {{ code }}",
        ),
        (
            "de/recovery_started.txt",
            "Subject: Hi\n\nNo link\n",
            "must contain {{ link }}",
        ),
        (
            "de/_anti_phishing.txt",
            "Nothing\n",
            "must contain {{ anti_phishing_code }}",
        ),
        (
            "en/verify_contct.txt",
            good,
            "no message has a template with that name",
        ),
        (
            "verify_contact.txt",
            good,
            "no message has a template with that name",
        ),
        ("layout.html", "<p>{{ subject }}</p>", "must contain {{"),
        ("layout.html", "<p>\n{% for x in blocks %}\n", "line"),
    ];
    for (name, text, why) in cases {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), name, text);
        let error = overriding(folder.path()).unwrap_err();
        assert!(error.contains(why), "{name} {text:?}: {error}");
        assert!(error.contains(name), "{name}: {error}");
    }
    assert!(
        overriding(Path::new("/nonexistent/templates"))
            .unwrap_err()
            .contains("cannot be read")
    );
}

#[test]
fn a_preview_of_nothing_names_what_there_is() {
    let composer = composer();
    let error = composer
        .preview("verify", "en", Channel::Email)
        .unwrap_err();
    assert!(error.contains("reset_pin, "), "{error}");
    let words: Words = composer
        .preview("VERIFY_CONTACT", "de", Channel::Sms)
        .unwrap();
    assert!(words.text.contains(CODE));
}
