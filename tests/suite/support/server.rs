//! A server on this machine whose answers are scripted, and the two downloads from it.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use petal::models::{Hub, hub::Fetched};
use petal::net::download::Download;
use petal::{Result, Unheard, Work, files};
use tempfile::TempDir;

use super::some_bytes;

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
    /// An error, at once, and after how many seconds to ask again.
    Busy(&'static str, u32),
    /// The first bytes of what was asked for, then nothing, for as long as the server lives.
    Hang(usize),
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
    /// What `config.json` holds: a small file, which the hub keeps in git and gives by itself.
    pub(crate) small: Vec<u8>,
    /// Replaces the answer outside of the storage.
    pub(crate) head: Option<String>,
    /// Each request's first line, then its `range` and `authorization` headers.
    pub(crate) log: Vec<String>,
    /// Connections that hang.
    held: Vec<TcpStream>,
}

impl Server {
    pub(crate) fn new(content: &[u8], answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = answers.into_iter().collect();
        let state = Arc::new(Mutex::new(State {
            content: content.into(),
            answers,
            small: vec![],
            head: None,
            log: vec![],
            held: vec![],
        }));
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

    /// The hash of its content.
    fn sha256(&self) -> String {
        files::sha256(&self.state.lock().unwrap().content)
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
        if first.contains("/config.json") {
            // Git's name of the file: any will do.
            let headers = format!("x-repo-commit: {COMMIT}\r\netag: \"{}\"\r\n", &files::sha256(&state.small)[..40]);
            let body = if first.starts_with("HEAD") { 0 } else { state.small.len() };
            return send("200 OK", &headers, &state.small, body);
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
        Some(Answer::Busy(status, seconds)) => send(status, &format!("retry-after: {seconds}\r\n"), b"", 0),
        Some(Answer::Hang(bytes)) => {
            send(status, range, &whole[start..], bytes)?;
            state.held.push(stream.try_clone()?);
            Ok(())
        }
    }
}

/// The two downloads: the archive of a data set, and weights from the hub. Both end in the server's folder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Door {
    Store,
    Hub,
}

impl Door {
    pub(crate) const BOTH: [Self; 2] = [Self::Store, Self::Hub];

    /// Downloads what the server has, or finds it there.
    pub(crate) fn fetch(self, server: &Server) -> Result<Vec<u8>> {
        self.fetch_from(server.port, server.folder.path(), &server.sha256())
    }

    /// The same for a server of another process, whose content has this hash.
    pub(crate) fn fetch_from(self, port: u16, folder: &Path, sha256: &str) -> Result<Vec<u8>> {
        let endpoint = format!("http://127.0.0.1:{port}");
        if self == Self::Hub {
            return fetch(&hub(endpoint, folder), folder).map(|fetched| fetched.bytes);
        }
        let (url, path) = (format!("{endpoint}/storage"), self.file(folder, sha256));
        let bytes = Some(some_bytes().len() as u64);
        let wanted = Download { url: &url, sha256, bytes, token: None, by_hand: "fetch it by hand".into() };
        let mut last = 0;
        let result = wanted.to(&path, &mut |work: &Work| {
            assert!(work.total == 0 || work.done <= work.total);
            last = work.done;
            ControlFlow::Continue(())
        });
        // What has its name is whole, and only that.
        assert_eq!(path.exists(), result.is_ok());
        assert!(result.is_err() || last == 0 || last == fs::metadata(&path).unwrap().len());
        result.map(|()| fs::read(&path).unwrap())
    }

    /// Where what is downloaded ends.
    pub(crate) fn file(self, folder: &Path, sha256: &str) -> PathBuf {
        match self {
            Self::Store => folder.join("raw/photos.tgz"),
            Self::Hub => folder.join("hub/models--owner--name/blobs").join(sha256),
        }
    }

    /// What has come so far, or came in its place: `part`, `bad`, `lock`.
    pub(crate) fn beside(self, server: &Server, ending: &str) -> PathBuf {
        self.file(server.folder.path(), &server.sha256()).with_added_extension(ending)
    }
}

/// A hub at this address, with its cache below the folder.
pub(crate) fn hub(endpoint: String, folder: &Path) -> Hub {
    Hub { endpoint, cache: folder.join("hub"), token: None, offline: false }
}

/// A file of the hub's one repository.
pub(crate) fn fetch(hub: &Hub, folder: &Path) -> Result<Fetched> {
    hub.fetch("owner/name", "main", "model.safetensors", &folder.join("records"), &mut Unheard)
}
