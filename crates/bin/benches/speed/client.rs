//! A small HTTP/1.1 client that costs little beside the server it loads.

use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// One kept-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Sends one request; status and body of its answer.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        pin: Option<&str>,
        body: Option<&str>,
    ) -> (u16, String) {
        let body = body.unwrap_or_default();
        let auth = pin.map_or_else(String::new, |pin| {
            format!(
                "authorization: Basic {}\r\n",
                STANDARD.encode(format!(":{pin}"))
            )
        });
        self.send_with(method, path, &auth, body)
    }

    /// The same with header lines of the caller's own, each with its end.
    pub(crate) fn send_with(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> (u16, String) {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        self.stream
            .write_all(request.as_bytes())
            .expect("the server reads");
        self.answer()
    }

    fn answer(&mut self) -> (u16, String) {
        self.buffer.clear();
        let mut chunk = [0; 16_384];
        loop {
            let count = self.stream.read(&mut chunk).expect("the server answers");
            assert!(count > 0, "the server closed the connection");
            self.buffer.extend_from_slice(&chunk[..count]);
            let text = String::from_utf8_lossy(&self.buffer);
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length: ")
                        .map(str::to_owned)
                })
                .map_or(0, |value| value.parse::<usize>().expect("a length"));
            if body.len() >= length {
                let status = head
                    .get(9..12)
                    .and_then(|status| status.parse().ok())
                    .expect("a status line");
                return (status, body.to_owned());
            }
        }
    }
}

/// A field of a flat JSON answer.
pub(crate) fn field(body: &str, name: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(body).expect("JSON");
    value[name].as_str().unwrap_or_default().to_owned()
}
