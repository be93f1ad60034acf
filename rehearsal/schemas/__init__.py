"""The shapes of what the program registers, as the installed SDKs state them.

Owns the generating of ``<package>.json`` beside this file: inputs at every depth, required inputs, outputs and secret
outputs of the few resources and functions that this program uses, in the form that ``rehearsal.standins.schema`` reads.
It refuses to own shapes of its own: every name comes out of an SDK class, so a raised version shows as a difference.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pulumi._types import (
    input_type_py_to_pulumi_names,
    input_type_types,
    is_input_type,
    output_type_types,
    resource_types,
)

FOLDER = Path(__file__).parent

Entry = dict[str, Any]

RESOURCES = {
    "cloudflare": (
        "pulumi_cloudflare.DnsRecord",
        "pulumi_cloudflare.ZoneSetting",
        "pulumi_cloudflare.ZeroTrustTunnelCloudflared",
        "pulumi_cloudflare.ZeroTrustTunnelCloudflaredConfig",
    ),
    "command": ("pulumi_command.local.Command", "pulumi_command.remote.Command"),
    "kubernetes": ("pulumi_kubernetes.helm.v3.Release",),
    "random": ("pulumi_random.RandomBytes",),
    "talos": (
        "pulumiverse_talos.machine.Secrets",
        "pulumiverse_talos.machine.ConfigurationApply",
        "pulumiverse_talos.machine.Bootstrap",
        "pulumiverse_talos.cluster.Kubeconfig",
        "pulumiverse_talos.imagefactory.Schematic",
    ),
}
"""The resources the program makes, by package. Kubernetes' plain objects are judged by the World's own facts."""

FUNCTIONS = {
    "talos": ("pulumiverse_talos.machine.get_configuration", "pulumiverse_talos.client.get_configuration"),
}
"""The functions the program calls."""

PROVIDERS = {
    "cloudflare": "pulumi_cloudflare.Provider",
    "command": "pulumi_command.Provider",
    "kubernetes": "pulumi_kubernetes.Provider",
    "random": "pulumi_random.Provider",
    "talos": "pulumiverse_talos.Provider",
}
"""What configures each package."""


def document(package: str) -> dict[str, Any]:
    """The shapes of ``package``: ``{resources: {token: entry}, functions: {token: entry}, provider: entry}``."""
    resources = dict(_resource(path) for path in RESOURCES[package])
    functions = dict(_function(path) for path in FUNCTIONS.get(package, ()))
    return {"resources": resources, "functions": functions, "provider": _resource(PROVIDERS[package])[1]}


def text(package: str) -> str:
    """What ``<package>.json`` must hold. Importing the SDKs takes seconds."""
    return json.dumps(document(package), indent=2, sort_keys=True) + "\n"


def file(package: str) -> Path:
    """Where the shapes of ``package`` lie."""
    return FOLDER / f"{package}.json"


def _found(path: str) -> tuple[Any, Any]:
    """What an SDK has at a dotted path, and the module that defines it."""
    module, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    return found, importlib.import_module(found.__module__)


def _resource(path: str) -> tuple[str, Entry]:
    """A resource class: its token, its arguments' class and what it declares about secrets."""
    resource, module = _found(path)
    tree = _syntax(resource)
    computed = {"outputs": sorted(resource_types(resource)), "secret": sorted(_secret_outputs(tree))}
    return _token(tree), _object(getattr(module, f"{resource.__name__}Args")) | computed


def _function(path: str) -> tuple[str, Entry]:
    """A function: what it puts into the call, and the class of what it gives back. SDKs name no secrets here."""
    function, module = _found(path)
    lifted = _syntax(getattr(module, f"{function.__name__}_output"))
    names = _sent(lifted)
    stem = "".join(part.capitalize() for part in function.__name__.split("_"))
    results = output_type_types(getattr(module, f"{stem}Result"))
    required = [names[argument.arg] for argument in _arguments(lifted) if not _twice_optional(argument)]
    inputs = {"inputs": sorted(names.values()), "required": sorted(required)}
    return _token(lifted), inputs | {"outputs": sorted(results), "secret": []}


def _object(arguments: type) -> Entry:
    """An arguments' class: its names, those without a default, and the same of every class inside it."""
    names = input_type_py_to_pulumi_names(arguments)
    parameters = inspect.signature(arguments.__init__).parameters
    required = [names[name] for name in names if parameters[name].default is inspect.Parameter.empty]
    inside = {name: _class_in(annotation) for name, annotation in input_type_types(arguments).items()}
    nested = {name: _object(found) for name, found in inside.items() if found}
    entry: Entry = {"inputs": sorted(names.values()), "required": sorted(required)}
    return entry | {"nested": nested} if nested else entry


def _class_in(annotation: Any) -> type | None:
    """The arguments' class that a property, or every item of its list, is of; maps of them do not occur here."""
    if isinstance(annotation, type) and is_input_type(annotation):
        return annotation
    items = get_args(annotation) if get_origin(annotation) in (Sequence, Union) else ()
    return next((found for item in items if (found := _class_in(item))), None)


def _syntax(thing: Any) -> ast.AST:
    return ast.parse(textwrap.dedent(inspect.getsource(thing)))


def _calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
            yield node


def _token(tree: ast.AST) -> str:
    """The literal that the generated code registers or calls with."""
    literals = [call.args[0] for call in _calls(tree, "__init__", "invoke_output") if call.args]
    return next(node.value for node in literals if isinstance(node, ast.Constant) and isinstance(node.value, str))


def _secret_outputs(tree: ast.AST) -> list[str]:
    """``additional_secret_outputs`` of the constructor: properties that are secret whatever they were made of."""
    keywords = [keyword for call in _calls(tree, "ResourceOptions") for keyword in call.keywords]
    lists = [keyword.value for keyword in keywords if keyword.arg == "additional_secret_outputs"]
    return [name for literal in lists for name in ast.literal_eval(literal)]


def _sent(tree: ast.AST) -> dict[str, str]:
    """``{parameter: name in the call}`` from the generated ``__args__['clusterName'] = cluster_name``."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            key, value = node.targets[0].slice, node.value
            if isinstance(key, ast.Constant) and isinstance(value, ast.Name):
                found[value.id] = str(key.value)
    return found


def _arguments(tree: ast.AST) -> list[ast.arg]:
    function = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return [argument for argument in function.args.args if argument.arg != "opts"]


def _twice_optional(argument: ast.arg) -> bool:
    """Generated code wraps every parameter of a function in ``Optional``, and those that may be left out twice."""
    return "Optional[Optional[" in ast.unparse(argument.annotation or ast.Constant(None))
