//! The state tables of §7: each call of a flow in each of its states, on a server of its own.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Answer, Kit};

use crate::person::{PASSWORD, Person};

const ANNA: &str = "anna@example.com";
const PHONE: &str = "+4915112345678";
const NEW_PHONE: &str = "+4915187654321";
const NEW_EMAIL: &str = "anna@example.net";
const NEW_PASSWORD: &str = "staple battery horse";

/// One run: somebody in the middle of a flow.
struct Run {
    anna: Person,
    process: String,
    token: Option<String>,
}

impl Run {
    /// Anna has both kinds of keys, and there are no pauses between sends.
    async fn new() -> Self {
        let kit = Kit::builder()
            .policy(|policy| policy.person.tokens.pause = Duration::ZERO)
            .build()
            .await;
        let anna = Person::at(&kit);
        let mut run = Self {
            anna,
            process: "8bfd90a9-949b-42e6-aae4-1690ce339721".to_owned(),
            token: None,
        };
        run.anna.register(ANNA).await;
        run.token = Some(run.anna.add_phone(ANNA, PHONE).await);
        run
    }

    async fn log_in(&mut self) {
        self.token = Some(self.anna.log_in(ANNA).await.0);
    }

    async fn send(&self, path: &str, body: Value) -> Answer {
        self.anna.send(path, self.token.as_deref(), body).await
    }

    async fn must(&self, path: &str, body: Value) -> Answer {
        let answer = self.send(path, body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer
    }

    /// Begins a process.
    async fn begin(&mut self, path: &str, body: Value) {
        self.process = self.must(path, body).await.member("processingId");
    }

    fn code(&self, address: &str) -> String {
        let known = self.anna.kit.courier.code_to(address);
        known.unwrap_or_else(|| "000000".to_owned())
    }

    /// The body of a call that names the process.
    fn of(&self, mut fields: Value) -> Value {
        fields["processingId"] = json!(self.process);
        fields
    }

    /// Ten wrong codes, over as many tokens as it takes.
    async fn fail(&self, send: (&str, Value), verify: (&str, Value)) {
        for n in 0..10 {
            if n == 5 {
                self.must(send.0, send.1.clone()).await;
            }
            let refused = self.send(verify.0, verify.1.clone()).await;
            assert_eq!(refused.member("code"), "OTT_INVALID");
        }
    }

    fn advance(&self, seconds: u64) {
        self.anna.kit.clock.advance(Duration::from_secs(seconds));
    }
}

/// Status, and the code of an error.
fn said(answer: &Answer) -> String {
    let status = answer.status.as_u16();
    match answer.json()["code"].as_str() {
        Some(code) => format!("{status} {code}"),
        None => status.to_string(),
    }
}

/// Runs every cell of a table: a line a state, a column a call, split by two spaces or more.
async fn holds<R, C>(table: &str, reach: R, call: C)
where
    R: AsyncFn(&mut Run, &str),
    C: AsyncFn(&Run, &str) -> Answer,
{
    let split = |line: &str| {
        let cells = line.split("  ").map(str::trim);
        let filled = cells.filter(|cell| !cell.is_empty()).map(str::to_owned);
        filled.collect::<Vec<_>>()
    };
    let mut lines = table.lines().filter(|line| !line.trim().is_empty());
    let header = split(lines.next().unwrap());
    let mut judged = 0;
    for line in lines {
        let line = split(line);
        assert_eq!(line.len(), header.len(), "{line:?}");
        for (name, expected) in header[1..].iter().zip(&line[1..]) {
            let mut run = Run::new().await;
            reach(&mut run, &line[0]).await;
            let answer = call(&run, name).await;
            let text = answer.text();
            assert_eq!(&said(&answer), expected, "{name} in {}: {text}", line[0]);
            judged += 1;
        }
    }
    assert!(judged > 0);
}

const WRONG: &str = "000000";

#[tokio::test]
async fn registration() {
    const NEW: &str = "new@example.com";
    let send = |run: &Run| format!("token/registration/{}", run.process);
    let reach = async |run: &mut Run, state: &str| {
        if state == "UNKNOWN" {
            return;
        }
        if state == "OTHER FLOW" {
            return run
                .begin("password/recovery", json!({ "userKey": ANNA }))
                .await;
        }
        run.begin("registration", json!({ "userKey": NEW })).await;
        if state == "CREATED" {
            return;
        }
        run.must(&send(run), json!({})).await;
        match state {
            "FAILED" => {
                let wrong = run.of(json!({ "oneTimeToken": WRONG }));
                let path = send(run);
                run.fail((&path, json!({})), ("registration/verification", wrong))
                    .await;
            }
            "EXPIRED" => run.advance(3600),
            "VERIFIED" | "VERIFIED, LATE" | "COMPLETED" => {
                let right = run.of(json!({ "oneTimeToken": run.code(NEW) }));
                run.must("registration/verification", right).await;
                match state {
                    "VERIFIED, LATE" => run.advance(900),
                    "COMPLETED" => {
                        let password = run.of(json!({ "password": PASSWORD }));
                        run.must("registration/password", password).await;
                    }
                    _ => {}
                }
            }
            _ => assert_eq!(state, "TOKEN_SENT"),
        }
    };
    let call = async |run: &Run, name: &str| match name {
        "T1" => run.send(&send(run), json!({})).await,
        "verification" => {
            let body = run.of(json!({ "oneTimeToken": run.code(NEW) }));
            run.send("registration/verification", body).await
        }
        _ => {
            let body = run.of(json!({ "password": PASSWORD }));
            run.send("registration/password", body).await
        }
    };
    let table = "
        state           T1                     verification           password
        UNKNOWN         404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        OTHER FLOW      404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        CREATED         200                    400 OTT_INVALID        409 PROCESS_STATE
        TOKEN_SENT      200                    200                    409 PROCESS_STATE
        VERIFIED        409 PROCESS_STATE      409 PROCESS_STATE      200
        VERIFIED, LATE  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        COMPLETED       404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        FAILED          404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        EXPIRED         404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
    ";
    holds(table, reach, call).await;
}

#[tokio::test]
async fn login() {
    let verify = |run: &Run, kind: &str, address: &str| {
        run.of(json!({ "destination": kind, "oneTimeToken": run.code(address) }))
    };
    let reach = async |run: &mut Run, state: &str| {
        if state == "UNKNOWN" {
            return;
        }
        if state == "OTHER FLOW" {
            return run
                .begin("password/recovery", json!({ "userKey": ANNA }))
                .await;
        }
        for kind in ["EMAIL", "PHONE_NUMBER"] {
            run.must("mfa/enabling", json!({ "destination": kind }))
                .await;
        }
        let login = json!({ "userKey": ANNA, "password": PASSWORD });
        run.begin("login", login).await;
        if state == "CREATED" {
            // The codes of other operations must not do for this one.
            return;
        }
        let send = run.of(json!({ "destination": "EMAIL" }));
        run.must("token/login", send.clone()).await;
        let phone = run.of(json!({ "destination": "PHONE_NUMBER" }));
        run.must("token/login", phone).await;
        match state {
            "FAILED" => {
                let wrong = run.of(json!({ "destination": "EMAIL", "oneTimeToken": WRONG }));
                run.fail(("token/login", send), ("login/verification", wrong))
                    .await;
            }
            "EXPIRED" => run.advance(3600),
            "PASSWORD CHANGED" => {
                run.must("token/password/changing", json!({})).await;
                let change = json!({ "oldPassword": PASSWORD, "newPassword": NEW_PASSWORD,
                    "oneTimeToken": run.code(ANNA) });
                run.must("password/changing", change).await;
            }
            "ONE STEP LEFT" | "COMPLETED" => {
                let step = verify(run, "EMAIL", ANNA);
                run.must("login/verification", step).await;
                if state == "COMPLETED" {
                    let step = verify(run, "PHONE_NUMBER", PHONE);
                    run.must("login/verification", step).await;
                }
            }
            _ => assert_eq!(state, "TOKEN_SENT"),
        }
    };
    let call = async |run: &Run, name: &str| match name {
        "T2 EMAIL" => {
            run.send("token/login", run.of(json!({ "destination": "EMAIL" })))
                .await
        }
        "T2 PHONE_NUMBER" => {
            let body = run.of(json!({ "destination": "PHONE_NUMBER" }));
            run.send("token/login", body).await
        }
        "verification EMAIL" => {
            run.send("login/verification", verify(run, "EMAIL", ANNA))
                .await
        }
        _ => {
            let body = verify(run, "PHONE_NUMBER", PHONE);
            run.send("login/verification", body).await
        }
    };
    let table = "
        state             T2 EMAIL               T2 PHONE_NUMBER        verification EMAIL     verification PHONE_NUMBER
        UNKNOWN           404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        OTHER FLOW        404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        CREATED           200                    200                    400 OTT_INVALID        400 OTT_INVALID
        TOKEN_SENT        200                    200                    200                    200
        ONE STEP LEFT     409 MFA_DISABLED       200                    409 MFA_DISABLED       200
        COMPLETED         404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        FAILED            404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        EXPIRED           404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        PASSWORD CHANGED  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
    ";
    holds(table, reach, call).await;
}

#[tokio::test]
async fn password_recovery() {
    let send = |run: &Run| run.of(json!({ "destination": "EMAIL" }));
    let reach = async |run: &mut Run, state: &str| {
        if state == "UNKNOWN" {
            return;
        }
        if state == "OTHER FLOW" {
            let key = json!({ "userKey": "new@example.com" });
            return run.begin("registration", key).await;
        }
        run.begin("password/recovery", json!({ "userKey": ANNA }))
            .await;
        if state == "CREATED" {
            return;
        }
        run.must("token/password/recovery", send(run)).await;
        match state {
            "FAILED" => {
                let wrong = run.of(json!({ "oneTimeToken": WRONG }));
                let path = "password/recovery/verification";
                run.fail(("token/password/recovery", send(run)), (path, wrong))
                    .await;
            }
            "EXPIRED" => run.advance(3600),
            "VERIFIED" | "VERIFIED, LATE" | "COMPLETED" => {
                let right = run.of(json!({ "oneTimeToken": run.code(ANNA) }));
                run.must("password/recovery/verification", right).await;
                match state {
                    "VERIFIED, LATE" => run.advance(900),
                    "COMPLETED" => {
                        let password = run.of(json!({ "newPassword": NEW_PASSWORD }));
                        run.must("password/recovery/newPassword", password).await;
                    }
                    _ => {}
                }
            }
            _ => assert_eq!(state, "TOKEN_SENT"),
        }
    };
    let call = async |run: &Run, name: &str| match name {
        "T3" => run.send("token/password/recovery", send(run)).await,
        "verification" => {
            let body = run.of(json!({ "oneTimeToken": run.code(ANNA) }));
            run.send("password/recovery/verification", body).await
        }
        _ => {
            let body = run.of(json!({ "newPassword": NEW_PASSWORD }));
            run.send("password/recovery/newPassword", body).await
        }
    };
    let table = "
        state           T3                     verification           newPassword
        UNKNOWN         404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        OTHER FLOW      404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        CREATED         200                    400 OTT_INVALID        409 PROCESS_STATE
        TOKEN_SENT      200                    200                    409 PROCESS_STATE
        VERIFIED        409 PROCESS_STATE      409 PROCESS_STATE      200
        VERIFIED, LATE  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        COMPLETED       404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        FAILED          404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        EXPIRED         404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
    ";
    holds(table, reach, call).await;
}

#[tokio::test]
async fn user_key_recovery() {
    let first = "token/userKeys/recovery/verification";
    let second = "token/userKeys/recovery/newKey";
    let new = |run: &Run| run.of(json!({ "destination": NEW_PHONE }));
    let reach = async |run: &mut Run, state: &str| {
        if state == "UNKNOWN" {
            return;
        }
        if state == "OTHER FLOW" {
            return run
                .begin("password/recovery", json!({ "userKey": ANNA }))
                .await;
        }
        let lost = json!({ "userKey": ANNA, "password": PASSWORD, "keyType": "PHONE_NUMBER" });
        run.begin("userKeys/recovery", lost).await;
        if state == "CREATED" {
            return;
        }
        run.must(first, run.of(json!({}))).await;
        match state {
            "FAILED" => {
                let wrong = run.of(json!({ "oneTimeToken": WRONG }));
                let send = (first, run.of(json!({})));
                run.fail(send, ("userKeys/recovery/verification", wrong))
                    .await;
            }
            "EXPIRED" => run.advance(3600),
            "TOKEN_SENT" => {}
            _ => {
                let right = run.of(json!({ "oneTimeToken": run.code(ANNA) }));
                run.must("userKeys/recovery/verification", right).await;
                if state == "VERIFIED" {
                    return;
                }
                if state == "VERIFIED, LATE" {
                    return run.advance(900);
                }
                run.must(second, new(run)).await;
                if state == "COMPLETED" {
                    let right = run.of(json!({ "oneTimeToken": run.code(NEW_PHONE) }));
                    run.must("userKeys/recovery/newKey", right).await;
                } else {
                    assert_eq!(state, "NEW_KEY_SENT");
                }
            }
        }
    };
    let call = async |run: &Run, name: &str| match name {
        "T4" => run.send(first, run.of(json!({}))).await,
        "T5" => run.send(second, new(run)).await,
        "verification" => {
            let body = run.of(json!({ "oneTimeToken": run.code(ANNA) }));
            run.send("userKeys/recovery/verification", body).await
        }
        _ => {
            let body = run.of(json!({ "oneTimeToken": run.code(NEW_PHONE) }));
            run.send("userKeys/recovery/newKey", body).await
        }
    };
    let table = "
        state           T4                     verification           T5                     newKey
        UNKNOWN         404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        OTHER FLOW      404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        CREATED         200                    400 OTT_INVALID        409 PROCESS_STATE      400 OTT_INVALID
        TOKEN_SENT      200                    200                    409 PROCESS_STATE      400 OTT_INVALID
        VERIFIED        409 PROCESS_STATE      409 PROCESS_STATE      200                    400 OTT_INVALID
        VERIFIED, LATE  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        NEW_KEY_SENT    409 PROCESS_STATE      409 PROCESS_STATE      200                    200
        COMPLETED       404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        FAILED          404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
        EXPIRED         404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND  404 PROCESS_NOT_FOUND
    ";
    holds(table, reach, call).await;
}

#[tokio::test]
async fn key_changing() {
    let first = "token/userKeys/changing";
    let second = "token/userKeys/changing/newKey";
    let reach = async |run: &mut Run, state: &str| {
        if state == "NONE" {
            return;
        }
        run.must(first, json!({ "keyType": "EMAIL" })).await;
        if state == "TOKEN_SENT" {
            return;
        }
        if state == "OTHER SESSION" {
            return run.log_in().await;
        }
        if state == "OTHER TYPE SINCE" {
            run.must(first, json!({ "keyType": "PHONE_NUMBER" })).await;
            return;
        }
        let right = json!({ "newUserKey": NEW_EMAIL, "oneTimeToken": run.code(ANNA) });
        run.must(second, right).await;
        match state {
            "VERIFIED" => {}
            "VERIFIED, LATE" => run.advance(900),
            "STARTED OVER" => {
                run.must(first, json!({ "keyType": "EMAIL" })).await;
            }
            _ => {
                assert_eq!(state, "COMPLETED");
                let right = json!({ "oneTimeToken": run.code(NEW_EMAIL) });
                run.must("userKeys/changing", right).await;
            }
        }
    };
    let call = async |run: &Run, name: &str| match name {
        "T9" => run.send(first, json!({ "keyType": "EMAIL" })).await,
        "T10 with token" => {
            let body = json!({ "newUserKey": NEW_EMAIL, "oneTimeToken": run.code(ANNA) });
            run.send(second, body).await
        }
        "T10 without" => run.send(second, json!({ "newUserKey": NEW_EMAIL })).await,
        _ => {
            let body = json!({ "oneTimeToken": run.code(NEW_EMAIL) });
            run.send("userKeys/changing", body).await
        }
    };
    // A verified change is open for its window; its second token lives on its own.
    let table = "
        state             T9                         T10 with token             T10 without                changing
        NONE              200                        400 OTT_INVALID            409 PROCESS_STATE          400 OTT_INVALID
        TOKEN_SENT        200                        200                        409 PROCESS_STATE          400 OTT_INVALID
        OTHER SESSION     200                        400 OTT_INVALID            409 PROCESS_STATE          400 OTT_INVALID
        OTHER TYPE SINCE  200                        400 VALIDATION_ERROR       400 VALIDATION_ERROR       400 OTT_INVALID
        VERIFIED          200                        400 OTT_INVALID            200                        200
        VERIFIED, LATE    200                        400 OTT_INVALID            409 PROCESS_STATE          200
        STARTED OVER      200                        200                        409 PROCESS_STATE          400 OTT_INVALID
        COMPLETED         403 PERMISSION_RESTRICTED  403 PERMISSION_RESTRICTED  403 PERMISSION_RESTRICTED  403 PERMISSION_RESTRICTED
    ";
    holds(table, reach, call).await;
}
