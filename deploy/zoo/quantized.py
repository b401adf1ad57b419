"""Quantizes a network that was built by name, and says what its figures are good for."""

from __future__ import annotations

from collections.abc import Callable

from deploy.quantizing import dataset
from deploy.quantizing.quantization import AGREEMENT_SAMPLES, IO_TYPES, Quantized, quantize
from deploy.zoo.calibration import calibration
from deploy.zoo.networks import Network, settle

_SETTLE_IMAGES = 4


def quantize_network(
    network: Network,
    *,
    data: str | None = None,
    samples: int | None = None,
    io: str = IO_TYPES[0],
    verbose: bool = False,
    compare: int | None = None,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Quantized:
    """Quantize a network; one with random weights after its batch normalization has seen data.

    Args:
        network: built; its model is changed when its weights are random.
        data: calibration data as ``--calibration`` names it; None for the project's own, or random images.
        samples: how many to use at most; None for a default.
        io: ``uint8`` or ``int8``.
        verbose: let TensorFlow print.
        compare: on how many samples float and quantized network are compared at most; None for a default.
        advance: called with (samples compared, samples to compare).

    Returns:
        The quantized network; the warnings of its document say what it is not good for.

    Raises:
        BadInputError: the data does not fit, or the network cannot be quantized.
        NotInstalledError: TensorFlow is missing, or the data set that a trained network needs.
    """
    from deploy.chatter import silenced
    from deploy.quantizing.float_model import freeze_keras

    with silenced(verbose=verbose):
        specs = freeze_keras(network.model, network.text, network.project.name).inputs
        found = calibration(network, specs, samples) if data is None else dataset.load(data, specs, samples)
        if not network.trained and len(specs) == 1:
            settle(network.model, found.arrays[specs[0].name][:_SETTLE_IMAGES])
        frozen = freeze_keras(network.model, network.text, network.project.name)
    return quantize(
        frozen,
        found,
        io=io,
        verbose=verbose,
        compare=(AGREEMENT_SAMPLES if network.trained else 1) if compare is None else compare,
        notes=_notes(network),
        advance=advance,
    )


def _notes(network: Network) -> tuple[str, ...]:
    if network.trained:
        return ()
    return (
        f"random weights ({network.project.name} brings no trained ones for these options): the figures are "
        "about time and memory, not about accuracy",
    )
