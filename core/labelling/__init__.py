"""Labelling a heap of photos: which labels teach most, what a linear head already knows, and labels that spread."""
