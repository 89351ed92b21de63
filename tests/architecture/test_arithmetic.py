"""Output sizes against a window that is really moved, and against Keras' own functions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.architecture.arithmetic import elements, padded, positions, same_padding, slide

SIZES, WINDOWS, STRIDES = st.integers(1, 80), st.integers(1, 12), st.integers(1, 9)


def moved(size, window, stride):
    """How often a window can be put down inside an axis, one position after the other."""
    return len([start for start in range(0, size, stride) if start + window <= size])


@settings(max_examples=300)
@given(SIZES, WINDOWS, STRIDES)
def test_valid_padding_counts_the_positions_of_a_moved_window(size, window, stride):
    assert max(slide(size, window, stride, "valid"), 0) == moved(size, window, stride)


@settings(max_examples=300)
@given(SIZES, WINDOWS, STRIDES)
def test_same_padding_has_just_enough_zeros_for_ceil_size_by_stride_positions(size, window, stride):
    before, after = same_padding(size, window, stride)
    wanted = -(-size // stride)
    assert slide(size, window, stride, "same") == wanted
    assert moved(size + before + after, window, stride) >= wanted
    assert after - before in (0, 1)
    if before + after:
        assert moved(size + before + after - 1, window, stride) < wanted


@settings(max_examples=200)
@given(SIZES, WINDOWS, STRIDES, st.integers(0, 6))
def test_positions_with_zeros_are_positions_on_a_longer_axis(size, window, stride, pad):
    assert max(positions(size, window, stride, pad), 0) == moved(size + pad, window, stride)


@settings(max_examples=300, deadline=None)
@given(
    st.tuples(SIZES, SIZES),
    st.tuples(WINDOWS, WINDOWS),
    st.tuples(STRIDES, STRIDES),
    st.sampled_from(["same", "valid"]),
)
def test_sizes_equal_keras_own_function(size, window, stride, padding):
    from keras.src.ops.operation_utils import compute_conv_output_shape

    ours = [slide(*axis, padding) for axis in zip(size, window, stride, strict=True)]
    if min(ours) < 1:
        with pytest.raises(ValueError, match="zero or negative"):
            compute_conv_output_shape((1, *size, 3), 7, window, stride, padding, "channels_last")
    else:
        theirs = compute_conv_output_shape((1, *size, 3), 7, window, stride, padding, "channels_last")
        assert theirs == (1, *ours, 7)


def test_padded_chooses_by_the_padding():
    assert padded(7, 3, 2, "valid") == (0, 0)
    assert padded(7, 3, 2, "same") == (1, 1)
    assert padded(8, 3, 2, "same") == (0, 1)


def test_elements_by_hand():
    assert elements((4, 5, 6)) == 120
    assert elements((7,)) == 7
