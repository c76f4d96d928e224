"""Mutants of a module: each is its source with one small thing wrong in one function.

Comparisons, arithmetic, and/or, not, conditions, whole numbers, True and False, short strings (codes, keys, kinds),
returned values, and statements that are left out. Annotations, docstrings, sentences for people and what is worked out
when the module is loaded are left alone.
"""

import ast
import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

COMPARED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
COUNTED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip


class Mutant(NamedTuple):
    """One mutant: in which function (its qualified name), on which line, and what was changed.

    `lines` are those of the smallest statement around the change; `tree` makes the module's tree with the change.
    """

    function: str
    line: int
    change: str
    lines: range
    tree: Callable[[], ast.Module]


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a module's source, in order."""
    tree = ast.parse(source)
    for name, function in _functions(tree.body, ""):
        places = [node for part in function.body for node in _walk(part)]
        for n, node in enumerate(places):
            for change, replaced in _changes(node):
                line = getattr(node, "lineno", function.lineno)
                yield Mutant(name, line, change, _around(function, line), partial(_with, tree, name, n, replaced))


def _functions(body, prefix):
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.")


def _around(function, line):
    """The lines of the smallest statement with this line; of one with a body, those before the body."""
    best = range(function.lineno, function.end_lineno + 1)
    for node in ast.walk(function):
        if isinstance(node, ast.stmt) and node is not function:
            body = getattr(node, "body", None)
            end = body[0].lineno - 1 if body else node.end_lineno
            found = range(node.lineno, max(node.lineno, end) + 1)
            if line in found and len(found) < len(best):
                best = found
    return best


def _walk(node):
    """The node and all below it, in a stable order, without annotations, docstrings and text for people."""
    if isinstance(node, ast.JoinedStr | ast.Assert) or _is_docstring(node):
        return
    yield node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "type_comment"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _walk(child)


def _is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _changes(node):  # noqa: C901 -- one case an operator, side by side
    """What may be put in the place of a node, each with a word about it."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARED:
            other = COMPARED[type(op)]
            yield f"{type(op).__name__} to {other.__name__}", ast.Compare(node.left, [other()], node.comparators)
        case ast.Compare(ops=[first, *rest]):
            other = COMPARED[type(first)]
            yield (
                f"{type(first).__name__} to {other.__name__}",
                ast.Compare(node.left, [other(), *rest], node.comparators),
            )
        case ast.BinOp(op=op) if type(op) in COUNTED:
            other = COUNTED[type(op)]
            yield f"{type(op).__name__} to {other.__name__}", ast.BinOp(node.left, other(), node.right)
        case ast.AugAssign(op=op):
            if type(op) in COUNTED:
                yield f"{type(op).__name__}= otherwise", ast.AugAssign(node.target, COUNTED[type(op)](), node.value)
            yield "statement left out", ast.Pass()
        case ast.BoolOp(op=ast.And()):
            yield "and to or", ast.BoolOp(ast.Or(), node.values)
        case ast.BoolOp(op=ast.Or()):
            yield "or to and", ast.BoolOp(ast.And(), node.values)
        case ast.UnaryOp(op=ast.Not()):
            yield "not left out", node.operand
        case ast.UnaryOp(op=ast.USub()):
            yield "minus left out", node.operand
        case ast.If() | ast.IfExp() | ast.While():
            yield "condition turned round", _with_test(node, ast.UnaryOp(ast.Not(), node.test))
        case ast.comprehension(ifs=[first, *rest]):
            turned = [ast.UnaryOp(ast.Not(), first), *rest]
            yield "filter turned round", ast.comprehension(node.target, node.iter, turned, node.is_async)
        case ast.Constant(value=bool(value)):
            yield f"{value} to {not value}", ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield f"{value} to {value + 1}", ast.Constant(value + 1)
        case ast.Constant(value=str(value)) if value and " " not in value:
            yield f"{value!r} to another text", ast.Constant(f"x{value}")
        case ast.Return(value=value) if value is not None and not _is_falsy(value):
            yield "returns None", ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom()):
            yield "statement left out", ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "statement left out", ast.Pass()
        case ast.Continue():
            yield "continue to break", ast.Break()
        case ast.Break():
            yield "break to continue", ast.Continue()


def _is_falsy(value):
    """What a caller that only asks whether it is true cannot tell from None."""
    return isinstance(value, ast.Constant) and not value.value


def _with_test(node, test):
    changed = copy.copy(node)
    changed.test = test
    return changed


class _Put(ast.NodeTransformer):
    def __init__(self, target, replaced):
        self.target = target
        self.replaced = replaced

    def visit(self, node):
        if node is self.target:
            return ast.copy_location(self.replaced, node)
        return self.generic_visit(node)


def _with(tree, name, n, replaced):
    """The tree with the n-th node of a function replaced; the tree itself stays as it is."""
    mine = copy.deepcopy(tree)
    function = next(node for found, node in _functions(mine.body, "") if found == name)
    target = [node for part in function.body for node in _walk(part)][n]
    new = _Put(target, copy.deepcopy(replaced))
    function.body = [new.visit(part) for part in function.body]
    return ast.fix_missing_locations(mine)
