"""What a config says about a tenant of Voyado Engage.

Invariant: a rate that Voyado refuses is a problem of the file; one above its recommendation is a warning of `check`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from stream_sync.config.settings import DestinationSettings
from stream_sync.config.values import Duration, Rate, Secret, SecureUrl, Whole, refuse
from stream_sync.sinks.voyado_fields import STANDARD, FieldType

MAX_RATE = 200
"""Requests a second of one API key; above it Voyado answers 429."""


def _at_most_possible(rate: Rate) -> Rate:
    if rate.count > MAX_RATE * rate.seconds:
        refuse(f"{rate} is more than the {MAX_RATE}/s at which Voyado refuses; write at most 50/s, or leave it out")
    return rate


class Settings(DestinationSettings):
    """A tenant. `url`: https://NAME.voyado.com, or https://NAME.staging.voyado.com."""

    type: Literal["voyado"] = "voyado"
    url: SecureUrl
    """The tenant's address"""
    api_key: Secret
    """An API key"""
    contact_type: Annotated[str, Field(min_length=1)] = "Member"
    """Of contacts that are created"""
    known_fields: dict[str, FieldType] | None = None
    """The attributes that the contact type has, each with its type or allowed values; None = the standard ones."""
    required: tuple[str, ...] = ()
    """The attributes without which no contact of this type can be created."""
    source: str = "stream-sync"
    """Told with each new contact; can be filtered by once Voyado has registered it."""
    store_external_id: str | None = None
    """Told with each new contact: the store that recruited it."""
    create_as_unapproved: bool = False
    """Whether they are created unapproved"""
    rate_limit: Annotated[Rate, AfterValidator(_at_most_possible)] = Rate(25, 1.0)
    """Of the API key."""
    in_flight: Annotated[Whole, Field(ge=1, le=100)] = 8
    """Contacts at once"""
    timeout: Duration = 60.0
    """Of one request: Voyado is slow at times, and a slow answer means load rather than loss."""
    auth_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] = "apikey"
    """One page of Voyado says `x-api-key`, all others `apikey`."""

    def known(self) -> Mapping[str, Any]:
        """Every attribute that may be mapped, with its type or allowed values."""
        if self.known_fields is None:
            return {**dict.fromkeys(self.required, "any"), **STANDARD}
        implied = {name: STANDARD.get(name, "any") for name in ("email", *self.required)}
        return {**implied, **self.known_fields}
