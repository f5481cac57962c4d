"""PRESENT: the API's description, openapi.yaml, as what its page shows. Pure but for one read."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

Node = Mapping[str, Any]

SAMPLE_TEXT = "…"
SAMPLE_NUMBER = 12_345


class Parameter(NamedTuple):
    """What an endpoint takes; `choices` are all it takes, empty where there is no such list."""

    name: str
    place: str
    required: bool
    description: str
    choices: tuple[str, ...]
    example: str


class Endpoint(NamedTuple):
    """One address of the API; `sample` is what an answer looks like, None where it is no JSON."""

    id: str
    path: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    statuses: Mapping[str, str]
    sample: str | None

    def address(self, *, query: bool) -> str:
        """Return an example's path, with what its query must have, and with one choice or none."""
        path = self.path
        for each in self.parameters:
            if each.place == "path":
                path = path.replace(f"{{{each.name}}}", quote(each.example, safe="=,"))
        asked = [each for each in self.parameters if each.place == "query"]
        chosen = [each for each in asked if each.required]
        optional = next((each for each in asked if not each.required and each.example), None)
        if query and optional is not None:
            chosen.append(optional)
        values = {each.name: each.example for each in chosen}
        return f"{path}?{urlencode(values, safe=',')}" if values else path

    @property
    def examples(self) -> tuple[str, ...]:
        """Return the paths of the examples, the plain one first."""
        return tuple(dict.fromkeys([self.address(query=False), self.address(query=True)]))


def read_endpoints(path: Path) -> tuple[Endpoint, ...]:
    """Return the endpoints of a description in its order."""
    # Only the API's page needs it, and it takes 1 MiB.
    import yaml  # noqa: PLC0415

    document = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return tuple(_endpoint(document, path, item["get"]) for path, item in document["paths"].items())


def _endpoint(document: Node, path: str, operation: Node) -> Endpoint:
    responses = {
        status: _resolved(document, response) for status, response in operation["responses"].items()
    }
    return Endpoint(
        operation["operationId"],
        path,
        operation["summary"],
        operation.get("description", ""),
        tuple(_parameter(document, each) for each in operation.get("parameters", ())),
        {status: response["description"] for status, response in responses.items()},
        _sample(document, responses["200"]),
    )


def _parameter(document: Node, node: Node) -> Parameter:
    node = _resolved(document, node)
    schema = _resolved(document, node.get("schema", {}))
    choices = tuple(str(each) for each in schema.get("enum", ()))
    examples = (node.get("example"), schema.get("example"), *choices, schema.get("default"), "")
    return Parameter(
        node["name"],
        node["in"],
        bool(node.get("required")),
        node.get("description", ""),
        choices,
        str(next(each for each in examples if each is not None)),
    )


def _sample(document: Node, response: Node) -> str | None:
    media = response.get("content", {}).get("application/json")
    if media is None:
        return None
    sample = media.get("example") or _example(document, media["schema"])
    return json.dumps(sample, indent=2, ensure_ascii=False)


def _example(document: Node, schema: Node) -> Any:
    """Return a value that the schema allows, the schema's own example where it has one."""
    schema = _resolved(document, schema)
    for known in _known_values(schema):
        return known
    for choice in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        return _example(document, choice)
    kind = schema.get("type", "object")
    kind = next(each for each in kind if each != "null") if isinstance(kind, list) else kind
    if kind == "array":
        return [_example(document, schema["items"])]
    if kind == "object":
        return {
            name: _example(document, each) for name, each in schema.get("properties", {}).items()
        }
    number = min(SAMPLE_NUMBER, schema.get("maximum", SAMPLE_NUMBER))
    return {"integer": number, "number": 0.5, "boolean": True}.get(kind, SAMPLE_TEXT)


def _known_values(schema: Node) -> Iterator[Any]:
    for key in ("example", "const", "default"):
        if key in schema:
            yield schema[key]
    yield from schema.get("examples", ())
    yield from schema.get("enum", ())
    if schema.get("format") == "date":
        yield "2026-03-01"


def _resolved(document: Node, node: Node) -> Node:
    """Follow a reference within the document; what stands beside it goes before."""
    reference = node.get("$ref")
    if reference is None:
        return node
    target = document
    for name in reference.removeprefix("#/").split("/"):
        target = target[name]
    return {**target, **node}
