#!/usr/bin/env bash
# The recipes side by side: five disjoint folds over the real photos, each photo tested once, with seed, instant and best. Hours on two cores; it goes on
# where it stopped, a row at a time. Photos come from PETAL_PHOTOS_ARCHIVE where it is set, else from the download.
#
#   scripts/measure_recipes.sh [RECIPE…]   default: seed instant best
#   PETAL_BACKBONE, PETAL_WEIGHTS          default efficientnet-lite0, embedded
set -euo pipefail
cd "$(dirname "$0")/.."
recipes=("$@")
[ ${#recipes[@]} -gt 0 ] || recipes=(seed instant best)
backbone=${PETAL_BACKBONE:-efficientnet-lite0}
weights=${PETAL_WEIGHTS:-embedded}
out=${PETAL_MEASURE_DIR:-target/measure-recipes}
mkdir -p "$out"

cargo build --release --bin petal
petal=${CARGO_TARGET_DIR:-target}/release/petal

if [ -n "${PETAL_PHOTOS_ARCHIVE:-}" ]; then
  "$petal" download-dataset --data "$out/photos" --archive "$PETAL_PHOTOS_ARCHIVE"
else
  "$petal" download-dataset --data "$out/photos"
fi

# A table of labels for each fold, which says of every photo whether it is to train, to decide or to test.
python3 scripts/folds.py "$out/photos/raw/flower_photos" "$out" 5

for fold in 0 1 2 3 4; do
  "$petal" split-dataset --photos "$out/photos/raw/flower_photos" --labels "$out/fold-$fold.csv" --data "$out/data-$fold" --seed 0
  for recipe in "${recipes[@]}"; do
    result=$out/$recipe-$backbone-$fold.json
    [ -s "$result" ] && continue # measured before
    start=$(date +%s)
    "$petal" train --data "$out/data-$fold" --models "$out/models-$fold" --recipe "$recipe" --backbone "$backbone" --weights "$weights" \
      --seed 0 --json > "$result.part"
    python3 scripts/folds.py --seconds "$result.part" $(($(date +%s) - start))
    mv "$result.part" "$result"
    python3 scripts/folds.py --table "$out" "$backbone"
  done
done
python3 scripts/folds.py --table "$out" "$backbone"
