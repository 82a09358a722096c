"""Sentences about a dataset, safe as Markdown."""

from core.data import summary
from core.data.dataset import Dataset
from pages.components.shared import markdown


def describe_split(dataset: Dataset) -> str:
    """Where the split comes from."""
    return markdown.escape(summary.split_in_words(dataset))


def describe_rows_without_photo(dataset: Dataset) -> str:
    """How many rows of the table of labels name photos that are not there; empty for none."""
    return markdown.escape(summary.rows_without_photo(dataset))
