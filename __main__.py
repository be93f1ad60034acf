"""Project Ilúvatar: one stack, one lab, from bare metal to GitOps."""

from stacks.lab import build

build()
