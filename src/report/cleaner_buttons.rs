//! The cleaner with buttons: keep, relabel or drop, photo by photo, a page at a time.

use base64::Engine;
use serde_json::json;

use super::cleaner::{PAGE, in_part};
use super::plain::escape;
use super::widgets::{Heard, Widget, Widgets};
use super::words::counted;
use crate::base::error::Result;
use crate::data::photo;
use crate::eval::Cleaner;
use crate::pixels::resize::fit;
use crate::pixels::{Limits, encode_jpeg};

/// Longest side of a photo on a page, in pixels: twice what it is shown in.
const SIDE: usize = 360;

/// What stands on one page.
struct Tile {
    picture: Widget,
    words: Widget,
    keep: Widget,
    class: Widget,
    drop: Widget,
}

/// Where a person is, and what is shown there.
struct Pages {
    cleaner: Cleaner,
    /// The number of the first photo of the page, from 1.
    first: usize,
    tiles: Vec<Tile>,
    title: Widget,
    said: Widget,
    earlier: Widget,
    later: Widget,
    save: Widget,
}

impl Cleaner {
    /// Called by the notebook's kernel to show this: where the front end knows widgets, with buttons that mark photos.
    pub fn evcxr_display(&self) {
        show(self);
        self.view().show();
    }
}

/// Shows a cleaner's photos with buttons for as long as the kernel lives; nothing where no widgets can be shown.
///
/// What is pressed is a mark of this very cleaner, as if [`Cleaner::keep`], [`Cleaner::relabel`] or [`Cleaner::drop_photos`] had been called; the
/// button "save" is [`Cleaner::save`].
fn show(cleaner: &Cleaner) -> Option<()> {
    let mut widgets = Widgets::new().filter(|_| !cleaner.suspects.is_empty())?;
    let classes: Vec<String> = std::iter::once("class …".to_string()).chain(cleaner.classes.iter().cloned()).collect();
    let (mut tiles, mut columns) = (Vec::new(), Vec::new());
    for _ in 0..PAGE.min(cleaner.suspects.len()) {
        let tile = Tile {
            picture: widgets.html(""),
            words: widgets.html(""),
            keep: widgets.button("keep", "the class is right"),
            class: widgets.choice(&classes),
            drop: widgets.button("drop", "it shows nothing of any class, or spoils what is learned"),
        };
        let marks = widgets.row(&[tile.keep.clone(), tile.drop.clone()]);
        columns.push(widgets.column(&[tile.picture.clone(), tile.words.clone(), tile.class.clone(), marks], "168px"));
        tiles.push(tile);
    }
    let (title, said) = (widgets.html(""), widgets.html(""));
    let earlier = widgets.button("earlier", "the page before");
    let later = widgets.button("later", "the next page");
    let save = widgets.button("save", "writes the marks to decisions.csv");
    let grid = widgets.row(&columns);
    let buttons = widgets.row(&[earlier.clone(), later.clone(), save.clone()]);
    let whole = widgets.column(&[title.clone(), grid, buttons, said.clone()], "auto");
    let mut pages = Pages { cleaner: cleaner.clone(), first: 1, tiles, title, said, earlier, later, save };
    pages.draw();
    widgets.show(&whole, "mark by number: see below");
    let listening = widgets.listen(move |widget, heard| pages.hear(widget, heard))?;
    // They stay for as long as the kernel lives: nobody can say when a person is done with them.
    std::mem::forget(listening);
    Some(())
}

impl Pages {
    fn hear(&mut self, widget: &Widget, heard: Heard) {
        let of = |part: fn(&Tile) -> &Widget| self.tiles.iter().position(|tile| part(tile) == widget);
        let number = |place: usize| self.first + place;
        let done: Result<String> = if *widget == self.earlier {
            self.turn(self.first.saturating_sub(PAGE).max(1));
            return;
        } else if *widget == self.later {
            self.turn(self.first + PAGE);
            return;
        } else if *widget == self.save {
            self.cleaner.save().map(|saved| {
                format!("saved: {} in {}", counted(saved.saved.iter().sum(), "decision"), saved.path.display())
            })
        } else if let Some(place) = of(|tile| &tile.keep) {
            self.cleaner.keep(&[number(place)]).map(|()| String::new())
        } else if let Some(place) = of(|tile| &tile.drop) {
            self.cleaner.drop_photos(&[number(place)]).map(|()| String::new())
        } else if let (Some(place), Heard::Chosen(class)) = (of(|tile| &tile.class), heard) {
            match class.checked_sub(1).and_then(|class| self.cleaner.classes.get(class).cloned()) {
                Some(class) => self.cleaner.relabel(&[number(place)], &class).map(|()| String::new()),
                // Back to "class …": the mark goes.
                None => self.cleaner.unmark(&[number(place)]).map(|()| String::new()),
            }
        } else {
            return;
        };
        let said = done.unwrap_or_else(|error| error.in_a_line());
        self.said.set(&json!({ "value": format!("<p>{}</p>", escape(&said)) }));
        self.draw_marks();
    }

    fn turn(&mut self, first: usize) {
        if first <= self.cleaner.suspects.len() {
            self.first = first;
            self.draw();
        }
    }

    /// Photos and marks.
    fn draw(&self) {
        for (place, tile) in self.tiles.iter().enumerate() {
            let number = self.first + place;
            let is_there = number <= self.cleaner.suspects.len();
            for widget in [&tile.keep, &tile.class, &tile.drop] {
                widget.set(&json!({ "disabled": !is_there }));
            }
            tile.class.set(&json!({ "index": 0 }));
            let picture = if is_there { self.picture(number) } else { String::new() };
            tile.picture.set(&json!({ "value": picture }));
        }
        let last = self.first + self.tiles.len() > self.cleaner.suspects.len();
        self.earlier.set(&json!({ "disabled": self.first == 1 }));
        self.later.set(&json!({ "disabled": last }));
        self.draw_marks();
    }

    /// What is said of the photos; they themselves are read once a page.
    fn draw_marks(&self) {
        let marks = self.cleaner.marks();
        let all = self.cleaner.suspects.len();
        let last = (self.first + self.tiles.len() - 1).min(all);
        let title = format!("photos {} to {last} of {all} {}; {} marked", self.first, self.cleaner.listed, marks.len());
        self.title.set(&json!({ "value": format!("<p><strong>{}</strong></p>", escape(&title)) }));
        for (place, tile) in self.tiles.iter().enumerate() {
            let number = self.first + place;
            let words = if number <= all { self.words(number) } else { String::new() };
            tile.words.set(&json!({ "value": words }));
        }
    }

    fn picture(&self, number: usize) -> String {
        let picture = self.cleaner.suspect(number).and_then(|suspect| {
            let small = fit(&photo::read(&suspect.prediction.path, &Limits::NONE)?, SIDE)?;
            encode_jpeg(&small, 85)
        });
        match picture {
            Ok(bytes) => {
                let data = base64::engine::general_purpose::STANDARD.encode(bytes);
                let style = "width:100%;height:140px;object-fit:contain;background:rgba(128,128,128,0.15)";
                format!(
                    "<img alt=\"{}\" style=\"{style}\" src=\"data:image/jpeg;base64,{data}\">",
                    escape(&self.cleaner.row(number - 1).name)
                )
            }
            Err(error) => format!("<p>{}</p>", escape(&error.in_a_line())),
        }
    }

    fn words(&self, number: usize) -> String {
        let row = self.cleaner.row(number - 1);
        let said = format!("predicted {} {:.0} %, loss {:.2}", row.predicted, 100.0 * row.probability, row.loss);
        let marked =
            row.decision.map_or(String::new(), |decision| format!("<br><strong>{}</strong>", escape(&decision)));
        let about = format!("{number}&ensp;<strong>{}</strong>{}", escape(&row.class), in_part(row.split));
        let why = self.cleaner.suspects.get(number - 1).map_or("", |suspect| &suspect.why);
        let why = if why.is_empty() { String::new() } else { format!("<br>{}", escape(why)) };
        format!("<div style=\"line-height:1.3\">{about}<br>{}{why}{marked}</div>", escape(&said))
    }
}
