"""A command on a machine over SSH, its host key always checked.

Owns the connection's rules. Refuses a host without a pinned key: the provider would not check it, silently.
"""

import pulumi
from pulumi_command.remote import Command, ConnectionArgs, Logging

SLOW = pulumi.CustomTimeouts(create="100m", update="100m")
"""For what waits until a machine has booted for the first time, or what it boots from is made: it gives up by itself
before, and says why."""


def connection(address: str, user: str, host_key: pulumi.Input[str], private_key: pulumi.Input[str]) -> ConnectionArgs:
    """How a machine is reached. Dialling goes on until the operation's own timeout: a Pi boots slowly."""
    return ConnectionArgs(
        host=address,
        user=user,
        private_key=pulumi.Output.secret(private_key),
        host_key=host_key,
        dial_error_limit=-1,
        per_dial_timeout=15,
    )


def command(
    name: str,
    text: str,
    to: ConnectionArgs,
    opts: pulumi.ResourceOptions,
    *,
    stdin: pulumi.Input[str] | None = None,
    secret: bool = False,
) -> Command:
    """Run `text`; it must be idempotent, for any change of its inputs runs it again. `secret` hides what it prints."""
    hidden = pulumi.ResourceOptions(
        additional_secret_outputs=["stdout", "stderr"] if secret else [],
        custom_timeouts=SLOW,
    )
    return Command(
        name,
        connection=to,
        create=text,
        stdin=stdin,
        logging=Logging.NONE if secret else Logging.STDOUT_AND_STDERR,
        # The provider would hand a run the output of the one before: a secret in an environment, for nothing
        add_previous_output_in_env=False,
        opts=pulumi.ResourceOptions.merge(opts, hidden),
    )
