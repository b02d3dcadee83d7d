import numpy as np
import pytest

from analysis.multiplicity import benjamini_hochberg, holm

P_VALUES = [0.01, 0.04, 0.03, 0.005, 0.2]


def test_holm_matches_r():
    # p.adjust(c(0.01, 0.04, 0.03, 0.005, 0.2), "holm")
    assert holm(P_VALUES) == pytest.approx([0.040, 0.090, 0.090, 0.025, 0.200])


def test_benjamini_hochberg_matches_r():
    # p.adjust(c(0.01, 0.04, 0.03, 0.005, 0.2), "BH")
    assert benjamini_hochberg(P_VALUES) == pytest.approx([0.025, 0.050, 0.050, 0.025, 0.200])


def test_a_single_test_is_left_as_it_is():
    assert holm([0.03]) == pytest.approx([0.03])
    assert benjamini_hochberg([0.03]) == pytest.approx([0.03])


@pytest.mark.parametrize("p_values", [[0.1, np.nan], [1.2], [-0.1]])
def test_impossible_p_values_are_rejected(p_values):
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm(p_values)
