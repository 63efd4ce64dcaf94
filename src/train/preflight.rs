//! What can be known to go wrong before the first epoch: photos, folders, memory, disk. Nothing is written here.
//!
//! Memory that runs out ends the process without a word, and a full disk would be found after an epoch's work. So both are
//! estimated first.

use super::job::Job;
use super::run::folder::Run;
use crate::base::config::Config;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::project::Machine;
use crate::models::{Architecture, Cut, Model};
use crate::nn::program::CHUNK;

/// Looks at a phase before it begins.
///
/// # Errors
/// [`ErrorKind::Dataset`] for a part without photos, a class without training photos, or a photo whose class the network does
/// not have; [`ErrorKind::Config`] for a size that the network does not take; [`ErrorKind::Io`] where a folder takes the place of a file that the run writes; [`ErrorKind::Memory`] and
/// [`ErrorKind::DiskFull`] if the machine has too little, with what would fit.
pub fn check(job: &Job) -> Result<()> {
    check_photos(job)?;
    check_folder(job.run)?;
    let (side, own) = (job.train.preprocess().size, job.val.preprocess().size);
    if side != own && !job.model.takes_any_size() {
        let expected = format!("0, or {own} as the network has it");
        return Err(Error::config(&format!("the size of phase {}", job.phase.name), side, &expected)
            .mend("this network has parts that fit one size only"));
    }
    let config = Config { image_size: side.max(own), ..job.config.clone() };
    let machine = Machine::look(&job.run.folder);
    let photos = job.train.len().max(job.val.len());
    Needs::of(job.model, job.phase.cut, &config, photos)?
        .in_parts(job.phase.recipe.parts())
        .check(&machine)
        .map_err(|error| error.at(&job.run.folder))
}

/// What a phase of training needs of a machine: estimates, on the CPU within about a quarter of what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Bytes of memory, whatever the size of a batch.
    pub memory: u64,
    /// Bytes of memory for each photo of a batch.
    pub memory_per_photo: u64,
    /// Photos a batch.
    pub batch_size: u64,
    /// Bytes on the disk: three checkpoints, and the model file twice. The cache looks after itself.
    pub disk: u64,
}

impl Needs {
    /// The needs of training a model after this cut on so many photos.
    pub fn of(model: &Model, cut: Cut, config: &Config, photos: usize) -> Result<Self> {
        const F32: u64 = 4;
        /// The program itself, photos being decoded, what a memory allocator holds back.
        const GROUND: u64 = 150 << 20;
        /// Copies of a batch's pixels between the decoder and the first layer, with the batch that is made ahead.
        const PIXELS: u64 = 6;
        let count = |names: &mut dyn Iterator<Item = usize>| names.sum::<usize>() as u64;
        let all = count(&mut model.params().iter().map(|(_, param)| param.var.elem_count()));
        let trainable = count(&mut model.trainable_vars(cut)?.iter().map(|(_, var)| var.elem_count()));
        let checkpoint = 4 * F32 * trainable;
        let disk = 3 * checkpoint + 2 * F32 * all;
        let batch_size = config.batch_size.min(photos) as u64;
        if !model.device().is_cpu() {
            // What a GPU has free is not known here.
            return Ok(Self { memory: GROUND, memory_per_photo: 0, batch_size, disk });
        }

        let side = config.image_size;
        let lens = model.lens(cut, side);
        let whole = model.lens(Cut::Images, side);
        // A few photos at a time go back through the network: their gradients are among the scratch.
        let sum = count(&mut lens.iter().copied());
        let at_cut = lens.first().map_or(0, |&len| len as u64);
        let image = whole.first().map_or(0, |&len| len as u64);
        // What comes before the cut shares memory: about three registers of a chunk, and a chunk a thread.
        let before = whole.iter().take(whole.len().saturating_sub(lens.len())).max().map_or(0, |&len| len as u64);
        let scratch = 3 * before.max(CHUNK as u64) * rayon::current_num_threads() as u64;
        // The best values, the gradients, the weights folded for training and for validation, Adam's two; the packed frozen part
        // twice; a checkpoint while it is written.
        let numbers = all + 6 * trainable + 2 * (all - trainable) + scratch;
        let training = sum + if cut == Cut::Images { PIXELS * image } else { 2 * at_cut };
        let preparing = if cut == Cut::Images { 0 } else { PIXELS * image + 3 * at_cut };
        Ok(Self {
            memory: GROUND + F32 * numbers + 2 * checkpoint,
            memory_per_photo: F32 * if config.cache { training.max(preparing) } else { training + preparing },
            batch_size,
            disk,
        })
    }

    /// The same where a batch goes through the network in so many parts.
    #[must_use]
    pub fn in_parts(self, parts: usize) -> Self {
        Self { batch_size: self.batch_size.div_ceil(parts.max(1) as u64), ..self }
    }

    /// Bytes of memory in all.
    pub fn memory_in_all(&self) -> u64 {
        self.memory + self.batch_size * self.memory_per_photo
    }

    /// Compares the needs with what is free. What the machine does not tell (0) is not held against anyone.
    pub fn check(&self, machine: &Machine) -> Result<()> {
        let (needed, free) = (self.memory_in_all(), machine.memory_free);
        if free > 0 && needed > free {
            let fits = free.saturating_sub(self.memory) / self.memory_per_photo.max(1);
            let what = format!("training needs about {} of memory; {} are free", megabytes(needed), megabytes(free));
            let mend = match fits {
                0 => "end other programs, or set a smaller image_size or backbone".to_string(),
                fits => format!("set batch_size to {} (it is {})", fits.min(self.batch_size), self.batch_size),
            };
            return Err(Error::new(ErrorKind::Memory, what).mend(mend));
        }
        if machine.disk_free > 0 && self.disk > machine.disk_free {
            let what = format!(
                "this run needs about {} on the disk; {} are free",
                megabytes(self.disk),
                megabytes(machine.disk_free)
            );
            return Err(Error::new(ErrorKind::DiskFull, what).mend("free some space and run this again"));
        }
        Ok(())
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1 << 20))
}

fn check_photos(job: &Job) -> Result<()> {
    let (Architecture::Baseline { classes, .. } | Architecture::Transfer { classes, .. }) = job.model.architecture();
    for subset in [job.train.subset(), job.val.subset()] {
        let failed = |what: String| Err(Error::new(ErrorKind::Dataset, what).mend("make the split anew"));
        if subset.samples.is_empty() {
            return failed(format!("the part {} has no photos", subset.split));
        }
        if let Some(sample) = subset.samples.iter().find(|sample| sample.target >= *classes) {
            let what = format!("this photo is of class number {}; the network has {classes}", sample.target);
            return Err(Error::new(ErrorKind::Dataset, what)
                .at(&sample.path)
                .mend("train on the classes of this split"));
        }
    }
    let train = job.train.subset();
    let is_there = |class: usize| train.samples.iter().any(|sample| sample.target == class);
    match train.classes.iter().enumerate().find(|(class, _)| !is_there(*class)) {
        Some((_, name)) => Err(Error::new(ErrorKind::Dataset, format!("no photo to learn from is of class {name:?}"))
            .mend("add photos of it and make the split anew, or remove the class")),
        None => Ok(()),
    }
}

fn check_folder(run: &Run) -> Result<()> {
    let files = [run.last(), run.best(), run.folder.join("history.csv"), run.folder.join("config.toml")];
    match files.into_iter().find(|path| path.is_dir()) {
        Some(path) => Err(Error::new(ErrorKind::Io, "a folder is where this run writes a file")
            .at(path)
            .mend("move the folder away, or give the run another name (--run)")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_memory_or_disk_is_told_with_what_fits() {
        let needs = Needs { memory: 500, memory_per_photo: 100, batch_size: 32, disk: 900 };
        let machine = |memory_free, disk_free| Machine { threads: 1, memory: 4000, memory_free, disk_free };
        needs.check(&machine(3700, 900)).unwrap();
        needs.check(&machine(0, 0)).unwrap();
        let error = needs.check(&machine(3699, 900)).unwrap_err();
        assert_eq!((error.kind(), error.how_to_mend()), (ErrorKind::Memory, Some("set batch_size to 31 (it is 32)")));
        let error = needs.check(&machine(599, 900)).unwrap_err();
        assert!(error.how_to_mend().unwrap().contains("image_size"), "{error}");
        assert_eq!(needs.check(&machine(3700, 899)).unwrap_err().kind(), ErrorKind::DiskFull);
    }
}
