//! `petal evaluate`

use std::path::PathBuf;

use clap::Args;
use petal::data::{Loader, Split, Splits};
use petal::eval::{self, Asked, Evaluation, Slice, Slices};
use petal::prelude::*;
use serde_json::{Value, json};

use crate::model::TestOptions;
use crate::output::Output;
use crate::progress::Bars;

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// The model file, a run's folder, or a run's name.
    #[arg(long)]
    model: PathBuf,
    /// Which photos: train, val or test.
    #[arg(long, default_value = "test", value_parser = crate::parsed::<Split>)]
    split: Split,
    /// Also write a row for each photo to this CSV file; - is the standard output.
    #[arg(long)]
    csv: Option<PathBuf>,
    #[command(flatten)]
    test: TestOptions,
}

impl Options {
    /// Predicts every photo of the split.
    pub(crate) fn run(self, project: &Project) -> Result<Output> {
        let csv = crate::csv::Table::at(self.csv.as_deref())?;
        let (model, info) = crate::model::load(project, &self.model, &self.test)?;
        let splits = Splits::open(&project.data)?;
        if splits.classes.as_ref() != info.classes.as_slice() {
            let what = format!(
                "the model knows the classes {}; the photos have {}",
                info.classes.join(", "),
                splits.classes.join(", ")
            );
            return Err(Error::new(ErrorKind::Dataset, what).at(&self.model).mend("use the photos it was trained for"));
        }
        let asked = Asked::new(&model, &info.preprocess, &info.test)?;
        let loader = Loader::new(splits.get(self.split), *asked.preprocess(), 32, &project.device);
        let evaluation = eval::evaluate(&asked, &loader, &info.name(), &mut Bars::default())?;
        let slices = evaluation.slices_with(&mut Bars::default())?;
        let note = csv.write(&evaluation.classes, &evaluation.predictions)?;
        let text = format!(
            "{}\n\n{}\n\n{}\n{note}",
            evaluation.view().without_hints().text(),
            evaluation.per_class()?.text(),
            slices.view().text()
        );
        let mut json = numbers(&evaluation);
        json["slices"] = sliced(&slices);
        Ok(Output::done(text, json).aside(csv.is_standard()))
    }
}

/// An evaluation for machines.
pub(crate) fn numbers(evaluation: &Evaluation) -> Value {
    let accuracy = evaluation.accuracy();
    json!({
        "model": evaluation.model,
        "photos": evaluation.predictions.len(),
        "accuracy": accuracy.value,
        "accuracy_interval_95": [accuracy.low, accuracy.high],
        "loss": evaluation.loss(),
        "macro_f1": evaluation.macro_average().f1,
        "classes": evaluation.classes.to_vec(),
        "confusion": evaluation.confusion().rows(),
    })
}

/// Slices for machines.
fn sliced(slices: &Slices) -> Value {
    let one = |slice: &Slice| {
        json!({
            "by": slice.by,
            "slice": slice.name,
            "photos": slice.photos,
            "accuracy": slice.accuracy.value,
            "accuracy_interval_95": [slice.accuracy.low, slice.accuracy.high],
            "elsewhere": slice.elsewhere,
            "p": slice.p_value,
            "is_worse": slice.is_worse(),
        })
    };
    json!({ "all": slices.slices.iter().map(one).collect::<Vec<_>>(), "weakest": slices.weakest().map(one) })
}
