"""`Road`: a network, and the chains of stages that end in it.

A chain is folded once for each combination of what requests need: what is off is not in it.
"""

from typing import TYPE_CHECKING, Any

from gofer.dropin.models import PreparedRequest
from gofer.stages import Send, fold
from gofer.stages.auth import auth
from gofer.stages.cookies import cookies
from gofer.stages.redirects import redirects
from gofer.stages.retries import retries

if TYPE_CHECKING:
    from gofer.network.exchange import Network

__all__ = ["PROTOCOL", "Road"]

# What a request may need that others do not; each combination has a chain of its own.
HOOKS, VERBOSE, AUTH, STEPS, PROTOCOL = 1, 2, 4, 8, 16


class Road:
    """The way of requests from a call to the wire."""

    __slots__ = ("chains", "network")

    def __init__(self, network: "Network") -> None:
        self.network = network
        self.chains: dict[int, Send] = {}

    def chain_for(self, request: PreparedRequest, features: int = 0) -> Send:
        """The stages that `request` needs, around the network.

        Args:
            features: PROTOCOL for a request that switches to another protocol.
        """
        if request._hooks:
            features |= HOOKS
        if request.settings.verbose is not None:
            features |= VERBOSE
        if request.auth is not None:
            features |= AUTH
        if request.adapter_arguments is not None:
            features |= STEPS
        chain = self.chains.get(features)
        if chain is None:
            chain = self.chains[features] = _chain(features, self.network)
        return chain


def _chain(features: int, network: "Network") -> Send:
    """The stages for requests with these features, from the outside in."""
    around: list[Any] = []
    if features & HOOKS:
        from gofer.stages.hooks import answer_hooks

        around.append(answer_hooks)
    around.append(cookies)
    if features & AUTH:
        around.append(auth)
    if features & (HOOKS | VERBOSE):
        from gofer.stages.hooks import wire_hooks

        around.append(wire_hooks)
    if features & STEPS:  # Requests' way: both ends are methods that users can replace
        from gofer.dropin import steps

        return fold([steps.follow, *around], steps.send_by_adapter)
    bottom = network.switch if features & PROTOCOL else network.send
    return fold([redirects, *around, retries(network.runtime)], bottom)
