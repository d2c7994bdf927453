"""``python -m benchmarks.house [FOLDER]``: the shape of a checkout's code. Runs none of it."""

import ast
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOMS = ("cli", "project", "delivery", "ledger", "transports", "preview")


def main() -> None:
    """Print modules, lines, import depth, classes and the largest parameter lists."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    trees = parsed(root)
    lines = sum(
        len(path.read_text(encoding="utf-8").splitlines())
        for path in (root / "newsletter").rglob("*.py")
    )
    chain = longest(imports(trees), components(imports(trees)))
    print(f"modules {len(trees)}, lines {lines:,}")
    print(f"import depth {len(chain)}, late imports counted: {' → '.join(chain)}")
    for room in ROOMS:
        inside = [
            tree for name, tree in trees.items() if f"{name}.".startswith(f"newsletter.{room}.")
        ]
        print(f"{room}: modules {len(inside)}, classes {sum(map(classes, inside))}")
    print("largest parameter lists:")
    found = sorted(
        ((count, f"{name}:{function}") for name, tree in trees.items()
         for function, count in parameters(tree)),
        reverse=True,
    )  # fmt: skip
    for count, where in found[:8]:
        print(f"  {count:2} {where}")


def parsed(root: Path) -> dict[str, ast.Module]:
    """Our modules, by their names."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): ast.parse(
            path.read_text(encoding="utf-8")
        )
        for path in sorted((root / "newsletter").rglob("*.py"))
    }


def imports(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    """Which modules of ours each module imports, wherever in it; types alone do not count."""
    edges: dict[str, set[str]] = {}
    for name, tree in trees.items():
        typing = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            for inner in ast.walk(node)
        }
        edges[name] = {
            target
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module and id(node) not in typing
            for each in node.names
            # Of a package a module was asked for, or a name that stands in the package itself.
            if (target := next(filter(trees.__contains__, (f"{node.module}.{each.name}",
                                                           node.module)), name)) != name
        }  # fmt: skip
    return edges


def components(edges: dict[str, set[str]]) -> dict[str, int]:
    """Modules that import one another in a circle share a number."""
    reach: dict[str, set[str]] = defaultdict(set)
    for name in edges:
        waiting = [name]
        while waiting:
            for target in edges[waiting.pop()]:
                if target not in reach[name]:
                    reach[name].add(target)
                    waiting.append(target)
    numbers: dict[str, int] = {}
    for number, name in enumerate(edges):
        if name not in numbers:
            for other in (name, *(o for o in reach[name] if name in reach[o])):
                numbers[other] = number
    return numbers


def longest(edges: dict[str, set[str]], circle: dict[str, int]) -> list[str]:
    """The longest chain of imports; a circle counts as one step."""

    @cache
    def below(name: str) -> tuple[str, ...]:
        steps = [below(target) for target in edges[name] if circle[target] != circle[name]]
        return (name, *max(steps, key=len, default=()))

    return [name.removeprefix("newsletter.") for name in max(map(below, edges), key=len)]


def classes(tree: ast.Module) -> int:
    """How many classes a module defines."""
    return sum(isinstance(node, ast.ClassDef) for node in ast.walk(tree))


def parameters(tree: ast.Module) -> list[tuple[str, int]]:
    """Functions that are no commands, and how many parameters each has, besides self."""
    return [
        (node.name, len([a for a in all_of(node.args) if a.arg not in {"self", "cls"}]))
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and "typer." not in ast.unparse(node.args)
    ]


def all_of(arguments: ast.arguments) -> list[ast.arg]:
    """All parameters, by whichever way they are passed."""
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


if __name__ == "__main__":
    main()
