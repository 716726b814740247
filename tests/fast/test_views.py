"""Views: what they share with their model, what they replace, what they leave alone."""

import torch
from tiny_models import accepted, tiny_batch, tiny_model
from torch import nn

from nmt_attn.fast.training import for_training
from nmt_attn.fast.views import Fast, view


class Doubled(Fast, nn.Linear):
    """Twice a map without a bias."""

    @classmethod
    def covers(cls, module: nn.Module) -> bool:
        return isinstance(module, nn.Linear) and module.bias is None

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(inputs)


class Other(nn.Linear):
    """A class that no table names."""


def test_only_the_exact_type_is_replaced_and_only_where_it_is_covered() -> None:
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3), Other(3, 3, bias=False), nn.Dropout(0.5))
    fast = view(model, {nn.Linear: Doubled})
    assert [type(child) for child in fast] == [Doubled, nn.Linear, Other, nn.Dropout]
    assert [mine is own for mine, own in zip(fast, model, strict=True)] == [False, True, True, True]
    inputs = torch.ones(2, 3)
    assert torch.equal(fast[0](inputs), 2 * model[0](inputs))
    assert [type(child) for child in model] == [nn.Linear, nn.Linear, Other, nn.Dropout], "the model stays as it was"


def test_a_module_without_anything_to_replace_is_its_own_view() -> None:
    model = nn.Sequential(nn.Sequential(nn.ReLU()), nn.Tanh())
    assert view(model, {nn.Linear: Doubled}) is model


def test_a_module_that_stands_in_two_places_does_so_in_the_view() -> None:
    shared = nn.Linear(3, 3, bias=False)
    first, second = view(nn.Sequential(shared, shared), {nn.Linear: Doubled})
    assert first is second and isinstance(first, Doubled)


def test_another_module_can_be_placed() -> None:
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Tanh())
    placed = nn.ReLU()
    assert view(model, {}, {model[1]: placed})[1] is placed


def test_parameters_are_the_models_own_under_the_same_names() -> None:
    model = tiny_model(accepted({"decoder.layers": 2}))
    fast = for_training(model)
    ours, theirs = dict(fast.named_parameters()), dict(model.named_parameters())
    assert list(ours) == list(theirs) and all(ours[name] is theirs[name] for name in ours)
    assert list(fast.state_dict()) == list(model.state_dict())
    assert [name for name, _ in fast.named_modules()] == [name for name, _ in model.named_modules()]
    model.float()
    assert {each.dtype for each in fast.parameters()} == {torch.float32}


def test_the_mode_of_the_model_reaches_its_view() -> None:
    model = tiny_model(accepted({"encoder.dropout": 0.5, "decoder.dropout": 0.5, "decoder.style": "luong"}))
    fast, batch = for_training(model), tiny_batch([5, 2], [3, 4])
    for mode in (True, False, True):
        model.train(mode)
        torch.manual_seed(3)
        noisy = fast(batch)[0]
        torch.manual_seed(3)
        torch.testing.assert_close(noisy, model(batch)[0], rtol=0, atol=1e-12)
        assert torch.equal(fast(batch)[0], noisy) != mode
