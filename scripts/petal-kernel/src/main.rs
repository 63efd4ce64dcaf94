//! A Jupyter kernel for Rust on evcxr, which compiles and runs the cells. ARCHITECTURE.md says how it is built.
//!
//!     petal-kernel CONNECTION_FILE        what Jupyter calls, by scripts/kernel/launch.py
//!
//! The same program is, told by the environment, the process that runs the cells, the shim before it, evcxr's wrapper of rustc, and what
//! evcxr calls as cargo.

mod code;
mod kernel;
mod shim;
mod tools;
mod wire;

use std::path::PathBuf;

fn main() {
    shim::hook();
    tools::hook();
    // Does not return in the process that runs the cells, nor in the wrapper.
    evcxr::runtime_hook();
    let Some(file) = std::env::args_os().skip(1).find(|argument| argument != "--control_file").map(PathBuf::from)
    else {
        eprintln!("Jupyter starts this kernel, with a connection file: petal-kernel CONNECTION_FILE");
        std::process::exit(2);
    };
    if let Err(error) = kernel::run(&file) {
        eprintln!("petal-kernel: {error}");
        std::process::exit(1);
    }
}
