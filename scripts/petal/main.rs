//! The command `petal`: the notebook's steps from a shell.
//!
//! Every subcommand: progress on stderr; `--json` prints one JSON object on stdout and nothing else there; exit status 0
//! done, 1 failed (what, which file, the mend), 2 wrong usage, 130 a training that was stopped and can be gone on with.

mod audit;
mod bench;
mod cache;
mod calibrate;
mod compare;
mod csv;
mod download_dataset;
mod embed;
mod evaluate;
mod explain;
mod export;
mod interrupt;
mod model;
mod networks;
mod output;
mod photos;
mod predict;
mod progress;
mod push;
mod runs;
mod serve;
mod settings;
mod split_dataset;
mod sweep;
mod train;
mod trust;
mod trusted;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use petal::config::Limits;
use petal::prelude::*;
use petal::project::DeviceChoice;

use output::Output;

/// Train an image classifier: transfer learning on the TF Flowers photos or your own.
#[derive(Parser)]
#[command(name = "petal", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

/// What every subcommand takes.
#[derive(Args)]
struct Common {
    /// Print one JSON object on stdout instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// Where to compute: auto (CUDA, Metal, else CPU), cpu, cuda or metal.
    #[arg(long, global = true, default_value = "auto", value_parser = parsed::<DeviceChoice>)]
    device: DeviceChoice,
    /// Folder of the photos and their splits.
    #[arg(long, global = true, default_value = "data")]
    data: PathBuf,
    /// Folder of model files, runs and the cache.
    #[arg(long, global = true, default_value = "models")]
    models: PathBuf,
    #[command(flatten)]
    limits: LimitOptions,
}

/// What a photo may at most cost.
#[derive(Args)]
struct LimitOptions {
    /// Most pixels a side of a photo (setting limits.side).
    #[arg(long, global = true, value_name = "PIXELS")]
    max_side: Option<usize>,
    /// Most pixels of a photo in all (setting limits.pixels).
    #[arg(long, global = true, value_name = "PIXELS")]
    max_pixels: Option<usize>,
    /// Most bytes of a photo's file (setting limits.file_bytes).
    #[arg(long, global = true, value_name = "BYTES")]
    max_file_bytes: Option<usize>,
}

impl LimitOptions {
    /// The limits of some settings, but for what was given.
    fn over(&self, settings: Limits) -> Limits {
        Limits {
            side: self.max_side.unwrap_or(settings.side),
            pixels: self.max_pixels.unwrap_or(settings.pixels),
            file_bytes: self.max_file_bytes.unwrap_or(settings.file_bytes),
        }
    }
}

#[derive(Subcommand)]
enum Command {
    /// Fetch the photos (or draw some), verify and unpack them.
    DownloadDataset(download_dataset::Options),
    /// Look at the photos before any training: wrong labels, bad photos, shortcuts.
    Audit(audit::Options),
    /// Sort the photos into train, val and test.
    SplitDataset(split_dataset::Options),
    /// Train the transfer model (head, then upper layers) or the baseline.
    Train(train::Options),
    /// Measure a model file on a split.
    Evaluate(evaluate::Options),
    /// Measure anew how far a model can be trusted, for a model file from before.
    Calibrate(calibrate::Options),
    /// Compare trainings on the same photos: which is better, and whether that is shown.
    Compare(compare::Options),
    /// Try settings by successive halving, and choose by the validation photos.
    Sweep(sweep::Options),
    /// Show where a model looked (Grad-CAM).
    Explain(explain::Options),
    /// Write a model for other programs, as ONNX.
    Export(export::Options),
    /// Answer requests for the class of photos, over HTTP.
    Serve(serve::Options),
    /// Write a model as a folder for the Hugging Face hub, and send it there.
    Push(push::Options),
    /// Name the class of photos.
    Predict(predict::Options),
    /// Write the backbone's features of a folder of photos.
    Embed(embed::Options),
    /// List the trainings, or show one of them.
    Runs(runs::Options),
    /// Show what the cache holds of frozen layers, or empty it.
    Cache(cache::Options),
    /// List the pretrained networks, to choose one.
    Networks(networks::Options),
    /// Measure this machine's speed in photos a second.
    Bench(bench::Options),
}

/// Lets clap check how a network is named.
fn named(text: &str) -> std::result::Result<String, String> {
    parsed::<petal::config::Named>(text).map(|_| text.to_owned())
}

/// Lets clap parse what petal's own settings parse.
fn parsed<T: std::str::FromStr<Err = Error>>(text: &str) -> std::result::Result<T, String> {
    text.parse().map_err(|error: Error| error.in_a_line())
}

fn run(cli: Cli) -> Result<Output> {
    let project = cli.common.project()?;
    let limits = &cli.common.limits;
    match cli.command {
        Command::DownloadDataset(options) => options.run(&project),
        Command::Audit(options) => options.run(&project, limits),
        Command::SplitDataset(options) => options.run(&project, limits),
        Command::Train(options) => options.run(&project, limits),
        Command::Evaluate(options) => options.run(&project, limits),
        Command::Calibrate(options) => options.run(&project),
        Command::Compare(options) => options.run(&project),
        Command::Sweep(options) => options.run(&project, limits),
        Command::Explain(options) => options.run(&project, limits),
        Command::Export(options) => options.run(&project, limits),
        Command::Predict(options) => options.run(&project, limits),
        Command::Embed(options) => options.run(&project, limits),
        Command::Runs(options) => options.run(&project),
        Command::Cache(options) => options.run(&project),
        Command::Serve(options) => options.run(&project, limits),
        Command::Push(options) => options.run(&project),
        Command::Networks(options) => options.run(&project),
        Command::Bench(options) => options.run(&project),
    }
}

impl Common {
    fn project(&self) -> Result<Project> {
        let mut project = Project::open_on(".", self.device)?;
        project.data = project.root.join(&self.data);
        project.models = project.root.join(&self.models);
        Ok(project)
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.common.json;
    match run(cli) {
        Ok(output) => output.print(json),
        Err(error) => Output::failed(&error).print(json),
    }
}
