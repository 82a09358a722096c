"""Unfreeze from a terminal: `unfreeze train`, `unfreeze runs` and the like, over the same core as the pages."""
