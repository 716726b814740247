"""Other toolkits on the same corpus, sizes and batches: joeynmt 2.3 and OpenNMT-py 3.5.

peer_run.py runs the command of each with the Python of its own environment (`--peer-python`).
"""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from bench.systems import SENTENCES, Corpus
from nmt_attn.files import write_text
from nmt_attn.text_io import read_lines

RUNNER = Path(__file__).with_name("peer_run.py")

VARIANTS = {
    "joeynmt": {"bahdanau": "bahdanau", "luong-feeding": "luong"},
    "opennmt": {"bahdanau": "mlp", "luong-feeding": "general", "luong": "general"},
}
"""The score of each system in the peer. Both peers use input feeding with the additive score too."""


class PeerResult(NamedTuple):
    """Measurements of training."""

    tokens_a_second: float
    peak_mebibytes: float
    cpu_share: float


class Peer(NamedTuple):
    """A toolkit in an environment."""

    name: str  # joeynmt or opennmt
    python: Path

    def model(self, folder: Path, updates: int) -> Path:
        """The model in `folder` after this many updates."""
        return folder / ("model/latest.ckpt" if self.name == "joeynmt" else f"model_step_{updates}.pt")


class PeerTraining(NamedTuple):
    """What a peer trains."""

    system: str  # name of our system
    corpus: Corpus
    updates: int
    seed: int

    def folder(self, peer: Peer) -> Path:
        """The folder of a peer's training."""
        return self.corpus.folder / f"{peer.name}-{self.system}-{self.updates}-seed{self.seed}"


def train_peer(peer: Peer, job: PeerTraining, warm_up: int) -> PeerResult:
    """Trains a peer with denormal numbers flushed, as ours are, and keeps the model. Timed after the warm-up."""
    folder, updates = job.folder(peer), job.updates
    arguments = (_joeynmt if peer.name == "joeynmt" else _opennmt)(job, folder)
    measured = run_peer(peer, arguments, folder)
    steps, tokens = measured["steps"], _tokens(job.corpus, updates)
    seconds = steps[-1][1] - steps[warm_up - 1][1]  # of the processor
    return PeerResult(
        tokens_a_second=sum(tokens[warm_up:updates]) / seconds,
        peak_mebibytes=measured["peak_mebibytes"],
        cpu_share=seconds / (steps[-1][0] - steps[warm_up - 1][0]),
    )


def run_peer(peer: Peer, arguments: Sequence[str], folder: Path, source: Path = Path(os.devnull)) -> Any:
    """Runs the toolkit's command with `source` as standard input, and returns what peer_run.py wrote."""
    out = folder / "measured.json"
    out.unlink(missing_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PEER_OUT": str(out.absolute()), "PEER_FLUSH": "1"}
    environment |= {"PYTHONWARNINGS": "ignore", "CUDA_VISIBLE_DEVICES": ""}
    environment.pop("PYTHONPATH", None)
    with (folder / "log.txt").open("w", encoding="utf-8") as log, source.open("rb") as given:
        command = [str(peer.python.absolute()), str(RUNNER), *arguments]
        subprocess.run(command, env=environment, stdin=given, stdout=log, stderr=log, check=True)
    return json.loads(out.read_text(encoding="utf-8"))


def _tokens(corpus: Corpus, updates: int) -> list[int]:
    """Real target tokens of each batch, `</s>` counted."""
    lengths = [len(line.split()) + 1 for line in read_lines(corpus.target)]
    batches = [sum(lengths[i : i + SENTENCES]) for i in range(0, len(lengths) - SENTENCES + 1, SENTENCES)]
    return [batches[update % len(batches)] for update in range(updates)]


def _vocabulary(corpus: Corpus) -> list[str]:
    counts: dict[str, int] = {}
    for path in (corpus.source, corpus.target):
        for line in read_lines(path):
            for word in line.split():
                counts[word] = counts.get(word, 0) + 1
    return sorted(counts, key=lambda word: (-counts[word], word))


def _opennmt(job: PeerTraining, folder: Path) -> list[str]:
    corpus = job.corpus
    words = "".join(f"{word}\t1\n" for word in _vocabulary(corpus))
    write_text(folder / "words.txt", words)
    settings = {
        "save_model": str(folder / "model"),
        "data": {"fixed": {"path_src": str(corpus.source.absolute()), "path_tgt": str(corpus.target.absolute())}},
        "src_vocab": str(folder / "words.txt"),
        "tgt_vocab": str(folder / "words.txt"),
        "src_vocab_size": 100_000,
        "tgt_vocab_size": 100_000,
        "encoder_type": "brnn",
        "decoder_type": "rnn",
        "rnn_type": "LSTM",
        "enc_layers": 1,
        "dec_layers": 1,
        "src_word_vec_size": 256,
        "tgt_word_vec_size": 256,
        "hidden_size": 512,
        "input_feed": int(job.system != "luong"),
        "global_attention": VARIANTS["opennmt"][job.system],
        "dropout": [0.2],
        "optim": "adam",
        "learning_rate": 0.001,
        "adam_beta2": 0.999,
        "max_grad_norm": 1.0,
        "param_init": 0.1,
        "batch_type": "sents",
        "batch_size": SENTENCES,
        "bucket_size": SENTENCES,
        "normalization": "tokens",
        "accum_count": [1],
        "num_workers": 0,
        "train_steps": job.updates,
        "valid_steps": 1_000_000,
        "save_checkpoint_steps": job.updates,
        "seed": job.seed,
        "world_size": 1,
    }
    write_text(folder / "config.yaml", yaml.safe_dump(settings))
    return ["onmt_train", "-config", str(folder / "config.yaml")]


def _joeynmt(job: PeerTraining, folder: Path) -> list[str]:
    corpus = job.corpus
    write_text(folder / "words.txt", "\n".join(["<unk>", "<pad>", "<s>", "</s>", *_vocabulary(corpus)]) + "\n")
    sides = {"src": corpus.source, "trg": corpus.target}
    for side, path in sides.items():
        write_text(folder / f"train.{side}", "\n".join(read_lines(path)) + "\n")
        write_text(folder / f"few.{side}", "\n".join(read_lines(path)[:SENTENCES]) + "\n")
    language = {"max_length": 100, "level": "word", "voc_file": str(folder / "words.txt")}
    side_of_model = {
        "rnn_type": "lstm",
        "embeddings": {"embedding_dim": 256, "scale": False},
        "num_layers": 1,
        "dropout": 0.2,
        "type": "recurrent",
    }
    settings = {
        "name": job.system,
        "joeynmt_version": "2.3.0",
        "model_dir": str(folder / "model"),
        "use_cuda": False,
        "fp16": False,
        "random_seed": job.seed,
        "data": {
            "train": str(folder / "train"),
            "dev": str(folder / "few"),
            "test": str(folder / "few"),
            "dataset_type": "plain",
            "src": {"lang": "src", **language},
            "trg": {"lang": "trg", **language},
        },
        "testing": {"beam_size": 1, "batch_size": SENTENCES, "batch_type": "sentence", "max_output_length": 60},
        "training": {
            "optimizer": "adam",
            "adam_betas": [0.9, 0.999],
            "learning_rate": 0.001,
            "learning_rate_min": 1e-8,
            "normalization": "tokens",
            "clip_grad_norm": 1.0,
            "batch_size": SENTENCES,
            "batch_type": "sentence",
            "batch_multiplier": 1,
            "scheduling": "exponential",
            "decrease_factor": 1.0,
            "epochs": 1000,
            "updates": job.updates,
            "validation_freq": 1_000_000,
            "logging_freq": 50,
            "overwrite": True,
            "shuffle": False,
        },
        "model": {
            "initializer": "xavier_uniform",
            "encoder": {**side_of_model, "hidden_size": 256, "bidirectional": True},
            "decoder": {
                **side_of_model,
                "hidden_size": 512,
                "hidden_dropout": 0.2,
                "attention": VARIANTS["joeynmt"][job.system],
                "input_feeding": True,
                "init_hidden": "bridge",
            },
        },
    }
    write_text(folder / "config.yaml", yaml.safe_dump(settings))
    return ["joeynmt", "train", str(folder / "config.yaml"), "-t"]
