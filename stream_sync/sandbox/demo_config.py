"""The demo's config file, as anybody would write it for the demo's four accounts.

Invariants:
- It is a whole config: `stream-sync validate -c FILE` takes it as it stands.
- `demo_people` and `demo_contacts` say in Python what its activations ask for; whoever changes one changes the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from stream_sync.model import Mode
from stream_sync.sandbox.customers import TABLE, TYPES

NAME = "demo"
SOURCE = "customers"


class Lane(NamedTuple):
    """An activation and where it leads: a workspace at a vendor, by whose name the config has the destination."""

    activation: str
    mode: Mode
    vendor: str
    workspace: str


MIRROR = Lane("gold-members", "mirror", "braze", "loyalty")
UPDATE = Lane("churn-scores", "update", "braze", "newsletter")
UPSERT = Lane("platinum-club", "upsert", "voyado", "club")
SLOW_MIRROR = Lane("support-desk", "mirror", "crisp", "helpdesk")
LANES = (MIRROR, UPDATE, UPSERT, SLOW_MIRROR)

_TEMPLATE = """\
# What `stream-sync demo` runs with. docs/config.md explains every setting.
name: {name}
kafka:
  bootstrap.servers: {bootstrap}     # the demo's own broker: it is gone when the demo ends
  log_level: 0
admin: {{host: 127.0.0.1, port: 0}}
shutdown_timeout: 5s

sources:
  {source}:
    topic: {topic}
    key: [{key}]
    before: full                             # the table is REPLICA IDENTITY FULL
    types:                                   # JSON without schemas does not say
{types}

destinations:
  loyalty:    {{type: braze, url: "{loyalty}", api_key: any-key-will-do}}
  newsletter: {{type: braze, url: "{newsletter}", api_key: any-key-will-do}}
  club:                                      # at its default pace: 25 requests a second
    type: voyado
    url: "{club}"
    api_key: any-key-will-do
    known_fields: {{lastName: text, country: text, lifetimeValue: number, loyaltyTier: [platinum]}}
    required: [email, lastName]
  helpdesk:
    {{type: crisp, url: "{helpdesk}", website_id: demo, identifier: any, key: any-key-will-do, tier: website,
     rate_limit: 25/1s}}

activations:
  gold-members:                              # everybody in the segment, nobody else
    source: {source}
    destination: loyalty
    mode: mirror
    where: loyalty_tier in ('gold', 'platinum') and is_subscriber
    identifier: {{external_id: customer_id}}
    fields: [first_name, last_name, country, {{email: lower(email)}}, {{dob: birth_date}}]
    attributes:
      tier: loyalty_tier
      ltv: lifetime_value
      tags: favorite_tags
      last_order: last_order_at
      channel: profile->>'channel'
      profile: profile
    deletes: {{after: 2s, max: 500, per: 1h}}  # the default is 60s: nobody wants to wait that long here
    batch: {{max_wait: 250ms}}
    outcomes: on                             # what became of each change, for `stream-sync explain`

  churn-scores:                              # only people whom the workspace knows already
    source: {source}
    destination: newsletter
    mode: update
    identifier: {{external_id: customer_id}}
    attributes:
      churn_score: churn_score
      churn_risk: case when churn_score > 0.7 then 'high' when churn_score > 0.4 then 'medium'
                  when churn_score is not null then 'low' end
      ltv: lifetime_value
    batch: {{max_wait: 250ms}}

  platinum-club:                             # whoever was platinum once, as they were then
    source: {source}
    destination: club
    mode: upsert
    where: loyalty_tier = 'platinum'
    identifier: {{email: email}}
    fields: {{lastName: last_name, country: country}}
    attributes: {{lifetimeValue: lifetime_value, loyaltyTier: loyalty_tier}}
    batch: {{max_wait: 250ms}}

  support-desk:                              # again everybody in a segment, nobody else
    source: {source}
    destination: helpdesk
    mode: mirror
    where: loyalty_tier = 'platinum' and is_subscriber
    identifier: {{email: email}}
    fields:
      person.nickname: coalesce(first_name, last_name)
      person.geolocation.country: country
      segments: loyalty_tier
    attributes: {{ltv: lifetime_value}}
    deletes: {{after: 2s, max: 500, per: 1h}}
    batch: {{max_wait: 250ms}}
"""


def config_text(bootstrap: str, addresses: Mapping[str, str]) -> str:
    """The file, for a broker and the addresses of the workspaces, by their names."""
    return _TEMPLATE.format(
        name=NAME,
        bootstrap=bootstrap,
        source=SOURCE,
        topic=TABLE.topic,
        key=TABLE.key[0],
        types="\n".join(f"      {column}: {type_}" for column, type_ in TYPES.items()),
        **addresses,
    )


def edited(text: str) -> str:
    """The file with an edit that leaves people behind: the segment of the first activation is smaller."""
    return text.replace(
        "loyalty_tier in ('gold', 'platinum') and is_subscriber", "loyalty_tier = 'platinum' and is_subscriber"
    )


def group_of(activation: str) -> str:
    """The consumer group of an activation."""
    return f"{NAME}.{activation}"


def outcomes_of(activation: str) -> str:
    """The topic of an activation's outcomes."""
    return f"{NAME}.{activation}.outcomes"


def letters_of(activation: str) -> str:
    """The topic of an activation's dead letters."""
    return f"{NAME}.{activation}.dlq"
