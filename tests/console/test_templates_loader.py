"""Templates compiled at packaging show what their files show."""

import shutil

import jinja2
import pytest

from chalicelib.console import templates_loader

_FILES = {
    "layout.html": "<title>{% block title %}{% endblock %}</title>\n{% block body %}{% endblock %}\n",
    "macros.html": "{% macro badge(word) %}\n<b>{{ word }}</b>\n{% endmacro %}\n",
    "customers/list.html": (
        '{% extends "layout.html" %}\n{% from "macros.html" import badge %}\n'
        "{% block title %}Customers{% endblock %}\n"
        "{% block body %}\n    {% for name in names %}\n    <p>{{ badge(name) }} {{ name|upper }}</p>\n    {% endfor %}\n"
        '{% include "customers/foot.html" %}\n{% endblock %}\n'
    ),
    "customers/foot.html": "{{ names|length }}\n",
    "wrong.html": "{{ nobody.knows }}",
}


def _environment(loader: jinja2.BaseLoader) -> jinja2.Environment:
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


@pytest.fixture
def folder(tmp_path):
    for name, text in _FILES.items():
        path = tmp_path / templates_loader.TEMPLATES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_compiled_templates_show_what_their_files_show(folder):
    read = _environment(templates_loader.loader(folder))
    assert isinstance(read.loader, jinja2.FileSystemLoader)
    templates_loader.compile_all(read, folder)
    values = {"names": ["Ada", "<script>alert(1)</script>"]}
    shown = read.get_template("customers/list.html").render(values)
    shutil.rmtree(folder / templates_loader.TEMPLATES)
    compiled = _environment(templates_loader.loader(folder))
    assert isinstance(compiled.loader, jinja2.ModuleLoader)
    assert compiled.get_template("customers/list.html").render(values) == shown
    assert "<script>" not in shown
    with pytest.raises(jinja2.UndefinedError, match="nobody"):
        compiled.get_template("wrong.html").render()


def test_a_template_that_cannot_be_compiled_fails_the_package(folder):
    (folder / templates_loader.TEMPLATES / "broken.html").write_text("{% if %}")
    with pytest.raises(jinja2.TemplateSyntaxError):
        templates_loader.compile_all(_environment(templates_loader.loader(folder)), folder)
