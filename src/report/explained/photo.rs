//! One photo of the page: itself, its heat map, and what is said of it.

use base64::Engine;

use super::super::plain::escape;
use super::super::said::instead;
use crate::base::error::Result;
use crate::eval::Prediction;
use crate::explain::{HeatMap, overlay};
use crate::pixels::{self, Rgb};

/// Most pixels a side of a picture: twice what a page shows it in.
const SIDE: usize = 320;

/// A photo as HTML, and how many bytes its pictures have.
pub(super) fn article(
    photo: &Rgb,
    heat: &HeatMap,
    prediction: &Prediction,
    classes: &[String],
) -> Result<(String, usize)> {
    let warm = overlay(photo, heat, heat.max());
    let (class, _) = prediction.best();
    let name = |class: usize| escape(classes.get(class).map_or("?", String::as_str));
    let file = escape(&prediction.path.file_name().unwrap_or_default().to_string_lossy());
    let (kind, truth) = match prediction.target {
        Some(target) if target != class => ("wrong", format!("<p class=\"truth\">Wrong: it is {}</p>", name(target))),
        Some(_) => ("right", "<p class=\"truth\">Right</p>".to_string()),
        None => ("unknown", String::new()),
    };
    let of = if heat.class == class {
        String::new()
    } else {
        format!("<p class=\"soft\">The map is for {}</p>", name(heat.class))
    };
    let (seen, seen_bytes) = picture(photo, &format!("{file}, as the network sees it"))?;
    let (map, map_bytes) = picture(&warm, &format!("Heat map for {}: {}", name(heat.class), place(heat)))?;
    let html = format!(
        "<li><article class=\"{kind}\"><div class=\"pair\">{seen}{map}</div><h3>{file}</h3><p class=\"said\">{}</p>{truth}{of}<p class=\"path\">{}</p></article></li>\n",
        said(prediction, classes),
        escape(&prediction.path.display().to_string())
    );
    Ok((html, seen_bytes + map_bytes))
}

/// The class with its probability; where it is unknown, or may be of several, that comes first.
fn said(prediction: &Prediction, classes: &[String]) -> String {
    let (class, probability) = prediction.best();
    let best = format!("{} {}", escape(classes.get(class).map_or("?", String::as_str)), percent(probability));
    match instead(prediction, classes) {
        Some(said) => format!("{} <span class=\"soft\">(most like {best})</span>", escape(&said)),
        None => best,
    }
}

/// A photo that there was no room for: a row of a table.
pub(super) fn row(prediction: &Prediction, classes: &[String]) -> String {
    let name = |class: usize| escape(classes.get(class).map_or("?", String::as_str));
    let truth = prediction.target.map_or(String::new(), name);
    let path = escape(&prediction.path.display().to_string());
    format!("<tr><td>{path}</td><td>{}</td><td>{truth}</td></tr>\n", said(prediction, classes))
}

/// A probability as people say it: what is not certain is never 100 %.
fn percent(probability: f32) -> String {
    let percent = f64::from(probability) * 100.0;
    if percent < 99.5 { format!("{percent:.0} %") } else { format!("{:.1} %", (percent * 10.0).floor() / 10.0) }
}

fn picture(picture: &Rgb, alt: &str) -> Result<(String, usize)> {
    let shown =
        if picture.width.max(picture.height) > SIDE { pixels::resize::fit(picture, SIDE)? } else { picture.clone() };
    let jpeg = pixels::encode_jpeg(&shown, 85)?;
    let data = base64::engine::general_purpose::STANDARD.encode(&jpeg);
    let html = format!(
        "<img src=\"data:image/jpeg;base64,{data}\" alt=\"{alt}\" width=\"{}\" height=\"{}\" loading=\"lazy\">",
        shown.width, shown.height
    );
    Ok((html, jpeg.len()))
}

/// Where a map is strongest and how much of it is warm, for those who do not see it.
fn place(heat: &HeatMap) -> String {
    let most = heat.max();
    if most <= 0.0 {
        return "nothing spoke for it".into();
    }
    let strongest = heat.values.iter().position(|value| *value == most).unwrap_or(0);
    let third = |place: usize, size: usize, names: [&'static str; 3]| names[(place * 3 + 1) / size.max(1) % 3];
    let down = third(strongest / heat.width, heat.height, ["upper", "middle", "lower"]);
    let across = third(strongest % heat.width, heat.width, ["left", "middle", "right"]);
    let at = match (down, across) {
        ("middle", "middle") => "in the middle".to_string(),
        ("middle", across) => format!("at the {across}"),
        (down, "middle") => format!("in the {down} middle"),
        (down, across) => format!("at the {down} {across}"),
    };
    let warm = heat.values.iter().filter(|value| **value > most / 2.0).count() as f64 / heat.values.len().max(1) as f64;
    format!("strongest {at}; warm in {:.0} % of the photo", 100.0 * warm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_described_by_where_it_is_strongest() {
        let map = |at: usize| {
            let mut values = vec![0.0; 49];
            values[at] = 1.0;
            HeatMap { width: 7, height: 7, values, class: 0 }
        };
        for (at, said) in [
            (0, "upper left"),
            (6, "upper right"),
            (24, "in the middle"),
            (21, "at the left"),
            (45, "lower middle"),
            (48, "lower right"),
        ] {
            assert!(place(&map(at)).contains(said), "{at}: {}", place(&map(at)));
        }
        assert!(place(&map(0)).ends_with("warm in 2 % of the photo"));
        assert_eq!(place(&HeatMap { width: 1, height: 1, values: vec![0.0], class: 0 }), "nothing spoke for it");
        assert_eq!([0.5, 0.9949, 0.9999, 1.0].map(percent), ["50 %", "99 %", "99.9 %", "100.0 %"]);
    }
}
