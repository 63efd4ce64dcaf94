//! What a card says of the photos: how many, whose, what was left out, and whether the parts know each other.

use super::made_from::Card;
use super::markup::{markdown, table};
use crate::base::config::Duplicates;
use crate::data::Split;
use crate::report::words::{counted, thousands};
use crate::train::run::{Origins, PhotosUsed};

/// What is said where an earlier petal made the run.
const UNKNOWN: &str = "Not recorded: an earlier version of petal trained this model. Training it again with the same settings trains nothing anew, and records it.\n";

/// Photos of each class and part, whose they are, what was left out.
pub(super) fn photos(card: &Card) -> String {
    let Some(photos) = &card.record.made_by.photos else { return UNKNOWN.into() };
    let licence = markdown(&photos.licence);
    let from = match &photos.source {
        Origins::TfFlowers => format!("The TF Flowers photos: {licence}."),
        Origins::Synthetic => {
            "Flowers that petal has drawn, not photos: the numbers here say nothing of photos.".into()
        }
        // That they are somebody's own is all that is known.
        Origins::Own(folder) => format!(
            "Photos of one's own, from the folder “{}”. Whose they are and what may be done with them was not recorded.",
            markdown(folder)
        ),
    };
    let mut text = format!("{from}\n\n");
    let number = |count: usize| thousands(count as u64);
    let rows = photos.classes.iter().map(|class| {
        let [train, val, test] = [class.train, class.val, class.test].map(number);
        [markdown(&class.class), train, val, test]
    });
    let sums = Split::ALL.map(|split| number(photos.count(split)));
    let [train, val, test] = sums;
    let all = ["**all**".to_string(), train, val, test];
    text += &table(
        [("class", false), ("to train on", true), ("to validate with", true), ("to test with", true)],
        rows.chain([all]),
    );
    text += "\n";
    text += &match photos.left_out.as_slice() {
        [] => "Nothing that lay among the photos was left out.\n".to_string(),
        left_out => {
            let why = left_out.iter().map(|(why, count)| format!("{} ({})", number(*count), markdown(why)));
            let count: usize = left_out.iter().map(|(_, count)| count).sum();
            format!("Left out: {}. {}.\n", counted(count, "file"), why.collect::<Vec<_>>().join(", "))
        }
    };
    if photos.dropped + photos.relabelled > 0 {
        text += &format!(
            "By a person's decision, {} dropped and {} put into another class than the folder says.\n",
            was(photos.dropped),
            was(photos.relabelled)
        );
    }
    text
}

/// How the parts were drawn, and whether a photo is in two of them.
pub(super) fn split(card: &Card) -> String {
    let Some(photos) = &card.record.made_by.photos else { return String::new() };
    let mut lines = vec![match (photos.given, photos.drawn.as_slice()) {
        (false, _) => format!("The parts were drawn by petal, class by class, with the seed {}.", photos.split_seed),
        (true, []) => "The set came split; its parts were taken as they were.".into(),
        (true, drawn) => {
            let drawn = drawn.iter().map(|part| part.name()).collect::<Vec<_>>().join(" and ");
            format!("The set came split, but without {drawn}: drawn from the photos to train on.")
        }
    }];
    lines.push(same(photos));
    if photos.split_up > 0 {
        lines.push(format!(
            "{} may be in several parts, because kept together they would not fill every part: what is measured of their classes says little.",
            counted(photos.split_up, "copy").replace("copys", "copies")
        ));
    }
    if photos.conflicts > 0 {
        lines.push(format!("{} of (nearly) the same photo in two classes.", counted(photos.conflicts, "pair")));
    }
    lines.into_iter().map(|line| format!("- {line}\n")).collect()
}

/// What was looked for in the way of leaks, and found.
fn same(photos: &PhotosUsed) -> String {
    let these = match photos.duplicates {
        0 => "no photo is (nearly) the same as another".to_string(),
        1 => "1 photo is (nearly) the same as another".to_string(),
        count => format!("{} photos are (nearly) the same as another", thousands(count as u64)),
    };
    match (photos.duplicates_are, photos.leaks) {
        (Duplicates::Off, _) => {
            "Leaks were not looked for: photos to test with may be (nearly) the same as photos to train on.".into()
        }
        (_, leaks @ 1..) => format!(
            "**Leak:** {} of (nearly) the same photo, one to train on and one to measure on. The accuracy is too high by those.",
            counted(leaks, "pair")
        ),
        (Duplicates::Report, 0) => format!("Leaks were looked for: {these}; the parts were drawn as if none were."),
        (Duplicates::Together, 0) => {
            format!("Leaks were looked for, and none was found: {these}, and what is stays in one part.")
        }
    }
}

fn was(count: usize) -> String {
    if count == 1 { "1 photo was".into() } else { format!("{} photos were", thousands(count as u64)) }
}
