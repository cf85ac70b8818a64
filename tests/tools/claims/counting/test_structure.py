"""What models are made of is counted from their own counters, and one that answers otherwise is not overlooked."""

from tests.tools.claims.counting.few_models import PROGRAMS
from tools.claims.counting import COUNTINGS
from tools.claims.counting.answers import CallAnswer
from tools.claims.counting.structure import CLIENTS, compared


def test_each_model_that_this_machine_can_start_is_counted() -> None:
    counted = COUNTINGS["structure"].count(PROGRAMS)
    assert counted["starts"] == {
        "reactor": {"processes": 1, "threads": 1, "connections": CLIENTS, "stages": 0},
        "thread_per_connection": {"processes": 1, "threads": 1 + CLIENTS, "connections": CLIENTS, "stages": 0},
    }
    assert counted["not_here"] == 1
    assert counted["matrix"]["notes"]["preemptive_synchronous"] == 1
    assert counted["matrix"]["notes"]["cooperative_asynchronous"] == 0
    assert (counted["answers"]["starts"], counted["answers"]["sets"], counted["answers"]["others"]) == (2, 1, 0)


def test_a_start_with_another_answer_is_one_of_the_others() -> None:
    usual: CallAnswer = ("OK", ((1, 7, b""),))
    late: CallAnswer = ("DEADLINE_EXCEEDED", ())
    given = [{"echo": usual}, {"echo": usual}, {"echo": late}]
    assert compared(given) == {"starts": 3, "questions": 1, "sets": 2, "others": 1}
