//! The panel that shows a training while it runs.

use super::live;
use super::plain;
use super::progress::line;
use super::view::View;
use crate::base::error::Result;
use crate::train::{Run, State, Status};

/// A panel that shows a training while it runs: how far it is, the curves so far, and a button that stops it.
///
/// The kernel is busy while a cell trains and shows nothing but lines, so the panel looks by itself: a small script reads the
/// run's `status.json` through Jupyter, every second. Where no script runs (another program than Jupyter, an exported or an
/// untrusted notebook), what stands there is how the training stood when the cell was run.
#[derive(Clone, Debug)]
pub struct Watch {
    view: View,
    /// What runs in Jupyter; none elsewhere.
    script: Option<String>,
}

impl Watch {
    /// A panel for this run. `in_jupyter`: a Jupyter server will show it.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the run's folder cannot be written to.
    pub fn new(run: &Run, in_jupyter: bool) -> Result<Self> {
        let status = stand(run)?;
        let name = run.folder.file_name().unwrap_or_default().to_string_lossy();
        let view = View::new(format!("run {name}")).line(line(&status)).hint(
            "next: run the fit cell; in Jupyter, this panel then shows the curves, the progress and a Stop button",
        );
        let script = in_jupyter.then(|| {
            // JSON in a script: a `<` could end the element.
            let folder = serde_json::Value::from(run.folder.display().to_string()).to_string().replace('<', "\\u003c");
            format!("{}({folder});", include_str!("watch.js").trim_end())
        });
        Ok(Self { view, script })
    }

    /// The panel, with its script where it has one.
    pub fn html(&self) -> String {
        let script = self.script.as_ref().map_or(String::new(), |script| format!("<script>\n{script}\n</script>"));
        format!("<div>{}</div>{script}", self.view.html())
    }

    /// How the training stood, as plain text.
    pub fn text(&self) -> String {
        self.view.text()
    }

    /// Called by the notebook's kernel to show this.
    pub fn evcxr_display(&self) {
        plain::show(&[("text/html", &self.html()), ("text/plain", &self.text())]);
    }
}

/// How the run stands, by its `status.json`, which is made or put right where nobody is at work on it.
fn stand(run: &Run) -> Result<Status> {
    let written = live::read(run);
    let lock = run.lock();
    let (status, pictured) = match (written, &lock) {
        // Its process was killed.
        (Some(written), Ok(_)) if written.status.state.is_busy() => {
            (Status { state: State::Stopped, seconds_left: None, ..written.status }, written.pictured)
        }
        (None, Ok(_)) => (Status::default(), 0),
        // As it was left; or another process or thread is at work on it, and the panel shows that.
        (written, _) => return Ok(written.map(|written| written.status).unwrap_or_default()),
    };
    live::write(run, &status, pictured)?;
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_folder_can_end_the_script_and_elsewhere_there_is_none() {
        let parent = tempfile::tempdir().unwrap();
        let run = Run::new(parent.path().join("a</script><img src=x>"), Default::default());
        let html = Watch::new(&run, true).unwrap().html();
        assert_eq!(html.matches("</script>").count(), 1, "{html}");
        assert!(!html.contains("<img src=x"), "{html}");
        let plain = Watch::new(&run, false).unwrap();
        assert!(!plain.html().contains("<script"), "{}", plain.html());
        assert!(plain.text().contains("training has not begun"), "{}", plain.text());
    }

    #[test]
    fn a_killed_training_is_not_shown_as_running() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run::new(folder.path(), Default::default());
        let busy = Status { state: State::Training, phase: "head".into(), epoch: 2, epochs: 5, ..Status::default() };
        live::write(&run, &busy, 1).unwrap();
        let lock = run.lock().unwrap();
        assert_eq!(stand(&run).unwrap(), busy, "somebody is at work on it");
        drop(lock);
        assert!(Watch::new(&run, true).unwrap().text().contains("stopped in epoch 2 of 5"));
        assert_eq!(stand(&run).unwrap().state, State::Stopped);
    }
}
