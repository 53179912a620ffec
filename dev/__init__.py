"""The relay on one machine: the template deployed with `sam deploy` to an emulator of AWS, without Docker.

`python -m dev COMMAND` runs in the project's folder. Each command, or each worker of the tests, has an *instance*: one
emulator with its own folder. `environment` makes sure that no program that we start can reach AWS.
"""


class UserError(Exception):
    """An error whose message is enough for the user; printed without a traceback."""
