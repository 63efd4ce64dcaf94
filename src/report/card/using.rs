//! What a card says first and last: what the model is, how it is loaded, what it is for, and what nobody has tested.

use super::made_from::{Card, measured_parts};
use super::markup::{code, markdown};
use crate::data::Split;
use crate::eval::Interval;
use crate::report::words::{counted, short_list};
use crate::train::run::PhotosUsed;

/// A title, and the model in two sentences.
pub(super) fn begin(card: &Card) -> String {
    let record = card.record;
    let name = markdown(&record.made_by.model);
    let mut text = format!("# {name}: ");
    let classes = classes(card);
    text += &match classes.as_slice() {
        [] => "an image classifier\n\n".to_string(),
        classes => {
            format!("which of {} a photo shows\n\n", counted(classes.len(), "class").replace("classs", "classes"))
        }
    };
    if !classes.is_empty() {
        text += &format!("The classes: {}.\n", short_list(classes.iter().map(|class| markdown(class))));
    }
    text += &match measured_parts(record, &["test"]).next() {
        Some((_, evaluation)) => {
            let Interval { value, low, high } = evaluation.accuracy();
            format!(
                "Of {} that it has not seen, it names {:.1} % right (95 % interval {:.1} to {:.1} %).\n",
                counted(evaluation.predictions.len(), "photo"),
                100.0 * value,
                100.0 * low,
                100.0 * high
            )
        }
        None => "How good it is was not measured on photos that it has not seen.\n".into(),
    };
    text
}

/// As a doctest of this file compiles it, so that the card's words are code.
const LOAD: &str = include_str!("load.rs.txt");

/// In a shell and in Rust.
#[doc = concat!("```no_run\n", include_str!("load.rs.txt"), "# Ok::<(), petal::Error>(())\n```")]
pub(super) fn load(card: &Card) -> String {
    // In a shell's quotes and in Rust's, a plain name stands as it is; another one is put in by hand.
    let is_plain = card.file.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
    let file = if is_plain { card.file } else { "MODEL.safetensors" };
    let note = if is_plain { String::new() } else { format!("The model file is {}.\n\n", code(card.file)) };
    let trusted = measured_parts(card.record, &["test", "val"]).find_map(|(_, evaluation)| evaluation.trusted);
    let bank = match trusted.is_some_and(|trusted| trusted.has_bank) {
        true => {
            ", and what its last layer before the head makes of training photos (numbers, no pictures), by which unknown photos are told"
        }
        false => "",
    };
    format!(
        "{note}In a shell, with [petal](https://github.com/petal-rs/petal):\n\n```sh\npetal predict --model {file} photo.jpg folder/\npetal explain --model {file} photo.jpg --out cams/\n```\n\n\
         In Rust:\n\n```rust\n{}```\n\nThe file is in safetensors, and holds the weights, the classes and how photos are prepared{bank}; it needs nothing else.\n",
        LOAD.replace("best.safetensors", file)
    )
}

/// What it can be asked, and what it answers to everything else.
pub(super) fn purpose(card: &Card) -> String {
    let mut text = String::from("To name the class of photos like those that it has learned from");
    let classes = classes(card);
    if !classes.is_empty() {
        text += ", where one of its classes fills the photo";
    }
    let trusted = measured_parts(card.record, &["test", "val"]).find_map(|(_, evaluation)| evaluation.trusted);
    text += match trusted {
        Some(trusted) if trusted.has_limit => {
            ". It may call a picture that shows none of its classes unknown: not every one, and some that show one (“How far to trust it”).\n"
        }
        Some(_) => {
            ". It names one of its classes for any picture whatever, also for one that shows none of them: its validation photos were too few to tell, or it was not to.\n"
        }
        None => {
            ". It names one of its classes for any picture whatever, also for one that shows none of them. Its probabilities are those of its last layer.\n"
        }
    };
    text
}

/// What nobody has measured. It hangs on what the run tells.
pub(super) fn untested(card: &Card) -> String {
    let mut lines = vec![
        "Photos of other cameras, places, seasons or people than those that it has learned from.".to_string(),
        "Pictures that show none of its classes, or several of them.".into(),
        "Photos that were changed in order to mislead it.".into(),
        "Whether it treats groups of people alike, where photos show people.".into(),
        "Decisions that harm somebody if they are wrong: it is no ground for those.".into(),
    ];
    if let Some(photos) = &card.record.made_by.photos {
        lines.extend(lacking(photos));
    }
    lines.into_iter().map(|line| format!("- {line}\n")).collect()
}

/// What the licence in the head is, and what it is not.
pub(super) fn licence(card: &Card) -> String {
    let weights = card.record.made_by.weights.as_ref();
    let known = weights.and_then(|weights| Some((markdown(&weights.name), markdown(weights.licence.as_deref()?))));
    let first = match known {
        Some((name, licence)) => format!("The pretrained weights, {name}, are under {licence}."),
        None => "Nothing is recorded of a licence of its first weights.".into(),
    };
    format!(
        "{first} The photos that it has learned from may have terms of their own. Whoever publishes the model chooses its licence, and writes it into the head of this card.\n"
    )
}

/// Classes of which nothing is measured.
fn lacking(photos: &PhotosUsed) -> Option<String> {
    let none: Vec<String> =
        photos.classes.iter().filter(|class| class.test == 0).map(|class| markdown(&class.class)).collect();
    let all = photos.count(Split::Test) == 0;
    (!none.is_empty() && !all)
        .then(|| format!("Classes without a photo to test with: {}.", short_list(none.into_iter())))
}

fn classes(card: &Card) -> Vec<String> {
    let photos = card.record.made_by.photos.as_ref();
    photos.map_or(Vec::new(), |photos| photos.classes.iter().map(|class| class.class.clone()).collect())
}
