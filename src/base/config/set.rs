//! Single settings by their names, as a command line gives them.

use serde::Deserialize;
use toml::{Table, Value};

use super::Config;
use crate::base::error::{Error, ErrorKind, Result};

impl Config {
    /// The settings with these in their place: `fine_tune.label_smoothing=0.1`, named as in the TOML file. A word needs no quotes. A phase whose epochs
    /// are given has so many, whatever its `least_steps` was.
    ///
    /// ```
    /// let config = petal::Config::seed().with(&["fine_tune.label_smoothing=0.1", "balance=weights"])?;
    /// assert_eq!(config.fine_tune.label_smoothing, 0.1);
    ///
    /// let error = petal::Config::seed().with(&["fine_tune.smoothing=0.1"]).unwrap_err();
    /// assert!(error.what().contains("unknown field `smoothing`"));
    /// # Ok::<(), petal::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a name that is no setting, or a value that it cannot have.
    pub fn with<S: AsRef<str>>(&self, settings: &[S]) -> Result<Self> {
        let mut config = self.clone();
        for setting in settings.iter().map(AsRef::as_ref) {
            let failed = |what: String| {
                Error::new(ErrorKind::Config, format!("{setting}: {what}"))
                    .mend("give settings as config.toml in a run's folder names them: fine_tune.label_smoothing=0.1")
            };
            let (name, text) = setting.split_once('=').ok_or_else(|| failed("expected NAME=VALUE".into()))?;
            let mut table: Table =
                config.to_toml().parse().map_err(|cause: toml::de::Error| failed(cause.message().into()))?;
            put(&mut table, name.trim(), value(text.trim())).map_err(failed)?;
            let phase = name.trim().strip_suffix(".epochs").and_then(|phase| table.get_mut(phase)?.as_table_mut());
            phase.map(|phase| phase.remove("least_steps"));
            config = Self::deserialize(table).map_err(|cause| failed(cause.message().trim().into()))?;
        }
        config.check()?;
        Ok(config)
    }
}

/// What a text says: a TOML value, or else a word.
fn value(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok().filter(|table| table.len() == 1);
    parsed.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(text.into()))
}

fn put(table: &mut Table, name: &str, value: Value) -> std::result::Result<(), String> {
    match name.split_once('.') {
        None => drop(table.insert(name.into(), value)),
        Some((first, rest)) => match table.entry(first).or_insert_with(|| Value::Table(Table::new())) {
            Value::Table(inner) => put(inner, rest, value)?,
            // One kind of a thing in the place of another: source.synthetic.per_class=20.
            other => {
                let mut inner = Table::new();
                put(&mut inner, rest, value)?;
                *other = Value::Table(inner);
            }
        },
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::{Schedule, Source, WeightsFrom};

    #[test]
    fn numbers_words_and_paths_are_taken_as_the_setting_wants_them() {
        let settings = ["seed=7", "fine_tune.schedule=cosine", "augment.flip = false", "weights.file=w.safetensors"];
        let config = Config::seed().with(&settings).unwrap();
        assert_eq!((config.seed, config.fine_tune.schedule, config.augment.flip), (7, Schedule::Cosine, false));
        assert_eq!(config.weights, WeightsFrom::File("w.safetensors".into()));
        let drawn = Config::seed().with(&["source.synthetic.per_class=20"]).unwrap();
        assert_eq!(drawn.source, Source::Synthetic { per_class: 20 });
    }

    #[test]
    fn what_is_no_setting_is_told() {
        for (setting, expected) in [
            ("seed", "expected NAME=VALUE"),
            ("head.epoch=3", "unknown field `epoch`"),
            ("head.epochs=many", "invalid type: string \"many\""),
            ("head.epochs=-1", "invalid value"),
            ("balance=even", "unknown variant `even`"),
            ("head.epochs.more=1", "invalid type"),
            ("=3", "unknown field ``"),
            ("fine_tune.ema=1.5", "fine_tune.ema is 1.5"),
        ] {
            let error = Config::seed().with(&[setting]).unwrap_err();
            assert!(error.kind() == ErrorKind::Config && error.what().contains(expected), "{setting}: {error}");
        }
    }
}
