import re
import tomllib

import pytest

from core.errors import ExportError
from core.export.formats import FORMATS, ExportFormat, export_format
from core.export.predict_script import LOADERS, predict_script, source_of_encodings
from tests.conftest import PROJECT

EVERY_FORMAT = pytest.mark.parametrize("chosen", FORMATS, ids=lambda chosen: chosen.key)


@EVERY_FORMAT
def test_a_row_can_be_found_written_and_run(chosen: ExportFormat) -> None:
    from core.export import writers

    assert export_format(chosen.key) is chosen
    assert callable(getattr(writers, chosen.write)) and chosen.loader in LOADERS
    assert re.fullmatch(r"[a-z0-9-]+", chosen.key)


@EVERY_FORMAT
def test_the_script_is_short_and_depends_on_its_runtime_alone(chosen: ExportFormat) -> None:
    text = predict_script(chosen)
    compile(text, "predict.py", "exec")
    own = text.replace(source_of_encodings(), "")
    assert len(own.splitlines()) < 240 and "[[" not in own
    assert not re.search(r"^\s*(from|import) (core|pages)", text, re.MULTILINE)


def test_what_is_not_in_the_default_install_is_an_extra_that_the_page_names() -> None:
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for chosen in FORMATS:
        assert bool(chosen.needs) == bool(chosen.extra)
        if chosen.extra:
            assert {re.split("[>=]", line)[0] for line in extras[chosen.extra]} == set(chosen.needs)
            assert f"--extra {chosen.extra} " in chosen.install


def test_an_unknown_format_is_refused_with_what_there_is() -> None:
    with pytest.raises(ExportError, match=r"no format 'png'.*onnx"):
        export_format("png")
