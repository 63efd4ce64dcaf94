//! What was planned for a run within a budget of time: `plan.json` in its folder.

use std::path::PathBuf;

use super::folder::Run;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;
use crate::train::budget::Plan;

impl Run {
    /// The file that keeps the plan.
    pub fn plan_file(&self) -> PathBuf {
        self.folder.join("plan.json")
    }

    /// Writes what was planned.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] or [`ErrorKind::DiskFull`] if it cannot be written.
    pub fn save_plan(&self, plan: &Plan) -> Result<()> {
        let json = serde_json::to_string_pretty(plan)
            .map_err(|cause| Error::new(ErrorKind::Io, format!("cannot write: {cause}")).at(self.plan_file()))?;
        files::write_bytes(&self.plan_file(), format!("{json}\n").as_bytes())
    }

    /// What was planned; nothing where no budget was given, or the file cannot be read: then it is planned anew.
    pub fn plan(&self) -> Option<Plan> {
        serde_json::from_slice(&files::read(&self.plan_file()).ok()?).ok()
    }
}
