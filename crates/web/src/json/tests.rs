use super::Duplicates::{LastWins, RefuseAll, RefuseIn, RefuseNamed, RefuseTop};
use super::*;
use serde_json::json;

fn read(text: &str, duplicates: Duplicates) -> Result<Value, JsonError> {
    object(text.as_bytes(), duplicates).map(Value::Object)
}

fn repeated(name: &str) -> Result<Value, JsonError> {
    Err(JsonError::Duplicate(name.to_owned()))
}

#[test]
fn values_are_those_of_the_stock_parser() {
    let text = r#" {"a":[1,-1,1.5,1e3,18446744073709551615,-0,0.1,null,true,"\u00e4\ud83d\ude00\n"],"b":{},"c":[]} "#;
    let stock: Value = serde_json::from_str(text).unwrap();
    assert_eq!(read(text, RefuseAll).unwrap(), stock);
    assert_eq!(
        read(text, RefuseAll).unwrap().to_string(),
        stock.to_string()
    );
}

#[test]
fn exactly_one_object() {
    assert_eq!(object(b"", LastWins), Err(JsonError::Empty));
    for text in ["null", "[]", "1", "\"a\"", "true", "[{}]"] {
        assert_eq!(read(text, LastWins), Err(JsonError::NotObject), "{text}");
    }
    for text in [
        " ",
        "{",
        "{}x",
        "{}{}",
        "{} {}",
        "{,}",
        "{\"a\":1,}",
        "{'a':1}",
        "{a:1}",
        "nul",
        "[1,]",
        "{\"a\":01}",
        "{\"a\":NaN}",
        "{\"a\":1e999}",
        "{\"a\":\"\t\"}",
        "\u{feff}{}",
        "{\"a\" 1}",
        "// x\n{}",
    ] {
        assert_eq!(read(text, LastWins), Err(JsonError::Syntax), "{text}");
    }
}

#[test]
fn only_real_unicode() {
    for bytes in [
        &b"{\"a\":\"\xff\"}"[..],
        b"{\"\xc3\":1}",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\0}\0",
        b"{}\xff",
        b"{\"a\":\"\xed\xa0\x80\"}",
    ] {
        assert_eq!(object(bytes, LastWins), Err(JsonError::Syntax), "{bytes:?}");
    }
    for text in [
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\udc00"}"#,
        r#"{"a":"\ud800\ud800"}"#,
        r#"{"a":"\ud800x"}"#,
        r#"{"\udfff":1}"#,
        r#"{"a":"\ude00\ud83d"}"#,
        r#"{"a":{"b":["\ud83d\n"]}}"#,
    ] {
        assert_eq!(read(text, LastWins), Err(JsonError::Syntax), "{text}");
    }
}

#[test]
fn the_last_one_wins_or_the_text_is_refused() {
    let text = r#"{"a":1,"b":2,"a":3}"#;
    assert_eq!(read(text, LastWins).unwrap(), json!({"a": 3, "b": 2}));
    for rule in [RefuseTop, RefuseAll, RefuseIn(&[]), RefuseNamed(&["a"])] {
        assert_eq!(read(text, rule), repeated("a"), "{rule:?}");
    }
    assert_eq!(
        read(text, RefuseNamed(&["b"])).unwrap(),
        json!({"a": 3, "b": 2})
    );
    // An escape is another spelling of the same name.
    assert_eq!(read(r#"{"a":1,"\u0061":2}"#, RefuseTop), repeated("a"));
}

#[test]
fn each_rule_reaches_as_deep_as_it_says() {
    let inner = r#"{"p":{"x":1,"x":2}}"#;
    let nested = r#"{"p":{"q":{"x":1,"x":2}}}"#;
    let listed = r#"{"p":[{"x":1,"x":2}]}"#;
    for rule in [LastWins, RefuseTop, RefuseIn(&["x"]), RefuseNamed(&["x"])] {
        assert_eq!(
            read(inner, rule).unwrap(),
            json!({"p": {"x": 2}}),
            "{rule:?}"
        );
    }
    for rule in [RefuseAll, RefuseIn(&["p"])] {
        assert_eq!(read(inner, rule), repeated("x"), "{rule:?}");
    }
    for text in [nested, listed] {
        assert!(read(text, RefuseIn(&["p"])).is_ok(), "{text}");
        assert_eq!(read(text, RefuseAll), repeated("x"), "{text}");
    }
}

#[test]
fn what_is_no_object_cannot_hide_a_repetition() {
    assert_eq!(read(r#"[{"x":1,"x":2}]"#, RefuseAll), repeated("x"));
    assert_eq!(
        read(r#"[{"x":1,"x":2}]"#, RefuseTop),
        Err(JsonError::NotObject)
    );
}

#[test]
fn depth_is_counted_from_the_outermost_object() {
    let nested = |levels: usize| {
        format!(
            "{{\"a\":{}{}}}",
            "[".repeat(levels - 1),
            "]".repeat(levels - 1)
        )
    };
    assert!(read(&nested(DEPTH), LastWins).is_ok());
    assert_eq!(read(&nested(DEPTH + 1), LastWins), Err(JsonError::Syntax));
    assert!(object_with_depth(nested(3).as_bytes(), LastWins, 3).is_ok());
    assert_eq!(
        object_with_depth(nested(4).as_bytes(), LastWins, 3),
        Err(JsonError::Syntax)
    );
    assert_eq!(
        object_with_depth(b"{}", LastWins, 0),
        Err(JsonError::Syntax)
    );
    assert_eq!(
        read(&"[".repeat(1_000_000), LastWins),
        Err(JsonError::Syntax)
    );
    assert_eq!(
        read(&"{\"a\":".repeat(1_000_000), LastWins),
        Err(JsonError::Syntax)
    );
}

#[test]
fn a_reply_has_its_headers() {
    let response = reply(StatusCode::CONFLICT, &json!({"message": "no"}));
    assert_eq!(response.status(), StatusCode::CONFLICT);
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(response.headers()[name], value);
    }
}

#[test]
fn a_reply_that_cannot_be_written_is_a_server_fault() {
    let unwritable = std::collections::HashMap::from([((1, 2), 3)]);
    assert_eq!(
        reply(StatusCode::OK, &unwritable).status(),
        StatusCode::INTERNAL_SERVER_ERROR
    );
}
