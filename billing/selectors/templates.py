"""Which printed template a document gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from billing.models import DocumentTemplate

FALLBACK_LANGUAGE = "pt-BR"


def default_template_versions(organization_ids: Iterable[int]) -> dict[int, dict[str, int]]:
    """Active version of each organization's default template, by language, in one query.

    An organization without any is absent.
    """
    rows = DocumentTemplate.objects.filter(
        organization_id__in=list(organization_ids),
        is_default=True,
        active_version__isnull=False,
    ).values_list("organization_id", "language", "active_version_id")
    found: dict[int, dict[str, int]] = {}
    for organization_id, language, version_id in rows:
        found.setdefault(organization_id, {})[language] = version_id
    return found


def version_for(versions: Mapping[str, int], language: str) -> int | None:
    """The version in the customer's language, else the Portuguese one, else any (TPL-3)."""
    for candidate in (language, FALLBACK_LANGUAGE, *sorted(versions)):
        if candidate in versions:
            return versions[candidate]
    return None
