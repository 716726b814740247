"""Registry: the one list of the names that a key of the configuration accepts, each with the place of its part.

A place is written `module:attribute` and is imported when its name is looked up. Listing names, checking a name and
`--help` therefore need no torch. The package's own names stand in nmt_attn/registries.py; any other module adds one:

    @SCORES.register("cosine")
    class Cosine(Score): ...

An installed package names that module in its pyproject.toml, and the command line imports it when a command starts:

    [project.entry-points."nmt_attn.extensions"]
    cosine = "my_package.cosine"

A part (a class, or a function) says itself what it can do: `options` are the keys beside its own that it reads, so
that the configuration refuses them where no chosen part does; `exclusions` are values of other keys that it does not
go with.
"""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from nmt_attn.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Item = TypeVar("Item")
Given = TypeVar("Given")


class Exclusion(NamedTuple):
    """A value of another key that a part does not go with."""

    key: str  # such as model.initialisation
    value: str
    reason: str  # a clause about the part: `whose v_a would start at 0`


class Registry(Mapping[str, Item], Generic[Item]):
    """Names in the order of their registration, and the part behind each."""

    def __init__(self, keys: tuple[str, ...], places: Mapping[str, str]) -> None:
        self.config_keys = keys  # whose values are these names: model.attention.score
        self._places = dict(places)
        self._parts: dict[str, Item] = {}

    def __getitem__(self, name: str) -> Item:
        """The part; its module is imported at the first look-up. Raises KeyError for an unknown name."""
        if name not in self._parts:
            module, _, attribute = self._places[name].partition(":")
            self._parts[name] = getattr(import_module(module), attribute)
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places  # where Mapping's own would import the part

    def register(self, name: str) -> Callable[[Given], Given]:
        """Decorator: adds a part by this name. Raises ConfigError if the name is taken."""

        def add(part: Given) -> Given:
            place = f"{getattr(part, '__module__', '?')}:{getattr(part, '__qualname__', name)}"
            if name in self._places:
                where = " and ".join(self.config_keys)
                raise ConfigError(f"{place}: expected a new name for {where}, got {name!r} of {self._places[name]}")
            self._places[name], self._parts[name] = place, part  # type: ignore[assignment]
            return part

        return add

    def readers(self, option: str) -> tuple[str, ...]:
        """The names whose parts read the key `option` of the same section."""
        return tuple(name for name in self if option in options_of(self[name]))


def options_of(part: object) -> tuple[str, ...]:
    """The keys of its section that a part reads, beside the one that names it."""
    options: tuple[str, ...] = getattr(part, "options", ())
    return options


def exclusions_of(part: object) -> tuple[Exclusion, ...]:
    """The values of other keys that a part does not go with."""
    exclusions: tuple[Exclusion, ...] = getattr(part, "exclusions", ())
    return exclusions


def reads(*options: str) -> Callable[[Given], Given]:
    """Decorator of a function that is a part: states its `options`. A class states them as an attribute."""

    def state(part: Any) -> Any:
        part.options = options
        return part

    return state


EXTENSIONS = "nmt_attn.extensions"
"""Entry points of installed packages that register names of their own."""


def load_extensions() -> list[str]:
    """Imports the module that each installed extension names. Returns one line for each that cannot be imported.

    From Python, importing such a module is enough. Nothing in a model's folder can name a module.
    """
    from importlib.metadata import entry_points  # slow to import, and `--help` needs none of it

    return [line for entry in entry_points(group=EXTENSIONS) if (line := _load(entry)) is not None]


def _load(entry: "EntryPoint") -> str | None:
    try:
        entry.load()
    except Exception as error:  # whatever its module raises
        found = f"{type(error).__name__}: {error}".split("\n")[0]
        return f"extension {entry.name!r}: expected to import {entry.value}, got {found}"
    return None
