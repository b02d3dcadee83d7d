"""Texts that researchers write in Markdown, as HTML that is safe to show."""

from functools import lru_cache

import markdown
import nh3
from django.utils.safestring import SafeString, mark_safe

TAGS = {"p", "br", "em", "strong", "ul", "ol", "li", "h2", "h3", "a", "blockquote", "code"}


@lru_cache(maxsize=500)  # the same few texts are shown to everybody
def render(text: str) -> SafeString:
    """Markdown to HTML, sanitised: no scripts, styles, images or attributes but links."""
    html = markdown.markdown(text, output_format="html")
    clean = nh3.clean(html, tags=TAGS, attributes={"a": {"href"}}, url_schemes={"https", "mailto"})
    return mark_safe(clean)  # noqa: S308 (nh3 has just sanitised it)
