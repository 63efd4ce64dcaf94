//! The folders, the device, the machine.

use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use candle_core::Device;

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;

/// The folders of a project, and the device to compute on. Every workflow starts with one.
///
/// Folders below `root`: `data/` (photos and their splits), `models/` (model files and runs), `visualizations/` (figures).
///
/// ```no_run
/// # use petal::prelude::*;
/// # fn cells() -> Result<()> {
/// let project = Project::open("..")?; // as a cell's last line, `project` shows the machine and the folders
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Project {
    /// The repository, or any other folder to work in.
    pub root: PathBuf,
    /// Photos: `raw/`, `train/`, `val/`, `test/`, `manifest.csv`.
    pub data: PathBuf,
    /// Model files, `runs/` and `cache/`.
    pub models: PathBuf,
    /// Figures.
    pub visualizations: PathBuf,
    /// Where tensors live and are computed.
    pub device: Device,
    /// The machine's resources when the project was opened.
    pub machine: Machine,
    /// Address of a static of the copy of petal that opened this project.
    origin: usize,
}

/// The machine's resources.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Threads that computations use (`RAYON_NUM_THREADS` sets another number).
    pub threads: usize,
    /// Bytes of memory in all.
    pub memory: u64,
    /// Bytes of memory that are free for use.
    pub memory_free: u64,
    /// Bytes free on the disk that holds the project.
    pub disk_free: u64,
}

/// Which device to compute on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// CUDA if petal was built with it and a GPU is there, else Metal, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The first CUDA GPU.
    Cuda,
    /// The Metal GPU.
    Metal,
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            "metal" => Ok(Self::Metal),
            other => Err(Error::unknown("device", other, &["auto", "cpu", "cuda", "metal"])),
        }
    }
}

impl DeviceChoice {
    /// The device itself.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if a GPU was asked for by name and cannot be used.
    pub fn open(self) -> Result<Device> {
        let failed = |name: &str, cause: candle_core::Error| {
            Error::new(ErrorKind::Config, format!("the device {name} cannot be used: {cause}"))
                .mend(format!("build petal with `--features {name}`, or choose the device cpu"))
        };
        match self {
            Self::Auto if candle_core::utils::cuda_is_available() => Self::Cuda.open(),
            Self::Auto if candle_core::utils::metal_is_available() => Self::Metal.open(),
            Self::Auto | Self::Cpu => Ok(Device::Cpu),
            Self::Cuda => Device::new_cuda(0).map_err(|cause| failed("cuda", cause)),
            Self::Metal => Device::new_metal(0).map_err(|cause| failed("metal", cause)),
        }
    }
}

impl Project {
    /// Opens a folder as a project, on the best device there is. The folders below it come with their first files.
    pub fn open(root: impl AsRef<Path>) -> Result<Self> {
        Self::open_on(root, DeviceChoice::Auto)
    }

    /// Opens a folder as a project, on this device.
    pub fn open_on(root: impl AsRef<Path>, device: DeviceChoice) -> Result<Self> {
        let root = root.as_ref();
        files::create_dir(root)?;
        // Absolute, so that a later change of the working folder moves nothing.
        let root = root.canonicalize().map_err(|cause| Error::io("open", root, &cause))?;
        let [data, models, visualizations] = ["data", "models", "visualizations"].map(|name| root.join(name));
        let machine = Machine::look(&root);
        Ok(Self { root, data, models, visualizations, device: device.open()?, machine, origin: origin() })
    }

    /// The folders that petal writes to: photos are never looked for in them.
    pub fn own_folders(&self) -> [&Path; 3] {
        [&self.data, &self.models, &self.visualizations]
    }

    /// Fails where this copy of petal is not the one that opened the project.
    ///
    /// A notebook kernel that links petal statically gives every cell its own copy, with its own counter of tensor ids.
    /// Backward passes are keyed by those ids, so gradients would be wrong without a word.
    ///
    /// # Errors
    /// [`ErrorKind::Notebook`].
    pub fn check_origin(&self) -> Result<()> {
        if self.origin == origin() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Notebook,
            "this cell uses another copy of petal than the cell that opened the project",
        )
        .mend("depend on notebooks/kernel (a dylib) as the first cell of train_and_eval.ipynb does, and restart"))
    }
}

impl Machine {
    /// Looks at the machine, and at the disk that holds `folder`.
    pub fn look(folder: &Path) -> Self {
        let mut system = sysinfo::System::new();
        system.refresh_memory();
        let disks = sysinfo::Disks::new_with_refreshed_list();
        let disk = disks
            .iter()
            .filter(|disk| folder.starts_with(disk.mount_point()))
            .max_by_key(|disk| disk.mount_point().as_os_str().len());
        Self {
            threads: rayon::current_num_threads(),
            memory: system.total_memory(),
            memory_free: system.available_memory(),
            disk_free: disk.map_or(0, sysinfo::Disk::available_space),
        }
    }
}

/// Most bytes of memory that this process has held so far, where the system tells (Linux).
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

fn origin() -> usize {
    // Never read: only its address matters, which differs between copies of the library.
    static MARK: u8 = 0;
    std::ptr::addr_of!(MARK) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_looks_at_the_machine_and_leaves_no_empty_folders() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::open_on(folder.path().join("a b"), DeviceChoice::Cpu).unwrap();
        assert!(project.root.is_absolute() && files::sorted_dir(&project.root).unwrap().is_empty());
        assert!(project.machine.threads > 0 && project.machine.memory >= project.machine.memory_free);
        project.check_origin().unwrap();
    }

    #[test]
    fn another_copy_of_the_library_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::open_on(folder.path(), DeviceChoice::Cpu).unwrap();
        let foreign = Project { origin: project.origin ^ 8, ..project };
        assert_eq!(foreign.check_origin().unwrap_err().kind(), ErrorKind::Notebook);
    }
}
