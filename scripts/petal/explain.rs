//! `petal explain`

use std::path::{Path, PathBuf};

use clap::Args;
use petal::config::Limits;
use petal::eval;
use petal::explain::{GradCam, Method, methods};
use petal::export;
use petal::files::Identity;
use petal::prelude::*;
use petal::train::trust;
use serde_json::json;

use crate::LimitOptions;
use crate::output::{Output, lossy, shown};
use crate::progress::Bars;
use crate::trust::TrustOptions;

/// Which photos, and of which class.
#[derive(Args)]
pub(crate) struct Options {
    /// The model file, a run's folder, or a run's name.
    #[arg(long)]
    model: PathBuf,
    /// Photos, or folders of photos.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Folder for the pictures.
    #[arg(long)]
    out: PathBuf,
    /// Explain this class instead of the predicted one.
    #[arg(long)]
    class: Option<String>,
    #[arg(long, default_value = GradCam.name(), value_parser = method, help = methods())]
    method: &'static dyn Method,
    #[command(flatten)]
    trust: TrustOptions,
}

fn method(name: &str) -> Result<&'static dyn Method> {
    methods::named(name)
}

fn methods() -> String {
    format!("How the network's maps are weighed: {}", methods::ALL.map(Method::name).join(", "))
}

impl Options {
    /// Pictures among the photos would be taken for photos by whatever reads them next.
    fn check_apart(&self) -> Result<()> {
        let Ok(out) = Identity::of(&self.out) else { return Ok(()) };
        let folder = |path: &PathBuf| {
            if path.is_dir() { path.clone() } else { path.parent().map(PathBuf::from).unwrap_or_default() }
        };
        let here = |path: PathBuf| {
            Identity::of(if path.as_os_str().is_empty() { Path::new(".") } else { &path })
                .is_ok_and(|found| found == out)
        };
        if self.paths.iter().map(folder).any(here) {
            let what = "the pictures would lie among the photos that they explain";
            return Err(Error::new(ErrorKind::Config, what).at(&self.out).mend("name another folder with --out"));
        }
        Ok(())
    }

    /// Writes one picture a photo: the photo and what spoke for the class, side by side.
    pub(crate) fn run(self, project: &Project, limits: &LimitOptions) -> Result<Output> {
        let (model, info) = export::load(&crate::model::file(project, &self.model)?, &project.device)?;
        self.check_apart()?;
        let class = self.class.as_ref().map(|name| info.class(name)).transpose()?;
        let photos = eval::predict::photos(&self.paths)?.photos;
        let (predictions, unreadable) = eval::predict::predict(
            &trust::asked(&model, &info, self.trust.config()?)?,
            &photos,
            &limits.over(Limits::default()),
            &project.device,
            &mut Bars::default(),
        )?;
        let (mut text, mut rows) = (String::new(), Vec::new());
        for (number, prediction) in predictions.iter().enumerate() {
            let figure = petal::report::cam(
                self.method,
                &model,
                &info.preprocess,
                &info.classes,
                std::slice::from_ref(prediction),
                class,
            )?;
            let stem = prediction.path.file_stem().unwrap_or_default().to_string_lossy();
            // Numbered, since two folders may hold photos of one name.
            let path = self.out.join(format!("{:03}_{stem}.png", number + 1));
            figure.save(&path)?;
            text += &format!("{}\n", shown(&path));
            rows.push(json!({
                "path": lossy(&prediction.path),
                "picture": lossy(&path),
                "class": info.classes[prediction.best().0],
                "trust": crate::trust::json(prediction.judgement.as_ref(), &info.classes),
            }));
        }
        Ok(Output::done(text, json!({ "method": self.method.name(), "explained": rows })).but(&unreadable))
    }
}
