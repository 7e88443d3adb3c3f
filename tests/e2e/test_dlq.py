"""Dead letters through real Kafka: after the cause is mended a replay leaves the destination equal to the source."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.server import Sandbox
from tests.e2e.people_table import People
from tests.rig.client import Kafka, Outgoing

REFUSED = Faults(reject=("p1", "p2", "p3", "p4"))


async def refused(kafka: Kafka, prefix: str, sandbox: Sandbox, folder: Path) -> People:
    """Ten people, four of whom are refused."""
    people = People(kafka, prefix, sandbox, folder, count=10)
    sandbox.workspace("braze", prefix).faults = REFUSED
    await people.catch_up()
    assert len(kafka.read_all(people.dead_letters)) == 4
    return people


def mend(people: People) -> None:
    people.sandbox.workspace("braze", people.prefix).faults = Faults()


async def test_a_replay_after_the_cause_is_mended_leaves_the_destination_equal(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    async with Sandbox() as sandbox:
        people = await refused(kafka, prefix, sandbox, tmp_path)
        people.activation["outcomes"] = "on"
        people.update(2, name="Changed since", tier="silver")
        people.delete(3)
        people.insert(11)
        await people.catch_up()
        mend(people)

        planned = await people.command("dlq", "replay", "--dry-run")
        assert planned.status == 0, planned.err
        assert "3  would be sent whole" in planned.out
        assert len(people.found) == 7
        replayed = await people.command("dlq", "replay")

        assert replayed.status == 0, replayed
        assert people.found == people.expected
        explained = await people.command("explain", "--key=p2")
        assert "Delivered: Insert by a replay; insert delivered by a replay at" in explained.out, explained
        again = await people.command("dlq", "replay")
        assert "no open dead letter" in again.out
        assert "0 open dead letters" in (await people.command("dlq", "list")).out


async def test_what_is_refused_again_stays_open(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        people = await refused(kafka, prefix, sandbox, tmp_path)
        sandbox.workspace("braze", prefix).faults = Faults(reject=("p2",))

        replayed = await people.command("dlq", "replay")

        assert replayed.status == 1
        assert "3  delivered" in replayed.out
        assert len(kafka.read_all(people.dead_letters)) == 4
        listed = json.loads((await people.command("dlq", "list", "--json", "--show-values")).out)
        assert [json.loads(letter["key"]) for letter in listed["letters"]] == [{"id": "p2"}]
        mend(people)
        assert (await people.command("dlq", "replay")).status == 0
        assert people.found == people.expected


async def test_who_has_a_new_identifier_is_written_and_the_old_one_deleted_when_their_letters_are_replayed(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    """The change of identifier was merged with a later one, that stands for both and knows nothing of the old one."""
    async with Sandbox() as sandbox:
        people = People(kafka, prefix, sandbox, tmp_path, count=3)
        people.activation["identifier"] = {"external_id": "email"}
        people.activation["fields"] = {"first_name": "name"}
        people.activation["batch"] = {"max_wait": "2s"}
        await people.catch_up()
        sandbox.workspace("braze", prefix).faults = Faults(reject=("new@example.com",))
        people.update(1, email="new@example.com")
        people.update(1, name="Also new")
        await people.catch_up()
        assert len(kafka.read_all(people.dead_letters)) == 2
        mend(people)

        assert (await people.command("dlq", "replay")).status == 0

        assert people.found.keys() == {row["email"] for row in people.expected.values()}
        assert "no open dead letter" in (await people.command("dlq", "replay")).out


async def test_filters_choose_and_only_what_was_chosen_is_done_with(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        people = await refused(kafka, prefix, sandbox, tmp_path)
        mend(people)

        for arguments in (("--key", "p2"), ("--key", "p4", "--since", "1h")):
            chosen = await people.command("dlq", "replay", *arguments)
            assert "1  delivered" in chosen.out, chosen
        for arguments in (("--code", "no_such_code"), ("--since", "2100-01-01")):
            assert "no open dead letter" in (await people.command("dlq", "replay", *arguments)).out

        assert people.found.keys() == people.expected.keys() - {"p1", "p3"}
        listed = json.loads((await people.command("dlq", "list", "--json", "--show-values")).out)
        assert {json.loads(letter["key"])["id"] for letter in listed["letters"]} == {"p1", "p3"}


async def test_a_letter_whose_record_is_gone_is_skipped_and_forced_alone(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    async with Sandbox() as sandbox:
        people = await refused(kafka, prefix, sandbox, tmp_path)
        mend(people)
        kafka.delete_records(people.topic)
        listed = json.loads((await people.command("dlq", "list", "--json")).out)

        skipped = await people.command("dlq", "replay")

        assert skipped.status == 0, skipped
        assert "4  skipped: superseded_or_expired" in skipped.out
        assert len(people.found) == 6
        one = listed["letters"][0]
        place = ("--partition", str(one["partition"]), "--offset", str(one["offset"]))
        forced = await people.command("dlq", "replay", *place, "--force")
        assert "1  delivered" in forced.out, forced
        assert len(people.found) == 7
        wrong = await people.command("dlq", "replay", "--force")
        assert wrong.status == 2


async def test_records_that_another_config_can_read_are_replayed(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        people = People(kafka, prefix, sandbox, tmp_path, count=5)
        types = people.config["sources"]["people"]["types"]
        people.config["sources"]["people"]["types"] = {**types, "tier": "int"}
        await people.catch_up()
        assert people.found == {}
        people.config["sources"]["people"]["types"] = types
        await people.catch_up()

        replayed = await people.command("dlq", "replay")

        assert replayed.status == 0, replayed
        assert people.found == people.expected


async def test_a_record_that_nobody_can_read_stays_open_until_its_row_is_told_again(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    async with Sandbox() as sandbox:
        people = People(kafka, prefix, sandbox, tmp_path, count=1)
        kafka.produce(people.topic, [Outgoing(people.table.table.key_of(people.table.rows["p0"]), b"\xff")])
        await people.catch_up()

        assert (await people.command("dlq", "replay")).status == 1
        people.update(0, name="Told again")

        assert (await people.command("dlq", "replay")).status == 0
        assert people.found == people.expected


async def test_a_replay_deletes_nobody_while_deletes_are_held(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        people = People(kafka, prefix, sandbox, tmp_path, count=6)
        await people.catch_up()
        sandbox.workspace("braze", prefix).faults = Faults(reject=("p1",))
        people.update(1, tier="none")
        await people.catch_up()
        mend(people)
        people.activation["deletes"]["max"] = 1
        for number in (1, 3, 4):
            people.delete(number)
        await people.catch_up_with_too_many_deletes()

        withheld = await people.command("dlq", "replay")

        assert withheld.status == 1
        assert "deletes_held" in withheld.out, withheld
        assert len(people.found) == 6
        assert (await people.command("held", "release", "--yes")).status == 0
        assert people.found == people.expected
        assert (await people.command("dlq", "replay")).status == 0


async def test_a_letter_is_shown_without_people_s_data_unless_asked_for(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    async with Sandbox() as sandbox:
        people = await refused(kafka, prefix, sandbox, tmp_path)
        listed = json.loads((await people.command("dlq", "list", "--json")).out)
        one = listed["letters"][0]
        place = ("--partition", str(one["partition"]), "--offset", str(one["offset"]))

        hidden = [await people.command("dlq", "list"), await people.command("dlq", "show", *place)]
        shown = await people.command("dlq", "show", *place, "--show-values")

        for ended in hidden:
            assert ended.status == 0
            assert "example.com" not in ended.out
            assert not re.search(r"\bp[0-9]\b", ended.out)
        assert json.loads(json.loads(shown.out)["value"])["after"]["email"].endswith("@example.com")
        missing = await people.command("dlq", "show", "--partition", "0", "--offset", "99")
        assert (missing.status, missing.out) == (1, "")


async def test_a_replay_beside_the_running_service_ends_with_the_newest(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    from tests.e2e.service import service, until

    async with Sandbox() as sandbox:
        people = await refused(kafka, prefix, sandbox, tmp_path)
        mend(people)
        async with service(people.config, tmp_path):
            for round_ in range(5):
                people.update(1, name=f"Round {round_}", tier=str(time.time()))
                people.update(5, name=f"Round {round_}")
                assert (await people.command("dlq", "replay", "--key", "p1")).status == 0

            await until(lambda: people.found.get("p1") == people.expected["p1"], "the newest is there")
            await until(lambda: people.found.get("p5") == people.expected["p5"], "the newest is there")
