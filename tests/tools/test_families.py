"""The table of families has every model."""

from services.models import MODELS
from tools.families import FAMILIES, OTHER, family, grouped


def test_every_model_has_one_family() -> None:
    listed = [model for models in FAMILIES.values() for model in models]
    assert sorted(listed) == sorted(model.name for model in MODELS.values())


def test_a_model_that_is_not_listed_is_other() -> None:
    assert family("coroutine_pool") == OTHER


def test_arms_are_grouped_in_the_order_of_the_families() -> None:
    families = {"patched": "loops", "thread_pool": "threads", "reactor": "loops"}
    assert list(grouped(families).items()) == [("threads", ["thread_pool"]), ("loops", ["patched", "reactor"])]
