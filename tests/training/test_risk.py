"""Risk: its formulas by NumPy, its gradient against the exact one of all outcomes, and what a batch is made of."""

from itertools import product

import numpy as np
import pytest
import torch
from tiny_models import accepted, tiny_batch, tiny_model
from tiny_translators import LINES, make_translator

from nmt_attn.config.risk_section import RiskConfig
from nmt_attn.config.schema import EvaluateConfig, SearchConfig, TrainingConfig
from nmt_attn.data.batching import collate, collate_source
from nmt_attn.evaluation.rewards import Rewards
from nmt_attn.options.translation import SearchOptions
from nmt_attn.registries import RISKS
from nmt_attn.search.training_samples import Sampler
from nmt_attn.training.objective import Objective
from nmt_attn.training.risk import Judged, MinimumRisk, Reinforce, RiskLoss, distinct, words_of
from nmt_attn.types import EOS, Batch

SOURCE_LENGTHS, TARGET_LENGTHS = [5, 2, 4], [3, 4, 2]
SAMPLES = [[(4, 5), (6,), (4, 5)], [(7,), (8, 9), ()], [(4,), (5,), (6, 7, 8)]]


def judged() -> Judged:
    """Two sentences, the second with one sample less."""
    log_probs = torch.tensor([[-1.0, -3.0, -2.0], [-4.0, -0.5, -9.0]], dtype=torch.float64, requires_grad=True)
    rewards = torch.tensor([[0.2, 0.9, 0.4], [1.0, 0.0, 7.0]], dtype=torch.float64)
    return Judged(log_probs, rewards, torch.tensor([[True, True, True], [True, True, False]]))


def test_minimum_risk_is_the_expected_loss_by_sharpened_probabilities() -> None:
    first = np.exp(0.5 * np.array([-1.0, -3.0, -2.0]))
    second = np.exp(0.5 * np.array([-4.0, -0.5]))
    expected = first / first.sum() @ [0.8, 0.1, 0.6] + second / second.sum() @ [0.0, 1.0]
    found = MinimumRisk.loss(judged(), RiskConfig(method="mrt", alpha=0.5))
    assert found.item() == pytest.approx(expected)


def test_reinforce_weighs_each_sample_by_its_gain_over_the_others() -> None:
    first = np.array([0.2 - 0.65, 0.9 - 0.3, 0.4 - 0.55]) @ [-1.0, -3.0, -2.0] / 3
    second = np.array([1.0, -1.0]) @ [-4.0, -0.5] / 2
    found = judged()
    loss = Reinforce.loss(found, RiskConfig(method="reinforce"))
    assert loss.item() == pytest.approx(-first - second)
    loss.backward()
    assert found.log_probs.grad is not None
    assert found.log_probs.grad[1, 2] == 0


def test_reinforce_follows_the_gradient_of_the_expected_reward() -> None:
    """Over all pairs of two samples from four outcomes, its mean gradient is that of - sum of p r."""
    rewards = torch.tensor([0.1, 0.7, 0.2, 1.0], dtype=torch.float64)
    scores = torch.tensor([0.3, -1.0, 0.5, 0.1], dtype=torch.float64, requires_grad=True)
    exact = torch.autograd.grad(-(scores.softmax(0) * rewards).sum(), scores)[0]
    mean = torch.zeros(4, dtype=torch.float64)
    for pair in product(range(4), repeat=2):
        log_probs = scores.log_softmax(0)[list(pair)].unsqueeze(0)
        drawn = Judged(log_probs, rewards[list(pair)].unsqueeze(0), torch.ones(1, 2, dtype=torch.bool))
        gradient = torch.autograd.grad(Reinforce.loss(drawn, RiskConfig()), scores)[0]
        mean += scores.detach().softmax(0)[list(pair)].prod() * gradient
    torch.testing.assert_close(mean, exact)


def test_minimum_risk_over_all_outcomes_is_the_expected_loss() -> None:
    rewards = torch.tensor([[0.1, 0.7, 0.2, 1.0]], dtype=torch.float64)
    log_probs = torch.tensor([[0.3, -1.0, 0.5, 0.1]], dtype=torch.float64).log_softmax(1)
    whole = Judged(log_probs, rewards, torch.ones(1, 4, dtype=torch.bool))
    found = MinimumRisk.loss(whole, RiskConfig(method="mrt", alpha=1.0))
    torch.testing.assert_close(found, 1 - (log_probs.exp() * rewards).sum())


def reward(found: object, references: object) -> np.ndarray:
    """Of (4, 5): 0.5; of any other a tenth for each word."""
    assert isinstance(found, list)
    return np.array([0.5 if tuple(ids) == (4, 5) else len(ids) / 10 for ids in found])


def loss_of(method: str, alignment: str = "soft", **keys: object) -> tuple[float, Objective, Batch]:
    config = RiskConfig.model_validate({"method": method, "samples": 3, **keys})
    shape = {} if alignment == "soft" else {"attention.alignment": alignment, "decoder.style": "luong"}
    model, batch = tiny_model(accepted(shape)), tiny_batch(SOURCE_LENGTHS, TARGET_LENGTHS)
    risk = RiskLoss(config, lambda batch, seed: [list(each) for each in SAMPLES], reward)
    training = TrainingConfig.model_validate({"risk": config.model_dump(), "label_smoothing": 0})
    objective = Objective(model, training, torch.float32, risk)
    return objective.training(batch, 0).total.item(), objective, batch


@pytest.mark.parametrize("alignment", ["soft", "monotonic"])
@pytest.mark.parametrize("method", RISKS)
def test_the_loss_is_the_formula_over_what_was_drawn(method: str, alignment: str) -> None:
    found, objective, batch = loss_of(method, alignment)
    expected = 0.0
    for row, drawn in enumerate(SAMPLES):
        source, reference = words_of(batch.src_ids[row]), words_of(batch.tgt_out[row])
        each = distinct([*drawn, reference]) if method == "mrt" else list(drawn)
        log_probs = []
        for ids in each:
            one = collate([list(source)], [list(ids)])
            log_probs.append(objective.model.score_target(one)[0].sum().item())
        rewards = reward(each, [])
        whole = Judged(
            torch.tensor([log_probs]), torch.tensor(rewards)[None], torch.ones(1, len(each), dtype=torch.bool)
        )
        expected += RISKS[method].loss(whole, objective.config.risk).item()
    assert found == pytest.approx(expected, rel=1e-6)
    validated = objective.plain(batch)
    assert validated.total.item() == pytest.approx(validated.negative_log_likelihood.item())


@pytest.mark.parametrize("method", RISKS)
def test_the_likelihood_joins_with_its_weight(method: str) -> None:
    alone, objective, batch = loss_of(method)
    mixed, _, _ = loss_of(method, likelihood=0.3)
    assert mixed == pytest.approx(alone + 0.3 * objective.plain(batch).negative_log_likelihood.item())


def test_samples_are_those_of_the_search_that_translates() -> None:
    """The keys training.risk.samples and temperature: as many, and from that distribution."""
    search = SearchConfig(max_length_factor=1.5)
    for model in ("bahdanau", "monotonic"):
        translator = make_translator(model, search=search)
        lines = [line for line in LINES if line.strip()]
        options = SearchOptions(sample=True, nbest=4, temperature=0.7, seed=9)
        request = translator.request(options, with_alignments=False)
        wanted = translator.translate_window(lines, request, first_line=0)
        batch = collate_source([translator.codecs.source.encode(line) for line in lines])
        empty = torch.full((len(lines), 1), EOS)
        given = Batch(*batch, empty, empty, torch.ones(len(lines), dtype=torch.int64))
        translator.model.train()  # with dropout, which must not matter
        found = Sampler(translator.model, search, 4, 0.7)(given, 9)
        assert translator.model.training
        target = translator.codecs.target
        texts = [[target.decode(ids) for ids in each] for each in found]
        assert texts == [[each.text for each in line.hypotheses] for line in wanted]
        assert len({text for line in texts for text in line}) > len(lines)


def test_rewards_are_weighted_means_of_metrics_from_0_to_1() -> None:
    """Keys metrics and weights. exact: 1 and 0; PER: 0 and 1 edit of 2 symbols."""
    translator = make_translator()
    target = translator.codecs.target
    found, wanted = [target.encode("the house"), target.encode("the cat")], [target.encode("the house")] * 2

    def rewards(**keys: object) -> list[float]:
        risk = RiskConfig.model_validate(keys)
        return Rewards(target, risk, EvaluateConfig())(found, wanted).tolist()

    assert rewards(metrics=["exact"]) == [1.0, 0.0]
    assert rewards(metrics=["per"]) == [1.0, 0.5]
    assert rewards(metrics=["exact", "per"]) == [1.0, 0.25]
    assert rewards(metrics=["exact", "per"], weights=[1, 3]) == [1.0, 0.375]


def test_alpha_makes_probabilities_more_alike() -> None:
    assert loss_of("mrt", alpha=0.005)[0] != pytest.approx(loss_of("mrt", alpha=1.0)[0])
