//! The same training at three levels of the API, on drawn flowers, offline.
//!
//! ```sh
//! cargo run --release --example three_levels
//! ```

use petal::prelude::*;

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

    // 3. The loop itself: photos to features, then steps: forward, loss, backward, Adam.
    let other = Config { seed: 7, ..config };
    let learner = Learner::new(&project, &splits, &other)?;
    let (model, seed, phase) = (learner.model(), Seed(other.seed), learner.head());
    let photos = learner.train_loader();
    let inputs = Inputs::direct(model, phase.cut, &photos)?;
    let mut steps = Steps::new(model, &phase, seed, 2 * photos.len().div_ceil(other.batch_size))?;
    for epoch in 0..2 {
        let (mut sum, mut correct) = (0.0, 0);
        for (step, batch) in inputs.batches(&inputs.shuffled(seed, epoch), epoch)?.enumerate() {
            let taken = steps.take(epoch, step, batch?)?;
            sum += taken.loss * taken.photos as f64;
            correct += taken.correct;
        }
        let count = photos.len() as f64;
        println!("epoch {}: loss {:.4}, accuracy {:.2}", epoch + 1, sum / count, correct as f64 / count);
    }
    Ok(())
}
