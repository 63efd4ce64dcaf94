//! One request to the hub: a file into its cache.
//!
//! The transfer is [`net::download`](crate::net::download)'s: hf-hub 0.5 compares no hash, sets no time limit, appends
//! whatever a server answers to a file that it goes on with, and hands the token to the storage's host.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hf_hub::CacheRepo;
use ureq::Agent;
use ureq::http::StatusCode;

use crate::base::error::{Error, Result};
use crate::base::files;
use crate::base::work::Progress;
use crate::net::client::client;
use crate::net::download::{Download, Failure, Tried, with_retries};

/// A file that is wanted.
pub(super) struct Request<'a> {
    /// The hub's address.
    pub(super) endpoint: &'a str,
    /// The token for it.
    pub(super) token: Option<&'a str>,
    /// The folder of the whole cache.
    pub(super) all: &'a Path,
    /// Where it is on the hub.
    pub(super) url: String,
    /// Its repository's folder in the cache.
    pub(super) folder: String,
}

impl Request<'_> {
    /// Downloads it into the cache, and gives its place there.
    pub(super) fn download(&self, cache: &CacheRepo, file: &str, progress: &mut dyn Progress) -> Result<PathBuf> {
        let agent = client(self.endpoint);
        let Description { commit, hash, bytes } = with_retries(|| self.describe(&agent))?;
        // The names that hf-hub uses, so that two clients keep out of each other's way.
        let blob = cache.blob_path(&hash);
        if is_sha256(&hash) {
            self.transfer(&hash, bytes).to(&blob, progress)?;
        } else {
            files::write_bytes(&blob, &with_retries(|| self.small(&agent))?)?;
        }
        let pointer = cache.pointer_path(&commit).join(file);
        link(&blob, &pointer).map_err(|cause| Error::io("create", &pointer, &cause))?;
        cache.create_ref(&commit).map_err(|cause| Error::io("write the revision of", &pointer, &cause))?;
        Ok(pointer)
    }

    fn transfer<'a>(&'a self, sha256: &'a str, bytes: Option<u64>) -> Download<'a> {
        Download { url: &self.url, sha256, bytes, token: self.token, by_hand: self.by_hand() }
    }

    /// The content of a small file, which the hub keeps in git itself: its name there is no SHA-256 that could be compared.
    fn small(&self, agent: &Agent) -> Tried<Vec<u8>> {
        let transfer = self.transfer("", None);
        let request = transfer.authorized(agent.get(&self.url));
        let response = request.call().map_err(|cause| transfer.unreachable(&cause))?;
        if !response.status().is_success() {
            return Err(transfer.refused(&response));
        }
        let mut bytes = Vec::new();
        let read = response.into_body().into_reader().take(SMALL + 1).read_to_end(&mut bytes);
        read.map_err(|cause| Failure { again: true, ..transfer.fatal(&format!("lost the connection: {cause}")) })?;
        if bytes.len() as u64 > SMALL {
            return Err(transfer.fatal(&format!("gave more than {SMALL} bytes for a small file")));
        }
        Ok(bytes)
    }

    /// Asks for the headers alone. Redirects within the host are followed; the one to the storage says what we want.
    fn describe(&self, agent: &Agent) -> Tried<Description> {
        let mut url = self.url.clone();
        let transfer = self.transfer("", None);
        for _ in 0..5 {
            let request = agent.head(&url).config().max_redirects(0).max_redirects_will_error(false).build();
            let response = transfer.authorized(request).call().map_err(|cause| transfer.unreachable(&cause))?;
            let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
            match (response.status(), text("location")) {
                (status, Some(to)) if status.is_redirection() && to.starts_with('/') && !to.starts_with("//") => {
                    let host = self.endpoint.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
                    url = format!("{host}{to}");
                }
                (status, _) if status.is_redirection() || status.is_success() => {
                    let etag = text("x-linked-etag").or_else(|| text("etag")).unwrap_or_default();
                    let hash = etag.trim_start_matches("W/").trim_matches('"').to_owned();
                    let commit = text("x-repo-commit").unwrap_or_default().to_owned();
                    // Both become names of files.
                    if !(is_sha256(&hash) || is_git(&hash))
                        || commit.is_empty()
                        || !commit.bytes().all(|b| b.is_ascii_alphanumeric())
                    {
                        return Err(
                            transfer.fatal("the answer is not the hub's: it gives no commit and hash; a proxy's page?")
                        );
                    }
                    let bytes = text("x-linked-size").and_then(|size| size.parse().ok());
                    return Ok(Description { commit, hash, bytes });
                }
                (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
                    return Err(self.forbidden(transfer.refused(&response)));
                }
                _ => return Err(transfer.refused(&response)),
            }
        }
        Err(transfer.fatal("redirected in circles"))
    }

    /// The hub says so of what does not exist, too.
    fn forbidden(&self, failure: Failure) -> Failure {
        let mend = match self.token {
            Some(_) => "the token is wrong or has no right to this repository: set another one as HF_TOKEN",
            None => "it is private, gated or does not exist: set HF_TOKEN to a token with the right to read it",
        };
        Failure { error: failure.error.mend(mend), ..failure }
    }

    /// How to do without a network.
    pub(super) fn by_hand(&self) -> String {
        format!(
            "download {} elsewhere and give the file with `--weights PATH`, or copy the folder {} from another machine's \
             cache into {}; or train what needs no download: `--backbone efficientnet-lite0 --weights embedded`",
            self.url,
            self.folder,
            self.all.display()
        )
    }
}

/// What the hub says of a file.
struct Description {
    commit: String,
    /// SHA-256, or git's SHA-1 of a small file.
    hash: String,
    bytes: Option<u64>,
}

/// Most bytes of a file that is kept in git itself.
const SMALL: u64 = 4 << 20;

/// Whether this is a SHA-256 in lower-case hex.
pub(super) fn is_sha256(text: &str) -> bool {
    is_hex(text, 64)
}

/// Whether this is git's name of a file.
fn is_git(text: &str) -> bool {
    is_hex(text, 40)
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
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
