"""The faults of the soak: how each is injected and removed, and how its effect is seen."""

import time
from collections import Counter
from random import Random

from dev import processes
from dev.stack import Stack
from dev.tcp_proxy import TcpProxy

SERVICES = {
    "SQS": "AWS_ENDPOINT_URL_SQS",
    "Secrets Manager": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "S3": "AWS_ENDPOINT_URL_S3",
}
"""The services that the function uses, and the variable with the address of each."""


class Fault:
    """Kills the function with SIGKILL at random moments."""

    name = "function killed"

    def __init__(self, stack: Stack, random: Random) -> None:
        self.stack, self.random = stack, random
        self.killed = 0

    def inject(self) -> None:
        self.kill()

    def has_effect(self, responses: Counter[str]) -> bool:
        """Returns whether the responses since the injection show an effect. Called repeatedly."""
        if self.random.random() < 0.05:
            self.kill()
        return self.killed > 0 and responses["502"] > 0  # the gateway's response if the function dies

    def remove(self) -> None:
        """Does nothing if the fault was not injected."""

    def kill(self) -> None:
        self.killed += processes.kill(self.stack.emulator.instance, "bootstrap")


class Unreachable(Fault):
    """Connections to services are refused, or hang."""

    def __init__(self, stack: Stack, random: Random, proxies: dict[str, TcpProxy], mode: str, outcome: str) -> None:
        super().__init__(stack, random)
        self.proxies, self.mode, self.outcome = proxies, mode, outcome
        self.name = f"{' and '.join(proxies)} {'refused' if mode == 'close' else 'hanging'}"

    def inject(self) -> None:
        for proxy in self.proxies.values():
            getattr(proxy, self.mode)()

    def has_effect(self, responses: Counter[str]) -> bool:
        return responses[self.outcome] > 0

    def remove(self) -> None:
        for proxy in self.proxies.values():
            proxy.open()


class StaleSecret(Unreachable):
    """Secrets Manager cannot be reached, and the last secret stays in use."""

    def inject(self) -> None:
        self.since = time.time()
        super().inject()

    def has_effect(self, responses: Counter[str]) -> bool:
        return super().has_effect(responses) and self.stack.counted("SecretStale", self.since) > 0


class NoSecret(Unreachable):
    """Secrets Manager cannot be reached when the function starts."""

    def inject(self) -> None:
        self.name += " at a cold start"
        super().inject()
        self.kill()


def all_faults(stack: Stack, random: Random, proxies: dict[str, TcpProxy]) -> list[Fault]:
    """Returns one of each in random order."""
    faults = [Fault(stack, random)]
    for mode in ("close", "hang"):
        secrets = {"Secrets Manager": proxies["Secrets Manager"]}
        faults += [
            Unreachable(stack, random, {"SQS": proxies["SQS"]}, mode, "spilled"),
            Unreachable(stack, random, {"S3": proxies["S3"]}, mode, "503"),
            Unreachable(stack, random, proxies, mode, "503"),
            StaleSecret(stack, random, secrets, mode, "queued"),
            NoSecret(stack, random, secrets, mode, "503"),
        ]
    random.shuffle(faults)
    return faults
