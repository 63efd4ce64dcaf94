//! A button that ends a training after its step.

use std::path::{Path, PathBuf};

use super::kernel::Display;
use super::widgets::{Listening, Widgets};
use crate::base::files;

/// A button below a training that runs: it asks the run to stop, as the file does that `fit` names.
#[derive(Debug)]
pub(super) struct StopButton {
    display: Display,
    /// The widgets close when this goes.
    _listening: Listening,
}

impl StopButton {
    /// Shows it; none where nobody would hear it.
    pub(super) fn new(stop_file: &Path) -> Option<Self> {
        let mut widgets = Widgets::new()?;
        let button = widgets.button("Stop", "ends training after the current step; everything is kept");
        let display = widgets.show(&button, "");
        let file: PathBuf = stop_file.into();
        let pressed = button.clone();
        let listening = widgets.listen(move |_, _| {
            pressed.set(&serde_json::json!({ "disabled": true, "description": "stopping" }));
            // Where it cannot be written, Jupyter's own Stop is still there.
            let _ = files::publish(&file, b"");
        })?;
        Some(Self { display, _listening: listening })
    }
}

impl Drop for StopButton {
    /// A button of a training that has ended would do nothing.
    fn drop(&mut self) {
        self.display.update(&[("text/html", ""), ("text/plain", "")]);
    }
}
