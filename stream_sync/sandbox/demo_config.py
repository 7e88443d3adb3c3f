"""The demo's config file, as anybody would write it for the demo's two workspaces.

Invariants:
- It is a whole config: `stream-sync validate -c FILE` takes it as it stands.
- `demo_people` says in Python what its two activations ask for; whoever changes one changes the other.
"""

from __future__ import annotations

from stream_sync.sandbox.customers import TABLE, TYPES

NAME = "demo"
SOURCE = "customers"
MIRROR = "gold-members"
UPDATE = "churn-scores"
MODES = {MIRROR: "mirror", UPDATE: "update"}
WORKSPACES = {MIRROR: "loyalty", UPDATE: "newsletter"}
"""Activation to its workspace at Braze, which the config calls by the same name."""

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
  {mirror_workspace}:    {{type: braze, url: "{mirror_url}", api_key: any-key-will-do}}
  {update_workspace}: {{type: braze, url: "{update_url}", api_key: any-key-will-do}}

activations:
  {mirror}:                              # everybody in the segment, nobody else
    source: {source}
    destination: {mirror_workspace}
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

  {update}:                              # only people whom the workspace knows already
    source: {source}
    destination: {update_workspace}
    mode: update
    identifier: {{external_id: customer_id}}
    attributes:
      churn_score: churn_score
      churn_risk: case when churn_score > 0.7 then 'high' when churn_score > 0.4 then 'medium'
                  when churn_score is not null then 'low' end
      ltv: lifetime_value
    batch: {{max_wait: 250ms}}
"""


def config_text(bootstrap: str, mirror_url: str, update_url: str) -> str:
    """The file, for a broker and the addresses of the two workspaces."""
    return _TEMPLATE.format(
        name=NAME,
        bootstrap=bootstrap,
        source=SOURCE,
        topic=TABLE.topic,
        key=TABLE.key[0],
        types="\n".join(f"      {column}: {type_}" for column, type_ in TYPES.items()),
        mirror_workspace=WORKSPACES[MIRROR],
        mirror_url=mirror_url,
        update_workspace=WORKSPACES[UPDATE],
        update_url=update_url,
        mirror=MIRROR,
        update=UPDATE,
    )


def group_of(activation: str) -> str:
    """The consumer group of an activation."""
    return f"{NAME}.{activation}"


def letters_of(activation: str) -> str:
    """The topic of an activation's dead letters."""
    return f"{NAME}.{activation}.dlq"
