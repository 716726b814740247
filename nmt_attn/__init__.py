"""nmt-attn: neural machine translation with recurrent networks and attention.

    >>> from nmt_attn import Translator
    >>> translator = Translator.load("runs/demo")
    >>> for translation in translator.translate(["turn off the lights", "good morning"], beam=5):
    ...     print(translation.text, translation.log_prob, translation.rank)
    ...     print(translation.alignment.weights)  # rows: its words and </s>; columns: the source's

Nothing heavy is imported before one of the names is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from nmt_attn.version import __version__

if TYPE_CHECKING:
    from nmt_attn.search.translation import Translation as Translation
    from nmt_attn.search.translator import Translator as Translator

__all__ = ["Translation", "Translator", "__version__"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"nmt_attn.search.{name.lower()}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return __all__
