"""A link as it is kept."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.providers.values import MethodState
from chalicelib.platform.ids import CustomerId, PaymentMethodId, PaymentProviderId

# The version of a link that no item holds yet.
NOT_WRITTEN = -1


class LinkedMethod(BaseModel):
    """A way to pay that a customer left with the provider, whose id is `provider_method_id`. `currency`: the only one it can be
    charged in, empty for any."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    id: PaymentMethodId
    provider_method_id: str
    type: str
    state: MethodState
    currency: str = ""
    brand: str = ""
    last4: str = ""
    is_default: bool = False
    created_at: datetime


class ProviderLink(BaseModel):
    """A customer with a connection. `asked_at`: the real time at which the provider was first asked to create it, in its
    present `generation`, which rises when the provider has lost it; `told`: a digest of the details that the provider knows;
    `provider_default`: the provider's id of the method that was its default when it was last asked."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

    customer_id: CustomerId
    connection_id: PaymentProviderId
    provider_customer_id: str | None = None
    lost: bool = False
    asked_at: datetime | None = None
    generation: int = 0
    told: str = ""
    methods: tuple[LinkedMethod, ...] = ()
    provider_default: str | None = None
    version: int = NOT_WRITTEN

    @property
    def default(self) -> LinkedMethod | None:
        """The method to be charged unless another is chosen."""
        return next((each for each in self.methods if each.is_default and each.state == "usable"), None)

    def method(self, method_id: str) -> LinkedMethod | None:
        """The method under our id, or under the provider's."""
        return next((each for each in self.methods if method_id in (each.id, each.provider_method_id)), None)


@dataclass(frozen=True, slots=True)
class Account:
    """What a customer can be charged by. `method`: the default, None where none can be charged."""

    connection: ProviderConnection
    link: ProviderLink
    method: LinkedMethod | None

    @property
    def provider_customer_id(self) -> str:
        """The provider's id of the customer."""
        assert self.link.provider_customer_id is not None, "accounts are of linked customers"
        return self.link.provider_customer_id
