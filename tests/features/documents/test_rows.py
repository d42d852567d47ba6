"""Rows of documents: each fee with its parts, and sums that add up."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.features.documents import invoices, shares
from chalicelib.features.documents.page import Look, Page
from tests.support import documents as samples
from tests.support.examples import examples


def spread(invoice: dict[str, Any], **look: Any) -> Page:
    """The page where one has no room for all lines."""
    found = invoices.page(invoice, Look(samples.organization(), **look)).spread
    assert found is not None
    return found


def lines_of(fees: list[dict[str, Any]], locale: str = "en") -> list[Any]:
    return list(invoices.page(samples.invoice(fees), Look(samples.organization(), locale)).table.lines)


def test_tiers_are_rows_and_no_average_is_made_up():
    _, _, api, *_ = (fee for fee in samples.fees())
    first, *tiers = lines_of([api])
    assert first.cells == ("6,210", "", "20%", "€56.05")
    assert [(tier.title, tier.cells) for tier in tiers] == [
        ("0 – 1,000", ("1,000", "€0.02", "", "€20.00")),
        ("Flat fee", ("", "", "", "€10.00")),
        ("From 1,001", ("5,210", "€0.005", "", "€26.05")),
    ]
    (average,) = lines_of([fee for fee in samples.fees() if fee["item"]["name"] == "Compute hours"], "de")
    assert average.cells == ("200", "", "20\xa0%", "18,33\xa0€")


def test_percentages_and_packages_are_rows():
    titles = {fee["item"]["name"]: [line.title for line in lines_of([fee])[1:]] for fee in samples.fees()}
    assert titles["Card payments"] == [
        "Free units",
        "Percentage of usage",
        "Fixed fee per event",
        "Minimum and maximum per transaction",
    ]
    assert titles["E-mails"] == ["Free units", "Packages of 1,000"]
    assert titles["Messages"] == ["Units", "Flat fee"]
    package = next(line for line in lines_of([samples.fees()[6]]) if line.title.startswith("Packages"))
    assert package.cells == ("10", "€5.00", "", "€50.00")  # 9,900 units begin a tenth package.


def test_filters_show_their_values_and_what_is_left_is_other():
    storage = [fee for fee in samples.fees() if fee["lago_charge_id"] == "storage"]
    assert [line.notes for line in lines_of(storage)] == [["eu-west, eu-north • standard"], ["other"]]
    assert lines_of(storage, "de")[1].notes == ["andere"]
    named = storage[0] | {"item": storage[0]["item"] | {"filter_invoice_display_name": "Europe"}}
    assert lines_of([named])[0].notes == ["Europe"]
    assert lines_of([storage[1]])[0].notes == []  # The charge has no filters on this invoice.


def test_a_fee_without_units_and_amount_is_no_row_and_true_ups_are_named():
    assert "Unused" not in [line.title for line in lines_of(samples.fees()[-3:])]
    assert [line.title for line in lines_of(samples.fees()[-1:], "fr")] == ["Messages – Complément au minimum"]


def test_rows_below_a_fee_have_the_currencys_decimals_and_add_up_to_it():
    percentage = samples.fees()[5]["amount_details"] | {
        "per_unit_total_amount": "0.345",
        "fixed_fee_total_amount": "0.115",
        "min_max_adjustment_total_amount": "-0.103",
    }
    fee = samples.fee("Card payments", 36, "10", precise_amount="0.357", amount_details=percentage)
    assert [line.cells[-1] for line in lines_of([fee], "de")] == [
        "0,36\xa0€",
        "",
        "0,35\xa0€",
        "0,11\xa0€",
        "−0,10\xa0€",
    ]
    assert [line.cells[-1] for line in lines_of([fee | {"amount_cents": 9999}])[2:]] == ["€0.35", "€0.11", "−€0.10"]


@given(parts=st.lists(st.decimals(-1000, 1000, places=5), min_size=1, max_size=8), further=st.integers(-20, 20))
@settings(max_examples=examples(200))
def test_whole_parts_add_up_and_are_a_cent_away_at_most(parts, further):
    near = int(sum(parts).to_integral_value())
    found = shares.whole(parts, near)
    assert sum(found) == near
    assert all(abs(each - part) < 1 for each, part in zip(found, parts, strict=True))
    assert sum(shares.whole(parts, near + further)) == near + further


def test_the_page_of_a_subscription_ends_with_subtotal_tax_and_total():
    (table,) = spread(samples.invoice()).details
    assert list(table.totals) == [("Subtotal (excl. tax)", "€457.78"), ("Tax", "€91.56"), ("Total", "€549.34")]


def test_taxes_of_several_subscriptions_add_up_to_that_of_the_invoice():
    own = [samples.fee("Seats", cents, lago_subscription_id=name) for name, cents in (("sub-1", 4), ("sub-2", 3))]
    both = [{"lago_id": name, "name": name, "plan_code": "premium"} for name in ("sub-1", "sub-2")]
    page = invoices.page(samples.invoice(own, subscriptions=both), Look(samples.organization()))
    assert [[amount for _, amount in table.totals] for table in page.details] == [
        ["€0.04", "€0.01", "€0.05"],
        ["€0.03", "€0.01", "€0.04"],
    ]
    assert [line.cells for line in page.table.lines] == [("€0.04",), ("€0.03",)]


def test_the_pages_of_subscriptions_show_their_share_of_coupons_before_tax():
    fees = [
        samples.fee(
            "Seats",
            cents,
            lago_subscription_id=name,
            precise_coupons_amount_cents=share,
            taxes_rate=10,
            taxes_precise_amount=tax,
        )
        for name, cents, share, tax in (
            ("sub-1", 17900, "1253.7", "16.6463"),
            ("sub-1", 5000, "349.5", "4.6505"),
            ("sub-2", 39900, "26042.8", "13.8572"),
        )
    ]
    both = [{"lago_id": name, "name": name, "plan_code": "premium"} for name in ("sub-1", "sub-2")]
    coupons = [samples.credit("coupon", cents, name, before=True) for name, cents in (("A", 25000), ("B", 2646))]
    totals = {
        "sub_total_excluding_taxes_amount_cents": 35154,
        "sub_total_including_taxes_amount_cents": 38669,
        "total_amount_cents": 38669,
    }
    page = invoices.page(
        samples.invoice(fees, subscriptions=both, credits=coupons, **totals), Look(samples.organization())
    )
    assert [line.cells for line in page.table.lines] == [("€229.00",), ("€399.00",)]
    assert [list(table.totals) for table in page.details] == [
        [("Coupons", "−€16.03"), ("Subtotal (excl. tax)", "€212.97"), ("Tax", "€21.29"), ("Total", "€234.26")],
        [("Coupons", "−€260.43"), ("Subtotal (excl. tax)", "€138.57"), ("Tax", "€13.86"), ("Total", "€152.43")],
    ]
    after = samples.invoice(fees, subscriptions=both, credits=[samples.credit("coupon", 1000, "A")])
    labels = [label for label, _ in invoices.page(after, Look(samples.organization())).details[0].totals]
    assert labels == ["Subtotal (excl. tax)", "Tax", "Total"]  # After tax they are no part of a subscription's page.
