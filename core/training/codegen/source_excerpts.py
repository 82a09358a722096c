"""Single functions out of a module's text, with all that they need of it, for people to read: no annotations.

Nothing is imported or executed.
"""

import ast
from collections.abc import Iterable, Iterator


def source_excerpt(module: str, wanted: Iterable[str]) -> str:
    """The source of what has these names in a module's text, and of whatever in the module that refers to.

    Args:
        module: The module's source.
        wanted: Names of functions, classes or constants at its top level; of methods with a dot before them.

    Returns source in the order of the module. Methods that nothing calls are left out of classes.
    """
    known = {name: node for node in ast.parse(module).body for name in _names(node)}
    used: set[str] = set()
    new = set(wanted)
    while new - used:
        used |= new
        new = {name for node in known.values() for name in _referred_to(node, used)}
    lines = module.splitlines()
    chosen = dict.fromkeys(node for name, node in known.items() if name in used)
    return "\n\n\n".join("\n".join(_lines(node, lines, used)) for node in chosen)


def _names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def _referred_to(node: ast.stmt, used: set[str]) -> Iterator[str]:
    """The names of variables, and with a dot before them of attributes, in what of a node belongs to the excerpt."""
    if used.isdisjoint(_names(node)):
        return
    for part in _kept(node, used) if isinstance(node, ast.ClassDef) else [node]:
        for inner in _without_annotations(part):
            if isinstance(inner, ast.Name):
                yield inner.id
            elif isinstance(inner, ast.Attribute):
                yield f".{inner.attr}"


def _without_annotations(node: ast.AST) -> Iterator[ast.AST]:
    """Every node below this one but those that say of which type something is."""
    yield node
    for field, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        for child in children:
            if isinstance(child, ast.AST) and field not in ("annotation", "returns"):
                yield from _without_annotations(child)


def _kept(node: ast.ClassDef, used: set[str]) -> list[ast.stmt]:
    return [
        each
        for each in node.body
        if not isinstance(each, ast.FunctionDef) or f".{each.name}" in used or each.name.startswith("__")
    ]


def _lines(node: ast.stmt, lines: list[str], used: set[str]) -> list[str]:
    """A node's lines, without annotations and the methods that are not used."""
    if isinstance(node, ast.ClassDef):
        head = lines[node.lineno - 1 : node.body[0].lineno - 1]
        parts = [_lines(each, lines, used) for each in _kept(node, used)]
        return [*head, *(line for part in parts for line in (*part, ""))][:-1]
    found = lines[node.lineno - 1 : node.end_lineno]
    functions = [each for each in ast.walk(node) if isinstance(each, ast.FunctionDef)]
    for each in sorted(functions, key=lambda each: -each.lineno):
        start, end = each.lineno - node.lineno, each.body[0].lineno - node.lineno
        found[start:end] = [" " * each.col_offset + _head(each)]
    if isinstance(node, ast.AnnAssign):
        found[0] = f"{ast.unparse(node.target)} = {found[0].partition(' = ')[2]}"
    return found


def _head(function: ast.FunctionDef) -> str:
    arguments = function.args
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
    for each in every:
        if each is not None:
            each.annotation = None
    return f"def {function.name}({ast.unparse(arguments)}):"
