//! A small library that flushes the cells' standard output all the time.
//!
//! `print!` keeps a line that has not ended to itself; in a terminal one does not notice, since the next `println!` comes. In a notebook, what
//! `print!("\r50 %")` says is to appear at once. The buffer is in the standard library that all cells share, so a thread in it can empty it; and
//! at the end of each cell, what is left there is to come before the cell is done.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SOURCE: &str = r#"
use std::ffi::c_void;
use std::io::Write;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

static ASK: Mutex<Option<mpsc::Sender<mpsc::Sender<()>>>> = Mutex::new(None);

// Begins to flush.
#[no_mangle]
pub extern "C" fn petal_flush(store: *mut c_void) -> *mut c_void {
    let (ask, asked) = mpsc::channel::<mpsc::Sender<()>>();
    let begun = std::thread::Builder::new().name("flush".into()).spawn(move || loop {
        let who = asked.recv_timeout(Duration::from_millis(40));
        let _ = std::io::stdout().flush();
        match who {
            Ok(who) => drop(who.send(())),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
    });
    if let (Ok(_), Ok(mut known)) = (begun, ASK.lock()) {
        *known = Some(ask);
    }
    store
}

// Flushes now; not for long where a thread holds the output.
#[no_mangle]
pub extern "C" fn petal_flush_now(store: *mut c_void) -> *mut c_void {
    if let Ok(known) = ASK.lock() {
        let (done, wait) = mpsc::channel();
        if known.as_ref().is_some_and(|ask| ask.send(done).is_ok()) {
            let _ = wait.recv_timeout(Duration::from_millis(30));
        }
    }
    store
}
"#;

/// The library: the one that lies in the folder of the prepared build, or else a new one in `folder`. Without it partial lines come late, no more.
pub(super) fn library(folder: &Path) -> Option<PathBuf> {
    let name = if cfg!(target_os = "macos") { "libpetal_flush.dylib" } else { "libpetal_flush.so" };
    let lasting =
        std::env::var_os("EVCXR_TMPDIR").map(PathBuf::from).and_then(|cell| Some(cell.parent()?.join("flush")));
    let folder = lasting.unwrap_or_else(|| folder.join("flush"));
    let library = folder.join(name);
    if !library.exists() {
        build(&folder, &library)?;
    }
    Some(library)
}

fn build(folder: &Path, library: &Path) -> Option<()> {
    std::fs::create_dir_all(folder).ok()?;
    let source = folder.join("flush.rs");
    std::fs::write(&source, SOURCE).ok()?;
    let part = library.with_extension("part");
    let mut rustc = Command::new("rustc");
    rustc.args([
        "--edition=2021",
        "--crate-name=petal_flush",
        "--crate-type=cdylib",
        "-Cprefer-dynamic",
        "-Crpath",
        "-Copt-level=1",
        "-o",
    ]);
    rustc.arg(&part).arg(&source).stdin(Stdio::null()).stdout(Stdio::null());
    if !rustc.status().is_ok_and(|status| status.success()) {
        return None;
    }
    std::fs::rename(part, library).ok()
}
