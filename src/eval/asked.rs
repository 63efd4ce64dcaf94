//! A trained network with the way that it is asked about photos.

use candle_core::Tensor;

use crate::base::config::{TestConfig, TestViews};
use crate::base::error::{Error, Result};
use crate::models::{Cut, Inference, Model};
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
    inference: Inference<'a>,
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
        Ok(Self { inference, preprocess, side, views: test.views })
    }

    /// How photos are brought to what [`Asked::probabilities`] takes.
    pub fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    /// Probabilities of the classes, `[B][K]`, for images `[B, 3, H, W]` as [`Asked::preprocess`] makes them: the mean over their views.
    pub fn probabilities(&self, images: &Tensor) -> Result<Vec<Vec<f32>>> {
        if self.views == TestViews::One {
            return self.inference.probabilities(images);
        }
        let (wide, side) = (self.preprocess.size, self.side);
        let middle = (wide - side) / 2;
        let corners = match self.views {
            TestViews::Crops => {
                vec![(0, 0), (0, wide - side), (wide - side, 0), (wide - side, wide - side), (middle, middle)]
            }
            _ => vec![(0, 0)],
        };
        let mut sum: Vec<Vec<f32>> = Vec::new();
        for &(top, left) in &corners {
            let view = images.narrow(2, top, side)?.narrow(3, left, side)?;
            for view in [view.clone(), mirrored(&view)?] {
                let told = self.inference.probabilities(&view)?;
                if sum.is_empty() {
                    sum = told;
                } else {
                    let pairs = sum.iter_mut().flatten().zip(told.iter().flatten());
                    pairs.for_each(|(sum, told)| *sum += told);
                }
            }
        }
        let views = 2.0 * corners.len() as f32;
        sum.iter_mut().flatten().for_each(|sum| *sum /= views);
        Ok(sum)
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
