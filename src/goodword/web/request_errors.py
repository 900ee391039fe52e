"""Errors of requests that the connection or the middleware refuses before the application sees them."""

from goodword.errors import AppError, BadRequest, Unavailable


class MalformedRequest(BadRequest):
    code, detail = "malformed_request", "The request is not valid HTTP."


class HeadTooLarge(AppError):
    status, title = 431, "Request Header Fields Too Large"
    code, detail = "headers_too_large", "The header exceeds 64 fields or 16 KiB. Shorten the header."


class UriTooLong(AppError):
    status, title = 414, "URI Too Long"
    code, detail = "uri_too_long", "The path and query exceed 4 KiB. Shorten the URL."


class HostRefused(BadRequest):
    code, detail = "host_not_served", "This host name is not served. Use one that ALLOWED_HOSTS lists."


class HeaderRepeated(BadRequest):
    """A proxy and this server could each use another value."""

    code, detail = "header_repeated", "A header field with a single value is repeated. Send it once."


class BodyTooSlow(AppError):
    status, title = 408, "Request Timeout"
    code, detail = "request_timeout", "The body did not arrive in time. Try again."


class TookTooLong(Unavailable):
    code, detail = "took_too_long", "The request took too long and was not completed. Try again."


class Overloaded(Unavailable):
    code, detail = "overloaded", "The server is handling too many requests. Try again shortly."


class HeadTooSlow(BodyTooSlow):
    detail = "The header did not arrive in time. Try again."


class CodingUnknown(AppError):
    """Its body cannot be read (RFC 9112 §6.1)."""

    status, title = 501, "Not Implemented"
    code, detail = "transfer_coding_unknown", "The only transfer coding is `chunked`. Send the body as it is."


class VersionUnknown(AppError):
    status, title = 505, "HTTP Version Not Supported"
    code, detail = "http_version_unknown", "Send the request as HTTP/1.1."


class TooManyConnections(Overloaded):
    detail = "The server has too many connections. Try again shortly."
