//! `petal explain`

use std::path::{Path, PathBuf};

use clap::Args;
use petal::config::Limits;
use petal::eval::{self, Interval, Prediction};
use petal::explain::check::{CamCheck, Removal, Verdict};
use petal::explain::{self, GradCam, Method, methods};
use petal::export::{self, ModelInfo};
use petal::files::Identity;
use petal::prelude::*;
use petal::report::{self, ExplainedPage, ToExplain};
use petal::train::trust;
use serde_json::{Map, Value, json};

use crate::LimitOptions;
use crate::output::{Output, hidden, lossy, shown, unreadable};
use crate::progress::Bars;
use crate::trust::TrustOptions;

/// Which photos, of which class, and what is made of them.
#[derive(Args)]
pub(crate) struct Options {
    /// The model file, a run's folder, or a run's name.
    #[arg(long)]
    model: PathBuf,
    /// Photos, or folders of photos.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Folder for the pictures, one a photo.
    #[arg(long, required_unless_present_any = ["page", "check"])]
    out: Option<PathBuf>,
    /// One page with all of them, wrong and unsure ones first; photos in a folder named after a class are taken to be of it.
    #[arg(long, value_name = "FILE.html")]
    page: Option<PathBuf>,
    /// Check whether the maps can be trusted, on so many of the photos, spread evenly (without a number, 24): with random numbers in the last layers,
    /// and by taking pixels away. --out gets the curves, --page shows them.
    #[arg(long, value_name = "PHOTOS", num_args = 0..=1, require_equals = true, default_missing_value = "24", value_parser = clap::value_parser!(u32).range(1..))]
    check: Option<u32>,
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
        let Some(folder_out) = &self.out else { return Ok(()) };
        let Ok(out) = Identity::of(folder_out) else { return Ok(()) };
        let folder = |path: &PathBuf| {
            if path.is_dir() { path.clone() } else { path.parent().map(PathBuf::from).unwrap_or_default() }
        };
        let here = |path: PathBuf| {
            Identity::of(if path.as_os_str().is_empty() { Path::new(".") } else { &path })
                .is_ok_and(|found| found == out)
        };
        if self.paths.iter().map(folder).any(here) {
            let what = "the pictures would lie among the photos that they explain";
            return Err(Error::new(ErrorKind::Config, what).at(folder_out).mend("name another folder with --out"));
        }
        Ok(())
    }

    /// Writes what was asked for: a picture a photo, the page, the check.
    pub(crate) fn run(self, project: &Project, limits: &LimitOptions) -> Result<Output> {
        let (model, info) = export::load(&crate::model::file(project, &self.model)?, &project.device)?;
        self.check_apart()?;
        self.page.as_deref().map(ExplainedPage::check_free).transpose()?;
        let class = self.class.as_ref().map(|name| info.class(name)).transpose()?;
        let named = eval::predict::photos(&self.paths)?;
        let (mut predictions, bad) = eval::predict::predict(
            &trust::asked(&model, &info, self.trust.config()?)?,
            &named.photos,
            &limits.over(Limits::default()),
            &project.device,
            &mut Bars::default(),
        )?;
        let (mut text, mut json) = (String::new(), Map::new());
        json.insert("method".into(), self.method.name().into());
        if let Some(out) = &self.out {
            let rows = self.pictures(out, (&model, &info), &predictions, class, &mut text)?;
            json.insert("explained".into(), rows.into());
        }
        let check = self.check.filter(|_| !predictions.is_empty());
        let checked = check.map(|most| self.checked(most as usize, (&model, &info), &predictions)).transpose()?;
        if let Some(check) = &checked {
            text += &format!("{}\n", check.view().without_hints().text());
            json.insert("check".into(), told(check));
            if let Some(out) = &self.out {
                let path = out.join(format!("check_{}.png", self.method.name()));
                check.figure()?.save(&path)?;
                text += &format!("{}\n", shown(&path));
                json.insert("check_picture".into(), lossy(&path).into());
            }
        }
        if let Some(page) = &self.page {
            eval::by_folder(&self.paths, &info.classes, &mut predictions);
            let what = ToExplain {
                method: self.method,
                model: &model,
                info: &info,
                predictions: &predictions,
                unreadable: &bad,
                hidden: named.hidden.len(),
                class,
                check: checked.as_ref().map(CamCheck::view),
            };
            let made = report::explained(&what, &mut Bars::default())?.save(page)?;
            text += &format!("{}\n", made.text());
            let [pictured, listed, unread] = made.photos;
            let (known, wrong) = made.known_and_wrong;
            json.insert(
                "page".into(),
                json!({ "path": lossy(page), "pictured": pictured, "listed": listed, "unreadable": unread, "known": known, "wrong": wrong }),
            );
        }
        text += &hidden(&named.hidden);
        json.insert("hidden".into(), named.hidden.len().into());
        json.insert("unreadable".into(), unreadable(&bad).into());
        let is_aside = self.page.as_deref().is_some_and(petal::files::output::is_standard);
        Ok(Output::done(text, Value::Object(json)).but(&bad).aside(is_aside))
    }

    /// One picture a photo: the photo and what spoke for the class, side by side.
    fn pictures(
        &self,
        out: &Path,
        (model, info): (&Model, &ModelInfo),
        predictions: &[Prediction],
        class: Option<usize>,
        text: &mut String,
    ) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        for (number, prediction) in predictions.iter().enumerate() {
            let one = std::slice::from_ref(prediction);
            let figure = report::cam(self.method, model, &info.preprocess, &info.classes, one, class)?;
            let stem = prediction.path.file_stem().unwrap_or_default().to_string_lossy();
            // Numbered, since two folders may hold photos of one name.
            let path = out.join(format!("{:03}_{stem}.png", number + 1));
            figure.save(&path)?;
            *text += &format!("{}\n", shown(&path));
            rows.push(json!({
                "path": lossy(&prediction.path),
                "picture": lossy(&path),
                "class": info.classes[prediction.best().0],
                "trust": crate::trust::json(prediction.judgement.as_ref(), &info.classes),
            }));
        }
        Ok(rows)
    }

    fn checked(
        &self,
        most: usize,
        (model, info): (&Model, &ModelInfo),
        predictions: &[Prediction],
    ) -> Result<CamCheck> {
        let paths: Vec<PathBuf> = predictions.iter().map(|prediction| prediction.path.clone()).collect();
        explain::check::check(self.method, model, &info.preprocess, (&paths, most), Seed(0), &mut Bars::default())
    }
}

/// A check for machines.
fn told(check: &CamCheck) -> Value {
    let interval = |Interval { value, low, high }: Interval| json!({ "mean": value, "interval_95": [low, high] });
    let verdict = |verdict: Verdict| match verdict {
        Verdict::Good => "good",
        Verdict::Bad => "bad",
        Verdict::Open => "open",
    };
    let removal = |removal: &Removal, said: Verdict| {
        let (area, by_chance) = removal.areas();
        json!({
            "area": area, "area_by_chance": by_chance, "gain": interval(removal.gain), "verdict": verdict(said),
            "curve": removal.by_map, "curve_by_chance": removal.by_chance,
        })
    };
    let randomized = check.randomized.iter().map(|one| {
        json!({ "random": one.what, "rank_correlation": interval(one.correlation), "ssim": one.ssim, "verdict": verdict(one.verdict()) })
    });
    json!({
        "photos": check.photos,
        "of": check.of,
        "too_few": check.is_small(),
        "verdict": check.verdict(),
        "randomized": randomized.collect::<Vec<_>>(),
        "deletion": removal(&check.deletion, check.deletes()),
        "insertion": removal(&check.insertion, check.inserts()),
        "blurred": check.insertion.by_map.first(),
        "mean_colour": check.deletion.by_map.last(),
    })
}
