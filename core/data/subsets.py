"""The subsets that a dataset is divided into."""

SUBSETS = ("training", "validation", "test")
TRAINING, VALIDATION, TEST = range(3)

NO_SUBSET = -1
"""In place of a subset: the dataset has none for this photo, or the photo is not used."""
