"""Sentences about a dataset, safe as Markdown."""

from core.data.dataset import Dataset
from core.data.scan.folder import Scan
from core.data.subsets import SUBSETS
from pages.components.shared import markdown


def describe_split(dataset: Dataset) -> str:
    """Where the split comes from."""
    if not dataset.has_own_split and dataset.serial:
        names = ", ".join(f"“{markdown.escape(name)}”" for name in dataset.serial[:3])
        more = f" and {len(dataset.serial) - 3} more" if len(dataset.serial) > 3 else ""
        return (
            f"Nearly all photos of {names}{more} look alike, as if taken in one burst. They are split in the order of"
            " their file names, so the test accuracy will be too optimistic; more varied photos would help."
        )
    if not dataset.has_own_split:
        return "Split at random within each class. Copies and look-alikes stay together."
    brought = [name for number, name in enumerate(SUBSETS) if (dataset.given == number).any()]
    drawn = [name for name in SUBSETS if name not in brought]
    made = f" There is no {' and no '.join(drawn)} folder, so its photos are taken from training." if drawn else ""
    return f"The dataset has its own split ({', '.join(brought)}), which is kept.{made}"


def describe_rows_without_photo(scan: Scan) -> str:
    """How many rows of the table of labels name photos that are not there; empty for none."""
    count = len(scan.rows_without_photo)
    rows = "1 row of {} names a photo that is" if count == 1 else f"{count:,} rows of {{}} name photos that are"
    return f"{rows.format(markdown.escape(scan.layout.table))} not in the folder" if count else ""
