"""What is being collected in this session: which dataset, its cards, and carrying out what is done on them.

A new dataset is a *draft*, without a folder, until the first thing is done with it. Each card has a *slot*, a number
that it keeps whatever its class is called, so that its camera goes on running.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from core.data.intake import collect, removal
from core.data.intake.own_datasets import class_folder, own_dataset_names, rename_class
from core.errors import DataError, FolderError, UnfreezeError
from core.language import tr
from pages.components.cached import datasets, services
from pages.components.collect import class_card
from pages.components.collect.class_card import Order
from pages.components.shared import run_descriptions, state

DRAFT = "draft-"

ORDERS_KEPT = 500
"""How many orders a session remembers as carried out, in case one is sent again."""

NEW, NUMBER, SLOT, ORDERS, DISCARDED, MADE_NOW, REFUSED = (
    f"collect-{name}" for name in ("new", "number", "slot", "orders", "discarded", "made-now", "refused")
)


def draft_name() -> str:
    """What the dataset of a draft is called."""
    return str(tr("My photos"))


def draft_classes() -> tuple[str, str]:
    """The classes of a draft."""
    return _numbered(1), _numbered(2)


def _numbered(number: int) -> str:
    return str(tr("Class {number}", number=str(number)))


def folder() -> Path:
    """Where datasets that were made here are kept."""
    return services.settings().datasets_folder


def names() -> list[str]:
    """The datasets that were made here, without the sample."""
    return own_dataset_names(folder())


def here() -> Path | None:
    """The dataset that is being collected: the chosen one, if it was made here; None for a draft."""
    chosen = state.dataset()
    path = Path(chosen)
    known = chosen and path.parent.resolve() == folder().resolve() and path.name in names()
    return folder() / path.name if known and state.recall(NEW, None) != chosen else None


def begin_new() -> None:
    """Collect a new dataset."""
    state.remember(NEW, state.dataset())


def take_up(path: Path) -> None:
    """Collect this dataset."""
    state.remember(NEW, None)
    state.choose_dataset(str(path))


def token() -> str:
    """What stands for the dataset in orders: its path, or a name for the draft."""
    path = here()
    return f"{DRAFT}{state.recall(NUMBER, 0)}" if path is None else str(path)


def dataset_of(token: str) -> Path:
    """The dataset that a token stands for; a draft is made now, once."""
    if not token.startswith(DRAFT):
        return Path(token)
    made = state.recall(f"made-{token}", None)
    return _make(token) if made is None else Path(made)


def _make(token: str) -> Path:
    """Make a draft's dataset, which is now the chosen one; its cards stay where they are."""
    path = collect.begin_dataset(folder(), draft_name(), draft_classes())
    state.remember(f"made-{token}", str(path))
    state.remember(f"slots-{path}", state.recall(f"slots-{token}", {}))
    state.remember(NUMBER, state.recall(NUMBER, 0) + 1)
    state.remember(MADE_NOW, True)
    take_up(path)
    return path


def make_named(name: str) -> None:
    """Make a dataset under this name, and collect it."""
    state.remember(REFUSED, state.recall(REFUSED, 0) + 1)  # until it is made
    path = collect.new_dataset(folder(), name)
    for class_name in draft_classes():
        collect.new_class(path, class_name, datasets_folder=folder())
    take_up(path)


def slots(token: str, class_names: Iterable[str]) -> dict[str, int]:
    """The slot of each class, in the order of the cards: as they were, whoever has renamed one, then new ones."""
    known, wanted = state.recall(f"slots-{token}", {}), list(class_names)
    now = {name: name if name in wanted else _name_now(token, name) for name in known}
    found = {now[name]: slot for name, slot in known.items() if now[name] in wanted}
    for name in wanted:
        if name not in found:
            found[name] = state.recall(SLOT, 0)
            state.remember(SLOT, found[name] + 1)
    state.remember(f"slots-{token}", found)
    return found


def _name_now(token: str, class_name: str) -> str:
    """What a class that is not there under this name is called now; empty where it is gone."""
    with suppress(FolderError):
        return class_folder(Path(token), class_name).name
    return ""


def free_class_name(taken: Iterable[str]) -> str:
    """“Class 3”, if there are two classes; the next number that is free."""
    known = {name.casefold() for name in taken}
    number = len(known) + 1
    while _numbered(number).casefold() in known:
        number += 1
    return _numbered(number)


def add_class(token: str) -> None:
    """Add a class with a name that is free."""
    dataset = dataset_of(token)
    taken = collect.class_counts(dataset, datasets_folder=folder())
    collect.new_class(dataset, free_class_name(taken), datasets_folder=folder())


def carry_out(slot: int, order: Order) -> None:
    """Do what somebody did on a card, once, however often it is sent; what cannot be done is said on the card."""
    done = state.recall(ORDERS, ())
    if order.id not in done:
        state.remember(ORDERS, (*done, order.id)[-ORDERS_KEPT:])
        state.remember(f"problem-{slot}", "")
        try:
            ACTIONS[order.kind](slot, order)
        except UnfreezeError as error:
            state.remember(f"problem-{slot}", error.text)
    state.remember(f"received-{slot}", order.id)


def put_class_back() -> None:
    """Bring back the class that was removed last."""
    dataset, _, ticket = state.take(DISCARDED)
    if not removal.put_back(dataset, ticket, datasets_folder=folder()):
        raise DataError(tr("This class can no longer be put back: what is removed is kept for a day."))


def _add(slot: int, order: Order) -> None:
    """Add photos to the dataset and the class that they were taken for, whatever is on show by now."""
    dataset, limits = dataset_of(order.dataset), services.settings().limits
    hold, names = state.recall(f"hold-{slot}", ("", ()))
    if hold != order.hold:
        names = ()
    problems = []
    for jpeg in order.photos:
        try:
            photo = collect.add_camera_photo(dataset, order.class_name, jpeg, limits, datasets_folder=folder())
            names = (*names, photo.name)
        except UnfreezeError as error:
            problems.append(error.text)
    state.remember(f"hold-{slot}", (order.hold, names))
    if problems:
        raise DataError(
            tr(
                "{count} of {total} photos were not saved. {reason}",
                count=len(problems),
                total=len(order.photos),
                reason=problems[0],
            )
        )


def _remove(slot: int, order: Order) -> None:
    _remove_these(slot, order, order.names)


def _remove_last(slot: int, order: Order) -> None:
    _remove_these(slot, order, state.recall(f"hold-{slot}", ("", ()))[1])


def _remove_these(slot: int, order: Order, names: tuple[str, ...]) -> None:
    dataset = dataset_of(order.dataset)
    ticket = removal.remove_photos(dataset, order.class_name, names, datasets_folder=folder())
    hold, of_hold = state.recall(f"hold-{slot}", ("", ()))
    state.remember(f"hold-{slot}", (hold, tuple(name for name in of_hold if name not in names)))
    if ticket:
        removed = state.recall(f"removed-{slot}", ())
        state.remember(f"removed-{slot}", (*removed, (dataset, ticket, len(names))))


def _undo(slot: int, order: Order) -> None:
    *earlier, (dataset, ticket, _) = state.recall(f"removed-{slot}", ())
    state.remember(f"removed-{slot}", tuple(earlier))
    if not removal.put_back(dataset, ticket, datasets_folder=folder()):
        raise DataError(tr("These photos can no longer be put back: what is removed is kept for a day."))


def _rename(slot: int, order: Order) -> None:
    dataset = dataset_of(order.dataset)
    _check_renaming(dataset)
    name = rename_class(dataset, order.class_name, order.name, datasets_folder=folder())
    known = state.recall(f"slots-{dataset}", {})
    state.remember(f"slots-{dataset}", {name if each == slot else former: each for former, each in known.items()})


def _check_renaming(dataset: Path) -> None:
    """Raise `DataError` where somebody relies on the photos' present paths."""
    if any(Path(shown.recipe.dataset).resolve() == dataset.resolve() for shown in run_descriptions.all_runs()[0]):
        raise DataError(
            tr(
                "A run has been trained on these photos and finds them by the names of their classes, so the names"
                " stay. Add a class with the new name instead."
            )
        )
    if datasets.reviews().read(dataset.resolve()).decisions:
        raise DataError(
            tr(
                "There are decisions about these photos, which go by the names of their classes, so the names stay."
                " Undo the decisions on the Dataset page, or add a class with the new name."
            )
        )


def _discard(slot: int, order: Order) -> None:
    dataset = dataset_of(order.dataset)
    ticket = removal.remove_class(dataset, order.class_name, datasets_folder=folder())
    state.remember(DISCARDED, (dataset, order.class_name, ticket))


ACTIONS: dict[str, Callable[[int, Order], None]] = {
    class_card.PHOTOS: _add,
    class_card.REMOVE: _remove,
    class_card.REMOVE_LAST: _remove_last,
    class_card.UNDO: _undo,
    class_card.RENAME: _rename,
    class_card.DISCARD: _discard,
}
"""What each kind of order does."""
