#!/bin/sh
# The main job on the built-in corpus: train, translate, evaluate. $1 is the nmt-attn command (default: from PATH).
set -eu
nmt_attn=${1:-nmt-attn}
run=runs/demo

# Says how long training will take, from the speed of its first 50 updates: on a fresh start, once. Sentences are short
# at first; with longer ones the mean update takes 1.5 times as long.
say_how_long() {
	until [ "$(grep -c '"kind": "update"' "$run/log.jsonl" 2>/dev/null)" -ge 50 ] 2>/dev/null; do sleep 1; done
	sed -n 's/.*"kind": "update".* "seconds": \([^,]*\), "share_done": \([^,]*\),.*/\1 \2/p' "$run/log.jsonl" |
		awk 'NR <= 50 { seconds += $1; share = $2 }
			END { printf "   on this machine about %.1f minutes of training, always the same updates\n", 1.5 * seconds / share / 60 }'
}

echo "== 1. train: nmt-attn train configs/demo.yaml"
if [ ! -e "$run/log.jsonl" ]; then
	say_how_long &
	waiting=$!
	trap 'kill "$waiting" 2>/dev/null || true' EXIT
fi
"$nmt_attn" train configs/demo.yaml

echo
echo "== 2. translate with beam 5, the attention between words beside it"
"$nmt_attn" demo-corpus data/demo
"$nmt_attn" translate --model "$run" --beam 5 --input data/demo/test.en --output "$run/test.hi" \
	--reference data/demo/test.hi --alignments "$run/test.jsonl"
echo "Turn off the lights" | "$nmt_attn" translate --model "$run" --beam 5

echo
echo "== 3. evaluate by sentence length"
"$nmt_attn" eval --model "$run"

echo
echo "== made"
echo "data/demo                  the corpus as text, with gold word alignments"
echo "$run/best             the model: weights, configuration, vocabulary; copy it anywhere"
echo "$run/log.jsonl        the training, update by update"
echo "$run/test.hi          translations; $run/test.jsonl their alignment matrices"
for file in "$run"/eval/*; do echo "$file"; done
echo
echo "== next"
echo ". .venv/bin/activate"
echo "echo 'Turn off the lights' | nmt-attn translate --beam 5"
echo "nmt-attn explain 'The farmer will open the red door'"
echo "nmt-attn train demo --name general --set model.attention.score=general"
echo "nmt-attn eval --model $run --model runs/general --report report/"
echo "nmt-attn config            # every key, with its default and what it does"
