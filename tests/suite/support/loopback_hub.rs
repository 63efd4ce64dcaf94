//! A hub on this machine that keeps what it is given: repositories, large files, commits; as the Hugging Face hub's HTTP interface has them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use petal::files;
use serde_json::{Value, json};

/// The revision of everything.
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

pub(crate) struct LoopbackHub {
    pub(crate) port: u16,
    pub(crate) state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(crate) struct State {
    /// Files of repositories, by `owner/name` and name.
    pub(crate) repositories: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// Which of them are private.
    pub(crate) private: Vec<String>,
    /// Large files by their SHA-256.
    pub(crate) stored: BTreeMap<String, Vec<u8>>,
    /// Each request's method, path and authorization.
    pub(crate) log: Vec<String>,
    /// An answer (status, body) in the place of the one that a path with this in it would get.
    pub(crate) instead: Option<(&'static str, &'static str, &'static str)>,
}

impl LoopbackHub {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that hangs up early is no failure of the hub's.
                let _ = answer(&stream.unwrap(), port, &shared);
            }
        });
        Self { port, state }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How often a path with this in it was asked for.
    pub(crate) fn asked(&self, part: &str) -> usize {
        self.state.lock().unwrap().log.iter().filter(|line| line.contains(part)).count()
    }
}

fn answer(mut stream: &TcpStream, port: u16, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length, mut authorization) = (String::new(), 0, String::new());
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim().to_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(("authorization", value)) => authorization = value.to_owned(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut state = state.lock().unwrap();
    state.log.push(format!("{method} {path} {authorization}"));
    let (status, headers, content) = match state.instead {
        Some((part, status, content)) if path.contains(part) => (status.to_owned(), String::new(), content.into()),
        _ => state.answer(method, path, &body, &format!("http://localhost:{port}")),
    };
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", content.len());
    stream.write_all(head.as_bytes())?;
    if method == "HEAD" { Ok(()) } else { stream.write_all(&content) }
}

type Answer = (String, String, Vec<u8>);

fn ok(content: &Value) -> Answer {
    ("200 OK".into(), String::new(), content.to_string().into())
}

impl State {
    fn answer(&mut self, method: &str, path: &str, body: &[u8], storage: &str) -> Answer {
        let json = || serde_json::from_slice::<Value>(body).unwrap();
        let api = |end: &str| Some(path.strip_prefix("/api/models/")?.strip_suffix(end)?.to_owned());
        if path == "/api/repos/create" {
            let asked = json();
            let [owner, name] = ["organization", "name"].map(|key| asked[key].as_str().unwrap().to_owned());
            let repository = format!("{owner}/{name}");
            if self.repositories.contains_key(&repository) {
                return (
                    "409 Conflict".into(),
                    String::new(),
                    br#"{"error":"You already created this model repo"}"#.into(),
                );
            }
            if asked["private"] == true {
                self.private.push(repository.clone());
            }
            self.repositories.insert(repository, BTreeMap::new());
            return ok(&json!({ "url": "…" }));
        }
        if api("/preupload/main").is_some() {
            let mode = |file: &Value| {
                // The hub goes by size and by what the beginning looks like.
                let large =
                    file["path"].as_str().unwrap().ends_with(".safetensors") || file["size"].as_u64() > Some(100_000);
                assert!(!file["sample"].as_str().unwrap().is_empty());
                json!({ "path": file["path"], "uploadMode": if large { "lfs" } else { "regular" } })
            };
            let files: Vec<Value> = json()["files"].as_array().unwrap().iter().map(mode).collect();
            return ok(&json!({ "files": files }));
        }
        if path.ends_with(".git/info/lfs/objects/batch") {
            let object = |asked: &Value| {
                let oid = asked["oid"].as_str().unwrap();
                let actions = json!({
                    "upload": { "href": format!("{storage}/storage/{oid}"), "header": { "x-kept": "yes" } },
                    "verify": { "href": format!("{}/verify", storage.replace("localhost", "127.0.0.1")) },
                });
                if self.stored.contains_key(oid) {
                    asked.clone()
                } else {
                    json!({ "oid": oid, "size": asked["size"], "actions": actions })
                }
            };
            let objects: Vec<Value> = json()["objects"].as_array().unwrap().iter().map(object).collect();
            return ok(&json!({ "transfer": "basic", "objects": objects }));
        }
        if let Some(oid) = path.strip_prefix("/storage/").filter(|_| method == "PUT") {
            self.stored.insert(oid.into(), body.to_vec());
            return ok(&Value::Null);
        }
        if path == "/verify" {
            let asked = json();
            let kept = &self.stored[asked["oid"].as_str().unwrap()];
            assert_eq!(
                (kept.len() as u64, files::sha256(kept)),
                (asked["size"].as_u64().unwrap(), asked["oid"].as_str().unwrap().into())
            );
            return ("200 OK".into(), String::new(), Vec::new());
        }
        if let Some(repository) = api("/commit/main") {
            let mut all = BTreeMap::new();
            for line in String::from_utf8_lossy(body).lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                let value = &line["value"];
                let name = value["path"].as_str().unwrap_or_default().to_owned();
                match line["key"].as_str().unwrap() {
                    "file" => drop(all.insert(name, BASE64.decode(value["content"].as_str().unwrap()).unwrap())),
                    "lfsFile" => drop(all.insert(name, self.stored[value["oid"].as_str().unwrap()].clone())),
                    _ => assert!(!value["summary"].as_str().unwrap().is_empty()),
                }
            }
            self.repositories.get_mut(&repository).unwrap().extend(all);
            return ok(&json!({ "commitUrl": format!("{repository}/commit/1"), "commitOid": COMMIT }));
        }
        let found = path.trim_start_matches('/').split_once("/resolve/main/");
        match found.and_then(|(repository, name)| self.repositories.get(repository)?.get(name)) {
            None => ("404 Not Found".into(), String::new(), Vec::new()),
            Some(content) => {
                let etag = files::sha256(content);
                let headers = format!("x-repo-commit: {COMMIT}\r\netag: \"{etag}\"\r\n");
                ("200 OK".into(), headers, content.clone())
            }
        }
    }
}
