//! What an audit gives on: a list for the cleaner, and a table of all photos.

use std::path::Path;

use super::labels::most_probable;
use super::{Audit, Kind, ranking};
use crate::base::error::Result;
use crate::base::files::{cells, output};
use crate::base::project::Project;
use crate::eval::{Cleaner, Prediction, Suspect};

impl Audit {
    /// The photos of the findings, each once, to be kept, relabelled or dropped; those that were decided about before are not listed. What is decided, the next
    /// split of these photos in this project honours.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`](crate::ErrorKind::Dataset) if the file of earlier decisions cannot be read.
    pub fn cleaner(&self, project: &Project) -> Result<Cleaner> {
        let mut order: Vec<usize> = Vec::new();
        for finding in &self.findings {
            for photo in std::iter::once(finding.photo).chain(finding.other) {
                if !order.contains(&photo) {
                    order.push(photo);
                }
            }
        }
        let suspects = order.into_iter().map(|photo| self.suspect(photo)).collect();
        let listed = "by what the audit found".to_string();
        Cleaner::listed(&project.data, format!("{}'s heads", self.network), &self.classes, suspects, listed)
    }

    /// All photos, those first whose label is least probable; in the set's order where heads could not be asked.
    pub fn ranking(&self) -> Vec<usize> {
        match &self.told {
            Some(told) => ranking(&told.probabilities, &self.targets()),
            None => (0..self.photos.len()).collect(),
        }
    }

    /// What was found about a photo, in words.
    pub fn says(&self, photo: usize) -> Vec<String> {
        let own = self.findings.iter().filter(|finding| finding.photo == photo || finding.other == Some(photo));
        own.map(|finding| match finding.kind {
            Kind::Twin => {
                let twin = if finding.photo == photo { finding.other.unwrap_or(photo) } else { finding.photo };
                format!("twin: the same as {}", self.photos[twin].sample.name)
            }
            kind => format!("{kind}: {}", finding.says),
        })
        .collect()
    }

    fn suspect(&self, photo: usize) -> Suspect {
        let sample = &self.photos[photo].sample;
        let classes = self.classes.len();
        let probabilities = match &self.told {
            Some(told) => told.probabilities[photo].iter().map(|p| *p as f32).collect(),
            // Nothing is known.
            None => vec![1.0 / classes as f32; classes],
        };
        let prediction = Prediction::new(&sample.path, Some(sample.target), probabilities);
        Suspect { split: sample.part, name: sample.name.clone(), prediction, why: self.says(photo).join("; ") }
    }

    /// Writes a row a photo, the least probable labels first: name, class, what a head says that has not learned from it, what was found, and the numbers that
    /// it was found by; at the end what the head says of each class.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if another file is there than such a table; [`ErrorKind::Io`](crate::ErrorKind::Io) where it cannot be written.
    pub fn write_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        let row = |photo: usize| {
            let (sample, facts) = (&self.photos[photo].sample, &self.facts[photo]);
            let told = self.told.as_ref().map(|told| &told.probabilities[photo]);
            let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.6}"));
            let best = told.map(|p| most_probable(p));
            let mut kinds: Vec<&str> = Kind::ALL
                .into_iter()
                .filter(|kind| self.of(*kind).iter().any(|one| one.photo == photo || one.other == Some(photo)))
                .map(Kind::name)
                .collect();
            kinds.dedup();
            let mut row = vec![
                sample.name.clone(),
                self.classes[sample.target].clone(),
                number(told.map(|p| p[sample.target])),
                best.map_or(String::new(), |class| self.classes[class].clone()),
                number(told.zip(best).map(|(p, class)| p[class])),
                kinds.join(" "),
                self.says(photo).join("; "),
                facts.size.0.to_string(),
                facts.size.1.to_string(),
                facts.bytes.to_string(),
                number(Some(facts.look.sharpness)),
                number(Some(facts.look.lightness)),
                number(Some(facts.look.entropy)),
            ];
            row.extend((0..self.classes.len()).map(|class| number(told.map(|p| p[class]))));
            row
        };
        let each: Vec<String> = self.classes.iter().map(|class| format!("p({class})")).collect();
        let head: Vec<&str> = HEAD.into_iter().chain(each.iter().map(String::as_str)).collect();
        let bytes = cells::table(&head, self.ranking().into_iter().map(row))?;
        output::write(path.as_ref(), TABLE, &bytes)
    }
}

const HEAD: [&str; 13] = [
    "photo",
    "class",
    "label_probability",
    "predicted",
    "probability",
    "findings",
    "says",
    "width",
    "height",
    "bytes",
    "sharpness",
    "lightness",
    "entropy",
];

/// A table of an audit, so that an earlier one is told from other files.
pub const TABLE: output::Kind = output::Kind {
    name: "a table of an audit",
    is: |bytes| bytes.starts_with(b"photo,class,label_probability,predicted,"),
};
