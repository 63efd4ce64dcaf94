#!/usr/bin/env bash
# How far a trained network can be trusted, on the real photos: calibration error before and after, coverage of the sets against what was asked for, and how
# well photos of none of the classes are told, by distance, energy and maximum softmax: pictures that packages ship, drawn ones, and each class left out in
# turn. It goes on where it stopped, a training or a measurement at a time. Photos come from PETAL_PHOTOS_ARCHIVE where it is set, else from the download.
#
#   scripts/measure_trust.sh        prints the tables of docs/TRUST.md, of all that is measured so far
#   PETAL_RECIPE                    default seed
#   PETAL_SEEDS                     default "0 1 2 3 4"; a class is left out for each, one after the other
#   PETAL_BACKBONE, PETAL_WEIGHTS   default efficientnet-lite0, embedded
#   PETAL_MEASURE_DIR               where results are kept, default target/measure-trust
#   PETAL_COMMAND                   a petal that is built already; else it is built
#   PYTHON                          a Python with numpy, Pillow, scikit-image, scikit-learn and matplotlib, default python3
set -euo pipefail
cd "$(dirname "$0")/.."
recipe=${PETAL_RECIPE:-seed}
backbone=${PETAL_BACKBONE:-efficientnet-lite0}
weights=${PETAL_WEIGHTS:-embedded}
read -ra seeds <<< "${PETAL_SEEDS:-0 1 2 3 4}"
out=${PETAL_MEASURE_DIR:-target/measure-trust}
python=${PYTHON:-python3}
. scripts/measured.sh
name=$recipe-$backbone

# evaluated NAME ARGUMENT… measures the model of a training, and leaves what was found in a file that is there once it is whole.
evaluated() {
  local result=$1.told model
  [ -s "$result" ] && return # measured before
  model=$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["model"])' "$1.json")
  shift
  "$petal" evaluate --model "$model" "$@" --json > "$result.part"
  mv "$result.part" "$result"
}

# trained RESULT ARGUMENT…
trained() {
  local result=$1
  shift
  [ -s "$result" ] || train_measured "$result" "$@" --recipe "$recipe" --backbone "$backbone" --weights "$weights"
}

[ -d "$out/others" ] || "$python" scripts/trust.py --others "$out/others"
if [ ! -d "$out/others/drawn flowers" ]; then
  "$petal" download-dataset --source synthetic --per-class 10 --data "$out/drawn"
  cp -r "$out/drawn/raw" "$out/others/drawn flowers"
fi
others=()
for folder in "$out/others"/*; do others+=(--others "$folder"); done
classes=(daisy dandelion roses sunflowers tulips)
for place in "${!seeds[@]}"; do
  seed=${seeds[$place]}
  data=$out/data-$seed
  "$petal" split-dataset --photos "$photos" --data "$data" --seed "$seed"
  trained "$out/$name-$seed.json" --data "$data" --models "$out/models-$name" --seed "$seed"
  evaluated "$out/$name-$seed" --data "$data" "${others[@]}"
  # A class is left out of the same parts, and its photos are the others.
  class=${classes[$((place % 5))]}
  "$python" scripts/trust.py --without "$data" "$class" "$out/without-$class.csv"
  data=$out/data-without-$class
  "$petal" split-dataset --photos "$photos" --labels "$out/without-$class.csv" --duplicates off --data "$data" --seed "$seed"
  trained "$out/$name-without-$class.json" --data "$data" --models "$out/models-$name-without" --seed "$seed"
  evaluated "$out/$name-without-$class" --data "$data" --others "$photos/$class"
  "$python" scripts/trust.py --tables "$out" "$name"
done
