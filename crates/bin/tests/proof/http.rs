//! HTTP/1.1 as bytes over a socket: small, strict about answers, and able to send nonsense.

use std::io::{self, BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(40);

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A text of the body's object.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        self.json()
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
    }
}

/// One connection, kept and opened again as needed. An error means: nobody knows what was done.
pub(crate) struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
        }
    }

    pub(crate) fn send(&mut self, request: &[u8]) -> io::Result<Answer> {
        let answer = self.exchange(request);
        if !matches!(&answer, Ok(answer) if answer.header("connection") != Some("close")) {
            self.stream = None;
        }
        answer
    }

    fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(BufReader::new(connect(self.address)?)),
        };
        stream.get_mut().write_all(request)?;
        answer(stream)?.ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }
}

pub(crate) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A request as its bytes.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: keyward\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

/// Sends bytes, says that no more come, and reads every answer until the server closes.
pub(crate) fn pour(address: SocketAddr, bytes: &[u8]) -> io::Result<Vec<Answer>> {
    let mut stream = connect(address)?;
    // The server may have answered and closed before it read everything.
    let sent = stream.write_all(bytes);
    if sent.is_ok() {
        // Fails only when the server has closed already.
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut reader = BufReader::new(stream);
    let mut answers = Vec::new();
    loop {
        match answer(&mut reader) {
            Ok(Some(answer)) => answers.push(answer),
            Ok(None) => return Ok(answers),
            // The system may drop what was on its way when a socket is closed with bytes unread.
            // The answer to HEAD names a length and has no body.
            Err(error) if is_end(&error) => return Ok(answers),
            Err(error) => return Err(error),
        }
    }
}

fn is_end(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
            | ErrorKind::ConnectionAborted
            | ErrorKind::UnexpectedEof
    )
}

/// The next answer; `None` when the server closed instead. Anything that is no HTTP is an error.
pub(crate) fn answer(reader: &mut impl BufRead) -> io::Result<Option<Answer>> {
    let Some(line) = line(reader)? else {
        return Ok(None);
    };
    let mut parts = line.splitn(3, ' ');
    let version = parts.next().unwrap_or_default();
    let status = parts.next().and_then(|text| text.parse::<u16>().ok());
    let Some(status) = status.filter(|_| version.starts_with("HTTP/1.")) else {
        return Err(broken(&line));
    };
    let mut headers = Vec::new();
    loop {
        let line = self::line(reader)?.ok_or(ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken(&line))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut answer = Answer {
        status,
        headers,
        body: Vec::new(),
    };
    if status >= 200 && status != 204 && status != 304 {
        answer.body = body(reader, &answer)?;
    }
    Ok(Some(answer))
}

fn body(reader: &mut impl BufRead, head: &Answer) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if let Some(length) = head.header("content-length") {
        let length: usize = length.parse().map_err(|_| broken(length))?;
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
    } else if head.header("transfer-encoding").is_some() {
        loop {
            let size = line(reader)?.ok_or(ErrorKind::UnexpectedEof)?;
            let size = usize::from_str_radix(&size, 16).map_err(|_| broken(&size))?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk)?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    } else {
        reader.read_to_end(&mut body)?;
    }
    Ok(body)
}

/// A line without its CR LF; `None` at the end.
fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if reader
        .by_ref()
        .take(64 * 1024)
        .read_until(b'\n', &mut bytes)?
        == 0
    {
        return Ok(None);
    }
    let text = String::from_utf8(bytes).map_err(|_| broken("no UTF-8"))?;
    let text = text.strip_suffix("\r\n").ok_or_else(|| broken(&text))?;
    Ok(Some(text.to_owned()))
}

fn broken(what: &str) -> Error {
    Error::new(
        ErrorKind::InvalidData,
        format!("this is no HTTP: {what:.80}"),
    )
}
