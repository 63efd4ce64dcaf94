#!/usr/bin/env bash
# The long accuracy runs: recipes with networks on the real photos over several seeds, and the baseline. After each run it writes all that is measured so
# far into the results table of README.md, and it goes on where it stopped. Photos come from PETAL_PHOTOS_ARCHIVE where it is set, else from the download.
#
#   scripts/measure.sh [ROW…]     a row is RECIPE:BACKBONE:WEIGHTS, or `baseline`; default: seed, instant and best with efficientnet-lite0:embedded,
#                                 and the baseline. Hours on two cores
#   PETAL_SEEDS                   default "0 1 2 3 4"
#   PETAL_MEASURE_DIR             where results are kept, default target/measure
#   PETAL_COMMAND                 a petal that is built already; else it is built
set -euo pipefail
cd "$(dirname "$0")/.."
rows=("$@")
lite0=efficientnet-lite0:embedded
[ ${#rows[@]} -gt 0 ] || rows=("seed:$lite0" "instant:$lite0" "best:$lite0" baseline)
read -ra seeds <<< "${PETAL_SEEDS:-0 1 2 3 4}"
out=${PETAL_MEASURE_DIR:-target/measure}
. scripts/measured.sh

for row in "${rows[@]}"; do
  IFS=: read -r recipe backbone weights <<< "$row"
  if [ "$recipe" = baseline ]; then
    name=baseline
    what=(--model baseline)
  else
    name=$recipe-$backbone
    what=(--recipe "$recipe" --backbone "$backbone" --weights "$weights")
  fi
  for seed in "${seeds[@]}"; do
    result=$out/$name-$seed.json
    if [ ! -s "$result" ]; then # else it was measured before
      "$petal" split-dataset --photos "$photos" --data "$out/data-$seed" --seed "$seed"
      # A folder of its own: what another row has kept of the same photos would make this one faster.
      train_measured "$result" --data "$out/data-$seed" --models "$out/models-$name" "${what[@]}" --seed "$seed"
    fi
    python3 scripts/results.py "$out" README.md
  done
done
