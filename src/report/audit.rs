//! What a look at the photos has found, with the photos.

use super::data::left_out;
use super::gallery::{Tile, columns, grid};
use super::table::{Cells, Table};
use super::words::{counted, short_list, thousands};
use super::{Figure, View, shows};
use crate::base::error::{Error, ErrorKind, Result};
use crate::data::photo;
use crate::eval::audit::{Alike, Kind, Probe};
use crate::eval::{Audit, Interval};
use crate::pixels::Limits;

shows!(Audit);

/// Photos of a kind that are shown at once.
const SHOWN: usize = 12;
/// Pairs of classes that are shown, whether they look alike or not.
const PAIRS: usize = 3;

impl Audit {
    /// All that was found: counts, what tells classes, pairs of classes, the map of all photos, and a gallery of each kind of finding.
    pub fn view(&self) -> View {
        let mut view = self.summary();
        view = match self.map() {
            Ok(figure) => view.section("Where the photos lie").figure(figure),
            Err(error) => view.line(error.to_string()),
        };
        for kind in Kind::ALL.into_iter().filter(|kind| !self.of(*kind).is_empty()) {
            view = view.section(self.title(kind));
            view = match self.gallery(kind) {
                Ok(figure) => view.figure(figure),
                Err(error) => view.line(error.to_string()),
            };
        }
        view.hint("next: let cleaner = audit.cleaner(&project)?; to keep, relabel or drop photos; then photos.split(&project, &config)? honours it")
    }

    /// The same without pictures.
    pub fn summary(&self) -> View {
        let count = self.findings.len();
        let title = format!("{} looked at: {}", counted(self.photos.len(), "photo"), counted(count, "finding"));
        let mut facts = vec![("features", format!("of {}, as it is", self.network))];
        if let Some(told) = &self.told {
            facts.push((
                "told by content",
                format!("{:.1} % (mean recall of heads that did not learn from the photo)", 100.0 * told.recall),
            ));
        }
        if self.copies > 0 {
            facts.push((
                "copies",
                format!("{} (nearly) the same as another of the class", counted(self.copies, "photo")),
            ));
        }
        let mut view = View::new(title).facts(facts);
        if count > 0 {
            view = view.table_or_why(self.counts());
            let measure = |kind: Kind| format!("{}: {}", kind.name(), kind.measure());
            let others = Kind::Blurred.measure();
            view = view.line(format!("how sure: {}; {}; others: {others}", measure(Kind::Label), measure(Kind::Twin)));
        }
        for probe in self.shortcuts() {
            view = view.line(self.shortcut(probe));
        }
        if !self.shortcuts().is_empty() {
            view = view.line("A network may learn a shortcut instead of the content: ask whether it will be so in the photos to come.");
        }
        if !self.probes.is_empty() {
            view = view.table_or_why(self.circumstances());
        }
        for pair in self.alike() {
            view = view.line(self.look_alike(pair));
        }
        if self.told.as_ref().is_some_and(|told| !told.alike.is_empty()) {
            view = view.table_or_why(self.pairs());
        }
        view = left_out(view, &self.left_out, "audit.left_out");
        for what in &self.not_asked {
            view = view.line(format!("not asked: {what}"));
        }
        view
    }

    /// The photos of a kind of finding, the surest first, up to twelve: each with its class, what was found, and how sure that is.
    ///
    /// # Errors
    /// [`ErrorKind::Render`] if there is none; what reading a photo can give.
    pub fn gallery(&self, kind: Kind) -> Result<Figure> {
        let found = self.of(kind);
        if found.is_empty() {
            let what = format!("no photo was found to be {kind:?}");
            return Err(Error::new(ErrorKind::Render, what));
        }
        let name = |photo: usize| {
            let sample = &self.photos[photo].sample;
            format!("{} ({})", self.classes[sample.target], sample.name.rsplit('/').next().unwrap_or_default())
        };
        let mut tiles = Vec::new();
        for finding in found.iter().take(SHOWN) {
            let both: Vec<usize> = std::iter::once(finding.photo).chain(finding.other).collect();
            let read = |&photo: &usize| photo::read(&self.photos[photo].sample.path, &Limits::NONE);
            let pictures = both.iter().map(read).collect::<Result<_>>()?;
            let mut lines: Vec<String> = both.iter().map(|photo| name(*photo)).collect();
            match kind {
                Kind::Twin => lines.push(format!("likeness {:.3}", finding.sure)),
                Kind::Unlike => lines.push(finding.says.clone()),
                Kind::Label => {
                    lines.extend([finding.says.clone(), format!("its label {:.1} %", 100.0 * (1.0 - finding.sure))]);
                }
                _ => lines.extend([finding.says.clone(), format!("{:.1} deviations", finding.sure)]),
            }
            tiles.push(Tile { pictures, lines, right: None });
        }
        let side_by_side = if kind == Kind::Twin { 2 } else { columns(tiles.len()) };
        grid(&self.title(kind), &tiles, side_by_side, None)
    }

    /// `Blurred: 12 of 40 photos, the surest first`
    fn title(&self, kind: Kind) -> String {
        let all = self.of(kind).len();
        let noun = if kind == Kind::Twin { "pair" } else { "photo" };
        match all {
            all if all > SHOWN => {
                format!("{}: {SHOWN} of {} {noun}s, the surest first", kind.title(), thousands(all as u64))
            }
            all => format!("{}: {}", kind.title(), counted(all, noun)),
        }
    }

    fn counts(&self) -> Result<Table> {
        let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| !self.of(*kind).is_empty()).collect();
        let text = |value: &dyn Fn(Kind) -> String| Cells::Text(kinds.iter().map(|kind| value(*kind)).collect());
        let surest = |kind: Kind| {
            let found = self.of(kind);
            let names = found.iter().map(|one| format!("{}: {}", self.photos[one.photo].sample.name, one.says));
            names.take(1).collect::<String>()
        };
        Table::new([
            ("finding", text(&|kind| kind.title().into())),
            ("photos", Cells::Counts(kinds.iter().map(|kind| self.of(*kind).len() as u64).collect())),
            ("the surest", text(&surest)),
            ("sure", Cells::Numbers(kinds.iter().map(|kind| self.of(*kind)[0].sure).collect(), 2)),
        ])
    }

    fn circumstances(&self) -> Result<Table> {
        let probes = &self.probes;
        let text = |value: &dyn Fn(&Probe) -> String| Cells::Text(probes.iter().map(value).collect());
        let p = |probe: &Probe| format!("{:.3}", probe.p_value);
        let chance = probes.first().map_or(0.0, |probe| probe.chance);
        Ok(Table::new([
            ("circumstance", text(&|probe| probe.name.into())),
            ("tells", Cells::Shares(probes.iter().map(|probe| probe.told.value).collect())),
            ("95 %", text(&|probe| percents(probe.told))),
            ("p", text(&p)),
        ])?
        .caption(format!(
            "Classes told by what is not the content (mean recall); guessing gives {:.1} %",
            100.0 * chance
        )))
    }

    fn shortcut(&self, probe: &Probe) -> String {
        let Interval { value, .. } = probe.told;
        // How much of the way from guessing to what the content tells.
        let way = |content: f64| 100.0 * (value - probe.chance) / (content - probe.chance).max(f64::MIN_POSITIVE);
        let content = match &self.told {
            Some(told) if told.recall > value => {
                format!(", the content {:.1} %: {:.0} % of the way", 100.0 * told.recall, way(told.recall))
            }
            Some(told) => format!(", the content {:.1} %: no more", 100.0 * told.recall),
            None => String::new(),
        };
        format!(
            "shortcut: {} ({}) alone tells {:.1} % ({}) of the classes; guessing gives {:.1} %{content}. Told best: {}",
            probe.name,
            probe.what,
            100.0 * value,
            percents(probe.told),
            100.0 * probe.chance,
            self.told_classes(probe)
        )
    }

    fn told_classes(&self, probe: &Probe) -> String {
        let name = |class: usize| {
            let [own, others] = [probe.recalls[class], probe.alarms[class]].map(|share| 100.0 * share.value);
            format!("{} {own:.0} % (of others {others:.0} %)", self.classes[class])
        };
        short_list(probe.classes().into_iter().map(name).collect::<Vec<_>>().into_iter())
    }

    fn look_alike(&self, pair: &Alike) -> String {
        format!(
            "{} and {} look the same: {:.1} % ({}) of {} are taken for the other; where nothing tells them, it is 50 %",
            self.classes[pair.one],
            self.classes[pair.other],
            100.0 * pair.share.value,
            percents(pair.share),
            counted(pair.photos, "photo")
        )
    }

    fn pairs(&self) -> Result<Table> {
        let pairs: Vec<&Alike> = self.told.iter().flat_map(|told| &told.alike).take(PAIRS).collect();
        Ok(Table::new([
            ("class", Cells::Text(pairs.iter().map(|pair| self.classes[pair.one].clone()).collect())),
            ("and", Cells::Text(pairs.iter().map(|pair| self.classes[pair.other].clone()).collect())),
            ("mixed up", Cells::Shares(pairs.iter().map(|pair| pair.share.value).collect())),
            ("95 %", Cells::Text(pairs.iter().map(|pair| percents(pair.share)).collect())),
            ("photos", Cells::Counts(pairs.iter().map(|pair| pair.photos as u64).collect())),
        ])?
        .caption("Pairs of classes that are mixed up most"))
    }
}

/// `34.1–38.0 %`
pub(super) fn percents(interval: Interval) -> String {
    format!("{:.1}–{:.1} %", 100.0 * interval.low, 100.0 * interval.high)
}
