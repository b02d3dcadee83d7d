"""docs/openapi.yaml as a judge of what the server answers."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

FILE = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
URI = "urn:honmono"


@cache
def description() -> dict[str, Any]:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def faults(path: str, method: str, response: Any) -> list[str]:
    """How a response differs from its description: the status, the type, each member."""
    described = description()["paths"][path][method]["responses"]
    status = str(response.status_code)
    if status not in described:
        return [f"status {status} is not described"]
    at = f"#/paths/{_escape(path)}/{method}/responses/{status}"
    if "$ref" in described[status]:
        at = described[status]["$ref"]
    if response["Content-Type"] != "application/json":
        return [f"type {response['Content-Type']}"]
    schema = {"$ref": f"{URI}{at}/content/application~1json/schema"}
    return [error.message for error in _validator(schema).iter_errors(response.json())]


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


def _validator(schema: dict[str, Any]) -> Draft202012Validator:
    resource = Resource(contents=description(), specification=DRAFT202012)
    registry = Registry().with_resource(URI, resource)
    return Draft202012Validator(schema, registry=registry)
