"""Composition: the only room that knows configuration, secrets, providers and exports."""
