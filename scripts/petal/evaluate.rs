//! `petal evaluate`

use std::path::{Path, PathBuf};

use clap::Args;
use petal::config::Limits;
use petal::data::{Loader, Split, Splits};
use petal::eval::{self, Evaluation, Slice, Slices};
use petal::export::ModelInfo;
use petal::prelude::*;
use petal::train::trust;
use serde_json::{Value, json};

use crate::LimitOptions;
use crate::model::TestOptions;
use crate::output::{Output, lossy};
use crate::progress::Bars;
use crate::trust::TrustOptions;
use crate::trusted;

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
    /// Also draw the reliability diagram, before and after calibration, to this PNG file.
    #[arg(long)]
    reliability: Option<PathBuf>,
    /// A folder of photos of none of the classes: how well they are told from the split's. Can be given several times.
    #[arg(long, value_name = "FOLDER")]
    others: Vec<PathBuf>,
    #[command(flatten)]
    test: TestOptions,
    #[command(flatten)]
    trust: TrustOptions,
}

impl Options {
    /// Predicts every photo of the split.
    pub(crate) fn run(self, project: &Project, limits: &LimitOptions) -> Result<Output> {
        let csv = crate::csv::Table::at(self.csv.as_deref())?;
        let how = self.trust.config()?;
        let (model, info) = crate::model::load(project, &self.model, &self.test)?;
        let splits = Splits::open(&project.data)?;
        check_classes(&splits, &info, &self.model)?;
        let asked = trust::asked(&model, &info, how)?;
        let loader = Loader::new(splits.get(self.split), *asked.preprocess(), 32, &project.device).with_facts();
        let evaluation = eval::evaluate(&asked, &loader, &info.name(), &mut Bars::default())?;
        let slices = evaluation.slices_with(&mut Bars::default())?;
        let note = csv.write(&evaluation.classes, &evaluation.predictions)?;
        if let Some(path) = &self.reliability {
            evaluation.reliability()?.save(path)?;
        }
        let mut text = format!(
            "{}\n\n{}\n\n{}\n{note}",
            evaluation.view().without_hints().text(),
            evaluation.per_class()?.text(),
            slices.view().text()
        );
        text += &crate::trust::note(&info, how);
        let file = crate::model::file(project, &self.model)?;
        let run = crate::model::record(project, &file, &info)?;
        let is_other = run.is_some_and(|run| crate::model::has_other_photos(&run, &splits));
        if is_other {
            text += "this split is not the one that the model was trained with: where it has learned from some of these photos, all of this is too good\n";
        }
        let mut json = numbers(&evaluation);
        json["slices"] = sliced(&slices);
        json["split_is_another_than_trained_with"] = is_other.into();
        if let Some(trust) = info.trust.as_ref().filter(|_| evaluation.is_judged()) {
            let (said, told) = trusted::each_kind_of_sets(&evaluation, trust, how);
            text += &said;
            json["sets"] = told;
        }
        let mut unreadable = Vec::new();
        for folder in &self.others {
            let photos = eval::predict::photos(std::slice::from_ref(folder))?.photos;
            let limits = limits.over(Limits::default());
            let (others, bad) = eval::predict(&asked, &photos, &limits, &project.device, &mut Bars::default())?;
            let (said, told) = trusted::beside_others(&evaluation, folder, &others);
            text += &said;
            json["others"][lossy(folder)] = told;
            unreadable.extend(bad);
        }
        Ok(Output::done(text, json).aside(csv.is_standard()).but(&unreadable))
    }
}

/// Refuses a model of other classes than the photos'.
pub(crate) fn check_classes(splits: &Splits, info: &ModelInfo, model: &Path) -> Result<()> {
    if splits.classes.as_ref() == info.classes.as_slice() {
        return Ok(());
    }
    let (known, photos) = (info.classes.join(", "), splits.classes.join(", "));
    let what = format!("the model knows the classes {known}; the photos have {photos}");
    Err(Error::new(ErrorKind::Dataset, what).at(model).mend("use the photos it was trained for"))
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
        "trust": trusted::numbers(evaluation),
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
