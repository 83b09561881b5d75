"""Pages of HTML, of Jinja templates: whatever is put into one is escaped."""

from pathlib import Path

import jinja2


def rendered(template, filters=None, **values):
    """The text of a page.

    Args:
        template: path of the .html.j2 file.
        filters: {name: function} that the template uses beside Jinja's own.
        values: what it names; one that is missing is an error.
    """
    loader = jinja2.FileSystemLoader(Path(template).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters |= filters or {}
    return environment.get_template(Path(template).name).render(values)
