"""What the server has one of, shared by all sessions: settings, background workers, measurements of this computer."""

from ipaddress import ip_address

import streamlit as st

from core.data.intake.upload_totals import UploadTotals
from core.data.scan.scanner import Scanner
from core.inference.batch import FolderJobs
from core.models.backbones import Backbone, backbone
from core.recipe.recipe import Recipe
from core.recipe.recipe_book import RecipeBook
from core.runs.warm_trainer import WarmTrainer
from core.settings import Settings, make_home, settings_from
from core.training.budget import throughput
from core.training.budget.augmentation_costs import AugmentationCosts
from core.training.budget.cost_model import Counts, Throughput, seconds_of
from core.training.budget.time_budget import fitted
from core.training.feature_cache.cache import FeatureCache
from core.training.process.preview import PreviewWorker


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """The settings, as the environment had them when the server started."""
    found = settings_from(shared=is_shared())
    make_home(found)
    return found


def server_address() -> str:
    """The address at which the server listens; an empty text where it is every one."""
    return str(st.get_option("server.address") or "")


def is_shared() -> bool:
    """Whether other computers can reach the server."""
    address = server_address()
    try:
        return not ip_address(address).is_loopback
    except ValueError:
        return address != "localhost"


@st.cache_resource(show_spinner=False)
def upload_totals() -> UploadTotals:
    """How much uploads may hold in memory, and what was refused."""
    limits = settings().limits
    return UploadTotals(limits.session_upload_bytes, limits.server_upload_bytes)


@st.cache_resource(show_spinner=False)
def scanner() -> Scanner:
    """What scans folders in the background, shared by all sessions."""
    return Scanner(settings())


@st.cache_resource(show_spinner=False)
def preview_worker() -> PreviewWorker:
    """The child process that draws augmentations, shared by all sessions."""
    return PreviewWorker(settings().keras_home)


@st.cache_resource(show_spinner=False)
def augmentation_costs() -> AugmentationCosts:
    """What augmentations cost on this machine."""
    return AugmentationCosts(settings().augmentation_costs_file)


@st.cache_resource(show_spinner=False)
def warm_trainer() -> WarmTrainer | None:
    """The trainer that waits for its run, shared by all sessions; None where that is switched off."""
    return WarmTrainer() if settings().keep_warm else None


@st.cache_resource(show_spinner=False)
def guessed_throughput() -> Throughput:
    """How fast this machine may be, before a run has measured it."""
    return throughput.guessed_throughput()


def known_throughput(chosen: Backbone) -> throughput.Known:
    """How fast this machine is with a network: measured by a run, or else guessed."""
    return throughput.known_throughput(settings().home, chosen, guessed_throughput())


@st.cache_data(max_entries=200, show_spinner=False, hash_funcs={Recipe: Recipe.to_json, Throughput: repr, Counts: repr})
def fitted_to_minutes(
    recipe: Recipe, keys: tuple[str, ...], speed: Throughput, counts: Counts, minutes: float, *, few: bool
) -> tuple[Recipe, float]:
    """What a run of so many minutes would be with one of these networks at this speed, and its seconds.

    `few` says whether the photos are too few for fine-tuning.
    """
    fitting = fitted(recipe, [backbone(key) for key in keys], speed, counts, minutes * 60, few=few)
    return fitting, seconds_of(fitting, backbone(fitting.backbone), speed, counts)


@st.cache_resource(show_spinner=False)
def feature_cache() -> FeatureCache:
    """What the frozen parts of networks have computed."""
    return FeatureCache(settings().feature_cache_folder, settings().limits.feature_cache_bytes)


def recipe_book() -> RecipeBook:
    """The recipes that were saved under names."""
    return RecipeBook(settings().recipes_folder)


@st.cache_resource(show_spinner=False)
def folder_jobs() -> FolderJobs:
    """What models make of whole folders, shared by all sessions."""
    return FolderJobs(settings())
