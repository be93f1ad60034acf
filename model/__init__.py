"""What is wanted, and everything that follows from it. Pure: no Pulumi, no I/O, no clock."""
