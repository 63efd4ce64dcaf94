//! Files from the Hugging Face hub, checked against its SHA-256 at the download and at every use.
//!
//! The cache is the one that the hub's own clients use, laid out by hf-hub.

pub mod push;
mod request;
mod timm;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use hf_hub::{Cache, Repo, RepoType};

use self::request::{Request, is_sha256};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;
use crate::base::work::Progress;
use crate::nn::codec;

pub use timm::Described;

/// How to reach the hub.
#[derive(Clone)]
pub struct Hub {
    /// The address. Default `https://huggingface.co`.
    pub endpoint: String,
    /// The folder that all clients of the hub on this machine share. Default `~/.cache/huggingface/hub`.
    pub cache: PathBuf,
    /// An access token, for repositories that are not public. It is sent to the endpoint's host alone.
    pub token: Option<String>,
    /// Never go online: what is not in the cache is an error.
    pub offline: bool,
}

/// A file that was found in the cache, or downloaded.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Its content, whose hash was checked.
    pub bytes: Vec<u8>,
    /// Where it is in the cache.
    pub path: PathBuf,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
    /// Whether it was there already and no request was made.
    pub from_cache: bool,
}

impl Hub {
    /// The settings that the hub's other clients read: `HF_ENDPOINT`, `HF_HUB_CACHE`, `HF_HOME`, `HF_TOKEN` (or the file
    /// `token` that a login leaves), and `HF_HUB_OFFLINE=1`; `PETAL_OFFLINE=1` is the same.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if none of them, nor a home folder, says where the cache is.
    pub fn from_env() -> Result<Self> {
        Self::from_vars(|name| env::var(name).ok().filter(|value| !value.is_empty()), env::home_dir())
    }

    fn from_vars(var: impl Fn(&str) -> Option<String>, user: Option<PathBuf>) -> Result<Self> {
        let home = var("HF_HOME")
            .map(PathBuf::from)
            .or_else(|| var("XDG_CACHE_HOME").map(|cache| Path::new(&cache).join("huggingface")))
            .or_else(|| user.map(|user| user.join(".cache/huggingface")));
        let cache = var("HF_HUB_CACHE").map(PathBuf::from).or_else(|| Some(home.as_ref()?.join("hub")));
        let no_home = || {
            Error::new(ErrorKind::Config, "nothing says where downloaded weights are kept")
                .mend("set HF_HOME to a folder")
        };
        let stored = || fs::read_to_string(home.as_ref()?.join("token")).ok();
        let yes = |name| var(name).is_some_and(|v| ["1", "true", "yes", "on"].contains(&v.to_lowercase().as_str()));
        Ok(Self {
            endpoint: var("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into()),
            cache: cache.ok_or_else(no_home)?,
            token: var("HF_TOKEN").or_else(stored).map(|token| token.trim().to_owned()).filter(|t| !t.is_empty()),
            offline: yes("HF_HUB_OFFLINE") || yes("PETAL_OFFLINE"),
        })
    }

    /// A file of a repository: from the cache if it is there, without any request; else downloaded, where it goes on from
    /// what an earlier try left.
    ///
    /// The hash is the hub's own, which names the file in the cache; it is remembered in the folder `records` as well, and
    /// the file is read and hashed again each time. (Where a cache has a copy in place of a link, and there is no record
    /// yet, the first hash is the one that is remembered.)
    ///
    /// # Errors
    /// [`ErrorKind::Offline`] if it is not in the cache and going online was ruled out; [`ErrorKind::Network`] for a hub
    /// that cannot be reached, does not have the file or wants a token; [`ErrorKind::Checksum`] for other bytes than the
    /// hub's; [`ErrorKind::Locked`] while another process downloads the file;
    /// [`ErrorKind::Interrupted`] if `progress` ends the download.
    pub fn fetch(
        &self,
        repository: &str,
        revision: &str,
        file: &str,
        records: &Path,
        progress: &mut dyn Progress,
    ) -> Result<Fetched> {
        let repo = Repo::with_revision(repository.into(), RepoType::Model, revision.into());
        let cache = Cache::new(self.cache.clone()).repo(repo.clone());
        let request = Request {
            endpoint: &self.endpoint,
            token: self.token.as_deref(),
            all: &self.cache,
            url: format!(
                "{}/{}/resolve/{}/{file}",
                self.endpoint.trim_end_matches('/'),
                repo.url(),
                repo.url_revision()
            ),
            folder: repo.folder_name(),
        };
        let found = cache.get(file);
        let from_cache = found.is_some();
        let path = match found {
            Some(path) => path,
            None if self.offline => {
                let what = format!("{repository} is not on this machine, and going online was ruled out");
                return Err(Error::new(ErrorKind::Offline, what).mend(request.by_hand()));
            }
            None => request.download(&cache, file, progress)?,
        };
        Ok(Fetched { from_cache, ..verify(&path, records, &repo.folder_name())? })
    }

    /// Whether the cache on this machine has a file of a repository.
    pub fn has(&self, repository: &str, revision: &str, file: &str) -> bool {
        let repo = Repo::with_revision(repository.into(), RepoType::Model, revision.into());
        Cache::new(self.cache.clone()).repo(repo).get(file).is_some()
    }

    /// What a repository of timm's says of its weights: its `config.json`.
    ///
    /// # Errors
    /// Those of [`Hub::fetch`]; [`ErrorKind::Weights`] for a `config.json` that is not timm's, or tells of a network that petal does not have.
    pub fn describe(&self, repository: &str, records: &Path, progress: &mut dyn Progress) -> Result<Described> {
        let fetched = self.fetch(repository, "main", "config.json", records, progress)?;
        timm::described(&fetched.bytes).map_err(|error| error.at(fetched.path))
    }
}

/// Shows everything but the token.
impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { endpoint, cache, token, offline } = self;
        let token = token.as_ref().map(|_| "…");
        f.debug_struct("Hub")
            .field("endpoint", endpoint)
            .field("cache", cache)
            .field("token", &token)
            .field("offline", offline)
            .finish()
    }
}

/// Reads a cached file `…/snapshots/<commit>/<file>` and compares its hash with the one that it had from the start.
fn verify(path: &Path, records: &Path, folder: &str) -> Result<Fetched> {
    let blob = path.canonicalize().map_err(|cause| Error::io("open", path, &cause))?;
    let bytes = codec::read_bytes(&blob)?;
    let got = files::sha256(&bytes);

    let name = |path: Option<&Path>| path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    let record = records.join(folder).join(name(path.parent())).join(format!("{}.sha256", name(Some(path))));
    let recorded = fs::read_to_string(&record).ok().filter(|hash| is_sha256(hash));
    let known = recorded.clone().or_else(|| Some(name(Some(&blob))).filter(|hash| is_sha256(hash)));
    if let Some(expected) = known
        && expected != got
    {
        return Err(Error::new(
            ErrorKind::Checksum,
            format!("these weights were changed: expected SHA-256 {expected}, got {got}"),
        )
        .at(&blob)
        .mend("delete this file and run this again: it will be downloaded anew"));
    }
    if recorded.is_none() {
        files::write_bytes(&record, got.as_bytes())?;
    }
    Ok(Fetched { bytes, path: blob, sha256: got, from_cache: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_other_clients_of_the_hub_read_them() {
        let from = |vars: &[(&str, &str)]| {
            let find = |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            Hub::from_vars(find, Some("/home/me".into())).unwrap()
        };
        let plain = from(&[]);
        assert_eq!(plain.cache, Path::new("/home/me/.cache/huggingface/hub"));
        assert!(!plain.offline && plain.token.is_none());
        let other = from(&[
            ("HF_HOME", "/hf"),
            ("HF_TOKEN", " secret\n"),
            ("PETAL_OFFLINE", "1"),
            ("HF_ENDPOINT", "http://mirror"),
        ]);
        assert_eq!(other.cache, Path::new("/hf/hub"));
        assert_eq!(
            (other.token.as_deref(), other.offline, other.endpoint.as_str()),
            (Some("secret"), true, "http://mirror")
        );
        assert!(!format!("{other:?}").contains("secret"));
        assert_eq!(from(&[("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/cache")]).cache, Path::new("/cache"));
        assert!(!from(&[("HF_HUB_OFFLINE", "0")]).offline);
        assert_eq!(Hub::from_vars(|_| None, None).unwrap_err().kind(), ErrorKind::Config);
    }
}
