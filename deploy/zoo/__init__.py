"""The model projects in ``deploy.models`` by name: described, built, trained, fed with data.

A model project is a package with a ``project.toml`` that says what it is and which of its functions do what; see
:mod:`deploy.zoo.project`. Finding and listing reads these files only: no project is imported, NumPy and TensorFlow
least of all. :mod:`deploy.zoo.training` trains a network, :mod:`deploy.zoo.cards` measures one for its card.

:mod:`deploy.zoo.model_source` says what else a user may name as a model, :mod:`deploy.zoo.quantized` quantizes
whatever is named.
"""

from deploy.assignments import assignments_of
from deploy.zoo.networks import Network, build, keras_file, network, settle, write_data
from deploy.zoo.project import (
    Measured,
    Pretrained,
    Project,
    find,
    function,
    import_layers,
    options,
    pretrained,
    projects,
)

__all__ = [
    "Measured",
    "Network",
    "Pretrained",
    "Project",
    "assignments_of",
    "build",
    "find",
    "function",
    "import_layers",
    "keras_file",
    "network",
    "options",
    "pretrained",
    "projects",
    "settle",
    "write_data",
]
