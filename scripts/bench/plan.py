"""The plan: what is measured, with how many updates, and where models are kept."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench.jobs import run_job
from bench.peer_settings import TRANSLATING, VARIANTS, Peer, PeerTraining
from bench.peers import PeerResult, train_peer
from bench.systems import CONDITIONAL, SYSTEMS, Corpus

Result = dict[str, Any]


class Plan(NamedTuple):
    """What is measured."""

    corpus: Corpus
    is_synthetic: bool
    test: Path
    reference: Path | None
    updates: int
    seed: int
    repeats: int
    precisions: tuple[str, ...]
    axes: Mapping[str, tuple[int, ...]]
    lines: Mapping[int, int]  # translated, by batch size
    peers: tuple[Peer, ...]

    @property
    def systems(self) -> tuple[str, ...]:
        """What is trained: the three systems, and what a peer has alone."""
        return (*SYSTEMS, *(name for name in CONDITIONAL if any(name in VARIANTS[peer.name] for peer in self.peers)))

    def model(self, system: str, precision: str) -> Path:
        """The folder of our trained model."""
        return self.corpus.folder / f"{system}-{precision}-{self.updates}-seed{self.seed}"

    def train(self, system: str, precision: str, *, flushes_denormals: bool = True) -> Result:
        """Trains one of our systems and keeps the model."""
        say(f"training: {system}, {precision}")
        job = {"system": system, "precision": precision, "updates": self.updates}
        job["settings"] = (f"run.seed={self.seed}",)
        folders = {**self.corpus._asdict(), "model": self.model(system, precision)}
        result: Result = run_job("train", {**job, **folders, "flushes_denormals": flushes_denormals})
        return result

    def train_peer(self, peer: Peer, system: str) -> PeerResult:
        """Trains a peer on a system; its model is kept too."""
        say(f"training: {peer.name}, {system}")
        return train_peer(peer, self.peer_training(system), self.updates // 3)

    def peer_training(self, system: str) -> PeerTraining:
        """What a peer trains for this system."""
        return PeerTraining(system, self.corpus, self.updates, self.seed)

    def train_missing(self) -> None:
        """Trains all models that the folder lacks."""
        for system in SYSTEMS:
            for precision in self.precisions:
                if not self.model(system, precision).exists():
                    self.train(system, precision)
            for peer in self.translating_peers(system):
                if not peer.model(self.peer_training(system).folder(peer), self.updates).exists():
                    self.train_peer(peer, system)

    def translating_peers(self, system: str) -> list[Peer]:
        """Peers that have this system; none for the synthetic corpus, because joeynmt has no minimum length."""
        if self.is_synthetic:
            return []
        return [peer for peer in self.peers if peer.name in TRANSLATING and system in VARIANTS[peer.name]]


def say(text: str) -> None:
    """A line of progress."""
    sys.stderr.write(text + "\n")
