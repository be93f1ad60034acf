"""The stand-ins: what the engine talks to instead of the real provider plugins, one per package."""
