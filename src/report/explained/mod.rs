//! Photos with their heat maps on one page that needs nothing else, those first that a person should look at.

mod order;
mod photo;

use std::path::{Path, PathBuf};

use candle_core::Tensor;

use super::plain::escape;
use super::words::{counted, thousands};
use super::{View, shows};
use crate::base::error::Result;
use crate::base::files::output;
use crate::base::work::{Progress, Unit, Work};
use crate::data;
use crate::eval::predict::Unreadable;
use crate::eval::{Prediction, metrics};
use crate::explain::{self, HeatMap, Method, overlay};
use crate::export::ModelInfo;
use crate::models::Model;
use crate::pixels::{Limits, Rgb};

/// What is explained, and how.
#[derive(Debug)]
pub struct ToExplain<'a> {
    /// Which method weighs the maps.
    pub method: &'a dyn Method,
    /// The network.
    pub model: &'a Model,
    /// What its file says of it: classes, preprocessing.
    pub info: &'a ModelInfo,
    /// Photos with what the network says of them; with their true class where that is known ([`by_folder`](crate::eval::by_folder())).
    pub predictions: &'a [Prediction],
    /// Photos that could not be read: they are counted and named.
    pub unreadable: &'a [Unreadable],
    /// Hidden files and folders that were not looked into: they are counted.
    pub hidden: usize,
    /// The class to explain; nothing for each photo's predicted one.
    pub class: Option<usize>,
    /// Whether the maps can be trusted, to be shown on the page.
    pub check: Option<View>,
}

/// A page that was made.
#[derive(Clone, Debug)]
pub struct ExplainedPage {
    html: String,
    /// Photos with a picture, those without (the page would be too large), and those that could not be read.
    pub photos: [usize; 3],
    /// Photos whose true class is known, and those of them that are wrong.
    pub known_and_wrong: (usize, usize),
    /// Where it was written.
    pub path: Option<PathBuf>,
}

shows!(ExplainedPage);

/// Most bytes of pictures on a page, before they are written as text, which takes a third more.
const MOST_BYTES: usize = 24 << 20;

/// Photos whose maps are computed together.
const BATCH: usize = 16;

/// A page of these photos: each with its heat map, its predicted class and probability. Wrong ones come first, then unsure ones. Every map has a scale of its
/// own, so that a photo of which little speaks for the class shows where that is, too.
///
/// The page is one file without scripts, in light and dark, for keyboards and screen readers. Its pictures take 24 MiB at most; photos beyond that are listed by name.
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) if the network has no maps; [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) if `progress` ends it. A photo
/// that cannot be read any more counts as unreadable.
pub fn explained(what: &ToExplain, progress: &mut dyn Progress) -> Result<ExplainedPage> {
    explained_within(what, MOST_BYTES, progress)
}

/// The same with so many bytes of pictures at most.
fn explained_within(what: &ToExplain, most: usize, progress: &mut dyn Progress) -> Result<ExplainedPage> {
    let groups = order::groups(what.predictions);
    let mut gone: Vec<(&Path, String)> =
        what.unreadable.iter().map(|bad| (bad.path.as_path(), bad.error.in_a_line())).collect();
    let mut work = Work::new("explaining", Unit::Photos, what.predictions.len() as u64);
    let (mut used, mut shown, mut listed, mut done) = (0, 0, 0, 0);
    let (mut sections, mut links) = (String::new(), String::new());
    for group in &groups {
        let (mut articles, mut rows) = (String::new(), String::new());
        for batch in group.photos.chunks(BATCH) {
            work.at(done, progress)?;
            done += batch.len() as u64;
            if used >= most {
                rows.extend(batch.iter().map(|prediction| photo::row(prediction, &what.info.classes)));
                listed += batch.len();
                continue;
            }
            let mut read = Vec::new();
            for &prediction in batch {
                match data::photo::read(&prediction.path, &Limits::NONE)
                    .and_then(|photo| what.info.preprocess.square(&photo))
                {
                    Ok(photo) => read.push((prediction, photo)),
                    Err(error) => gone.push((&prediction.path, error.in_a_line())),
                }
            }
            for ((prediction, photo), heat) in read.iter().zip(maps(what, &read)?) {
                let (html, bytes) = photo::article(photo, &heat, prediction, &what.info.classes)?;
                articles += &html;
                used += bytes;
                shown += 1;
            }
        }
        let (id, count) = (group.id, counted(group.photos.len(), "photo"));
        links += &format!("<li><a href=\"#{id}\">{} ({})</a></li>", group.title, thousands(group.photos.len() as u64));
        sections += &format!(
            "<section id=\"{id}\" aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\">{}: {count}</h2>\n",
            group.title
        );
        if !articles.is_empty() {
            sections += &format!("<ul class=\"grid\" role=\"list\">\n{articles}</ul>\n");
        }
        if !rows.is_empty() {
            sections += &format!(
                "<p class=\"soft\">Without pictures, which would make this page too large; name fewer photos to see them:</p>\n<table><thead><tr><th>photo</th><th>predicted</th><th>is</th></tr></thead><tbody>\n{rows}</tbody></table>\n"
            );
        }
        sections += "</section>\n";
    }
    work.end(progress)?;
    let known: Vec<&Prediction> = what.predictions.iter().filter(|photo| photo.target.is_some()).collect();
    let wrong = known.iter().filter(|photo| photo.is_right() == Some(false)).count();
    let known_and_wrong = (known.len(), wrong);
    if !gone.is_empty() {
        links += &format!("<li><a href=\"#unreadable\">Not read ({})</a></li>", thousands(gone.len() as u64));
        sections += &unreadable(&gone);
    }
    if let Some(check) = &what.check {
        links += "<li><a href=\"#check\">Can the maps be trusted?</a></li>";
        sections += &format!(
            "<section id=\"check\" class=\"check\" aria-labelledby=\"check-title\"><h2 id=\"check-title\">Can the maps be trusted?</h2>\n{}\n</section>\n",
            check.clone().without_hints().html()
        );
    }
    let title = format!("{}: {}", what.method.title(), what.method.shows());
    let body = format!(
        "<a class=\"skip\" href=\"#photos\">To the photos</a>\n<header><h1>{}</h1>\n{}<nav aria-label=\"Parts of this page\"><ul>{links}</ul></nav></header>\n<main id=\"photos\">\n{sections}</main>",
        escape(&title),
        head(what, known_and_wrong)
    );
    let html = include_str!("page.html")
        .replace("{title}", &escape(&title))
        .replace("{colours}", &scale())
        .replacen("{body}", &body, 1);
    Ok(ExplainedPage { html, photos: [shown, listed, gone.len()], known_and_wrong, path: None })
}

/// The heat maps of photos that lie as the network sees them.
fn maps(what: &ToExplain, photos: &[(&Prediction, Rgb)]) -> Result<Vec<HeatMap>> {
    if photos.is_empty() {
        return Ok(Vec::new());
    }
    let preprocess = &what.info.preprocess;
    let values: Vec<f32> = photos.iter().flat_map(|(_, photo)| preprocess.normalize(photo)).collect();
    let shape = (photos.len(), preprocess.size, preprocess.size, 3);
    let images = Tensor::from_vec(values, shape, &what.model.device())?.permute((0, 3, 1, 2))?;
    let class = |(prediction, _): &(&Prediction, Rgb)| Some(what.class.unwrap_or(prediction.best().0));
    explain::cam(what.method, what.model, &images, &photos.iter().map(class).collect::<Vec<_>>())
}

/// What is said above all photos.
fn head(what: &ToExplain, (known, wrong): (usize, usize)) -> String {
    let photos = what.predictions.len() + what.unreadable.len();
    let mut text = format!("<p>{} asked about {}", escape(&what.info.name()), counted(photos, "photo"));
    if known > 0 {
        let right = metrics::wilson(known - wrong, known);
        text += &format!(
            ". Of {} whose folder is named after a class, {} right: {:.1} % (95 % interval {:.1} to {:.1} %; that says how good it is only of photos that it has not learned from)",
            counted(known, "photo"),
            if known - wrong == 1 { "1 is".into() } else { format!("{} are", thousands((known - wrong) as u64)) },
            100.0 * right.value,
            100.0 * right.low,
            100.0 * right.high
        );
    }
    text += ".</p>\n";
    if what.hidden > 0 {
        text += &format!(
            "<p class=\"soft\">Not looked into, because hidden: {} files and folders.</p>\n",
            thousands(what.hidden as u64)
        );
    }
    text + "<p class=\"soft\">Left, what the network sees of a photo; right, the same in grey, the warmer the more a place counted. Each map has a scale of its own: colours of two photos do not compare.</p>\n\
            <p class=\"scale\">nothing <span aria-hidden=\"true\"></span> most</p>\n"
}

fn unreadable(gone: &[(&Path, String)]) -> String {
    let row = |(path, why): &(&Path, String)| {
        format!("<tr><td>{}</td><td>{}</td></tr>\n", escape(&path.display().to_string()), escape(why))
    };
    format!(
        "<section id=\"unreadable\" aria-labelledby=\"unreadable-title\"><h2 id=\"unreadable-title\">Could not be read: {}</h2>\n<table><thead><tr><th>file</th><th>why</th></tr></thead><tbody>\n{}</tbody></table></section>\n",
        counted(gone.len(), "file"),
        gone.iter().map(row).collect::<String>()
    )
}

/// The colours of a map, for the scale.
fn scale() -> String {
    let colour = |step: usize| {
        let [r, g, b] = overlay::colour(step as f32 / 7.0);
        format!("rgb({r} {g} {b})")
    };
    (0..8).map(colour).collect::<Vec<_>>().join(", ")
}

const PAGE: output::Kind = output::Kind {
    name: "a page of explained photos",
    is: |bytes| bytes.windows(GENERATOR.len()).any(|part| part == GENERATOR),
};
const GENERATOR: &[u8] = b"<meta name=\"generator\" content=\"petal explain\">";

impl ExplainedPage {
    /// The page.
    pub fn page(&self) -> &str {
        &self.html
    }

    /// Writes the page. An earlier one there is replaced; any other file is not.
    ///
    /// # Errors
    /// Those of [`output::write`].
    pub fn save(mut self, path: impl AsRef<Path>) -> Result<Self> {
        output::write(path.as_ref(), PAGE, self.html.as_bytes())?;
        self.path = Some(path.as_ref().to_path_buf());
        Ok(self)
    }

    /// Fails where [`ExplainedPage::save`] would, before there is a page.
    ///
    /// # Errors
    /// See [`output::check_free`].
    pub fn check_free(path: &Path) -> Result<()> {
        output::check_free(path, PAGE)
    }

    /// What is on it, and where it is.
    pub fn view(&self) -> View {
        let [shown, listed, unreadable] = self.photos;
        let mut facts = vec![("with their heat maps", counted(shown, "photo"))];
        if listed > 0 {
            facts.push((
                "by name alone",
                format!("{}; with pictures, the page would be too large", counted(listed, "photo")),
            ));
        }
        if unreadable > 0 {
            facts.push(("could not be read", format!("{}, named on the page", counted(unreadable, "file"))));
        }
        let (known, wrong) = self.known_and_wrong;
        if known > 0 {
            facts.push((
                "wrong",
                format!(
                    "{} of {} whose folder is named after a class",
                    thousands(wrong as u64),
                    thousands(known as u64)
                ),
            ));
        }
        facts.extend(self.path.as_ref().map(|path| ("page", path.display().to_string())));
        View::new("photos explained on one page").facts(facts)
    }
}

#[cfg(test)]
mod tests;
