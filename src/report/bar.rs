//! A bar that shows long work in a cell, and hears Jupyter's Stop.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::kernel::{self, Display};
use super::plain::{escape, printable};
use super::words::{about, bytes, duration, thousands};
use crate::base::work::{Progress, Unit, Work};

/// Work that is over sooner is not shown.
const SHORT: Duration = Duration::from_millis(400);
/// How often the bar is drawn at most.
const EVERY: Duration = Duration::from_millis(200);

/// Shows long work in a notebook's cell, one bar for all that a call does, and ends it where Jupyter's Stop asks for that. Under a kernel that
/// shows nothing while a cell runs, and in a terminal, it shows nothing.
///
/// ```
/// use petal::report::Bar;
/// use petal::{Unit, Work};
///
/// let mut bar = Bar::new();
/// let mut work = Work::new("counting petals", Unit::Files, 3);
/// for file in 0..3 {
///     work.at(file, &mut bar)?;
/// }
/// work.end(&mut bar)?;
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Bar {
    display: Option<Display>,
    /// What is done now, and since when.
    now: Option<(Work, Instant)>,
    drawn: Option<Instant>,
    /// What was done before, and how long it took.
    before: Vec<(String, f64)>,
}

impl Bar {
    /// A bar that has shown nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn draw(&mut self) {
        let Some((work, since)) = &self.now else { return };
        let text = line(work, since.elapsed().as_secs_f64());
        let html = html(&text, work.share());
        let contents = [("text/html", html.as_str()), ("text/plain", text.as_str())];
        match &self.display {
            Some(display) => display.update(&contents),
            None => self.display = Display::new(&contents),
        }
        self.drawn = Some(Instant::now());
    }
}

impl Progress for Bar {
    fn tell(&mut self, work: &Work) -> ControlFlow<()> {
        if !kernel::is_listening() {
            return ControlFlow::Continue(());
        }
        let since = match self.now.take() {
            Some((last, since)) if last.name == work.name => since,
            last => {
                self.before.extend(last.map(|(last, since)| (last.name.into_owned(), since.elapsed().as_secs_f64())));
                Instant::now()
            }
        };
        let is_long = self.display.is_some() || since.elapsed() >= SHORT;
        self.now = Some((work.clone(), since));
        if is_long && self.drawn.is_none_or(|drawn| drawn.elapsed() >= EVERY) {
            self.draw();
        }
        if kernel::is_stop_asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// What stays is one line: what was done, and how long it took.
impl Drop for Bar {
    fn drop(&mut self) {
        let (Some(display), Some((work, since))) = (&self.display, &self.now) else { return };
        let is_whole = work.total > 0 && work.done >= work.total;
        let last = (work.name.to_string(), since.elapsed().as_secs_f64());
        let took = |(name, seconds): &(String, f64)| format!("{}: {}", printable(name), duration(*seconds));
        let mut parts: Vec<String> = self.before.iter().chain(is_whole.then_some(&last)).map(took).collect();
        if !is_whole {
            parts.push(format!("{} ended after {}", printable(&work.name), amount(work)));
        }
        let text = parts.join("; ");
        display.update(&[("text/html", &html(&text, None)), ("text/plain", &text)]);
    }
}

/// How far it is, in one line.
fn line(work: &Work, seconds: f64) -> String {
    let left = work.share().filter(|share| *share > 0.02 && *share < 1.0 && seconds > 1.0);
    let left = left.map_or(String::new(), |share| format!(", {} left", about(seconds * (1.0 - share) / share)));
    format!("{}: {}{left}", printable(&work.name), amount(work))
}

fn amount(work: &Work) -> String {
    let said = |number: u64| if work.unit == Unit::Bytes { bytes(number) } else { thousands(number) };
    let unit = match work.unit {
        Unit::Photos => " photos",
        Unit::Files => " files",
        Unit::Steps => " steps",
        Unit::Epochs => " epochs",
        Unit::Bytes => "",
    };
    match work.total {
        0 => format!("{}{unit}", said(work.done)),
        total => format!("{} of {}{unit}", said(work.done), said(total)),
    }
}

/// A line, and a bar below it; in the colours of the page that it stands in.
pub(super) fn html(text: &str, share: Option<f64>) -> String {
    let line = format!("<p style=\"margin:0 0 4px\">{}</p>", escape(text));
    let Some(share) = share else { return line };
    let filled =
        format!("width:{:.1}%;height:100%;border-radius:4px;background:#0072b2", 100.0 * share.clamp(0.0, 1.0));
    let groove = "width:100%;max-width:480px;height:8px;border-radius:4px;background:rgba(128,128,128,0.25)";
    format!("{line}<div style=\"{groove}\"><div style=\"{filled}\"></div></div>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_and_how_long() {
        let mut work = Work { done: 600, ..Work::new("looking at every photo", Unit::Photos, 2_400) };
        assert_eq!(line(&work, 10.0), "looking at every photo: 600 of 2,400 photos, 30 s left");
        work.total = 0;
        assert_eq!(line(&work, 10.0), "looking at every photo: 600 photos");
        let download = Work { done: 1_500_000, ..Work::new("downloading", Unit::Bytes, 3_000_000) };
        assert_eq!(line(&download, 0.5), "downloading: 1.5 MB of 3.0 MB");
        assert!(html("<b>", Some(2.0)).contains("width:100.0%") && !html("<b>", None).contains("<b>"));
    }

    #[test]
    fn where_nobody_listens_nothing_is_shown_and_nothing_ends() {
        let mut bar = Bar::new();
        Work::new("x", Unit::Steps, 2).end(&mut bar).unwrap();
        assert!(bar.now.is_none() && bar.display.is_none());
    }
}
