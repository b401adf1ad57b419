"""Opens a labelled set, whatever form it comes in: ``.npz``, class folders of images, ``FILE.py:function``."""

from __future__ import annotations

from pathlib import Path

from deploy import user_function
from deploy.errors import BadInputError
from deploy.evaluating.array_rows import open_arrays
from deploy.evaluating.class_folders import class_folders
from deploy.evaluating.labelled_arrays import labelled_arrays
from deploy.evaluating.labelled_data import LabelledData, Request
from deploy.evaluating.model_inputs import InputForms
from deploy.evaluating.user_samples import user_samples
from deploy.tflite import Model


def load(request: Request, model: Model) -> LabelledData:
    """Open a labelled set for a model.

    Raises:
        BadInputError: there is no such data, or it does not fit the model.
    """
    forms = InputForms(model, request.source)
    if user_function.is_reference(request.source):
        return user_samples(request, forms)
    path = Path(request.source)
    if path.is_dir():
        return class_folders(request, forms, model)
    if not path.exists():
        raise BadInputError(
            f"{request.source}: no such file or folder",
            hints=["labelled data: .npz, a folder with a folder of images per class, or FILE.py:function"],
        )
    return labelled_arrays(request, forms, lambda: open_arrays(path))
