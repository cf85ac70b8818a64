"""Rounds added up are what one long trial would have measured."""

import random
from dataclasses import replace
from typing import Any

import pytest

from tests.tools import driven, sample
from tools import experiment, measures
from tools.histogram import decode
from tools.pooling import pooled
from tools.results import Trial
from tools.trial_specs import trials
from tools.verify import parts, sums

ROUNDS = 3


@pytest.fixture
def rounds() -> list[Trial]:
    asked = experiment.parse(driven.STREAMED, "experiment.yaml")
    return [driven.trial(asked, wanted, 1.0, random.Random(str(wanted.id))) for wanted in trials(asked)]


def test_every_number_of_rounds_together_follows_from_their_own_raw_data(rounds: list[Trial]) -> None:
    whole = pooled(rounds).result
    # Clients of each round are clients of their own; their mean number is shown.
    wrong = [line for line in (*sums.wrong(whole), *parts.wrong(whole)) if not line.startswith("clients.jain")]
    assert wrong == []


def test_each_kind_of_call_has_the_calls_of_all_rounds(rounds: list[Trial]) -> None:
    kinds = pooled(rounds).result["kinds"]
    assert list(kinds) == ["light", "heavy"]
    for name, kind in kinds.items():
        of_rounds = [trial.result["kinds"][name] for trial in rounds]
        assert kind["calls"]["ok"] == sum(each["calls"]["ok"] for each in of_rounds)
        assert decode(kind["latency_ns"]["histogram"]).get_total_count() == kind["calls"]["ok"]
        assert kind["latency_ns"]["max"] == max(each["latency_ns"]["max"] for each in of_rounds)


def test_slices_of_all_rounds_follow_one_another(rounds: list[Trial]) -> None:
    slices = pooled(rounds).result["slices"]
    assert slices == [one for trial in rounds for one in trial.result["slices"]]


def test_streams_have_the_messages_of_all_rounds(rounds: list[Trial]) -> None:
    stream = pooled(rounds).result["stream"]
    assert stream["messages"] == sum(trial.result["stream"]["messages"] for trial in rounds)
    assert stream["messages"] == stream["first_message_ns"]["count"] + stream["gap_ns"]["count"]


def made(number: int, **changes: Any) -> Trial:
    one = sample.trial("reactor", 10, number)
    parts_ = {part: {**one.result[part], **change} for part, change in changes.items()}
    return replace(one, result={**one.result, **parts_})


@pytest.mark.parametrize(
    ("key", "of_rounds", "whole"),
    [
        ("within_deadline", [5, 6, 7], 18),
        ("within_deadline", [None, None, None], None),
        ("answered_by_tenth", [[1] * 10, [2] * 10, [3] * 10], [6] * 10),
        ("connections", [10, 10, 7], 9),
        ("in_flight", [4, 9, 2], 9),
        ("start_spread_ns", [0, 70, 20], 70),
    ],
)
def test_what_counts_is_added_and_what_is_a_level_is_not(key: str, of_rounds: list[Any], whole: Any) -> None:
    rounds = [made(number, got={key: value}) for number, value in enumerate(of_rounds, 1)]
    assert pooled(rounds).result["got"][key] == whole


def test_a_client_without_an_answer_in_one_round_is_one_of_all_rounds() -> None:
    served = [10, 10, 4]
    rounds = [made(number, clients=sample.clients(10, each, 1000)) for number, each in enumerate(served, 1)]
    whole = pooled(rounds)
    assert measures.clients_served(whole) == (8, 10)
    jain = measures.jain(whole)
    assert jain is not None
    assert jain < 0.95
    assert measures.longest_wait_ns(whole) == int(sample.DURATION_S * 1e9)
