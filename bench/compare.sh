#!/usr/bin/env bash
# Compares decoding and prefill with another engine: the two programs take turns, so that what else the machine does hits both.
#
#   bench/compare.sh PEER_BENCH PEER_MODEL OUR_MODEL
#
# PEER_BENCH takes llama-bench's options (-m -t -p -n -d -r -o jsonl; llama.cpp and ik_llama.cpp do). Variables:
#   QED        our executable (qed)             THREADS  thread counts ("1 2")        ROUNDS  turns of each test (5)
#   TESTS      tests as prompt,generated,depth ("512,0,0 0,128,0")
#   PEER_ARGS  more options for the peer (-fa 1)                              QED_ARGS  more options for ours
# How a file came into the page cache can decide by a third (docs/performance.md): let both come from the disk, or copy both with cp before.
set -euo pipefail
[ $# -eq 3 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2; }
peer=$1 peer_model=$2 our_model=$3
read -ra threads <<<"${THREADS:-1 2}"
read -ra tests <<<"${TESTS:-512,0,0 0,128,0}"
read -ra peer_args <<<"${PEER_ARGS--fa 1}"
read -ra our_args <<<"${QED_ARGS:-}"

# One run of a test: the median of its three repetitions in tokens per second. Zero prompt or generated tokens leave that test out in both programs.
peer() { "$peer" -m "$peer_model" -t "$1" -p "$2" -n "$3" -d "$4" -r 3 -o jsonl "${peer_args[@]}" 2>/dev/null | grep -o '"samples_ts": *\[[^]]*' | tail -1 | grep -o '[0-9][0-9.]*' | spread '%s' || true; }
ours() { "${QED:-qed}" bench -m "$our_model" -t "$1" -p "$2" -n "$3" -d "$4" -r 3 --json "${our_args[@]}" | grep -o '"tokens_per_second": *[0-9.]*' | tail -1 | grep -o '[0-9.]*$' || true; }
# The median of the values on standard input, and the smallest and largest.
spread() { sort -g | awk -v format="$1" '{ v[NR] = $1 } END { m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2; printf format, m, v[1], v[NR] }'; }

printf '%s | %s\n' "$(uname -sm)" "$(grep -m1 'model name' /proc/cpuinfo 2>/dev/null | cut -d: -f2 | xargs)"
printf '| test | threads | peer tokens/s | ours tokens/s | ratio (median, least, most) |\n|---|---:|---:|---:|---:|\n'
for test in "${tests[@]}"; do
    IFS=, read -r prompt generated depth <<<"$test"
    for t in "${threads[@]}"; do
        a=() b=() ratios=()
        for ((round = 0; round < ${ROUNDS:-5}; round++)); do
            a+=("$(peer "$t" "$prompt" "$generated" "$depth")")
            b+=("$(ours "$t" "$prompt" "$generated" "$depth")")
            [ -n "${a[-1]}" ] && [ -n "${b[-1]}" ] || { echo "error: a program gave no figure; try: $peer -m $peer_model -t $t, and: ${QED:-qed} bench -m $our_model" >&2; exit 1; }
            ratios+=("$(awk -v a="${a[-1]}" -v b="${b[-1]}" 'BEGIN { printf "%.4f", b / a }')")
        done
        name=$([ "$prompt" -gt 0 ] && echo "pp$prompt" || echo "tg$generated")
        printf '| %s, depth %s | %s | %s | %s | %s |\n' "$name" "$depth" "$t" \
            "$(printf '%s\n' "${a[@]}" | spread '%.0f')" "$(printf '%s\n' "${b[@]}" | spread '%.0f')" "$(printf '%s\n' "${ratios[@]}" | spread '%.2f (%.2f, %.2f)')"
    done
done
