from core.data.intake.upload_totals import UploadTotals

MB = 10**6


def test_what_a_tab_holds_and_what_is_on_its_way_count() -> None:
    totals = UploadTotals(per_session=100 * MB, in_all=1000 * MB)
    assert totals.refusal("a", 100 * MB, {}) == ""
    assert "this browser tab holds 60 MB already and may hold 100 MB" in totals.refusal("a", 41 * MB, {"a": 60 * MB})
    totals.coming[1] = ("a", 30 * MB)
    assert totals.refusal("a", 10 * MB, {"a": 60 * MB}) == ""
    assert "An upload of 11 MB was refused" in totals.refusal("a", 11 * MB, {"a": 60 * MB})
    assert totals.refusal("b", 100 * MB, {"a": 60 * MB}) == "", "each tab has its own"


def test_all_tabs_together_have_a_limit() -> None:
    totals = UploadTotals(per_session=100 * MB, in_all=150 * MB, coming={1: ("c", 20 * MB)})
    assert totals.refusal("b", 30 * MB, {"a": 100 * MB}) == ""
    assert "all visitors together hold 120 MB already and may hold 150 MB" in totals.refusal(
        "b", 31 * MB, {"a": 100 * MB}
    )
