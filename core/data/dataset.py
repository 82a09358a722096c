"""A dataset ready to be trained on: what a scan found, what a person decided, and what is wrong with single photos."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.data import duplicates, quality
from core.data.class_names import OFFERED, find_class, similar_classes
from core.data.review import EXCLUDE, KEEP, RELABEL, Review
from core.data.scan.folder import ImageFolder, Scan
from core.data.scan.layout import BY_HAND
from core.data.scan.subset_folders import plain_name
from core.data.split import complete_subsets
from core.data.subsets import NO_SUBSET, SUBSETS, TEST, TRAINING, VALIDATION, subset_name
from core.errors import DataError
from core.language import placeholders, tr, tr_mark

SERIAL_SHARE = 0.7
"""Where one set of look-alikes is more than this share of a class, training alone could not hold it."""

LEAST_SERIAL = 10
"""Photos of a class below which its look-alikes are not divided; there is too little to gain."""

Sets = tuple[NDArray[np.intp], ...]


@dataclass(frozen=True)
class Kind:
    """A row of the table of findings.

    Attributes:
        key: Its name in code.
        title_message: Its name on the screen, in English.
        icon: Its picture on the screen, by its name in Material Symbols.
        means_message: Why it matters, in English, with the placeholders of `LIMITS`.
        done_message: What happens to these photos unless somebody decides otherwise, in English.
        sure: Whether it is a fault rather than a hint.
        together: Whether photos come in sets to be seen side by side, rather than one by one.
    """

    key: str
    title_message: str
    icon: str
    means_message: str
    done_message: str
    sure: bool = False
    together: bool = False

    @property
    def title(self) -> str:
        """Its name on the screen."""
        return tr(self.title_message)

    @property
    def means(self) -> str:
        """Why it matters."""
        return tr(self.means_message, **{name: LIMITS[name] for name in placeholders(self.means_message)})

    @property
    def done(self) -> str:
        """What happens to these photos unless somebody decides otherwise."""
        return tr(self.done_message)


LIMITS = {"pixels": str(quality.TINY_SIDE), "times": f"{quality.STRIP_RATIO:g}"}
"""What the texts of `KINDS` name."""

CONFLICT, LEAK, COPIES, ALIKE_CONFLICT, ALIKE = "conflict", "leak", "copies", "alike_conflict", "alike"
NEVER_LEARNED, SAME_NAME = "never_learned", "same_name"

KINDS: tuple[Kind, ...] = (
    Kind(
        NEVER_LEARNED,
        tr_mark("Classes without a training photo"),
        "label_off",
        tr_mark(
            "The dataset has its own split, and these classes are only in its validation or test set, perhaps because"
            " their names are written otherwise there. The model could never learn them."
        ),
        tr_mark("Their photos are not used until you join each class with the one that is meant."),
        sure=True,
        together=True,
    ),
    Kind(
        SAME_NAME,
        tr_mark("Classes with nearly the same name"),
        "difference",
        tr_mark("The names of these classes differ only in case, spaces, “-” or “_”."),
        tr_mark("They are used as different classes."),
        together=True,
    ),
    Kind(
        CONFLICT,
        tr_mark("The same photo in two classes"),
        "error",
        tr_mark("The same file is in more than one class, so at least one of the labels is wrong."),
        tr_mark("None of them is used until you choose the right class."),
        sure=True,
        together=True,
    ),
    Kind(
        LEAK,
        tr_mark("Shared between training and test"),
        "swap_horiz",
        tr_mark(
            "The dataset has its own split, and these photos, or nearly identical ones, are on both sides of it. The"
            " model would be tested on photos that it has seen in training."
        ),
        tr_mark("Only the photo in the test set, or else in the validation set, is used."),
        sure=True,
        together=True,
    ),
    Kind(
        COPIES,
        tr_mark("Exact copies"),
        "content_copy",
        tr_mark("The same file is in a class more than once, so it counts more than other photos."),
        tr_mark("All are used, always in the same subset."),
        sure=True,
        together=True,
    ),
    Kind(
        ALIKE_CONFLICT,
        tr_mark("Look-alikes in different classes"),
        "compare",
        tr_mark("These photos are nearly identical, but their labels differ. One of the labels may be wrong."),
        tr_mark("All are used, always in the same subset."),
        together=True,
    ),
    Kind(
        ALIKE,
        tr_mark("Look-alikes"),
        "burst_mode",
        tr_mark("These photos are nearly identical: resized, saved again, or taken in a burst."),
        tr_mark("All are used, always in the same subset."),
        together=True,
    ),
    Kind(
        quality.BLANK,
        tr_mark("Blank"),
        "check_box_outline_blank",
        tr_mark(
            "These photos are of one brightness all over: empty pages, a covered lens, or files whose pixels were lost."
        ),
        tr_mark("They are used as they are."),
    ),
    Kind(
        quality.BLURRED,
        tr_mark("Blurred"),
        "blur_on",
        tr_mark("These photos have no sharp edges."),
        tr_mark("They are used as they are."),
    ),
    Kind(
        quality.DARK,
        tr_mark("Very dark"),
        "dark_mode",
        tr_mark("These photos are so dark that little can be seen."),
        tr_mark("They are used as they are."),
    ),
    Kind(
        quality.TINY,
        tr_mark("Tiny"),
        "photo_size_select_small",
        tr_mark("The shorter side has fewer than {pixels} pixels, so the network sees only a few large blocks."),
        tr_mark("They are enlarged and used."),
    ),
    Kind(
        quality.STRIP,
        tr_mark("Very long or very tall"),
        "panorama_horizontal",
        tr_mark(
            "One side is more than {times} times as long as the other. The network sees the central"
            " square; the rest is cropped."
        ),
        tr_mark("The central square is used."),
    ),
    Kind(
        quality.ASSUMED,
        tr_mark("Pixels that can be read in more than one way"),
        "help",
        tr_mark(
            "These files leave open what their numbers mean: they use 8 to 15 of 16 bits, have a fourth band that"
            " does not look like transparency or a transparency that hides everything, or begin with a thumbnail."
        ),
        tr_mark(
            "Brightness is scaled to the bits that the file names, or else to 8, 10, 12, 14 or 16, whichever hold its"
            " largest value; the band or transparency is ignored, and the largest page is used. Check a few of them."
        ),
    ),
)


@dataclass(frozen=True, eq=False)
class Finding:
    """What was noticed about some photos.

    Attributes:
        kind: What it is.
        sets: Positions in the dataset's folder, a set for each group of photos that belong together; single photos are
            sets of one, worst first.
    """

    kind: Kind
    sets: Sets

    @property
    def count(self) -> int:
        """The number of sets."""
        return len(self.sets)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Photos with their classes, as they will be used. M is the number of photos that have a class and are used.

    Attributes:
        scan: What lies in the folder.
        review: What was decided about it.
        folder: The M photos, relabelled as was decided.
        members: Shape (M,): the position of each in the scan.
        given: Shape (M,), int8: position in `SUBSETS` where the dataset brings its own split, else -1.
        groups: Shape (M,), int64: photos with the same number stay on one side of the split: sets of look-alikes.
        serial: Classes whose photos are nearly all alike, as when a camera took them one after the other. They could
            not be divided at all if look-alikes stayed together, so they are cut into runs, in order of their paths.
        findings: What was noticed, in the order of `KINDS`; without those that are empty.
        withheld: Reason by position in the folder, for photos that are not used until somebody decides.
        lost: Photos that were decided about, but are gone or have become others, with the reason.
        unlabelled: Positions in the scan of photos that are to be labelled by hand, and have not been yet.
    """

    scan: Scan
    review: Review
    folder: ImageFolder
    members: NDArray[np.intp]
    given: NDArray[np.int8]
    groups: NDArray[np.int64]
    serial: tuple[str, ...]
    findings: tuple[Finding, ...]
    withheld: Mapping[int, str]
    lost: tuple[tuple[str, str], ...]
    unlabelled: NDArray[np.intp]

    @cached_property
    def token(self) -> str:
        """A short text that is the same for two datasets that are the same."""
        return hashlib.blake2b((self.scan.token + self.review.to_json()).encode(), digest_size=16).hexdigest()

    @property
    def by_hand(self) -> bool:
        """Whether its photos are labelled by hand."""
        return self.scan.layout.label_by == BY_HAND

    @property
    def has_own_split(self) -> bool:
        """Whether the folder is divided into train, val and test."""
        return bool((self.given != NO_SUBSET).any())

    def split(self, seed: int) -> NDArray[np.int8]:
        """Return the subset of each photo, shape (M,), int8, -1 for those that are withheld.

        Raises:
            DataError: Fewer than two classes are left, or too few photos.
        """
        usable = np.setdiff1d(np.arange(len(self.folder)), list(self.withheld))
        left = np.unique(self.folder.labels[usable])
        if len(left) < 2:
            names = ", ".join(self.folder.class_names[label] for label in left) or tr("no class")
            if self.by_hand:
                raise DataError(
                    tr(
                        "At least two classes are needed; the photos that are labelled so far have {classes}. Label"
                        " more of them on the page “Label”.",
                        classes=names,
                    )
                )
            raise DataError(
                tr(
                    "At least two classes are needed; your decisions leave {classes}. Undo some of them.",
                    classes=names,
                )
            )
        subsets = np.full(len(self.folder), NO_SUBSET, dtype=np.int8)
        subsets[usable] = complete_subsets(
            self.folder.labels[usable], self.given[usable], seed, groups=self.groups[usable]
        )
        return subsets

    def used(self, subsets: NDArray[np.int8], without: Sequence[str] = ()) -> tuple[ImageFolder, NDArray[np.int8]]:
        """Return the photos that have a subset, and their subsets; what a run is started with.

        Classes of which nothing is used are none.

        Args:
            subsets: The subset of each photo, shape (M,), as `split` gives it.
            without: Classes to leave out; names that no class has are passed over.

        Raises:
            DataError: Fewer than two classes are left.
        """
        off = [label for label, name in enumerate(self.folder.class_names) if name in without]
        chosen = (subsets != NO_SUBSET) & ~np.isin(self.folder.labels, off)
        left = np.unique(self.folder.labels[chosen])
        if off and len(left) < 2:
            names = ", ".join(self.folder.class_names[label] for label in left) or tr("no class")
            raise DataError(
                tr(
                    "At least two classes are needed; without those that are left out there is {classes}.",
                    classes=names,
                )
            )
        return _without_empty_classes(self.folder.subset(chosen)), subsets[chosen]

    def classes_to_join(self, finding: "Finding", group: NDArray[np.intp]) -> list[str]:
        """Return the classes that can be learned which the class of these photos may be, the most similar name first.

        Empty where the finding is not about classes.
        """
        if finding.kind.key not in (NEVER_LEARNED, SAME_NAME):
            return []
        label = int(self.folder.labels[group[0]])
        unknown = list(self.withheld) if finding.kind.key == NEVER_LEARNED else []
        known = np.unique(np.delete(self.folder.labels, unknown))
        others = [self.folder.class_names[other] for other in known if other != label]
        same = find_class(self.folder.class_names[label], others)
        near = similar_classes(self.folder.class_names[label], others)
        return [others[at] for at in dict.fromkeys([*([] if same is None else [same]), *near])]

    def classes_missing_beside(self, group: NDArray[np.intp]) -> list[str]:
        """Return the learned classes that have no photo in the subset of these photos, of which theirs may be one.

        Empty where they are more than could be chosen from at a glance.
        """
        beside = np.unique(self.folder.labels[self.given == self.given[group[0]]])
        learned = np.unique(self.folder.labels[self.given == TRAINING])
        missing = [self.folder.class_names[label] for label in np.setdiff1d(learned, beside)]
        return missing if len(missing) <= OFFERED else []

    def digest(self, position: int) -> str:
        """Return the digest of a photo of the folder, as decisions about it hold it."""
        digest: bytes = self.scan.digests[self.members[position]].tobytes()
        return digest.hex()

    @property
    def excluded_count(self) -> int:
        """The number of photos that somebody has excluded."""
        return len(self.scan.folder) - len(self.folder) - len(self.unlabelled)

    def excluded(self) -> list[str]:
        """Return the paths of photos that somebody has excluded."""
        used = np.concatenate([self.members, self.unlabelled])
        return [self.scan.folder.paths[i] for i in np.setdiff1d(np.arange(len(self.scan.folder)), used)]


def prepare(scan: Scan, review: Review) -> Dataset:
    """Apply the decisions to what was found, and look for problems of single photos."""
    labels, kept, settled, lost = _decided(scan, review)
    unlabelled = np.setdiff1d(np.flatnonzero(kept), list(labels)) if _by_hand(scan) else np.zeros(0, np.intp)
    kept[unlabelled] = False
    members = np.flatnonzero(kept)
    folder = _relabelled(scan.folder, labels, members)
    exact, near = scan.duplicates.exact[members], scan.duplicates.near[members]
    given, settled = scan.given[members], settled[members]
    found: dict[str, Sets] = {
        CONFLICT: tuple(duplicates.conflicts(exact, folder.labels)),
        LEAK: tuple(duplicates.leaks(near, given)),
        **_alike(exact, near, folder.labels, given),
        **_hints(scan, members),
    }
    found = {key: tuple(group for group in sets if not settled[group].all()) for key, sets in found.items()}
    withheld: dict[int, str] = {
        int(i): tr("the same photo is in several classes") for group in found[CONFLICT] for i in group
    }
    withheld |= {
        i: tr("a nearly identical photo is in the {part} set", part=subset_name(name))
        for i, name in _leaking(found[LEAK], given)
    }
    unknown = _never_learned(folder.labels, given, withheld)
    withheld |= {i: tr("its class has no training photo") for group in unknown for i in group.tolist()}
    found |= {NEVER_LEARNED: unknown, SAME_NAME: _of_one_name(folder, unknown, settled)}
    findings = tuple(Finding(kind, found[kind.key]) for kind in KINDS if found.get(kind.key))
    groups, serial = _groups_to_divide(exact, near, folder.labels)
    names = tuple(folder.class_names[label] for label in serial)
    return Dataset(scan, review, folder, members, given, groups, names, findings, withheld, tuple(lost), unlabelled)


def _by_hand(scan: Scan) -> bool:
    return scan.layout.label_by == BY_HAND


def _decided(
    scan: Scan, review: Review
) -> tuple[dict[int, str], NDArray[np.bool_], NDArray[np.bool_], list[tuple[str, str]]]:
    """Return new class names by position, which photos are kept, which were looked at and found right, and the lost."""
    labels: dict[int, str] = {}
    kept = np.ones(len(scan.folder), dtype=bool)
    settled = np.zeros(len(scan.folder), dtype=bool)
    lost: list[tuple[str, str]] = []
    standing, by_hand = review.standing(), review.labels_by_hand() if _by_hand(scan) else {}
    position = {path: i for i, path in enumerate(scan.folder.paths)} if standing else {}
    for path, decision in standing.items():
        i = position.get(path)
        if i is None:
            lost.append((path, tr("the photo is no longer there, or can no longer be read")))
        elif scan.digests[i].tobytes().hex() != decision.photos[path]:
            lost.append((path, tr("a different photo now has this name")))
        else:
            kept[i] = decision.action != EXCLUDE
            settled[i] = decision.action == KEEP
            labelled = by_hand.get(path, decision)  # “right as it is” leaves a label that was given by hand
            if labelled.action == RELABEL and labelled.photos[path] == decision.photos[path]:
                labels[i] = labelled.label
    return labels, kept, settled, lost


def _relabelled(folder: ImageFolder, labels: Mapping[int, str], members: NDArray[np.intp]) -> ImageFolder:
    """Return the photos at these positions under their new names; classes without photos are gone."""
    names = [labels.get(int(i), folder.class_names[folder.labels[i]]) for i in members]
    class_names = tuple(sorted(set(names)))
    label = {name: number for number, name in enumerate(class_names)}
    paths = tuple(folder.paths[i] for i in members)
    return ImageFolder(folder.root, class_names, paths, np.array([label[name] for name in names], dtype=np.int32))


def _alike(
    exact: NDArray[np.int64], near: NDArray[np.int64], labels: NDArray[np.int32], given: NDArray[np.int8]
) -> dict[str, Sets]:
    """Sort sets of copies and of look-alikes, but for those that leak, by whether their labels agree."""
    copies = [group for group in duplicates.sets_of(exact) if _agree(labels[group]) and _agree(given[group])]
    alike = [group for group in duplicates.sets_of(near) if len(np.unique(exact[group])) > 1 and _agree(given[group])]
    return {
        COPIES: tuple(copies),
        ALIKE_CONFLICT: tuple(group for group in alike if not _agree(labels[group])),
        ALIKE: tuple(group for group in alike if _agree(labels[group])),
    }


def _groups_to_divide(
    exact: NDArray[np.int64], near: NDArray[np.int64], labels: NDArray[np.int32]
) -> tuple[NDArray[np.int64], list[int]]:
    """Return the groups that stay together, and the classes where a set of look-alikes had to be cut into runs."""
    groups, serial = near.copy(), []
    for label in np.unique(labels).tolist():
        mine = np.flatnonzero(labels == label)
        sets, counts = np.unique(near[mine], return_counts=True)
        largest = mine[near[mine] == sets[counts.argmax()]]
        files = len(np.unique(exact[largest]))
        if len(mine) < LEAST_SERIAL or counts.max() <= SERIAL_SHARE * len(mine) or files < len(SUBSETS):
            continue
        serial.append(label)
        runs = _runs(exact[largest])
        groups[largest] = len(near) + len(SUBSETS) * near[largest] + runs
    return groups, serial


def _runs(exact: NDArray[np.int64]) -> NDArray[np.int64]:
    """Divide photos, in their order, into runs of 70, 10 and 20 %, none empty; identical files stay together."""
    order = {number: place for place, number in enumerate(dict.fromkeys(exact.tolist()))}
    place = np.array([order[number] for number in exact.tolist()])
    count = len(order)
    last = max(1, round(0.2 * count))
    middle = max(1, round(0.1 * count))
    runs: NDArray[np.int64] = np.digitize(place, [count - last - middle, count - last]).astype(np.int64)
    return runs


def _agree(values: NDArray[np.int32] | NDArray[np.int8]) -> bool:
    return len(np.unique(values)) == 1


def _hints(scan: Scan, members: NDArray[np.intp]) -> dict[str, Sets]:
    width, height = scan.sizes[members].T
    found = quality.hints(
        width,
        height,
        scan.fingerprints[members],
        scan.sharpness[members],
        scan.contrast[members],
        scan.assumed[members],
    )
    return {key: tuple(np.array([i]) for i in positions) for key, positions in found.items()}


def _leaking(sets: Iterable[NDArray[np.intp]], given: NDArray[np.int8]) -> list[tuple[int, str]]:
    """Return the photos of each set that must step back, with the subset that the set's place is in: the test first."""
    found = []
    for group in sets:
        first = next(subset for subset in (TEST, VALIDATION, TRAINING) if (given[group] == subset).any())
        found += [(int(i), SUBSETS[first]) for i in group if given[i] not in (first, NO_SUBSET)]
    return found


def _never_learned(labels: NDArray[np.int32], given: NDArray[np.int8], withheld: Mapping[int, str]) -> Sets:
    """Return the photos of each class that a split leaves without any for training; nobody can learn these."""
    learned = (given == TRAINING) | (given == NO_SUBSET)
    learned[list(withheld)] = False
    unknown = ~np.isin(labels, labels[learned])
    unknown[list(withheld)] = False
    return tuple(np.flatnonzero(unknown & (labels == label)) for label in np.unique(labels[unknown]))


def _of_one_name(folder: ImageFolder, unknown: Sets, settled: NDArray[np.bool_]) -> Sets:
    """Return the photos of each class, but for those in `unknown`, of which a larger one has nearly the same name."""
    counts, alike = folder.counts(), defaultdict(list)
    known = set(range(len(folder.class_names))) - {int(folder.labels[group[0]]) for group in unknown}
    for label in known:
        alike[plain_name(folder.class_names[label])].append(label)
    smaller = [label for same in alike.values() for label in sorted(same, key=lambda each: -counts[each])[1:]]
    sets = tuple(np.flatnonzero(folder.labels == label) for label in sorted(smaller))
    return tuple(group for group in sets if not settled[group].all())


def _without_empty_classes(folder: ImageFolder) -> ImageFolder:
    present, labels = np.unique(folder.labels, return_inverse=True)
    names = tuple(folder.class_names[label] for label in present)
    return ImageFolder(folder.root, names, folder.paths, labels.astype(np.int32))


def imbalance(counts: Sequence[int] | NDArray[np.int64]) -> float:
    """Return how many times as many photos the largest class has as the smallest; 1 when all are equal."""
    values = np.asarray(counts)
    return float(values.max() / max(1, values.min())) if len(values) else 1.0
