"""Views: a second tree of modules over the same parameters, with accelerated classes in place of the plain ones.

A module whose exact type is in the table of forms, and which that form covers, has the form's class in the view; every
other module keeps its own class. So what no accelerator knows, a score from another package say, stays as it is, and
what is accelerated works around it. A view owns nothing: parameters and buffers are the very objects of the model,
under the same names, and a module without anything accelerated below it (dropout, embeddings) is the model's own.
"""

from collections.abc import Mapping
from typing import TypeVar, cast

from torch import nn

Module = TypeVar("Module", bound=nn.Module)


class Fast(nn.Module):
    """Contract of an accelerated class: the same attributes and results as the plain class that it stands for.

    It is never constructed: `view` gives it the attributes of a plain module. What it makes of them for itself, packed
    matrices say, it makes on first use and keeps.
    """

    @classmethod
    def covers(cls, module: nn.Module) -> bool:
        """True if this form can stand for `module`, a plain one; by default for any."""
        return True


Forms = Mapping[type[nn.Module], type[Fast]]
"""The accelerated class for each exact type of plain module."""


def view(module: Module, forms: Forms, made: dict[nn.Module, nn.Module] | None = None) -> Module:
    """`module` with the forms that cover its parts.

    `made` says which module stands for which; a caller may place others beforehand.
    """
    made = {} if made is None else made
    if module not in made:
        made[module] = _view(module, forms, made)
    return cast(Module, made[module])


def _view(module: nn.Module, forms: Forms, made: dict[nn.Module, nn.Module]) -> nn.Module:
    children = {name: None if child is None else view(child, forms, made) for name, child in module._modules.items()}
    form = forms.get(type(module))
    is_covered = form is not None and form.covers(module)
    if not is_covered and all(child is module._modules[name] for name, child in children.items()):
        return module
    kind = cast(type[nn.Module], form if is_covered else type(module))
    twin = object.__new__(kind)
    twin.__dict__.update(module.__dict__)  # parameters, buffers and hooks: the very same
    twin.__dict__["_modules"] = children
    return twin
