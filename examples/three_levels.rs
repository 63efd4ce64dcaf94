//! The same training at three levels of the API, on drawn flowers, offline.
//!
//! ```sh
//! cargo run --release --example three_levels
//! ```

use petal::nn::{loss, optim::Adam};
use petal::prelude::*;
use petal::{Purpose, Seed};

fn main() -> Result<()> {
    let project = Project::open("target/three_levels")?;
    let config = Config { source: Source::Synthetic { per_class: 20 }, ..Config::demo() };
    let splits = Dataset::fetch(&project, &config)?.split(&project, &config)?;

    // 1. The whole road in one call.
    let learner = fine_tune(&project, &splits, &config)?;
    println!("{}\n", learner.evaluate(Split::Test)?.text());

    // 2. Phase by phase. This finds the run above finished, and trains nothing again.
    let mut learner = Learner::new(&project, &splits, &config)?;
    learner.fit_head()?;
    learner.fit_upper()?;

    // 3. The loop itself: photos to features, features to logits, loss, backward, Adam.
    let other = Config { seed: 7, ..config };
    let learner = Learner::new(&project, &splits, &other)?;
    let (model, seed) = (learner.model(), Seed(other.seed));
    let train = learner.train_loader();
    let frozen = model.frozen(Cut::Features, other.image_size, other.image_size)?;
    let mut adam = Adam::new(model.trainable_vars(Cut::Features)?, other.head.learning_rate)?;
    for epoch in 0..2 {
        let mut order: Vec<usize> = (0..train.len()).collect();
        seed.stream(Purpose::Shuffle, epoch, 0).shuffle(&mut order);
        let mut sum = 0.0;
        for (step, batch) in train.batches_of(&order, epoch).enumerate() {
            let batch = batch?;
            let mut dropout = seed.stream(Purpose::Dropout, epoch, step as u64);
            let logits = model.after(&frozen.run(&batch.images)?, Cut::Features, Some(&mut dropout))?;
            let loss = loss::cross_entropy(&logits, &batch.targets)?;
            adam.step(&model.backward(&loss)?)?;
            sum += f64::from(loss.to_scalar::<f32>()?) * batch.indices.len() as f64;
        }
        println!("epoch {}: loss {:.4}", epoch + 1, sum / train.len() as f64);
    }
    Ok(())
}
