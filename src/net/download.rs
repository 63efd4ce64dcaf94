//! One file from a server, whole or not at all.
//!
//! It goes on where an earlier try ended, tries again where that can help, and checks the bytes before the file gets its
//! name. Together with `models/hub`, which finds files on the hub, it is all of petal that touches the network.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::client::client;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;
use crate::base::project::Machine;
use crate::base::work::{Progress, Unit, Work};

/// A file that is wanted.
#[derive(Clone, Debug)]
pub struct Download<'a> {
    /// Where it is.
    pub url: &'a str,
    /// Its hash, in lower-case hex.
    pub sha256: &'a str,
    /// Its size, where it is known: so much room must be free, and no more is taken.
    pub bytes: Option<u64>,
    /// Sent to the server, and to no other host that it may point to.
    pub token: Option<&'a str>,
    /// How to do without a network, for the error's last line.
    pub by_hand: String,
}

/// Most bytes of a file whose size is not known.
const LIMIT: u64 = 16 << 30;

impl Download<'_> {
    /// Fills `path`, unless it is there already. What has come so far is in `<path>.part`; other bytes than the wanted ones are
    /// kept as `<path>.bad`, to look at. A stop leaves what has come, and the next call goes on from there.
    ///
    /// # Errors
    /// [`ErrorKind::Network`] for a server that cannot be reached or does not have it; [`ErrorKind::Checksum`] for other bytes;
    /// [`ErrorKind::DiskFull`] where they have no room; [`ErrorKind::Locked`] while another process downloads it;
    /// [`ErrorKind::Interrupted`] if `progress` ends it.
    pub fn to(&self, path: &Path, progress: &mut dyn Progress) -> Result<()> {
        let _lock = files::Lock::take(&beside(path, "lock"))?;
        // Another process may have finished it meanwhile.
        if path.exists() {
            return Ok(());
        }
        let (part, bad) = (beside(path, "part"), beside(path, "bad"));
        let renamed = |to: &Path| fs::rename(&part, to).map_err(|cause| Error::io("rename", &part, &cause));
        let named = || {
            renamed(path)?;
            // Of an earlier try. Where it cannot be removed, it is no harm.
            let _ = fs::remove_file(&bad);
            Ok(())
        };
        // An earlier try may have ended between the last byte and the name.
        if part.exists() && files::sha256_file(&part)? == self.sha256 {
            return named();
        }
        self.check_room(path, &part)?;
        let agent = client(self.url);
        let mut got = String::new();
        // What an earlier try left may be wrong: one clean try more.
        for _ in 0..2 {
            with_retries(|| self.receive(&agent, &part, progress))?;
            got = files::sha256_file(&part)?;
            if got == self.sha256 {
                return named();
            }
            if looks_like_html(&part) {
                got.push_str(" (it looks like HTML: a proxy's page?)");
            }
            renamed(&bad)?;
        }
        let what = format!("{} gave other bytes: expected SHA-256 {}, got {got}", self.url, self.sha256);
        Err(Error::new(ErrorKind::Checksum, what).at(&bad).mend(format!("run this again later, or {}", self.by_hand)))
    }

    /// Whether what is still missing has room on the disk.
    fn check_room(&self, path: &Path, part: &Path) -> Result<()> {
        let there = fs::metadata(part).map_or(0, |found| found.len());
        let needed = self.bytes.unwrap_or(0).saturating_sub(there);
        let free =
            path.parent().and_then(|folder| folder.canonicalize().ok()).map_or(0, |at| Machine::look(&at).disk_free);
        // 0 where the system does not say.
        if free == 0 || needed <= free {
            return Ok(());
        }
        let what = format!("{} needs {needed} bytes; {free} are free on this disk", self.url);
        Err(Error::new(ErrorKind::DiskFull, what).at(path).mend("free some space and run this again"))
    }

    /// One request for all that is still missing. Nothing is written before the server gives some of it.
    fn receive(&self, agent: &Agent, part: &Path, progress: &mut dyn Progress) -> Tried<()> {
        let on_disk = |cause: io::Error| Failure::from(Error::io("write", part, &cause));
        let mut done = fs::metadata(part).map_or(0, |found| found.len());
        let mut request = self.authorized(agent.get(self.url));
        if done > 0 {
            request = request.header("range", format!("bytes={done}-"));
        }
        let response = request.call().map_err(|cause| self.unreachable(&cause))?;
        let goes_on = match response.status() {
            StatusCode::PARTIAL_CONTENT if resumes_at(&response, done) => true,
            // The whole file, whatever was asked for.
            StatusCode::OK => false,
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                fs::remove_file(part).map_err(on_disk)?;
                return Err(Failure { again: true, ..self.fatal("cannot go on from what is there") });
            }
            _ => return Err(self.refused(&response)),
        };
        let mut file = File::options().create(true).append(true).open(part).map_err(on_disk)?;
        if !goes_on {
            file.set_len(0).map_err(on_disk)?;
            done = 0;
        }
        let length =
            response.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let total = length.map_or(0, |length| done + length);
        // One byte more than there should be is enough to see that it is another file.
        let most = self.bytes.map_or(LIMIT, |bytes| bytes.saturating_add(1).saturating_sub(done));
        let mut body = response.into_body().into_with_config().limit(LIMIT).reader().take(most);
        let mut buffer = vec![0; 1 << 18];
        let mut work = Work::new("downloading", Unit::Bytes, total);
        loop {
            match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    file.write_all(&buffer[..n]).map_err(on_disk)?;
                    done += n as u64;
                    work.at(done, progress)?;
                }
                Err(cause) => return Err(self.lost(&cause)),
            }
        }
        file.sync_all().map_err(on_disk)
    }

    /// A request with the token, where there is one.
    pub(crate) fn authorized<T>(&self, request: ureq::RequestBuilder<T>) -> ureq::RequestBuilder<T> {
        match self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    pub(crate) fn unreachable(&self, cause: &ureq::Error) -> Failure {
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
        let mend = format!("run this again: it goes on where it ended; or {}", self.by_hand);
        Failure { again: true, ..Error::new(ErrorKind::Network, what).mend(mend).into() }
    }

    pub(crate) fn refused(&self, response: &Response<Body>) -> Failure {
        let status = response.status();
        match status.as_u16() {
            404 | 410 => self.fatal(&format!("answered {status}: there is no such file or revision")),
            408 | 429 | 500.. => {
                let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
                Failure {
                    again: true,
                    wait: wait.map(Duration::from_secs),
                    ..self.fatal(&format!("answered {status}"))
                }
            }
            _ => self.fatal(&format!("answered {status}")),
        }
    }

    pub(crate) fn fatal(&self, what: &str) -> Failure {
        Error::new(ErrorKind::Network, format!("{} {what}", self.url)).mend(self.by_hand.clone()).into()
    }
}

/// `<path>.<ending>`.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

pub(crate) type Tried<T> = std::result::Result<T, Failure>;

/// A try that failed, and whether another one can help.
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) again: bool,
    /// How long the server asked to wait.
    pub(crate) wait: Option<Duration>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, again: false, wait: None }
    }
}

/// Up to five tries, 0.2 to 1.6 seconds apart, or as long as the server asks for, up to 30 seconds.
pub(crate) fn with_retries<T>(mut attempt: impl FnMut() -> Tried<T>) -> Result<T> {
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

fn looks_like_html(path: &Path) -> bool {
    let mut start = [0; 256];
    let read = File::open(path).and_then(|mut file| file.read(&mut start)).unwrap_or(0);
    start[..read].trim_ascii_start().starts_with(b"<")
}

/// Whether the environment rules out going online: `HF_HUB_OFFLINE` or `PETAL_OFFLINE` set to 1, true, yes or on.
pub fn is_offline() -> bool {
    let yes = |value: String| ["1", "true", "yes", "on"].contains(&value.to_lowercase().as_str());
    ["HF_HUB_OFFLINE", "PETAL_OFFLINE"].iter().any(|name| std::env::var(name).is_ok_and(yes))
}
