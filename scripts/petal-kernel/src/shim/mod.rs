//! Stands between evcxr and the process that runs the cells (ARCHITECTURE.md): evcxr gets its control lines, and the kernel all the rest, at once.

mod batch;
mod frame;
mod parse;
mod poll;
mod runtime;

use batch::Batch;
pub(crate) use frame::{Frame, SYNC};
use parse::{Parser, Said};
use poll::{nonblocking, poll, read_some};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The kernel's socket; whoever has it in its environment is a shim, or the process behind one.
pub(crate) const SOCKET: &str = "PETAL_KERNEL_SOCKET";
/// Set in the process behind the shim.
pub(crate) const BEHIND: &str = "PETAL_KERNEL_BEHIND";
/// A library that flushes the cells' standard output all the time.
pub(crate) const FLUSH: &str = "PETAL_KERNEL_FLUSH";

/// Text is told after so long at the latest.
const BATCH: Duration = Duration::from_millis(25);

/// Is the shim, or gets the process behind it ready for evcxr; in that case it returns.
pub(crate) fn hook() {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    if std::env::var_os(BEHIND).is_some() {
        runtime::prepare();
        return;
    }
    let status = Shim::start(&PathBuf::from(socket)).and_then(Shim::serve);
    std::process::exit(match status {
        Ok(status) => status,
        Err(error) => {
            eprintln!("petal-kernel's shim: {error}");
            1
        }
    });
}

struct Shim {
    kernel: UnixStream,
    child: runtime::Child,
    parser: Parser,
    batch: Batch,
    stop: Option<PathBuf>,
    /// What evcxr has said and is no whole line yet.
    asked: Vec<u8>,
    /// The library that flushes.
    library: Option<String>,
    /// What runs is a function of that library: its end is not a cell's.
    flushing: Flushing,
}

impl Shim {
    fn start(socket: &Path) -> io::Result<Shim> {
        runtime::ignore_interrupts();
        let mut kernel = UnixStream::connect(socket)?;
        let child = runtime::Child::start()?;
        Frame::Hello(child.id()).write(&mut kernel)?;
        let mut shim = Shim {
            kernel,
            child,
            parser: Parser::default(),
            batch: Batch::default(),
            stop: std::env::var_os("PETAL_STOP").map(PathBuf::from),
            asked: Vec::new(),
            library: std::env::var(FLUSH).ok().filter(|path| !path.contains(' ') && Path::new(path).exists()),
            flushing: Flushing::No,
        };
        if let Some(library) = &shim.library {
            shim.flushing = Flushing::Begins;
            shim.child.say(format!("LOAD_AND_RUN {library} petal_flush\n").as_bytes());
        }
        Ok(shim)
    }

    fn serve(mut self) -> io::Result<i32> {
        let (out, err, end) = (self.child.out.as_raw_fd(), self.child.err.as_raw_fd(), self.child.end.as_raw_fd());
        let kernel = self.kernel.as_raw_fd();
        nonblocking(out)?;
        nonblocking(err)?;
        let (mut out_open, mut err_open) = (true, true);
        loop {
            let waiting = [(0, true), (out, out_open), (err, err_open), (kernel, true), (end, true)];
            let ready = poll(&waiting.map(|(fd, open)| if open { fd } else { -1 }), self.patience())?;
            if ready[1] {
                out_open = self.hear_out(out)?;
            }
            if ready[2] {
                err_open = self.hear_err(err)?;
            }
            if ready[3] && !self.synced(kernel, out, err)? {
                self.child.kill();
                return Ok(1);
            }
            if ready[0] && !self.hear_evcxr()? {
                self.child.kill();
                return Ok(0);
            }
            if self.batch.due(BATCH) {
                for said in self.parser.release() {
                    self.tell(said, err)?;
                }
                self.flush()?;
            }
            if ready[4] {
                return self.ended(out, err);
            }
        }
    }

    /// How long to wait for the next bytes; none for as long as it takes.
    fn patience(&self) -> Option<Duration> {
        let since = self.batch.since?;
        Some((since + BATCH).saturating_duration_since(Instant::now()))
    }

    fn hear_out(&mut self, out: i32) -> io::Result<bool> {
        let mut bytes = Vec::new();
        let open = read_some(out, &mut bytes)?;
        let err = self.child.err.as_raw_fd();
        for said in self.parser.push(&bytes) {
            self.tell(said, err)?;
        }
        if self.parser.holds() {
            self.batch.begin();
        }
        Ok(open)
    }

    fn hear_err(&mut self, err: i32) -> io::Result<bool> {
        let mut bytes = Vec::new();
        let open = read_some(err, &mut bytes)?;
        self.batch.err(&bytes);
        self.flush_if_large()?;
        Ok(open)
    }

    fn tell(&mut self, said: Said, err: i32) -> io::Result<()> {
        let to_evcxr = match said {
            Said::Text(text) => {
                self.batch.out(&text);
                return self.flush_if_large();
            }
            Said::Message(json) => return self.frame(Frame::Message(json)),
            Said::Content(kind, body) => return self.frame(Frame::Content(kind, body)),
            Said::Panic | Said::Failed => {
                // What went wrong was written before this line, so it is all there.
                self.hear_err(err)?;
                let text = self.batch.take_err();
                let (frame, line) = match said {
                    Said::Panic => (Frame::Panic(text), "EVCXR_PANIC_NOTIFICATION"),
                    _ => (Frame::Failed(text), "EVCXR_ERROR_OCCURRED"),
                };
                self.frame(frame)?;
                line.to_owned()
            }
            Said::Control(line) => {
                self.flush()?;
                line
            }
            Said::Complete if self.flushing == Flushing::Begins => {
                self.flushing = Flushing::No;
                return Ok(());
            }
            // What the cell has left without a newline is to come before it is done.
            Said::Complete if self.flushing == Flushing::No && self.library.is_some() => {
                self.flushing = Flushing::Ends;
                let library = self.library.as_deref().unwrap_or_default();
                self.child.say(format!("LOAD_AND_RUN {library} petal_flush_now\n").as_bytes());
                return Ok(());
            }
            Said::Complete => {
                self.flushing = Flushing::No;
                self.hear_err(err)?;
                self.frame(Frame::Done)?;
                "EVCXR_EXECUTION_COMPLETE".to_owned()
            }
        };
        say_to_evcxr(&to_evcxr)
    }

    /// Hears what evcxr asks of the process; false where evcxr is gone.
    fn hear_evcxr(&mut self) -> io::Result<bool> {
        let mut bytes = Vec::new();
        let open = read_some(0, &mut bytes)?;
        self.asked.extend(bytes);
        while let Some(end) = self.asked.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.asked.drain(..=end).collect();
            if line.starts_with(b"LOAD_AND_RUN ") {
                if self.stop.as_ref().is_some_and(|file| file.exists()) {
                    // For evcxr it is a panic before anything was done.
                    self.frame(Frame::Refused)?;
                    self.frame(Frame::Done)?;
                    say_to_evcxr("EVCXR_PANIC_NOTIFICATION\nEVCXR_EXECUTION_COMPLETE")?;
                    continue;
                }
                self.frame(Frame::Running)?;
            }
            self.child.say(&line);
        }
        Ok(open)
    }

    /// Tells all that is there, and that it is told; false where the kernel is gone.
    fn synced(&mut self, kernel: i32, out: i32, err: i32) -> io::Result<bool> {
        let mut bytes = Vec::new();
        if !read_some(kernel, &mut bytes)? {
            return Ok(false);
        }
        self.hear_out(out)?;
        self.hear_err(err)?;
        for _ in bytes.iter().filter(|byte| **byte == SYNC) {
            self.frame(Frame::Synced)?;
        }
        Ok(true)
    }

    /// Tells what the process has left behind, and how it ended.
    fn ended(&mut self, out: i32, err: i32) -> io::Result<i32> {
        let until = Instant::now() + Duration::from_millis(500);
        while self.hear_out(out)? | self.hear_err(err)? && Instant::now() < until {
            if !poll(&[out, err], Some(Duration::ZERO))?.contains(&true) {
                break;
            }
        }
        for said in self.parser.release() {
            self.tell(said, err)?;
        }
        let (how, status) = self.child.status();
        self.frame(Frame::Ended(how))?;
        Ok(status)
    }

    fn frame(&mut self, frame: Frame) -> io::Result<()> {
        self.flush()?;
        frame.write(&mut self.kernel)
    }

    fn flush(&mut self) -> io::Result<()> {
        for frame in self.batch.take() {
            frame.write(&mut self.kernel)?;
        }
        Ok(())
    }

    fn flush_if_large(&mut self) -> io::Result<()> {
        if self.batch.is_large() { self.flush() } else { Ok(()) }
    }
}

/// What of the library that flushes is at work.
#[derive(Clone, Copy, PartialEq)]
enum Flushing {
    No,
    /// It is being loaded.
    Begins,
    /// A cell is done, and its output is flushed.
    Ends,
}

fn say_to_evcxr(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
