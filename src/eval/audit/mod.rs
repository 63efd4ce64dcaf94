//! A look at the photos before any training: which are bad, which are likely in the wrong class, which classes look the same, and whether classes can be told
//! by what is not their content.
//!
//! docs/AUDIT.md tells how each is decided, and what was measured.
//!
//! | file | what it holds |
//! |---|---|
//! | `look` | one pass over all photos: each is read and decoded once |
//! | `robust` | how far numbers lie from the middle of their set |
//! | `quality` | blurred, dark, bright, plain photos; odd shapes and sizes |
//! | `unlike` | photos that are unlike all others, by their features |
//! | `labels` | confident learning: labels that are likely wrong |
//! | `alike` | classes that look the same |
//! | `circumstances`, `ridge`, `shortcut` | facts beside the content, and whether a small probe tells the classes by them |
//! | `components` | the map of all photos |
//! | `finding` | what is said of a photo |

mod alike;
mod circumstances;
mod components;
mod finding;
mod labels;
mod list;
mod look;
mod quality;
mod ridge;
mod robust;
mod shortcut;
mod unlike;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use alike::{Alike, BOUND, alike};
pub use circumstances::{Circumstance, circumstances};
pub use components::{Map, principal};
pub use finding::{Finding, Kind};
pub use labels::{Confident, confident, ranking};
pub use list::TABLE;
pub use quality::FAR;
pub use robust::{Side, deviations};
pub use shortcut::{Probe, probes};
pub use unlike::distances;

use crate::base::config::{Config, Duplicates};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::Seed;
use crate::base::work::{Progress, Unit, Work};
use crate::data::duplicates::{self, Found};
use crate::data::verify::Checked;
use crate::data::{Dataset, Facts, LeftOut};
use crate::models::Model;
use crate::nn::convex::{Rows, deal, out_of_fold};
use crate::pixels::Preprocess;

/// Folds of the cross-validations; a class of fewer photos is not judged.
const FOLDS: usize = 5;
/// Of fewer photos, nothing is unusual.
const LEAST: usize = 20;

/// What a look at all photos has found. Nothing is removed: [`Audit::cleaner`] takes a person's decisions.
///
/// ```no_run
/// # use petal::prelude::*;
/// # fn cells(project: &Project) -> Result<()> {
/// let photos = Dataset::folder("my_photos")?;
/// let audit = photos.audit()?; // as a cell's last line: each finding with its photos
/// audit.map()?; // one point a photo
/// let cleaner = audit.cleaner(project)?; // photo by photo: keep, relabel, drop
/// cleaner.relabel(&[1], "tulips")?;
/// cleaner.save()?; // photos.split(…) honours it
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Audit {
    /// Class names, sorted.
    pub classes: Arc<[String]>,
    /// The network whose features were taken.
    pub network: String,
    /// The photos that can be read, in the set's order.
    pub photos: Vec<Checked>,
    /// What is known of each beside what it shows.
    pub facts: Vec<Facts>,
    /// What was not looked at, by name, and why: what lies among the photos and is none, and photos that cannot be read.
    pub left_out: BTreeMap<String, LeftOut>,
    /// What a person should look at, the kinds in their order ([`Kind::ALL`]), the surest first.
    pub findings: Vec<Finding>,
    /// Photos that are (nearly) the same as an earlier one of their class.
    pub copies: usize,
    /// What heads say of the photos that have not learned from them; none where there are too few.
    pub told: Option<Told>,
    /// What small probes tell of the classes by what is not the content, those that tell most first.
    pub probes: Vec<Probe>,
    /// Where each photo lies on the map.
    pub places: Map,
    /// What was not asked, and why.
    pub not_asked: Vec<String>,
}

/// What heads say of photos that they have not learned from.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Probability of each class, photo by photo.
    pub probabilities: Vec<Vec<f64>>,
    /// The mean of the classes' recalls: what their content tells.
    pub recall: f64,
    /// What confident learning says of the labels.
    pub confident: Confident,
    /// Pairs of classes that were mixed up, those that surely look most alike first.
    pub alike: Vec<Alike>,
}

impl Audit {
    /// Looks at all photos of a set: [`Dataset::audit`] is this with a network.
    ///
    /// # Errors
    /// None for a bad photo: it is listed. [`ErrorKind::Dataset`] if none can be read; [`ErrorKind::Interrupted`] if `progress` ends it.
    pub fn new(
        photos: &Dataset,
        (model, preprocess): (&Model, &Preprocess),
        config: &Config,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let look::Pass { checked, facts, features, bad } = look::at_all(photos, model, preprocess, progress)?;
        if checked.is_empty() {
            let why = bad.values().next().map_or("there are none".into(), |why| why.why.clone());
            let what = format!("no photo can be read: {why}");
            return Err(Error::new(ErrorKind::Dataset, what).at(&photos.root).mend("name a folder of photos"));
        }
        let mut audit = Self {
            classes: photos.classes.clone(),
            network: config.backbone.name().into(),
            left_out: photos.left_out.clone().into_iter().chain(bad).collect(),
            findings: Vec::new(),
            copies: 0,
            told: None,
            probes: Vec::new(),
            places: Map { points: Vec::new(), shares: [0.0; 2] },
            not_asked: Vec::new(),
            photos: checked,
            facts,
        };
        let count = audit.photos.len();
        let mut begin = |name: &'static str| Work::new(name, Unit::Photos, count as u64).at(0, progress);
        begin("comparing photos with each other")?;
        let groups = audit.compare(config);
        audit.places = principal(&features);
        if count < LEAST {
            audit.not_asked.push(format!("whether photos are unusual: there are {count}, and {LEAST} are needed"));
        } else {
            begin("looking for photos that are unlike all others")?;
            audit.ask_unlike(&features, &groups, Seed(config.seed));
            audit.findings.extend(quality::findings(&audit.facts));
        }
        begin("asking heads that have not learned from the photos")?;
        audit.ask_heads(&features, &groups, Seed(config.seed))?;
        begin("looking for shortcuts")?;
        audit.probe(&groups, Seed(config.seed));
        audit.findings.sort_by_key(|finding| finding.kind);
        Work::new("looking for shortcuts", Unit::Photos, count as u64).end(progress)?;
        Ok(audit)
    }

    /// The class of each photo.
    pub fn targets(&self) -> Vec<usize> {
        self.photos.iter().map(|photo| photo.sample.target).collect()
    }

    /// The findings of a kind, the surest first.
    pub fn of(&self, kind: Kind) -> Vec<&Finding> {
        self.findings.iter().filter(|finding| finding.kind == kind).collect()
    }

    /// Classes that look the same.
    pub fn alike(&self) -> Vec<&Alike> {
        self.told.iter().flat_map(|told| &told.alike).filter(|pair| pair.is_shown()).collect()
    }

    /// Circumstances that tell classes.
    pub fn shortcuts(&self) -> Vec<&Probe> {
        self.probes.iter().filter(|probe| probe.is_shown()).collect()
    }

    /// Finds photos that show the same. Gives for each the first one of its group.
    fn compare(&mut self, config: &Config) -> Vec<usize> {
        if config.split.duplicates == Duplicates::Off {
            self.not_asked.push("which photos are (nearly) the same: split.duplicates is off".into());
            return Found::nothing(self.photos.len()).groups;
        }
        let found = duplicates::find(&self.photos, config.split.duplicate_threshold);
        let class = |photo: usize| self.photos[photo].sample.target;
        let mut copies = BTreeSet::new();
        let mut twins = Vec::new();
        for pair in &found.pairs {
            if class(pair.one) == class(pair.other) {
                copies.insert(pair.other);
                continue;
            }
            let other = &self.photos[pair.other].sample.name;
            twins.push(Finding {
                kind: Kind::Twin,
                photo: pair.one,
                other: Some(pair.other),
                sure: f64::from(pair.likeness),
                says: format!("the same as {other}"),
            });
        }
        twins.sort_by(|a, b| b.sure.total_cmp(&a.sure).then((a.photo, a.other).cmp(&(b.photo, b.other))));
        self.copies = copies.len();
        self.findings.extend(twins);
        found.groups
    }

    fn ask_unlike(&mut self, features: &Rows, groups: &[usize], seed: Seed) {
        let far = deviations(&distances(features, groups, seed), Side::High);
        let mut found: Vec<Finding> = far
            .into_iter()
            .enumerate()
            .filter(|(_, sure)| *sure > FAR)
            .map(|(photo, sure)| {
                let says = format!("{sure:.1} deviations from the others");
                Finding { kind: Kind::Unlike, photo, other: None, sure, says }
            })
            .collect();
        found.sort_by(|a, b| b.sure.total_cmp(&a.sure).then(a.photo.cmp(&b.photo)));
        self.findings.extend(found);
    }

    fn ask_heads(&mut self, features: &Rows, groups: &[usize], seed: Seed) -> Result<()> {
        let (targets, classes) = (self.targets(), self.classes.len());
        let of = |class: usize| targets.iter().filter(|target| **target == class).count();
        let few: BTreeSet<usize> = (0..classes).filter(|&class| of(class) < FOLDS).collect();
        let distinct = groups.iter().collect::<BTreeSet<_>>().len();
        if classes - few.len() < 2 || distinct < LEAST {
            let what = "whether labels are likely wrong and classes look the same";
            self.not_asked
                .push(format!("{what}: {LEAST} different photos are needed, and {FOLDS} of two classes at least"));
            return Ok(());
        }
        if !few.is_empty() {
            let names: Vec<&str> = few.iter().map(|&class| self.classes[class].as_str()).collect();
            self.not_asked.push(format!(
                "whether labels are wrong of classes with fewer than {FOLDS} photos: {}",
                names.join(", ")
            ));
        }
        let (_, probabilities) = out_of_fold(features, &targets, groups, classes, FOLDS, seed)?;
        let mut found = confident(&probabilities, &targets, classes);
        found.wrong.retain(|photo| !few.contains(&targets[*photo]));
        for &photo in &found.wrong {
            let p = &probabilities[photo];
            let class = labels::most_probable(p);
            self.findings.push(Finding {
                kind: Kind::Label,
                photo,
                other: None,
                sure: 1.0 - p[targets[photo]],
                says: format!("likely {} ({:.0} %)", self.classes[class], 100.0 * p[class]),
            });
        }
        let right = |class: usize| {
            let own = probabilities.iter().zip(&targets).filter(|(_, target)| **target == class);
            own.filter(|(p, _)| labels::most_probable(p) == class).count() as f64 / of(class).max(1) as f64
        };
        let there: Vec<usize> = (0..classes).filter(|&class| of(class) > 0).collect();
        let recall = there.iter().map(|&class| right(class)).sum::<f64>() / there.len().max(1) as f64;
        let alike = alike(&probabilities, &targets, classes);
        self.told = Some(Told { probabilities, recall, confident: found, alike });
        Ok(())
    }

    fn probe(&mut self, groups: &[usize], seed: Seed) {
        let (targets, classes) = (self.targets(), self.classes.len());
        let distinct = groups.iter().collect::<BTreeSet<_>>().len();
        if distinct < LEAST {
            self.not_asked.push(format!(
                "whether classes are told by a border, a size and so on: {LEAST} different photos are needed"
            ));
            return;
        }
        let folds = deal(&targets, groups, FOLDS, seed);
        self.probes = probes(&circumstances(&self.facts), &targets, &folds, classes, seed);
    }
}
