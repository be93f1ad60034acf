"""Whether the GitOps folders close: whatever an object needs is brought by somebody, before it, and by one writer.

Owns reading the folders as what an engine would apply, what each object needs and brings, and the graph of both.
Refuses to judge (`model.laws.closure`), to render a chart, and to read a disk: the folders are handed in as data.
"""
