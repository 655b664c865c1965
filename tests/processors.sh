#!/usr/bin/env bash
# The fast tests, computed as other processors compute: sums in other orders, other instructions.
# Usage: PYTHON=.venv/bin/python tests/processors.sh [sse41 | avx2 | own | plain | today] ...; without a word, the first
# four. `own` is this processor, `plain` TensorFlow's kernels in place of oneDNN's, `today` one of the four in turn by date.
set -uo pipefail
cd "$(dirname "$0")/.."
all=(sse41 avx2 own plain)
[ $# -gt 0 ] || set -- "${all[@]}"
lines=() status=0 output=$(mktemp)
trap 'rm -f "$output"' EXIT
for setting; do
    [ "$setting" != today ] || setting=${all[10#$(date +%j) % 4]}
    case $setting in
        sse41 | avx2) variable="ONEDNN_MAX_CPU_ISA=${setting^^}" ;;
        own) variable="TF_ENABLE_ONEDNN_OPTS=1" ;;
        plain) variable="TF_ENABLE_ONEDNN_OPTS=0" ;;
        *) echo "no setting $setting; give ${all[*]}, or today" >&2; exit 2 ;;
    esac
    echo "== $setting: $variable"
    env "$variable" "${PYTHON:-python}" -m pytest -q -n "${JOBS:-2}" -m "not slow" | tee "$output" || status=1
    lines+=("$(printf '%-6s %s' "$setting" "$(tail -n 1 "$output")")")
done
printf '%s\n' "${lines[@]}"
exit $status
