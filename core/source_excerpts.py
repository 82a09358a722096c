"""Definitions from a module's source, with everything in the module that they use. The module is not imported."""

import ast
from collections.abc import Iterable, Iterator


def source_excerpt(source: str, wanted: Iterable[str]) -> str:
    """The definitions of these names and of whatever they use, in the module's order and without type annotations.

    Args:
        source: A module's source.
        wanted: Names of functions, classes or constants at its top level; of methods with a dot before them.

    Methods that nothing in the excerpt calls are left out of classes.
    """
    source = "\n".join(_without_annotations(source))
    nodes = {name: node for node in ast.parse(source).body for name in _names(node)}
    used: set[str] = set()
    new = set(wanted)
    while new:
        used |= new
        inner = [each for name in new & nodes.keys() for each in ast.walk(nodes[name])]
        new = {each.id for each in inner if isinstance(each, ast.Name)} - used
        new |= {f".{each.attr}" for each in inner if isinstance(each, ast.Attribute)} - used
    chosen = dict.fromkeys(node for name, node in nodes.items() if name in used)
    return "\n\n\n".join(_text(node, source.splitlines(), used) for node in chosen)


def _names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name))


def _without_annotations(source: str) -> list[str]:
    """The lines of a module without the annotations of arguments, results and variables."""
    lines, spans = source.splitlines(), []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.arg) and node.annotation:
            spans.append((node.col_offset + len(node.arg), node.annotation, "="))
        elif isinstance(node, ast.AnnAssign):
            spans.append((node.target.end_col_offset or 0, node.annotation, " = "))
        elif isinstance(node, ast.FunctionDef) and node.returns:
            spans.append((node.returns.col_offset - len(" -> "), node.returns, ""))
    for start, annotation, equals in sorted(spans, key=lambda span: -span[0]):  # from right to left
        row = annotation.lineno - 1
        rest = lines[row][annotation.end_col_offset :]
        lines[row] = lines[row][:start] + (equals + rest.removeprefix(" = ") if rest.startswith(" = ") else rest)
    return lines


def _text(node: ast.stmt, lines: list[str], used: set[str]) -> str:
    """A definition's lines, without methods that are not used, and attributes of which only the type was given."""
    inner = node.body if isinstance(node, ast.ClassDef) else []
    methods = [each for each in inner if isinstance(each, ast.FunctionDef)]
    unused = [each for each in methods if f".{each.name}" not in used and not each.name.startswith("__")]
    declared = [each for each in inner if isinstance(each, ast.Expr) and isinstance(each.value, ast.Name)]
    left_out = {line for each in (*unused, *declared) for line in range(each.lineno - 1, (each.end_lineno or 0) + 1)}
    return "\n".join(lines[at] for at in range(node.lineno - 1, node.end_lineno or 0) if at not in left_out).strip()
