//! The kernel's end: by request, by signal, or since whoever started it is gone. Nothing stays behind.

use super::Kernel;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

/// Ends all that the kernel has started, removes its folder, and leaves.
pub(super) fn end(kernel: &Kernel) -> ! {
    kernel.stop.end_everything();
    kernel.folder.remove();
    kernel.output.finish();
    std::process::exit(0)
}

/// Hears signals (SIGINT is Stop, SIGTERM and SIGHUP the end), and notices when the parent is gone.
pub(super) fn watch(kernel: &Arc<Kernel>) {
    if let Ok((mut reader, writer)) = std::io::pipe() {
        PIPE.store(writer.as_raw_fd(), Ordering::SeqCst);
        // It is open as long as the kernel lives.
        std::mem::forget(writer);
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            // SAFETY: the handler does nothing but write a byte, which is allowed in one.
            unsafe { libc::signal(signal, heard as *const () as libc::sighandler_t) };
        }
        let kernel = Arc::clone(kernel);
        std::thread::spawn(move || {
            let mut signal = [0u8];
            while reader.read_exact(&mut signal).is_ok() {
                if i32::from(signal[0]) == libc::SIGINT {
                    kernel.stop.ask();
                } else {
                    end(&kernel);
                }
            }
        });
    }
    let (kernel, parent) = (Arc::clone(kernel), std::os::unix::process::parent_id());
    std::thread::spawn(move || {
        while std::os::unix::process::parent_id() == parent {
            std::thread::sleep(Duration::from_millis(500));
        }
        end(&kernel);
    });
}

static PIPE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn heard(signal: libc::c_int) {
    let byte = signal as u8;
    // SAFETY: the pointer is to one byte; `write` may be called in a handler.
    unsafe { libc::write(PIPE.load(Ordering::SeqCst), (&raw const byte).cast(), 1) };
}
