"""Plan in, text or dict out: one artefact a module. Pure: no Pulumi, no I/O, no clock."""
