"""Errors for people: what is wrong, where, and the cure. The class docstring is the default text."""

from __future__ import annotations

from datetime import timedelta


class DigestError(Exception):
    """Something went wrong."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or type(self).__doc__ or "")


class ConfigError(DigestError):
    """The configuration has errors."""


class DumpError(DigestError):
    """This dump cannot be read."""


class StoreError(DigestError):
    """The database cannot be used as it is."""


class TemplateError(DigestError):
    """A template cannot be used as it is."""


class DeliveryError(DigestError):
    """The message could not be handed over."""

    def __init__(
        self,
        message: str = "",
        *,
        permanent: bool = False,
        uncertain: bool = False,
        unreachable: bool = False,
    ) -> None:
        super().__init__(message)
        self.permanent = permanent  #: trying again cannot help
        self.uncertain = uncertain  #: the server may have taken it
        self.unreachable = unreachable  #: there is no server, for nobody's message


class FetchError(DigestError):
    """The source could not be fetched."""

    def __init__(self, message: str = "", *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after  #: what the server asked for
