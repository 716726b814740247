"""Hard attention: each target word looks at one source position, and the model sums over all that it could be.

    p(y | x) = sum over a of prod_t p(a_t | a_{t-1}, y_<t, x) p(y_t | a_t, y_<t, x)
    p(y_t | a_t = j, y_<t, x) = softmax(W_o readout(f(W_c [h_j ; s_t])))

Wu, Shapiro and Cotterell 2018 (arXiv 1808.10024); Wu and Cotterell 2019 (arXiv 1905.06319). Transitions:
nmt_attn/model/transitions.py. No state s_t may depend on the alignment, or the sum would have no recursion: Luong's
order without input feeding. The sum is taken by the forward algorithm in log space, normalised at each step:

    prior_t(j) = sum_i posterior_{t-1}(i) p(a_t = j | a_{t-1} = i)
    p(y_t | y_<t, x) = sum_j prior_t(j) p(y_t | a_t = j)
    posterior_t(j) = prior_t(j) p(y_t | a_t = j) / p(y_t | y_<t, x)

so that search has the exact p of each next word. The weights of a step are prior_t; the alignment of a given
translation is the most likely one (Viterbi). Differs: a_0 is the first position, where the papers' <s> stands.
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor

from nmt_attn.model.attention import Attention
from nmt_attn.model.luong import NO_NOISE, LuongDecoder
from nmt_attn.model.marginal import MarginalSeq2Seq, Smoothed
from nmt_attn.model.scores import Score
from nmt_attn.model.seq2seq import OwnWords
from nmt_attn.model.state import AlignmentState, DecoderState, Memory, Weights
from nmt_attn.model.transitions import IMPOSSIBLE, Transition
from nmt_attn.model.windows import Window
from nmt_attn.runtime import at_least_float32
from nmt_attn.types import Batch, StepOutput


class HardAttention(Attention):
    """Scores as those of soft attention, and transitions in place of the softmax."""

    def __init__(self, score: Score, window: Window, context_size: int, transition: Transition) -> None:
        super().__init__(score, window, context_size)
        self.transition = transition

    def transitions(self, query: Tensor, memory: Memory, steps: Tensor) -> Tensor:
        """query [B, T, H], steps [B, T] int64 -> log p(a_t = j | a_{t-1} = i) [B, T, S, S]."""
        scores = at_least_float32(self.scores(self.window.select(query, memory, steps)))
        is_blank = ~memory.mask.any(1, keepdim=True)  # nothing can be attended to: all positions alike
        log_probs: Tensor = self.transition(scores, query, memory.encoder_states, memory.mask | is_blank)
        return log_probs


class Lattice(NamedTuple):
    """All alignments of given targets, as logarithms."""

    transitions: Tensor  # [B, T, S, S], p(a_t = j | a_{t-1} = i)
    emissions: Tensor  # [B, T, S], p(y_t | a_t = j)
    all_words: Tensor | None  # [B, T, S, V], p(word | a_t = j), where it was asked for


class HardSeq2Seq(MarginalSeq2Seq):
    """The model whose attention is a `HardAttention` and whose decoder is Luong's without input feeding."""

    @property
    def luong(self) -> LuongDecoder:
        """The decoder."""
        return cast(LuongDecoder, self.decoder)

    @property
    def hard_attention(self) -> HardAttention:
        """The attention."""
        return cast(HardAttention, self.decoder.attention)

    def forward(self, batch: Batch, own_words: OwnWords | None = None) -> tuple[Tensor, Weights]:
        """Teacher forcing: log p(y_t | y_<t, x) [B, T] of the words of `tgt_out`, and the weights [B, T, S]."""
        log_probs, priors = self.sum_alignments(self.lattice(batch, own_words))
        return log_probs, Weights(priors.exp(), None, priors.shape[2])

    def smoothed(self, batch: Batch, own_words: OwnWords | None) -> Smoothed:
        lattice = self.lattice(batch, own_words, keeps_all=True)
        log_probs, priors = self.sum_alignments(lattice)
        assert lattice.all_words is not None
        means = (priors.unsqueeze(3) + lattice.all_words).logsumexp(2).mean(2)
        return Smoothed(log_probs, means, Weights(priors.exp(), None, priors.shape[2]))

    def score_target(self, batch: Batch) -> tuple[Tensor, Weights]:
        """The same with the most likely alignment in place of weights: 1 at its position, 0 elsewhere."""
        lattice = self.lattice(batch, None)
        path = best_alignment(lattice, batch.tgt_lengths)
        links = torch.zeros_like(lattice.emissions).scatter_(2, path.unsqueeze(2), 1.0)
        return self.sum_alignments(lattice)[0], Weights(links, None, links.shape[2])

    def lattice(self, batch: Batch, own_words: OwnWords | None, *, keeps_all: bool = False) -> Lattice:
        """All alignments of the targets of a batch."""
        memory = self.encode(batch.src_ids, batch.src_lengths)
        state = self.decoder.start(memory)
        tgt_in = batch.tgt_in
        if own_words is not None:
            tgt_in = self.mix_own_words(tgt_in, self.start(memory), memory, own_words)
        embedded = self.target_dropout(self.target_embedding(tgt_in))
        top = self.luong.top_states(self.decoder.embedding_to_gates(embedded), state)
        steps = torch.arange(top.shape[1], device=top.device).expand(top.shape[:2])
        transitions = self.hard_attention.transitions(top, memory, steps)
        if keeps_all:
            all_words = self.emissions(top, embedded, memory)
            return Lattice(transitions, of_words(all_words, batch.tgt_out), all_words)
        return Lattice(transitions, self.given_emissions(top, embedded, memory, batch.tgt_out), None)

    def given_emissions(self, top: Tensor, embedded: Tensor, memory: Memory, words: Tensor) -> Tensor:
        """s_t [B, T, H], y_{t-1} [B, T, E], words [B, T] -> log p(y_t | a_t = j) [B, T, S]."""
        return of_words(self.emissions(top, embedded, memory), words)

    def sum_alignments(self, lattice: Lattice) -> tuple[Tensor, Tensor]:
        """-> log p(y_t | y_<t, x) [B, T], log prior_t [B, T, S]: the forward algorithm."""
        posterior = first_alignment(lattice.emissions[:, 0])
        log_probs, priors = [], []
        for transitions, emissions in zip(lattice.transitions.unbind(1), lattice.emissions.unbind(1), strict=True):
            prior = move(posterior, transitions)
            log_prob = (prior + emissions).logsumexp(1, keepdim=True)
            posterior = prior + emissions - log_prob
            log_probs.append(log_prob)
            priors.append(prior)
        return torch.cat(log_probs, 1), torch.stack(priors, 1)

    def start(self, memory: Memory) -> DecoderState:
        """No word is written yet: the alignment is at the first position, whatever `<s>` says."""
        state = self.decoder.start(memory)
        like = at_least_float32(memory.encoder_states)
        emissions = like.new_zeros(*memory.mask.shape, self.output.out_features)
        return state._replace(alignment=AlignmentState(first_alignment(emissions[:, :, 0]), emissions))

    def step(self, last_ids: Tensor, state: DecoderState, memory: Memory) -> StepOutput[DecoderState]:
        """last_ids [N] int64 -> log p(next word), prior_t in place of weights, next state."""
        assert state.alignment is not None, "of a hard model"
        posterior = state.alignment.posterior(last_ids)
        embedded = self.target_embedding(last_ids)
        bottom, top, above = self.luong.update(self.decoder.embedding_to_gates(embedded), state, NO_NOISE)
        by_sentence = (len(memory.mask), -1)
        queries, steps = top.unflatten(0, by_sentence), state.position.view(by_sentence)
        transitions = self.hard_attention.transitions(queries, memory, steps).flatten(0, 1)
        prior = move(posterior, transitions)
        emissions = self.emissions(queries, embedded.unflatten(0, by_sentence), memory).flatten(0, 1)
        log_probs = (prior.unsqueeze(2) + emissions).logsumexp(1)
        after = DecoderState((bottom, *above), state.feed, state.position + 1)
        after = after._replace(alignment=AlignmentState(prior, emissions))
        return StepOutput(log_probs, prior.exp(), after)

    def next_scores(self, last_ids: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, DecoderState]:
        """last_ids [B] int64 -> log p(next word) [B, V], next state."""
        log_probs, _, after = self.step(last_ids, state, memory)
        return log_probs, after

    def emissions(self, top: Tensor, embedded: Tensor, memory: Memory) -> Tensor:
        """s_t [B, T, H], y_{t-1} [B, T, E] -> log p(word | a_t = j) [B, T, S, V]."""
        return at_least_float32(self.output(self.position_readouts(top, embedded, memory))).log_softmax(3)

    def position_readouts(self, top: Tensor, embedded: Tensor, memory: Memory) -> Tensor:
        """s_t [B, T, H], y_{t-1} [B, T, E] -> what the output layer reads if a_t = j [B, T, S, R].

        Dropout has one mask for all positions of a step.
        """
        attentional = self.attentional_states(top, memory)
        noise = self.luong.attentional_state.dropout.noise(top, attentional.shape[3])
        if noise is not None:
            attentional = attentional * noise.unsqueeze(2)
        contexts = memory.encoder_states.unsqueeze(1)  # [B, 1, S, M]
        readouts = self.luong.make_readout(attentional, embedded.unsqueeze(2), contexts)
        noise = self.decoder.output_dropout.noise(top, readouts.shape[3])
        return readouts if noise is None else readouts * noise.unsqueeze(2)

    def attentional_states(self, top: Tensor, memory: Memory) -> Tensor:
        """s_t [B, T, H] -> f(W_c [h_j ; s_t]) [B, T, S, H], without dropout."""
        contexts = memory.encoder_states.unsqueeze(1)
        size = (*top.shape[:2], contexts.shape[2], -1)
        none = top[..., :0]  # without feeding and gate
        states: Tensor = self.luong.attentional_state(contexts.expand(size), top.unsqueeze(2).expand(size), none, none)
        return states


def of_words(log_probs: Tensor, words: Tensor) -> Tensor:
    """log p(word | a_t = j) [B, T, S, V], words [B, T] int64 -> those of these words [B, T, S]."""
    return log_probs.gather(3, words[:, :, None, None].expand(-1, -1, log_probs.shape[2], -1)).squeeze(3)


def first_alignment(like: Tensor) -> Tensor:
    """like [B, S] -> log of all probability on the first position [B, S]."""
    first = torch.full_like(like, IMPOSSIBLE)
    first[:, 0] = 0.0
    return first


def move(posterior: Tensor, transitions: Tensor) -> Tensor:
    """log posterior_{t-1} [N, S], log p(a_t = j | a_{t-1} = i) [N, S, S] -> log prior_t [N, S]."""
    return (posterior.unsqueeze(2) + transitions).logsumexp(1)


def best_alignment(lattice: Lattice, lengths: Tensor) -> Tensor:
    """The most likely a [B, T] int64 of targets of `lengths` [B] (Viterbi); ties go to the earlier position."""
    best = first_alignment(lattice.emissions[:, 0])
    totals, origins = [], []
    for transitions, emissions in zip(lattice.transitions.unbind(1), lattice.emissions.unbind(1), strict=True):
        greatest, origin = (best.unsqueeze(2) + transitions).max(1)
        best = greatest + emissions
        totals.append(best)
        origins.append(origin)
    path = [totals[-1].argmax(1)]
    for t in range(len(totals) - 2, -1, -1):
        before = origins[t + 1].gather(1, path[0].unsqueeze(1)).squeeze(1)
        path.insert(0, torch.where(lengths == t + 1, totals[t].argmax(1), before))
    return torch.stack(path, 1)
