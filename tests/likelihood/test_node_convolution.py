"""Images at nodes inside of pixels: against sums of direct convolutions, and the exposure there as a few maps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import convolve2d

from gm.arrays import Array
from gm.likelihood.maps.folding.node_convolution import MixedImages, NodeConvolver, NodeImages, OwnImages
from gm.likelihood.maps.folding.node_exposure import NodeExposure
from gm.models.spatial.pixel_shares import PixelNodes

N_NODES, N_KERNELS, SHAPE = 4, 5, (17, 20)
SUPPORT = slice(3, 12), slice(5, 19)
RANDOM = np.random.default_rng(3)
KERNELS = RANDOM.random((N_NODES, N_KERNELS, 9, 9))
KERNELS[:, 2:, :3] = KERNELS[:, 2:, 6:] = KERNELS[:, 2:, :, :3] = KERNELS[:, 2:, :, 6:] = 0.0  # narrower ones
MIXING = RANDOM.random((N_KERNELS, 2))
IMAGES = RANDOM.random((2, N_NODES, 9, 14))


def slow(images: Array) -> Array:
    """(n_kernels, *SHAPE) from images (n_kernels, n_nodes, *support)."""
    folded = np.zeros((N_KERNELS, *SHAPE))
    for k in range(N_KERNELS):
        for j in range(N_NODES):
            whole = np.zeros(SHAPE)
            whole[SUPPORT] = images[k, j]
            folded[k] += convolve2d(whole, KERNELS[j, k], mode="same")
    return folded


def fold(images: NodeImages, room: float = 1e9) -> Array:
    folded = np.zeros((N_KERNELS, *SHAPE))
    for piece in NodeConvolver(KERNELS, SHAPE, SUPPORT, room=room).fold_in_pieces(images):
        for k, one in piece:
            folded[k] = one
    return folded


@pytest.mark.parametrize("room", [0.0, 1e9])
def test_folded_images_are_sums_of_direct_convolutions(room: float) -> None:
    """Whether transforms of kernels are kept or not."""
    each = np.tensordot(MIXING, IMAGES, axes=1)
    expected = slow(each)
    for images in (MixedImages(IMAGES, MIXING), OwnImages(lambda kernels: each[kernels])):
        np.testing.assert_allclose(fold(images, room), expected, rtol=0, atol=1e-12 * expected.max())


def test_what_is_sent_back_is_the_adjoint() -> None:
    weights = RANDOM.normal(size=(N_KERNELS, *SHAPE))
    each = np.tensordot(MIXING, IMAGES, axes=1)
    forward = np.sum(weights * fold(MixedImages(IMAGES, MIXING)))
    convolver = NodeConvolver(KERNELS, SHAPE, SUPPORT)
    assert np.sum(convolver.send_back(weights, MIXING) * IMAGES) == pytest.approx(forward, rel=1e-12)
    pieces = (piece() for piece in convolver.send_back_in_pieces(weights))
    assert sum(np.sum(back * each[k]) for k, back in pieces) == pytest.approx(forward, rel=1e-12)


def test_some_of_the_kernels_without_room_for_their_transforms_are_the_same() -> None:
    chosen = np.array([0, len(KERNELS[0]) - 1])
    images = MixedImages(IMAGES, MIXING[chosen])
    kept = NodeConvolver(np.ascontiguousarray(KERNELS[:, chosen]), SHAPE, SUPPORT)
    made = NodeConvolver(KERNELS, SHAPE, SUPPORT, chosen, room=0.0)
    ours, theirs = (
        {k: folded.copy() for piece in convolver.fold_in_pieces(images) for k, folded in piece}
        for convolver in (kept, made)
    )
    assert ours.keys() == theirs.keys() == {0, 1}
    for k in ours:
        np.testing.assert_array_equal(ours[k], theirs[k])


@pytest.mark.parametrize("rank", [2, 6])
def test_exposures_that_are_alike_are_a_few_maps(rank: int) -> None:
    """6 of 6 are as many as there are; single precision at the nodes, linear between pixel centres."""
    exposure = (
        (RANDOM.random((6, rank)) @ RANDOM.random((rank, SHAPE[0] * SHAPE[1]))).reshape(6, *SHAPE).astype(np.float32)
    )
    nodes = PixelNodes(2)
    found = NodeExposure.of(exposure, nodes, SUPPORT)
    assert (found.mixing is None) == (rank == 6) == np.shares_memory(found.stored, exposure)
    assert found.maps().shape == (rank, *found.shape)
    y, x = SUPPORT[0].start + 1, SUPPORT[1].start + 1
    at = exposure[:, y - 1 : y + 2, x - 1 : x + 2]
    for j, (t, u) in enumerate(zip(nodes.x, nodes.y, strict=True)):
        along = (1 - abs(t)) * at[:, :, 1] + abs(t) * at[:, :, 1 + int(np.sign(t))]
        expected = (1 - abs(u)) * along[:, 1] + abs(u) * along[:, 1 + int(np.sign(u))]
        np.testing.assert_allclose(found.of_energies(slice(None))[:, j, 1, 1], expected, rtol=2e-6)
