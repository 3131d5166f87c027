"""Who takes a service note: the national system or a city's module, by name (ABR-8, §12.1).

The national system and each family of cities bring a factory of their own; a new protocol is one
module and one line here.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Protocol, cast

from fiscal.authorities.base import NotOffered
from fiscal.authorities.provider import Provider

NATIONAL = "nacional"
# Module and function; loaded when the first note asks for it.
_NATIONAL = ("fiscal.authorities.national.sefin", "provider")
_MUNICIPAL = ("fiscal.authorities.municipal.profiles", "provider")


class Factory(Protocol):
    """Makes the provider of a city in an environment; raises NotOffered for one it does not know.

    `municipality` is the IBGE code; `slug` what ServiceNote keeps, "" for the city's present one.
    """

    def __call__(self, slug: str, *, municipality: str, ambiente: str) -> Provider: ...


_own: dict[str, Factory] = {}  # providers that are registered while the process runs


def register(slug: str, factory: Factory) -> Callable[[], None]:
    """Have `factory` answer for that name; the result undoes it."""
    before = _own.get(slug)
    _own[slug] = factory

    def undo() -> None:
        if before is None:
            _own.pop(slug, None)
        else:
            _own[slug] = before

    return undo


def provider_for(slug: str, *, municipality: str, ambiente: str) -> Provider:
    """The provider that a note was given to, by the name that its row keeps.

    With slug "" the one that the city has now. Raises NotOffered for a city without service, and
    for an environment that it does not have.
    """
    return _factory(slug)(slug, municipality=municipality, ambiente=ambiente)


def _factory(slug: str) -> Factory:
    if slug in _own:
        return _own[slug]
    module, name = _NATIONAL if slug == NATIONAL else _MUNICIPAL
    try:
        return cast(Factory, getattr(import_module(module), name))
    except ModuleNotFoundError as error:
        if not module.startswith(error.name or "?"):
            raise  # the module is there, and what it needs is not
        raise NotOffered("Não há emissão de NFS-e por este provedor.") from error
