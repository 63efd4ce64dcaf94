//! `petal serve`: a model behind HTTP.
//!
//! A request's photos are decoded on threads of their own (`photos`), wait for others (`batches`: one thread has the network, and asks it about many photos
//! at once), and are answered (`answers`). `server` holds connections to their limits: how many, how long, how large.

mod answers;
mod batches;
mod page;
mod photos;
mod refusal;
mod server;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use petal::config::Limits;
use petal::files;
use petal::nn::codec;
use petal::prelude::*;
use serde_json::json;

use crate::LimitOptions;
use crate::model::TestOptions;
use crate::output::Output;
use crate::trust::TrustOptions;

/// Which model, where, and what a request may cost.
#[derive(Args)]
pub(crate) struct Options {
    /// The model file, a run's folder, a run's name, or hf:owner/name.
    #[arg(long)]
    model: PathBuf,
    /// The address to listen at. 0.0.0.0 lets in everybody who can reach this machine: there are no passwords, and no encryption.
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Most photos that go through the network at once.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
    /// Milliseconds that the first photo of a batch waits for others.
    #[arg(long, value_name = "MS", default_value_t = 2)]
    wait: u64,
    /// Most requests at once; the next one hears that it should come again (503).
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    queue: u16,
    /// Most bytes of a request.
    #[arg(long, value_name = "BYTES", default_value_t = 32 << 20)]
    max_request_bytes: usize,
    /// Seconds that a request may take to arrive.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    #[command(flatten)]
    test: TestOptions,
    #[command(flatten)]
    trust: TrustOptions,
}

/// Most pixels of a photo in all where nothing else is asked for: a stranger's may cost less than one's own.
const PIXELS: usize = 50_000_000;

impl Options {
    /// Serves until it is asked to end (Ctrl-C, SIGTERM): then what has arrived is answered.
    pub(crate) fn run(self, project: &Project, limits: &LimitOptions) -> Result<Output> {
        let file = crate::model::file(project, &self.model)?;
        let (model, info) = crate::model::load(project, &self.model, &self.test)?;
        let how = self.trust.config()?;
        let plain = Limits::default();
        let limits =
            limits.over(Limits { pixels: plain.pixels.min(PIXELS), file_bytes: self.max_request_bytes, ..plain });
        let about = answers::About {
            network: info.name(),
            classes: info.classes.clone(),
            sha256: files::sha256(&codec::read_bytes(&file)?),
            note: crate::trust::note(&info, how),
        };
        let network = batches::Network { model, info, how, device: project.device.clone() };
        let batches = batches::start(network, self.batch.into(), Duration::from_millis(self.wait), self.queue.into())?;
        let limits = server::Limits {
            requests: self.queue.into(),
            bytes: self.max_request_bytes,
            arrival: Duration::from_secs(self.timeout),
            photo: limits,
        };
        let served = server::serve((self.address, self.port).into(), about, batches, limits)?;
        let text = format!("served {} requests, {} photos\n", served.requests, served.photos);
        Ok(Output::done(text, json!({ "requests": served.requests, "photos": served.photos })))
    }
}
