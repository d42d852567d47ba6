"""The table of pages: the only place that knows addresses.

A pattern is a path below `/console`; `{org}` is an organization's slug, other names in braces stand for any segment. Words
come before names. A view is `module.function` of `console/views`, imported at its first request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

# Users who may ask: anyone; a user who has logged in; a member of the address's organization.
Who = Literal["anyone", "user", "member"]


@dataclass(frozen=True, slots=True)
class Route:
    """One page or act."""

    methods: str
    pattern: str
    view: str
    who: Who

    def load(self) -> Any:
        """The view itself."""
        module, _, name = self.view.partition(".")
        return getattr(import_module(f"chalicelib.console.views.{module}"), name)

    @property
    def segments(self) -> list[str]:
        """Parts of its path."""
        return self.pattern.split("/") if self.pattern else []


def _table(who: Who, prefix: str, lines: str) -> list[Route]:
    routes = []
    for line in filter(None, map(str.strip, lines.splitlines())):
        methods, pattern, view = line.split()
        routes.append(Route(methods, (prefix + pattern.strip("/")).strip("/"), view, who))
    return routes


ROUTES: Sequence[Route] = [
    *_table(
        "anyone",
        "",
        """
        GET       /                        entry.start
        GET,POST  /login                   entry.login
        POST      /logout                  entry.logout
        GET,POST  /invitation/{token}      entry.invitation
        GET,POST  /reset/{token}           entry.reset
        POST      /theme                   entry.theme
        GET       /static/{build}/{name}   entry.static
        """,
    ),
    *_table(
        "user",
        "",
        """
        GET,POST  /account                 account.show
        POST      /account/sessions        account.end_sessions
        GET       /organizations           account.organizations
        """,
    ),
    *_table(
        "member",
        "{org}/",
        """
        GET       /                                 home.show
        POST      /steps/dismiss                    home.dismiss
        POST      /example                          home.example
        GET       /search                           search.show
        GET       /timezones                        timezones.show

        GET       /customers                        customers.index
        GET,POST  /customers/new                    customer_forms.new
        GET       /customers/{id}                   customers.show
        GET,POST  /customers/{id}/edit              customer_forms.edit
        GET,POST  /customers/{id}/delete            customer_forms.delete
        GET,POST  /customers/{id}/metadata          customer_forms.metadata
        GET,POST  /customers/{id}/settings          customer_forms.settings
        GET,POST  /customers/{id}/coupons/new       coupons.apply
        GET,POST  /customers/{id}/coupons/{applied}/remove   coupons.remove
        GET,POST  /customers/{id}/subscriptions/new subscription_forms.new
        GET,POST  /customers/{id}/wallets/new       wallets.new
        GET,POST  /customers/{id}/payment_methods/new       payment_methods.new
        POST      /customers/{id}/payment_methods/{method}/default payment_methods.set_as_default
        GET,POST  /customers/{id}/payment_methods/{method}/delete  payment_methods.delete
        GET       /customers/{id}/{tab}             customers.show

        GET       /subscriptions                    subscriptions.index
        GET,POST  /subscriptions/new                subscription_forms.new
        GET       /subscriptions/{id}               subscriptions.show
        GET,POST  /subscriptions/{id}/edit          subscription_forms.edit
        GET,POST  /subscriptions/{id}/change        subscription_forms.change
        GET,POST  /subscriptions/{id}/terminate     subscription_forms.terminate
        GET,POST  /subscriptions/{id}/cancel        subscription_forms.cancel
        GET       /subscriptions/{id}/{tab}         subscriptions.show

        GET       /invoices                         invoices.index
        GET,POST  /invoices/new                     one_off.new
        GET,POST  /invoices/bulk                    invoice_bulk.show
        GET       /invoices/{id}                    invoices.show
        GET       /invoices/{id}/pdf                invoices.pdf
        GET,POST  /invoices/{id}/finalize           invoice_acts.finalize
        POST      /invoices/{id}/refresh            invoice_acts.refresh
        GET,POST  /invoices/{id}/void               invoice_acts.void
        GET,POST  /invoices/{id}/delete             invoice_acts.delete
        GET,POST  /invoices/{id}/dispute            invoice_acts.lose_dispute
        GET,POST  /invoices/{id}/retry              invoice_acts.retry
        GET,POST  /invoices/{id}/retry_payment      invoice_acts.retry_payment
        GET,POST  /invoices/{id}/payment            invoice_acts.record_payment
        GET,POST  /invoices/{id}/payment_url        payment_methods.payment_url
        GET,POST  /invoices/{id}/payment_status     invoice_acts.payment_status
        GET,POST  /invoices/{id}/metadata           invoice_acts.metadata
        GET       /invoices/{id}/fees/{fee}         invoices.fee
        GET       /invoices/{id}/{tab}              invoices.show

        GET       /credit_notes                     credit_notes.index
        GET,POST  /credit_notes/new                 credit_notes.new
        GET       /credit_notes/{id}                credit_notes.show
        GET       /credit_notes/{id}/pdf            credit_notes.pdf
        GET,POST  /credit_notes/{id}/void           credit_notes.void
        GET,POST  /credit_notes/{id}/refund_status  credit_notes.refund_status
        GET,POST  /credit_notes/{id}/metadata       credit_notes.metadata

        GET       /payments                         payments.index
        GET       /payments/{id}                    payments.show
        GET       /payment_requests                 payment_requests.index
        GET,POST  /payment_requests/new             payment_requests.new
        GET       /payment_requests/{id}            payment_requests.show
        GET,POST  /payment_requests/{id}/payment_url payment_methods.request_url
        GET,POST  /payment_requests/{id}/retry_payment payment_requests.retry_payment

        GET       /wallets/{id}                     wallets.show
        GET,POST  /wallets/{id}/edit                wallets.edit
        GET,POST  /wallets/{id}/top_up              wallets.top_up
        GET,POST  /wallets/{id}/void                wallets.void
        GET,POST  /wallets/{id}/terminate           wallets.terminate

        GET       /billable_metrics                 billable_metrics.index
        GET,POST  /billable_metrics/new             billable_metrics.new
        GET       /billable_metrics/{id}            billable_metrics.show
        GET,POST  /billable_metrics/{id}/edit       billable_metrics.edit
        GET,POST  /billable_metrics/{id}/delete     billable_metrics.delete

        GET       /plans                            plans.index
        GET,POST  /plans/new                        plan_forms.new
        GET       /plans/templates                  plan_forms.templates
        POST      /plans/price                      plan_forms.price
        GET       /plans/{id}                       plans.show
        GET,POST  /plans/{id}/edit                  plan_forms.edit
        GET,POST  /plans/{id}/overwrite             plan_forms.overwrite
        GET,POST  /plans/{id}/delete                plan_forms.delete

        GET       /add_ons                          add_ons.index
        GET,POST  /add_ons/new                      add_ons.new
        GET       /add_ons/{id}                     add_ons.show
        GET,POST  /add_ons/{id}/edit                add_ons.edit
        GET,POST  /add_ons/{id}/delete              add_ons.delete

        GET       /coupons                          coupons.index
        GET,POST  /coupons/new                      coupons.new
        GET       /coupons/{id}                     coupons.show
        GET,POST  /coupons/{id}/edit                coupons.edit
        GET,POST  /coupons/{id}/terminate           coupons.terminate
        GET,POST  /coupons/{id}/delete              coupons.delete

        GET       /taxes                            taxes.index
        GET,POST  /taxes/new                        taxes.new
        GET       /taxes/{id}                       taxes.show
        GET,POST  /taxes/{id}/edit                  taxes.edit
        GET,POST  /taxes/{id}/delete                taxes.delete

        GET       /events                           events.index
        GET       /events/{id}                      events.show

        GET       /webhooks                         webhooks.index
        GET,POST  /webhooks/new                     webhooks.new
        GET       /webhooks/log                     webhook_log.index
        POST      /webhooks/resend                  webhook_log.resend_selected
        GET       /webhooks/signatures              webhook_keys.index
        GET,POST  /webhooks/hmac_key                webhook_keys.show_hmac_key
        GET,POST  /webhooks/hmac_key/rotate         webhook_keys.rotate_hmac_key
        GET       /webhooks/{endpoint}              webhooks.show
        GET,POST  /webhooks/{endpoint}/edit         webhooks.edit
        GET,POST  /webhooks/{endpoint}/delete       webhooks.delete
        GET,POST  /webhooks/{endpoint}/rotate_secret webhook_keys.rotate_secret
        GET,POST  /webhooks/{endpoint}/pause        webhooks.pause
        POST      /webhooks/{endpoint}/resume       webhooks.resume
        GET,POST  /webhooks/{endpoint}/replay       webhook_replays.begin
        GET       /webhooks/{endpoint}/replays/{replay} webhook_replays.show
        GET       /webhooks/{endpoint}/{message}    webhook_log.show
        GET,POST  /webhooks/{endpoint}/{message}/resend webhook_log.resend

        GET       /api_keys                         api_keys.index
        GET,POST  /api_keys/new                     api_keys.new
        GET,POST  /api_keys/{id}/rotate             api_keys.rotate
        GET,POST  /api_keys/{id}/revoke             api_keys.revoke

        GET,POST  /settings                         settings.show
        GET,POST  /settings/members/new             members.invite
        GET       /settings/members                 members.index
        GET,POST  /settings/members/{id}/remove     members.remove
        GET,POST  /settings/invitations/{id}/renew  members.renew
        GET,POST  /settings/invitations/{id}/revoke members.revoke
        GET       /settings/integrations            integrations.index
        GET,POST  /settings/integrations/new/{provider} integrations.new
        GET       /settings/integrations/{id}       integrations.show
        GET,POST  /settings/integrations/{id}/edit  integrations.edit
        GET,POST  /settings/integrations/{id}/rotate integrations.rotate
        GET,POST  /settings/integrations/{id}/disconnect integrations.disconnect
        GET,POST  /settings/{tab}                   settings.show

        GET,POST  /clock                            clock.show
        GET       /clock/state                      clock.state
        GET       /work/{id}                        work.show
        GET       /work/{id}/file                   work.file
        GET,POST  /export/{list}                    exports.show
        GET       /export/{list}/file               exports.file
        """,
    ),
]


def find(method: str, segments: Sequence[str]) -> tuple[Route, Mapping[str, str]] | None:
    """The route of an address and the texts of its names; None where there is none."""
    best: Route | None = None
    for route in ROUTES:
        pattern = route.segments
        if method not in route.methods.split(",") or len(pattern) != len(segments) or not _fits(pattern, segments):
            continue
        if best is None or _names(route) < _names(best):
            best = route
    if best is None:
        return None
    return best, {name[1:-1]: given for name, given in zip(best.segments, segments, strict=True) if name[0] == "{"}


def _fits(pattern: Sequence[str], segments: Sequence[str]) -> bool:
    return all(word[0] == "{" or word == given for word, given in zip(pattern, segments, strict=True))


def _names(route: Route) -> list[bool]:
    """Where its path has names: words come first, from the left."""
    return [segment[0] == "{" for segment in route.segments]
