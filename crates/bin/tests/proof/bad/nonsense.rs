//! Generators of requests that nobody should send.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::dice::Dice;
use crate::photon;

/// A key that does not exist.
const KEY: &str = "8abe1a93-6a9c-490c-bbd5-d7f11a4a9c8f";

const KINDS: [fn(&mut Dice) -> Vec<u8>; 18] = [
    noise,
    noise_after_a_line,
    large_header,
    many_headers,
    long_path,
    absurd_method,
    wrong_length,
    broken_chunks,
    deep_json,
    broken_text,
    wrong_types,
    line_tricks,
    two_lengths,
    pipeline,
    percent,
    credentials,
    versions_and_targets,
    mutated,
];

/// One request of any kind.
pub(super) fn request(dice: &mut Dice) -> Vec<u8> {
    dice.pick(&KINDS)(dice)
}

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST /v2/key HTTP/1.1\r\nHost: keyward\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

fn sized(body: &[u8]) -> Vec<u8> {
    post(&format!("Content-Length: {}\r\n", body.len()), body)
}

fn get(target: &str, headers: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: keyward\r\n{headers}\r\n").into_bytes()
}

fn noise(dice: &mut Dice) -> Vec<u8> {
    let length = 1 + dice.below(3000);
    let mut bytes = dice.bytes(length);
    if dice.below(4) == 0 {
        // As a client that takes this for TLS.
        bytes.splice(0..0, *b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    }
    bytes
}

fn noise_after_a_line(dice: &mut Dice) -> Vec<u8> {
    let length = dice.below(3000);
    let mut bytes = b"GET /v2/key HTTP/1.1\r\nHost: ".to_vec();
    bytes.extend(dice.bytes(length));
    bytes.extend(b"\r\n\r\n");
    bytes
}

fn large_header(dice: &mut Dice) -> Vec<u8> {
    let length = 20_000 + dice.below(60_000);
    get("/v2/key", &format!("X-Large: {}\r\n", "x".repeat(length)))
}

fn many_headers(dice: &mut Dice) -> Vec<u8> {
    let count = 50 + dice.below(1000);
    let headers: String = (0..count)
        .map(|nth| format!("X-{nth}: {nth}\r\n"))
        .collect();
    get("/v2/key", &headers)
}

fn long_path(dice: &mut Dice) -> Vec<u8> {
    let length = dice.below(64 * 1024);
    let part = *dice.pick(&["a", "/", "%41", "../", "é", "%", ";", "?", "//v2/key"]);
    get(&format!("/v2/key/{}", part.repeat(length / part.len())), "")
}

fn absurd_method(dice: &mut Dice) -> Vec<u8> {
    let method = match dice.below(6) {
        0 => {
            let length = 1 + dice.below(400);
            dice.word(length)
        }
        1 => "get".to_owned(),
        2 => "HEAD".to_owned(),
        3 => "CONNECT".to_owned(),
        4 => "G\u{0}T".to_owned(),
        _ => (*dice.pick(&[
            "TRACE", "OPTIONS", "PATCH", "PRI", "M-SEARCH", "!#$%&'*+", "",
        ]))
        .to_owned(),
    };
    format!("{method} /v2/key/{KEY} HTTP/1.1\r\nHost: keyward\r\n\r\n").into_bytes()
}

fn wrong_length(dice: &mut Dice) -> Vec<u8> {
    let length = *dice.pick(&[
        "5",
        "0",
        "1",
        "-1",
        "+12",
        "0x0c",
        "12 12",
        "12, 12",
        "18446744073709551616",
        "9e3",
        "",
        " ",
        "99999",
        "twelve",
        "12\u{0}",
        "1048576",
        "9223372036854775807",
    ]);
    post(&format!("Content-Length: {length}\r\n"), br#"{"pin":"24"}"#)
}

fn broken_chunks(dice: &mut Dice) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..dice.below(20) {
        let size = *dice.pick(&[
            "1",
            "3",
            "0",
            "ffffffffffffffff",
            "fffffffffffffffff",
            "-1",
            "0x3",
            "g",
            "",
            "3;a=b",
            "3;a=\"\r\n\"",
            "000000000000000000003",
            "3 ",
        ]);
        let end = *dice.pick(&["\r\n", "\n", "\r", "", "\r\n\r\n"]);
        let length = dice.below(8);
        body.extend(size.as_bytes());
        body.extend(end.as_bytes());
        body.extend(dice.bytes(length));
        body.extend(b"\r\n");
    }
    body.extend(*dice.pick(&[
        &b"0\r\n\r\n"[..],
        b"0\r\nContent-Length: 5\r\n\r\n",
        b"",
        b"0\r\n",
    ]));
    post("Transfer-Encoding: chunked\r\n", &body)
}

fn deep_json(dice: &mut Dice) -> Vec<u8> {
    let depth = 1 + dice.below(8000);
    let (open, close) = *dice.pick(&[
        ("[", "]"),
        ("{\"a\":", "}"),
        ("[[", ""),
        ("{\"pin\":[", "]}"),
    ]);
    let depth = depth.min(16_000 / (open.len() + close.len()));
    sized(format!("{}1{}", open.repeat(depth), close.repeat(depth)).as_bytes())
}

fn broken_text(dice: &mut Dice) -> Vec<u8> {
    let length = dice.below(40);
    let inside = match dice.below(7) {
        0 => b"\xff\xfe\xfd\xfc".to_vec(),
        1 => b"\xc0\x80\xc0\x80".to_vec(),
        2 => b"\xed\xa0\x80\xed\xb0\x80".to_vec(),
        3 => br"\ud800\ud800".to_vec(),
        4 => b"24\x0068".to_vec(),
        5 => br"\u0000\u00000\u".to_vec(),
        _ => dice.bytes(length),
    };
    let before = *dice.pick(&[
        &b"{\"pin\":\""[..],
        b"\xef\xbb\xbf{\"pin\":\"",
        b"{\"pin\" \"",
        b"'pin':\"",
    ]);
    let mut body = before.to_vec();
    body.extend(inside);
    body.extend(*dice.pick(&[&b"\"}"[..], b"\"", b"\"}}", b"\"},{}"]));
    sized(&body)
}

fn wrong_types(dice: &mut Dice) -> Vec<u8> {
    let value = *dice.pick(&[
        "null",
        "1",
        "-0.0",
        "1e400",
        "true",
        "[]",
        "{}",
        "[\"2468\"]",
        "\"\"",
        "NaN",
        "\"2468\"x",
        "{\"pin\":{}}",
    ]);
    let body = format!("{{\"pin\":{value},\"op\":{value},\"userId\":{value},\"code\":{value}}}");
    let target = *dice.pick(&[
        "/v2/key",
        "/v2/key/x",
        "/v2/key/x/user",
        "/v2/key/x/user/y",
        "/v2/key/x/user/y/reset",
    ]);
    let method = *dice.pick(&["POST", "PUT", "DELETE", "GET"]);
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: k\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

fn line_tricks(dice: &mut Dice) -> Vec<u8> {
    let texts: [&str; 9] = [
        "GET /v2/key HTTP/1.1\nHost: keyward\n\n",
        "GET /v2/key HTTP/1.1\rHost: keyward\r\r",
        "GET /v2/key/a%0d%0aX-Injected:%20yes HTTP/1.1\r\nHost: keyward\r\n\r\n",
        "GET /v2/key/a\r\nX-Injected: yes\r\n HTTP/1.1\r\nHost: keyward\r\n\r\n",
        "GET /v2/key HTTP/1.1\r\nHost: keyward\r\nX-Request-Id: a\r\n folded\r\n\r\n",
        "GET /v2/key HTTP/1.1\r\nHost: keyward\r\nX-Request-Id: a%0d%0aX-Injected: yes\r\n\r\n",
        "GET /v2/key HTTP/1.1\r\n: no name\r\n\r\n",
        "\r\n\r\n\r\nGET /v2/key HTTP/1.1\r\n\r\n",
        "GET  /v2/key  HTTP/1.1\r\nHost: a\u{0}b\r\n\r\n",
    ];
    dice.pick(&texts).as_bytes().to_vec()
}

fn two_lengths(dice: &mut Dice) -> Vec<u8> {
    let first = *dice.pick(&[
        "Content-Length: 4",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: x",
    ]);
    let second = *dice.pick(&[
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        "transfer-encoding: identity",
        "Content-Length: 4",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\u{b}chunked",
        "X: y\r\n Transfer-Encoding: chunked",
    ]);
    let mut bytes = post(&format!("{first}\r\n{second}\r\n"), b"0\r\n\r\n");
    bytes.extend(get("/v2/key", "X-Hidden: yes\r\n"));
    bytes
}

fn pipeline(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..dice.below(40) {
        bytes.extend(match dice.below(5) {
            0 => get("/healthz", ""),
            1 => get("/nowhere", ""),
            2 => sized(b"{}"),
            3 => photon::open(KEY, "2468"),
            _ => wrong_types(dice),
        });
    }
    if bytes.is_empty() {
        get("/", "")
    } else {
        bytes
    }
}

fn percent(dice: &mut Dice) -> Vec<u8> {
    let mut path = format!("/v2/key/{KEY}/user/");
    for _ in 0..dice.below(30) {
        let part: &&str = dice.pick(&[
            "%", "%2", "%zz", "%00", "%2F", "%25", "%ff", "%c3%28", "+", "@", "..", "%2e%2e",
            "%u0041", "\\", "?", "#",
        ]);
        path.push_str(part);
    }
    get(&path, "")
}

fn credentials(dice: &mut Dice) -> Vec<u8> {
    let length = dice.below(20_000);
    let noise = STANDARD.encode(dice.bytes(length));
    let value = match dice.below(7) {
        0 => format!("Basic {noise}"),
        1 => format!("Bearer {noise}"),
        2 => "Basic".to_owned(),
        3 => "Basic ====".to_owned(),
        4 => format!("Basic {}", "A".repeat(length)),
        5 => "Basic OjI0Njg=, Basic OjI0Njg=".to_owned(),
        _ => format!("Digest {}", dice.word(40)),
    };
    get(
        &format!("/v2/key/{KEY}"),
        &format!("Authorization: {value}\r\nAuthorization: x\r\n"),
    )
}

fn versions_and_targets(dice: &mut Dice) -> Vec<u8> {
    let version = *dice.pick(&[
        "HTTP/0.9", "HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/9.9", "HTTP", "", "http/1.1",
    ]);
    let target = *dice.pick(&[
        "*",
        "keyward:443",
        "http://elsewhere/v2/key",
        "v2/key",
        "//v2/key",
        "/v2//key",
        "/V2/key",
        "/v2/key/",
        "/v2/key?x",
        "/v2/key#x",
        "file:///etc/passwd",
        "/../../etc/passwd",
        "",
    ]);
    let more = *dice.pick(&[
        "",
        "Expect: 100-continue\r\nContent-Length: 3\r\n",
        "Upgrade: websocket\r\nConnection: upgrade\r\n",
        "Connection: close, keep-alive, x\r\n",
        "Host: other\r\n",
        "Expect: nonsense\r\n",
        "Range: bytes=0-1,2-3\r\n",
        "Content-Encoding: gzip\r\nAccept-Encoding: x\r\n",
    ]);
    format!("GET {target} {version}\r\nHost: keyward\r\n{more}\r\n").into_bytes()
}

/// A sound request with a few bytes changed.
fn mutated(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = match dice.below(5) {
        0 => photon::create("2468"),
        1 => photon::open(KEY, "2468"),
        2 => photon::change(KEY, "2468", "1357"),
        3 => photon::add_user(KEY, "2468", "anna@example.org"),
        _ => photon::verify(KEY, "anna@example.org", "123456"),
    };
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        let byte = dice.bytes(1)[0];
        match dice.below(3) {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => {
                bytes.remove(at);
            }
        }
    }
    bytes
}
