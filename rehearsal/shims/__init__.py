"""The programs that a simulated host's shell finds on its PATH.

Owns the client that carries a call over to the World (``shim.py``). It refuses to own what a program does:
``rehearsal.world.host_tools``.
"""
