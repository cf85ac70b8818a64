"""The table of families has every model."""

from services.models import MODELS
from tools.families import FAMILIES, OTHER, family


def test_every_model_has_one_family() -> None:
    listed = [model for models in FAMILIES.values() for model in models]
    assert sorted(listed) == sorted(model.name for model in MODELS.values())


def test_options_do_not_change_the_family() -> None:
    assert family("thread_pool threads_per_cpu=8") == "threads"


def test_a_model_that_is_not_listed_is_other() -> None:
    assert family("coroutine_pool") == OTHER
