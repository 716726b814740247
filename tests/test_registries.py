"""The torch-free list of names is that of the parts; a part says itself what it can do."""

import runpy
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
import torch
from tiny_models import Overrides, overridden

from nmt_attn.config.key_paths import all_keys, locate
from nmt_attn.config.reference import choices_of
from nmt_attn.config.rules import contradictions
from nmt_attn.config.schema import CorpusConfig
from nmt_attn.model.build import build_model
from nmt_attn.model.initialise import INITIALISATIONS, vectors_of
from nmt_attn.model.scores import SCORES, Score
from nmt_attn.model.windows import WINDOWS, Window
from nmt_attn.registries import ALIGNMENT_FORMATS, CORPUS_FORMS, DECODERS, REGISTRIES, SYMMETRISATIONS
from nmt_attn.registry import Exclusion, Registry, exclusions_of

ROOT = Path(__file__).parents[1]
EVERY = [*REGISTRIES, CORPUS_FORMS, SYMMETRISATIONS]
START_AT_ZERO = {"additive", "concat"}
"""Scores whose v_a is 0 in Bahdanau's appendix."""


@pytest.mark.parametrize("registry", EVERY, ids=lambda registry: next(iter(registry)))
def test_every_place_holds_a_documented_part(registry: Registry[object]) -> None:
    for name in registry:
        part = registry[name]
        assert callable(part), name
        assert (part.__doc__ or "").strip(), f"{name}: docs/names.md shows the first line of its docstring"


@pytest.mark.parametrize(("registry", "contract"), [(SCORES, Score), (WINDOWS, Window)])
def test_every_class_of_a_contract_has_a_name(registry: Registry[type[object]], contract: type[object]) -> None:
    own = {kind for kind in _all_subclasses(contract) if kind.__module__ == contract.__module__}
    unnamed = {kind.__name__ for kind in own - set(registry.values())}
    assert unnamed <= {"ConcatIdentity", "TanhScore", "LocalPMatlab"}  # which concat_keys and position choose


def _all_subclasses(kind: type[object]) -> set[type[object]]:
    return {below for direct in kind.__subclasses__() for below in (direct, *_all_subclasses(direct))}


def test_a_registry_knows_the_keys_whose_values_its_names_are() -> None:
    for registry in REGISTRIES:
        for key in registry.config_keys:
            field = locate(tuple(key.split("."))).field
            assert field is not None, key
            assert set(registry) <= set(choices_of(field)), key
    annotated = {".".join(keys) for keys in all_keys() if "NameOf" in repr(locate(keys).field)}
    assert annotated == {key for registry in REGISTRIES for key in registry.config_keys}


def test_every_alignment_format_is_read_or_written() -> None:
    for name, form in ALIGNMENT_FORMATS.items():
        assert form.read is not None or form.write is not None, name


def test_corpus_forms_are_keys_of_a_corpus() -> None:
    assert set(CORPUS_FORMS) < set(CorpusConfig.model_fields)


def test_names_are_listed_and_checked_without_torch() -> None:
    code = (
        "import sys\n"
        "from nmt_attn.config.file import parse_config\n"
        "from nmt_attn.config.reference import reference_yaml\n"
        "from nmt_attn.errors import ConfigError\n"
        "reference_yaml()\n"
        "parse_config('search: {}', ['run.name=x'], 'f.yaml')\n"
        "try:\n"
        "    parse_config('model: {attention: {score: dott}}', [], 'f.yaml')\n"
        "except ConfigError as error:\n"
        "    assert 'did you mean' in str(error)\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_part_that_excludes_a_value_is_refused_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    excluded = Exclusion("model.attention.window", "local-m", "whose keys know no order")
    monkeypatch.setattr(SCORES["general"], "exclusions", (excluded,))
    assert contradictions(overridden({"attention.score": "general", "attention.window": "local-m"})) == [
        "model.attention.window: expected another than 'local-m' with model.attention.score 'general', whose keys know "
        "no order, got 'local-m'"
    ]
    assert contradictions(overridden({"attention.score": "general"})) == []


@pytest.mark.parametrize(("score", "window"), list(product(SCORES, WINDOWS)))
@pytest.mark.parametrize("scheme", INITIALISATIONS)
def test_no_vector_starts_at_zero_unless_its_part_says_so(scheme: str, score: str, window: str) -> None:
    if any(excluded.value == scheme for excluded in exclusions_of(SCORES[score])):
        return
    keys: Overrides = {"attention.score": score, "attention.window": window, "initialisation": scheme}
    model = build_model(overridden({**keys, "decoder.hidden": 6}).model, 11, 13, positions=7)
    for module in model.modules():
        for vector in vectors_of(module).values():
            may_be_zero = scheme == "bahdanau" and (score in START_AT_ZERO or isinstance(module, Window))
            assert may_be_zero or torch.count_nonzero(vector) == vector.numel()


def test_the_default_first_numbers_of_an_unknown_part_are_not_zero() -> None:
    class Strange(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.zeros(50))
            self.cube = torch.nn.Parameter(torch.full((3, 5, 7), torch.nan))
            self.bias = torch.nn.Parameter(torch.ones(7))
            self.gain = torch.nn.Parameter(torch.tensor(2.0))

    for name, scheme in INITIALISATIONS.items():
        part = Strange()
        scheme(0.1, 0.3).initialise(torch.nn.Sequential(part))
        assert part.scale.count_nonzero() == 50, name
        assert part.cube.isfinite().all()
        assert part.gain == 2
        assert name == "uniform" or part.bias.eq(0).all()


def test_decoders_say_which_keys_they_read() -> None:
    assert DECODERS.readers("input_feeding") == ("luong",)
    assert DECODERS.readers("readout_state") == ("bahdanau",)


def test_the_pages_of_names_are_up_to_date() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "names_page.py"))
    for path, text in ((script["PAGE"], script["page"]()), (script["README"], script["readme"]())):
        assert path.read_text(encoding="utf-8") == text, "write it anew: python scripts/names_page.py"
