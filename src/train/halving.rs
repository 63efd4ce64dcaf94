//! What a search by successive halving has tried, and what it has kept.

/// Settings that were tried for so many epochs.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// In what they differ from the others.
    pub name: String,
    /// The run's name.
    pub run: String,
    /// Accuracy on the validation photos, of the best epoch.
    pub accuracy: f64,
    /// Cross-entropy there, in nats.
    pub loss: f64,
    /// Seconds of all its epochs.
    pub seconds: f64,
}

/// One round: all that were left, for as many epochs.
#[derive(Clone, Debug, PartialEq)]
pub struct Rung {
    /// Most epochs of each one's last phase.
    pub epochs: usize,
    /// What was tried, the best first: by accuracy, of equals by loss.
    pub tried: Vec<Tried>,
    /// How many of them, from the first on, are in the next round.
    pub kept: usize,
}

/// What a search by successive halving has found (Jamieson & Talwalkar 2016, arXiv:1502.07943). The validation photos alone have decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Halving {
    /// Validation photos.
    pub photos: usize,
    /// The rounds.
    pub rungs: Vec<Rung>,
    /// Whether it was stopped: then the last round is not whole, and nothing is chosen yet.
    pub is_stopped: bool,
}

impl Halving {
    /// What is best of the last round; none where the search was stopped.
    pub fn winner(&self) -> Option<&Tried> {
        self.rungs.last().filter(|_| !self.is_stopped)?.tried.first()
    }

    /// Seconds of all epochs of the last time that each was tried, and of what was dropped.
    pub fn seconds(&self) -> f64 {
        let mut runs = std::collections::BTreeMap::new();
        for tried in self.rungs.iter().flat_map(|rung| &rung.tried) {
            runs.insert(&tried.run, tried.seconds);
        }
        runs.values().sum()
    }
}

/// Sorts what was tried: the best first.
pub fn rank(tried: &mut [Tried]) {
    tried.sort_by(|a, b| b.accuracy.total_cmp(&a.accuracy).then(a.loss.total_cmp(&b.loss)));
}
