"""The roofline model: how long a network takes, layer by layer, without compiling it.

- :func:`layers` reads a quantized model;
- :func:`sweep` is the plain roofline over many machines, for hardware-independent comparisons;
- :func:`estimate` is the one for an Ethos-U, with a term for every kind of operator.
"""

from deploy.roofline.ethos_u import LayerEstimate, NetworkEstimate, estimate
from deploy.roofline.layer import Layer, layers
from deploy.roofline.plain import layer_time, model_time, sweep

__all__ = ["Layer", "LayerEstimate", "NetworkEstimate", "estimate", "layer_time", "layers", "model_time", "sweep"]
