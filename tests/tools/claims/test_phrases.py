"""An experiment in plain words."""

import pytest

from tools import experiment
from tools.claims import phrases

LOADS = [
    ("connections: 1", "1 connection, each with 1 call at a time, for 5 s after 1 s"),
    ("connections: [1, 100]\nstreams: 4", "1 or 100 connections, each with 4 calls at a time, for 5 s after 1 s"),
    (
        "connections: 20\nrate_rps: 400\narrival: poisson\nidle: [0, 200, 4000]",
        "400 calls/s over 20 connections, Poisson, beside 0, 200 or 4,000 idle ones, for 5 s after 1 s",
    ),
    (
        "connections: 20\nrate_of_capacity: [1, 3]\ndeadline_s: 0.25\nwarmup_s: 0",
        "1 or 3 times what the arm can serve over 20 connections, an answer counts within 250 ms, for 5 s",
    ),
    (
        "connections: 2\ncalls_per_connection: 1\nmethod: RunStream\nblocks: 2",
        "2 connections, each with 1 call at a time, a new connection after 1 call, replies are streams, "
        "for 5 s after 1 s, 2 times in turn",
    ),
]
PLANS = [
    ("{}", "answer at once"),
    ("{payload_bytes: 262144}", "carry 256 KiB"),
    ("{steps: [{compute: {rounds: 500}}]}", "compute 500 rounds"),
    ("{steps: [{compute: {rounds: 5, engine: ENGINE_NATIVE}}]}", "compute 5 rounds in OpenSSL"),
    (
        "{steps: [{call: {delay_us: 5000}}, {touch: {working_set_kib: 4}}]}",
        "wait 5 ms for the backend, read 4 KiB of memory",
    ),
    ("{steps: [{sleep: {}}, {block: {duration_us: 9}}, {sleep: {}}]}", "2 times give way, block for 9 µs"),
    ("{steps: [{sleep: {duration_us: 9}}]}", "sleep 9 µs"),
    ("{steps: [{transfer: {to_account: 1, yields: 1}}]}", "transfer money, giving way 1 time in between"),
]
ARMS = [
    ("{model: reactor}", "reactor"),
    ("{model: thread_pool, options: {threads_per_cpu: 16}, cpus: 2}", "thread_pool with threads per cpu 16, on 2 CPUs"),
    (
        "{model: reactor, python: free_threaded, environment: {PYTHON_GIL: '1'}}",
        "reactor, on a free-threaded interpreter, PYTHON_GIL=1",
    ),
    (
        "{model: reactor, mix: {short: {share: 3}, long: {share: 1}}}",
        "reactor, calls of its own: 75 % short: answer at once; 25 % long: answer at once",
    ),
]


def asked(text: str) -> experiment.Experiment:
    return experiment.parse(f"title: Why?\n{text}", "why.yaml")


@pytest.mark.parametrize(("load", "words"), LOADS)
def test_loads(load: str, words: str) -> None:
    assert phrases.load(asked(f"models: [reactor]\nplan: {{}}\n{load}\n")) == words


@pytest.mark.parametrize(("plan", "words"), PLANS)
def test_calls(plan: str, words: str) -> None:
    assert phrases.calls(asked(f"models: [reactor]\nconnections: 1\nplan: {plan}\n")) == words


@pytest.mark.parametrize(("arm", "words"), ARMS)
def test_arms(arm: str, words: str) -> None:
    assert phrases.arm(asked(f"arms: {{loop: {arm}}}\nconnections: 1\nplan: {{}}\n"), "loop") == words
