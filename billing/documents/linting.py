"""What prints but was probably not meant: unknown variables, with a suggestion, and broken CSS."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import tinycss2
from jinja2 import nodes

Shape = dict[str, Any]  # {"client": {"name": {}}, "lines": {"[]": {"value": {}}}}
Scope = dict[str, Shape | None]  # None: a local name of which nothing is known

ITEM = "[]"
_SAME_SHAPE = {
    *("default", "d", "sort", "list", "reverse", "unique", "select", "reject"),
    *("selectattr", "rejectattr"),
}
_ONE_ITEM = {"first", "last"}
_EXCUSED = {"default", "d", "defined", "undefined"}
_DICT_METHODS = {"items", "keys", "values", "get"}


@dataclass(frozen=True)
class TemplateWarning:
    """Something that prints, but probably not what was meant. `message` and `text` are pt-BR."""

    line: int
    message: str
    suggestion: str = ""

    @property
    def text(self) -> str:
        """The whole sentence, as the editor shows it."""
        hint = f" Você quis dizer {self.suggestion}?" if self.suggestion else ""
        return f"Linha {self.line}: {self.message}{hint}"


def shape_of_paths(paths: Iterable[str]) -> Shape:
    """`{"client.name", "lines[].value"}` as nested dicts."""
    shape: Shape = {}
    for path in paths:
        place = shape
        for part in path.replace(ITEM, f".{ITEM}").split("."):
            place = place.setdefault(part, {})
    return shape


def unknown_variables(
    tree: nodes.Template, *, known: set[str], globals_: Iterable[str]
) -> list[TemplateWarning]:
    """A warning for each line and name, in the order of the lines."""
    linter = _Linter(known, globals_)
    linter.visit(tree, {})
    return sorted(linter.found.values(), key=lambda warning: warning.line)


def css_warnings(css: str) -> list[TemplateWarning]:
    """Rules that the style sheet loses, and Jinja, which it does not take."""
    broken = [
        TemplateWarning(rule.source_line, f"o CSS tem um erro: {rule.message}.")
        for rule in tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
        if rule.type == "error"
    ]
    jinja = re.search(r"\{\{|\{%", css)
    if jinja:
        line = css.count("\n", 0, jinja.start()) + 1
        broken.append(TemplateWarning(line, "o CSS não aceita {{ }} nem {% %}."))
    return broken


class _Linter:
    """Walks the template with the names that are in scope at each point."""

    def __init__(self, known: set[str], globals_: Iterable[str]) -> None:
        self.found: dict[tuple[int, str], TemplateWarning] = {}
        self._known = shape_of_paths(known)
        self._globals = {*globals_, "loop", "caller", "varargs", "kwargs", "self", "super"}
        self._paths = sorted(path for path in known if ITEM not in path)
        self._special: dict[type[nodes.Node], Callable[[Any, Scope], None]] = {
            nodes.For: self._for,
            nodes.Assign: self._assign,
            nodes.AssignBlock: self._assign,
            nodes.Macro: self._macro,
            nodes.CallBlock: self._macro,
            nodes.With: self._with,
            nodes.Name: self._name,
            nodes.Getattr: self._member,
            nodes.Getitem: self._member,
            nodes.Filter: self._excusing,
            nodes.Test: self._excusing,
        }

    def visit(self, node: nodes.Node, scope: Scope) -> None:
        """Check a node and everything under it."""
        special = self._special.get(type(node))
        if special:
            special(node, scope)
            return
        self._children(node, scope)

    def _children(self, node: nodes.Node, scope: Scope) -> None:
        for child in node.iter_child_nodes():
            self.visit(child, scope)

    # --- statements that bring names into scope ------------------------------------------

    def _for(self, node: nodes.For, scope: Scope) -> None:
        self.visit(node.iter, scope)
        shape = self._shape(node.iter, scope)
        inner = {**scope, **_bound(node.target, shape.get(ITEM) if shape else None)}
        for child in [*([node.test] if node.test else []), *node.body]:
            self.visit(child, inner)
        for child in node.else_:
            self.visit(child, scope)

    def _assign(self, node: nodes.Assign | nodes.AssignBlock, scope: Scope) -> None:
        if isinstance(node, nodes.Assign):
            self.visit(node.node, scope)
            scope.update(_bound(node.target, self._shape(node.node, scope)))
            return
        for child in node.body:
            self.visit(child, scope)
        scope.update(_bound(node.target, None))

    def _macro(self, node: nodes.Macro | nodes.CallBlock, scope: Scope) -> None:
        for child in [*node.defaults, *([node.call] if isinstance(node, nodes.CallBlock) else [])]:
            self.visit(child, scope)
        if isinstance(node, nodes.Macro):
            scope[node.name] = None
        inner = {**scope, **{argument.name: None for argument in node.args}}
        for statement in node.body:
            self.visit(statement, inner)

    def _with(self, node: nodes.With, scope: Scope) -> None:
        inner = dict(scope)
        for target, value in zip(node.targets, node.values, strict=True):
            self.visit(value, scope)
            inner.update(_bound(target, self._shape(value, scope)))
        for child in node.body:
            self.visit(child, inner)

    # --- names ---------------------------------------------------------------------------

    def _name(self, node: nodes.Name, scope: Scope) -> None:
        name = node.name
        if node.ctx == "load" and not (
            name in scope or name in self._known or name in self._globals
        ):
            self._warn(node.lineno, name, [*self._known, *scope], "")

    def _member(self, node: nodes.Getattr | nodes.Getitem, scope: Scope) -> None:
        self._children(node, scope)
        owner, member = self._shape(node.node, scope), member_name(node)
        # An empty shape is text or a number: what is asked of it is a method.
        if member is None or not owner or member in owner or member in _DICT_METHODS:
            return
        if ITEM not in owner:
            prefix = _path(node.node)
            self._warn(node.lineno, f"{prefix}{member}", list(owner), prefix)

    def _excusing(self, node: nodes.Filter | nodes.Test, scope: Scope) -> None:
        """`x|default("")` and `x is defined` say that x may be missing."""
        for child in node.iter_child_nodes():
            if not (child is node.node and node.name in _EXCUSED):
                self.visit(child, scope)

    def _warn(self, line: int, path: str, candidates: list[str], prefix: str) -> None:
        near = difflib.get_close_matches(path.removeprefix(prefix), candidates, 1, 0.6)
        suggestion = self._elsewhere(path) or (prefix + near[0] if near else "")
        message = f"a variável {path} não existe."
        self.found.setdefault((line, path), TemplateWarning(line, message, suggestion))

    def _elsewhere(self, path: str) -> str:
        """`city` was probably `client.address.city`."""
        last = path.rpartition(".")[2]
        return next((known for known in self._paths if known.endswith(f".{last}")), "")

    def _shape(self, node: nodes.Node | None, scope: Scope) -> Shape | None:
        """What is known of the value of an expression."""
        if isinstance(node, nodes.Name):
            return scope[node.name] if node.name in scope else self._known.get(node.name)
        if isinstance(node, nodes.Filter):
            shape = self._shape(node.node, scope)
            if node.name in _SAME_SHAPE:
                return shape
            return shape.get(ITEM) if shape and node.name in _ONE_ITEM else None
        if isinstance(node, nodes.Getattr | nodes.Getitem):
            return self._shape_of_member(node, scope)
        return None

    def _shape_of_member(self, node: nodes.Getattr | nodes.Getitem, scope: Scope) -> Shape | None:
        shape, member = self._shape(node.node, scope), member_name(node)
        if shape is None:
            return None
        if member is not None:
            return shape.get(member)
        is_slice = isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice)
        return shape if is_slice else shape.get(ITEM)


def _bound(target: nodes.Node, shape: Shape | None) -> Scope:
    """The names that a target binds; only a single name keeps the shape."""
    if isinstance(target, nodes.Name):
        return {target.name: shape}
    return {name.name: None for name in target.find_all(nodes.Name)}


def member_name(node: nodes.Getattr | nodes.Getitem) -> str | None:
    """The name in `x.name` and `x["name"]`."""
    if isinstance(node, nodes.Getattr):
        return node.attr
    argument = node.arg
    is_text = isinstance(argument, nodes.Const) and isinstance(argument.value, str)
    return argument.value if is_text else None  # type: ignore[attr-defined]


def _path(node: nodes.Node) -> str:
    """`client.address.` of the expression, with its final dot; empty for anything longer."""
    if isinstance(node, nodes.Name):
        return f"{node.name}."
    if isinstance(node, nodes.Getattr | nodes.Getitem):
        member = member_name(node)
        return f"{_path(node.node)}{member}." if member else f"{_path(node.node)[:-1]}{ITEM}."
    return ""
