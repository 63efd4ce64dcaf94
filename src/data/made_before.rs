//! Whether the split that is there is the one that is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::decisions::{Decided, Honoured};
use super::left_out::LeftOut;
use super::manifest::{self, MadeWith, Row};
use super::on_disk;
use super::partition::fractions;
use super::photo::size_of;
use super::sample::RESPLIT;
use super::{Dataset, Split, Splits};
use crate::base::config::Config;
use crate::base::error::{Error, ErrorKind, Result};

impl Dataset {
    /// The split that is there, if it was made of these photos with these settings and decisions; nothing if it was made with other
    /// decisions, an error if it was made with anything else.
    pub(super) fn made_before(&self, data: &Path, config: &Config, honoured: &Honoured) -> Result<Option<Splits>> {
        let path = on_disk::manifest_of(data)?;
        if !path.exists() {
            return Ok(None);
        }
        let rows = manifest::read(&path)?;
        let made_with = MadeWith::read(data)?;
        let failed = |what: String| Err(Error::new(ErrorKind::Dataset, what).at(&path).mend(RESPLIT));
        let names = self.differing(&rows, &made_with);
        if names.is_empty() {
            // Where all parts are given, nothing is drawn.
            if !made_with.given || !made_with.drawn.is_empty() {
                if made_with.seed != config.seed {
                    let (then, now) = (made_with.seed, config.seed);
                    return failed(format!("this split was made with seed {then}; asked for is {now}"));
                }
                let (then, now) = (made_with.fractions, fractions(&config.split));
                if then != now {
                    return failed(format!("this split was made with fractions {then:?}; asked for is {now:?}"));
                }
            }
            made_with.check_duplicates(&config.split).map_err(|error| error.at(&path))?;
            if made_with.decided.sha256 != honoured.sha256 {
                return Ok(None);
            }
            let mut splits = Splits::open(data)?;
            // What else lies among the photos now, beside those that could not be read then.
            splits.made_with.left_out.retain(|_, one| one.reason.is_photo());
            splits.made_with.left_out.extend(self.left_out.clone());
            return Ok(Some(splits));
        }
        let known: BTreeSet<&str> = rows.iter().map(|row| row.photo.as_str()).collect();
        if !self.samples.iter().any(|sample| known.contains(sample.name.as_str()) && !names.contains(&sample.name)) {
            let what = format!("this split was made of other photos than those in {}", self.root.display());
            let own = "give each set of photos a project of its own (`--data` and `--models`; in a notebook: Project::open(\"…\"))";
            return Err(Error::new(ErrorKind::Dataset, what).at(&path).mend(format!("{own}, or {RESPLIT}")));
        }
        let first = names.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        failed(format!("{} photos were added, removed or changed since this split was made: {first}", names.len()))
    }

    /// The names of photos that are not what they were in a split, or are in one of the two alone.
    fn differing(&self, rows: &[Row], made_with: &MadeWith) -> BTreeSet<String> {
        // Bytes, then class and part, where those belong to the photo.
        type Photo<'a> = (u64, Option<&'a str>, Option<Split>);
        let Decided { dropped, relabelled, .. } = &made_with.decided;
        let given = made_with.given;
        let is_drawn = |split: Split| split == Split::Train || made_with.drawn.contains(&split);
        let placed = rows.iter().map(|row| {
            let class = (!relabelled.contains_key(&row.photo)).then_some(row.class.as_str());
            let part = (given && (made_with.drawn.is_empty() || !is_drawn(row.split))).then_some(row.split);
            (row.photo.as_str(), (row.bytes, class, part))
        });
        fn unreadable(left_out: &BTreeMap<String, LeftOut>) -> impl Iterator<Item = (&str, u64)> {
            left_out.iter().filter(|(_, one)| one.reason.is_photo()).map(|(name, one)| (name.as_str(), one.bytes))
        }
        let then: BTreeMap<&str, Photo> = placed.collect();
        let mut then_only: BTreeMap<&str, u64> = unreadable(&made_with.left_out).collect();
        then_only.extend(dropped.iter().map(|(name, bytes)| (name.as_str(), *bytes)));
        let mut names = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for sample in &self.samples {
            let bytes = size_of(&sample.path);
            let same = match then.get(sample.name.as_str()) {
                Some((known, class, part)) => {
                    *known == bytes
                        && class.is_none_or(|class| class == self.classes[sample.target])
                        && (part.is_none() || sample.part.is_none() || *part == sample.part)
                }
                None => then_only.get(sample.name.as_str()) == Some(&bytes),
            };
            if !same {
                names.insert(sample.name.clone());
            }
            seen.insert(sample.name.as_str());
        }
        for (name, bytes) in unreadable(&self.left_out) {
            if then_only.get(name) != Some(&bytes) {
                names.insert(name.to_string());
            }
            seen.insert(name);
        }
        let gone = then.keys().chain(then_only.keys()).copied().filter(|name| !seen.contains(name));
        names.extend(gone.map(String::from));
        names
    }
}
