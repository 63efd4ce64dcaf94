//! One file from the hub into its cache.
//!
//! The transfer is ours: hf-hub 0.5 compares no hash, sets no time limit, appends whatever a server answers to a file that
//! it goes on with, and hands the token to the storage's host.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use hf_hub::CacheRepo;
use ureq::config::RedirectAuthHeaders;
use ureq::http::{Response, StatusCode};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::hub::{Hub, is_sha256};
use super::weights;
use crate::error::{Error, ErrorKind, Result};
use crate::files;

/// A file that is wanted.
pub(super) struct Request<'a> {
    pub(super) hub: &'a Hub,
    /// Where it is on the hub.
    pub(super) url: String,
    /// Its repository's folder in the cache.
    pub(super) folder: String,
}

impl Request<'_> {
    /// Downloads it into the cache, and gives its place there.
    pub(super) fn download(&self, cache: &CacheRepo, file: &str) -> Result<PathBuf> {
        let agent = self.agent();
        let Description { commit, sha256 } = with_retries(|| self.describe(&agent))?;
        let blob = cache.blob_path(&sha256);
        // The names that hf-hub uses, so that two clients keep out of each other's way.
        let _lock = files::Lock::take(&blob.with_extension("lock"))?;
        let part = blob.with_extension("part");
        // Another process may have finished it while this one asked.
        if !blob.exists() {
            self.transfer(&agent, &part, &sha256)?;
            fs::rename(&part, &blob).map_err(|cause| Error::io("rename", &part, &cause))?;
        }
        let pointer = cache.pointer_path(&commit).join(file);
        link(&blob, &pointer).map_err(|cause| Error::io("create", &pointer, &cause))?;
        cache.create_ref(&commit).map_err(|cause| Error::io("write the revision of", &pointer, &cause))?;
        Ok(pointer)
    }

    /// Asks for the headers alone. Redirects within the host are followed; the one to the storage says what we want.
    fn describe(&self, agent: &Agent) -> Tried<Description> {
        let mut url = self.url.clone();
        for _ in 0..5 {
            let request = agent.head(&url).config().max_redirects(0).max_redirects_will_error(false).build();
            let response = self.authorized(request).call().map_err(|cause| self.unreachable(&cause))?;
            let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
            match (response.status(), text("location")) {
                (status, Some(to)) if status.is_redirection() && to.starts_with('/') && !to.starts_with("//") => {
                    let host = self.hub.endpoint.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
                    url = format!("{host}{to}");
                }
                (status, _) if status.is_redirection() || status.is_success() => {
                    let etag = text("x-linked-etag").or_else(|| text("etag")).unwrap_or_default();
                    let sha256 = etag.trim_start_matches("W/").trim_matches('"').to_owned();
                    let commit = text("x-repo-commit").unwrap_or_default().to_owned();
                    // Both become names of files.
                    if !is_sha256(&sha256) || commit.is_empty() || !commit.bytes().all(|b| b.is_ascii_alphanumeric()) {
                        return Err(
                            self.fatal("the answer is not the hub's: it gives no commit and SHA-256; a proxy's page?")
                        );
                    }
                    return Ok(Description { commit, sha256 });
                }
                _ => return Err(self.refused(&response)),
            }
        }
        Err(self.fatal("redirected in circles"))
    }

    /// Fills `part` until its hash is the right one. What an earlier client left there may be wrong: one clean try more.
    fn transfer(&self, agent: &Agent, part: &Path, sha256: &str) -> Result<()> {
        let mut got = String::new();
        for _ in 0..2 {
            with_retries(|| self.receive(agent, part))?;
            got = files::sha256_file(part)?;
            if got == sha256 {
                return Ok(());
            }
            let html = files::read(part).is_ok_and(|bytes| bytes.trim_ascii_start().starts_with(b"<"));
            if html {
                got.push_str(" (it looks like HTML: a proxy's page?)");
            }
            remove(part)?;
        }
        Err(Error::new(
            ErrorKind::Checksum,
            format!("{} gave other bytes: expected SHA-256 {sha256}, got {got}", self.url),
        )
        .mend(self.by_hand()))
    }

    /// One request for all that is still missing.
    fn receive(&self, agent: &Agent, part: &Path) -> Tried<()> {
        let on_disk = |cause: io::Error| Failure::from(Error::io("write", part, &cause));
        let mut file = File::options().create(true).append(true).open(part).map_err(on_disk)?;
        let start = file.metadata().map_err(on_disk)?.len();
        let mut request = self.authorized(agent.get(&self.url));
        if start > 0 {
            request = request.header("range", format!("bytes={start}-"));
        }
        let response = request.call().map_err(|cause| self.unreachable(&cause))?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if resumes_at(&response, start) => {}
            // The whole file, whatever was asked for.
            StatusCode::OK => file.set_len(0).map_err(on_disk)?,
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                file.set_len(0).map_err(on_disk)?;
                return Err(Failure { again: true, ..self.fatal("the server cannot go on from what is there") });
            }
            _ => return Err(self.refused(&response)),
        }
        let mut body = response.into_body().into_with_config().limit(weights::LIMIT).reader();
        let mut buffer = vec![0; 1 << 18];
        loop {
            match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => file.write_all(&buffer[..n]).map_err(on_disk)?,
                Err(cause) => return Err(self.lost(&cause)),
            }
        }
        file.sync_all().map_err(on_disk)
    }

    fn agent(&self) -> Agent {
        let config = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .https_only(self.hub.endpoint.starts_with("https://"))
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .http_status_as_error(false)
            .accept_encoding("identity")
            .user_agent(concat!("petal/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(Duration::from_secs(20)))
            .timeout_per_read(Some(Duration::from_secs(60)));
        config.build().into()
    }

    fn authorized<T>(&self, request: ureq::RequestBuilder<T>) -> ureq::RequestBuilder<T> {
        match &self.hub.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn unreachable(&self, cause: &ureq::Error) -> Failure {
        let again = matches!(
            cause,
            ureq::Error::Io(_)
                | ureq::Error::Timeout(_)
                | ureq::Error::HostNotFound
                | ureq::Error::ConnectionFailed
                | ureq::Error::Protocol(_)
        );
        Failure { again, ..self.fatal(&format!("cannot be reached: {cause}")) }
    }

    fn lost(&self, cause: &io::Error) -> Failure {
        let what = format!("{} lost the connection: {cause}", self.url);
        let mend = format!("run this again: it goes on where it ended; or {}", self.by_hand());
        Failure { again: true, ..Error::new(ErrorKind::Network, what).mend(mend).into() }
    }

    fn refused(&self, response: &Response<Body>) -> Failure {
        let status = response.status();
        let failure = self.fatal(&format!("answered {status}"));
        match status.as_u16() {
            401 | 403 => {
                let mend = match self.hub.token {
                    Some(_) => "the token is wrong or has no right to this repository: set another one as HF_TOKEN",
                    None => "it is private, gated or does not exist: set HF_TOKEN to a token with the right to read it",
                };
                Failure { error: failure.error.mend(mend), ..failure }
            }
            408 | 429 | 500.. => {
                let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
                Failure { again: true, wait: wait.map(Duration::from_secs), ..failure }
            }
            _ => failure,
        }
    }

    fn fatal(&self, what: &str) -> Failure {
        Error::new(ErrorKind::Network, format!("{} {what}", self.url)).mend(self.by_hand()).into()
    }

    /// How to do without a network.
    pub(super) fn by_hand(&self) -> String {
        format!(
            "download {} elsewhere and give the file with `--weights PATH`, or copy the folder {} from another machine's \
             cache into {}",
            self.url,
            self.folder,
            self.hub.cache.display()
        )
    }
}

/// What the hub says of a file.
struct Description {
    commit: String,
    sha256: String,
}

type Tried<T> = std::result::Result<T, Failure>;

/// A try that failed, and whether another one can help.
struct Failure {
    error: Error,
    again: bool,
    /// How long the server asked to wait.
    wait: Option<Duration>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, again: false, wait: None }
    }
}

/// Up to five tries, 0.2 to 1.6 seconds apart, or as long as the server asks for, up to 30 seconds.
fn with_retries<T>(mut attempt: impl FnMut() -> Tried<T>) -> Result<T> {
    let mut pause = Duration::from_millis(200);
    for _ in 0..4 {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(failure) if failure.again => sleep(failure.wait.unwrap_or(pause).min(Duration::from_secs(30))),
            Err(failure) => return Err(failure.error),
        }
        pause *= 2;
    }
    attempt().map_err(|failure| failure.error)
}

fn resumes_at(response: &Response<Body>, start: u64) -> bool {
    let range = response.headers().get("content-range").and_then(|value| value.to_str().ok()).unwrap_or_default();
    range.strip_prefix("bytes ").and_then(|range| range.split('-').next()) == Some(start.to_string().as_str())
}

/// Points from a snapshot to the content, as all clients of the hub do; a copy where links are not allowed.
fn link(blob: &Path, pointer: &Path) -> io::Result<()> {
    if let Some(folder) = pointer.parent() {
        fs::create_dir_all(folder)?;
    }
    // A link to content that was deleted may still be here.
    match fs::remove_file(pointer) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        _ => {}
    }
    #[cfg(unix)]
    {
        let content = Path::new("../../blobs").join(blob.file_name().unwrap_or_default());
        std::os::unix::fs::symlink(content, pointer)
    }
    #[cfg(not(unix))]
    fs::copy(blob, pointer).map(drop)
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|cause| Error::io("remove", path, &cause))
}
