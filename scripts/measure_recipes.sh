#!/usr/bin/env bash
# The recipes side by side: five disjoint folds over the real photos, each photo tested once, with seed, instant and best; then with few photos, five
# draws of each number, all others tested. Hours on two cores; it goes on where it stopped, a row at a time. Photos come from PETAL_PHOTOS_ARCHIVE where
# it is set, else from the download.
#
#   scripts/measure_recipes.sh [RECIPE…]   default: seed instant best
#   PETAL_BACKBONE, PETAL_WEIGHTS          default efficientnet-lite0, embedded
#   PETAL_MEASURE_DIR                      where results are kept, default target/measure-recipes
#   PETAL_MEASURE=folds|sizes              only one of the two
#   PETAL_COMMAND                          a petal that is built already; else it is built
set -euo pipefail
cd "$(dirname "$0")/.."
recipes=("$@")
[ ${#recipes[@]} -gt 0 ] || recipes=(seed instant best)
backbone=${PETAL_BACKBONE:-efficientnet-lite0}
weights=${PETAL_WEIGHTS:-embedded}
out=${PETAL_MEASURE_DIR:-target/measure-recipes}
what=${PETAL_MEASURE:-folds sizes}
. scripts/measured.sh

# measure NAME PREFIX SEED trains all recipes on the table of labels of this name; their results begin with the prefix.
measure() {
  local name=$1 prefix=$2 seed=$3 recipe result
  "$petal" split-dataset --photos "$photos" --labels "$out/$name.csv" --data "$out/data-$name" --seed 0
  for recipe in "${recipes[@]}"; do
    result=$out/$prefix$recipe-$backbone-$seed.json
    [ -s "$result" ] && continue # measured before
    train_measured "$result" --data "$out/data-$name" --models "$out/models-$name" --recipe "$recipe" --backbone "$backbone" \
      --weights "$weights" --seed "$seed"
  done
}

# Tables of labels say of every photo whether it is to train, to decide or to test.
if [[ $what == *folds* ]]; then
  python3 scripts/folds.py --folds "$photos" "$out" 5
  for fold in 0 1 2 3 4; do
    measure "fold-$fold" "" "$fold"
    python3 scripts/folds.py --table "$out" "$backbone"
  done
fi
if [[ $what == *sizes* ]]; then
  for per_class in 12 40; do
    python3 scripts/folds.py --few "$photos" "$out" "$per_class" 5
    few=few-$((5 * per_class))
    for seed in 0 1 2 3 4; do
      measure "$few-$seed" "$few-" "$seed"
    done
    python3 scripts/folds.py --sizes "$out" "$backbone"
  done
fi
