# Shared by notebook.sh and test.sh: what must be there, and the set-up. Source it from a script whose working folder is the repository.
# shellcheck shell=bash

PETAL_CACHE=${PETAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/petal}
mkdir -p "$PETAL_CACHE/jupyter"
PETAL_CACHE=$(cd "$PETAL_CACHE" && pwd -P)
export PETAL_CACHE
# Python's tools keep to the cache as well, instead of the home folder.
export PIP_CACHE_DIR=$PETAL_CACHE/pip PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
export JUPYTER_CONFIG_DIR=$PETAL_CACHE/jupyter/config JUPYTER_DATA_DIR=$PETAL_CACHE/jupyter/data
export JUPYTER_RUNTIME_DIR=$PETAL_CACHE/jupyter/runtime IPYTHONDIR=$PETAL_CACHE/jupyter/ipython
venv=$PWD/.venv

say() { printf '\n== %s\n' "$*"; }
fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

check_rust() {
  [ -n "$(command -v cargo)" ] && [ -n "$(command -v rustc)" ] ||
    fail "Rust is missing. Install it (https://rustup.rs), open a new terminal, and run this again."
  command -v cc > /dev/null ||
    fail "A C compiler is missing: Rust links with it. On Debian and Ubuntu: sudo apt-get install build-essential; on macOS: xcode-select --install."
  local wanted have
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  have=$(rustc --version | sed 's/^rustc \([0-9.]*\).*/\1/')
  [ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ] ||
    fail "Rust $have is too old: petal needs $wanted or newer. Run: rustup update stable"
}

# How far pip is, in one line; what goes wrong it says on stderr.
pip_progress() {
  local terminal=
  [ ! -t 1 ] || terminal=yes
  awk -v all="$(grep -c '^[a-z].*==' requirements-dev.txt)" -v terminal="$terminal" '
    function say(words) { printf terminal ? "\r%-60s" : "%s\n", words; fflush() }
    /^Collecting / && (++count % 20 == 0 || terminal) { say("  " count " of " all " packages are there") }
    /^Installing collected packages/ { say("  all " all " packages are there; now they are installed") }
    END { if (terminal) print "" }
  '
}

# A virtual environment in the repository, with exactly what requirements-dev.txt names.
setup_python() {
  local python=${PYTHON:-python3}
  command -v "$python" > /dev/null ||
    fail "Python is missing. On Debian and Ubuntu: sudo apt-get install python3 python3-venv"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "$("$python" --version) is too old: 3.10 or newer is needed. PYTHON=python3.12 $0 uses another one."
  cmp -s requirements-dev.txt "$venv/installed.txt" && "$venv/bin/python" -c '' 2> /dev/null && return
  say "Setting up Python's packages in .venv (240 MB)"
  "$python" -c 'import ensurepip, venv' 2> /dev/null ||
    fail "Python's venv module is missing. On Debian and Ubuntu: sudo apt-get install python3-venv"
  if ! { "$python" -m venv --clear "$venv" && "$venv/bin/pip" install --require-hashes -r requirements-dev.txt | pip_progress; }; then
    fail "Python's packages could not be installed into .venv: see above."
  fi
  cp requirements-dev.txt "$venv/installed.txt"
}

# Where the kernel is, built from these sources by this compiler.
kernel_program() {
  local sum
  sum=$({
    rustc -vV
    find scripts/petal-kernel/src -type f -name '*.rs' | LC_ALL=C sort | xargs cat scripts/petal-kernel/Cargo.toml scripts/petal-kernel/Cargo.lock
  } | cksum | tr ' ' -)
  printf '%s/petal-kernel-%s/petal-kernel' "$PETAL_CACHE" "$sum"
}

# The notebook's kernel, whose larger part is evcxr with rust-analyzer.
setup_kernel() {
  kernel=$(kernel_program)
  # Those of other versions, which another clone may use, go when they were not set up for two weeks.
  find "$PETAL_CACHE" -maxdepth 1 -name 'petal-kernel-[0-9]*' -mtime +14 ! -path "$(dirname "$kernel")" -exec rm -rf {} +
  [ -x "$kernel" ] && touch "$(dirname "$kernel")" && return
  say "Building the notebook's kernel (about five minutes on two cores)"
  # In a target folder of its own that is removed afterwards; an interrupted build goes on from there. PETAL_KERNEL_TARGET is one that stays.
  local target=${PETAL_KERNEL_TARGET:-$PETAL_CACHE/petal-kernel-target}
  cargo build --release --locked --manifest-path scripts/petal-kernel/Cargo.toml --target-dir "$target"
  mkdir -p "$(dirname "$kernel")"
  cp "$target/release/petal-kernel" "$kernel.part"
  mv "$kernel.part" "$kernel"
  [ -n "${PETAL_KERNEL_TARGET:-}" ] || rm -rf "$target"
}

# evcxr's type analysis reads the source of Rust's standard library.
setup_rust_src() {
  [ -e "$(rustc --print sysroot)/lib/rustlib/src/rust/library/core/src/lib.rs" ] && return
  if command -v rustup > /dev/null; then
    say "Adding the source of Rust's standard library"
    rustup component add rust-src
  else
    fail "The source of Rust's standard library is missing, which the notebook's kernel reads. Install your distribution's package for it" \
      "(often rust-src), or Rust by rustup (https://rustup.rs)."
  fi
}

# Everything that the notebook needs; seconds where it is all there.
setup_notebook() {
  check_rust
  setup_rust_src
  setup_python
  setup_kernel
  # The kernel works offline: everything that the lock file names has to be there.
  cargo fetch --locked --quiet
  "$venv/bin/python" scripts/kernel/prepare.py "$kernel"
}
