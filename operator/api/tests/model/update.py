#!/usr/bin/env python3
"""Writes one table per operation of the ECS and Application Auto Scaling API models next to this file.

The tables hold facts only: path of each input member, type, whether the model requires it, enum values, bounds.
Needs the Python package botocore: `pip install botocore && python3 update.py`.
"""

import gzip
import json
import pathlib

import botocore

OPERATIONS = {
    "ecs/2014-11-13": [
        "RegisterTaskDefinition",
        "CreateService",
        "UpdateService",
        "CreateCluster",
        "PutClusterCapacityProviders",
        "CreateCapacityProvider",
    ],
    "application-autoscaling/2016-02-06": [
        "RegisterScalableTarget",
        "PutScalingPolicy",
        "PutScheduledAction",
    ],
}

# Shapes of describe output, which people paste.
OUTPUTS = {
    "ecs/2014-11-13": ["TaskDefinition", "Service", "Cluster", "CapacityProvider"],
    "application-autoscaling/2016-02-06": ["ScalableTarget", "ScalingPolicy", "ScheduledAction"],
}


def rows(shapes, name, path, required, seen):
    """Yields (path, type, required, enum, min, max) of the shape and everything in it."""
    shape = shapes[name]
    if path:
        yield (
            path,
            shape["type"],
            "yes" if required else "",
            "|".join(shape.get("enum", [])),
            shape.get("min", ""),
            shape.get("max", ""),
        )
    if name in seen:
        return
    seen = seen | {name}
    if shape["type"] == "structure":
        for member, target in shape["members"].items():
            inner = f"{path}.{member}" if path else member
            yield from rows(shapes, target["shape"], inner, member in shape.get("required", []), seen)
    elif shape["type"] == "list":
        yield from rows(shapes, shape["member"]["shape"], f"{path}[]", False, seen)
    elif shape["type"] == "map":
        yield from rows(shapes, shape["value"]["shape"], f"{path}{{}}", False, seen)


def write(name, lines):
    here = pathlib.Path(__file__).parent
    with open(here / f"{name}.tsv", "w", encoding="utf-8") as out:
        out.write("path\ttype\trequired\tenum\tmin\tmax\n")
        for line in lines:
            out.write("\t".join(str(cell) for cell in line) + "\n")


def main():
    data = pathlib.Path(botocore.__path__[0]) / "data"
    for folder in OPERATIONS:
        with gzip.open(data / folder / "service-2.json.gz") as packed:
            model = json.load(packed)
        for operation in OPERATIONS[folder]:
            shape = model["operations"][operation]["input"]["shape"]
            write(operation, rows(model["shapes"], shape, "", False, frozenset()))
        for shape in OUTPUTS[folder]:
            write(f"output-{shape}", rows(model["shapes"], shape, "", False, frozenset()))


if __name__ == "__main__":
    main()
