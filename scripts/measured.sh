# Shared by measure.sh and measure_recipes.sh: the command, the photos, and trainings whose results stay. Source it from a script whose working folder is
# the repository, with the folder of the results in $out.
# shellcheck shell=bash

mkdir -p "${out:?the folder of the results}"
if [ -z "${PETAL_COMMAND:-}" ]; then
  cargo build --release --bin petal
  PETAL_COMMAND=${CARGO_TARGET_DIR:-target}/release/petal
fi
petal=$PETAL_COMMAND

if [ -n "${PETAL_PHOTOS_ARCHIVE:-}" ]; then
  "$petal" download-dataset --data "$out/photos" --archive "$PETAL_PHOTOS_ARCHIVE"
else
  "$petal" download-dataset --data "$out/photos"
fi
# The scripts that source this read it.
# shellcheck disable=SC2034
photos=$out/photos/raw/flower_photos

# train_measured FILE ARGUMENT… trains, and leaves what came of it, with the seconds that it took, in a file that is there once it is whole.
train_measured() {
  local result=$1 start
  shift
  start=$(date +%s)
  "$petal" train "$@" --json > "$result.part"
  python3 scripts/folds.py --seconds "$result.part" $(($(date +%s) - start))
  mv "$result.part" "$result"
}
