"""Paths of pages whose links scanners rewrite."""

from starlette.convertors import StringConvertor, register_url_convertor


class RewrittenConvertor(StringConvertor):
    regex = "(?s:(?:/*[#?%&].*)?)"


register_url_convertor("rewritten", RewrittenConvertor())

REWRITTEN = "{rewritten:rewritten}"
"""The end of a path that may contain the query or fragment of the link, because a scanner has encoded its `?` or `#`."""
