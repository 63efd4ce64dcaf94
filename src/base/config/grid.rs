//! Settings to choose among.

use super::{Config, PhaseConfig};
use crate::base::error::{Error, ErrorKind, Result};

/// Settings to choose among, with what tells them from the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// In what they differ: `fine_tune.learning_rate=0.0002 backbone=resnet50`.
    pub name: String,
    /// All of them.
    pub config: Config,
}

impl Config {
    /// All combinations of values for some settings, in order, the last one changing fastest. Each is `NAME=VALUE,VALUE…` with a name as in
    /// [`Config::with`]; or `recipe=NAME,NAME…`, which takes another recipe's phases, views, variations and batch size, but the photos, the network
    /// and the seed of these settings.
    ///
    /// ```
    /// let base = petal::Config::seed();
    /// let found = base.grid(&["recipe=seed,best", "fine_tune.learning_rate=1e-4,2e-4"])?;
    /// assert_eq!(found.len(), 4);
    /// assert_eq!(found[3].name, "recipe=best fine_tune.learning_rate=2e-4");
    /// assert_eq!((found[3].config.fine_tune.epochs, found[3].config.fine_tune.learning_rate), (16, 2e-4));
    /// # Ok::<(), petal::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a name that is no setting, a value that it cannot have, or two candidates with the same settings.
    pub fn grid<S: AsRef<str>>(&self, over: &[S]) -> Result<Vec<Candidate>> {
        let mut found = vec![Candidate { name: String::new(), config: self.clone() }];
        for setting in over.iter().map(AsRef::as_ref) {
            let Some((name, values)) = setting.split_once('=') else {
                let what = format!("{setting}: expected NAME=VALUE,VALUE…");
                return Err(Error::new(ErrorKind::Config, what).mend("fine_tune.learning_rate=1e-4,2e-4, say"));
            };
            let mut next = Vec::new();
            for candidate in &found {
                for value in values.split(',').map(str::trim) {
                    let config = match name.trim() {
                        "recipe" => candidate.config.by_recipe(value)?,
                        name => candidate.config.with(&[format!("{name}={value}")])?,
                    };
                    let told = format!("{} {}={value}", candidate.name, name.trim()).trim_start().to_owned();
                    next.push(Candidate { name: told, config });
                }
            }
            found = next;
        }
        for (place, candidate) in found.iter().enumerate() {
            if let Some(same) = found[..place].iter().find(|other| other.config == candidate.config) {
                let what = format!("{} and {} are the same settings", same.name, candidate.name);
                return Err(Error::new(ErrorKind::Config, what)
                    .mend("give recipe= before what changes it, and each value once"));
            }
        }
        Ok(found)
    }

    /// The settings for so many photos to train on: each phase has as many epochs as its [`least_steps`](super::PhaseConfig::least_steps) asks for.
    #[must_use]
    pub fn of_photos(&self, photos: usize) -> Self {
        let of = |phase: PhaseConfig| phase.of_photos(photos, self.batch_size);
        Self { head: of(self.head), fine_tune: of(self.fine_tune), baseline: of(self.baseline), ..self.clone() }
    }

    /// How a recipe of this name trains (its phases, head, views, variations, batch size), on the photos and the network of these settings, with their
    /// seed.
    ///
    /// ```
    /// let config = petal::Config::demo().by_recipe("best")?;
    /// assert_eq!((config.backbone, config.fine_tune), (petal::Config::demo().backbone, petal::Config::best().fine_tune));
    /// # Ok::<(), petal::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a name that no recipe has.
    pub fn by_recipe(&self, name: &str) -> Result<Self> {
        let recipe = Self::recipe(name)?;
        let Self { batch_size, views, augment, test, classifier, head, fine_tune, baseline, .. } = recipe;
        Ok(Self { batch_size, views, augment, test, classifier, head, fine_tune, baseline, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_choice_is_refused() {
        let base = Config::seed();
        for (over, expected) in [
            ("fine_tune.learning_rate", "expected NAME=VALUE"),
            ("fine_tune.speed=1,2", "unknown field `speed`"),
            ("seed=1,1", "are the same settings"),
            ("recipe=sead", "recipe"),
            ("batch_size=0,4", "batch_size is 0"),
        ] {
            let error = base.grid(&[over]).unwrap_err();
            assert!(error.kind() == ErrorKind::Config && error.what().contains(expected), "{over}: {error}");
        }
        assert_eq!(base.grid::<&str>(&[]).unwrap(), [Candidate { name: String::new(), config: base }]);
    }

    #[test]
    fn a_recipe_keeps_the_photos_and_the_network() {
        let base = Config { seed: 7, image_size: 160, cache_limit: 3.0, ..Config::demo() };
        let found = base.grid(&["recipe=best"]).unwrap().remove(0).config;
        let best = Config::best();
        assert_eq!(
            (found.seed, found.image_size, found.backbone, &found.weights),
            (7, 160, base.backbone, &base.weights)
        );
        assert_eq!((found.fine_tune, found.augment, found.batch_size), (best.fine_tune, best.augment, best.batch_size));
        assert_eq!(found.source, base.source);
    }
}
