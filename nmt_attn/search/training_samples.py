"""Samples of a model in training: the search that translates, on the weights as they are now."""

import torch

from nmt_attn.config.schema import SearchConfig
from nmt_attn.fast.training import for_training
from nmt_attn.model.seq2seq import Seq2Seq
from nmt_attn.search.beam import beam_search
from nmt_attn.search.request import Demand, Request
from nmt_attn.search.sampling import Sampling
from nmt_attn.search.step_functions import ModelSteps
from nmt_attn.types import Batch


class Sampler:
    """Draws `samples` translations of each sentence, without dropout, within the lengths of `search`."""

    def __init__(self, model: Seq2Seq, search: SearchConfig, samples: int, temperature: float) -> None:
        self._model = model
        self._fast = for_training(model)  # packs nothing, so that it follows the weights
        self._search = search.model_copy(update={"groups": 1, "mbr": "none", "language_model": None})
        self._samples = samples
        self._temperature = temperature

    def __call__(self, batch: Batch, seed: int) -> list[list[tuple[int, ...]]]:
        """Ids without `</s>`. They follow from the weights, the sources and the seed."""
        sampling = Sampling(temperature=self._temperature, seed=seed)
        request = Request(search=self._search, nbest=self._samples, sampling=sampling)
        demands = [Demand(row, ()) for row in range(len(batch.src_ids))]
        was_training = self._model.training
        self._set_mode(is_training=False)
        try:
            with torch.no_grad():
                limits = request.limits(batch.src_lengths - 1, demands)
                steps = ModelSteps(self._fast, self._fast.encode(batch.src_ids, batch.src_lengths))
                found = beam_search(steps, limits, request.options())
        finally:
            self._set_mode(is_training=was_training)
        return [[each.ids for each in one] for one in found]

    def _set_mode(self, *, is_training: bool) -> None:
        self._model.train(is_training)
        self._fast.train(is_training)
