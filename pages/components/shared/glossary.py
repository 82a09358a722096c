"""Words of the field that stand on the screen, each in a sentence for somebody who has not met it before."""

from collections.abc import Mapping

from core.language import Text, tr, tr_mark

BLOCK, LOGIT, PROBE = "Block", "Logit", "Linear probe"

MEANINGS: Mapping[str, str] = {
    "After temperature scaling": tr_mark(
        "The same error once all confidences have been raised or lowered together so that they fit the validation"
        " photos. It changes no answer."
    ),
    BLOCK: tr_mark(
        "A network is a row of blocks. The first see edges and colours, the last see whole things. Blocks that are"
        " frozen stay as they were pretrained; the others learn from your photos."
    ),
    "Embedding": tr_mark(
        "What the model makes of a photo before it answers: some hundred numbers. Photos with similar ones look alike"
        " to it."
    ),
    "Expected calibration error": tr_mark(
        "How far its percentages are from the truth, on average: 0 % would be perfect."
    ),
    "Epoch": tr_mark("Once through all training photos."),
    "Head": tr_mark(
        "The last layer: it turns what the network has seen into one of your classes, and is always learned anew."
    ),
    "ImageNet top-1": tr_mark(
        "How often its first answer was right on the photos of ImageNet, 1,000 classes, as published."
    ),
    "Learning rate": tr_mark(
        "How large the steps are in which the network changes. Too large and it jumps, too small and it crawls."
    ),
    PROBE: tr_mark(
        "A quick test before training: a simple classifier on what the pretrained network already sees. Training should"
        " become better than that."
    ),
    LOGIT: tr_mark(
        "A logit is the score of a class from which its probability follows: one more makes the class 2.7 times as"
        " probable in relation to the others."
    ),
    "Loss": tr_mark(
        "How wrong the answers are, counting how sure the network is of them: lower is better. It is what training"
        " reduces."
    ),
    "Parameters": tr_mark(
        "The numbers of the network, without its old head, which is replaced by one for your classes."
    ),
    "Resolution": tr_mark("Photos are cut square and brought to so many pixels a side before the network sees them."),
    "Test accuracy": tr_mark(
        "The share of right answers on photos that were held back until the end: the honest result."
    ),
    "Best validation accuracy": tr_mark(
        "The share of right answers on the validation photos after the best epoch. They chose that epoch, so the test"
        " is a little more honest."
    ),
}
"""By the word as it stands on an English screen, with a capital; plain text, which can go into HTML, too."""


def meaning(word: str) -> str | None:
    """What a word, in any language if it is a `Text`, means, for `help=`; None for one that needs no explanation."""
    found = MEANINGS.get(word.message if isinstance(word, Text) else word)
    return found and tr(found)
