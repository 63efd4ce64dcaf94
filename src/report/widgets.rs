//! Widgets in a notebook: ipywidgets' own models and protocol (jupyter-widgets/controls 2.0), spoken over comms. Where a front end knows no
//! widgets, it shows the text that stands beside them.

use std::io::{BufRead, BufReader};
use std::thread::Builder;

use serde_json::{Value, json};

use super::kernel::{self, Display};

/// A widget that is shown somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Widget {
    id: String,
}

/// What a person did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A button was pressed.
    Pressed,
    /// One of a list was chosen, by its place.
    Chosen(usize),
}

/// Widgets that belong together.
#[derive(Debug)]
pub(super) struct Widgets {
    id: String,
    made: Vec<Widget>,
}

impl Widgets {
    /// No widget yet; none at all where no kernel brings back what is pressed.
    pub(super) fn new() -> Option<Self> {
        let is_heard = cfg!(unix) && kernel::is_listening() && std::env::var_os("PETAL_INBOX").is_some();
        is_heard.then(|| Self { id: kernel::new_id(), made: Vec::new() })
    }

    /// A button.
    pub(super) fn button(&mut self, label: &str, tooltip: &str) -> Widget {
        let layout = self.wide("auto");
        self.control("Button", json!({ "description": label, "tooltip": tooltip, "layout": layout }))
    }

    /// HTML; scripts in it do not run.
    pub(super) fn html(&mut self, html: &str) -> Widget {
        self.control("HTML", json!({ "value": html }))
    }

    /// A list to choose one from; the first is chosen.
    pub(super) fn choice(&mut self, labels: &[String]) -> Widget {
        let layout = self.wide("auto");
        self.control("Dropdown", json!({ "_options_labels": labels, "index": 0, "layout": layout }))
    }

    /// Widgets beside each other, in as many lines as they need.
    pub(super) fn row(&mut self, of: &[Widget]) -> Widget {
        let layout = self.layout(json!({ "flex_flow": "row wrap" }));
        self.control("HBox", json!({ "children": of.iter().map(Widget::name).collect::<Vec<_>>(), "layout": layout }))
    }

    /// Widgets below each other, so wide.
    pub(super) fn column(&mut self, of: &[Widget], width: &str) -> Widget {
        // A child's margins make it wider than its column: nothing is to be scrolled for that.
        let layout = self.layout(json!({ "width": width, "margin": "0 8px 12px 0", "overflow": "hidden" }));
        self.control("VBox", json!({ "children": of.iter().map(Widget::name).collect::<Vec<_>>(), "layout": layout }))
    }

    /// Shows a widget with all that is in it. `instead` is for front ends that know none.
    pub(super) fn show(&self, widget: &Widget, instead: &str) -> Display {
        Display::widget(&widget.id, instead)
    }

    /// Calls `hear` with each thing that a person does, in a thread of its own, until what is returned is dropped or the kernel ends.
    pub(super) fn listen(self, hear: impl FnMut(&Widget, Heard) + Send + 'static) -> Option<Listening> {
        #[cfg(unix)]
        {
            let inbox = std::env::var_os("PETAL_INBOX")?;
            let stream = std::os::unix::net::UnixStream::connect(inbox).ok()?;
            let reader = BufReader::new(stream.try_clone().ok()?);
            let made = self.made.clone();
            Builder::new().name("petal widgets".into()).spawn(move || read(reader, &made, hear)).ok()?;
            Some(Listening { stream, widgets: self })
        }
        #[cfg(not(unix))]
        None
    }

    fn wide(&mut self, width: &str) -> String {
        self.layout(json!({ "width": width }))
    }

    fn layout(&mut self, state: Value) -> String {
        self.open(("base", "Layout"), state).name()
    }

    fn control(&mut self, kind: &str, state: Value) -> Widget {
        self.open(("controls", kind), state)
    }

    fn open(&mut self, (module, kind): (&str, &str), mut state: Value) -> Widget {
        let module = format!("@jupyter-widgets/{module}");
        for (key, value) in [("_model_module", module.clone()), ("_view_module", module)] {
            state[key] = value.into();
            state[format!("{key}_version")] = "2.0.0".into();
        }
        state["_model_name"] = format!("{kind}Model").into();
        state["_view_name"] = format!("{kind}View").into();
        let widget = Widget { id: format!("{}-{}", self.id, self.made.len()) };
        let content = json!({
            "comm_id": widget.id,
            "target_name": "jupyter.widget",
            "data": { "state": state, "buffer_paths": [] },
        });
        kernel::say("comm_open", &content, Some(&json!({ "version": "2.1.0" })));
        self.made.push(widget.clone());
        widget
    }
}

impl Widget {
    /// What other widgets call it.
    fn name(&self) -> String {
        format!("IPY_MODEL_{}", self.id)
    }

    /// Changes some of its state: `{"value": …}`.
    pub(super) fn set(&self, state: &Value) {
        let data = json!({ "method": "update", "state": state, "buffer_paths": [] });
        kernel::say("comm_msg", &json!({ "comm_id": self.id, "data": data }), None);
    }
}

/// Widgets that are listened to. When this is dropped, they are closed, and nobody listens any more.
#[derive(Debug)]
pub(super) struct Listening {
    #[cfg(unix)]
    stream: std::os::unix::net::UnixStream,
    widgets: Widgets,
}

impl Drop for Listening {
    fn drop(&mut self) {
        #[cfg(unix)]
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        for widget in &self.widgets.made {
            kernel::say("comm_close", &json!({ "comm_id": widget.id, "data": {} }), None);
        }
    }
}

/// Reads messages, one a line, and hands on those that are for one of these widgets.
fn read(reader: impl BufRead, made: &[Widget], mut hear: impl FnMut(&Widget, Heard)) {
    for line in reader.lines() {
        let Ok(line) = line else { return };
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        let content = &message["content"];
        let widget = made.iter().find(|widget| content["comm_id"] == widget.id.as_str());
        if let (Some(widget), Some(heard)) = (widget, heard(&content["data"])) {
            hear(widget, heard);
        }
    }
}

fn heard(data: &Value) -> Option<Heard> {
    match data["method"].as_str()? {
        "custom" if data["content"]["event"] == "click" => Some(Heard::Pressed),
        "update" => Some(Heard::Chosen(usize::try_from(data["state"]["index"].as_u64()?).ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pressed_and_chosen_is_heard_and_other_messages_are_not() {
        let widget = Widget { id: "petal-1-0".into() };
        let lines = [
            r#"{"msg_type":"comm_msg","content":{"comm_id":"petal-1-0","data":{"method":"custom","content":{"event":"click"}}}}"#,
            r#"{"msg_type":"comm_msg","content":{"comm_id":"other","data":{"method":"custom","content":{"event":"click"}}}}"#,
            "not JSON",
            r#"{"msg_type":"comm_msg","content":{"comm_id":"petal-1-0","data":{"method":"update","state":{"index":3}}}}"#,
            r#"{"msg_type":"comm_msg","content":{"comm_id":"petal-1-0","data":{"method":"request_state"}}}"#,
            r#"{"msg_type":"comm_msg","content":{"comm_id":"petal-1-0","data":{"method":"update","state":{"index":-1}}}}"#,
        ]
        .join("\n");
        let mut found = Vec::new();
        read(lines.as_bytes(), std::slice::from_ref(&widget), |_, heard| found.push(heard));
        assert_eq!(found, [Heard::Pressed, Heard::Chosen(3)]);
    }
}
