"""Runs beside one another, and series of runs, rebuilt from their folders at every look."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st

from core import formatting
from core.errors import RunBusy, RunError, RunNotFound
from core.evaluation import comparison
from core.evaluation.comparison import Arm, Measured
from core.evaluation.metrics import accuracy_interval
from core.language import tr, tr_context, tr_mark, tr_plural
from core.recipe import sweeps
from core.recipe.wording import describe_recipe
from core.runs.store import ACTIVE, FAILED, QUEUED, Label
from pages.components.cached import runs
from pages.components.compare import comparison_figures, photo_curve_view
from pages.components.compare.comparison_figures import ACCURACIES, MOST_RUNS
from pages.components.compare.photo_curve_view import Result
from pages.components.compare.series_names import AUGMENTATIONS, STUDY, kind_of
from pages.components.shared import drawings, markdown, run_descriptions, state
from pages.components.shared.run_descriptions import LoadedRun

LOOK_EVERY_SECONDS = 2.0

VALIDATION, TEST = "validation", "test"
SUBSETS: Mapping[str, Callable[[], str]] = {
    VALIDATION: lambda: tr_context("subset", "Validation"),
    TEST: lambda: tr_context("subset", "Test"),
}
SUBSET_NOTES = {
    VALIDATION: tr_mark(
        "Validation photos picked each model's best epoch, so this is slightly optimistic. Use it to choose."
    ),
    TEST: tr_mark("Test photos played no part in training. Choose by validation accuracy, and look here at the end."),
}
DOTS = {
    VALIDATION: tr_mark("Dots: validation accuracy of each run by variant"),
    TEST: tr_mark("Dots: test accuracy of each run by variant"),
}
CURVES = {
    "val_accuracy": tr_mark("Validation accuracy of each run over epochs"),
    "val_loss": tr_mark("Validation loss (cross-entropy) of each run over epochs"),
}
"""What is read out instead of the pictures."""

PICKED = "picked"
SERIES, SIDE_BY_SIDE, NEW = "series", "side-by-side", "new"
"""The views of the Compare page: a series, runs which somebody picks, and what can be compared."""

ASKED = "photos-of"
"""The run about which it was asked how many photos are needed, by its id, until the Compare page has prepared it."""

WITH_REFERENCE = (AUGMENTATIONS, STUDY)
"""Series whose first variant is what all others are compared with."""


@dataclass(frozen=True)
class Member:
    """A run with what people call it; `name` is its own among all that are shown."""

    shown: LoadedRun
    label: Label
    name: str

    @property
    def id(self) -> str:
        """The id of its run."""
        return self.shown.run.id

    @property
    def state(self) -> str:
        """The state of its run."""
        return self.shown.status.state

    @property
    def is_measured(self) -> bool:
        """Whether its model has been tested, which is the last thing that a run does."""
        return self.state not in (*ACTIVE, QUEUED) and self.shown.status.test_accuracy is not None

    def measured(self, part: str) -> Measured | None:
        """How right it is about the photos of a part; None where that cannot be read."""
        try:
            return runs.measured(self.id, part, self.shown.status.ended)
        except RunError:
            return None


def members() -> list[Member]:
    """All runs that can be read, the oldest first."""
    found: list[Member] = []
    seen: Counter[str] = Counter()
    for shown in sorted(run_descriptions.all_runs()[0], key=lambda each: each.status.created):
        label = shown.run.read_label()
        name = label.name or run_descriptions.describe_with_accuracy(shown)
        seen[name] += 1
        found.append(Member(shown, label, f"{name} ({seen[name]})" if seen[name] > 1 else name))
    return found


def series_among(found: Sequence[Member]) -> dict[str, list[Member]]:
    """Runs that were started together, by the name of their series, the newest series first."""
    groups: dict[str, list[Member]] = {}
    for member in found:
        if member.label.group:
            groups.setdefault(member.label.group, []).append(member)
    return dict(reversed(groups.items()))


def show_series(group: str) -> None:
    """A series: how far it is, one picture, one sentence; it ticks as long as runs are to come."""
    going = any(member.state in (*ACTIVE, QUEUED) for member in _members_of(group))
    st.fragment(_series, run_every=LOOK_EVERY_SECONDS if going else None)(group, going)


def _members_of(group: str) -> list[Member]:
    return [member for member in members() if member.label.group == group]


def _series(group: str, was_going: bool) -> None:
    found = _members_of(group)
    if was_going != any(member.state in (*ACTIVE, QUEUED) for member in found) or not found:
        st.rerun()
    _progress(found)
    chosen = st.segmented_control(
        tr("Measured on"),
        list(SUBSETS),
        default=VALIDATION,
        required=True,
        format_func=lambda name: SUBSETS[name](),
        key="part",
    )
    part = chosen or VALIDATION
    measures = {member.name: member.measured(part) for member in found if member.is_measured}
    kind = kind_of(group)
    data = pd.DataFrame(
        [
            (member.label.variant, member.name, measure.accuracy)
            for member in found
            if (measure := measures.get(member.name))
        ],
        columns=["variant", "run", "accuracy"],
    )
    variants = list(dict.fromkeys(member.label.variant for member in found))
    published = _published(variants) if (kind, part) == (STUDY, VALIDATION) else {}
    picture = comparison_figures.series(
        data,
        variants,
        tr(ACCURACIES[part]),
        published,
        {tr("published, best augmentation"): sweeps.BEST_AUGMENTED} if published else {},
    )
    _say_result(found, measures, kind)
    st.plotly_chart(picture, config=STILL, key=f"series-{part}", alt=tr(DOTS[part]))
    advice = tr(SUBSET_NOTES[part])
    st.caption(f":material/info: {advice}")
    photo_curve_view.show_photo_curve(_results(found, measures), part, complete=not was_going)
    _details(group, [member for member in found if member.is_measured])


STILL = {"displayModeBar": False}


def _published(variants: Sequence[str]) -> dict[str, tuple[float, float]]:
    return {each: ends for each in variants if (ends := sweeps.published_accuracy(each))}


def _progress(found: Sequence[Member]) -> None:
    states = Counter(member.state for member in found)
    going, waiting = sum(states[name] for name in ACTIVE), states[QUEUED]
    done = len(found) - going - waiting
    if going + waiting == 0:
        lost = len(found) - sum(member.is_measured for member in found)
        if lost:
            st.warning(
                tr(
                    "{lost} of {total} runs ended without a result. Open them under Runs to see why.",
                    lost=lost,
                    total=len(found),
                ),
                icon=":material/error:",
            )
        return
    counts = {"done": done, "total": len(found), "queued": waiting}
    if going:
        words = tr("{done} of {total} done, {training} training, {queued} queued", training=going, **counts)
    else:
        words = tr("{done} of {total} done, {queued} queued", **counts)
    with st.container(horizontal=True, vertical_alignment="center", key="series-head"):
        st.progress(done / len(found), words)
        if waiting:
            st.button(tr("Cancel queued runs"), icon=":material/close:", on_click=_cancel, args=(tuple(found),))
    if states[FAILED]:
        failed = tr_plural(
            "{count} failed. Open them under Runs to see why.",
            "{count} failed. Open them under Runs to see why.",
            states[FAILED],
        )
        st.caption(f":material/error: {failed}")


def _cancel(found: Sequence[Member]) -> None:
    for member in found:
        if member.state == QUEUED:
            try:
                runs.queue().cancel(member.shown.run)
            except (RunBusy, RunNotFound):  # it has begun, or is gone, since the page was drawn
                continue


def _say_result(found: Sequence[Member], measures: dict[str, Measured | None], kind: str) -> None:
    arms = arms_of([(member.label.variant, measures.get(member.name)) for member in found])
    complete = {member.label.variant for member in found} == {arm.name for arm in arms}
    if not arms:
        st.caption(tr("There are no results yet."))
    elif kind in WITH_REFERENCE and arms[0].name == found[0].label.variant:
        _result(comparison.against_first(arms), complete)
    else:
        _result(comparison.best_of(arms), complete)


def _result(sentence: str, complete: bool = True) -> None:
    words = markdown.escape(sentence)
    if not complete:
        words = tr("**So far:** {result}", result=words)
    with st.container(border=True, key="result"):
        st.markdown(f":material/balance: {words}")


def arms_of(pairs: Sequence[tuple[str, Measured | None]]) -> list[Arm]:
    """Runs that were measured, put together by what is special to them, in the order in which that first comes."""
    arms: dict[str, list[Measured]] = {}
    for name, measure in pairs:
        if measure is not None:
            arms.setdefault(name, []).append(measure)
    return [Arm(name, tuple(each)) for name, each in arms.items()]


def _results(found: Sequence[Member], measures: Mapping[str, Measured | None]) -> list[Result]:
    return [
        Result(member.shown.run, member.shown.recipe, measure)
        for member in found
        if (measure := measures.get(member.name)) is not None
    ]


def ask_how_many_photos(shown_id: str) -> None:
    """Go to the Compare page with a comparison prepared: a run's recipe with fewer and with all training photos."""
    state.remember("compare", NEW)
    state.remember(ASKED, shown_id)
    st.switch_page("pages/train/compare.py")


def open_side_by_side(ids: Collection[str]) -> None:
    """Go to the Compare page with these runs beside one another."""
    state.remember("compare", SIDE_BY_SIDE)
    state.remember(PICKED, list(ids))
    st.switch_page("pages/train/compare.py")


def show_side_by_side(chosen: Sequence[Member]) -> None:
    """Two runs or more: which is better, how sure that is, what differs, and how they learned."""
    measures = {member.name: member.measured(TEST) for member in chosen}
    known = [(member, measure) for member in chosen if (measure := measures[member.name]) is not None]
    if known:
        _result(comparison.best_of(arms_of([(_arm_name(member, chosen), measure) for member, measure in known])))
        rows = [(each.name, m.accuracy, *accuracy_interval(m.correct, m.count)) for each, m in known]
        picture = comparison_figures.intervals(
            pd.DataFrame(rows, columns=["run", "accuracy", "low", "high"]), tr("test accuracy, with its 95 % interval")
        )
        st.plotly_chart(picture, config=STILL, key="intervals", alt=tr("Test accuracy of each run with its interval"))
    if len(known) < len(chosen):
        st.caption(tr(":material/warning: The results of some of these runs can no longer be read."))
    photo_curve_view.show_photo_curve(_results(chosen, measures), TEST, complete=True)
    show_differences(chosen)
    show_curves(chosen)
    use_recipe(chosen)


def _arm_name(member: Member, chosen: Sequence[Member]) -> str:
    """The first of the chosen runs that was trained alike, but for the seed: repeats are one side of a comparison."""
    alike = (other for other in chosen if _but_for_seed(other) == _but_for_seed(member))
    return next(alike).name


def _but_for_seed(member: Member) -> str:
    return replace(member.shown.recipe, seed=0).to_json()


def show_differences(chosen: Sequence[Member]) -> None:
    """The table of choices in which runs differ."""
    rows = comparison.what_differs({member.name: describe_recipe(member.shown.recipe) for member in chosen})
    st.header(tr("Differences"), anchor=False)
    if rows:
        st.dataframe(rows, hide_index=True, column_config={"choice": tr("choice")})
    else:
        st.caption(tr("Nothing: they have the same recipe and seed."))


def show_curves(chosen: Sequence[Member]) -> None:
    """Validation accuracy and loss over epochs, laid over one another."""
    st.header(tr("Learning curves"), anchor=False)
    names = [member.name for member in chosen]
    points = pd.concat(
        [comparison_figures.validation_points(each.shown.run.read_metrics(), each.name) for each in chosen]
    )
    st.html(comparison_figures.legend(names))
    for column, measure in zip(st.columns(2, gap="medium"), comparison_figures.AXES, strict=True):
        column.plotly_chart(
            comparison_figures.curves(points, names, measure),
            config=STILL,
            key=f"curves-{measure}",
            alt=tr(CURVES[measure]),
        )


def use_recipe(chosen: Sequence[Member]) -> None:
    """Take the recipe of a run to the Train page, to change it there."""
    by_id = {member.id: member for member in chosen}
    with st.container(horizontal=True, vertical_alignment="bottom", key="use-recipe"):
        picked = st.selectbox(
            tr("Recipe to start from"), list(by_id), format_func=lambda each: by_id[each].name, key="recipe-of"
        )
        if st.button(tr("Use this recipe"), icon=":material/edit_note:") and picked in by_id:
            member = by_id[picked]
            state.choose_dataset(member.shown.recipe.dataset)
            state.close_run()
            state.remember("recipe", member.shown.recipe.to_json())
            st.switch_page("pages/train/train.py")


def _details(group: str, found: Sequence[Member]) -> None:
    """Curves of one run of each variant, and all runs as a list."""
    if not found:
        return
    firsts = list({member.label.variant: member for member in reversed(found)}.values())[::-1]
    with st.expander(tr("Every run"), icon=":material/list:"):
        st.dataframe(
            [_row(member) for member in found],
            hide_index=True,
            column_config={name: tr(title) for name, title in COLUMNS.items()},
        )
        use_recipe(found)
    with st.expander(tr("Curves and differences"), icon=":material/show_chart:"):
        if len(firsts) > MOST_RUNS:
            st.caption(tr("The {count} variants with the best validation accuracy.", count=MOST_RUNS))
            ranked = sorted(firsts, key=lambda member: -(member.shown.status.best_val_accuracy or 0))[:MOST_RUNS]
            firsts = [member for member in firsts if member in ranked]
        show_differences(firsts)
        show_curves(firsts)


COLUMNS = {
    "run": tr_mark("run"),
    "validation accuracy": tr_mark("validation accuracy"),
    "test accuracy": tr_mark("test accuracy"),
    "duration": tr_mark("duration"),
    "seed": tr_mark("seed"),
}
"""The columns of the list of runs, and what each is called."""


def _row(member: Member) -> dict[str, str]:
    status = member.shown.status
    best, test = status.best_val_accuracy, status.test_accuracy
    return {
        "run": member.name,
        "validation accuracy": drawings.percent(best) if best is not None else "–",
        "test accuracy": drawings.percent(test) if test is not None else "–",
        "duration": formatting.duration(status.seconds(status.ended or 0)),
        "seed": str(member.shown.recipe.seed),
    }
