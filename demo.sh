#!/bin/sh
# The main job on real images: what the README types step by step. Exits with the verdict's status.
set -eu
BIN=${BIN:-.venv/bin} DEMO=${DEMO:-build/demo}
step() { printf '\n$ deploy %s\n' "$*"; "$BIN/deploy" "$@"; }

mkdir -p "$DEMO"
step models build multihead-mobilenetv3 -o "$DEMO/model.keras"
step models data multihead-mobilenetv3 -o "$DEMO"
step quantize "$DEMO/model.keras" --data "$DEMO/calibration.npz" -o "$DEMO/model.tflite"
step compile "$DEMO/model.tflite" --npu U55-128 -o "$DEMO/u55-128" --quiet
step report "$DEMO/u55-128"
status=0
step run-fvp "$DEMO/u55-128" --data "$DEMO/test.npz" --labels "$DEMO/labels.json" --count 16 \
  --json "$DEMO/verdict.json" || status=$?
printf '\nfiles:\n'
for file in model.keras model.tflite u55-128/model_vela.tflite u55-128/compile.json verdict.json; do
  [ -e "$DEMO/$file" ] && printf '  %s\n' "$DEMO/$file"
done
exit "$status"
