//! Files into a repository on the hub, all of them in one commit.
//!
//! The hub's HTTP interface, as its Python client speaks it (huggingface_hub 1.x, `_commit_api.py` and `lfs.py`): which files are large, the hub says; those
//! go to its storage by git LFS's batch interface, each under its SHA-256; then one commit names all of them. So a repository has all files or none.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::StatusCode;

use super::Hub;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;
use crate::base::work::{Progress, Unit, Work};
use crate::net::client::client;

/// Bytes of a file's beginning that the hub looks at to decide how it is kept.
const SAMPLE: usize = 512;

/// Most bytes of an answer.
const ANSWER: u64 = 16 << 20;

/// A file that goes into a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its name there.
    pub name: String,
    /// Where it is here.
    pub path: PathBuf,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The commit's address, for a browser.
    pub url: String,
    /// The commit.
    pub commit: String,
    /// Bytes that were sent; what the hub had already is not sent again.
    pub sent: u64,
}

/// Puts files into a repository of models, in one commit. A repository that is not there is made, a private one where that is asked for; one that is there stays as
/// public as it is.
///
/// # Errors
/// [`ErrorKind::Offline`] where going online was ruled out; [`ErrorKind::Config`] without a token; [`ErrorKind::Network`] for a hub that refuses, or cannot be
/// reached: nothing is changed there then; [`ErrorKind::Interrupted`] if `progress` ends it.
pub fn push(
    hub: &Hub,
    repository: &str,
    uploads: &[Upload],
    summary: &str,
    is_private: bool,
    progress: &mut dyn Progress,
) -> Result<Pushed> {
    if hub.offline {
        return Err(Error::new(ErrorKind::Offline, "going online was ruled out")
            .mend("unset HF_HUB_OFFLINE and PETAL_OFFLINE, or carry the folder to where there is a network"));
    }
    let token = hub.token.as_deref().ok_or_else(|| {
        Error::new(ErrorKind::Config, "the hub takes files from those it knows alone, and there is no token")
            .mend("make one with the right to write (the hub's settings, Access Tokens), and set HF_TOKEN to it")
    })?;
    let files = uploads.iter().map(File::read).collect::<Result<Vec<_>>>()?;
    let endpoint = hub.endpoint.trim_end_matches('/');
    let asked = Asked { endpoint, repository, token, agent: client(endpoint) };
    asked.make(is_private)?;
    let is_large = asked.are_large(&files)?;
    let (large, small): (Vec<_>, Vec<_>) = files.iter().zip(is_large).partition(|(_, is_large)| *is_large);
    let [large, small] = [large, small].map(|part| part.into_iter().map(|(file, _)| file).collect::<Vec<_>>());
    let total = large.iter().map(|file| file.bytes.len() as u64).sum();
    let mut work = Work::new("uploading", Unit::Bytes, total);
    work.at(0, progress)?;
    let sent = asked.store(&large, &mut |done| work.at(done, progress))?;
    work.end(progress)?;
    let (url, commit) = asked.commit(summary, &small, &large)?;
    let sent = sent + small.iter().map(|file| file.bytes.len() as u64).sum::<u64>();
    Ok(Pushed { url, commit, sent })
}

/// A file, read.
struct File<'a> {
    name: &'a str,
    bytes: Vec<u8>,
    sha256: String,
}

impl<'a> File<'a> {
    fn read(upload: &'a Upload) -> Result<Self> {
        let bytes = files::read(&upload.path)?;
        let sha256 = files::sha256(&bytes);
        Ok(Self { name: &upload.name, bytes, sha256 })
    }
}

/// What is asked of the hub.
struct Asked<'a> {
    endpoint: &'a str,
    repository: &'a str,
    token: &'a str,
    agent: Agent,
}

/// What the storage is to be told of a large file.
#[derive(Deserialize)]
struct Stored {
    oid: String,
    #[serde(default)]
    actions: Option<Actions>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Actions {
    #[serde(default)]
    upload: Option<Action>,
    #[serde(default)]
    verify: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    href: String,
    #[serde(default)]
    header: std::collections::BTreeMap<String, String>,
}

impl Asked<'_> {
    /// Makes the repository where there is none.
    fn make(&self, is_private: bool) -> Result<()> {
        let (owner, name) = self.repository.split_once('/').unwrap_or(("", self.repository));
        let body = json!({ "type": "model", "name": name, "organization": owner, "private": is_private });
        let (status, answer) = self.post(&format!("{}/api/repos/create", self.endpoint), JSON, &body.to_string())?;
        // Somebody has made it before: this person, or the commit will be refused.
        if status.is_success() || status == StatusCode::CONFLICT {
            return Ok(());
        }
        Err(self.refused("make the repository", status, &answer))
    }

    /// Which files the hub keeps in its storage, and not in git itself.
    fn are_large(&self, files: &[File]) -> Result<Vec<bool>> {
        let one = |file: &File| {
            let sample = BASE64.encode(&file.bytes[..file.bytes.len().min(SAMPLE)]);
            json!({ "path": file.name, "sample": sample, "size": file.bytes.len() })
        };
        let body = json!({ "files": files.iter().map(one).collect::<Vec<_>>() });
        let url = format!("{}/api/models/{}/preupload/main", self.endpoint, self.repository);
        let answer = self.answered("say which files are large", &url, JSON, &body.to_string())?;
        let mode = |file: &File| {
            let all = answer["files"].as_array()?;
            let own = all.iter().find(|one| one["path"] == file.name)?;
            match own["uploadMode"].as_str()? {
                "lfs" => Some(true),
                "regular" => Some(false),
                _ => None,
            }
        };
        let modes: Option<Vec<bool>> = files.iter().map(mode).collect();
        modes.ok_or_else(|| self.strange("which files are large", &answer))
    }

    /// Sends large files to the storage, each unless it is there; gives the bytes that were sent. `tell` hears how many so far.
    fn store(&self, files: &[&File], tell: &mut dyn FnMut(u64) -> Result<()>) -> Result<u64> {
        if files.is_empty() {
            return Ok(0);
        }
        let objects: Vec<Value> =
            files.iter().map(|file| json!({ "oid": file.sha256, "size": file.bytes.len() })).collect();
        let body = json!({
            "operation": "upload",
            "transfers": ["basic"],
            "hash_algo": "sha256",
            "ref": { "name": "main" },
            "objects": objects,
        });
        let url = format!("{}/{}.git/info/lfs/objects/batch", self.endpoint, self.repository);
        let answer = self.answered("take large files", &url, LFS, &body.to_string())?;
        let found: Vec<Stored> = serde_json::from_value(answer["objects"].clone())
            .map_err(|_| self.strange("where large files go", &answer))?;
        let (mut sent, mut done) = (0, 0);
        for file in files {
            let own = found.iter().find(|one| one.oid == file.sha256);
            let own = own.ok_or_else(|| self.strange(&format!("where {} goes", file.name), &answer))?;
            if let Some(error) = &own.error {
                return Err(self.network(&format!("does not take {}: {error}", file.name)));
            }
            if let Some(Actions { upload: Some(upload), verify }) = &own.actions {
                self.send(file, upload, verify.as_ref())?;
                sent += file.bytes.len() as u64;
            }
            done += file.bytes.len() as u64;
            tell(done)?;
        }
        Ok(sent)
    }

    fn send(&self, file: &File, upload: &Action, verify: Option<&Action>) -> Result<()> {
        // The storage is another host, and its address is all that it asks for: the token stays here.
        let mut request = client(&upload.href).put(&upload.href);
        for (name, value) in &upload.header {
            request = request.header(name, value);
        }
        let mut response = request
            .send(&file.bytes[..])
            .map_err(|cause| self.network(&format!("lost {} on its way: {cause}", file.name)))?;
        if !response.status().is_success() {
            let (status, answer) = (response.status(), text(&mut response));
            return Err(self.refused(&format!("store {}", file.name), status, &answer));
        }
        if let Some(verify) = verify {
            let body = json!({ "oid": file.sha256, "size": file.bytes.len() });
            self.answered(&format!("find {} whole", file.name), &verify.href, LFS, &body.to_string())?;
        }
        Ok(())
    }

    /// One commit with all files; gives its address and its name.
    fn commit(&self, summary: &str, small: &[&File], large: &[&File]) -> Result<(String, String)> {
        let mut lines = vec![json!({ "key": "header", "value": { "summary": summary, "description": "" } })];
        lines.extend(small.iter().map(|file| {
            let content = BASE64.encode(&file.bytes);
            json!({ "key": "file", "value": { "path": file.name, "encoding": "base64", "content": content } })
        }));
        lines.extend(large.iter().map(|file| {
            let (oid, size) = (&file.sha256, file.bytes.len());
            json!({ "key": "lfsFile", "value": { "path": file.name, "algo": "sha256", "oid": oid, "size": size } })
        }));
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let url = format!("{}/api/models/{}/commit/main", self.endpoint, self.repository);
        let answer = self.answered("commit", &url, "application/x-ndjson", &body)?;
        let of = |key: &str| answer[key].as_str().map(str::to_owned);
        of("commitUrl").zip(of("commitOid")).ok_or_else(|| self.strange("what was committed", &answer))
    }

    /// The answer as JSON, where it is one of success; nothing where success says nothing.
    fn answered(&self, what: &str, url: &str, kind: &str, body: &str) -> Result<Value> {
        let (status, answer) = self.post(url, kind, body)?;
        if !status.is_success() {
            return Err(self.refused(what, status, &answer));
        }
        if answer.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&answer).map_err(|_| self.network(&format!("did not answer in JSON when asked to {what}")))
    }

    fn post(&self, url: &str, kind: &str, body: &str) -> Result<(StatusCode, String)> {
        // The token goes to the hub's own host, whatever an answer says.
        if !url.starts_with(&format!("{}/", self.endpoint)) {
            return Err(self.network(&format!("points to another host: {url}")));
        }
        let request = self.agent.post(url).header("authorization", format!("Bearer {}", self.token));
        let request = request.header("content-type", kind).header("accept", kind.replace("x-ndjson", "json"));
        let mut response = request.send(body).map_err(|cause| self.network(&format!("cannot be reached: {cause}")))?;
        Ok((response.status(), text(&mut response)))
    }

    fn refused(&self, what: &str, status: StatusCode, answer: &str) -> Error {
        let why: Option<Value> = serde_json::from_str(answer).ok();
        let why = why.and_then(|why| why["error"].as_str().map(|why| format!(": {why}"))).unwrap_or_default();
        let error = self.network(&format!("would not {what}: {status}{why}"));
        match status.as_u16() {
            401 | 403 => error.mend("set HF_TOKEN to a token with the right to write to this repository"),
            404 => error.mend("check the owner's and the repository's name"),
            _ => error.mend("run this again later; nothing was changed in the repository"),
        }
    }

    fn strange(&self, what: &str, answer: &Value) -> Error {
        let said: String = answer.to_string().chars().take(200).collect();
        self.network(&format!("did not say {what}: {said}"))
    }

    fn network(&self, what: &str) -> Error {
        Error::new(ErrorKind::Network, format!("{} {what}", self.endpoint))
    }
}

const JSON: &str = "application/json";
const LFS: &str = "application/vnd.git-lfs+json";

/// What an answer says; nothing where it cannot be read.
fn text(response: &mut ureq::http::Response<ureq::Body>) -> String {
    response.body_mut().with_config().limit(ANSWER).read_to_string().unwrap_or_default()
}
