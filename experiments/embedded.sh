#!/bin/sh
# The embedded model from nothing, all its stages in order: data/prepared -> runs/embedded.safetensors.
#     sh experiments/embedded.sh
# on a GPU, with no runs/ there yet. To rehearse on a CPU, what is told here goes to each training:
#     DEVICE=cpu sh experiments/embedded.sh --set training.max_steps=2 --set training.batch_photos=8 \
#         --set training.workers=0
set -eu
python=${PYTHON:-python}
train=data/prepared/captions_train.json
start=runs/gpu/cross_entropy/best.safetensors
model=runs/embedded.safetensors
photos=runs/photos

"$python" -m captioner train --config configs/gpu/words.json --config configs/gpu/language.json \
    --config configs/gpu/cross_entropy.json --set training.device="${DEVICE:-cuda}" "$@"

mkdir -p $photos
for tar in data/prepared/photos/*.tar; do tar -xf "$tar" -C $photos; done

# Three runs of rewards from there, of which a share is kept.
worn() { "$python" -m experiments.worn "$@"; }
worn find $start $train $photos runs/worn.json --of data/prepared/unlabelled.json
rewards() {
  name=$1 prices=$2 seed=$3
  shift 3
  # shellcheck disable=SC2086 # several prices
  "$python" -m experiments.rewards train configs/self_critical.json --worn-file runs/worn.json $prices \
      --set training.start='["'$start'"]' --set training.output=runs/rewards/$name \
      --set training.seed=$seed --set training.kept=1 --set training.device="${DEVICE:-cuda}" "$@"
}
rewards cider "--worn 0 --over 0" 0 "$@"
rewards meteor "--meteor 3" 1 "$@"
rewards bleu "--bleu 2" 2 "$@"
"$python" -m experiments.rewards mean $start runs/rewards/cider/last.safetensors:0.17 \
    runs/rewards/meteor/last.safetensors:0.25 runs/rewards/bleu/last.safetensors:0.25 --output $model
graphs() { "$python" -m captioner export --model $model --overwrite; }
graphs

# What the phrases cost that it wears out, and how sure it may be of a sentence.
worn price $model $train $photos "group of people" "group of men" "group of women" "crowd of people" \
    "couple of people" "sitting on top of" --of data/prepared/unlabelled.json
graphs
worn price $model $train $photos "group of people" "group of men" "group of women" "crowd of people" \
    --style flickr8k --also flickr30k --aim 1.2 --of $train --most 2000
graphs
"$python" benchmarks/confidence.py --annotations data/prepared/captions_val.json --images $photos \
    --model $model --write $model
graphs
