"""Cutting a serial at its separators is only a faster way to the groups that its pattern captures."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.serials import GRAMMARS
from gateway.model.serials.columnar import _CUTS, _captured
from tests.unit.test_serials_columnar import mutated, shaped
from tests.unit.test_serials_grammars import EXAMPLES, NEAR_MISSES


def check(registry: str, texts: list[str | None]) -> None:
    (form,) = GRAMMARS[registry].forms
    frame = pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)})
    cut, captured = (
        frame.select(way(form, pl.col("text")).alias("groups")).unnest("groups") for way in (_CUTS[registry], _captured)
    )
    assert set(cut.columns) == set(captured.columns) == form.groups
    assert cut.select(captured.columns).equals(captured)


@pytest.mark.parametrize("registry", sorted(_CUTS))
def test_the_known_texts_are_cut_as_they_are_captured(registry: str) -> None:
    check(registry, [None, "", *(text for _, text, *_ in (*EXAMPLES, *NEAR_MISSES))])
    check(registry, [])


@pytest.mark.parametrize("registry", sorted(_CUTS))
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_text_is_cut_as_it_is_captured(registry: str, data: st.DataObject) -> None:
    texts = st.one_of(st.none(), shaped(registry), shaped(registry), mutated(registry))
    check(registry, data.draw(st.lists(texts, max_size=20)))
