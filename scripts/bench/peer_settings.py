"""What each peer is asked to train: the same sizes, optimizer and batches, in its own configuration.

Each function writes the configuration into `folder` and returns the command for peer_run.py.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import yaml

from bench.systems import SENTENCES, Corpus
from nmt_attn.files import write_text
from nmt_attn.text_io import read_lines

VARIANTS = {
    "eole": {"luong-feeding": "general"},
    "joeynmt": {"bahdanau": "bahdanau", "luong-feeding": "luong"},
    "marian": {"conditional": "gru"},
    "opennmt": {"bahdanau": "mlp", "luong-feeding": "general", "luong": "general"},
    "yoyodyne": {"bahdanau": "soft"},
}
"""The score of each system in the peer. OpenNMT-py and joeynmt feed h~ with the additive score too; yoyodyne does not.
Marian has its own decoder of two cells alone."""
TRANSLATING = ("joeynmt", "opennmt")
"""Peers whose translations are timed."""
MODELS = {"joeynmt": "model/latest.ckpt", "opennmt": "model_step_{updates}.pt"}
LONGEST = 200
"""Tokens that peers with a limit keep of a sentence."""


class Peer(NamedTuple):
    """A toolkit in an environment."""

    name: str  # one of VARIANTS
    python: Path

    def model(self, folder: Path, updates: int) -> Path:
        """The model in `folder` after this many updates, of a peer that translates."""
        return folder / MODELS[self.name].format(updates=updates)


class PeerTraining(NamedTuple):
    """What a peer trains."""

    system: str  # name of our system
    corpus: Corpus
    updates: int
    seed: int

    def folder(self, peer: Peer) -> Path:
        """The folder of a peer's training."""
        return self.corpus.folder / f"{peer.name}-{self.system}-{self.updates}-seed{self.seed}"


def _vocabulary(corpus: Corpus) -> list[str]:
    counts: dict[str, int] = {}
    for path in (corpus.source, corpus.target):
        for line in read_lines(path):
            for word in line.split():
                counts[word] = counts.get(word, 0) + 1
    return sorted(counts, key=lambda word: (-counts[word], word))


def opennmt(job: PeerTraining, folder: Path) -> list[str]:
    """OpenNMT-py 3.5."""
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


def joeynmt(job: PeerTraining, folder: Path) -> list[str]:
    """joeynmt 2.3."""
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


def eole(job: PeerTraining, folder: Path) -> list[str]:
    """eole 0.6. Its encoder does not use the padding mask."""
    files = {"path_src": str(job.corpus.source.absolute()), "path_tgt": str(job.corpus.target.absolute())}
    words = "".join(f"{word}\t1\n" for word in _vocabulary(job.corpus))
    write_text(folder / "words.txt", words)
    vectors = {"src_word_vec_size": 256, "tgt_word_vec_size": 256, "position_encoding_type": None}
    side = {"rnn_type": "LSTM", "layers": 1, "hidden_size": 512}
    settings = {
        "save_data": str(folder / "data"),
        "overwrite": True,
        "seed": job.seed,
        "src_vocab": str(folder / "words.txt"),
        "tgt_vocab": str(folder / "words.txt"),
        "src_vocab_size": 100_000,
        "tgt_vocab_size": 100_000,
        "n_sample": 0,
        "data": {"fixed": {**files, "transforms": []}, "valid": {**files, "transforms": []}},
        "transforms": [],
        "model": {
            "architecture": "custom",
            "input_feed": 1,
            "embeddings": vectors,
            "encoder": {"encoder_type": "brnn", "src_word_vec_size": 256, **side},
            "decoder": {
                "decoder_type": "rnn",
                "tgt_word_vec_size": 256,
                "global_attention": VARIANTS["eole"][job.system],
                **side,
            },
        },
        "training": {
            "model_path": str(folder / "model"),
            "world_size": 1,
            "gpu_ranks": [],
            "compute_dtype": "fp32",
            "optim": "adam",
            "learning_rate": 0.001,
            "adam_beta2": 0.999,
            "decay_method": "none",
            "max_grad_norm": 1.0,
            "param_init": 0.1,
            "param_init_method": "uniform",
            "dropout": [0.2],
            "batch_type": "sents",
            "batch_size": SENTENCES,
            "bucket_size": SENTENCES,
            "normalization": "tokens",
            "accum_count": [1],
            "num_workers": 0,
            "train_steps": job.updates,
            "valid_steps": 1_000_000,
            "save_checkpoint_steps": 1_000_000,
        },
    }
    write_text(folder / "config.yaml", yaml.safe_dump(settings))
    return ["eole", "train", "-c", str(folder / "config.yaml")]


def yoyodyne(job: PeerTraining, folder: Path) -> list[str]:
    """yoyodyne 0.5. Its vocabularies are those of each side, and its first state is learned."""
    pairs = zip(read_lines(job.corpus.source), read_lines(job.corpus.target), strict=True)
    lines = [f"{source}\t{target}\n" for source, target in pairs]
    write_text(folder / "train.tsv", "".join(lines))
    write_text(folder / "valid.tsv", "".join(lines[:SENTENCES]))
    encoder = {"bidirectional": True, "dropout": 0.2, "embedding_size": 256, "hidden_size": 256, "layers": 1}
    settings = {
        "seed_everything": job.seed,
        "trainer": {
            "accelerator": "cpu",
            "devices": 1,
            "precision": "32-true",
            "gradient_clip_val": 1.0,
            "max_epochs": 1000,
            "max_steps": job.updates,
            "limit_val_batches": 0,
            "num_sanity_val_steps": 0,
            "enable_progress_bar": False,
            "logger": {
                "class_path": "lightning.pytorch.loggers.CSVLogger",
                "init_args": {"save_dir": str(folder / "log")},
            },
        },
        "model": {
            "class_path": "yoyodyne.models.SoftAttentionLSTMModel",
            "init_args": {
                "source_encoder": {"class_path": "yoyodyne.models.modules.LSTMEncoder", "init_args": encoder},
                "decoder_hidden_size": 512,
                "decoder_layers": 1,
                "decoder_dropout": 0.2,
                "embedding_size": 256,
                "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 1e-3}},
            },
        },
        "data": {
            "model_dir": str(folder / "model"),
            "train": str(folder / "train.tsv"),
            "val": str(folder / "valid.tsv"),
            "source_sep": " ",
            "target_sep": " ",
            "tie_embeddings": False,
            "batch_size": SENTENCES,
            "max_source_length": LONGEST,
            "max_target_length": LONGEST,
        },
        "checkpoint": {"filename": "best", "monitor": "val_loss", "mode": "min"},
    }
    write_text(folder / "config.yaml", yaml.safe_dump(settings))
    return ["yoyodyne", "fit", "--config", str(folder / "config.yaml")]


def marian(job: PeerTraining, folder: Path) -> list[str]:
    """Marian 1.12, by pymarian. Its decoder of two cells has one size, here 512, for all states; no dropout."""
    words = "".join(f"{json.dumps(word)}: {n}\n" for n, word in enumerate(["</s>", "<unk>", *_vocabulary(job.corpus)]))
    write_text(folder / "words.yml", words)
    options = {
        "type": "s2s",
        "enc-cell": "gru",
        "dec-cell": VARIANTS["marian"][job.system],
        "dim-emb": 256,
        "dim-rnn": 512,
        "train-sets": f"{job.corpus.source.absolute()} {job.corpus.target.absolute()}",
        "vocabs": f"{folder / 'words.yml'} {folder / 'words.yml'}",
        "model": folder / "model.npz",
        "cpu-threads": 1,
        "workspace": 1500,
        "mini-batch": SENTENCES,
        "maxi-batch": 1,
        "maxi-batch-sort": "none",
        "learn-rate": 0.001,
        "clip-norm": 1,
        "cost-type": "ce-mean-words",
        "max-length": LONGEST,
        "seed": job.seed,
    }
    return ["marian", *(part for name, value in options.items() for part in (f"--{name}", *str(value).split()))]


ARGUMENTS: dict[str, Callable[[PeerTraining, Path], list[str]]] = {
    "eole": eole,
    "joeynmt": joeynmt,
    "marian": marian,
    "opennmt": opennmt,
    "yoyodyne": yoyodyne,
}
