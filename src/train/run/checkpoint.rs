//! The one file from which training goes on.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use serde_json::Value;

use super::folder::Run;
use super::progress::{Progress, differences};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::project::Machine;
use crate::nn::codec;
use crate::nn::params::is_finite;

/// What training goes on from. What is frozen is in the pretrained weights, whose hash is in [`Progress::made_with`].
#[derive(Clone, Debug, Default)]
pub struct Checkpoint {
    /// The counters.
    pub progress: Progress,
    /// What the run's phases train, as it is, by the parameters' names.
    pub model: BTreeMap<String, Tensor>,
    /// The same of the best epoch.
    pub best: BTreeMap<String, Tensor>,
    /// The optimizer's moments of what the phase under way trains, as [`Adam::state`](crate::nn::optim::Adam::state) names them.
    pub moments: BTreeMap<String, Tensor>,
    /// What the phase's recipe keeps from step to step, by names of its own.
    pub recipe: BTreeMap<String, Tensor>,
}

impl Checkpoint {
    /// The parts, with what their tensors' names begin with in the file.
    fn parts(&self) -> [(&'static str, &BTreeMap<String, Tensor>); 4] {
        let Self { model, best, moments, recipe, .. } = self;
        [("model.", model), ("best.", best), ("adam.", moments), ("recipe.", recipe)]
    }

    /// All tensors, by their names in the file.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        let named = |(prefix, part): (&str, &BTreeMap<String, Tensor>)| {
            part.iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor.clone())).collect::<Vec<_>>()
        };
        self.parts().into_iter().flat_map(named).collect()
    }

    /// A checkpoint of these tensors, by their names in the file. What is of no part is left out.
    pub fn of_tensors(progress: Progress, tensors: BTreeMap<String, Tensor>) -> Self {
        let empty = Self { progress, ..Self::default() };
        let [model, best, moments, recipe] = empty.parts().map(|(prefix, _)| {
            let entries = tensors.iter();
            entries.filter_map(|(name, t)| Some((name.strip_prefix(prefix)?.to_string(), t.clone()))).collect()
        });
        Self { model, best, moments, recipe, ..empty }
    }
}

/// The format that is written. Format 1, which had no hash, and 2, which had no list of phases, are read as well.
const FORMAT: u32 = 3;

impl Run {
    /// How far the run has come; a fresh start where there is no checkpoint. The tensors are not read.
    ///
    /// # Errors
    /// As for [`Run::load`], but for what is wrong with the tensors alone.
    pub fn progress(&self) -> Result<Progress> {
        let path = self.last();
        if !path.exists() {
            return Ok(Progress { format: FORMAT, made_with: self.made_with.clone(), ..Progress::default() });
        }
        let metadata = codec::read_metadata(&path).map_err(|error| self.damaged(error.what()))?;
        let stored: Value = serde_json::from_str(&metadata).map_err(|cause| self.damaged(&cause.to_string()))?;
        let format = stored.get("format").and_then(Value::as_u64).unwrap_or_default();
        if !(1..=u64::from(FORMAT)).contains(&format) {
            let what = format!("this checkpoint has format {format}; this version of petal reads 1 to {FORMAT}");
            return Err(Error::new(ErrorKind::Checkpoint, what)
                .at(path)
                .mend("go on with the petal that wrote it, or give the run another name (--run)"));
        }
        let progress =
            if format < u64::from(FORMAT) { Progress::from_older(stored) } else { serde_json::from_value(stored) };
        let progress = progress.map_err(|cause| self.damaged(&cause.to_string()))?;
        let differs = differences(&progress.made_with, &self.made_with);
        if !differs.is_empty() {
            return Err(Error::new(
                ErrorKind::Checkpoint,
                format!("this run was made otherwise: {}", differs.join("; ")),
            )
            .at(path)
            .mend("give the run another name (--run), or delete its folder to train anew"));
        }
        Ok(progress)
    }

    /// The checkpoint, or a fresh start where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Checkpoint`] if it cannot be read, is not what was written, or was made with other settings, photos or
    /// weights: the error names what differs.
    pub fn load(&self, device: &Device) -> Result<Checkpoint> {
        let progress = self.progress()?;
        if !self.last().exists() {
            return Ok(Checkpoint { progress, ..Checkpoint::default() });
        }
        let (tensors, _) = codec::read(&self.last(), device).map_err(|error| self.damaged(error.what()))?;
        if progress.sha256.is_some() && progress.sha256 != Some(codec::digest(&tensors)?) {
            return Err(self.damaged("its numbers are not those that were written"));
        }
        Ok(Checkpoint::of_tensors(progress, tensors))
    }

    fn damaged(&self, how: &str) -> Error {
        Error::new(ErrorKind::Checkpoint, format!("training cannot go on from this file: {how}"))
            .at(self.last())
            .mend("delete this file to train anew, or give the run another name (--run)")
    }

    /// Writes the checkpoint and `history.csv`. The checkpoint is read back before the one before it goes.
    ///
    /// # Errors
    /// [`ErrorKind::Diverged`] if a number is not finite; [`ErrorKind::DiskFull`] or [`ErrorKind::Io`] if it cannot be
    /// written. The checkpoint before it stays in any case.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<()> {
        let tensors = checkpoint.tensors();
        for (name, tensor) in &tensors {
            if !is_finite(tensor)? {
                let what = format!("{name} holds numbers that are not finite");
                return Err(Error::new(ErrorKind::Diverged, what)
                    .at(&self.folder)
                    .mend("lower the learning rate; what was saved before is kept"));
            }
        }
        let sha256 = Some(codec::digest(&tensors)?);
        let progress = Progress { format: FORMAT, sha256, ..checkpoint.progress.clone() };
        let metadata = serde_json::to_string(&progress)
            .map_err(|cause| Error::new(ErrorKind::Checkpoint, cause.to_string()).at(self.last()))?;
        codec::write(&self.last(), &tensors, &metadata).map_err(|error| self.with_room(error, &tensors))?;
        checkpoint.progress.history.write_csv(&self.folder.join("history.csv"))
    }

    /// A full disk's error, with how much is needed and how much is there.
    fn with_room(&self, error: Error, tensors: &BTreeMap<String, Tensor>) -> Error {
        if error.kind() != ErrorKind::DiskFull {
            return error;
        }
        let needed = tensors.values().map(Tensor::elem_count).sum::<usize>() * 4;
        let free = Machine::look(&self.folder).disk_free;
        let what = format!("a checkpoint needs {} MB, {} MB are free; {}", needed >> 20, free >> 20, error.what());
        let mend = "free some space and run this again: it goes on from the checkpoint before, which is kept";
        Error::new(ErrorKind::DiskFull, what).at(self.last()).mend(mend)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn run(folder: &Path, seed: &str) -> Run {
        Run::new(folder, BTreeMap::from([("seed".to_string(), seed.to_string())]))
    }

    #[test]
    fn a_checkpoint_survives_the_disk_whole() {
        let folder = tempfile::tempdir().unwrap();
        let run = run(folder.path(), "1");
        let mut checkpoint = run.load(&Device::Cpu).unwrap();
        checkpoint.progress.loss_sum = 0.1 + 0.2;
        checkpoint.progress.monitor.best = Some(1.0 / 3.0);
        let tensor = Tensor::new(&[0.1f32, f32::EPSILON], &Device::Cpu).unwrap();
        checkpoint.moments.insert("mean.head".into(), tensor);
        run.save(&checkpoint).unwrap();
        let back = run.load(&Device::Cpu).unwrap();
        assert_eq!(Progress { sha256: None, ..back.progress.clone() }, checkpoint.progress);
        assert_eq!(run.progress().unwrap(), back.progress);
        assert_eq!(back.moments["mean.head"].to_vec1::<f32>().unwrap(), [0.1, f32::EPSILON]);
    }

    #[test]
    fn going_on_with_other_settings_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let first = run(folder.path(), "1");
        first.save(&first.load(&Device::Cpu).unwrap()).unwrap();
        let error = run(folder.path(), "2").load(&Device::Cpu).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Checkpoint);
        assert!(error.what().contains("seed was 1, is 2"), "{error}");
    }
}
