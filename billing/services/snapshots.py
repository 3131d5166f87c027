"""The data of parties as documents print it, frozen at emission and shared by equal documents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import prefetch_related_objects

from billing.models import Asset, OrganizationProfile, Party, PartySnapshot
from lib.bulk import insert_missing

# Everything a document may print. A field added here makes new snapshots; old ones stay.
_FIELDS = (
    "kind", "name", "company_name", "document", "state_inscription", "city_inscription",
    "address", "number", "complement", "district", "zipcode", "city", "state", "ibge_code",
    "country", "phone", "email", "language",
)  # fmt: skip
_PROFILE_FIELDS = ("color_primary", "color_accent", "website", "invoice_notes")


def party_data(party: Party) -> dict[str, Any]:
    """The party as plain JSON; an organization with its look, its logo by hash and type only."""
    data: dict[str, Any] = {name: getattr(party, name) for name in _FIELDS}
    profile = _profile(party)
    if profile is not None:
        data |= {name: getattr(profile, name) for name in _PROFILE_FIELDS}
        data |= _logo(profile)
    return data


def _profile(party: Party) -> OrganizationProfile | None:
    if party.kind != Party.Kind.ORGANIZATION:
        return None
    return getattr(party, "profile", None)  # RelatedObjectDoesNotExist is an AttributeError


def _logo(profile: OrganizationProfile) -> dict[str, str]:
    if not profile.logo:
        return {"logo_sha256": "", "logo_type": ""}
    return {
        "logo_sha256": hashlib.sha256(profile.logo).hexdigest(),
        "logo_type": profile.logo_type,
    }


def digest(data: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON: sorted keys, no spaces, UTF-8."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def snapshots_for(parties: Iterable[Party], *, at: datetime) -> dict[int, int]:
    """Party id → id of the snapshot equal to its present data, written now when there is none.

    Four queries at most, however many parties, and one more for logos not seen before. Safe when
    two emissions freeze the same party at the same moment: both get the one row.
    """
    unique = {party.pk: party for party in parties}
    _load_profiles(unique.values())
    data = {pk: party_data(party) for pk, party in unique.items()}
    digests = {pk: digest(value) for pk, value in data.items()}
    found = _existing(digests)
    missing = sorted(digests.keys() - found.keys())
    if missing:
        # Sorted, so that two emissions never wait for each other's rows crosswise. The one that
        # comes second waits here for the first to commit, then reads its rows below.
        insert_missing(
            PartySnapshot,
            ("party", "digest", "data", "created_at"),
            [(pk, digests[pk], data[pk], at) for pk in missing],
        )
        _keep_logos([unique[pk] for pk in missing], at)
        found |= _existing({pk: digests[pk] for pk in missing})
    return found


def _keep_logos(parties: Iterable[Party], at: datetime) -> None:
    """The logo that a new snapshot names goes where no later change of it reaches."""
    assets = [
        Asset(
            account_id=party.account_id,
            sha256=hashlib.sha256(profile.logo).hexdigest(),
            content_type=profile.logo_type,
            created_at=at,
            data=bytes(profile.logo),
        )
        for party in parties
        if (profile := _profile(party)) is not None and profile.logo
    ]
    if assets:
        Asset.objects.bulk_create(assets, ignore_conflicts=True)


def _load_profiles(parties: Iterable[Party]) -> None:
    organizations = [p for p in parties if p.kind == Party.Kind.ORGANIZATION]
    if organizations:
        prefetch_related_objects(organizations, "profile")


def _existing(digests: dict[int, str]) -> dict[int, int]:
    rows = PartySnapshot.objects.filter(party_id__among=digests).values_list(
        "party_id", "digest", "id"
    )
    return {party_id: pk for party_id, value, pk in rows if digests[party_id] == value}
