"""Trains FeatherFace V1 on synthetic scenes of 128x128 pixels: :mod:`deploy.models.face_detection.training`."""

from deploy.models.datasets.face_data import TRAINED_SIZE, training_scene
from deploy.models.face_detection.training import trainer
from deploy.models.featherface_v1.builder import Options, build

train = trainer(Options, build, training_scene, TRAINED_SIZE)
