"""The inputs of a model, float or quantized, as far as data for them goes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from deploy.data.first_operators import prepared_range
from deploy.data.image_range import ImageRange, usual_range
from deploy.data.quantized import is_quantized, real_range
from deploy.errors import BadInputError
from deploy.tflite import Model, Quantization, Tensor

IMAGE_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class InputSpec:
    """An input of the model that the data is for.

    Attributes:
        name: what arrays are matched by.
        shape: of one inference, the batch of 1 included: (1, 28, 28, 1).
        dtype: NumPy name.
        quantization: of a quantized model's input, which takes real values, too.
        prepares: the range of pixels for which the model's own first steps are made, where it shows that.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None
    prepares: ImageRange | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype}{list(self.shape)}"

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Of one sample: without the batch of 1."""
        return self.shape[1:] if self.shape[:1] == (1,) else self.shape

    @property
    def sample_bytes(self) -> int:
        """Of one sample."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def takes_reals(self) -> bool:
        """Whether real values make sense for it: it is float, or quantized."""
        return np.dtype(self.dtype).kind == "f" or is_quantized(self)

    @property
    def takes_images(self) -> bool:
        """Whether it has the shape of a picture, and takes real values."""
        return len(self.shape) == 4 and self.shape[0] == 1 and self.shape[3] in IMAGE_CHANNELS and self.takes_reals

    def image_range(self, source: str) -> ImageRange | None:
        """What pixels are scaled to for it; None where nothing shows that, or that it is 0..1 or -1..1.

        Args:
            source: of the data, for errors.

        Raises:
            BadInputError: it was quantized for a range that is none of the usual ones of pictures.
        """
        held = real_range(self)
        if self.prepares is not None or held is None:
            return self.prepares
        # 16 bits are symmetric around zero, whatever the data was.
        symmetric = np.dtype(self.dtype).itemsize > 1
        found = usual_range(*held, symmetric=symmetric)
        if found is None and not (symmetric and usual_range(0, held[1]) is not None):
            low, high = held
            raise BadInputError(
                f"{source}: input {self.name} takes {low:.4g} to {high:.4g}: what are pixels scaled to for it?",
                hints=["--image-range 0..1, -1..1, 0..255 or another, as in training", "or FILE.py:function"],
            )
        return found


def specs_of(model: Model) -> tuple[InputSpec, ...]:
    """The inputs of a TFLite model, in the file's order."""
    return tuple(_spec(name, model.tensors[index], model) for index, name in model.input_names().items())


def _spec(name: str, tensor: Tensor, model: Model) -> InputSpec:
    prepares = prepared_range(tensor, model)
    return InputSpec(name, tensor.shape, tensor.dtype, tensor.quantization, prepares)


def listed(specs: tuple[InputSpec, ...]) -> str:
    """All of them, in words."""
    return ", ".join(str(spec) for spec in specs)
