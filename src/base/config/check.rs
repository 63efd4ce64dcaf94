//! Every setting in its range.

use super::{Config, Source, WeightsFrom};
use crate::base::error::{Error, Result};

impl Config {
    /// Checks every setting's range.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), naming the key, the value and what is allowed.
    pub fn check(&self) -> Result<()> {
        fn within(key: &str, value: f64, low: f64, high: f64) -> Result<()> {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(Error::config(key, value, &format!("a number from {low} to {high}")))
            }
        }
        within("image_size", self.image_size as f64, 32.0, 1024.0)?;
        if self.test.size != 0 {
            within("test.size", self.test.size as f64, 32.0, 1024.0)?;
        }
        within("trust.coverage", self.trust.coverage, 0.5, 0.999)?;
        within("trust.false_alarms", self.trust.false_alarms, 0.0, 0.5)?;
        within("batch_size", self.batch_size as f64, 1.0, 4096.0)?;
        within("views", self.views as f64, 1.0, 1000.0)?;
        within("cache_limit", self.cache_limit, 0.0, 1e6)?;
        within("split.train", self.split.train, 0.01, 0.98)?;
        within("split.val", self.split.val, 0.01, 0.98)?;
        within("split.test", self.split.test, 0.01, 0.98)?;
        let sum = self.split.train + self.split.val + self.split.test;
        if (sum - 1.0).abs() > 1e-6 {
            return Err(Error::config("split.train + split.val + split.test", sum, "1"));
        }
        within("split.duplicate_threshold", self.split.duplicate_threshold, 0.0, 1.0)?;
        within("augment.rotate", self.augment.rotate, 0.0, 180.0)?;
        within("augment.zoom", self.augment.zoom, 1.0, 4.0)?;
        within("augment.brightness", self.augment.brightness, 0.0, 1.0)?;
        within("augment.contrast", self.augment.contrast, 0.0, 1.0)?;
        within("augment.crop", self.augment.crop, 0.0, 1.0)?;
        within("augment.erase", self.augment.erase, 0.0, 1.0)?;
        within("classifier.hidden", self.classifier.hidden as f64, 1.0, 65_536.0)?;
        within("classifier.dropout", self.classifier.dropout, 0.0, 0.99)?;
        for (key, phase) in [("head", self.head), ("fine_tune", self.fine_tune), ("baseline", self.baseline)] {
            phase.check(key)?;
        }
        if let Source::Synthetic { per_class } = self.source {
            within("source.synthetic.per_class", per_class as f64, 10.0, 100_000.0)?;
        }
        if self.weights == WeightsFrom::Embedded && !self.backbone.has_embedded_weights() {
            return Err(Error::config("weights", "embedded", &format!("hub, random or a file for {}", self.backbone))
                .mend("only efficientnet-lite0 has its weights in the repository"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::base::config::Config;
    use crate::base::error::ErrorKind;

    #[test]
    fn wrong_settings_name_the_key_the_value_and_the_range() {
        let unknown = Config::from_toml("seed = 1\nbatchsize = 3\n").unwrap_err();
        assert!(unknown.what().starts_with("line 2: unknown field `batchsize`"), "{unknown}");
        for (text, key) in [
            ("batch_size = 0", "batch_size is 0"),
            ("[split]\ntrain = 0.9", "split.train + split.val + split.test is 1.1"),
            ("[split]\ntrain = nan", "split.train is NaN"),
            ("[split]\nduplicate_threshold = 1.5", "split.duplicate_threshold is 1.5"),
            ("[split]\nduplicate_threshold = nan", "split.duplicate_threshold is NaN"),
            ("[split]\nduplicates = \"of\"", "did you mean off?"),
            ("[split]\ntrain = -0.1", "split.train is -0.1"),
            ("[head]\nepochs = 1\npatience = 0\nlearning_rate = 0.1", "head.patience is 0"),
            ("[head]\nepochs = 1\npatience = 1\nlearning_rate = nan", "head.learning_rate is NaN"),
            ("[head]\nepochs = 1\npatience = 1\nlearning_rate = 1\ncutmix = 1", "head.cutmix is 1; expected 0"),
            ("[augment]\ncrop = -0.1", "augment.crop is -0.1"),
            ("[augment]\nerase = nan", "augment.erase is NaN"),
            ("[trust]\ncoverage = 1", "trust.coverage is 1; expected a number from 0.5 to 0.999"),
            ("[trust]\nfalse_alarms = nan", "trust.false_alarms is NaN"),
            ("[trust]\nsets = \"raps\"", "expected one of `lac`, `aps`, `by-class`"),
            ("weights = \"embedded\"", "weights is embedded"),
        ] {
            let error = Config::from_toml(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.what().contains(key), "{error}");
        }
    }

    #[test]
    fn wrong_techniques_name_the_key_the_value_and_the_range() {
        for (setting, expected) in [
            ("schedule = \"cosin\"", "expected one of `constant`, `cosine`, `one-cycle`"),
            ("warm_up = 0.95", "fine_tune.warm_up is 0.95; expected a number from 0 to 0.9"),
            ("optimizer = \"lamb\"", "expected one of `adam`, `adamw`, `sgd`"),
            ("weight_decay = -1", "fine_tune.weight_decay is -1"),
            ("weight_decay = 0.1", "expected 0 with optimizer adam"),
            ("momentum = 1", "fine_tune.momentum is 1; expected from 0 to below 1"),
            ("layer_decay = 0", "fine_tune.layer_decay is 0; expected above 0, at most 1"),
            ("layer_decay = nan", "fine_tune.layer_decay is NaN"),
            ("clip = inf", "fine_tune.clip is inf"),
            ("label_smoothing = 1", "fine_tune.label_smoothing is 1"),
            ("mixup = -0.2", "fine_tune.mixup is -0.2"),
            ("cutmix = 11", "fine_tune.cutmix is 11"),
            ("ema = 1", "fine_tune.ema is 1"),
            ("accumulate = 0", "fine_tune.accumulate is 0"),
            ("watch = \"f1\"", "expected `loss` or `accuracy`"),
            ("layers = \"some\"", "expected `upper` or `all`"),
            ("smoothing = 0.1", "unknown field `smoothing`"),
        ] {
            let text = format!("[fine_tune]\nepochs = 1\npatience = 1\nlearning_rate = 0.1\n{setting}\n");
            let error = Config::from_toml(&text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.what().contains(expected), "{setting}: {error}");
        }
    }
}
