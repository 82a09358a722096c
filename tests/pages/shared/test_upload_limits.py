import pytest

from core.errors import PhotoError
from pages.components.shared.upload_limits import check_upload_size


def test_an_upload_above_the_limit_is_refused_with_both_sizes() -> None:
    check_upload_size(20_000_000, 20_000_000)
    with pytest.raises(PhotoError, match=r"The file is 21 MB; the limit is 20 MB\."):
        check_upload_size(21_000_000, 20_000_000)
