"""How a request arrives: from a host name to the pods behind it, from outside and from the LAN, link by link.

Owns the proof (`proof.prove`): who answers the name, which tunnel rule, hop, gateway, listener and certificate take the
request, which route, Service, pods and policy. Refuses to judge (`model.laws.routes`), to ask any real DNS, and to know
what a chart makes that its values do not say: what cannot be seen is said to be unseen, never taken for missing.
"""
