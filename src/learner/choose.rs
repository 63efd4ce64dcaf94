//! Which pretrained network these photos like best, before any is trained.

use std::time::Instant;

use super::Learner;
use crate::base::config::{Backbone, Config, WeightsFrom};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::project::Project;
use crate::data::Splits;
use crate::eval::Evaluation;
use crate::eval::compare::{Difference, compare};
use crate::eval::metrics::mean_and_spread;
use crate::models::{Hub, registry};
use crate::report::table::Cells;
use crate::report::words::counted;
use crate::report::{Table, View, shows};

/// Folds of the cross-validation.
const FOLDS: usize = 5;

/// A network that was tried.
#[derive(Clone, Debug)]
pub struct TriedNetwork {
    /// Which.
    pub backbone: Backbone,
    /// Where its weights came from.
    pub weights: WeightsFrom,
    /// The accuracy in each fold.
    pub accuracies: Vec<f64>,
    /// What heads that did not learn from them said of all train and val photos.
    pub evaluation: Evaluation,
    /// Seconds that it took, its features included.
    pub seconds: f64,
}

impl TriedNetwork {
    /// Mean and standard deviation (over n − 1) of the accuracies of the folds.
    pub fn mean_and_spread(&self) -> (f64, f64) {
        mean_and_spread(&self.accuracies)
    }
}

/// The networks that were tried, the best one first.
#[derive(Clone, Debug)]
pub struct ChosenNetwork {
    /// All of them: by the share of photos that is right; of equals, the smaller network first.
    pub tried: Vec<TriedNetwork>,
    /// The settings with the first one.
    pub config: Config,
}

shows!(ChosenNetwork);

impl ChosenNetwork {
    /// A row a network, and whether the first is shown to be better than the second.
    pub fn view(&self) -> View {
        let photos = self.tried.first().map_or(0, |first| first.evaluation.predictions.len());
        let title = format!("{} for {}", self.config.backbone, counted(photos, "photo"));
        let view = View::new(format!("network: {title}, of {} tried frozen", self.tried.len()));
        let view = view.table_or_why(self.table());
        let view = match self.against_second() {
            Ok(Some(difference)) => {
                let [first, second] = [0, 1].map(|place| self.tried[place].backbone);
                let words =
                    if difference.is_shown() { "is shown to be better than" } else { "is not shown to be better than" };
                view.line(format!(
                    "{first} {words} {second}: only it is right on {}, only the other on {} (McNemar's exact test, p = {:.3})",
                    counted(difference.only_first, "photo"),
                    difference.only_this,
                    difference.p_value
                ))
            }
            Ok(None) => {
                view.line("no other network's weights are on this machine: petal networks lists those to fetch")
            }
            Err(error) => view.line(error.to_string()),
        };
        view.hint("Learner::new(&project, &splits, &chosen.config)? trains the first one")
    }

    /// A row a network, the best one first.
    ///
    /// # Errors
    /// [`ErrorKind::Render`] if there is none.
    pub fn table(&self) -> Result<Table> {
        let text = |cell: &dyn Fn(&TriedNetwork) -> String| Cells::Text(self.tried.iter().map(cell).collect());
        Table::new([
            ("network", text(&|one| one.backbone.name().into())),
            (
                "accuracy by cross-validation",
                text(&|one| {
                    let (mean, spread) = one.mean_and_spread();
                    format!("{:.1} ± {:.1} %", 100.0 * mean, 100.0 * spread)
                }),
            ),
            ("loss", Cells::Numbers(self.tried.iter().map(|one| one.evaluation.loss()).collect(), 3)),
            (
                "million parameters",
                text(&|one| format!("{:.1}", registry::weights(one.backbone).parameters as f64 / 1e6)),
            ),
            ("seconds", text(&|one| format!("{:.0}", one.seconds))),
        ])
    }

    /// How the second one differs from the first, photo by photo; none where only one was tried.
    ///
    /// # Errors
    /// Those of [`compare`].
    pub fn against_second(&self) -> Result<Option<Difference>> {
        let [first, second, ..] = self.tried.as_slice() else { return Ok(None) };
        Ok(compare(&[&first.evaluation, &second.evaluation])?.against_first.pop())
    }
}

/// The networks whose weights are on this machine: those in the repository, and those that the hub's cache has.
///
/// # Errors
/// What [`Hub::from_env`] says.
pub fn networks_at_hand() -> Result<Vec<(Backbone, WeightsFrom)>> {
    let hub = Hub::from_env()?;
    let of = |backbone: Backbone| {
        let weights = registry::weights(backbone);
        if backbone.has_embedded_weights() {
            Some((backbone, WeightsFrom::Embedded))
        } else {
            let is_there = hub.has(weights.name, weights.revision, weights.file);
            is_there.then_some((backbone, WeightsFrom::Hub))
        }
    };
    Ok(Backbone::ALL.into_iter().filter_map(of).collect())
}

/// Tries pretrained networks on these photos as they come, without training one: the frozen features of the photos to train and to decide on, and heads
/// that are solved for, cross-validated ([`Learner::cross_validate`]). The test photos are not read. What is computed stays in the cache, where a training finds it.
///
/// Frozen features say which network knows most of such photos already; all layers trained, another one may end ahead.
///
/// ```no_run
/// # use petal::prelude::*;
/// # fn cells(project: &Project, splits: &Splits, config: &Config) -> Result<()> {
/// let chosen = choose_network(project, splits, config, &networks_at_hand()?)?; // as a cell's last line: a table
/// let learner = Learner::new(project, splits, &chosen.config)?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`ErrorKind::Config`] without networks; those of [`Learner::new`] and [`Learner::cross_validate`].
pub fn choose_network(
    project: &Project,
    splits: &Splits,
    config: &Config,
    networks: &[(Backbone, WeightsFrom)],
) -> Result<ChosenNetwork> {
    let mut tried = Vec::with_capacity(networks.len());
    for (backbone, weights) in networks {
        let since = Instant::now();
        let config = Config { backbone: *backbone, weights: weights.clone(), ..config.clone() };
        let found = Learner::new(project, splits, &config)?.cross_validate(FOLDS)?;
        let evaluation = found.evaluation.named(backbone.name());
        let (accuracies, seconds) = (found.accuracies, since.elapsed().as_secs_f64());
        tried.push(TriedNetwork { backbone: *backbone, weights: weights.clone(), accuracies, evaluation, seconds });
    }
    let size = |one: &TriedNetwork| registry::weights(one.backbone).parameters;
    let right = |one: &TriedNetwork| one.evaluation.accuracy().value;
    tried.sort_by(|a, b| right(b).total_cmp(&right(a)).then(size(a).cmp(&size(b))));
    let Some(first) = tried.first() else {
        return Err(Error::new(ErrorKind::Config, "there is no network to choose from")
            .mend("give some: [(Backbone::EfficientnetLite0, WeightsFrom::Embedded)]"));
    };
    let config = Config { backbone: first.backbone, weights: first.weights.clone(), ..config.clone() };
    Ok(ChosenNetwork { tried, config })
}
