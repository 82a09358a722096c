"""Folders that are parts of a dataset (train, test, fold_1), and the class folders inside them."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from core.data.subsets import NO_SUBSET, TEST, TRAINING, VALIDATION

SPLIT_NAMES = {
    "train": TRAINING,
    "training": TRAINING,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
    "testing": TEST,
}
"""Names of folders, in lower case, that divide a dataset into subsets."""

GATHERED = "(?:set|data|dataset|images?|imgs?|photos?|pics?|pictures|samples?|split|dir|folder|files|list)?s?"
ELSEWHERE = "(?:daten|datensatz|menge|satz|bilder|fotos|imagenes|imágenes|immagini|imagens)"

SUBSET_PATTERNS = (
    (
        re.compile(
            f"(?:trn|train(?:val)?){GATHERED}|training.*|train(?:ings?)?{ELSEWHERE}|lern{ELSEWHERE}"
            "|entra[iî]nement|apprentissage|entrenamiento|addestramento|treinamento|treino"
            "|训练.*|訓練.*|学習.*|학습.*|훈련.*|обучени.*|обучающ.*|тренировочн.*"
        ),
        TRAINING,
    ),
    (
        re.compile(
            f"(?:val|valid|dev|devel|development){GATHERED}|valida.*|validier.*|validação|validación|валидаци.*"
            "|验证.*|驗證.*|検証.*|검증.*"
        ),
        VALIDATION,
    ),
    (
        re.compile(
            f"(?:tst|test(?:ing)?|holdout|eval|evaluation){GATHERED}|(?:test|prüf){ELSEWHERE}"
            "|essais?|prueba|pruebas|teste|testes|测试.*|測試.*|テスト.*|테스트.*|시험.*|тест|тестов.*|проверочн.*"
        ),
        TEST,
    ),
)
"""Words, in lower case, that name a subset as part of a longer name, such as seg_train, train2017 or testset; also in
German, French, Spanish, Italian, Portuguese, Chinese, Japanese, Korean and Russian."""

UNLABELLED_WORDS = frozenset(
    {"pred", "preds", "predict", "prediction", "predictions", "inference", "submission", "unlabeled", "unlabelled"}
)
"""Words for photos that come without labels, to be predicted."""

WORD = r"[^\W\d_]+"

NUMBERED_WORDS = frozenset({"part", "fold", "split", "batch", "chunk", "shard", "subset", "phase", "images", "photos"})
"""Words that name a part of a dataset where a number stands beside them, such as fold_0."""

CONTAINERS = frozenset(
    {"image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "pics", "jpegimages", "jpg", "data"}
)
"""Names, in lower case, of a folder that only gathers photos."""

ANNOTATIONS = frozenset(
    {"label", "labels", "mask", "masks", "annotation", "annotations", "segmentation", "segmentations", "parts", "gt"}
    | {"attributes", "groundtruth", "ground_truth", "bboxes", "boxes"}
)
"""Names, in lower case, of a folder that says something about the photos in another one."""


def plain_name(name: str) -> str:
    """Return a name without what is easily written otherwise: case, spaces, "-" and "_", the form in Unicode, wide
    letters, signs that are not seen."""
    if not name.isascii():
        name = "".join(sign for sign in unicodedata.normalize("NFKC", name) if unicodedata.category(sign) != "Cf")
    return re.sub(r"[\s_-]+", " ", name.casefold()).strip()


def one_form(text: str) -> str:
    """Return a text in the form of Unicode that most systems write, in which "ü" is one character (NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def base_name(path: str) -> str:
    """Return the last component of a path with "/"."""
    return path.rpartition("/")[2]


@lru_cache(10_000)
def subset_named(name: str) -> int:
    """Return the subset that a name means, alone or among other words, as in "seg_train"; -1 for none or several."""
    if name.casefold() in SPLIT_NAMES:
        return SPLIT_NAMES[name.casefold()]
    found = {subset for word in _words(name) for subset in _subsets_of_word(word)}
    found -= {VALIDATION} if found == {TRAINING, VALIDATION} else set()
    return found.pop() if len(found) == 1 else NO_SUBSET


def means_part(name: str) -> bool:
    """Tell whether a name means a part of a dataset: a subset, photos to be predicted, or a number such as fold_0."""
    words = set(_words(name))
    numbered = bool(words & NUMBERED_WORDS) and any(sign.isdigit() for sign in name)
    return subset_named(name) != NO_SUBSET or bool(words & UNLABELLED_WORDS) or numbered


def _subsets_of_word(word: str) -> set[int]:
    return {subset for pattern, subset in SUBSET_PATTERNS if pattern.fullmatch(word)}


def _words(name: str) -> list[str]:
    return [word.casefold() for word in re.findall(WORD, _divided(name))]


def _tells_no_class(word: str) -> bool:
    return bool(_subsets_of_word(word)) or word in ("set", "dataset", "split")


def _divided(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)


def _beside_subset(name: str) -> str:
    """Return what a name says beside its subset, as "big_cats" in "train_big_cats"; empty where that is no word."""
    rest = re.sub(WORD, lambda found: "" if _tells_no_class(found[0].casefold()) else found[0], _divided(name))
    rest = re.sub(r"([\s_.-])[\s_.-]+", r"\1", rest).strip(" \t_.-")
    return rest if re.search(WORD, rest) else ""


class FolderTree:
    """The folders that photos lie in, at any depth; paths have "/" and the root is "".

    Attributes:
        photos: How many photos lie directly in a folder.
        inner: The folders with photos, at any depth, that lie directly in a folder.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        """Look at the folders of these photos."""
        self.photos = Counter(path.rpartition("/")[0] for path in paths)
        self.inner: dict[str, set[str]] = defaultdict(set)
        for folder in self.photos:
            at = folder
            while at and at not in self.inner[at.rpartition("/")[0]]:
                self.inner[at.rpartition("/")[0]].add(at)
                at = at.rpartition("/")[0]

    @property
    def tops(self) -> list[str]:
        """The folders with photos directly below the root, sorted."""
        return sorted(self.inner[""])

    def is_divided(self, folder: str) -> bool:
        """Tell whether a folder holds folders with photos."""
        return bool(self.inner.get(folder))

    def names(self, folder: str) -> set[str]:
        """Return the names of the folders in a folder, as `plain_name` writes them."""
        return {plain_name(base_name(child)) for child in self.inner.get(folder, ())}


@dataclass(frozen=True)
class Parts:
    """How a tree of folders is read when some of them are parts of the dataset rather than classes.

    Attributes:
        folders: Each folder that is a part → the subset that it means, -1 for none; empty for train_cats, train_dogs …
        classes: Class by path, for the photos in a class folder.
        subsets: Subset by path, training where a folder's name does not say which; empty where none is for training.
        without_class: The other photos.
    """

    folders: dict[str, int]
    classes: dict[str, str]
    subsets: dict[str, int]
    without_class: tuple[str, ...]
    class_names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Collect the names of the classes."""
        object.__setattr__(self, "class_names", frozenset(self.classes.values()))


def read_parts(paths: Sequence[str], tree: FolderTree) -> Parts:
    """Read folders as parts with class folders inside, as class folders with the same parts inside each, or as folders
    that each are one class of one part, such as train_cats."""
    in_names = _parts_in_names(tree)
    folders = {} if in_names else _parts_in_classes(tree) or _parts_at_the_top(tree)
    classes: dict[str, str] = {}
    subsets: dict[str, int] = {}
    without = []
    known = dict(in_names)
    for path in paths:
        folder = path.rpartition("/")[0]
        if folder not in known:
            known[folder] = _class_and_subset(folder, folders)
        name, subset = known[folder]
        if name:
            classes[path], subsets[path] = name, subset
        else:
            without.append(path)
    return Parts(folders, classes, completed(subsets), tuple(without))


def completed(subsets: dict[str, int]) -> dict[str, int]:
    """Return the subset of each photo, training where none is known; empty where nothing is for training."""
    if TRAINING not in subsets.values():
        return {}
    return {path: TRAINING if subset == NO_SUBSET else subset for path, subset in subsets.items()}


def _class_and_subset(folder: str, parts: dict[str, int]) -> tuple[str, int]:
    """Return the first folder on the way down that is no part, and the subset of the last one that is."""
    name, subset, at = "", NO_SUBSET, ""
    for component in folder.split("/") if folder else ():
        at = f"{at}/{component}" if at else component
        if at in parts:
            subset = parts[at]
        elif not name:
            name = one_form(component)
    return name, subset


def _parts_in_names(tree: FolderTree) -> dict[str, tuple[str, int]]:
    """Return class and subset by folder of a tree such as train_cats, train_dogs, test_cats, test_dogs; empty for
    another one."""
    tops = tree.tops
    if len(tops) < 4 or any(map(tree.is_divided, tops)):
        return {}
    found = {top: (one_form(_beside_subset(top)), subset_named(top)) for top in tops if means_part(top)}
    of_subset: dict[int, set[str]] = defaultdict(set)
    for top, (name, subset) in found.items():
        if subset == NO_SUBSET or not name:
            found[top] = ("", NO_SUBSET)  # such as photos to be predicted
        else:
            of_subset[subset].add(plain_name(name))
    training = of_subset.get(TRAINING, set())
    whole = len(found) == len(tops) and len(of_subset) > 1 and len(training) > 1
    agree = all(shares_names(names, training) for names in of_subset.values())
    return found if whole and agree and not any(map(_is_helper, training)) else {}


def _parts_in_classes(tree: FolderTree) -> dict[str, int]:
    """Return the parts of a tree such as cat/train, cat/test, dog/train, dog/test; empty for another one."""
    tops = tree.tops
    if len(tops) < 2 or any(means_part(top) or _is_helper(top) for top in tops):
        return {}
    inner = [child for top in tops for child in tree.inner[top]]
    found = {child: subset_named(base_name(child)) for child in inner}
    every_class = all(tree.is_divided(top) and not tree.photos[top] for top in tops)
    whole = every_class and NO_SUBSET not in found.values() and not any(map(tree.is_divided, inner))
    return found if whole and TRAINING in found.values() and len(set(found.values())) > 1 else {}


def _parts_at_the_top(tree: FolderTree) -> dict[str, int]:
    """Return the folders at the top, and what is a part inside of one, such as train/val or test_set/test_set."""
    wrapping = wrappers(tree)
    found = dict.fromkeys(wrapping, NO_SUBSET)
    pending = [(top, NO_SUBSET) for top in (tree.inner[wrapping[-1]] if wrapping else tree.tops)]
    around = _around_all_classes(tree)
    while pending:
        folder, outer = pending.pop()
        own = subset_named(base_name(folder))
        found[folder] = outer if own == NO_SUBSET else own
        pending += [(child, found[folder]) for child in _parts_within(folder, tree) | (around & tree.inner[folder])]
    return found


def wrappers(tree: FolderTree) -> list[str]:
    """Return the folders from the top down that hold nothing but one folder, which is divided: data and data/raw.

    The last of them holds a folder that is more than that; a name that means a subset ends them, too.
    """
    found: list[str] = []
    inside = tree.inner[""]
    while len(inside) == 1:
        (only,) = inside
        within = tree.inner.get(only, set())
        single = len(within) == 1 and not tree.photos[only] and tree.is_divided(next(iter(within)))
        if not single or subset_named(base_name(only)) != NO_SUBSET:
            break
        found.append(only)
        inside = within
    return found


def _around_all_classes(tree: FolderTree) -> set[str]:
    """Return train/pets and test/pets where each divided folder holds but one folder, of one name, which is divided."""
    divided = [top for top in tree.tops if tree.is_divided(top) and not tree.photos[top]]
    inner = [child for top in divided for child in tree.inner[top]]
    same = len(divided) > 1 and len(inner) == len(divided) and len({base_name(child) for child in inner}) == 1
    return set(inner) if same and all(map(tree.is_divided, inner)) else set()


def _parts_within(part: str, tree: FolderTree) -> set[str]:
    """Return the folders in a part that are themselves parts, rather than classes."""
    inside = tree.inner[part]
    if len(inside) == 1 and not tree.photos[part]:
        name = base_name(next(iter(inside)))
        doubled = plain_name(name) == plain_name(base_name(part))
        return set(inside) if doubled or means_part(name) or name.casefold() in CONTAINERS else set()
    subsets = {subset_named(base_name(each)) for each in inside}
    if NO_SUBSET not in subsets and TRAINING in subsets and len(subsets) > 1:
        return set(inside)
    named = {child for child in inside if tree.is_divided(child) and means_part(base_name(child))}
    return {child for child in named if shares_names(tree.names(child), tree.names(part))} if named else set()


def shares_names(names: set[str], others: set[str]) -> bool:
    """Tell whether at least half of the names are among others."""
    return bool(names) and len(names & others) >= len(names) / 2


def _is_helper(folder: str) -> bool:
    return folder.casefold() in CONTAINERS | ANNOTATIONS


def are_surely_parts(parts: Parts, tree: FolderTree) -> bool:
    """Tell whether nobody need be asked: names say which part is which, and the parts hold the same classes."""
    tops = tree.tops
    if not tops or len(parts.class_names) < 2:
        return False
    if len(tops) == 1:
        gathering = tops[0].casefold() in CONTAINERS and not _is_doubtful_inside(tops[0], tree)
        return subset_named(tops[0]) != NO_SUBSET or bool(parts.subsets) or gathering
    if tops[0] not in parts.folders:
        return bool(parts.folders)  # cat/train, cat/test, …, but not train_cat, test_cat, …
    found = {top: subset_named(top) for top in tops}
    divided = {path.partition("/")[0] for path in parts.classes}
    if TRAINING not in {found[top] for top in divided}:
        return False
    if all(top.casefold() in SPLIT_NAMES for top in tops):
        return len(set(found.values())) > 1
    named = all(means_part(top) for top in tops) and all(found[top] != NO_SUBSET for top in divided)
    return named and bool(parts.subsets) and _classes_agree(parts, tree)


def _is_doubtful_inside(top: str, tree: FolderTree) -> bool:
    """Tell whether the folders inside of one look like parts of the dataset."""
    inside = [f"{folder}/".removeprefix(f"{top}/") for folder, count in tree.photos.items() if count]
    within = FolderTree(inside)
    return may_be_parts(read_parts(inside, within), within)


def _classes_agree(parts: Parts, tree: FolderTree) -> bool:
    """Tell whether at least half of the classes outside training are classes of the training part, too."""
    of_subset: dict[int, set[str]] = defaultdict(set)
    for path, subset in parts.subsets.items():
        of_subset[subset].add(plain_name(parts.classes[path]))
    return all(shares_names(names, of_subset[TRAINING]) for names in of_subset.values())


def may_be_parts(parts: Parts, tree: FolderTree) -> bool:
    """Tell whether the folders at the top look more like parts of a dataset than like its classes."""
    tops = tree.tops
    if any(subset_named(base_name(part)) == TRAINING for part in parts.folders if "/" in part):
        return True
    if len(tops) < 2 or not parts.classes:
        return len(tops) > 1 and _flat_parts(tops)
    training = [top for top in tops if subset_named(top) == TRAINING and tree.is_divided(top)]
    if training and any(means_part(top) for top in tops if top not in training):
        return True
    often = Counter(name for top in tops for name in tree.names(top))
    shared = [name for name, count in often.items() if count > 1]
    return all(map(means_part, tops)) or len(shared) >= max(2, len(often) / 2)


def _flat_parts(tops: Sequence[str]) -> bool:
    """Tell whether folders of photos without class folders are named like parts: train and test1, images_part_1 …"""
    if not all(means_part(top) for top in tops):
        return False
    numbered = [top for top in tops if subset_named(top) == NO_SUBSET]
    alike = len(numbered) > 1 and len({tuple(_words(top)) for top in numbered}) == 1
    return alike or TRAINING in map(subset_named, tops)


def photo_folder(parts: Parts, tree: FolderTree) -> str:
    """Return the folder at the top that holds the class folders where others only belong to it, such as images beside
    masks; empty for none."""
    divided = [top for top in tree.tops if len(tree.inner[top] - parts.folders.keys()) > 1]
    gathering = [top for top in divided if top.casefold() in CONTAINERS]
    others = [top for top in tree.tops if top not in gathering]
    return gathering[0] if len(gathering) == 1 and others else ""
