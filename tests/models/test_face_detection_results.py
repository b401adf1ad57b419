"""What the card of the trained face detector claims, and that measuring again gives it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy import zoo
from deploy.build_folder import sha256_of_file
from deploy.errors import BadInputError
from deploy.models.datasets import face_data
from deploy.models.face_detection import accuracy, evaluation
from deploy.models.face_detection.evaluation import PICTURE_FILE, RESULTS_FILE, DetectionResults
from deploy.zoo.card_results import CARD_FILE

PROJECT = zoo.find("featherface-v1")
FOLDER = Path(str(PROJECT.folder))


@pytest.fixture(scope="module")
def results() -> DetectionResults:
    return DetectionResults.model_validate_json((FOLDER / RESULTS_FILE).read_text(encoding="utf-8"))


def test_the_cards_section_is_that_of_the_results(results: DetectionResults) -> None:
    card = (FOLDER / CARD_FILE).read_text(encoding="utf-8")
    assert evaluation.into_card(card, results) == card
    assert evaluation.into_card(card, results.model_copy(update={"target_mismatches": 7})) != card
    with pytest.raises(BadInputError, match="are missing"):
        evaluation.into_card("# A card\n", results)


def test_the_results_belong_to_the_weights_and_the_picture_is_there(results: DetectionResults) -> None:
    assert results.weights_sha256 == sha256_of_file(FOLDER / PROJECT.pretrained[0].weights)
    assert (FOLDER / PICTURE_FILE).stat().st_size < 300_000


def test_on_target_the_detector_finds_what_the_float_network_finds(results: DetectionResults) -> None:
    assert results.images >= 200
    assert results.target_mismatches == results.machine_mismatches == 0
    assert results.machine_images > 0
    assert results.float_mean_overlap >= 0.9
    by_name = {row.network: row for row in results.networks}
    quantized, target = by_name["quantized"], by_name["on target"]
    assert (quantized.found, quantized.wrong) == (target.found, target.wrong)
    assert by_name["float"].average_precision - target.average_precision <= 0.03
    assert results.float_matched >= 0.9 * by_name["float"].found


@pytest.mark.slow
@pytest.mark.tensorflow
def test_measuring_some_scenes_again_gives_equal_boxes_on_target(tmp_path: Path) -> None:
    subject = evaluation.detector(PROJECT.name, tmp_path / "build", face_data.TRAINED_SIZE)
    images = np.stack([scene.image for scene in face_data.test_scenes(24)])
    answers = subject.answers(images)
    reference, target = answers["quantized"], answers["on target"]
    assert all((target[name] == reference[name]).all() for name in reference)
    floats = subject.faces(answers["float"], integers=False, min_score=0.5)
    found = subject.faces(target, integers=True, min_score=0.5)
    assert sum(map(len, found)) > 10
    assert accuracy.agreement(found, floats).mean_overlap >= 0.9
