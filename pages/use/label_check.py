"""Are the labels right? Of a whole dataset, or of photos for which somebody claims a label."""

from pages.components import inputs, label_check_dataset

inputs.page_head("Label check", "Are the labels right? See which photos are probably in the wrong class, and decide.")
label_check_dataset.show()
