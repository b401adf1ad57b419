#!/bin/sh
# What action.yml runs: `deploy check`, its summary on the page of the run, its answer as outputs of the step.
# Inputs are INPUT_MODEL and so on; GITHUB_STEP_SUMMARY, GITHUB_OUTPUT and RUNNER_TEMP are the runner's.
set -u

results=${RUNNER_TEMP:-.}/deploy-check
summary=$results/summary.md
rm -rf "$results"
mkdir -p "$results" || exit 2

set -- check --annotations --markdown "$summary" --json "$results/verdict.json" --junit "$results/verdict.xml"
[ -z "${INPUT_NPU:-}" ] || set -- "$@" --npu "$INPUT_NPU"
[ -z "${INPUT_DATA:-}" ] || set -- "$@" --data "$INPUT_DATA"
[ -z "${INPUT_LABELS:-}" ] || set -- "$@" --labels "$INPUT_LABELS"
[ -z "${INPUT_COUNT:-}" ] || set -- "$@" --count "$INPUT_COUNT"
while read -r line; do
  [ -z "$line" ] || set -- "$@" --limit "$line"
done <<END
${INPUT_LIMITS:-}
END
while read -r line; do
  [ -z "$line" ] || set -- "$@" "$line"
done <<END
${INPUT_ARGUMENTS:-}
END
[ -z "${INPUT_MODEL:-}" ] || set -- "$@" -- "$INPUT_MODEL"

deploy "$@"
status=$?

if [ -s "$summary" ]; then
  # The page shows no pictures that lie in files: the chart is among what is uploaded.
  sed 's/^!\[\(.*\)\](summary\.svg)$/\1 The chart is in the artifact of this run./' "$summary"
else
  echo "deploy check ended with exit status $status and wrote no summary."
fi >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
{
  echo "exit-status=$status"
  echo "verdict=$(sed -n 's/^  "verdict": "\([a-z_]*\)",$/\1/p' "$results/verdict.json" 2>/dev/null)"
  echo "results=$results"
} >>"${GITHUB_OUTPUT:-/dev/null}"
exit "$status"
