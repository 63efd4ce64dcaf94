//! What comes from the process that runs the cells: shown as it comes, and noted for the answer.

use super::comms::Comms;
use super::lock;
use super::output::Output;
use super::record::{Decoder, Failure, Record, bundle};
use super::stop::Stop;
use crate::shim::{Frame, SYNC};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::io::{self, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// The process, and what it said of the cell at hand.
pub(crate) struct Process {
    output: Arc<Output>,
    comms: Arc<Comms>,
    stop: Arc<Stop>,
    record: Mutex<Record>,
    link: Mutex<Link>,
    changed: Condvar,
    /// Bytes of text that are shown of a cell.
    limit: usize,
}

/// The connection to the shim.
#[derive(Default)]
struct Link {
    stream: Option<UnixStream>,
    /// How many there were: after each end of the process there is a new one.
    number: u64,
    /// The last that has ended.
    ended: u64,
    synced: u64,
}

impl Process {
    pub(crate) fn listen(
        path: &Path,
        output: Arc<Output>,
        comms: Arc<Comms>,
        stop: Arc<Stop>,
    ) -> io::Result<Arc<Process>> {
        let listener = UnixListener::bind(path)?;
        let megabytes = std::env::var("PETAL_OUTPUT_LIMIT").ok().and_then(|text| text.parse().ok()).unwrap_or(16);
        let process = Arc::new(Process {
            output,
            comms,
            stop,
            record: Mutex::default(),
            link: Mutex::default(),
            changed: Condvar::new(),
            limit: megabytes << 20,
        });
        let ours = Arc::clone(&process);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let ours = Arc::clone(&ours);
                std::thread::spawn(move || ours.attend(stream));
            }
        });
        Ok(process)
    }

    /// A cell begins; the number of the process's connection, for `settle`.
    pub(super) fn begin(&self) -> u64 {
        *lock(&self.record) = Record::default();
        lock(&self.link).number
    }

    /// Waits until all that the process said so far is shown, and gives what it said of the cell.
    pub(super) fn settle(&self, number: u64) -> Record {
        let mut link = lock(&self.link);
        let wanted = link.synced + 1;
        if link.ended < number && link.number == number {
            // Where the shim is gone, its end is what is waited for.
            let _ = link.stream.as_mut().map(|stream| stream.write_all(&[SYNC]));
        }
        let until = Instant::now() + Duration::from_secs(10);
        while link.synced < wanted && link.ended < number && Instant::now() < until {
            link =
                self.changed.wait_timeout(link, Duration::from_millis(100)).unwrap_or_else(|held| held.into_inner()).0;
        }
        drop(link);
        std::mem::take(&mut *lock(&self.record))
    }

    /// Shows blocks as a display of their own.
    pub(super) fn show_blocks(&self, blocks: Vec<(String, Vec<u8>)>) {
        if !blocks.is_empty() {
            self.output.show("display_data", &json!({ "data": bundle(blocks), "metadata": {}, "transient": {} }));
        }
    }

    fn attend(&self, stream: UnixStream) {
        let Ok(writer) = stream.try_clone() else { return };
        let number = {
            let mut link = lock(&self.link);
            link.number += 1;
            link.stream = Some(writer);
            link.number
        };
        let mut reader = BufReader::with_capacity(1 << 16, stream);
        let mut decoders = [Decoder::default(), Decoder::default()];
        while let Ok(frame) = Frame::read(&mut reader) {
            self.hear(frame, &mut decoders);
        }
        let mut link = lock(&self.link);
        link.ended = link.ended.max(number);
        drop(link);
        self.comms.lost();
        self.changed.notify_all();
    }

    fn hear(&self, frame: Frame, decoders: &mut [Decoder; 2]) {
        match frame {
            Frame::Hello(id) => self.stop.process_is(id),
            Frame::Running => self.stop.runs(),
            Frame::Out(bytes) => {
                let text = decoders[0].decode(&bytes);
                self.text("stdout", &text);
            }
            Frame::Err(bytes) => {
                let text = decoders[1].decode(&bytes);
                lock(&self.record).remember(&text);
                self.text("stderr", &text);
            }
            Frame::Message(json) => {
                self.display_what_waits();
                self.message(&json);
            }
            Frame::Content(kind, body) => {
                if lock(&self.record).begins_anew(&kind) {
                    self.display_what_waits();
                }
                lock(&self.record).blocks.push((kind, body));
            }
            Frame::Panic(text) => self.failed(Failure::Panic, &text),
            Frame::Failed(text) => self.failed(Failure::QuestionMark, &text),
            Frame::Refused => lock(&self.record).refused = true,
            Frame::Done => self.stop.ran(),
            Frame::Synced => {
                lock(&self.link).synced += 1;
                self.changed.notify_all();
            }
            Frame::Ended(how) => lock(&self.record).ended = Some(how),
        }
    }

    fn failed(&self, failure: Failure, text: &[u8]) {
        self.display_what_waits();
        lock(&self.record).failure = Some((failure, String::from_utf8_lossy(text).into_owned()));
    }

    fn display_what_waits(&self) {
        let blocks = std::mem::take(&mut lock(&self.record).blocks);
        self.show_blocks(blocks);
    }

    fn text(&self, stream: &str, text: &str) {
        self.display_what_waits();
        let mut record = lock(&self.record);
        if record.cut {
            return;
        }
        record.written += text.len();
        record.cut = record.written > self.limit;
        let cut = record.cut;
        drop(record);
        self.output.text(stream, text);
        if cut {
            let limit = self.limit >> 20;
            self.output.text("stdout", &format!("\n… this cell has written more than {limit} MiB: the rest is not shown (PETAL_OUTPUT_LIMIT=MiB in the kernel's environment is another limit)\n"));
        }
    }

    /// A message of the protocol that ARCHITECTURE.md describes.
    fn message(&self, bytes: &[u8]) {
        let message: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let kind = message["msg_type"].as_str().unwrap_or_default();
        let buffers: Vec<Vec<u8>> = message["buffers"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|text| STANDARD.decode(text.as_str().unwrap_or_default()).unwrap_or_default())
            .collect();
        let (content, metadata) = (&message["content"], &message["metadata"]);
        match kind {
            "display_data" | "update_display_data" if content["data"].is_object() => {
                let mut content = content.clone();
                for name in ["metadata", "transient"] {
                    if !content[name].is_object() {
                        content[name] = json!({});
                    }
                }
                self.output.relay(kind, &content, metadata, &buffers);
            }
            "clear_output" => self.output.relay(
                kind,
                &json!({ "wait": content["wait"].as_bool().unwrap_or(false) }),
                metadata,
                &buffers,
            ),
            "comm_open" | "comm_msg" | "comm_close" if content["comm_id"].is_string() => {
                self.comms.process_says(kind, content, metadata, &buffers)
            }
            _ => {
                let begin = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
                self.output.text("stderr", &format!("petal-kernel knows no such message from a cell: {begin}\n"));
            }
        }
    }
}
