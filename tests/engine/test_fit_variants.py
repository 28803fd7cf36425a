"""The benchmark's variants replace what is there: a name that has moved would measure nothing."""

from __future__ import annotations

import pytest

from engine.api.settings import RGBAvatarSettings
from tests.fit_variants import VARIANTS, Variant


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_what_a_variant_changes_exists(variant: Variant) -> None:
    assert set(variant.settings) <= set(vars(RGBAvatarSettings()))
    with variant.in_force():
        pass
