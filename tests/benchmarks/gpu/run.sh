#!/usr/bin/env bash
# Measures the engine on one GPU in under eight minutes; --tiny runs the same steps on a CPU.
#
# The machine needs torch, transformers, accelerate, scikit-learn, pyarrow, psutil and pytest, no Ray
# and no MLflow. Wheels of what else is missing (optuna, colorlog, platformdirs, peft,
# pytorch-metric-learning) are taken from the folder FOLDRACE_WHEELS, TREC from FOLDRACE_DATA. Lines
# of JSON and the table of kernels go to the folder OUT.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wheels=${FOLDRACE_WHEELS:-/nowhere}
if compgen -G "$wheels/*.whl" >/dev/null; then
    "${PYTHON:-python3}" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade \
        --target "$work/site" "$wheels"/*.whl
    export PYTHONPATH="$work/site${PYTHONPATH:+:$PYTHONPATH}"
fi
export PYTHONPATH="$here/..:$here/../../..${PYTHONPATH:+:$PYTHONPATH}"
export FOLDRACE_CACHE="$work/cache" HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
mkdir -p "$work/cache" "${OUT:=$work}"
"${PYTHON:-python3}" "$here/steps.py" --folder "$work" --out "$OUT" "$@"
