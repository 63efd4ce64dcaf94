//! A trained network with the way that it is asked about photos.

use candle_core::Tensor;

use super::judge::Judge;
use super::judgement::Judgement;
use super::told::{Told, mean_of_views};
use super::trusted::Trusted;
use super::unknown::bank::MOST_FEATURES;
use super::unknown::energy::energy;
use crate::base::config::{TestConfig, TestViews};
use crate::base::error::{Error, Result};
use crate::models::{Cut, Frozen, Inference, Model};
use crate::pixels::Preprocess;

/// How much of a side a crop has.
const CROP: f64 = 0.875;

/// A trained network with the way that it is asked about photos ([`TestConfig`]).
///
/// ```
/// use petal::candle::{Device, Tensor};
/// use petal::config::{TestConfig, TestViews};
/// use petal::eval::Asked;
/// use petal::models::{Architecture, Model, registry};
/// use petal::prelude::*;
///
/// let backbone = Backbone::EfficientnetLite0;
/// let architecture = Architecture::Transfer { backbone, hidden: 8, dropout: 0.0, classes: 3 };
/// let model = Model::new(&architecture, Seed(1), &Device::Cpu)?;
/// let preprocess = petal::pixels::Preprocess { size: 64, ..registry::weights(backbone).preprocess };
/// let test = TestConfig { size: 0, views: TestViews::Flip };
/// let asked = Asked::new(&model, &preprocess, &test)?;
/// let images = Tensor::rand(0f32, 1., (2, 3, 64, 64), &Device::Cpu)?;
/// let (one, mirrored) = (asked.probabilities(&images)?, asked.probabilities(&images.flip(&[3])?)?);
/// assert!(one.concat().iter().zip(mirrored.concat()).all(|(a, b)| (a - b).abs() < 1e-6));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Asked<'a> {
    /// What gives the features, where they are asked for.
    features: Option<Frozen<'a>>,
    /// From photos, or from their features, to logits.
    inference: Inference<'a>,
    /// What says more of a photo than the probabilities of its classes.
    judge: Option<Judge<'a>>,
    /// What photos become before their views are taken.
    preprocess: Preprocess,
    /// Side of a view, in pixels.
    side: usize,
    views: TestViews,
}

impl<'a> Asked<'a> {
    /// A network that was trained to see photos in this way, asked in that. It holds a copy of the weights.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for another size where the network has only its own.
    pub fn new(model: &'a Model, preprocess: &Preprocess, test: &TestConfig) -> Result<Self> {
        let side = if test.size == 0 { preprocess.size } else { test.size };
        if side != preprocess.size && !model.takes_any_size() {
            let expected = format!("0, or {} as it was trained", preprocess.size);
            return Err(
                Error::config("test.size", side, &expected).mend("this network has parts that fit one size only")
            );
        }
        let preprocess = match test.views {
            TestViews::One | TestViews::Flip => Preprocess { size: side, ..*preprocess },
            // Around its middle there is as much more as it has been spared so far.
            TestViews::Crops => Preprocess {
                size: (side as f64 / CROP).round() as usize,
                crop: (preprocess.crop / CROP).min(1.0),
                ..*preprocess
            },
        };
        let inference = model.inference(Cut::Images, &[3, side, side])?;
        Ok(Self { features: None, inference, judge: None, preprocess, side, views: test.views })
    }

    /// The same, asked for its features, too, where it has any that are not too many: the backbone's pooled output.
    pub fn with_features(self, model: &'a Model) -> Result<Self> {
        let width = model.features();
        if !model.has_features() || width > MOST_FEATURES {
            return Ok(self);
        }
        let features = Some(model.frozen(Cut::Features, self.side, self.side)?);
        Ok(Self { features, inference: model.inference(Cut::Features, &[width])?, ..self })
    }

    /// Whether it gives features.
    pub fn has_features(&self) -> bool {
        self.features.is_some()
    }

    /// The same, with its probabilities calibrated, and more said of each photo.
    pub fn judged(self, model: &'a Model, judge: Judge<'a>) -> Result<Self> {
        Ok(Self { judge: Some(judge), ..self.with_features(model)? })
    }

    /// How its probabilities are calibrated, and what was asked of what is said beside them; none where it is asked for raw ones.
    pub fn trusted(&self) -> Option<Trusted> {
        self.judge.as_ref().map(Judge::trusted)
    }

    /// The probabilities of the classes, and what is said beside them, for images as [`Asked::probabilities`] takes them.
    pub fn answers(&self, images: &Tensor) -> Result<Vec<(Vec<f32>, Option<Judgement>)>> {
        match &self.judge {
            None => Ok(self.probabilities(images)?.into_iter().map(|probabilities| (probabilities, None)).collect()),
            Some(judge) => {
                let answers = judge.judge(&self.told(images)?).into_iter();
                Ok(answers.map(|(probabilities, judgement)| (probabilities, Some(judgement))).collect())
            }
        }
    }

    /// Logits, energies and, where they are asked for, features of images as [`Asked::probabilities`] takes them: means over their views.
    pub fn told(&self, images: &Tensor) -> Result<Vec<Told>> {
        let mut views = Vec::new();
        for view in self.views_of(images)? {
            let features = self.features.as_ref().map(|frozen| frozen.run(&view)).transpose()?;
            let logits: Vec<Vec<f32>> = self.inference.logits(features.as_ref().unwrap_or(&view))?.to_vec2()?;
            let features: Option<Vec<Vec<f32>>> = features.map(|features| features.to_vec2()).transpose()?;
            let one = |(photo, logits): (usize, Vec<f32>)| Told {
                energy: energy(&logits),
                features: features.as_ref().map(|rows| rows[photo].clone()),
                logits,
            };
            views.push(logits.into_iter().enumerate().map(one).collect::<Vec<_>>());
        }
        Ok(mean_of_views(views))
    }

    /// How photos are brought to what [`Asked::probabilities`] takes.
    pub fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    /// Probabilities of the classes, `[B][K]`, for images `[B, 3, H, W]` as [`Asked::preprocess`] makes them: the mean over their views.
    pub fn probabilities(&self, images: &Tensor) -> Result<Vec<Vec<f32>>> {
        let mut sum: Vec<Vec<f32>> = Vec::new();
        let views = self.views_of(images)?;
        for view in &views {
            let told = self.inference.probabilities(&self.at_inference(view)?)?;
            if sum.is_empty() {
                sum = told;
            } else {
                let pairs = sum.iter_mut().flatten().zip(told.iter().flatten());
                pairs.for_each(|(sum, told)| *sum += told);
            }
        }
        let views = views.len() as f32;
        sum.iter_mut().flatten().for_each(|sum| *sum /= views);
        Ok(sum)
    }

    /// What [`Asked::inference`] takes of these images.
    fn at_inference(&self, view: &Tensor) -> Result<Tensor> {
        self.features.as_ref().map_or_else(|| Ok(view.clone()), |frozen| frozen.run(view))
    }

    /// The views of these images.
    fn views_of(&self, images: &Tensor) -> Result<Vec<Tensor>> {
        let (wide, side) = (self.preprocess.size, self.side);
        let middle = (wide - side) / 2;
        let corners = match self.views {
            TestViews::One => return Ok(vec![images.clone()]),
            TestViews::Flip => vec![(0, 0)],
            TestViews::Crops => {
                vec![(0, 0), (0, wide - side), (wide - side, 0), (wide - side, wide - side), (middle, middle)]
            }
        };
        let mut views = Vec::new();
        for (top, left) in corners {
            let view = images.narrow(2, top, side)?.narrow(3, left, side)?;
            views.extend([view.clone(), mirrored(&view)?]);
        }
        Ok(views)
    }

    /// In what it is asked otherwise than it was trained, for tables: `256 px, 2 views`. Empty where in nothing.
    pub fn words(&self, trained: &Preprocess) -> String {
        let size = (self.side != trained.size).then(|| format!("{} px", self.side));
        let views = match self.views {
            TestViews::One => None,
            TestViews::Flip => Some("2 views".to_owned()),
            TestViews::Crops => Some("10 views".to_owned()),
        };
        size.into_iter().chain(views).collect::<Vec<_>>().join(", ")
    }
}

/// The mirror image of each of these images, `[B, 3, H, W]`, channels-last in memory.
fn mirrored(images: &Tensor) -> Result<Tensor> {
    Ok(images.permute((0, 2, 3, 1))?.contiguous()?.flip(&[2])?.permute((0, 3, 1, 2))?)
}
