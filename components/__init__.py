"""Plan in, resources out: one realm a module, thin. Realms do not know each other; `stacks` wires them."""
