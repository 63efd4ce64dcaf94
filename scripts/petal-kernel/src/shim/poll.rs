//! Waiting for several files at once.

use std::io;
use std::time::Duration;

/// Which of the files have something to read, or have ended; files below 0 are left out.
pub(super) fn poll<const N: usize>(files: &[i32; N], patience: Option<Duration>) -> io::Result<[bool; N]> {
    let mut waiting = files.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    let wait = patience.map_or(-1, |patience| patience.as_micros().div_ceil(1000) as i32);
    // SAFETY: the pointer and the number are those of the array.
    let found = unsafe { libc::poll(waiting.as_mut_ptr(), N as libc::nfds_t, wait) };
    if found < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted { Ok([false; N]) } else { Err(error) };
    }
    Ok(waiting.map(|file| file.revents != 0))
}

/// Reads what is there, up to a limit; false where the file has ended.
pub(super) fn read_some(fd: i32, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = vec![0u8; 1 << 16];
    // SAFETY: the pointer and the length are those of the buffer.
    let read = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
    if read < 0 {
        let error = io::Error::last_os_error();
        return match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(true),
            io::ErrorKind::ConnectionReset => Ok(false),
            _ => Err(error),
        };
    }
    bytes.extend_from_slice(&buffer[..read as usize]);
    Ok(read > 0)
}

/// Has reading end at once where there is nothing to read.
pub(super) fn nonblocking(fd: i32) -> io::Result<()> {
    // SAFETY: these calls take no pointers.
    let done = unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL);
        libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK)
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
