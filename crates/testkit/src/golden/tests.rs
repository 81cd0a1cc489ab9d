use super::*;
use axum::routing::any;
use http::HeaderMap;
use web::ClientAddr;

/// Answers with what it was sent.
fn echo(_: Services) -> Router {
    let answer = |headers: HeaderMap, from: ClientAddr, body: bytes::Bytes| async move {
        let name = headers.get("x-name").cloned();
        let answer = [("x-from", from.0.to_string())];
        let mut text = format!(
            "{{\"name\":\"{}\",\"body\":",
            name.map_or(String::new(), |name| name.to_str().unwrap().to_owned())
        )
        .into_bytes();
        text.extend_from_slice(&body);
        text.push(b'}');
        (answer, text)
    };
    Router::new().route("/echo/{id}", any(answer))
}

async fn play(text: &str) -> Result<String, String> {
    let golden = Golden::new(echo)
        .policy(|policy, name, value| {
            policy.public_url = value.to_owned();
            name == "url"
        })
        .step("shout", |scene, text| {
            Box::pin(async move {
                scene.set("shouted", text.to_uppercase());
                Ok(())
            })
        });
    let script = Script::parse(text).map_err(|(line, why)| format!("{line}: {why}"))?;
    scene::play(&golden, "test", text, &script, scene::Answers::Compare).await
}

#[tokio::test]
async fn an_exchange_holds_with_variables_headers_and_steps() {
    let text = "# A comment.
! policy url http://x
! let id = 7
! shout loud $id
! repeat many 3 ab
! from 203.0.113.9
> POST /echo/$id?x=$$
> x-name: $shouted
> [\"$many\"]
< 200
< x-from: 203.0.113.9
< x-gone: (absent)
< {\"name\":\"LOUD 7\",\"body\":[\"ababab\"]}
! let name = $body.name
> POST /echo/1
> x-name: $header.x-from
>
> \"$name: $body.body.0\"
< 200
< {\"name\":\"203.0.113.9\",\"body\":\"LOUD 7: ababab\"}
";
    assert_eq!(play(text).await.as_deref(), Ok(text));
}

#[tokio::test]
async fn a_difference_names_the_line_and_the_column() {
    let text = "> POST /echo/1\n> 12\n< 200\n< {\"name\":\"\",\"body\":13}\n";
    let failure = play(text).await.unwrap_err();
    let expected = [
        "test:1: POST /echo/1",
        "    200",
        "  - {\"name\":\"\",\"body\":13}",
        "  + {\"name\":\"\",\"body\":12}",
        "                       ^",
        "",
    ];
    assert_eq!(
        failure.trim_end().lines().collect::<Vec<_>>(),
        expected[..5]
    );
    for (wrong, why) in [
        (
            "> POST /echo/1\n< 201\n< {\"name\":\"\",\"body\":}\n",
            "- 201",
        ),
        (
            "> POST /echo/1\n< 200\n< x-from: (absent)\n< {\"name\":\"\",\"body\":}\n",
            "+ x-from: 127.0.0.1",
        ),
        ("> POST /echo/1\n< 200\n", "+ {"),
        ("> POST /echo/$no\n< 200\n", "no value for $no"),
        ("! shriek\n", "no step is called `shriek`"),
        ("! policy colour red\n", "no policy `colour red`"),
        ("! mail a@b.co verify\n", "a@b.co was sent []"),
        ("> POST /echo/1\n", "without its answer"),
        ("hello\n", "neither"),
    ] {
        let failure = play(wrong).await.unwrap_err();
        assert!(failure.contains(why), "{failure}");
    }
}

#[tokio::test]
async fn a_rule_holds_for_every_answer() {
    let text = "> POST /echo/1\n> 1\n< 200\n< {\"name\":\"\",\"body\":1}\n";
    let script = Script::parse(text).ok().unwrap();
    let golden =
        Golden::new(echo).always(|_, target, answer| Err(format!("{} at {target}", answer.status)));
    let failure = scene::play(&golden, "test", text, &script, scene::Answers::Write)
        .await
        .unwrap_err();
    assert!(
        failure.starts_with("test:1: POST /echo/1: 200 OK at /echo/1"),
        "{failure}"
    );
}

#[tokio::test]
async fn bytes_that_are_no_text_are_sent_as_they_are() {
    let text =
        "! hex bad 22 ff 22\n> POST /echo/1\n> $bad\n< 200\n< {\"name\":\"\",\"body\":$bad}\n";
    assert!(play(text).await.is_ok());
}

#[tokio::test]
async fn todays_answers_can_be_written() {
    let text = "! let long = 12345678\n> POST /echo/1\n> $long\n< 500\n< x-from: a\n< b\n\n# end\n";
    let script = Script::parse(text).ok().unwrap();
    let golden = Golden::new(echo);
    let written = scene::play(&golden, "test", text, &script, scene::Answers::Write)
        .await
        .unwrap();
    let expected = "! let long = 12345678\n> POST /echo/1\n> $long\n< 200\n< x-from: 127.0.0.1\n< {\"name\":\"\",\"body\":$long}\n\n# end\n";
    assert_eq!(written, expected);
}
