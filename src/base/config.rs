//! Settings: plain public fields with their units, read from one TOML file, checked once.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;

/// Everything that decides what a run computes. Saved in each run's folder; together with the photos and the seed's weights
/// it gives the same bytes again.
///
/// ```
/// let config = petal::Config { seed: 7, ..petal::Config::seed() };
/// assert_eq!(petal::Config::from_toml(&config.to_toml())?, config);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The one seed of everything random. Default 42.
    pub seed: u64,
    /// Where the photos come from. Default [`Source::TfFlowers`].
    pub source: Source,
    /// The pretrained network. Default [`Backbone::Resnet50`].
    pub backbone: Backbone,
    /// Where the pretrained weights come from. Default [`WeightsFrom::Hub`].
    pub weights: WeightsFrom,
    /// Side of the square that the network sees, in pixels. Default 224.
    pub image_size: usize,
    /// How a photo becomes that square. Default [`Fit::Crop`].
    pub fit: Fit,
    /// Photos a step. The last, smaller batch is never dropped. Default 32.
    pub batch_size: usize,
    /// How many augmented versions of each photo there are for the transfer model; epoch `e` uses version `e mod views`.
    /// Default 2.
    pub views: usize,
    /// Whether what the frozen part computes is kept on disk. Speed alone: it changes no result. Default true.
    pub cache: bool,
    /// Gigabytes (10⁹ bytes) that the files of the cache may take, those of all runs together. Before new ones are written, those that were not used for
    /// longest go, but none that a training is reading. What one training needs is written even where it is more. Default 20.
    pub cache_limit: f64,
    /// What a photo may at most cost. Default 64 MiB a file, 20,000 pixels a side, 178,956,970 pixels in all.
    pub limits: Limits,
    /// What fraction of the photos goes where, and what becomes of those that show the same. Default 0.8, 0.1, 0.1, together.
    pub split: SplitConfig,
    /// How training photos are varied.
    pub augment: AugmentConfig,
    /// The new head on the pretrained backbone.
    pub classifier: ClassifierConfig,
    /// Phase 1: the head alone, on a frozen backbone. Default 10 epochs, patience 3, learning rate 1e-3.
    pub head: PhaseConfig,
    /// Phase 2: the head and the upper layers. Default 10 epochs, patience 3, learning rate 1e-5.
    pub fine_tune: PhaseConfig,
    /// The small network from scratch. Default 20 epochs, patience 5, learning rate 1e-3.
    pub baseline: PhaseConfig,
}

/// Where the photos come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The TF Flowers archive: 3,670 photos of 5 kinds of flowers, 229 MB.
    TfFlowers,
    /// Drawn flowers, 5 classes of `per_class` pictures each: for demonstrations and tests, without a network.
    Synthetic {
        /// Pictures a class.
        per_class: usize,
    },
    /// Your own folder, which holds one folder of photos per class; or folders `train`, `val` and `test` that do.
    Folder(PathBuf),
    /// Your own photos, with a table that says which is of which class.
    Labels {
        /// The table: CSV with the columns `path`, `label` and, where the parts are given, `split`.
        table: PathBuf,
        /// The folder that the paths begin in.
        photos: PathBuf,
    },
}

/// How a photo, which may have any shape, becomes the square that a network sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// The middle of it: the shorter side fits, what is beyond at the other sides is not seen. As the ImageNet weights were trained.
    #[default]
    Crop,
    /// All of it, squeezed into the square: shapes change.
    Squash,
    /// All of it, in its shape: what is left of the square has the mean colour that the network was trained on.
    Pad,
}

impl FromStr for Fit {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "crop" => Ok(Self::Crop),
            "squash" => Ok(Self::Squash),
            "pad" => Ok(Self::Pad),
            other => Err(Error::unknown("fit", other, &["crop", "squash", "pad"])),
        }
    }
}

/// The pretrained networks. The names on the command line are those in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", try_from = "String")]
pub enum Backbone {
    /// ResNet-18 (`resnet18`).
    Resnet18,
    /// ResNet-34 (`resnet34`).
    Resnet34,
    /// ResNet-50 (`resnet50`), the default.
    Resnet50,
    /// ResNet-101 (`resnet101`).
    Resnet101,
    /// ResNet-152 (`resnet152`).
    Resnet152,
    /// EfficientNet-Lite0 (`efficientnet-lite0`), whose weights are in the repository.
    EfficientnetLite0,
    /// ViT-Base/16 (`vit-base16`), as a frozen backbone.
    VitBase16,
    /// ConvNeXt-Tiny (`convnext-tiny`), as a frozen backbone.
    ConvnextTiny,
}

impl Backbone {
    /// All of them, in the order of the list above.
    pub const ALL: [Self; 8] = [
        Self::Resnet18,
        Self::Resnet34,
        Self::Resnet50,
        Self::Resnet101,
        Self::Resnet152,
        Self::EfficientnetLite0,
        Self::VitBase16,
        Self::ConvnextTiny,
    ];

    /// The name in settings and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resnet18 => "resnet18",
            Self::Resnet34 => "resnet34",
            Self::Resnet50 => "resnet50",
            Self::Resnet101 => "resnet101",
            Self::Resnet152 => "resnet152",
            Self::EfficientnetLite0 => "efficientnet-lite0",
            Self::VitBase16 => "vit-base16",
            Self::ConvnextTiny => "convnext-tiny",
        }
    }
}

impl fmt::Display for Backbone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backbone {
    type Err = Error;

    /// Its name here, or as timm, torchvision or Keras spell it: `efficientnet-lite0`, `tf_efficientnet_lite0.in1k`, `resnet-50`,
    /// `ResNet50`, `vit_base_patch16_224`.
    fn from_str(name: &str) -> Result<Self> {
        // The other names of those whose weights are the ones that petal takes; the hub's repositories are named so, too.
        const ALSO: [(&str, Backbone); 3] = [
            ("vitbasepatch16224", Backbone::VitBase16),
            ("vitb16", Backbone::VitBase16),
            ("tfefficientnetlite0", Backbone::EfficientnetLite0),
        ];
        const TAGS: [&str; 4] = [".tv_in1k", ".fb_in1k", ".in1k", ""];
        let letters = |name: &str| name.to_lowercase().replace(['-', '_', ' '], "");
        let lower = name.to_lowercase();
        let bare = lower.rsplit('/').next().unwrap_or_default();
        let bare = TAGS.iter().find_map(|tag| bare.strip_suffix(tag)).unwrap_or(bare);
        let own = Self::ALL.into_iter().find(|backbone| letters(backbone.name()) == letters(bare));
        let also = || ALSO.iter().find(|(other, _)| *other == letters(bare)).map(|(_, backbone)| *backbone);
        own.or_else(also).ok_or_else(|| Error::unknown("backbone", name, &Self::ALL.map(Self::name)))
    }
}

impl TryFrom<String> for Backbone {
    type Error = String;

    fn try_from(name: String) -> std::result::Result<Self, String> {
        name.parse().map_err(|error: Error| error.in_a_line())
    }
}

/// Where pretrained weights come from. Nothing ever takes the place of what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightsFrom {
    /// The Hugging Face hub, through its cache on this machine.
    Hub,
    /// The EfficientNet-Lite0 weights in the repository, `models/pretrained/`.
    Embedded,
    /// Random numbers from the seed: to try a network without its weights. It learns little.
    Random,
    /// A safetensors file.
    File(PathBuf),
}

impl FromStr for WeightsFrom {
    type Err = Error;

    /// `hub`, `embedded`, `random`, or else the path of a file.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a word that is none of these and no path: there is no such file, and it has neither a folder nor an ending.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "hub" => Ok(Self::Hub),
            "embedded" => Ok(Self::Embedded),
            "random" => Ok(Self::Random),
            path if Path::new(path).exists() || path.contains(['/', '\\', '.']) => Ok(Self::File(path.into())),
            word => Err(Error::unknown("weights", word, &["hub", "embedded", "random", "a safetensors file"])),
        }
    }
}

/// What fraction of the photos goes into which split; they sum to 1. And what becomes of photos that show the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitConfig {
    /// Fraction to learn from. Default 0.8.
    pub train: f64,
    /// Fraction that decides when to stop and which epoch is best. Default 0.1.
    pub val: f64,
    /// Fraction looked at once, at the end. Default 0.1.
    pub test: f64,
    /// What becomes of photos that show the same. Default [`Duplicates::Together`].
    pub duplicates: Duplicates,
    /// How alike two photos are at least, where they differ most, to be taken for the same: from 0 (nothing in common there) to 1 (equal).
    /// Default 0.75.
    pub duplicate_threshold: f64,
}

/// What becomes of photos that show the same: copies, also resized, encoded again, recoloured, mirrored or cropped a little.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", try_from = "String")]
pub enum Duplicates {
    /// They are in one part (`together`): none is learned from and measured on. The default.
    #[default]
    Together,
    /// They are found and told, but the parts are drawn as if they were not (`report`).
    Report,
    /// They are not looked for (`off`).
    Off,
}

impl Duplicates {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Together, Self::Report, Self::Off];

    /// The word in settings and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Together => "together",
            Self::Report => "report",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for Duplicates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Duplicates {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|one| one.name() == name);
        found.ok_or_else(|| Error::unknown("duplicates", name, &Self::ALL.map(Self::name)))
    }
}

impl TryFrom<String> for Duplicates {
    type Error = String;

    fn try_from(name: String) -> std::result::Result<Self, String> {
        name.parse().map_err(|error: Error| error.in_a_line())
    }
}

/// What a photo may at most cost. It is checked on the header, before memory is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of the file. Default 64 MiB.
    pub file_bytes: usize,
    /// Width and height, in pixels. Default 20,000.
    pub side: usize,
    /// Width × height. Default 178,956,970 (Pillow's bound).
    pub pixels: usize,
}

/// How training photos are varied, before the one resize and crop. All draws are even over their range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Mirrors half of the photos left to right. Default true.
    pub flip: bool,
    /// Turns by up to this many degrees either way; 0 to 180. Default 10.
    pub rotate: f64,
    /// Enlarges by a factor of 1 up to this; 1 to 4. Default 1.1.
    pub zoom: f64,
    /// Changes brightness by up to this fraction either way; 0 to 1. Default 0.2.
    pub brightness: f64,
    /// Changes contrast by up to this fraction either way; 0 to 1. Default 0.2.
    pub contrast: f64,
}

/// The new head: global average pooling, Linear(D, hidden), ReLU, Dropout, Linear(hidden, classes).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassifierConfig {
    /// Width of the hidden layer. Default 256.
    pub hidden: usize,
    /// Probability with which dropout zeroes an activation, 0 to 1 (exclusive). Default 0.3.
    pub dropout: f64,
}

/// How long and how fast one phase trains. Adam, β 0.9 and 0.999, ε 1e-7, no weight decay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseConfig {
    /// Most epochs. 0 leaves the phase out.
    pub epochs: usize,
    /// Stop after this many epochs in a row without a better validation loss; at least 1.
    pub patience: usize,
    /// Adam's learning rate, above 0.
    pub learning_rate: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self::seed()
    }
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self { train: 0.8, val: 0.1, test: 0.1, duplicates: Duplicates::Together, duplicate_threshold: 0.75 }
    }
}

impl Limits {
    /// No limits: for photos that were admitted before, and are known by their hash or came from petal itself.
    pub const NONE: Self = Self { file_bytes: usize::MAX, side: u32::MAX as usize, pixels: u32::MAX as usize };
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 64 << 20, side: 20_000, pixels: 178_956_970 }
    }
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self { flip: true, rotate: 10.0, zoom: 1.1, brightness: 0.2, contrast: 0.2 }
    }
}

impl AugmentConfig {
    /// No variation at all.
    pub const NONE: Self = Self { flip: false, rotate: 0.0, zoom: 1.0, brightness: 0.0, contrast: 0.0 };
}

impl Default for ClassifierConfig {
    fn default() -> Self {
        Self { hidden: 256, dropout: 0.3 }
    }
}

impl Config {
    /// The recipe `seed`: ResNet-50 on TF Flowers, the full road.
    pub fn seed() -> Self {
        Self {
            seed: 42,
            source: Source::TfFlowers,
            backbone: Backbone::Resnet50,
            weights: WeightsFrom::Hub,
            image_size: 224,
            fit: Fit::Crop,
            batch_size: 32,
            views: 2,
            cache: true,
            cache_limit: 20.0,
            limits: Limits::default(),
            split: SplitConfig::default(),
            augment: AugmentConfig::default(),
            classifier: ClassifierConfig::default(),
            head: PhaseConfig { epochs: 10, patience: 3, learning_rate: 1e-3 },
            fine_tune: PhaseConfig { epochs: 10, patience: 3, learning_rate: 1e-5 },
            baseline: PhaseConfig { epochs: 20, patience: 5, learning_rate: 1e-3 },
        }
    }

    /// The same road in small, without a network: drawn flowers, EfficientNet-Lite0 with the weights in the repository, a
    /// few epochs. A few minutes on a laptop.
    pub fn demo() -> Self {
        Self {
            source: Source::Synthetic { per_class: 40 },
            backbone: Backbone::EfficientnetLite0,
            weights: WeightsFrom::Embedded,
            batch_size: 16,
            head: PhaseConfig { epochs: 4, patience: 3, learning_rate: 1e-3 },
            fine_tune: PhaseConfig { epochs: 3, patience: 3, learning_rate: 1e-5 },
            baseline: PhaseConfig { epochs: 4, patience: 3, learning_rate: 1e-3 },
            ..Self::seed()
        }
    }

    /// The recipe that the environment variable `PETAL_RECIPE` names: `demo`, or `seed` (also when it is not set).
    pub fn from_env() -> Result<Self> {
        match std::env::var_os("PETAL_RECIPE") {
            None => Ok(Self::seed()),
            Some(name) => Self::recipe(&name.to_string_lossy()),
        }
    }

    /// The recipe of this name: `seed` or `demo`.
    pub fn recipe(name: &str) -> Result<Self> {
        match name {
            "seed" | "" => Ok(Self::seed()),
            "demo" => Ok(Self::demo()),
            other => Err(Error::unknown("recipe", other, &["seed", "demo"])),
        }
    }

    /// Reads and checks a TOML file. What it leaves out is as in [`Config::seed`]; an unknown key is an error.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = String::from_utf8(files::read(path)?)
            .map_err(|_| Error::new(ErrorKind::Config, "this file is not UTF-8 text").at(path))?;
        Self::from_toml(&text).map_err(|error| error.at(path))
    }

    /// Reads and checks TOML text.
    pub fn from_toml(text: &str) -> Result<Self> {
        let config: Self = toml::from_str(text).map_err(|cause| {
            let line = cause.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            Error::new(ErrorKind::Config, format!("line {line}: {}", cause.message()))
        })?;
        config.check()?;
        Ok(config)
    }

    /// The settings as TOML text.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_else(|cause| unreachable!("plain settings always serialize: {cause}"))
    }

    /// [`Config::cache_limit`] in bytes.
    pub fn cache_bytes(&self) -> u64 {
        (self.cache_limit * 1e9) as u64
    }

    /// Checks every setting's range.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the key, the value and what is allowed.
    pub fn check(&self) -> Result<()> {
        fn within(key: &str, value: f64, low: f64, high: f64) -> Result<()> {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(Error::config(key, value, &format!("a number from {low} to {high}")))
            }
        }
        within("image_size", self.image_size as f64, 32.0, 1024.0)?;
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
        within("classifier.hidden", self.classifier.hidden as f64, 1.0, 65_536.0)?;
        within("classifier.dropout", self.classifier.dropout, 0.0, 0.99)?;
        for (key, phase) in [("head", self.head), ("fine_tune", self.fine_tune), ("baseline", self.baseline)] {
            within(&format!("{key}.epochs"), phase.epochs as f64, 0.0, 100_000.0)?;
            within(&format!("{key}.patience"), phase.patience as f64, 1.0, 100_000.0)?;
            if !(phase.learning_rate > 0.0 && phase.learning_rate <= 10.0) {
                return Err(Error::config(&format!("{key}.learning_rate"), phase.learning_rate, "above 0, at most 10"));
            }
        }
        if let Source::Synthetic { per_class } = self.source {
            within("source.synthetic.per_class", per_class as f64, 10.0, 100_000.0)?;
        }
        if self.weights == WeightsFrom::Embedded && self.backbone != Backbone::EfficientnetLite0 {
            return Err(Error::config("weights", "embedded", &format!("hub, random or a file for {}", self.backbone))
                .mend("only efficientnet-lite0 has its weights in the repository"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_are_valid_and_survive_toml() {
        for config in [Config::seed(), Config::demo()] {
            config.check().unwrap();
            assert_eq!(Config::from_toml(&config.to_toml()).unwrap(), config);
        }
    }

    #[test]
    fn backbones_have_one_name_everywhere() {
        for backbone in Backbone::ALL {
            assert_eq!(backbone.name().parse::<Backbone>().unwrap(), backbone);
            let toml = Config { backbone, weights: WeightsFrom::Hub, ..Config::seed() }.to_toml();
            assert!(toml.contains(&format!("backbone = {:?}", backbone.name())), "{toml}");
        }
    }

    #[test]
    fn backbones_are_known_by_the_names_that_others_give_them() {
        for (name, backbone) in [
            ("efficientnet_lite0", Backbone::EfficientnetLite0),
            ("EfficientNet-Lite0", Backbone::EfficientnetLite0),
            ("tf_efficientnet_lite0.in1k", Backbone::EfficientnetLite0),
            ("timm/tf_efficientnet_lite0.in1k", Backbone::EfficientnetLite0),
            ("resnet-50", Backbone::Resnet50),
            ("resnet_50", Backbone::Resnet50),
            ("ResNet50", Backbone::Resnet50),
            ("resnet50.tv_in1k", Backbone::Resnet50),
            ("timm/resnet18.tv_in1k", Backbone::Resnet18),
            ("vit_base_patch16_224", Backbone::VitBase16),
            ("vit_b_16", Backbone::VitBase16),
            ("google/vit-base-patch16-224", Backbone::VitBase16),
            ("convnext_tiny.fb_in1k", Backbone::ConvnextTiny),
        ] {
            assert_eq!(name.parse::<Backbone>().unwrap(), backbone, "{name}");
            assert_eq!(Config::from_toml(&format!("backbone = {name:?}")).unwrap().backbone, backbone);
        }
        // Other weights are another network.
        for name in ["resnet50.a1_in1k", "resnet51", "efficientnet", "", "resnet"] {
            let error = name.parse::<Backbone>().unwrap_err();
            assert!(error.what().contains("one of resnet18, "), "{error}");
        }
        assert_eq!("resnet5".parse::<Backbone>().unwrap_err().how_to_mend(), Some("did you mean resnet50?"));
        let error = Config::from_toml("seed = 1\nbackbone = \"efficientnet-lite\"").unwrap_err();
        assert!(error.what().contains("line 2") && error.what().contains("efficientnet-lite0"), "{error}");
    }

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
            ("weights = \"embedded\"", "weights is embedded"),
        ] {
            let error = Config::from_toml(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.what().contains(key), "{error}");
        }
    }
}
