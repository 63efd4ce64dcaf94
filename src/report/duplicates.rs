//! Photos that show the same, side by side.

use std::collections::BTreeMap;

use super::gallery::{Tile, grid};
use super::table::{Cells, Table};
use super::words::counted;
use super::{Figure, View};
use crate::base::config::Duplicates;
use crate::base::error::Result;
use crate::data::manifest::{MadeWith, Twins};
use crate::data::{Sample, Split, Splits, photo};
use crate::pixels::Limits;

/// Most pairs that are shown.
const SHOWN: usize = 12;

impl Splits {
    /// The pairs of photos that are (nearly) the same: side by side, with their names, classes and parts, and how alike they are where they
    /// differ most. Up to twelve pairs, the least alike first; the rest is counted.
    pub fn duplicates(&self) -> View {
        let made_with = &self.made_with;
        let all = made_with.pairs.len();
        let title = match all {
            0 => "Duplicates".to_string(),
            _ => format!("Duplicates: {} of photos that are (nearly) the same", counted(all, "pair")),
        };
        let mut view = View::new(title).line(count(made_with));
        if let Some(split_up) = split_up(made_with) {
            view = view.line(split_up);
        }
        if all == 0 {
            return view;
        }
        // Where a mistake is likeliest.
        let mut pairs: Vec<&Twins> = made_with.pairs.iter().collect();
        pairs.sort_by(|a, b| a.likeness.total_cmp(&b.likeness));
        pairs.truncate(SHOWN);
        let samples: BTreeMap<&str, &Sample> = Split::ALL
            .iter()
            .flat_map(|split| self.get(*split).samples.iter())
            .map(|sample| (sample.name.as_str(), sample))
            .collect();
        let place = |name: &str| match samples.get(name) {
            Some(sample) => {
                let part = sample.part.map_or("", Split::name);
                format!("{}, {part}", self.classes.get(sample.target).map_or("?", String::as_str))
            }
            None => "not there".into(),
        };
        let text = |value: &dyn Fn(&Twins) -> String| Cells::Text(pairs.iter().map(|pair| value(pair)).collect());
        let table = Table::new([
            ("photo", text(&|pair| pair.one.clone())),
            ("class, part", text(&|pair| place(&pair.one))),
            ("the other", text(&|pair| pair.other.clone())),
            ("its class, part", text(&|pair| place(&pair.other))),
            ("likeness", Cells::Numbers(pairs.iter().map(|pair| pair.likeness).collect(), 3)),
        ]);
        view = view.table_or_why(table);
        match self.side_by_side(&pairs, &samples, &place) {
            Ok(figure) => view = view.figure(figure),
            Err(error) => view = view.line(format!("the photos cannot be shown: {}", error.in_a_line())),
        }
        if all > SHOWN {
            view = view.line(format!("and {} that are more alike, in split.json", counted(all - SHOWN, "more pair")));
        }
        view.hint("where two are not the same: a higher split.duplicate_threshold, or split.duplicates = \"report\" or \"off\", then photos.resplit(…)")
    }

    fn side_by_side(
        &self,
        pairs: &[&Twins],
        samples: &BTreeMap<&str, &Sample>,
        place: &dyn Fn(&str) -> String,
    ) -> Result<Figure> {
        let mut tiles = Vec::new();
        for pair in pairs {
            let pictures = [&pair.one, &pair.other].into_iter().filter_map(|name| samples.get(name.as_str()));
            let pictures =
                pictures.map(|sample| photo::read(&sample.path, &Limits::NONE)).collect::<Result<Vec<_>>>()?;
            // One that is not there any more leaves nothing to compare.
            if pictures.len() == 2 {
                let line = |name: &str| format!("{name} ({})", place(name));
                let lines = vec![format!("likeness {:.3}", pair.likeness), line(&pair.one), line(&pair.other)];
                tiles.push(Tile { pictures, lines, right: None });
            }
        }
        grid("Photos that are (nearly) the same", &tiles, 2, None)
    }
}

/// How many there are, and what became of them.
pub(super) fn count(made_with: &MadeWith) -> String {
    let these = match made_with.duplicates {
        0 => "no photo is (nearly) the same as another".to_string(),
        1 => "1 photo is (nearly) the same as another".to_string(),
        count => format!("{count} photos are (nearly) the same as another"),
    };
    match (made_with.duplicates_are, made_with.duplicates) {
        (Duplicates::Off, _) => "photos that are (nearly) the same were not looked for".into(),
        (Duplicates::Report, 1..) => format!("{these}; the parts were drawn as if they were not"),
        (Duplicates::Report, 0) => these,
        (Duplicates::Together, 0) => these,
        (Duplicates::Together, _) if made_with.given || !made_with.split_up.is_empty() => these,
        (Duplicates::Together, 1) => format!("{these}; both are in one part"),
        (Duplicates::Together, _) => format!("{these}; each such group is in one part"),
    }
}

/// Whose copies could not stay together.
pub(super) fn split_up(made_with: &MadeWith) -> Option<String> {
    let said = made_with.split_up.iter().map(|(class, count)| {
        let copies = if *count == 1 { "1 copy".into() } else { format!("{count} copies") };
        format!("{copies} of class {class}")
    });
    let said = said.collect::<Vec<_>>().join(", ");
    let are = "may be in several parts, because kept together they would not fill every part; what is measured of it says little";
    (!said.is_empty()).then(|| format!("{said} {are}"))
}
