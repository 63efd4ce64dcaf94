//! The kernel's processes: what it started, and what those started.

use std::collections::{BTreeMap, BTreeSet};

/// Ends all that compiles: the kernel's processes, but for those that lead to `spared`.
pub(super) fn end_all_but(spared: Option<u32>) {
    let parents = parents();
    let mut kept: BTreeSet<u32> = BTreeSet::new();
    let mut next = spared;
    while let Some(id) = next {
        next = parents.get(&id).copied().filter(|_| kept.insert(id));
    }
    let ours = std::process::id();
    let mut found = BTreeSet::from([ours]);
    // Children of what is found, until there are no more.
    loop {
        let more: Vec<u32> = parents
            .iter()
            .filter(|(id, parent)| found.contains(parent) && !found.contains(id) && !kept.contains(id))
            .map(|(id, _)| *id)
            .collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    for id in found.into_iter().filter(|id| *id != ours) {
        // SAFETY: takes no pointers; these are processes that the kernel has started.
        unsafe { libc::kill(id as i32, libc::SIGKILL) };
    }
}

/// Each process's parent.
#[cfg(target_os = "linux")]
fn parents() -> BTreeMap<u32, u32> {
    let mut parents = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name, in brackets, may hold anything; the state and the parent come after it.
        let parent =
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)).and_then(|parent| parent.parse().ok());
        parents.extend(parent.map(|parent| (id, parent)));
    }
    parents
}

/// Each process's parent.
#[cfg(not(target_os = "linux"))]
fn parents() -> BTreeMap<u32, u32> {
    let output = std::process::Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut numbers = line.split_whitespace().map(|word| word.parse::<u32>().ok());
            Some((numbers.next()??, numbers.next()??))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn what_is_spared_lives_on_and_the_rest_ends() {
        let sleeper = || Command::new("sh").args(["-c", "sleep 60 & wait"]).stdout(Stdio::null()).spawn().unwrap();
        let (mut one, mut other) = (sleeper(), sleeper());
        end_all_but(Some(other.id()));
        assert!(!one.wait().unwrap().success());
        assert!(other.try_wait().unwrap().is_none());
        end_all_but(None);
        assert!(!other.wait().unwrap().success());
    }
}
