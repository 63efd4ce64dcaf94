//! What several tests share: a server on this machine whose answers are scripted.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use petal::files;
use tempfile::TempDir;

/// The revision of everything on the server.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// How the storage answers one request for content. Without any, it does what it should.
pub(crate) enum Answer {
    /// The first bytes of what was asked for, then the connection ends.
    Cut(usize),
    /// The same, but nothing says how many bytes there should be.
    Unmeasured(usize),
    /// Everything, whatever range was asked for.
    Whole,
    /// Other bytes, with the status of success.
    Bytes(Vec<u8>),
    /// An error, at once.
    Status(&'static str),
}

/// A server whose path `/storage` holds one file. `HEAD` and `GET` of any other path redirect there, on another host, as the
/// Hugging Face hub does.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) state: Arc<Mutex<State>>,
    /// A folder for the client.
    pub(crate) folder: TempDir,
}

pub(crate) struct State {
    pub(crate) content: Vec<u8>,
    pub(crate) answers: VecDeque<Answer>,
    /// Replaces the answer outside of the storage.
    pub(crate) head: Option<String>,
    /// Each request's first line, then its `range` and `authorization` headers.
    pub(crate) log: Vec<String>,
}

impl Server {
    pub(crate) fn new(content: &[u8], answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = answers.into_iter().collect();
        let state = Arc::new(Mutex::new(State { content: content.into(), answers, head: None, log: vec![] }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that hangs up early is no failure of the server's.
                let _ = answer(&stream.unwrap(), port, &shared);
            }
        });
        Self { port, state, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.state.lock().unwrap().log.clone()
    }

    /// The requests for content that reached the storage.
    pub(crate) fn content_requests(&self) -> Vec<String> {
        self.log().into_iter().filter(|line| line.contains("/storage")).collect()
    }
}

fn answer(mut stream: &TcpStream, port: u16, state: &Mutex<State>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut headers = HashMap::new();
    for line in lines {
        let line = line?.to_lowercase();
        match line.split_once(": ") {
            Some((name, value)) => headers.insert(name.to_owned(), value.to_owned()),
            None => break,
        };
    }
    let mut state = state.lock().unwrap();
    let header = |name: &str| headers.get(name).map(|value| format!(" {name}={value}")).unwrap_or_default();
    state.log.push(format!("{first}{}{}", header("range"), header("authorization")));

    let whole = state.content.clone();
    let mut send = |status: &str, headers: &str, body: &[u8], bytes: usize| {
        write!(stream, "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len())?;
        stream.write_all(&body[..bytes])
    };
    if !first.contains("/storage") {
        if let Some(head) = state.head.clone() {
            return write!(stream, "{head}\r\nconnection: close\r\n\r\n");
        }
        let headers = format!(
            "x-repo-commit: {COMMIT}\r\nx-linked-etag: \"{}\"\r\nx-linked-size: {}\r\nlocation: http://localhost:{port}/storage\r\n",
            files::sha256(&whole),
            whole.len()
        );
        return send("302 Found", &headers, b"", 0);
    }
    let start = headers.get("range").map_or(0, |r| r["bytes=".len()..].trim_end_matches('-').parse::<usize>().unwrap());
    let next = state.answers.pop_front();
    if start >= whole.len() && !matches!(next, Some(Answer::Whole)) {
        return send("416 Range Not Satisfiable", "", b"", 0);
    }
    let range = format!("content-range: bytes {start}-{}/{}\r\n", whole.len() - 1, whole.len());
    let (status, range) = if start > 0 { ("206 Partial Content", range.as_str()) } else { ("200 OK", "") };
    match next {
        None => send(status, range, &whole[start..], whole.len() - start),
        Some(Answer::Cut(bytes)) => send(status, range, &whole[start..], bytes),
        Some(Answer::Unmeasured(bytes)) => {
            write!(stream, "HTTP/1.1 {status}\r\n{range}connection: close\r\n\r\n")?;
            stream.write_all(&whole[start..][..bytes])
        }
        Some(Answer::Whole) => send("200 OK", "", &whole, whole.len()),
        Some(Answer::Bytes(bytes)) => send("200 OK", "", &bytes, bytes.len()),
        Some(Answer::Status(status)) => send(status, "retry-after: 0\r\n", b"", 0),
    }
}

/// 400,000 bytes without a pattern.
pub(crate) fn some_bytes() -> Vec<u8> {
    (0..100_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

/// `fixtures/photos`: small pictures of all kinds.
pub(crate) fn photos() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/photos")
}
