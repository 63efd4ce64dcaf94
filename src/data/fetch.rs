//! The photos that settings name: downloaded, drawn, unpacked, or a person's own.

use std::path::Path;

use super::archive::{self, Limits};
use super::sample::Split;
use super::search::MARK;
use super::{Dataset, source, synthetic};
use crate::base::config::{Config, Source};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::{self, Identity};
use crate::base::project::Project;
use crate::base::seed::Seed;
use crate::base::work::{Progress, Unheard};
use crate::net::download::{self, Download};
use crate::pixels;

impl Dataset {
    /// The photos that the settings name. What is there already is not fetched again. `progress` hears of the download and of what is unpacked.
    ///
    /// # Errors
    /// What a download, an archive or a folder can give; [`ErrorKind::Interrupted`] if `progress` ends it: what was downloaded so far is kept.
    pub fn fetch_with(project: &Project, config: &Config, progress: &mut dyn Progress) -> Result<Self> {
        let raw = project.data.join("raw");
        match &config.source {
            Source::Folder(root) => {
                check_apart(project, root)?;
                Self::open(root, None, &project.own_folders(), config.limits)
            }
            Source::Labels { table, photos } => {
                check_apart(project, photos)?;
                Self::open(photos, Some(table), &project.own_folders(), config.limits)
            }
            Source::Synthetic { per_class } => {
                let root = raw.join(format!("synthetic-{per_class}-{}", config.seed));
                if !root.exists() {
                    files::write_dir(&root, |scratch| synthetic::draw(scratch, *per_class, Seed(config.seed)))?;
                }
                let licence = "drawn by petal; do with them what you like".into();
                let found = Self::open(&root, None, &[], config.limits)?;
                Ok(Self { licence, source: config.source.clone(), ..found })
            }
            Source::TfFlowers => {
                let root = raw.join("flower_photos");
                if !root.exists() {
                    let archive = raw.join("flower_photos.tgz");
                    download(&archive, progress)?;
                    unpack(&archive, source::SHA256, &root, progress)?;
                }
                Self::unpacked(&root, config.limits)
            }
        }
    }

    /// The photos of a local archive (`.tgz`), unpacked to `data/raw/flower_photos`: from then on they take the place of the download.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`] if another archive was unpacked there before and `replace` is false, or files were added or changed there since;
    /// [`ErrorKind::Archive`] for one that is damaged or holds what no data set should. What was there before is still there then.
    pub fn from_archive_with(
        project: &Project,
        path: &Path,
        replace: bool,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let root = project.data.join("raw").join("flower_photos");
        let sha256 = files::sha256_file(path)?;
        let known = Mark::read(&root);
        let is_known = known.as_ref().is_some_and(|mark| mark.sha256 == sha256);
        if root.exists() && !is_known {
            let refused = |what: &str, mend: &str| Err(Error::new(ErrorKind::Dataset, what).at(&root).mend(mend));
            if !replace {
                return refused(
                    "another archive was unpacked here before",
                    "replace it with --replace, or use another --data folder",
                );
            }
            // What goes must be what an archive has brought, and nothing that somebody has put here.
            match &known {
                None => {
                    return refused(
                        "no archive was unpacked here: these files are somebody's own",
                        "move them away, or use another --data folder",
                    );
                }
                Some(mark) if mark.content.as_ref().is_some_and(|content| *content != Mark::content_of(&root)) => {
                    let what =
                        "files were added, removed or changed here since the archive was unpacked; they would be lost";
                    return refused(what, "move the folder away, or use another --data folder");
                }
                Some(_) if Identity::of(&root).is_ok_and(|root| root.holds(path)) => {
                    return refused("the archive lies in the folder that it would replace", "move it out of there");
                }
                Some(_) => {}
            }
        }
        if !root.exists() || !is_known {
            unpack(path, &sha256, &root, progress)?;
        }
        Self::unpacked(&root, pixels::Limits::default())
    }

    /// What an archive has brought.
    fn unpacked(root: &Path, limits: pixels::Limits) -> Result<Self> {
        let found = Self::open(root, None, &[], limits)?;
        // Another archive laid out as the original one is not the original one.
        let source = match Mark::read(root) {
            Some(mark) if mark.sha256 == source::SHA256 => Source::TfFlowers,
            _ => found.source.clone(),
        };
        Ok(Self { licence: source::LICENCE.into(), source, ..found })
    }

    /// What was fetched into this folder below `data/raw` before: drawn flowers, an unpacked archive, or else a folder as any other.
    pub fn fetched(project: &Project, root: &Path, config: &Config) -> Result<Self> {
        let name = root.file_name().unwrap_or_default().to_string_lossy();
        let drawn = name.strip_prefix("synthetic-").and_then(|rest| rest.split_once('-'));
        if let Some((Ok(per_class), Ok(seed))) = drawn.map(|(count, seed)| (count.parse(), seed.parse())) {
            let drawn = Config { source: Source::Synthetic { per_class }, seed, ..config.clone() };
            return Self::fetch_with(project, &drawn, &mut Unheard);
        }
        if Mark::read(root).is_some() {
            return Self::unpacked(root, config.limits);
        }
        Self::open(root, None, &[], config.limits)
    }
}

/// Fails where photos would be read from where petal writes: it would find its own files among them, or remove them.
fn check_apart(project: &Project, root: &Path) -> Result<()> {
    let refused = |what: String, mend: &str| Err(Error::new(ErrorKind::Dataset, what).at(root).mend(mend));
    let parts = Split::ALL.map(|split| project.data.join(split.name()));
    if parts.iter().any(|part| Identity::of(part).is_ok_and(|part| part.holds(root))) {
        let what = "these photos are those of the split itself, which would be removed with it".to_string();
        return refused(
            what,
            "to draw the split anew from the photos that it holds: petal split-dataset --redraw (in a notebook: splits.redraw(…))",
        );
    }
    let identity = Identity::of(root).ok();
    for own in project.own_folders() {
        if identity.is_some() && Identity::of(own).ok() == identity {
            let mend = "name the folder of the photos; or give petal other folders (--data, --models)";
            return refused(format!("petal writes to this folder itself ({})", own.display()), mend);
        }
    }
    // A part of the split that leads to the photos, by a link, would be written among them.
    let Some(root_identity) = identity else { return Ok(()) };
    for part in &parts {
        let is_link = part.symlink_metadata().is_ok_and(|found| found.is_symlink());
        let leads_in = is_link && root_identity.holds(part);
        let around = Identity::of(part).is_ok_and(|part| part.holds(root));
        if leads_in || around {
            return refused(
                format!("{} leads to these photos: the split would be written among them", part.display()),
                "remove that link",
            );
        }
    }
    Ok(())
}

/// What stands in an unpacked archive's folder: which archive it was, and what it brought.
struct Mark {
    sha256: String,
    /// Files and their bytes; not known where an earlier petal unpacked it.
    content: Option<String>,
}

impl Mark {
    fn read(root: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(root.join(MARK)).ok()?;
        let (sha256, content) =
            text.split_once('\n').map_or((text.as_str(), None), |(sha256, content)| (sha256, Some(content)));
        Some(Self { sha256: sha256.trim().into(), content: content.map(|content| content.trim().into()) })
    }

    /// The names and sizes of all files below a folder, as a hash.
    fn content_of(root: &Path) -> String {
        fn walk(folder: &Path, names: &mut String) {
            for path in files::sorted_dir(folder).unwrap_or_default() {
                let found = path.symlink_metadata();
                if found.as_ref().is_ok_and(std::fs::Metadata::is_dir) {
                    walk(&path, names);
                } else if path.file_name().is_some_and(|name| name != MARK) {
                    *names += &format!(
                        "{} {}\n",
                        path.file_name().unwrap_or_default().display(),
                        found.map_or(0, |found| found.len())
                    );
                }
            }
        }
        let mut names = String::new();
        walk(root, &mut names);
        files::sha256(names.as_bytes())
    }
}

fn unpack(archive: &Path, sha256: &str, root: &Path, progress: &mut dyn Progress) -> Result<()> {
    files::write_dir(root, |scratch| {
        archive::unpack(archive, scratch, &Limits::default(), progress)?;
        let mark = format!("{sha256}\n{}\n", Mark::content_of(scratch));
        files::write_bytes(&scratch.join(MARK), mark.as_bytes())
    })
}

fn download(archive: &Path, progress: &mut dyn Progress) -> Result<()> {
    let by_hand = format!(
        "fetch it elsewhere ({} bytes, SHA-256 {}) and put it at {}, or give it with `petal download-dataset --archive FILE`",
        source::BYTES,
        source::SHA256,
        archive.display()
    );
    if archive.exists() {
        let got = files::sha256_file(archive)?;
        if got == source::SHA256 {
            return Ok(());
        }
        let what = format!("this is not the archive: expected SHA-256 {}, got {got}", source::SHA256);
        return Err(Error::new(ErrorKind::Checksum, what)
            .at(archive)
            .mend(format!("delete it and run this again, or {by_hand}")));
    }
    if download::is_offline() {
        let what = format!("{} is not on this machine, and going online was ruled out", source::URL);
        return Err(Error::new(ErrorKind::Offline, what).at(archive).mend(by_hand));
    }
    let (url, sha256, bytes) = (source::URL, source::SHA256, Some(source::BYTES));
    Download { url, sha256, bytes, token: None, by_hand }.to(archive, progress)
}
