"""Every generated part of a document is what would be generated today."""

import pytest

from services.models import MODELS
from tests.documents import models
from tests.documents.captions import LABELS, caption
from tests.documents.generated import GENERATED, STALE, current


@pytest.mark.parametrize("document", GENERATED)
def test_a_generated_part_is_that_of_the_code(document: str) -> None:
    text = current(document)
    assert GENERATED[document](text) == text, f"{document} {STALE}"


def test_a_models_own_words_need_no_escape() -> None:
    assert models.unescaped() == []


@pytest.mark.parametrize("model", MODELS)
def test_a_model_has_a_picture_and_states_who_waits(model: str) -> None:
    found = caption(model)
    assert found.picture
    assert tuple(found.about) == LABELS
