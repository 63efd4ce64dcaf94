#!/usr/bin/env bash
# Sets up what the notebook needs, and opens it in JupyterLab on the real photos.
#
#   scripts/notebook.sh [OPTION FOR JUPYTERLAB…]
#   scripts/notebook.sh --demo       runs it without a browser and without the network, on drawn flowers, into
#                                    notebooks/train_and_eval.executed.ipynb; exit status 1 if any cell is not as it should be
#   scripts/notebook.sh --update     the same from scratch, in a project of its own, into notebooks/train_and_eval.ipynb and visualizations/;
#                                    then notebooks/your_own_photos.ipynb, on a folder of drawn photos
#   scripts/notebook.sh --setup      sets up, and no more
#
# Nothing is touched outside the repository and the cache (PETAL_CACHE, default ~/.cache/petal), Rust's own folders aside.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh
notebook=notebooks/train_and_eval.ipynb

case ${1:-} in
  -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' scripts/notebook.sh && exit ;;
  --demo) out=(--out notebooks/train_and_eval.executed.ipynb) ;;
  --update)
    # A project of its own: in this one, what was trained before would be found and not shown.
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    mkdir -p "$scratch/petal/notebooks"
    cp notebooks/evcxr.toml "$scratch/petal/notebooks/"
    ln -s "$PWD/notebooks/kernel" "$scratch/petal/notebooks/kernel"
    out=(--update --folder "$scratch/petal/notebooks")
    ;;
  *) out=() ;;
esac

setup_notebook
[ "${1:-}" != --setup ] || exit 0
if [ ${#out[@]} -gt 0 ]; then
  say "Running $notebook on drawn flowers"
  PETAL_RECIPE=demo HF_HUB_OFFLINE=1 "$venv/bin/python" scripts/kernel/run.py "$notebook" "${out[@]}"
  if [ "${out[0]}" = --update ]; then
    mkdir -p visualizations
    cp "$scratch/petal/visualizations/"*.png visualizations/
    say "Running notebooks/your_own_photos.ipynb on a folder of drawn photos"
    PETAL_RECIPE=demo HF_HUB_OFFLINE=1 "$venv/bin/python" scripts/kernel/run.py notebooks/your_own_photos.ipynb "${out[@]}" --photos 24
    exit
  fi
  say "The notebook with its results: ${out[1]}"
else
  # The repository is Jupyter's root, and notebooks are saved without scripts: see there.
  export JUPYTER_CONFIG_PATH=$PWD/scripts/jupyter${JUPYTER_CONFIG_PATH:+:$JUPYTER_CONFIG_PATH}
  exec "$venv/bin/jupyter" lab --LabApp.default_url="/lab/tree/$notebook" "$@"
fi
