"""A run's network with the weights of its best model, built from our own table; needs TensorFlow."""

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from core.errors import RunNotReady
from core.language import tr
from core.models.backbones import backbone
from core.models.build import build_model
from core.recipe.run_recipe import read_recipe
from core.runs.store import Run

PHOTOS, PROBABILITIES = "photos", "probabilities"
"""What the input and the output of exported models are called, where the format has names."""


def trained_network(run: Run) -> keras.Model:
    """Build the network that a run's recipe names, and load the best weights into it.

    Of the file nothing but arrays is read, so nothing in it can be executed. Raises `RunNotReady` where there is none.
    """
    if not run.best_file.exists():
        raise RunNotReady(tr("The run {run} has no model yet. Wait until it has ended.", run=run.id))
    recipe = read_recipe(run)
    model = build_model(backbone(recipe.backbone), recipe.head, len(run.class_names()), None)
    model.load_weights(run.best_file)
    return model


def frozen(model: keras.Model, batch: int | None = None) -> tf.types.experimental.ConcreteFunction:
    """The function from photos `(batch, S, S, 3)` to probabilities, with all that it knows as constants.

    Without this, what normalises photos in some networks, captured as tensors and not as variables, becomes further
    inputs of converted models.
    """
    spec = tf.TensorSpec([batch, *model.input.shape[1:]], tf.float32, name=PHOTOS)
    traced = tf.function(lambda photos: tf.identity(model(photos, training=False), PROBABILITIES))
    return convert_variables_to_constants_v2(traced.get_concrete_function(spec))
