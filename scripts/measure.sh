#!/usr/bin/env bash
# The long accuracy runs: recipe `seed` on the real photos over several seeds, and the baseline. Writes what it measured into the
# results table of README.md. Photos come from PETAL_PHOTOS_ARCHIVE where it is set, else from the download.
#
#   scripts/measure.sh [SEED…]        default seeds: 0 1 2 3 4; hours on two cores
#   PETAL_BACKBONE, PETAL_WEIGHTS     default efficientnet-lite0, embedded
set -euo pipefail
cd "$(dirname "$0")/.."
seeds=("$@")
[ ${#seeds[@]} -gt 0 ] || seeds=(0 1 2 3 4)
backbone=${PETAL_BACKBONE:-efficientnet-lite0}
weights=${PETAL_WEIGHTS:-embedded}
out=${PETAL_MEASURE_DIR:-target/measure}
mkdir -p "$out"

cargo build --release --bin petal
petal=${CARGO_TARGET_DIR:-target}/release/petal

if [ -n "${PETAL_PHOTOS_ARCHIVE:-}" ]; then
  "$petal" download-dataset --data "$out/photos" --archive "$PETAL_PHOTOS_ARCHIVE"
else
  "$petal" download-dataset --data "$out/photos"
fi

for seed in "${seeds[@]}"; do
  "$petal" split-dataset --photos "$out/photos/raw/flower_photos" --data "$out/data-$seed" --seed "$seed"
done
for model in transfer baseline; do
  for seed in "${seeds[@]}"; do
    result=$out/$model-$backbone-$seed.json
    [ -s "$result" ] && continue # measured before
    start=$(date +%s)
    "$petal" train --data "$out/data-$seed" --models "$out/models" --model "$model" --backbone "$backbone" --weights "$weights" \
      --seed "$seed" --json > "$result.part"
    python3 - "$result.part" $(($(date +%s) - start)) <<'PY'
import json, sys
path, seconds = sys.argv[1], int(sys.argv[2])
result = json.load(open(path))
result["seconds"] = seconds
json.dump(result, open(path, "w"))
PY
    mv "$result.part" "$result"
  done
done

python3 scripts/results.py "$out" "$backbone" README.md
