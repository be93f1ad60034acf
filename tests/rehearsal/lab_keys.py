"""The keys of the tests' lab: its owner's, its first Vala's, somebody else's."""

from rehearsal.keys import SshKey, ssh_key

KEY: SshKey = ssh_key("owner", seed=b"0" * 32)
HOST_KEY = ssh_key("vala-1", seed=b"1" * 32).public
OTHER_KEY: SshKey = ssh_key("somebody else", seed=b"2" * 32)
