//! The process behind the shim, which runs the cells: evcxr's own runtime, in this same program.

use super::BEHIND;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The process, seen from the shim.
pub(super) struct Child {
    id: u32,
    stdin: ChildStdin,
    pub(super) out: ChildStdout,
    pub(super) err: ChildStderr,
    /// Can be read when the process has ended.
    pub(super) end: io::PipeReader,
    status: Arc<Mutex<Option<ExitStatus>>>,
}

impl Child {
    pub(super) fn start() -> io::Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(std::env::args_os().skip(1)).env(BEHIND, std::process::id().to_string());
        // evcxr asks for backtraces, which hide what a panic says; who wants them sets this in a cell.
        command.env("RUST_BACKTRACE", "0");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let missing = || io::Error::other("no pipe to the process");
        let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (end, mut ending) = io::pipe()?;
        let status = Arc::new(Mutex::new(None));
        let (id, found) = (child.id(), Arc::clone(&status));
        std::thread::spawn(move || {
            let ended = child.wait().ok();
            if let Ok(mut status) = found.lock() {
                *status = ended;
            }
            let _ = ending.write_all(b".");
            // Dropped with it, the pipe's end would be found without its byte.
            std::thread::sleep(Duration::from_secs(3600));
        });
        Ok(Child {
            id,
            stdin: stdin.ok_or_else(missing)?,
            out: out.ok_or_else(missing)?,
            err: err.ok_or_else(missing)?,
            end,
            status,
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Passes on what evcxr says. A process that is gone does not hear it.
    pub(super) fn say(&mut self, bytes: &[u8]) {
        let _ = self.stdin.write_all(bytes).and_then(|()| self.stdin.flush());
    }

    /// Ends the process, whatever it does.
    pub(super) fn kill(&mut self) {
        // SAFETY: takes no pointers; the process is ours, and not waited for by others.
        unsafe { libc::kill(self.id as i32, libc::SIGKILL) };
    }

    /// How the process has ended, in words, and the status to end with oneself.
    pub(super) fn status(&mut self) -> (String, i32) {
        let _ = self.end.read(&mut [0]);
        let status = self.status.lock().ok().and_then(|status| *status);
        match status.map(|status| (status.code(), status.signal())) {
            Some((Some(code), _)) => (format!("it left with the status {code}"), code),
            Some((None, Some(signal))) => (format!("signal {signal}, {}", named(signal)), 128 + signal),
            _ => ("it is gone".to_owned(), 1),
        }
    }
}

/// Gets the process behind the shim ready: it must not outlive the shim.
pub(super) fn prepare() {
    let shim = std::env::var(BEHIND).ok().and_then(|id| id.parse::<u32>().ok());
    #[cfg(target_os = "linux")]
    // SAFETY: takes no pointers.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
    }
    std::thread::spawn(move || {
        while Some(std::os::unix::process::parent_id()) == shim {
            std::thread::sleep(Duration::from_millis(200));
        }
        // SAFETY: takes no pointers. Nothing may hold this process back.
        unsafe { libc::_exit(1) };
    });
}

/// Jupyter may send an interrupt to all processes; the kernel decides what it means (Stop).
pub(super) fn ignore_interrupts() {
    // SAFETY: takes no pointers; ignoring a signal runs no code.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
}

fn named(signal: i32) -> &'static str {
    match signal {
        libc::SIGKILL => "killed: by a person, or by the system for want of memory",
        libc::SIGSEGV => "a segmentation fault",
        libc::SIGABRT => "aborted",
        libc::SIGBUS => "a bus error",
        libc::SIGILL => "an illegal instruction",
        libc::SIGFPE => "an arithmetic error",
        libc::SIGTERM => "asked to end",
        _ => "see `man 7 signal`",
    }
}
