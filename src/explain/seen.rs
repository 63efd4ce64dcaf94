//! What a CAM method works on: the maps of one photo, and what the network makes of maps.

use candle_core::{Tensor, Var};

use crate::base::error::{Error, ErrorKind, Result};
use crate::models::Attended;

/// What the network says of a class by maps `[N, C, h, w]`: `[N]`, with a graph that reaches the maps.
pub type Score<'a> = &'a dyn Fn(&Tensor) -> Result<Tensor>;

/// What a network's layers of attention took on the photo, the first layer first.
pub type Attending<'a> = &'a dyn Fn() -> Result<Vec<Attended>>;

/// The last stage's maps of one photo, `[C, h, w]`, and what the network says of the class by these and other maps.
///
/// ```
/// use petal::candle::{Device, Tensor};
/// use petal::explain::Seen;
///
/// // A network that says of the class what the sum of the squares is.
/// let score = |maps: &Tensor| Ok(maps.sqr()?.sum((1, 2, 3))?);
/// let maps = Tensor::new(&[[[1f32, 2.]], [[0., 3.]]], &Device::Cpu)?;
/// let seen = Seen::new(&maps, &score)?;
/// assert_eq!(seen.gradients()?.to_vec3::<f32>()?, [[[2.0, 4.0]], [[0.0, 6.0]]]);
/// assert_eq!(seen.score(&maps.unsqueeze(0)?)?.to_vec1::<f32>()?, [14.0]);
/// # Ok::<(), petal::Error>(())
/// ```
pub struct Seen<'a> {
    maps: Var,
    score: Score<'a>,
    attending: Option<Attending<'a>>,
}

impl<'a> Seen<'a> {
    /// From maps `[C, h, w]`.
    ///
    /// # Errors
    /// [`ErrorKind::Tensor`] for maps of another number of dimensions.
    pub fn new(maps: &Tensor, score: Score<'a>) -> Result<Self> {
        maps.dims3()?;
        Ok(Self { maps: Var::from_tensor(&maps.contiguous()?)?, score, attending: None })
    }

    /// The same of a network that may have attention, too.
    #[must_use]
    pub fn attending(self, attending: Attending<'a>) -> Self {
        Self { attending: Some(attending), ..self }
    }

    /// What the layers of attention took, looked at where it is asked for.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a network without attention.
    pub fn attended(&self) -> Result<Vec<Attended>> {
        match self.attending {
            Some(attending) => attending(),
            None => Err(Error::new(ErrorKind::Config, "nothing is known of the network's attention")),
        }
    }

    /// The maps, `[C, h, w]`.
    pub fn maps(&self) -> Tensor {
        self.maps.as_tensor().detach()
    }

    /// How much the logit grows with each field of each map: `[C, h, w]`.
    ///
    /// # Errors
    /// [`ErrorKind::Tensor`] if the score does not hang on the maps.
    pub fn gradients(&self) -> Result<Tensor> {
        let score = self.score(&self.maps.as_tensor().unsqueeze(0)?)?;
        let gradients = score.sum_all()?.backward()?;
        let found = gradients.get(&self.maps);
        found.cloned().ok_or_else(|| Error::new(ErrorKind::Tensor, "the maps got no gradient"))
    }

    /// What the network would say of the class by these maps, `[N, C, h, w]`: `[N]`.
    ///
    /// # Errors
    /// What the network can give.
    pub fn score(&self, maps: &Tensor) -> Result<Tensor> {
        (self.score)(maps)
    }

    /// `Σ_c w_c A_c`, `[h, w]`, with a weight a map, `[C, 1, 1]`, or one a field of each map, `[C, h, w]`.
    ///
    /// # Errors
    /// [`ErrorKind::Tensor`] for weights of another shape.
    pub fn weighed(&self, weights: &Tensor) -> Result<Tensor> {
        Ok(self.maps().broadcast_mul(weights)?.sum(0)?)
    }
}

impl std::fmt::Debug for Seen<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Seen {{ maps: {:?} }}", self.maps.dims())
    }
}
